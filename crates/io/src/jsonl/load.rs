//! Owns the events that a source hears and says about itself, and the sampling of lines.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use selvedge_event::{Event, Name};
use serde::{Deserialize, Serialize};

use crate::jsonl::error::ReadError;

/// Asks the source of this name to read its file from the beginning.
///
/// The event is addressed: its key is the source's name, and only that source hears it.
///
/// ```
/// use selvedge_io::jsonl::Load;
/// let first_ten = Load { limit: Some(10), ..Load::all("orders") };
/// assert_eq!(first_ten.sample, 1.0);
/// ```
#[derive(Clone, Debug, PartialEq, Event, Serialize, Deserialize)]
#[event(name = "selvedge::jsonl::Load")]
pub struct Load {
    /// The source.
    #[key]
    pub name: Name,
    /// How many events to bring in at most; lines that are not sampled or rejected don't count.
    #[serde(default)]
    pub limit: Option<u64>,
    /// The share of lines to take, from 0 to 1, drawn for each line that is not blank. A line that
    /// is left out is not looked at, so that it can't be rejected either.
    #[serde(default = "all")]
    pub sample: f64,
    /// What the draws follow from: the same seed takes the same lines of the same file, on every
    /// machine and in every version.
    #[serde(default)]
    pub seed: u64,
}

fn all() -> f64 {
    1.0
}

impl Load {
    /// Every line.
    pub fn all(name: impl Into<Name>) -> Load {
        Load { name: name.into(), limit: None, sample: all(), seed: 0 }
    }
}

/// The sentinel: a load has come to its end. Sent under the name `<source>$`, after all the load's
/// events.
#[derive(Clone, Debug, PartialEq, Eq, Event, Serialize, Deserialize)]
#[event(name = "selvedge::jsonl::Exhausted")]
pub struct Exhausted {
    /// The source.
    pub source: Name,
    /// Lines read, blank ones included.
    pub lines: u64,
    /// Events brought in.
    pub emitted: u64,
    /// Lines rejected.
    pub rejected: u64,
}

/// What became of the lines of one load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines read, blank ones included.
    pub lines: u64,
    /// Events brought in.
    pub emitted: u64,
    /// Lines rejected.
    pub rejected: u64,
}

/// Draws lines, each with the same probability (Bernoulli).
///
/// The generator is xoshiro256++ (D. Blackman and S. Vigna, 2019), seeded by `SplitMix64` as its
/// authors advise; both sequences are part of this crate's interface.
#[derive(Clone, Debug)]
pub(crate) struct Sampler {
    share: f64,
    generator: Xoshiro256PlusPlus,
}

impl Sampler {
    pub(crate) fn new(load: &Load) -> Result<Sampler, ReadError> {
        // Written so that NaN is refused, too.
        if !(0.0..=1.0).contains(&load.sample) {
            return Err(ReadError::Sample { name: load.name.clone(), sample: load.sample });
        }
        let generator = Xoshiro256PlusPlus::seed_from_u64(load.seed);
        Ok(Sampler { share: load.sample, generator })
    }

    /// Whether the next line is taken.
    pub(crate) fn takes_next(&mut self) -> bool {
        // The upper 53 bits make a multiple of 2^-53 in [0, 1), exactly.
        let draw = (self.generator.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        draw < self.share
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use selvedge_event::Event;

    use super::*;

    fn drawn(sample: f64, seed: u64) -> Result<Vec<usize>, ReadError> {
        let mut sampler = Sampler::new(&Load { sample, seed, ..Load::all("orders") })?;
        Ok((0..1000).filter(|_| sampler.takes_next()).collect())
    }

    fn check(sample: f64, seed: u64) -> String {
        match drawn(sample, seed) {
            Ok(drawn) => format!("{}: {:?}…", drawn.len(), &drawn[..drawn.len().min(8)]),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn draws_follow_from_the_seed_for_ever() {
        assert_snapshot!(check(0.1, 0), @"100: [3, 5, 9, 11, 13, 14, 22, 29]…");
        assert_snapshot!(check(0.1, 1), @"101: [8, 12, 14, 48, 49, 59, 99, 108]…");
        assert_snapshot!(check(0.5, u64::MAX), @"532: [0, 3, 5, 7, 10, 13, 14, 15]…");
        assert_snapshot!(check(0.0, 0), @"0: []…");
        assert_snapshot!(check(1.0, 0), @"1000: [0, 1, 2, 3, 4, 5, 6, 7]…");
    }

    #[test]
    fn a_larger_share_takes_what_a_smaller_one_took() {
        let small = drawn(0.2, 7).expect("a share");
        let large = drawn(0.3, 7).expect("a share");
        assert!(small.iter().all(|line| large.contains(line)));
    }

    #[test]
    fn a_share_is_from_0_to_1() {
        assert_snapshot!(check(-0.1, 0), @"can't load `orders` with sample -0.1: give a number from 0 to 1");
        assert_snapshot!(check(1.5, 0), @"can't load `orders` with sample 1.5: give a number from 0 to 1");
        assert_snapshot!(check(f64::NAN, 0), @"can't load `orders` with sample NaN: give a number from 0 to 1");
        assert_snapshot!(check(f64::INFINITY, 0), @"can't load `orders` with sample inf: give a number from 0 to 1");
    }

    #[test]
    fn a_load_is_addressed_to_its_source() {
        assert_snapshot!(Event::new(Load::all("orders")), @"selvedge::jsonl::Load [orders]");
    }
}
