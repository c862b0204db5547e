//! Owns `Limits`: every queue and every loop has one, and this is the one table of them.

use std::time::Duration;

use crate::error::BuildError;

/// What a pipeline may hold and how long it may take at a time.
///
/// | limit | default | at the limit |
/// |---|---|---|
/// | `in_flight_max` | 8 192 | sources are not pulled and outside submissions wait in their lane |
/// | `in_flight_bytes_max` | 1 GiB | the same |
/// | `lane_max` | 4 096 | `Submitter::submit` waits, `try_submit` errs |
/// | `lane_bytes_max` | 64 MiB | the same |
/// | `backlog_max` | 1 048 576 | `Pipeline::submit` before the run errs |
/// | `pull_max` | 1 024 | a pull is told so; what it emits above counts all the same |
/// | `emissions_per_turn_max` | 1 048 576 | the turn fails |
/// | `pipeline_events_max` | 16 777 216 | the run fails, naming the fullest mailboxes |
/// | `pipeline_bytes_max` | 8 GiB | the run fails, naming the heaviest mailboxes |
/// | [`capacity`] of a mailbox | none | see [`Overflow`](crate::Overflow) |
/// | [`capacity_bytes`] of a mailbox | none | the same |
/// | [`concurrency`] of a key | none | a job waits for a permit, and keeps no worker |
/// | `batch_turns_max` | 128 | the worker looks up and publishes |
/// | `batch_time_max` | 1 ms | the same |
/// | `phase_max` | 1 000 | the run fails |
/// | `dead_letters_max` | 10 000 | further ones are counted, not kept |
/// | `dead_letters_bytes_max` | 256 MiB | the same |
/// | `collected_max` | 1 048 576 | the turn that would collect more fails |
/// | `collected_bytes_max` | 1 GiB | the same |
/// | `observer_facts_max` | 65 536 | the observer misses what comes, and is told how much |
/// | `recorder_facts_max` | 65 536 | nothing more comes in from outside until half is recorded |
/// | `observer_drain_max` | 5 s | a run that has ended waits no longer for its observers |
/// | `timers_max` | 1 048 576 | the turn that would set more fails |
/// | `scopes_max` | 1 048 576 | opening one more errs |
/// | `memo_max` | 65 536 | the oldest result is left to the store or, without one, forgotten |
/// | `memo_bytes_max` | 256 MiB | the same |
/// | `watchdog_interval` | 1 s | none: how often the watchdog looks |
/// | `leak_after` | 60 s | a turn that takes longer is not waited for: its worker is written off |
/// | `leaked_max` | 4 | one more worker to be written off, and the run fails |
///
/// A mailbox without a capacity of its own is bounded by `pipeline_events_max` and
/// `pipeline_bytes_max` alone, which count all mailboxes together. What a turn emits, and what
/// waits before the run, is bounded in number only.
///
/// [`capacity`]: crate::Registration::capacity
/// [`capacity_bytes`]: crate::Registration::capacity_bytes
/// [`concurrency`]: crate::PipelineBuilder::concurrency
///
/// Events are counted in deliveries: one event to three processors is three. Take the rest from the
/// default, limits will be added:
///
/// ```
/// use selvedge_runtime::{Limits, Pipeline};
/// let limits = Limits { phase_max: 10, ..Limits::default() };
/// let pipeline = Pipeline::builder().limits(limits).build()?;
/// # Ok::<(), selvedge_runtime::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Deliveries under way before the pipeline takes in more from outside. Kept to within a
    /// batch per worker and pull.
    pub in_flight_max: usize,
    /// What deliveries under way may weigh before the pipeline takes in more from outside, in
    /// bytes: see [`Event::bytes`](selvedge_event::Event::bytes). Kept to within a batch per worker
    /// and pull.
    pub in_flight_bytes_max: usize,
    /// Submitted events waiting, per lane; outside threads share a pipeline's 16 lanes.
    pub lane_max: usize,
    /// What the submitted events waiting in a lane may weigh, in bytes, to within an event.
    pub lane_bytes_max: usize,
    /// Events submitted before the run.
    pub backlog_max: usize,
    /// Events that one pull is asked to bring in at most.
    pub pull_max: usize,
    /// Events that one turn may emit.
    pub emissions_per_turn_max: usize,
    /// Deliveries that may wait in all mailboxes together.
    pub pipeline_events_max: usize,
    /// What the deliveries under way may weigh altogether, in bytes; kept to within a batch per
    /// worker, as `pipeline_events_max` is.
    pub pipeline_bytes_max: usize,
    /// Turns that a worker takes for one processor before it looks up.
    pub batch_turns_max: usize,
    /// Time that a worker spends on one processor before it looks up, overrun by a turn at most.
    pub batch_time_max: Duration,
    /// Phases before a run that never settles is an error.
    pub phase_max: u32,
    /// Dead letters kept for inspection.
    pub dead_letters_max: usize,
    /// What the dead letters kept may weigh with their errors, in bytes.
    pub dead_letters_bytes_max: usize,
    /// Events that one `collect` keeps.
    pub collected_max: usize,
    /// What those may weigh, in bytes.
    pub collected_bytes_max: usize,
    /// Facts that wait for one observer, overrun by a worker's batch at most.
    pub observer_facts_max: usize,
    /// Facts that wait for one recorder. Overrun by what the turns under way tell, and those on
    /// the events that they emit: a worker never waits.
    pub recorder_facts_max: usize,
    /// Time that a run, when it ends, leaves its observers to hear what waits for them, all
    /// together. The same for recorders when a run is aborted.
    pub observer_drain_max: Duration,
    /// Timers that run at the same time. Kept to within what the other workers set in a batch: a
    /// worker learns at the end of each of its own how many more it may set.
    pub timers_max: usize,
    /// Scopes that are open at the same time, overrun by those that turns under way open.
    pub scopes_max: usize,
    /// Results that one [cached](crate::CachedProcessor) processor keeps in memory.
    pub memo_max: usize,
    /// What those may weigh, in bytes.
    pub memo_bytes_max: usize,
    /// How often the watchdog looks for turns over their budget, limits that are held for long,
    /// mailboxes that only grow, and work that waits for a paused run. What it finds is told to
    /// observers as [`Fact::Warned`](selvedge_event::Fact::Warned).
    pub watchdog_interval: Duration,
    /// How long one turn may take, all of its attempts that don't wait for their backoff apart.
    /// After that the run goes on without it: its worker is written off and replaced, its
    /// processor takes no further turn, and what was and will be for it is abandoned. When it comes
    /// back after all, what it did is dropped, and its thread ends. Overrun by two looks of the
    /// watchdog. [`Duration::MAX`] waits for ever.
    ///
    /// Who awaits a reply to an event of that batch waits until the turn comes back, as nobody else
    /// can tell that there will be none; [`Answer::now`](crate::Answer::now) does not wait.
    ///
    /// Not so for pulls, which may wait for their source, for tasks of scopes, and for turns that
    /// the thread takes that called `run()`: nobody can return in its place. It is
    /// warned of them alone. Programs that want all turns watched call `start()` and `finish()`.
    /// Systems other than Linux are warned alone too.
    pub leak_after: Duration,
    /// How many workers are replaced that were written off: the threads that a run may leave
    /// behind.
    pub leaked_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            in_flight_max: 8_192,
            in_flight_bytes_max: 1 << 30,
            lane_max: 4_096,
            lane_bytes_max: 1 << 26,
            backlog_max: 1 << 20,
            pull_max: 1_024,
            emissions_per_turn_max: 1 << 20,
            pipeline_events_max: 1 << 24,
            pipeline_bytes_max: 1 << 33,
            batch_turns_max: 128,
            batch_time_max: Duration::from_millis(1),
            phase_max: 1_000,
            dead_letters_max: 10_000,
            dead_letters_bytes_max: 1 << 28,
            collected_max: 1 << 20,
            collected_bytes_max: 1 << 30,
            observer_facts_max: 1 << 16,
            recorder_facts_max: 1 << 16,
            observer_drain_max: Duration::from_secs(5),
            timers_max: 1 << 20,
            scopes_max: 1 << 20,
            memo_max: 1 << 16,
            memo_bytes_max: 1 << 28,
            watchdog_interval: Duration::from_secs(1),
            leak_after: Duration::from_secs(60),
            leaked_max: 4,
        }
    }
}

