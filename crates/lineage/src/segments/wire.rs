//! Owns how numbers, texts and digests lie in bytes. Every other format of this crate is made of
//! these; `docs/lineage.md` has them all.

use selvedge_event::Digest;

/// What is wrong with bytes that should be one of our formats: a place and a word. The caller knows
/// which value it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// What was expected.
    pub(crate) expected: &'static str,
    /// How many bytes were left.
    pub(crate) n_left: usize,
}

/// Appends a number, seven bits a byte, low ones first (LEB128).
pub(crate) fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Appends a difference of numbers: small ones of either sign stay small.
pub(crate) fn put_difference(bytes: &mut Vec<u8>, from: u64, to: u64) {
    let difference = to.wrapping_sub(from) as i64;
    put_number(bytes, ((difference << 1) ^ (difference >> 63)) as u64);
}

/// Appends a number that may be missing: zero, or one more than it.
pub(crate) fn put_optional(bytes: &mut Vec<u8>, number: Option<u32>) {
    put_number(bytes, number.map_or(0, |number| u64::from(number) + 1));
}

/// Appends a text after its length.
pub(crate) fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_number(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

/// Reads what the functions above wrote, from the front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    pub(crate) const fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader(bytes)
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// What has not been read.
    pub(crate) const fn rest(&self) -> &'b [u8] {
        self.0
    }

    pub(crate) const fn malformed(&self, expected: &'static str) -> Malformed {
        Malformed { expected, n_left: self.0.len() }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let (&byte, rest) = self.0.split_first().ok_or_else(|| self.malformed("a byte"))?;
        self.0 = rest;
        Ok(byte)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.malformed("a number of 64 bits"))
    }

    pub(crate) fn difference(&mut self, from: u64) -> Result<u64, Malformed> {
        let zigzag = self.number()?;
        let difference = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        Ok(from.wrapping_add(difference as u64))
    }

    pub(crate) fn small(&mut self) -> Result<u32, Malformed> {
        let number = self.number()?;
        u32::try_from(number).map_err(|_| self.malformed("a number of 32 bits"))
    }

    pub(crate) fn optional(&mut self) -> Result<Option<u32>, Malformed> {
        let number = self.number()?;
        let present = number.checked_sub(1).map(u32::try_from).transpose();
        present.map_err(|_| self.malformed("a number of 32 bits, or none"))
    }

    /// A count of things of which each takes a byte at least, so that a damaged count can't make
    /// anybody reserve more memory than there are bytes.
    pub(crate) fn count(&mut self) -> Result<usize, Malformed> {
        let number = self.number()?;
        let count = usize::try_from(number).ok().filter(|&count| count <= self.0.len());
        count.ok_or_else(|| self.malformed("a count of no more than what follows"))
    }

    pub(crate) fn bytes(&mut self, n: usize) -> Result<&'b [u8], Malformed> {
        let (bytes, rest) =
            self.0.split_at_checked(n).ok_or_else(|| self.malformed("more bytes"))?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = self.bytes(N)?;
        Ok(bytes.try_into().expect("as many bytes as were asked for"))
    }

    pub(crate) fn digest(&mut self) -> Result<Digest, Malformed> {
        self.array().map(Digest::from_bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'b str, Malformed> {
        let n = self.count()?;
        let bytes = self.bytes(n)?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed("a text in UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn what_was_put_is_read(a: u64, b: u64, c: Option<u16>, text: String) {
            let mut bytes = Vec::new();
            put_number(&mut bytes, a);
            put_difference(&mut bytes, a, b);
            put_optional(&mut bytes, c.map(u32::from));
            put_text(&mut bytes, &text);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.number(), Ok(a));
            prop_assert_eq!(reader.difference(a), Ok(b));
            prop_assert_eq!(reader.optional(), Ok(c.map(u32::from)));
            prop_assert_eq!(reader.text(), Ok(text.as_str()));
            prop_assert_eq!(reader.is_at_end(), true);
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while reader.number().is_ok() && reader.text().is_ok() && reader.digest().is_ok() {}
        }
    }

    #[test]
    fn a_number_that_is_too_long_is_refused() {
        let found = Reader::new(&[0x80; 11]).number();
        assert_eq!(found, Err(Malformed { expected: "a number of 64 bits", n_left: 1 }));
    }
}
