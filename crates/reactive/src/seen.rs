//! Owns what a builder remembers of the inputs that it has built from: so many at most. Pure.

use std::collections::{HashMap, HashSet};
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
///
/// Numbers come close together more often than not: ids, counters, indices. So they are kept in
/// blocks, a bit each, found by what their numbers have in common: a million in a row take some
/// hundred KiB, which stay in the processor's caches, and scattered ones twice of what they would
/// take one by one.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The block of the last number, and its bits, which are newer than those among the others.
    recent: (u64, u64),
    blocks: HashMap<u64, u64, BuildHasherDefault<Spread>>,
    n_words: usize,
    digests: HashSet<Digest, BuildHasherDefault<Spread>>,
}

/// The block that a number is in, and its bit there.
#[inline]
fn place(word: u64) -> (u64, u64) {
    (word >> 6, 1 << (word & 63))
}

impl Seen {
    #[inline]
    pub(crate) fn has(&self, key: &InputKey) -> bool {
        match key {
            InputKey::Word(word) => {
                let (block, bit) = place(*word);
                self.bits(block) & bit != 0
            }
            InputKey::Digest(digest) => self.digests.contains(digest),
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, key: InputKey) {
        match key {
            InputKey::Word(word) => {
                let (block, bit) = place(word);
                if block != self.recent.0 {
                    let bits = self.bits(block);
                    let (before, bits_before) = std::mem::replace(&mut self.recent, (block, bits));
                    if bits_before != 0 {
                        self.blocks.insert(before, bits_before);
                    }
                }
                self.n_words += usize::from(self.recent.1 & bit == 0);
                self.recent.1 |= bit;
            }
            InputKey::Digest(digest) => drop(self.digests.insert(digest)),
        }
    }

    #[inline]
    fn bits(&self, block: u64) -> u64 {
        if block == self.recent.0 {
            self.recent.1
        } else {
            self.blocks.get(&block).copied().unwrap_or_default()
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.n_words + self.digests.len()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Near numbers, far ones and digests, each known from when it was added.
        #[test]
        fn what_was_added_is_known_and_nothing_else(
            words in prop::collection::vec(prop_oneof![0..200_u64, any::<u64>()], 0..200),
            others in prop::collection::vec(0..200_u64, 0..50),
        ) {
            let mut seen = Seen::default();
            let mut expected = std::collections::BTreeSet::new();
            for &word in &words {
                prop_assert_eq!(seen.has(&InputKey::Word(word)), !expected.insert(word));
                seen.add(InputKey::Word(word));
            }
            for &word in &others {
                prop_assert_eq!(seen.has(&InputKey::Word(word)), expected.contains(&word));
                let digest = Digest::of(&word).expect("a number has one");
                seen.add(InputKey::Digest(digest));
                seen.add(InputKey::Digest(digest));
                prop_assert!(seen.has(&InputKey::Digest(digest)));
            }
            let digests: std::collections::BTreeSet<_> = others.iter().collect();
            prop_assert_eq!(seen.len(), expected.len() + digests.len());
        }
    }
}