impl Limits {
    /// Refuses limits under which nothing could ever happen. (No dead letters kept, none
    /// collected, no timers and no backlog are legal wishes.)
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        let positive = [
            ("in_flight_max", self.in_flight_max),
            ("in_flight_bytes_max", self.in_flight_bytes_max),
            ("lane_max", self.lane_max),
            ("lane_bytes_max", self.lane_bytes_max),
            ("pull_max", self.pull_max),
            ("emissions_per_turn_max", self.emissions_per_turn_max),
            ("pipeline_events_max", self.pipeline_events_max),
            ("pipeline_bytes_max", self.pipeline_bytes_max),
            ("batch_turns_max", self.batch_turns_max),
            ("phase_max", self.phase_max as usize),
            ("observer_facts_max", self.observer_facts_max),
            ("recorder_facts_max", self.recorder_facts_max),
        ];
        match positive.into_iter().find(|(_, value)| *value == 0) {
            Some((limit, _)) => Err(BuildError::ZeroLimit { limit }),
            None if self.watchdog_interval.is_zero() => {
                Err(BuildError::ZeroLimit { limit: "watchdog_interval" })
            }
            None if self.leak_after.is_zero() => Err(BuildError::ZeroLimit { limit: "leak_after" }),
            None => Ok(()),
        }
    }
}
