//! Owns the handles that other threads keep on a run: to submit, to stop it, to watch it.

use std::fmt;
use std::sync::Arc;

use selvedge_event::{Ending, Event, IntoEvent, Payload, Text};
use selvedge_sync::atomic::Ordering;

use crate::ask::{Answer, Question};
use crate::control::RunState;
use crate::core::{Core, Member, N_LANES};
use crate::error::SubmitError;
use crate::lanes::{Capacity, WhenFull};
use crate::origin::{Descent, Origin};
use crate::replay::{ReplayError, replay};
use crate::report::DeadLetter;
use crate::scope::{Scope, ScopeError, ScopeOptions, Tasks};

/// Submits events to a run from any thread.
///
/// While one is alive the run is not done: phases begin when all of them are dropped. What one
/// submitter submits arrives in that order; every clone is a submitter of its own.
///
/// ```
/// use selvedge_runtime::{Context, Pipeline, on};
/// # use selvedge_event::{Kind, Payload};
/// # struct Ping(u32);
/// # impl Payload for Ping { fn kind() -> Kind { Kind::literal("doc::Ping") } }
/// let pipeline = Pipeline::builder()
///     .processor(on("ping", |_cx: &mut Context, _: &Ping| Ok(())))
///     .build()?;
/// let submitter = pipeline.submitter();
/// let thread = std::thread::spawn(move || (0..100).try_for_each(|n| {
///     submitter.submit(Ping(n)).map(|_recipients| ())
/// }));
/// let report = pipeline.run()?; // Returns when the submitter is gone and all is handled.
/// thread.join().expect("it does not panic")?;
/// assert_eq!(report.submitted, 100);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub struct Submitter {
    core: Arc<Core>,
    lane: u32,
}

impl Submitter {
    pub(crate) fn new(core: &Arc<Core>) -> Submitter {
        core.open();
        let turn = core.n_submitters.fetch_add(1, Ordering::Relaxed);
        let lane = u32::try_from(turn % N_LANES as usize).expect("lanes are few");
        Submitter { core: Arc::clone(core), lane }
    }

    /// Submits an event and says how many processors hear it; zero is legal. Waits while the
    /// running pipeline has no room; before the run it never waits. Don't call it from a turn: emit
    /// instead.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Closed`], with the event, when the run takes nothing more;
    /// [`SubmitError::Full`] before the run, above [`Limits::backlog_max`](crate::Limits).
    pub fn submit(&self, event: impl IntoEvent) -> Result<usize, SubmitError> {
        self.put(event, &Origin::outside(), WhenFull::Wait)
    }

    /// As [`submit`](Self::submit), but never waits.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`], with the event, when there is no room, besides those of `submit`.
    pub fn try_submit(&self, event: impl IntoEvent) -> Result<usize, SubmitError> {
        self.put(event, &Origin::outside(), WhenFull::Refuse)
    }

    /// Submits a question; a turn answers it with [`Context::reply`](crate::Context::reply).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub fn ask<R: Payload>(&self, question: impl IntoEvent) -> Result<Answer<R>, SubmitError> {
        let (event, origin, answer) = Origin::question(question);
        self.put(event, &origin, WhenFull::Wait)?;
        Ok(answer)
    }

    /// Submits the event of a dead letter to the processor that it came from, and to nobody else;
    /// waits as [`submit`](Self::submit) does. Its attempts are counted afresh: if its turn fails
    /// again, it is a dead letter again.
    ///
    /// # Errors
    ///
    /// [`ReplayError`], with the letter, when the processor is not there, the letter holds no
    /// event, or the event is not accepted.
    pub fn replay(&self, letter: DeadLetter) -> Result<(), ReplayError> {
        replay(&self.core.addresses, letter, |to, event| {
            let (capacity, when_full) = self.room(WhenFull::Wait);
            self.core.submit_to(to, self.lane, event, capacity, when_full)
        })
    }

    /// Opens a scope for tasks that other threads post: work that belongs together.
    ///
    /// # Errors
    ///
    /// [`ScopeError`], when the options can't work, too many scopes are open, or the run has not
    /// begun or takes nothing more.
    pub fn scope(&self, options: ScopeOptions, tasks: impl Tasks) -> Result<Scope, ScopeError> {
        self.core.open_scope(options, Box::new(tasks))
    }

    #[inline]
    pub(crate) fn put(
        &self,
        source: impl IntoEvent,
        origin: &Origin,
        when_full: WhenFull,
    ) -> Result<usize, SubmitError> {
        let (capacity, when_full) = self.room(when_full);
        self.core.submit(self.lane, source, origin, capacity, when_full)
    }

    /// How much room there is, whenever that is asked, and what to do when there is none.
    #[inline]
    fn room(&self, when_full: WhenFull) -> (impl Fn() -> Capacity, WhenFull) {
        let core = &*self.core;
        let begun = core.has_begun();
        let capacity = move || {
            let (limit, name) = match begun {
                true => (core.tuned.lane_max(), "lane_max"),
                false => (core.limits.backlog_max, "backlog_max"),
            };
            Capacity { limit, bytes: core.tuned.lane_bytes_max(), name }
        };
        // Before the run nobody may ever make room.
        (capacity, if begun { when_full } else { WhenFull::Refuse })
    }

    /// The same as dropping it, said aloud: nothing more comes from this submitter.
    pub fn close(self) {
        drop(self);
    }
}

