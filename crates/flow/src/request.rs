//! Owns what a run is asked for, and what its nodes may know of it.

use std::fmt;
use std::sync::Arc;

use selvedge_event::Text;
use selvedge_lineage::{RunId, Timestamp};
use selvedge_sync::Mutex;
use selvedge_sync::atomic::{AtomicBool, Ordering};

use crate::run_event::RunEvent;
use crate::stream::{Listen, Listener, StreamError, Told};
use crate::value::{Shared, Value, shared};

/// What a run is asked for: parameters, and who wants it.
///
/// ```
/// use selvedge_flow::Request;
/// let request = Request::new().with("x", 5).with("name", "tea".to_owned()).actor("ann");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Request {
    pub(crate) run: Option<RunId>,
    pub(crate) parameters: Vec<(Text, Offered)>,
    pub(crate) concurrency_max: Option<u32>,
    pub(crate) threads_max: Option<usize>,
    pub(crate) wanted: Option<Vec<Text>>,
    /// The run that this one goes on from.
    pub(crate) from: Option<RunId>,
    pub(crate) actor: Option<Text>,
    pub(crate) trigger: Option<Text>,
    pub(crate) tags: Vec<(Text, Text)>,
    pub(crate) events: Option<Listen>,
    pub(crate) listeners: Vec<(Listen, RunListener)>,
}

/// A listener, for all runs that are asked for by clones of a request.
#[derive(Clone)]
pub(crate) struct RunListener(Arc<Mutex<Box<dyn Listener<RunEvent>>>>);

impl Listener<RunEvent> for RunListener {
    fn event(&mut self, told: &Told<RunEvent>) {
        self.0.lock().event(told);
    }

    fn lagged(&mut self, error: &StreamError) {
        self.0.lock().lagged(error);
    }

    fn over(&mut self) {
        self.0.lock().over();
    }
}

impl fmt::Debug for RunListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunListener(..)")
    }
}

/// A parameter as it was offered.
#[derive(Clone)]
pub(crate) enum Offered {
    Value { value: Shared, type_name: &'static str },
    Json(serde_json::Value),
}

impl fmt::Debug for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Offered::Value { type_name, .. } => f.write_str(type_name),
            Offered::Json(_) => f.write_str("JSON"),
        }
    }
}

impl Request {
    /// Asks for all that nobody in the flow reads, with the parameters' defaults.
    pub fn new() -> Request {
        Request::default()
    }

    /// Sets a parameter. Of the values given under one name the last counts.
    pub fn with<T: Value>(mut self, name: impl Into<Text>, value: T) -> Request {
        let type_name = std::any::type_name::<T>();
        self.parameters.push((name.into(), Offered::Value { value: shared(value), type_name }));
        self
    }

    /// Sets a parameter from JSON; it is read as the parameter's type when the run begins.
    pub fn with_json(mut self, name: impl Into<Text>, value: serde_json::Value) -> Request {
        self.parameters.push((name.into(), Offered::Json(value)));
        self
    }

    /// Asks for these nodes, by id, and for nothing that they don't need. Of a
    /// [group](crate::FlowBuilder::group) it asks for what comes last in it.
    pub fn only<I: Into<Text>>(mut self, ids: impl IntoIterator<Item = I>) -> Request {
        self.wanted = Some(ids.into_iter().map(Into::into).collect());
        self
    }

    /// How many nodes and items of maps may be under way at a time, those of flows within and those
    /// that are elsewhere included; zero is refused when the run begins.
    pub fn concurrency_max(mut self, n: u32) -> Request {
        self.concurrency_max = Some(n);
        self
    }

    /// How many nodes and items of maps may be [elsewhere](crate::NodeSpec::runs_on) at a time in
    /// this run, on threads of their own for instance, 64 unless it is set; the others wait in
    /// line. With none they run on the workers as the others do: for simulations, where no thread
    /// may come from outside.
    pub fn threads_max(mut self, n: usize) -> Request {
        self.threads_max = Some(n);
        self
    }

    /// Goes on from a run that the flow's journal knows: what succeeded there, with the same code
    /// and the same inputs, is taken from it, in maps item by item; only what failed, was skipped
    /// or has changed is computed, and what depends on that. With
    /// [`Flow::request_of`](crate::Flow::request_of) the parameters are that run's.
    pub fn going_on_from(mut self, run: RunId) -> Request {
        self.from = Some(run);
        self
    }

    /// Keeps what happens in the run, from the first event on, for
    /// [`RunHandle::events`](crate::RunHandle::events).
    pub fn with_events(mut self, listen: Listen) -> Request {
        self.events = Some(listen);
        self
    }

    /// Has a function told what happens in the run, as it happens, on a thread of its own.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use selvedge_flow::{Flow, Happened, Request};
    ///
    /// let mut flow = Flow::builder("seven");
    /// flow.node("seven", (), || Ok(7));
    /// let (tell, told) = channel();
    /// let request = Request::new().on_event(move |event| {
    ///     if let Happened::NodeFinished { step, duration, .. } = &event.what {
    ///         tell.send(format!("{step} is done")).unwrap();
    ///     }
    /// });
    /// flow.build()?.run(request)?;
    /// assert_eq!(told.recv()?, "seven is done");
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn on_event(self, mut tell: impl FnMut(&RunEvent) + Send + 'static) -> Request {
        self.listener(Listen::new(), move |told: &Told<RunEvent>| tell(&told.event))
    }

    /// The same for a function or an observer, with a say in what becomes of events that it is too
    /// slow for. It holds no run up, and fails none: what became of it is in the
    /// [result](crate::RunResult::listeners), which waits for it
    /// [for a while](Listen::farewell_max).
    pub fn listener(mut self, listen: Listen, listener: impl Listener<RunEvent>) -> Request {
        self.listeners.push((listen, RunListener(Arc::new(Mutex::new(Box::new(listener))))));
        self
    }

    /// The run's id; a new one unless it is set.
    pub fn run_id(mut self, run: RunId) -> Request {
        self.run = Some(run);
        self
    }

    /// Who wants the run.
    pub fn actor(mut self, actor: impl Into<Text>) -> Request {
        self.actor = Some(actor.into());
        self
    }

    /// What set it off.
    pub fn trigger(mut self, trigger: impl Into<Text>) -> Request {
        self.trigger = Some(trigger.into());
        self
    }

    /// Adds a tag to the run.
    pub fn tag(mut self, name: impl Into<Text>, value: impl Into<Text>) -> Request {
        self.tags.push((name.into(), value.into()));
        self
    }
}

/// What a node may know of the run that it is part of. See [`run_info`](crate::run_info).
#[derive(Clone, Debug)]
pub struct RunInfo {
    pub(crate) run: RunId,
    pub(crate) flow: Text,
    pub(crate) node: Text,
    pub(crate) attempt: u32,
    pub(crate) started_at: Timestamp,
    pub(crate) cancelled: Arc<AtomicBool>,
    /// Of a node with a time limit.
    pub(crate) late: Option<Arc<AtomicBool>>,
}

impl RunInfo {
    /// The run's id.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The flow's name.
    #[must_use]
    pub fn flow(&self) -> &Text {
        &self.flow
    }

    /// The node's id.
    #[must_use]
    pub fn node(&self) -> &Text {
        &self.node
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When the run began: a label for people.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Whether the run was called off, or the node has used up its time: what it does is not needed
    /// any more. Long work should look now and then.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        // Relaxed: a look later does no harm.
        let is_late = self.late.as_ref().is_some_and(|late| late.load(Ordering::Relaxed));
        is_late || self.cancelled.load(Ordering::Relaxed)
    }
}
