//! Scaling: 8 chains like W4's, each with a source of its own that brings in `0..n` as there is
//! room.
//!
//! Nothing is submitted from outside, so that the time is the run's alone. The chains have nothing
//! to do with each other: two workers could do them in half of one worker's time. Unit: one event
//! through all 8 stages of its chain.

use crate::scale::Scale;

const N_EVENTS_EACH: u64 = 250_000;

/// Chains.
pub(crate) const N_CHAINS: u64 = 8;

/// Events that enter each chain.
pub(crate) fn n_events_each(scale: Scale) -> u64 {
    scale.count(N_EVENTS_EACH)
}