impl Origin {
    /// A question, what its descendants inherit, and the answer to come.
    pub(crate) fn question<R: Payload>(question: impl IntoEvent) -> (Event, Origin, Answer<R>) {
        let event = question.into_event();
        let (question, answer) = Question::new(event.topic());
        (event, Origin { descent: Descent::Outside, question: Some(question) }, answer)
    }
}

impl Clone for Submitter {
    fn clone(&self) -> Submitter {
        Submitter::new(&self.core)
    }
}

impl Drop for Submitter {
    fn drop(&mut self) {
        self.core.close_one();
    }
}

impl fmt::Debug for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitter").field("lane", &self.lane).finish_non_exhaustive()
    }
}

/// Ends a run early, from any thread. Keeps nothing alive.
///
/// ```
/// use selvedge_event::Ending;
/// use selvedge_runtime::Pipeline;
/// let pipeline = Pipeline::builder().build()?;
/// pipeline.stop_handle().stop();
/// assert_eq!(pipeline.run()?.ending, Some(Ending::Stopped));
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct StopHandle {
    pub(crate) core: Arc<Core>,
}

impl StopHandle {
    /// Takes nothing more from outside, handles what was accepted, skips the phases, poisons,
    /// closes. The report says [`Ending::Stopped`].
    pub fn stop(&self) {
        self.core.stop(Ending::Stopped);
    }

    /// Starts no further turn and waits for none: `run()` returns
    /// [`Aborted`](crate::RunError::Aborted).
    pub fn abort(&self) {
        self.core.abort();
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StopHandle")
    }
}

/// Looks at a run while it goes on. Keeps nothing alive.
///
/// ```
/// use selvedge_runtime::{Context, Pipeline, on};
/// # use selvedge_event::{Kind, Payload};
/// # struct Ping(u32);
/// # impl Payload for Ping { fn kind() -> Kind { Kind::literal("doc::Ping") } }
/// let pipeline = Pipeline::builder()
///     .processor(on("ping", |_cx: &mut Context, _: &Ping| Ok(())))
///     .build()?;
/// let monitor = pipeline.monitor();
/// pipeline.submit(Ping(1))?;
/// pipeline.run()?;
/// assert_eq!(monitor.progress()[0].turns, 1);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct Monitor {
    pub(crate) core: Arc<Core>,
}

/// How far one processor is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Its name.
    pub processor: Text,
    /// Turns taken so far.
    pub turns: u64,
    /// Events emitted so far.
    pub emitted: u64,
    /// Events that wait in its mailbox.
    pub waiting: usize,
}

impl Monitor {
    /// Where the run stands.
    #[must_use]
    pub fn state(&self) -> RunState {
        self.core.state()
    }

    /// What the run's failure says, as soon as it has failed; whoever leads the run is
    /// told in full.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.core.failure_text()
    }

    /// How far each processor is, in order of registration; empty before the run begins. Each
    /// mailbox is looked at by itself, so the entries are not of one moment.
    #[must_use]
    pub fn progress(&self) -> Vec<Progress> {
        let look = |member: Member<'_>| {
            let waiting = usize::try_from(member.n_waiting()).unwrap_or(usize::MAX);
            let counts = member.counts();
            let (turns, emitted) = (counts.turns, counts.emitted);
            Progress { processor: member.name().clone(), turns, emitted, waiting }
        };
        self.core.members().map(look).collect()
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Monitor")
    }
}
