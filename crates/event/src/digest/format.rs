//! The bytes of format version 1: tags, variable-length integers, sub-digests and hash contexts.
//!
//! `docs/digest.md` is the normative text. Nothing here may change without a new [`VERSION`]; the
//! golden vectors under `tests/digest/` hold it in place. Knows neither serde nor trees.

use blake3::Hasher;
use blake3::hazmat::{ContextKey, HasherExt};

/// The format's version: the first byte of every encoding and of every hashed root.
pub const VERSION: u8 = 1;

/// The deepest nesting that has a digest: a scalar may stand inside this many sequences, sets,
/// maps, structs, variants with data, newtypes and `Some`s.
///
/// A bound, because values come from outside and each level costs stack.
pub const MAX_DEPTH: usize = 128;

/// The longest encoding, in bytes, that stands for itself instead of being hashed.
///
/// Hashing short keys and values would cost more than everything else. 96 bytes hold a digest
/// written as text, and so every shorter identifier.
pub(super) const INLINE_MAX: usize = 96;

/// Stands before a sub-digest where the length of an inline encoding would be.
pub(super) const HASHED: u8 = 0xff;

/// The first byte of every encoded value. No tag is zero, so that `END` can close a list.
pub(super) mod tag {
    pub(in crate::digest) const END: u8 = 0x00;
    pub(in crate::digest) const UNIT: u8 = 0x01;
    pub(in crate::digest) const FALSE: u8 = 0x02;
    pub(in crate::digest) const TRUE: u8 = 0x03;
    pub(in crate::digest) const UNSIGNED: u8 = 0x04;
    pub(in crate::digest) const NEGATIVE: u8 = 0x05;
    pub(in crate::digest) const FLOAT: u8 = 0x06;
    pub(in crate::digest) const CHAR: u8 = 0x07;
    pub(in crate::digest) const STR: u8 = 0x08;
    pub(in crate::digest) const BYTES: u8 = 0x09;
    pub(in crate::digest) const NONE: u8 = 0x0a;
    pub(in crate::digest) const SOME: u8 = 0x0b;
    pub(in crate::digest) const SEQ: u8 = 0x0c;
    pub(in crate::digest) const SET: u8 = 0x0d;
    pub(in crate::digest) const MAP: u8 = 0x0e;
    pub(in crate::digest) const UNIT_STRUCT: u8 = 0x10;
    pub(in crate::digest) const NEWTYPE_STRUCT: u8 = 0x11;
    pub(in crate::digest) const TUPLE_STRUCT: u8 = 0x12;
    pub(in crate::digest) const STRUCT: u8 = 0x13;
    pub(in crate::digest) const UNIT_VARIANT: u8 = 0x14;
    pub(in crate::digest) const NEWTYPE_VARIANT: u8 = 0x15;
    pub(in crate::digest) const TUPLE_VARIANT: u8 = 0x16;
    pub(in crate::digest) const STRUCT_VARIANT: u8 = 0x17;
}

/// What a hash is for. Each role has a key of its own, so that none can pass for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A whole value: the hash is its digest.
    Root,
    /// A map key or set element, in full.
    Key,
    /// A map or struct value.
    Value,
}

/// BLAKE3 context keys of the strings "selvedge digest v1 root", "… key" and "… value", kept as
/// constants because deriving one costs a hash; a test derives them again.
const CONTEXT_KEYS: [ContextKey; 3] = [
    [
        0x87, 0xa8, 0xc7, 0xb5, 0x58, 0xe8, 0x80, 0x02, 0xab, 0x1b, 0x2d, 0x36, 0xfe, 0x3a, 0xbb,
        0xae, 0x26, 0xd0, 0x23, 0x77, 0xaa, 0x73, 0x61, 0xb2, 0x16, 0x8e, 0xeb, 0x56, 0x51, 0xb6,
        0x58, 0xa6,
    ],
    [
        0xbb, 0x74, 0xc9, 0xcc, 0xe1, 0x04, 0xfd, 0x8a, 0xe3, 0x35, 0x96, 0x31, 0xdc, 0x77, 0x4e,
        0x20, 0x3c, 0x40, 0x96, 0x38, 0x57, 0x7d, 0x71, 0x40, 0x3d, 0xea, 0xb8, 0x76, 0xc3, 0xc4,
        0xe6, 0x93,
    ],
    [
        0x0a, 0x5f, 0xee, 0xbc, 0xdd, 0x31, 0x7e, 0xd6, 0xee, 0x27, 0xd7, 0xb4, 0x76, 0x80, 0x97,
        0x4c, 0x00, 0x5c, 0x92, 0xd3, 0x81, 0x5a, 0xf9, 0x09, 0x75, 0x94, 0x56, 0x19, 0x32, 0xff,
        0xcf, 0x46,
    ],
];

impl Role {
    /// A hasher in derive-key mode under the role's context.
    pub(super) fn hasher(self) -> Hasher {
        Hasher::new_from_context_key(&CONTEXT_KEYS[self as usize])
    }
}

/// Appends an unsigned LEB128 integer in its shortest form.
pub(super) fn put_leb128(buf: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        buf.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    buf.push(number as u8);
}

/// Where a key or element stands among its siblings: its sub-digest, for keys known in full.
///
/// Orders as the written form does: inline ones by length, then by content; hashed ones last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyDigest<'a> {
    /// A short encoding stands for itself.
    Inline(usize, &'a [u8]),
    /// The hash of a longer one.
    Hashed([u8; 32]),
}

impl<'a> KeyDigest<'a> {
    /// The sub-digest of a key's full encoding.
    pub(super) fn of(encoding: &'a [u8]) -> Self {
        if encoding.len() <= INLINE_MAX {
            Self::Inline(encoding.len(), encoding)
        } else {
            Self::Hashed(*Role::Key.hasher().update(encoding).finalize().as_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_keys_are_those_of_their_strings() {
        for (role, purpose) in [(Role::Root, "root"), (Role::Key, "key"), (Role::Value, "value")] {
            let context = format!("selvedge digest v1 {purpose}");
            let derived = blake3::derive_key(&context, b"abc");
            let ours = *role.hasher().update(b"abc").finalize().as_bytes();
            let key = blake3::hazmat::hash_derive_key_context(&context);
            assert_eq!(ours, derived, "{context}: {key:#04x?}");
        }
    }

    #[test]
    fn leb128_is_little_endian_and_shortest() {
        let trace = |number| {
            let mut buf = Vec::new();
            put_leb128(&mut buf, number);
            buf
        };
        assert_eq!(trace(0), [0]);
        assert_eq!(trace(127), [0x7f]);
        assert_eq!(trace(128), [0x80, 0x01]);
        assert_eq!(trace(300), [0xac, 0x02]);
        assert_eq!(trace(u128::MAX).len(), 19);
    }
}
