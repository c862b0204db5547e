//! Reads canonical bytes, and only those: of two encodings of one value, one is refused.
//!
//! Owns the reading side of the format. Refuses, with the offset, whatever `encode` can't have
//! written; never panics, and takes memory and stack only as the input warrants: at most some
//! hundred bytes for each byte read, and [`MAX_DEPTH`] levels.

use super::canonical::{Body, Canonical, Named};
use super::format::{KeyDigest, MAX_DEPTH, VERSION, tag};

/// Bytes that [`encode`](super::encode()) can't have written. Every variant names the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input ends within a value.
    #[error("the input ends at byte {offset}, within a value")]
    Truncated {
        /// Where more was expected.
        offset: usize,
    },
    /// Bytes after the value.
    #[error("the value ends at byte {offset}, cut off what follows")]
    Trailing {
        /// The first byte too many.
        offset: usize,
    },
    /// A version this crate doesn't know.
    #[error("version {version} at byte 0, only version 1 is known")]
    Version {
        /// The version byte.
        version: u8,
    },
    /// A tag that doesn't exist, or not where it stands.
    #[error("tag {tag:#04x} at byte {offset} can't stand there")]
    Tag {
        /// The tag.
        tag: u8,
        /// Where it stands.
        offset: usize,
    },
    /// An integer or length that isn't in its shortest form, or out of range.
    #[error("the integer at byte {offset} is too large or not in its shortest form")]
    Integer {
        /// Where it starts.
        offset: usize,
    },
    /// A NaN or infinity.
    #[error("the float at byte {offset} is not finite")]
    NotFinite {
        /// Where its bits start.
        offset: usize,
    },
    /// A number that isn't a Unicode scalar value.
    #[error("the number at byte {offset} is no character")]
    NotAChar {
        /// Where it starts.
        offset: usize,
    },
    /// A string that isn't UTF-8.
    #[error("the string holds a byte at {offset} that is not UTF-8")]
    NotUtf8 {
        /// The first byte that can't stand there.
        offset: usize,
    },
    /// A map entry or set element out of canonical order, or a second time.
    #[error("the entry at byte {offset} is out of order or occurs twice")]
    Unsorted {
        /// Where the entry starts.
        offset: usize,
    },
    /// Nesting deeper than [`MAX_DEPTH`].
    #[error("the value at byte {offset} is nested deeper than {MAX_DEPTH} levels")]
    TooDeep {
        /// Where the first value too deep starts.
        offset: usize,
    },
}

impl DecodeError {
    /// The offset of the byte that can't be canonical.
    #[must_use]
    pub fn offset(&self) -> usize {
        match *self {
            Self::Version { .. } => 0,
            Self::Truncated { offset }
            | Self::Trailing { offset }
            | Self::Tag { offset, .. }
            | Self::Integer { offset }
            | Self::NotFinite { offset }
            | Self::NotAChar { offset }
            | Self::NotUtf8 { offset }
            | Self::Unsorted { offset }
            | Self::TooDeep { offset } => offset,
        }
    }
}

/// Reads what [`encode`](super::encode()) wrote.
///
/// Accepts exactly the canonical encodings, so that `encode(&decode(bytes)?)? == bytes`, and the
/// tree has the digest of the value that was encoded.
///
/// # Errors
///
/// [`DecodeError`] says what can't be canonical, and at which byte.
///
/// # Examples
///
/// ```
/// use selvedge_event::{Digest, digest};
///
/// let order = ("tea", 3);
/// let bytes = digest::encode(&order)?;
/// let tree = digest::decode(&bytes)?;
/// assert_eq!(Digest::of(&tree)?, Digest::of(&order)?);
/// assert_eq!(digest::decode(&bytes[..5]), Err(digest::DecodeError::Truncated { offset: 5 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decode(bytes: &[u8]) -> Result<Canonical, DecodeError> {
    let mut reader = Reader { bytes, offset: 0, depth: 0 };
    let version = reader.byte()?;
    if version != VERSION {
        return Err(DecodeError::Version { version });
    }
    reader.whole()
}

/// Reads an encoding without its version byte.
pub(super) fn decode_value(bytes: &[u8]) -> Result<Canonical, DecodeError> {
    Reader { bytes, offset: 0, depth: 0 }.whole()
}

