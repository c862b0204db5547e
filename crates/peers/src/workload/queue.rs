//! Q8 and Q100: events that one processor emits and another does not come round to, because it is
//! of a later band and waits for the first one's word.
//!
//! What resident memory grows by until the last event is queued is `bytes_per_event`. Unit of the
//! time: one event, queued and handled.

use super::sum_below;
use crate::sample::{Extra, Sample};
use crate::scale::Scale;

const N_EVENTS: u64 = 1_000_000;

/// Events emitted per turn.
pub(crate) const SLICE: u64 = 1_000;

/// Events to queue.
pub(crate) fn n_events(scale: Scale) -> u64 {
    scale.count(N_EVENTS)
}

/// What the numbers of the events must add up to.
pub(crate) fn expected_sum(n_events: u64) -> u64 {
    sum_below(n_events)
}

/// The sample of a run whose queue took `grown_kb` of memory.
pub(crate) fn with_growth(run: Sample, grown_kb: u64) -> Sample {
    let n_events = run.n;
    run.with(Extra::BytesPerEvent(grown_kb * 1024 / n_events))
}
