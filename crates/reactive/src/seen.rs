//! Owns what a builder remembers of the inputs that it has built from: so many at most. Pure.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use selvedge_event::Digest;

/// What an input is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputKey {
    /// By its value: a number, of a builder that has no other inputs.
    Word(u64),
    /// By its content.
    Digest(Digest),
}

/// The inputs that were built from.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    words: HashSet<u64, BuildHasherDefault<Spread>>,
    digests: HashSet<Digest, BuildHasherDefault<Spread>>,
}

impl Seen {
    pub(crate) fn has(&self, key: &InputKey) -> bool {
        match key {
            InputKey::Word(word) => self.words.contains(word),
            InputKey::Digest(digest) => self.digests.contains(digest),
        }
    }

    pub(crate) fn add(&mut self, key: InputKey) {
        match key {
            InputKey::Word(word) => self.words.insert(word),
            InputKey::Digest(digest) => self.digests.insert(digest),
        };
    }

    pub(crate) fn len(&self) -> usize {
        self.words.len() + self.digests.len()
    }
}

/// Mixes a word once; of a digest, whose bytes are a hash already, the first eight do.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_ne_bytes(*first);
        }
    }

    fn write_u64(&mut self, word: u64) {
        // Fibonacci hashing (D. Knuth, "The Art of Computer Programming", 6.4), with the high bits
        // folded down: tables look at the low and at the highest.
        let mixed = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= mixed ^ (mixed >> 32);
    }

    fn write_usize(&mut self, _length: usize) {
        // That of a digest: always the same.
    }
}
