//! Owns `LineWriter`: turns values into lines that a reader will take, and refuses the others
//! before a byte of them is written. Knows no files.

use std::cell::Cell;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use crate::jsonl::finite;
use crate::jsonl::limits::DEPTH_MAX;

/// Writes values as lines.
pub(crate) struct LineWriter<W> {
    out: W,
    line: Vec<u8>,
    n_lines: u64,
    n_bytes: u64,
    /// Set by the first failed write. Some part of a line may be out, so that nothing may follow.
    is_broken: bool,
}

/// Why a line was not written.
#[derive(Debug)]
pub(crate) enum Refusal {
    NotFinite { field: String },
    TooDeep,
    TooLong,
    Unserializable { problem: String },
    Io(io::Error),
    Broken,
}

impl<W: Write> LineWriter<W> {
    pub(crate) fn new(out: W) -> LineWriter<W> {
        LineWriter { out, line: Vec::new(), n_lines: 0, n_bytes: 0, is_broken: false }
    }

    /// Lines written.
    pub(crate) fn n_lines(&self) -> u64 {
        self.n_lines
    }

    /// Bytes written, before compression.
    pub(crate) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Writes one line, or nothing.
    pub(crate) fn write<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        line_bytes_max: usize,
    ) -> Result<(), Refusal> {
        if self.is_broken {
            return Err(Refusal::Broken);
        }
        encode(&mut self.line, value, line_bytes_max)?;
        self.line.push(b'\n');
        let written = self.out.write_all(&self.line);
        self.guard(written)?;
        self.n_lines += 1;
        self.n_bytes += self.line.len() as u64;
        Ok(())
    }

    /// Ends the line that stood in the file before.
    pub(crate) fn end_line(&mut self) -> Result<(), Refusal> {
        let written = self.out.write_all(b"\n");
        self.guard(written)
    }

    pub(crate) fn flush(&mut self) -> Result<(), Refusal> {
        if self.is_broken {
            return Err(Refusal::Broken);
        }
        let flushed = self.out.flush();
        self.guard(flushed)
    }

    /// What was written to, unless a write has failed.
    pub(crate) fn into_inner(self) -> Result<W, Refusal> {
        if self.is_broken { Err(Refusal::Broken) } else { Ok(self.out) }
    }

    fn guard(&mut self, result: io::Result<()>) -> Result<(), Refusal> {
        self.is_broken = result.is_err();
        result.map_err(Refusal::Io)
    }
}

/// Fills `line` with the value as one line, without the newline.
fn encode<T: Serialize + ?Sized>(
    line: &mut Vec<u8>,
    value: &T,
    line_bytes_max: usize,
) -> Result<(), Refusal> {
    line.clear();
    let watch = Watch::default();
    let mut bounded = Bounded { line, line_bytes_max, is_over: false };
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut bounded, OneLine { watch: &watch });
    let result = value.serialize(&mut serializer);
    if bounded.is_over {
        return Err(Refusal::TooLong);
    }
    if watch.depth.get() > DEPTH_MAX {
        return Err(Refusal::TooDeep);
    }
    if let Err(error) = result {
        return Err(Refusal::Unserializable { problem: error.to_string() });
    }
    // A number that is not finite leaves a `null`, and most values have none: the search is rare.
    if watch.has_null.get()
        && let Some(field) = finite::first_non_finite(value)
    {
        return Err(Refusal::NotFinite { field });
    }
    Ok(())
}

/// What the formatter saw.
#[derive(Default)]
struct Watch {
    has_null: Cell<bool>,
    /// Stays above the limit once it was exceeded.
    depth: Cell<u32>,
}

/// The compact format, on one line whatever the value does, with an eye on nulls and depth.
struct OneLine<'a> {
    watch: &'a Watch,
}

impl OneLine<'_> {
    fn enter(&self) -> io::Result<()> {
        let depth = self.watch.depth.get() + 1;
        self.watch.depth.set(depth);
        if depth > DEPTH_MAX { Err(io::ErrorKind::InvalidData.into()) } else { Ok(()) }
    }

    fn leave(&self) {
        self.watch.depth.set(self.watch.depth.get() - 1);
    }
}

impl Formatter for OneLine<'_> {
    fn write_null<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.watch.has_null.set(true);
        out.write_all(b"null")
    }

    fn begin_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.enter()?;
        out.write_all(b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.leave();
        out.write_all(b"]")
    }

    fn begin_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.enter()?;
        out.write_all(b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.leave();
        out.write_all(b"}")
    }

    fn write_raw_fragment<W: Write + ?Sized>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // JSON that is passed through may span lines; between its tokens any space will do.
        out.write_all(fragment.replace(['\n', '\r'], " ").as_bytes())
    }
}

