//! Owns `Control`, the handle with which any thread holds up, drains, tunes and ends a run, and
//! what it says of a run's state.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Ending, Text};
use thiserror::Error;

use crate::core::Core;
use crate::limits::Limits;

/// Controls a run from any thread. Clones control the same run; none keeps it alive.
///
/// ```
/// use selvedge_runtime::{Context, Pipeline, RunState, on};
/// # use selvedge_event::{Kind, Payload};
/// # struct Ping(u32);
/// # impl Payload for Ping { fn kind() -> Kind { Kind::literal("doc::Ping") } }
/// let pipeline = Pipeline::builder()
///     .processor(on("ping", |_cx: &mut Context, _: &Ping| Ok(())))
///     .build()?;
/// let running = pipeline.start()?;
/// let control = running.control();
/// control.pause();
/// control.await_paused()?;
/// running.submit(Ping(1))?; // Accepted, and not handled yet.
/// assert_eq!(control.state(), RunState::Paused);
/// control.resume();
/// control.drain()?;
/// control.reconfigure(|limits| limits.in_flight_max = 100)?;
/// assert_eq!(running.finish()?.handled, 1);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct Control {
    pub(crate) core: Arc<Core>,
}

impl Control {
    /// Lets no further turn start: those under way finish, submissions are accepted as long as
    /// there is room for them, sources are not pulled and timers not told. Returns at once; see
    /// [`await_paused`](Self::await_paused). Before the run it takes effect when the
    /// processors have
    /// heard `Init`. A run that is stopping, poisoned or failed is not held up, and a
    /// [`stop`](Self::stop) ends a pause.
    pub fn pause(&self) {
        self.core.pause();
    }

    /// Waits until no turn is under way in a run that was paused. Don't call it from a turn: it
    /// would wait for itself.
    ///
    /// # Errors
    ///
    /// [`ControlError::NotPaused`] when nobody has paused the run, or somebody resumed it; and what
    /// ended it if it is no more.
    pub fn await_paused(&self) -> Result<(), ControlError> {
        self.core.await_paused()
    }

    /// Goes on after a [`pause`](Self::pause).
    pub fn resume(&self) {
        self.core.resume();
    }

    /// Waits for a moment in which everything that was accepted is handled: no event, retry or
    /// timer is outstanding and no source has more. What others submit meanwhile is waited for too;
    /// phases are not run. A paused run has to be resumed by somebody else. Don't call it from a
    /// turn: it would wait for itself.
    ///
    /// # Errors
    ///
    /// [`ControlError::Failed`] or [`ControlError::Aborted`] when turns have ceased instead.
    pub fn drain(&self) -> Result<Drained, ControlError> {
        self.core.drain()
    }

    /// Changes limits while the run goes on: `in_flight_max`, `in_flight_bytes_max`, `lane_max`,
    /// `lane_bytes_max`, `pipeline_events_max`, `pipeline_bytes_max`, `batch_turns_max`,
    /// `batch_time_max`, `timers_max`, `dead_letters_max` and `dead_letters_bytes_max`. Whoever
    /// waits for room looks anew. A limit below what there is already holds for what comes, but for
    /// `pipeline_events_max` and `pipeline_bytes_max`, which fail the run.
    ///
    /// # Errors
    ///
    /// [`ControlError::Refused`] for a value under which nothing could happen,
    /// [`ControlError::FixedLimit`] when another limit was changed too. Nothing is changed then.
    pub fn reconfigure(&self, change: impl FnOnce(&mut Limits)) -> Result<(), ControlError> {
        self.core.reconfigure(change)
    }

