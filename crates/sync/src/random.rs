//! Owns `Rng`: the one door to randomness. Always seeded, so that a run can be had again; refuses
//! to draw from the machine.

use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};

/// A generator whose draws follow from its seed, on every machine.
///
/// It is xoshiro256++ (D. Blackman and S. Vigna, "Scrambled linear pseudorandom number
/// generators", 2021), seeded by `SplitMix64` as its authors advise. Not for secrets.
///
/// ```
/// use selvedge_sync::random::Rng;
/// let (mut first, mut second) = (Rng::seeded(7), Rng::seeded(7));
/// assert_eq!(first.next_u64(), second.next_u64());
/// let (mut tea, mut coffee) = (Rng::seeded(7).split("tea"), Rng::seeded(7).split("coffee"));
/// assert_ne!(tea.next_u64(), coffee.next_u64());
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    seed: u64,
    generator: Xoshiro256PlusPlus,
}

impl Rng {
    /// The generator for this seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Rng {
        Rng { seed, generator: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// A stream of its own for `label`: it follows from the seed and the label, whatever was drawn
    /// before, so that what one part of a program draws doesn't change what another one sees.
    #[must_use]
    pub fn split(&self, label: &str) -> Rng {
        Rng::seeded(mixed(self.seed ^ fnv1a(label.as_bytes())))
    }

    /// Draws the seed of a further generator, which is independent of this one from then on.
    #[must_use]
    pub fn fork(&mut self) -> Rng {
        Rng::seeded(self.next_u64())
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// A number from zero to one less than `n`; zero if `n` is zero.
    ///
    /// By the upper half of a product: each number is as likely as any other to within `n` in 2^64.
    /// (D. Lemire, "Fast random integer generation in an interval", 2019.)
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// A duration from zero to `max`, both included, to the nanosecond; of a `max` above 584 years
    /// it draws from those.
    pub fn up_to(&mut self, max: Duration) -> Duration {
        let nanos = u64::try_from(max.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(match nanos.checked_add(1) {
            Some(n) => self.below(n),
            None => self.next_u64(),
        })
    }
}

/// 64 bits of a label (G. Fowler, L. C. Noll and K.-P. Vo): short, and the same everywhere.
fn fnv1a(label: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    label.iter().fold(OFFSET, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

/// Spreads every bit over all of them: the last step of `SplitMix64`. Seeds that differ in one bit
/// would otherwise give labels that meet.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn drawn(mut rng: Rng) -> String {
        (0..6).map(|_| rng.below(1_000).to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn draws_follow_from_the_seed_and_the_label_for_ever() {
        assert_snapshot!(drawn(Rng::seeded(0)), @"324 382 359 11 495 20");
        assert_snapshot!(drawn(Rng::seeded(1)), @"811 747 100 746 184 590");
        assert_snapshot!(drawn(Rng::seeded(0).split("tea")), @"928 452 373 887 177 399");
        assert_snapshot!(drawn(Rng::seeded(0).split("tea!")), @"776 289 902 818 588 279");
        assert_snapshot!(drawn(Rng::seeded(1).split("tea")), @"450 764 910 968 34 626");
        assert_snapshot!(drawn(Rng::seeded(0).fork()), @"895 809 397 849 148 677");
    }

    #[test]
    fn a_split_does_not_depend_on_what_was_drawn() {
        let mut used = Rng::seeded(3);
        let fresh = drawn(used.split("a"));
        used.next_u64();
        assert_eq!(drawn(used.split("a")), fresh);
        assert_ne!(drawn(used.fork()), drawn(used.fork()));
    }

    #[test]
    fn every_number_is_drawn_about_as_often() {
        let mut rng = Rng::seeded(11);
        let mut counts = [0_u32; 10];
        (0..10_000).for_each(|_| counts[rng.below(10) as usize] += 1);
        assert_snapshot!(format!("{counts:?}"), @"[1026, 957, 1052, 958, 992, 983, 1020, 999, 1012, 1001]");
    }

    proptest! {
        #[test]
        fn draws_keep_within_their_bounds(seed: u64, n in 1_u64.., max: Duration) {
            let mut rng = Rng::seeded(seed);
            prop_assert!(rng.below(n) < n);
            prop_assert_eq!(rng.below(0), 0);
            prop_assert!(rng.up_to(max) <= max);
            prop_assert_eq!(rng.up_to(Duration::ZERO), Duration::ZERO);
        }
    }
}
