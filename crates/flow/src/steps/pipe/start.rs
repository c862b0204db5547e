//! Owns what a run of a pipe begins with.

use std::fmt;

use selvedge_event::Text;
use selvedge_lineage::RunId;

use super::super::cancel::CancelToken;
use super::super::event::StepEvent;
use crate::stream::{Events, Listen, Listener, Telling, Told};

/// What a run begins with.
///
/// ```
/// use selvedge_flow::steps::Start;
/// let start = Start::with(vec![1, 2]).context("settings").at("second");
/// ```
#[must_use]
pub struct Start<S, C = ()> {
    pub(super) state: S,
    pub(super) context: C,
    pub(super) at: Option<Text>,
    pub(super) run: Option<RunId>,
    pub(super) cancel: Option<CancelToken>,
    /// What is told is kept for the result.
    pub(super) keeps: bool,
    /// What is told is kept for the handle.
    pub(super) events: Option<Listen>,
    pub(super) listeners: Vec<(Listen, Listens)>,
}

/// Begins to tell a listener.
type Listens = Box<dyn FnOnce(Events<StepEvent>) -> std::io::Result<Telling> + Send>;

impl<S> Start<S> {
    /// This state, and no context.
    pub fn with(state: S) -> Start<S> {
        let (at, run, cancel, events) = (None, None, None, None);
        let listeners = Vec::new();
        Start { state, context: (), at, run, cancel, keeps: false, events, listeners }
    }
}

impl<S, C> Start<S, C> {
    /// What all steps are given and don't change.
    pub fn context<D>(self, context: D) -> Start<S, D> {
        let Start { state, at, run, cancel, keeps, events, listeners, .. } = self;
        Start { state, context, at, run, cancel, keeps, events, listeners }
    }

    /// This step first, instead of those that nothing leads to.
    pub fn at(mut self, step: impl Into<Text>) -> Start<S, C> {
        self.at = Some(step.into());
        self
    }

    /// The run's id; a new one unless it is set.
    pub fn run_id(mut self, run: RunId) -> Start<S, C> {
        self.run = Some(run);
        self
    }

    /// Steps that look at this token are told when it is cancelled.
    pub fn cancelled_by(mut self, token: &CancelToken) -> Start<S, C> {
        self.cancel = Some(token.clone());
        self
    }

    /// Keeps what is told of the run in its result.
    pub fn keeping_events(mut self) -> Start<S, C> {
        self.keeps = true;
        self
    }

    /// Keeps what happens in the run, from the first event on, for
    /// [`PipeRun::events`](super::PipeRun::events).
    pub fn with_events(mut self, listen: Listen) -> Start<S, C> {
        self.events = Some(listen);
        self
    }

    /// Has a function told what happens in the run, as it happens, on a thread of its own.
    pub fn on_event(self, tell: impl FnMut(&Told<StepEvent>) + Send + 'static) -> Start<S, C> {
        self.listener(Listen::new(), tell)
    }

    /// The same for a function or an observer, with a say in what becomes of events that it is too
    /// slow for. It holds no run up, and fails none: what became of it is in the
    /// [result](super::PipeResult::listeners), which waits for it
    /// [for a while](Listen::farewell_max).
    pub fn listener(mut self, listen: Listen, listener: impl Listener<StepEvent>) -> Start<S, C> {
        self.listeners.push((listen, Box::new(move |events| events.tell(listener))));
        self
    }
}

impl<S, C> fmt::Debug for Start<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("at", &self.at).finish_non_exhaustive()
    }
}