    /// Changes how many turns may be in flight under a key that was declared with
    /// [`PipelineBuilder::concurrency`](crate::PipelineBuilder::concurrency). Who waits for a
    /// permit is let in at once when there are more; with fewer, turns under way are not cut
    /// short, and permits run out as they are given back.
    ///
    /// ```
    /// use selvedge_runtime::{Context, ControlError, Pipeline, on};
    /// # use selvedge_event::{Kind, Payload};
    /// # struct Ping(u32);
    /// # impl Payload for Ping { fn kind() -> Kind { Kind::literal("doc::Ping") } }
    /// let query = |name| on(name, |_cx: &mut Context, _: &Ping| Ok(())).limited_by("db");
    /// let pipeline = Pipeline::builder()
    ///     .concurrency("db", 1)
    ///     .processors(["names", "prices"].map(query))
    ///     .build()?;
    /// let running = pipeline.start()?;
    /// let control = running.control();
    /// control.set_concurrency("db", 2)?;
    /// let error = control.set_concurrency("disk", 2).unwrap_err();
    /// assert!(matches!(error, ControlError::NoSuchKey { .. }));
    /// running.submit(Ping(1))?;
    /// assert_eq!(running.finish()?.handled, 2);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ControlError::NoSuchKey`] if nobody declared it, [`ControlError::NotBegun`] before the
    /// run, [`ControlError::Refused`] for zero turns.
    pub fn set_concurrency(&self, key: &str, turns: usize) -> Result<(), ControlError> {
        let Some(cap) = NonZeroUsize::new(turns) else {
            let why = format!("no turn under `{key}` could ever begin");
            return Err(ControlError::Refused { why });
        };
        if !self.core.has_begun() {
            return Err(ControlError::NotBegun);
        }
        let known = self.core.set_concurrency(key, cap);
        if known { Ok(()) } else { Err(ControlError::NoSuchKey { key: key.into() }) }
    }

    /// The limits as they are now.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.core.limits_now()
    }

    /// Takes nothing more from outside, handles what was accepted, skips the phases, poisons,
    /// closes. The report says [`Ending::Stopped`].
    pub fn stop(&self) {
        self.core.stop(Ending::Stopped);
    }

    /// As [`stop`](Self::stop), but waits until the run is over, and no longer than this: then no
    /// further turn starts, and whoever leads the run is told
    /// [`StoppedHard`](crate::RunError::StoppedHard) with what was abandoned. Before anybody leads
    /// it ([`Running::finish`](crate::Running::finish)) it waits until everything is handled.
    pub fn stop_within(&self, within: Duration) {
        self.core.stop_by(within);
        self.core.enforce_stop();
    }

    /// Starts no further turn and waits for none: the run returns
    /// [`Aborted`](crate::RunError::Aborted).
    pub fn abort(&self) {
        self.core.abort();
    }

    /// Where the run stands.
    #[must_use]
    pub fn state(&self) -> RunState {
        self.core.state()
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Control")
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunState {
    /// It has not begun.
    Waiting,
    /// It takes turns, and more may come in.
    Running,
    /// It is to pause, and turns are under way.
    Pausing,
    /// It is paused, and no turn is under way.
    Paused,
    /// Nobody is left who could submit: it handles what there is.
    Draining,
    /// Its end is decided: it was stopped early, or is poisoned.
    Stopping,
    /// It failed: no further turn starts. Whoever leads it is told why.
    Failed,
    /// It was aborted.
    Aborted,
    /// It is over.
    Over,
}

/// What somebody waited for who drained a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Deliveries that were handled meanwhile, as far as it was told by then.
    pub handled: u64,
    /// Deliveries whose turn failed meanwhile.
    pub dead: u64,
}

/// Why a run could not be controlled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The run has failed.
    #[error("the run has failed: {cause}")]
    Failed {
        /// What whoever leads it is told.
        cause: String,
    },
    /// The run was aborted.
    #[error("the run was aborted")]
    Aborted,
    /// The run is over.
    #[error("the run is over: nothing can be changed about it")]
    Over,
    /// Nobody paused the run.
    #[error("the run is not paused, or was resumed: call `pause()` first")]
    NotPaused,
    /// The run has not begun.
    #[error("the run has not begun: declare what it begins with when it is built")]
    NotBegun,
    /// No turns are limited under this key.
    #[error("no turns are limited by `{key}`: declare it with `PipelineBuilder::concurrency`")]
    NoSuchKey {
        /// The key.
        key: Text,
    },
    /// A value under which nothing could ever happen.
    #[error("the limits are left as they were: {why}")]
    Refused {
        /// Which, and why.
        why: String,
    },
    /// A limit was changed that is fixed when the pipeline is built.
    #[error(
        "the limits are left as they were: of a run that goes on only `in_flight_max`, \
         `in_flight_bytes_max`, `lane_max`, `lane_bytes_max`, `pipeline_events_max`, \
         `pipeline_bytes_max`, `batch_turns_max`, `batch_time_max`, `timers_max`, \
         `dead_letters_max` and `dead_letters_bytes_max` can be changed"
    )]
    FixedLimit,
}
