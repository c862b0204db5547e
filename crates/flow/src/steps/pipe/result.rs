//! Owns what a run of a pipe has come to.

use std::fmt;
use std::sync::Arc;

use selvedge_event::Outcome as Ending;
use selvedge_lineage::RunId;

use super::super::event::{Finished, StepEvent};
use super::super::position::Position;
use crate::stream::{Heard, Told};

/// A run that waits for something from outside.
pub struct Suspended<S> {
    pub(super) position: Position<S>,
}

/// What a run has come to.
pub struct PipeResult<S> {
    pub(super) run: RunId,
    pub(super) state: Arc<S>,
    pub(super) events: Vec<Told<StepEvent>>,
    pub(super) heard: Vec<Heard>,
    pub(super) finished: Finished,
    pub(super) suspended: Option<Suspended<S>>,
}

impl<S> Suspended<S> {
    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.position.run
    }

    /// Why it waits.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.position.reason.as_deref()
    }

    /// The state, with what the steps that have ended made of it.
    #[must_use]
    pub fn state(&self) -> &S {
        &self.position.state
    }
}

impl<S> Clone for Suspended<S> {
    fn clone(&self) -> Suspended<S> {
        Suspended { position: self.position.clone() }
    }
}

impl<S> PipeResult<S> {
    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The state, as the steps that succeeded have left it.
    #[must_use]
    pub fn state(&self) -> &S {
        &self.state
    }

    /// How it ended.
    #[must_use]
    pub fn ending(&self) -> &Ending {
        &self.finished.ending
    }

    /// Whether it succeeded.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        *self.ending() == Ending::Succeeded
    }

    /// What there is to know about its end.
    #[must_use]
    pub fn finished(&self) -> &Finished {
        &self.finished
    }

    /// What was told of it, in order, if that was [kept](super::Start::keeping_events).
    #[must_use]
    pub fn events(&self) -> &[Told<StepEvent>] {
        &self.events
    }

    /// What became of those who listened, in the order in which the start has them.
    #[must_use]
    pub fn listeners(&self) -> &[Heard] {
        &self.heard
    }

    /// What to [resume](super::Pipe::resume), if it is suspended.
    #[must_use]
    pub fn suspended(&self) -> Option<&Suspended<S>> {
        self.suspended.as_ref()
    }
}

impl<S> fmt::Debug for Suspended<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suspended").field("run", &self.position.run).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for PipeResult<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeResult")
            .field("run", &self.run)
            .field("ending", self.ending())
            .finish_non_exhaustive()
    }
}
