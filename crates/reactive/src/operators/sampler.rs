//! Owns `StreamSampler`: each item goes on with one probability, by a seed.

use std::marker::PhantomData;

use selvedge_sync::random::Rng;

use super::{Machine, OperatorError, Outlet};

/// Lets each item through with probability `p`, whatever became of the others (Bernoulli sampling).
/// The same seed and the same items in the same order give the same sample.
#[derive(Debug)]
pub struct StreamSampler<T> {
    /// Out of 2⁶⁴; `None` is all.
    threshold: Option<u64>,
    draws: Rng,
    item: PhantomData<fn(T)>,
}

impl<T> StreamSampler<T> {
    /// Lets items through with probability `p`.
    ///
    /// # Errors
    ///
    /// `p` is not from 0 to 1.
    pub fn new(p: f64, seed: u64) -> Result<StreamSampler<T>, OperatorError> {
        if !(0.0..=1.0).contains(&p) {
            return Err(OperatorError::Probability { p });
        }
        // 2⁶⁴ is no u64, so certainty is a case of its own. The cast rounds down and saturates.
        let threshold = (p < 1.0).then_some((p * 2.0_f64.powi(64)) as u64);
        Ok(StreamSampler { threshold, draws: Rng::seeded(seed).split("sample"), item: PhantomData })
    }
}

impl<T: 'static> Machine for StreamSampler<T> {
    type In = T;
    type Out = T;
    const NAME: &'static str = "StreamSampler";

    fn item(&mut self, item: T, out: &mut impl Outlet<T>) -> Result<(), OperatorError> {
        let drawn = self.draws.next_u64();
        if self.threshold.is_none_or(|threshold| drawn < threshold) {
            out.emit(item);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::harness::{fed, told};
    use super::*;

    #[test]
    fn a_probability_is_from_zero_to_one() {
        for p in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let error = StreamSampler::<u8>::new(p, 1).unwrap_err();
            assert!(matches!(error, OperatorError::Probability { .. }));
            let expected = format!("StreamSampler: the probability is {p}, use one from 0 to 1");
            assert_eq!(told(&error), expected);
        }
    }

    fn sampled(p: f64, seed: u64, n: u32) -> Vec<u32> {
        fed(&mut StreamSampler::new(p, seed).unwrap(), [(0..n).collect()])
    }

    #[test]
    fn about_the_share_that_was_asked_for() {
        // Six standard deviations of a binomial with p = 0.3 and n = 10 000 are 275.
        let n = sampled(0.3, 5, 10_000).len();
        assert!((2_725..=3_275).contains(&n), "{n}");
    }

    proptest! {
        #[test]
        fn samples_follow_from_the_seed_and_nest(p in 0.0..=1.0, q in 0.0..=1.0, seed: u64) {
            let (p, q) = if p <= q { (p, q) } else { (q, p) };
            let (few, many) = (sampled(p, seed, 200), sampled(q, seed, 200));
            prop_assert_eq!(&few, &sampled(p, seed, 200));
            prop_assert!(few.iter().all(|n| many.contains(n)));
            prop_assert_eq!(sampled(0.0, seed, 200), Vec::<u32>::new());
            prop_assert_eq!(sampled(1.0, seed, 200).len(), 200);
        }
    }
}