/// A line that does not outgrow its limit.
struct Bounded<'a> {
    line: &'a mut Vec<u8>,
    line_bytes_max: usize,
    is_over: bool,
}

impl Write for Bounded<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > self.line_bytes_max - self.line.len() {
            self.is_over = true;
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::ErrorKind;

    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::jsonl::compression::{Compression, Encoder};

    /// A disk that takes some bytes and is full then.
    #[derive(Debug)]
    struct Disk {
        taken: Vec<u8>,
        left: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.left);
            if n == 0 && !bytes.is_empty() {
                return Err(ErrorKind::StorageFull.into());
            }
            self.taken.extend_from_slice(&bytes[..n]);
            self.left -= n;
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written for the value, or why nothing is.
    fn check<T: Serialize>(value: T) -> String {
        let mut lines = LineWriter::new(Vec::new());
        let result = lines.write(&value, 40);
        let out = lines.into_inner().expect("a vector takes everything");
        match result {
            Ok(()) => String::from_utf8(out).expect("JSON is UTF-8").replace('\n', "|"),
            Err(refusal) => {
                assert!(out.is_empty(), "a refused value leaves no trace");
                format!("{refusal:?}")
            }
        }
    }

    #[test]
    fn a_value_is_one_line_or_refused() {
        assert_snapshot!(check(json!({"a": [1, null, "x\ny"]})), @r#"{"a":[1,null,"x\ny"]}|"#);
        assert_snapshot!(check(0.1 + 0.2), @"0.30000000000000004|");
        assert_snapshot!(check((f64::MAX, f64::MIN_POSITIVE)), @"TooLong");
        assert_snapshot!(check(None::<f64>), @"null|");
        assert_snapshot!(check([None, Some(f32::NAN)]), @r#"NotFinite { field: "[1]" }"#);
        assert_snapshot!(check(BTreeMap::from([((1, 2), 3)])), @r#"Unserializable { problem: "key must be a string" }"#);
        assert_snapshot!(check("a".repeat(38)), @r#""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"|"#);
        assert_snapshot!(check("a".repeat(39)), @"TooLong");
    }

    #[test]
    fn what_is_written_is_no_deeper_than_what_can_be_read() {
        let nested = |depth: u32| (1..depth).fold(json!([]), |value, _| json!([value]));
        let mut lines = LineWriter::new(Vec::new());
        assert!(lines.write(&nested(DEPTH_MAX), 1000).is_ok());
        let refusal = lines.write(&nested(DEPTH_MAX + 1), 1000);
        assert!(matches!(refusal, Err(Refusal::TooDeep)), "{refusal:?}");
        let line = serde_json::from_slice::<serde_json::Value>(&lines.out);
        assert_eq!(line.expect("a reader takes it"), nested(DEPTH_MAX));
    }

    #[test]
    fn a_value_after_a_refused_one_is_whole() {
        let mut lines = LineWriter::new(Vec::new());
        assert!(lines.write("a", 3).is_ok());
        assert!(lines.write("too long", 3).is_err());
        assert!(lines.write(&f64::NAN, 3).is_err());
        assert!(lines.write("b", 3).is_ok());
        assert_eq!((lines.n_lines(), lines.n_bytes()), (2, 8));
        assert_eq!(lines.into_inner().expect("sound"), b"\"a\"\n\"b\"\n");
    }

    /// Writes some lines to a disk with `left` bytes, flushing each, and finishes.
    fn fill(compression: Compression, left: usize) -> Result<Vec<u8>, Refusal> {
        let encoder = Encoder::new(compression, Disk { taken: Vec::new(), left });
        let mut lines = LineWriter::new(encoder.map_err(Refusal::Io)?);
        let mut last = Ok(());
        for n in 0..5_u32 {
            let result = lines.write(&json!({ "n": n.pow(7) }), 100).and_then(|()| lines.flush());
            if last.is_err() {
                assert!(matches!(result, Err(Refusal::Broken)), "nothing follows a failed write");
            } else {
                last = result;
            }
        }
        let finished = lines.into_inner().and_then(|out| out.finish().map_err(Refusal::Io));
        assert!(last.is_ok() || finished.is_err(), "what failed can't be finished");
        finished.map(|disk| disk.taken)
    }

    #[test]
    fn a_disk_that_is_full_is_never_a_success() {
        for compression in [Compression::Plain, Compression::Gzip, Compression::Zstd] {
            let whole = fill(compression, usize::MAX).expect("there is room");
            for left in 0..whole.len() {
                let refusal = fill(compression, left);
                assert!(refusal.is_err(), "{compression} with {left} of {} bytes", whole.len());
            }
            let exact = fill(compression, whole.len()).expect("there is just enough room");
            assert_eq!(exact, whole);
        }
    }
}
