//! Content digests: what names a value, whoever computed it, wherever and in whatever field order.
//!
//! Owns the [`Digest`] type and the entry points; the format lives in `digest/`, one file per
//! concern, and its normative description in `docs/digest.md`. Refuses to look at anything but
//! what serde reports, and refuses values without an identity (NaN, duplicate map keys).
//!
//! # What counts
//!
//! Two values have one digest exactly when serde reports the same data for both, except that:
//!
//! - integers count by value, whatever their width, and `f32` as the `f64` of equal value (so
//!   `0.1f32` and `0.1f64` differ, as their values do);
//! - tuples and arrays count as sequences: a length known to the type is forgiven as a width is;
//! - the order of map entries and of struct fields doesn't count, nor does that of the elements of
//!   a set marked with [`set`];
//! - the indices of enum variants don't count, their names do.
//!
//! `1`, `1.0`, `true`, `'1'` and `"1"` all differ; so do `None` and `()`, `Some(1)` and `1`, `0.0`
//! and `-0.0`, bytes (`serde_bytes`) and a sequence of `u8`, a struct and a map of equal entries.
//! Serde reports neither type paths nor generics: two structs of one name and equal fields are one
//! value, and a struct with `#[serde(flatten)]` is a nameless map. Types with two forms count by
//! the one that JSON shows: [`Serializer::is_human_readable`] is true.
//!
//! [`Serializer::is_human_readable`]: serde::Serializer::is_human_readable

mod canonical;
mod compound;
mod decode;
mod error;
mod format;
mod serializer;
pub mod set;
mod walker;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use canonical::{Body, Canonical, Named, Plain};
pub use decode::{DecodeError, decode};
pub use error::{DigestError, DigestProblem, ParseDigestError};
pub use format::{MAX_DEPTH, VERSION};

use walker::Walker;

/// What every written digest starts with.
const PREFIX: &str = "b3:";

/// The content digest of a value: BLAKE3-256 of its canonical encoding.
///
/// Equal on every machine, in every process and run. Written `b3:` and 64 lowercase hex digits,
/// by `Display`, `Debug` and serde alike; ordered by its bytes.
///
/// # Examples
///
/// ```
/// use selvedge_event::Digest;
///
/// #[derive(serde::Serialize)]
/// struct Order {
///     id: u32,
///     price: f64,
/// }
///
/// let digest = Digest::of(&Order { id: 7, price: 9.5 })?;
/// assert_eq!(
///     digest.to_string(),
///     "b3:e97daf554d20b4932e786e365aea5aaf6ad9b487287114b91e3181eea19e4524",
/// );
/// assert_eq!(digest.to_string().parse(), Ok(digest));
/// # Ok::<(), selvedge_event::DigestError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; Digest::LEN]);

impl Digest {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Digests a value, streaming it from serde into the hasher.
    ///
    /// Memory beyond the value's own: up to 16 KiB for each map or struct the walk is inside of,
    /// and some 400 bytes at most for each entry there, whose place is known once all keys are.
    /// A map key or set element that itself holds maps or structs is written out whole on the way.
    /// Each thread keeps 72 KiB at most of that for the next walk.
    ///
    /// # Errors
    ///
    /// [`DigestError`] names the place in the value and the [`DigestProblem`] there: a number that
    /// isn't finite, a key that occurs twice, nesting deeper than [`MAX_DEPTH`], a `Serialize`
    /// implementation that failed or broke its announcements.
    ///
    /// # Examples
    ///
    /// ```
    /// use selvedge_event::Digest;
    ///
    /// assert_eq!(Digest::of(&5u8)?, Digest::of(&5i64)?);
    /// assert_ne!(Digest::of(&5)?, Digest::of(&5.0)?);
    ///
    /// let prices = [("tea", 4.5), ("jam", f64::NAN)];
    /// let error = Digest::of(&prices).unwrap_err();
    /// assert!(error.to_string().starts_with("[1][1]: NaN has no digest"));
    /// # Ok::<(), selvedge_event::DigestError>(())
    /// ```
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, DigestError> {
        let mut walker = Walker::hashing();
        walker.walk(value)?;
        Ok(Self(walker.into_root_hash()))
    }

    /// Takes the bytes of a digest computed elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes, in the order they are written.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// Writes a value in the canonical byte form, which [`decode`] reads back.
///
/// Equal values have equal bytes, distinct values distinct ones. The digest is computed from the
/// same walk but isn't the hash of these bytes wherever a map or struct occurs: `docs/digest.md`
/// says how one follows from the other.
///
/// # Errors
///
/// As [`Digest::of`]: a value has both forms or neither.
///
/// # Examples
///
/// ```
/// use selvedge_event::digest;
///
/// assert_eq!(digest::encode(&(1u64, "a"))?, b"\x01\x0c\x04\x01\x08\x01a\x00");
/// # Ok::<(), selvedge_event::DigestError>(())
/// ```
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, DigestError> {
    let mut walker = Walker::writing();
    walker.walk(value)?;
    Ok(walker.into_bytes())
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 2 * Self::LEN];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0xf)];
        }
        f.write_str(PREFIX)?;
        f.write_str(std::str::from_utf8(&hex).expect("hex digits are ASCII"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    /// Reads what `Display` writes, and nothing else: a digest has one spelling.
    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let hex = text.strip_prefix(PREFIX).ok_or(ParseDigestError::Prefix)?;
        if let Some((at, found)) =
            hex.char_indices().find(|(_, c)| !matches!(c, '0'..='9' | 'a'..='f'))
        {
            return Err(ParseDigestError::Digit { found, at: PREFIX.len() + at });
        }
        if hex.len() != 2 * Self::LEN {
            return Err(ParseDigestError::Length { found: hex.len() });
        }
        let nibble = |digit: u8| if digit < b'a' { digit - b'0' } else { digit - b'a' + 10 };
        let mut bytes = [0; Self::LEN];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = nibble(pair[0]) << 4 | nibble(pair[1]);
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl de::Visitor<'_> for TextVisitor {
            type Value = Digest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a digest: b3: and 64 lowercase hex digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Digest, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}
