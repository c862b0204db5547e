//! Owns `LineReader`: cuts a stream of bytes into lines, in memory bounded by the longest line
//! allowed. Refuses to look inside a line: that is the decoder's business.

use std::io::{self, BufRead, ErrorKind};

use memchr::memchr;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Cuts a stream into lines that are not blank.
#[derive(Debug)]
pub(crate) struct LineReader<R> {
    input: R,
    line_bytes_max: usize,
    /// The line under way, when it spans more than one fill of the input's buffer.
    spill: Vec<u8>,
    /// How much of the input's buffer the line handed out last still occupies.
    lent: usize,
    /// Whether the line handed out last was cut, and its rest is yet to be passed over.
    skipping: bool,
    number: u64,
    /// Where the next unread byte stands in the stream, not counting what is lent.
    position: u64,
}

/// One line, without its line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// From 1, counting blank lines.
    pub(crate) number: u64,
    /// Where the first byte stands in the (decompressed) stream.
    pub(crate) offset: u64,
    /// The line, or its beginning when it was cut.
    pub(crate) bytes: &'a [u8],
    /// Set for a line over the limit: how many bytes of it had been seen when it was given up.
    pub(crate) cut: Option<u64>,
}

/// Where the line found last is.
enum Extent {
    /// There was none.
    End,
    /// At the front of the input's buffer.
    Lent,
    /// In `spill`.
    Spilled,
}

impl<R: BufRead> LineReader<R> {
    pub(crate) fn new(input: R, line_bytes_max: usize) -> LineReader<R> {
        LineReader {
            input,
            line_bytes_max,
            spill: Vec::new(),
            lent: 0,
            skipping: false,
            number: 0,
            position: 0,
        }
    }

    /// The number of the line handed out or passed over last; 0 before the first.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// How many bytes of the stream have been read.
    pub(crate) fn position(&self) -> u64 {
        self.position + self.lent as u64
    }

    /// The next line that is not blank. A line that an error interrupts is not handed out.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        while self.skip(u64::MAX)? {}
        loop {
            self.take_back();
            let offset = self.position;
            let extent = self.find_end()?;
            if matches!(extent, Extent::End) {
                return Ok(None);
            }
            self.number += 1;
            let (is_first, max) = (self.number == 1, self.line_bytes_max);
            let (bytes, mark) = content(self.found(&extent)?, is_first);
            // A cut line may be blank as far as it was seen; it is over the limit all the same.
            if bytes.len() > max || !is_blank(bytes) {
                let offset = offset + mark as u64;
                return self.hand_out(&extent, offset).map(Some);
            }
        }
    }

    /// Passes over the rest of a line that was cut, at most about `bytes_max` of it; whether some
    /// is left. [`next_line`](Self::next_line) does so by itself; this is for callers who must
    /// return soon.
    pub(crate) fn skip(&mut self, bytes_max: u64) -> io::Result<bool> {
        let start = self.position;
        while self.skipping && self.position - start < bytes_max {
            let buffer = fill(&mut self.input)?;
            let end = memchr(b'\n', buffer);
            let used = end.map_or(buffer.len(), |end| end + 1);
            self.skipping = end.is_none() && !buffer.is_empty();
            self.input.consume(used);
            self.position += used as u64;
        }
        Ok(self.skipping)
    }

    /// Ends the loan of the input's buffer.
    fn take_back(&mut self) {
        let lent = std::mem::take(&mut self.lent);
        self.input.consume(lent);
        self.position += lent as u64;
    }

    /// Finds the end of the next line, copying it only when the input's buffer ends before it.
    fn find_end(&mut self) -> io::Result<Extent> {
        self.spill.clear();
        // One byte more for a `\r` that may turn out to belong to the line end, and another that
        // shows that the line is too long.
        let spill_max = self.line_bytes_max.saturating_add(2);
        loop {
            let buffer = fill(&mut self.input)?;
            let end = memchr(b'\n', buffer);
            if self.spill.is_empty() {
                if buffer.is_empty() {
                    return Ok(Extent::End);
                }
                if let Some(end) = end {
                    self.lent = end + 1;
                    return Ok(Extent::Lent);
                }
            } else if buffer.is_empty() {
                return Ok(Extent::Spilled);
            }
            let part = end.unwrap_or(buffer.len());
            let kept = part.min(spill_max - self.spill.len());
            self.spill.extend_from_slice(&buffer[..kept]);
            let is_cut = kept < part;
            let used = if is_cut || end.is_none() { kept } else { part + 1 };
            self.skipping = is_cut;
            self.input.consume(used);
            self.position += used as u64;
            if is_cut || end.is_some() {
                return Ok(Extent::Spilled);
            }
        }
    }

    /// The bytes found, up to but without the newline.
    fn found(&mut self, extent: &Extent) -> io::Result<&[u8]> {
        match extent {
            Extent::End => Ok(&[]),
            Extent::Lent => Ok(&fill(&mut self.input)?[..self.lent - 1]),
            Extent::Spilled => Ok(&self.spill),
        }
    }

    fn hand_out(&mut self, extent: &Extent, offset: u64) -> io::Result<Line<'_>> {
        let (number, max) = (self.number, self.line_bytes_max);
        let (bytes, _) = content(self.found(extent)?, number == 1);
        let cut = (bytes.len() > max).then_some(bytes.len() as u64);
        Ok(Line { number, offset, bytes: &bytes[..bytes.len().min(max)], cut })
    }
}

/// The line without what belongs to the file's format, and how much was taken off its front.
fn content(bytes: &[u8], is_first: bool) -> (&[u8], usize) {
    let marked = if is_first { bytes.strip_prefix(BYTE_ORDER_MARK) } else { None };
    let rest = marked.unwrap_or(bytes);
    (rest.strip_suffix(b"\r").unwrap_or(rest), bytes.len() - rest.len())
}

