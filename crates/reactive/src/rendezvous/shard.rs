//! Owns `shard_of`: which of n processors a key belongs to.

use std::hash::{BuildHasher, Hash};

use rustc_hash::FxBuildHasher;

/// Which of `n` shards joins this key, the same for equal keys throughout a program. Zero if there
/// are none.
#[must_use]
pub fn shard_of<K: Hash + ?Sized>(key: &K, n: usize) -> usize {
    // The hash's low bits are poor, so its product is folded before the upper half is taken.
    let hash = FxBuildHasher.hash_one(key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((u128::from(hash) * n as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spread() {
        let mut counts = [0; 7];
        (0..7_000_u64).for_each(|key| counts[shard_of(&key, 7)] += 1);
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
        assert_eq!(shard_of(&("tea", None::<u8>), 1), 0);
        assert_eq!(shard_of("tea", 0), 0);
    }
}
