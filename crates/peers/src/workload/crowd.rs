//! W5, crowd: 100,000 actors, to each of which the messages `0..10` are sent, round by round over
//! all actors.
//!
//! Unit: one message. The time to create the actors counts, and is told apart as `spawn_secs`; what
//! creation adds to resident memory, before any message, is `idle_bytes_per_actor`.

use super::sum_below;
use crate::sample::{Extra, Sample};
use crate::scale::Scale;

const N_ACTORS: u64 = 100_000;

/// Messages per actor.
pub(crate) const N_MESSAGES_EACH: u64 = 10;

/// Actors to create.
pub(crate) fn n_actors(scale: Scale) -> u64 {
    scale.count(N_ACTORS)
}

/// What the actors' sums must add up to.
pub(crate) fn expected_sum(n_actors: u64) -> u64 {
    n_actors * sum_below(N_MESSAGES_EACH)
}

/// The sample of a run whose actors took `spawn` to create and `grown_kb` of memory to hold.
pub(crate) fn with_creation(run: Sample, spawn: &Sample, grown_kb: u64, n_actors: u64) -> Sample {
    Sample { secs: run.secs + spawn.secs, ..run }
        .with(Extra::SpawnSecs(spawn.secs))
        .with(Extra::IdleBytesPerActor(grown_kb * 1024 / n_actors))
}
