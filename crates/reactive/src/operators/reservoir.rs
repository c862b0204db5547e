//! Owns `ReservoirSampler`: a uniform sample of bounded size that no order of arrival changes.

use std::collections::BTreeMap;

use selvedge_event::Digest;
use serde::Serialize;

use super::{Machine, OperatorError, Outlet, at_least_one};

/// Keeps `size` of the distinct items of a phase, each set of that size as likely as any other, and
/// emits them when the phase ends; then it forgets them.
///
/// Which ones is a matter of content alone: those with the smallest digests are kept (a *bottom-k
/// sketch*: E. Cohen and H. Kaplan, "Summarizing data using bottom-k sketches", PODC 2007). So
/// neither the order of arrival nor the timing of threads changes the sample, nor the order in
/// which it is emitted, and the samples of parts can be merged into that of the whole. Equal items
/// count once.
#[derive(Debug)]
pub struct ReservoirSampler<T> {
    size: usize,
    seed: u64,
    kept: BTreeMap<Digest, T>,
}

impl<T> ReservoirSampler<T> {
    /// A sample of at most `size` items.
    ///
    /// # Errors
    ///
    /// `size` is zero.
    pub fn new(size: usize) -> Result<ReservoirSampler<T>, OperatorError> {
        let size = at_least_one("ReservoirSampler", "size", size)?;
        Ok(ReservoirSampler { size, seed: 0, kept: BTreeMap::new() })
    }

    /// Another sample: digests are of the seed and the item. The default is zero.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> ReservoirSampler<T> {
        self.seed = seed;
        self
    }
}

impl<T: Serialize + Send + 'static> Machine for ReservoirSampler<T> {
    type In = T;
    type Out = T;
    const NAME: &'static str = "ReservoirSampler";
    const HEARS_PHASES: bool = true;

    fn item(&mut self, item: T, _: &mut impl Outlet<T>) -> Result<(), OperatorError> {
        let digest = Digest::of(&(self.seed, &item))
            .map_err(|source| OperatorError::NoDigest { operator: Self::NAME, source })?;
        let full = self.kept.len() >= self.size;
        if full && self.kept.last_key_value().is_some_and(|(largest, _)| digest > *largest) {
            return Ok(());
        }
        self.kept.insert(digest, item);
        if self.kept.len() > self.size {
            self.kept.pop_last();
        }
        Ok(())
    }

    fn phase(&mut self, out: &mut impl Outlet<T>) -> Result<(), OperatorError> {
        std::mem::take(&mut self.kept).into_values().for_each(|item| out.emit(item));
        Ok(())
    }

    fn finish(&mut self, out: &mut impl Outlet<T>) -> Result<(), OperatorError> {
        self.phase(out)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::super::harness::{Kept, fed, told};
    use super::*;

    fn sampled(size: usize, seed: u64, items: Vec<u32>) -> Vec<u32> {
        fed(&mut ReservoirSampler::new(size).unwrap().seed(seed), [items])
    }

    #[test]
    fn ten_of_a_thousand_for_ever() {
        let sample = sampled(10, 0, (0..1_000).collect());
        assert_snapshot!(format!("{sample:?}"), @"[691, 206, 488, 943, 49, 103, 827, 385, 643, 324]");
    }

    #[test]
    fn an_empty_sample_and_an_item_without_digest_are_refused() {
        let error = ReservoirSampler::<u8>::new(0).unwrap_err();
        assert_snapshot!(told(&error), @"ReservoirSampler: size is zero, use at least one");
        let mut sampler = ReservoirSampler::new(1).unwrap();
        let error = sampler.item(f64::NAN, &mut Kept::default()).unwrap_err();
        assert!(matches!(error, OperatorError::NoDigest { .. }));
        assert_snapshot!(told(&error), @"ReservoirSampler: an item has no digest: [1]: NaN has no digest, give a missing number as an Option");
    }

    #[test]
    fn every_item_is_kept_about_as_often() {
        let mut counts = [0_u32; 20];
        for seed in 0..2_000 {
            for n in sampled(5, seed, (0..20).collect()) {
                counts[n as usize] += 1;
            }
        }
        // 500 each; six standard deviations are 117.
        assert!(counts.iter().all(|count| (383..=617).contains(count)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn a_sample_is_the_bottom_of_the_whole_in_any_order(
            (items, shuffled) in prop::collection::vec(0_u32..60, 0..80)
                .prop_flat_map(|items| (Just(items.clone()), Just(items).prop_shuffle())),
            size in 1_usize..20, seed: u64,
        ) {
            let sample = sampled(size, seed, items.clone());
            prop_assert_eq!(&sample, &sampled(size, seed, shuffled));
            let distinct: BTreeSet<u32> = items.into_iter().collect();
            let mut all: Vec<u32> = distinct.into_iter().collect();
            all.sort_by_key(|item| Digest::of(&(seed, item)).unwrap());
            all.truncate(size);
            prop_assert_eq!(sample, all);
        }
    }
}