/// Whether a line holds nothing but what JSON takes for white space.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// The input's buffer, filled if it was empty; empty at the end of the stream.
fn fill(input: &mut impl BufRead) -> io::Result<&[u8]> {
    while let Err(error) = input.fill_buf() {
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
    input.fill_buf()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::io::{BufReader, Read};

    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    /// Every line of `bytes`, read through a buffer of `capacity` bytes.
    fn trace_with(bytes: &[u8], line_bytes_max: usize, capacity: usize) -> String {
        let mut lines = LineReader::new(BufReader::with_capacity(capacity, bytes), line_bytes_max);
        let mut trace = String::new();
        while let Some(line) = lines.next_line().expect("slices can be read") {
            let text = line.bytes.escape_ascii();
            let cut = line.cut.map(|seen| format!(" cut after {seen}")).unwrap_or_default();
            writeln!(trace, "{} @{} {text}{cut}", line.number, line.offset).expect("a string");
        }
        write!(trace, "{} lines, {} bytes", lines.number(), lines.position()).expect("a string");
        trace
    }

    /// As a whole, and the same whatever the size of the buffer.
    fn trace(bytes: &[u8]) -> String {
        let whole = trace_with(bytes, 8, 1024);
        for capacity in 1..bytes.len() + 2 {
            assert_eq!(trace_with(bytes, 8, capacity), whole, "with a buffer of {capacity}");
        }
        whole
    }

    #[test]
    fn crlf_blank_lines_and_a_missing_newline_are_no_content() {
        assert_snapshot!(trace(b"a\r\n\n \t\r\nbb\nc"), @r"
        1 @0 a
        4 @8 bb
        5 @11 c
        5 lines, 12 bytes
        ");
        assert_snapshot!(trace(b""), @"0 lines, 0 bytes");
        assert_snapshot!(trace(b"\n"), @"1 lines, 1 bytes");
        assert_snapshot!(trace(b"a\rb\r\r\n"), @r"
        1 @0 a\rb\r
        1 lines, 6 bytes
        ");
    }

    #[test]
    fn a_byte_order_mark_is_stripped_at_the_start_only() {
        assert_snapshot!(trace(b"\xEF\xBB\xBFa\n\xEF\xBB\xBFb\n"), @r"
        1 @3 a
        2 @5 \xef\xbb\xbfb
        2 lines, 10 bytes
        ");
        assert_snapshot!(trace(b"\xEF\xBB\xBF\r\na"), @r"
        2 @5 a
        2 lines, 6 bytes
        ");
        assert_snapshot!(trace(b"\xEF\xBB"), @r"
        1 @0 \xef\xbb
        1 lines, 2 bytes
        ");
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        assert_snapshot!(trace(b"12345678\r\n1\n"), @r"
        1 @0 12345678
        2 @10 1
        2 lines, 12 bytes
        ");
        assert_snapshot!(trace(b"123456789\n1\n"), @r"
        1 @0 12345678 cut after 9
        2 @10 1
        2 lines, 12 bytes
        ");
    }

    #[test]
    fn the_rest_of_a_cut_line_is_passed_over() {
        assert_snapshot!(trace_with(b"123456789abcdef\n1\n", 8, 4), @r"
        1 @0 12345678 cut after 10
        2 @16 1
        2 lines, 18 bytes
        ");
        assert_snapshot!(trace_with(b"123456789abcdef", 8, 4), @r"
        1 @0 12345678 cut after 10
        1 lines, 15 bytes
        ");
        assert_snapshot!(trace_with(b"            \n1\n", 8, 4), @r"
        1 @0          cut after 10
        2 @13 1
        2 lines, 15 bytes
        ");
    }

    /// A stream that is made while it is read.
    struct Endless {
        left: u64,
    }

    impl Read for Endless {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            into[..n].fill(b'x');
            self.left -= n as u64;
            Ok(n)
        }
    }

    #[test]
    fn a_line_far_over_the_limit_costs_memory_of_the_limit_only() {
        let input = Endless { left: 100_000_000 }.chain(&b"\n1\n"[..]);
        let mut lines = LineReader::new(BufReader::with_capacity(1 << 16, input), 1 << 20);
        let cut = lines.next_line().expect("no error").expect("a line").cut;
        assert_eq!(cut, Some((1 << 20) + 2));
        assert!(lines.skip(1 << 20).expect("no error"), "a bounded skip returns before the end");
        assert!(lines.position() < 3 << 20);
        assert_eq!(lines.next_line().expect("no error").expect("a line").bytes, b"1");
        assert!(lines.spill.capacity() <= 4 << 20, "kept {} bytes", lines.spill.capacity());
    }

    proptest! {
        #[test]
        fn any_buffer_cuts_like_the_standard_library(
            bytes in "[\na ]{0,60}",
            capacity in 1_usize..20,
        ) {
            let bytes = bytes.as_bytes();
            let mut lines = LineReader::new(BufReader::with_capacity(capacity, bytes), 1000);
            let mut found = Vec::new();
            while let Some(line) = lines.next_line()? {
                let end = usize::try_from(line.offset)? + line.bytes.len();
                prop_assert_eq!(&bytes[usize::try_from(line.offset)?..end], line.bytes);
                found.push((line.number as usize, line.bytes.to_vec()));
            }
            let expected: Vec<(usize, Vec<u8>)> = bytes
                .split(|&byte| byte == b'\n')
                .enumerate()
                .filter(|(_, line)| line.contains(&b'a'))
                .map(|(index, line)| (index + 1, line.to_vec()))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
