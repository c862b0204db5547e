//! W4, chain: `0..n` enters a chain of 8 stages, each adds one, the last sums and counts.
//!
//! Unit: one event through all 8 stages; divide by 8 for a hop.

use super::sum_below;
use crate::scale::Scale;

const N_EVENTS: u64 = 1_000_000;

/// Stages, the summing one included.
pub(crate) const N_STAGES: u64 = 8;

/// Events that enter the chain.
pub(crate) fn n_events(scale: Scale) -> u64 {
    scale.count(N_EVENTS)
}

/// Events that enter it where results are kept on the disk.
#[cfg(feature = "graphs")]
pub(crate) fn n_kept(scale: Scale) -> u64 {
    scale.count(N_EVENTS / 100)
}

/// The sum and the count that the last stage must end with.
pub(crate) fn expected(n_events: u64) -> Tally {
    Tally { sum: sum_below(n_events) + N_STAGES * n_events, count: n_events }
}

/// What the last stage keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Sum of what left the chain.
    pub(crate) sum: u64,
    /// How many left it.
    pub(crate) count: u64,
}

impl Tally {
    /// Takes in one value that left the chain.
    #[inline]
    pub(crate) fn add(&mut self, value: u64) {
        self.sum += value;
        self.count += 1;
    }

    /// The two halves of a run that two threads tallied.
    #[must_use]
    #[cfg(feature = "libraries")]
    pub(crate) fn plus(self, other: Tally) -> Tally {
        Tally { sum: self.sum + other.sum, count: self.count + other.count }
    }
}