#[derive(Debug)]
struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Reads a value and nothing after it.
    fn whole(mut self) -> Result<Canonical, DecodeError> {
        let value = self.value()?;
        match self.offset {
            offset if offset == self.bytes.len() => Ok(value),
            offset => Err(DecodeError::Trailing { offset }),
        }
    }

    fn value(&mut self) -> Result<Canonical, DecodeError> {
        let offset = self.offset;
        Ok(match self.byte()? {
            tag::UNIT => Canonical::Unit,
            tag::FALSE => Canonical::Bool(false),
            tag::TRUE => Canonical::Bool(true),
            tag::UNSIGNED => Canonical::Unsigned(self.integer()?),
            tag::NEGATIVE => Canonical::Signed(self.negative()?),
            tag::FLOAT => Canonical::Float(self.float()?),
            tag::CHAR => Canonical::Char(self.char()?),
            tag::STR => Canonical::Str(self.text()?),
            tag::BYTES => Canonical::Bytes(self.block()?.to_vec()),
            tag::NONE => Canonical::None,
            tag::SOME => Canonical::Some(Box::new(self.nested(Self::value)?)),
            tag::SEQ => Canonical::Seq(self.nested(Self::items)?),
            tag::SET => Canonical::Set(
                self.nested(|reader| reader.sorted(Self::value, |_| Ok(())))?
                    .into_iter()
                    .map(|(element, ())| element)
                    .collect(),
            ),
            tag::MAP => {
                Canonical::Map(self.nested(|reader| reader.sorted(Self::value, Self::value))?)
            }
            tag @ tag::UNIT_STRUCT..=tag::STRUCT_VARIANT => {
                Canonical::Named(Box::new(self.named(tag)?))
            }
            tag => return Err(DecodeError::Tag { tag, offset }),
        })
    }

    fn named(&mut self, tag: u8) -> Result<Named, DecodeError> {
        let name = self.expect_text()?;
        let variant = if tag >= tag::UNIT_VARIANT { Some(self.expect_text()?) } else { None };
        let body = match tag {
            tag::UNIT_STRUCT | tag::UNIT_VARIANT => Body::Unit,
            tag::NEWTYPE_STRUCT | tag::NEWTYPE_VARIANT => Body::Newtype(self.nested(Self::value)?),
            tag::TUPLE_STRUCT | tag::TUPLE_VARIANT => {
                self.expect(tag::SEQ)?;
                Body::Tuple(self.nested(Self::items)?)
            }
            _ => {
                self.expect(tag::MAP)?;
                let read = |reader: &mut Self| reader.sorted(Self::expect_text, Self::value);
                Body::Fields(self.nested(read)?)
            }
        };
        Ok(Named { name, variant, body })
    }

    /// Reads something one level down.
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        if self.depth == MAX_DEPTH {
            return Err(DecodeError::TooDeep { offset: self.offset });
        }
        self.depth += 1;
        let read = read(self)?;
        self.depth -= 1;
        Ok(read)
    }

    /// Reads items up to the end of their list.
    fn items(&mut self) -> Result<Vec<Canonical>, DecodeError> {
        let mut items = Vec::new();
        while !self.at_end()? {
            items.push(self.value()?);
        }
        Ok(items)
    }

    /// Reads entries up to the end of their list, each key's sub-digest above the last one's.
    fn sorted<K, V>(
        &mut self,
        key: impl Fn(&mut Self) -> Result<K, DecodeError>,
        value: impl Fn(&mut Self) -> Result<V, DecodeError>,
    ) -> Result<Vec<(K, V)>, DecodeError> {
        let mut entries = Vec::new();
        let mut last = None;
        while !self.at_end()? {
            let offset = self.offset;
            let key = key(self)?;
            let key_digest = KeyDigest::of(&self.bytes[offset..self.offset]);
            if last.is_some_and(|last| last >= key_digest) {
                return Err(DecodeError::Unsorted { offset });
            }
            last = Some(key_digest);
            entries.push((key, value(self)?));
        }
        Ok(entries)
    }

    /// Passes over the end of a list, if that is what comes.
    fn at_end(&mut self) -> Result<bool, DecodeError> {
        match self.bytes.get(self.offset) {
            Some(&tag::END) => {
                self.offset += 1;
                Ok(true)
            }
            Some(_) => Ok(false),
            None => Err(DecodeError::Truncated { offset: self.offset }),
        }
    }

    fn expect(&mut self, expected: u8) -> Result<(), DecodeError> {
        let offset = self.offset;
        match self.byte()? {
            tag if tag == expected => Ok(()),
            tag => Err(DecodeError::Tag { tag, offset }),
        }
    }

    fn expect_text(&mut self) -> Result<String, DecodeError> {
        self.expect(tag::STR)?;
        self.text()
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.offset..];
        let taken =
            rest.get(..length).ok_or(DecodeError::Truncated { offset: self.bytes.len() })?;
        self.offset += length;
        Ok(taken)
    }

    /// Reads a length and so many bytes.
    fn block(&mut self) -> Result<&'a [u8], DecodeError> {
        // A length beyond `usize` is beyond the input too.
        let length = usize::try_from(self.integer()?).unwrap_or(usize::MAX);
        self.take(length)
    }

    fn text(&mut self) -> Result<String, DecodeError> {
        let bytes = self.block()?;
        let start = self.offset - bytes.len();
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(DecodeError::NotUtf8 { offset: start + error.valid_up_to() }),
        }
    }

    /// Reads an unsigned LEB128 integer in its shortest form.
    fn integer(&mut self) -> Result<u128, DecodeError> {
        let offset = self.offset;
        let mut number = 0u128;
        for shift in (0..u128::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            let shifted = bits << shift;
            if shifted >> shift != bits {
                return Err(DecodeError::Integer { offset });
            }
            number |= shifted;
            if byte & 0x80 == 0 {
                // A last group of zeros adds nothing: the form without it is the shortest.
                let shortest = byte != 0 || shift == 0;
                return if shortest { Ok(number) } else { Err(DecodeError::Integer { offset }) };
            }
        }
        Err(DecodeError::Integer { offset })
    }

    fn negative(&mut self) -> Result<i128, DecodeError> {
        let offset = self.offset;
        match i128::try_from(self.integer()?) {
            Ok(number) => Ok(!number),
            Err(_) => Err(DecodeError::Integer { offset }),
        }
    }

    fn float(&mut self) -> Result<f64, DecodeError> {
        let offset = self.offset;
        let bits = self.take(8)?.try_into().expect("eight bytes were taken");
        let number = f64::from_bits(u64::from_be_bytes(bits));
        if number.is_finite() { Ok(number) } else { Err(DecodeError::NotFinite { offset }) }
    }

    fn char(&mut self) -> Result<char, DecodeError> {
        let offset = self.offset;
        let number = self.integer()?;
        let char = u32::try_from(number).ok().and_then(char::from_u32);
        char.ok_or(DecodeError::NotAChar { offset })
    }
}
