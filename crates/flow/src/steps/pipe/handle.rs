//! Owns a run of a pipe that goes on, and those who listen to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::Canceller;
use selvedge_lineage::RunId;
use selvedge_runtime::ScopeControl;

use super::super::event::StepEvent;
use super::super::run::{Closed, Execution};
use super::super::state::Shares;
use super::{PipeResult, Suspended};
use crate::stream::{Events, Listen, Telling};

/// Events that a result has in memory; the others are read back from a temporary file.
const KEPT_MAX: usize = 1 << 16;

pub(super) fn kept_events() -> Listen {
    Listen::new().queue_max(KEPT_MAX)
}

/// A run that goes on. Dropping the handle does not end it.
pub struct PipeRun<S, C = ()> {
    pub(super) begun: Begun<S, C>,
    pub(super) control: ScopeControl,
}

/// A run with those who listen to it.
pub(super) struct Begun<S, C> {
    pub(super) execution: Arc<Execution<S, C>>,
    /// For the result.
    pub(super) kept: Option<Events<StepEvent>>,
    /// For the handle.
    pub(super) events: Option<Events<StepEvent>>,
    pub(super) tellings: Vec<(Telling, Duration)>,
}

impl<S: Shares, C> Begun<S, C> {
    /// Waits for the end.
    pub(super) fn result(self) -> PipeResult<S> {
        let Closed { state, finished, position } = self.execution.wait();
        let kept = self.kept.into_iter().flatten();
        let tellings = self.tellings.into_iter();
        PipeResult {
            run: self.execution.run,
            state,
            // What is too much for memory and disk together is missing at the end.
            events: kept.map_while(Result::ok).collect(),
            heard: tellings.map(|(telling, at_most)| telling.join_within(at_most)).collect(),
            finished,
            suspended: position.map(|position| Suspended { position }),
        }
    }
}

impl<S: Shares, C: Send + Sync + 'static> PipeRun<S, C> {
    /// The run's id.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.begun.execution.run
    }

    /// What happens in the run: from its first event on, if the start asks for
    /// [events](super::Start::with_events) and they were not taken yet; otherwise from now on.
    pub fn events(&mut self) -> Events<StepEvent> {
        let asked_for = self.begun.events.take();
        asked_for.unwrap_or_else(|| self.begun.execution.feed.listen(&Listen::new()))
    }

    /// Calls the run off: no further step starts, and those under way can
    /// [know](super::super::Cancel).
    pub fn cancel(&self) {
        self.begun.execution.call_off("the run was cancelled");
        self.control.cancel(Canceller::User);
    }

    /// Waits until the run has come to its end. Don't call it from a turn: the worker may be the
    /// one that is waited for.
    #[must_use]
    pub fn wait(self) -> PipeResult<S> {
        self.begun.result()
    }
}

impl<S, C> fmt::Debug for PipeRun<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.begun.execution.fmt(f)
    }
}
