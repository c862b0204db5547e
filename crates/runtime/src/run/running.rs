//! Owns `Running`: a run that lives on in threads of its own, and what its owner may do with it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Ending, IntoEvent, Payload};

use super::Run;
use crate::ask::Answer;
use crate::control::{Control, ControlError, Drained, RunState};
use crate::core::Core;
use crate::error::{RunError, SubmitError};
use crate::handles::{Monitor, StopHandle, Submitter};
use crate::limits::Limits;
use crate::replay::ReplayError;
use crate::report::{DeadLetter, RunReport};
use crate::scope::{Scope, ScopeError, ScopeOptions, Tasks};

/// A pipeline that lives on in threads of its own until it is told to finish.
///
/// ```
/// use selvedge_runtime::{Context, Pipeline, on};
/// # use selvedge_event::{Kind, Payload};
/// # struct Ping(u32);
/// # impl Payload for Ping { fn kind() -> Kind { Kind::literal("doc::Ping") } }
/// let pipeline = Pipeline::builder()
///     .processor(on("double", |cx: &mut Context, ping: &Ping| {
///         cx.reply(Ping(ping.0 * 2));
///         Ok(())
///     }))
///     .build()?;
/// let running = pipeline.start()?;
/// assert_eq!(running.ask::<Ping>(Ping(4))?.wait()?.0, 8);
/// assert_eq!(running.finish()?.handled, 1);
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// Dropped without [`finish`](Self::finish) it starts no further turn, waits for those under way
/// and leaves no thread behind.
pub struct Running {
    /// `None` once it is being finished.
    run: Option<Run>,
    submitter: Option<Submitter>,
}

impl Running {
    pub(crate) fn new(run: Run) -> Running {
        let submitter = Submitter::new(&run.plan.core);
        Running { run: Some(run), submitter: Some(submitter) }
    }

    fn handle(&self) -> &Submitter {
        self.submitter.as_ref().expect("the submitter stays until the end")
    }

    fn core(&self) -> &Arc<Core> {
        &self.run.as_ref().expect("the run stays until the end").plan.core
    }

    /// See [`Submitter::submit`].
    ///
    /// # Errors
    ///
    /// See [`Submitter::submit`].
    pub fn submit(&self, event: impl IntoEvent) -> Result<usize, SubmitError> {
        self.handle().submit(event)
    }

    /// See [`Submitter::try_submit`].
    ///
    /// # Errors
    ///
    /// See [`Submitter::try_submit`].
    pub fn try_submit(&self, event: impl IntoEvent) -> Result<usize, SubmitError> {
        self.handle().try_submit(event)
    }

    /// See [`Submitter::ask`].
    ///
    /// # Errors
    ///
    /// See [`Submitter::ask`].
    pub fn ask<R: Payload>(&self, question: impl IntoEvent) -> Result<Answer<R>, SubmitError> {
        self.handle().ask(question)
    }

    /// See [`Submitter::replay`].
    ///
    /// # Errors
    ///
    /// See [`Submitter::replay`].
    pub fn replay(&self, letter: DeadLetter) -> Result<(), ReplayError> {
        self.handle().replay(letter)
    }

    /// See [`Submitter::scope`].
    ///
    /// # Errors
    ///
    /// See [`Submitter::scope`].
    pub fn scope(&self, options: ScopeOptions, tasks: impl Tasks) -> Result<Scope, ScopeError> {
        self.handle().scope(options, tasks)
    }

    /// A handle with which another thread submits; the run goes on until it is dropped.
    #[must_use]
    pub fn submitter(&self) -> Submitter {
        self.handle().clone()
    }

    /// A handle that ends the run early.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle { core: Arc::clone(self.core()) }
    }

    /// A handle to pause the run, drain it, change its limits and end it.
    #[must_use]
    pub fn control(&self) -> Control {
        Control { core: Arc::clone(self.core()) }
    }

    /// Where the run stands.
    #[must_use]
    pub fn state(&self) -> RunState {
        self.core().state()
    }

    /// See [`Control::pause`].
    pub fn pause(&self) {
        self.core().pause();
    }

    /// See [`Control::resume`].
    pub fn resume(&self) {
        self.core().resume();
    }

    /// See [`Control::drain`].
    ///
    /// # Errors
    ///
    /// See [`Control::drain`].
    pub fn drain(&self) -> Result<Drained, ControlError> {
        self.core().drain()
    }

    /// See [`Control::reconfigure`].
    ///
    /// # Errors
    ///
    /// See [`Control::reconfigure`].
    pub fn reconfigure(&self, change: impl FnOnce(&mut Limits)) -> Result<(), ControlError> {
        self.core().reconfigure(change)
    }

    /// A handle to look at the run.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor { core: Arc::clone(self.core()) }
    }

    /// Lets the watchdog look once, whenever the closure is called: a model checker has no time.
    #[cfg(shuttle)]
    #[doc(hidden)]
    pub fn watchdog_by_hand(&self) -> impl Fn() + Send + 'static {
        self.run.as_ref().expect("the run stays until the end").watching.by_hand()
    }

    /// Waits until all other submitters are gone and everything is handled, then runs the
    /// phases, poisons, closes.
    ///
    /// # Errors
    ///
    /// As for [`Pipeline::run`](crate::Pipeline::run).
    pub fn finish(mut self) -> Result<RunReport, RunError> {
        drop(self.submitter.take());
        match self.run.take() {
            Some(run) => run.lead(),
            None => unreachable!("a run is finished once, by value"),
        }
    }

    /// Takes nothing more from outside, handles what was accepted, then poisons and closes.
    ///
    /// # Errors
    ///
    /// As for [`Pipeline::run`](crate::Pipeline::run).
    pub fn stop(self) -> Result<RunReport, RunError> {
        self.core().stop(Ending::Stopped);
        self.finish()
    }

    /// As [`stop`](Self::stop), but takes no longer than this, give or take what listeners need:
    /// then no further turn starts, and those under way are left to themselves, with their threads.
    ///
    /// # Errors
    ///
    /// [`RunError::StoppedHard`], with what was abandoned, besides those of
    /// [`Pipeline::run`](crate::Pipeline::run).
    pub fn stop_within(self, within: Duration) -> Result<RunReport, RunError> {
        self.core().stop_by(within);
        self.finish()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut run) = self.run.take() {
            run.give_up();
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Running")
    }
}
