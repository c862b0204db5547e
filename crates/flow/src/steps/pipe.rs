//! Owns a pipe that was built, what a run of it is given, and what it comes to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Canceller, Digest, Outcome as Ending, Text};
use selvedge_lineage::RunId;
use selvedge_runtime::{Context, ScopeControl, ScopeError, ScopeOptions};
use selvedge_topology::{Drawing, Topology};
use serde::Serialize;

use super::builder::PipeBuilder;
use super::cancel::CancelToken;
use super::checkpoints::{Checkpoints, Keeps};
use super::error::{CheckpointError, StartError};
use super::event::{Finished, StepEvent};
use super::machine::{Join, Machine};
use super::plan::{Described, Plan};
use super::position::{Left, Position, difference};
use super::run::{Closed, Execution, First, Keeper, Leg, Run, START};
use super::state::Shares;
use crate::driver::{Undone, carry_out};
use crate::engine::{Engine, open};
use crate::flow::now;
use crate::stream::{Events, Feed, Heard, Listen, Listener, Telling, Told};
use crate::value::Value;

/// Steps over a state that they share: what each does, and what follows from it. Immutable; any
/// number of runs of it go on at once. Clones share it.
pub struct Pipe<S, C = ()> {
    plan: Arc<Plan<S, C>>,
    keeps: Option<Arc<dyn Keeps<S>>>,
}

impl<S, C> Clone for Pipe<S, C> {
    fn clone(&self) -> Pipe<S, C> {
        Pipe { plan: Arc::clone(&self.plan), keeps: self.keeps.clone() }
    }
}

/// What a run begins with.
///
/// ```
/// use selvedge_flow::steps::Start;
/// let start = Start::with(vec![1, 2]).context("settings").at("second");
/// ```
#[must_use]
pub struct Start<S, C = ()> {
    state: S,
    context: C,
    at: Option<Text>,
    run: Option<RunId>,
    cancel: Option<CancelToken>,
    /// What is told is kept for the result.
    keeps: bool,
    /// What is told is kept for the handle.
    events: Option<Listen>,
    listeners: Vec<(Listen, Listens)>,
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

    /// Keeps what happens in the run, from the first event on, for [`PipeRun::events`].
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
    /// [result](PipeResult::listeners), which waits for it
    /// [for a while](Listen::farewell_max).
    pub fn listener(mut self, listen: Listen, listener: impl Listener<StepEvent>) -> Start<S, C> {
        self.listeners.push((listen, Box::new(move |events| events.tell(listener))));
        self
    }
}

/// Events that a result has in memory; the others are read back from a temporary file.
const KEPT_MAX: usize = 1 << 16;

fn kept_events() -> Listen {
    Listen::new().queue_max(KEPT_MAX)
}

/// A run that goes on. Dropping the handle does not end it.
pub struct PipeRun<S, C = ()> {
    begun: Begun<S, C>,
    control: ScopeControl,
}

/// A run with those who listen to it.
struct Begun<S, C> {
    execution: Arc<Execution<S, C>>,
    /// For the result.
    kept: Option<Events<StepEvent>>,
    /// For the handle.
    events: Option<Events<StepEvent>>,
    tellings: Vec<(Telling, Duration)>,
}

impl<S: Shares, C> Begun<S, C> {
    /// Waits for the end.
    fn result(self) -> PipeResult<S> {
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

/// A run that waits for something from outside.
pub struct Suspended<S> {
    position: Position<S>,
}

/// What a run has come to.
pub struct PipeResult<S> {
    run: RunId,
    state: Arc<S>,
    events: Vec<Told<StepEvent>>,
    heard: Vec<Heard>,
    finished: Finished,
    suspended: Option<Suspended<S>>,
}

impl<S: Shares> Pipe<S> {
    /// Runs it to its end, on as many threads as the machine has cores: this one is one of them.
    ///
    /// # Errors
    ///
    /// [`StartError`], when threads can't be had. That steps fail is no error: it is in the result.
    pub fn run(&self, state: S) -> Result<PipeResult<S>, StartError> {
        self.run_with(Start::with(state))
    }
}

impl<S: Shares, C: Send + Sync + 'static> Pipe<S, C> {
    /// A pipe that is being defined.
    pub fn builder(name: impl Into<Text>) -> PipeBuilder<S, C> {
        PipeBuilder::new(name.into())
    }

    pub(crate) fn new(plan: Plan<S, C>) -> Pipe<S, C> {
        Pipe { plan: Arc::new(plan), keeps: None }
    }

    /// Runs it to its end, as [`run`](Pipe::run) does, with what more there is to say of the run.
    ///
    /// # Errors
    ///
    /// [`StartError`], when the run can't start as it is to.
    pub fn run_with(&self, start: Start<S, C>) -> Result<PipeResult<S>, StartError> {
        self.carry_out(self.prepare(start)?)
    }

    fn carry_out(&self, begun: Begun<S, C>) -> Result<PipeResult<S>, StartError> {
        let tasks = Run(Arc::clone(&begun.execution));
        carry_out(self.options(), tasks, START).map_err(|undone| {
            let pipe = self.name().clone();
            match undone {
                Undone::Workers(source) => StartError::Workers { pipe, source },
                Undone::Pipeline(source) => StartError::Pipeline { pipe, source: Box::new(source) },
            }
        })?;
        Ok(begun.result())
    }

    /// Begins a run on the threads of an engine.
    ///
    /// ```
    /// use selvedge_flow::Engine;
    /// use selvedge_flow::steps::{Pipe, Start, State};
    ///
    /// let mut pipe = Pipe::<u32>::builder("double");
    /// pipe.step("double", |n: State<u32>| n.update(|n| *n *= 2));
    /// let pipe = pipe.build()?;
    /// let engine = Engine::start()?;
    /// let run = pipe.launch(&engine, Start::with(21))?;
    /// assert_eq!(*run.wait().state(), 42);
    /// engine.close()?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run_with`](Self::run_with).
    pub fn launch(&self, engine: &Engine, start: Start<S, C>) -> Result<PipeRun<S, C>, StartError> {
        let begun = self.prepare(start)?;
        let control = engine.open(self.options(), Run(Arc::clone(&begun.execution)), START);
        self.begun(begun, control)
    }

    /// Begins a run within a pipeline, from a turn of one of its processors: its steps are taken by
    /// the pipeline's workers, which waits for the run. It begins when the turn has succeeded.
    ///
    /// # Errors
    ///
    /// As [`run_with`](Self::run_with).
    pub fn begin(
        &self,
        cx: &mut Context<'_>,
        start: Start<S, C>,
    ) -> Result<PipeRun<S, C>, StartError> {
        let begun = self.prepare(start)?;
        let control = open(cx, self.options(), Run(Arc::clone(&begun.execution)), START);
        self.begun(begun, control)
    }

    fn begun(
        &self,
        begun: Begun<S, C>,
        control: Result<ScopeControl, ScopeError>,
    ) -> Result<PipeRun<S, C>, StartError> {
        let refused = |source| StartError::Scope { pipe: self.name().clone(), source };
        Ok(PipeRun { begun, control: control.map_err(refused)? })
    }

    /// Goes on with a run that was suspended, in the same run: no step that has ended runs again.
    /// Steps find the input with [`Resumed`](super::Resumed).
    ///
    /// ```
    /// use selvedge_flow::steps::{Control, Pipe, Resumed, State};
    ///
    /// let mut pipe = Pipe::<String>::builder("approval");
    /// pipe.step("ask", || Control::suspend("needs a signature")).to("sign");
    /// pipe.step("sign", |name: Resumed<String>, paper: State<String>| {
    ///     let name = name.0.unwrap_or_default();
    ///     paper.update(move |paper| paper.push_str(&name));
    /// });
    /// let pipe = pipe.build()?;
    /// let waiting = pipe.run("signed: ".to_owned())?.suspended().unwrap().clone();
    /// assert_eq!(waiting.reason(), Some("needs a signature"));
    /// let result = pipe.resume(waiting, (), &"Ann")?;
    /// assert_eq!(*result.state(), "signed: Ann");
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`StartError::Checkpoint`], when the run is one of another pipe, or the pipe has changed; and
    /// as [`run_with`](Self::run_with).
    pub fn resume(
        &self,
        suspended: Suspended<S>,
        context: C,
        input: &impl Serialize,
    ) -> Result<PipeResult<S>, StartError> {
        let position = suspended.position;
        if self.keeps.is_some() {
            // Somebody else may go on with it, too.
            return self.resume_run(position.run, context, input);
        }
        let input = self.written(position.run, input)?;
        self.approve(&position.left(), &input).map_err(|source| self.refused(source))?;
        self.go_on(position, context, input)
    }

    /// Keeps runs of it that are suspended, so that another process can go on with them; see
    /// [`Checkpoints`].
    #[must_use]
    pub fn kept_in(&self, checkpoints: &Checkpoints) -> Pipe<S, C>
    where
        S: Value,
    {
        let keeps: Arc<dyn Keeps<S>> = Arc::new(checkpoints.clone());
        Pipe { plan: Arc::clone(&self.plan), keeps: Some(keeps) }
    }

    /// Goes on with a run that is [kept](Self::kept_in), as [`resume`](Self::resume) does: one that
    /// was suspended, or that was cut off when its process died. Of two that try, one does; the
    /// other is told.
    ///
    /// # Errors
    ///
    /// [`StartError::Checkpoint`], when no such run waits, it is one of another pipe, the pipe has
    /// changed, or somebody else goes on with it.
    pub fn resume_run(
        &self,
        run: RunId,
        context: C,
        input: &impl Serialize,
    ) -> Result<PipeResult<S>, StartError> {
        let keeps = self.keeps.as_ref();
        let keeps = keeps.ok_or_else(|| self.refused(CheckpointError::NotKept { run }))?;
        let input = self.written(run, input)?;
        let position =
            keeps.claim(run, &|left| self.approve(left, &input), &|step, json| match self
                .plan
                .steps
                .get(step as usize)
                .and_then(|s| s.read_items)
            {
                Some(read) => read(json),
                None => Err(serde::de::Error::custom("items of a step that is no map")),
            });
        self.go_on(position.map_err(|source| self.refused(source))?, context, input)
    }

    fn refused(&self, source: CheckpointError) -> StartError {
        StartError::Checkpoint { pipe: self.name().clone(), source }
    }

    /// Whether a run can go on with this pipe and this input.
    fn approve(&self, left: &Left<'_>, input: &serde_json::Value) -> Result<(), CheckpointError> {
        let run = left.run;
        if left.pipe != self.name() {
            return Err(CheckpointError::OtherPipe { run, found: left.pipe.clone() });
        }
        if *left.definition != self.digest() {
            let difference = difference(left.steps, &self.plan.lines());
            return Err(CheckpointError::Changed { run, difference });
        }
        let held = left.machine.held().iter().map(|&step| self.plan.step(step));
        for step in held {
            for check in &step.inputs {
                check(input).map_err(|reason| CheckpointError::InputType {
                    run,
                    step: step.name.clone(),
                    reason,
                })?;
            }
        }
        Ok(())
    }

    fn written(&self, run: RunId, input: &impl Serialize) -> Result<serde_json::Value, StartError> {
        serde_json::to_value(input)
            .map_err(|source| self.refused(CheckpointError::Input { run, source }))
    }

    fn go_on(
        &self,
        position: Position<S>,
        context: C,
        input: serde_json::Value,
    ) -> Result<PipeResult<S>, StartError> {
        let run = position.run;
        let leg = Leg {
            run,
            started_at: now(),
            state: position.state,
            context: Arc::new(context),
            cancel: CancelToken::new(),
            first: First::Held,
            machine: position.machine,
            failures: position.failures,
            items: position.items,
            resumed: Some(input),
            keeper: self.keeper(),
            feed: Feed::after(position.seq),
        };
        let kept = Some(leg.feed.listen(&kept_events()));
        let execution = Arc::new(Execution::new(&self.plan, leg));
        self.carry_out(Begun { execution, kept, events: None, tellings: Vec::new() })
    }

    fn keeper(&self) -> Option<Keeper<S>> {
        let keeps = Arc::clone(self.keeps.as_ref()?);
        Some(Keeper { keeps, definition: self.digest(), steps: self.plan.lines() })
    }

    fn options(&self) -> ScopeOptions {
        let options = ScopeOptions::named(self.name().clone());
        match self.plan.concurrency_max {
            Some(n) => options.concurrency_max(n),
            None => options,
        }
    }

    fn prepare(&self, start: Start<S, C>) -> Result<Begun<S, C>, StartError> {
        let first = match &start.at {
            None => self.plan.roots.clone(),
            Some(at) => vec![self.first_at(at)?],
        };
        let started_at = now();
        let leg = Leg {
            run: start.run.unwrap_or_else(|| RunId::drawn(started_at)),
            started_at,
            state: Arc::new(start.state),
            context: Arc::new(start.context),
            cancel: start.cancel.unwrap_or_default(),
            first: First::Steps(first),
            machine: Machine::default(),
            failures: Vec::new(),
            items: BTreeMap::new(),
            resumed: None,
            keeper: self.keeper(),
            feed: Feed::new(),
        };
        let kept = start.keeps.then(|| leg.feed.listen(&kept_events()));
        let events = start.events.map(|listen| leg.feed.listen(&listen));
        let mut tellings = Vec::new();
        for (listen, listens) in start.listeners {
            let telling = listens(leg.feed.listen(&listen))
                .map_err(|source| StartError::Listener { pipe: self.name().clone(), source })?;
            tellings.push((telling, listen.farewell_max));
        }
        let execution = Arc::new(Execution::new(&self.plan, leg));
        Ok(Begun { execution, kept, events, tellings })
    }

    /// The step to start at, if everything after it can be reached from there.
    fn first_at(&self, at: &Text) -> Result<u32, StartError> {
        let (plan, pipe) = (&self.plan, || self.name().clone());
        let start = plan.find(at.as_str()).ok_or_else(|| {
            let hint = plan.hint(at.as_str());
            StartError::UnknownStep { pipe: pipe(), step: at.clone(), hint }
        })?;
        for (shape, step) in plan.shape.0.iter().zip(0_u32..) {
            let is_join = shape.parents.len() > 1 && shape.join == Join::All;
            if !is_join || step == start || !plan.shape.leads(start, step) {
                continue;
            }
            let beyond = shape.parents.iter().find(|&&p| !plan.shape.leads(start, p));
            if let Some(&parent) = beyond {
                return Err(StartError::JoinOutOfReach {
                    pipe: pipe(),
                    start: at.clone(),
                    join: plan.step(step).name.clone(),
                    parent: plan.step(parent).name.clone(),
                });
            }
        }
        Ok(start)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Text {
        &self.plan.name
    }

    /// What the pipe is: everything that changes what it does, so far as the code of its steps is
    /// known. Equal on every machine; what a run may be resumed with is told by it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.plan.digest()
    }

    /// Its steps and edges.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.plan.topology
    }

    /// Its steps and edges as Mermaid.
    #[must_use]
    pub fn mermaid(&self) -> String {
        Drawing::of(self.topology()).mermaid()
    }

    /// The same for Graphviz.
    #[must_use]
    pub fn dot(&self) -> String {
        Drawing::of(self.topology()).dot()
    }

    /// What it is, for people and for programs: its steps with all that is said of them.
    #[must_use]
    pub fn describe(&self) -> Described {
        self.plan.describe()
    }
}

impl<S: Shares, C: Send + Sync + 'static> PipeRun<S, C> {
    /// The run's id.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.begun.execution.run
    }

    /// What happens in the run: from its first event on, if the start asks for
    /// [events](Start::with_events) and they were not taken yet; otherwise from now on.
    pub fn events(&mut self) -> Events<StepEvent> {
        let asked_for = self.begun.events.take();
        asked_for.unwrap_or_else(|| self.begun.execution.feed.listen(&Listen::new()))
    }

    /// Calls the run off: no further step starts, and those under way can [know](super::Cancel).
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

    /// What was told of it, in order, if that was [kept](Start::keeping_events).
    #[must_use]
    pub fn events(&self) -> &[Told<StepEvent>] {
        &self.events
    }

    /// What became of those who listened, in the order in which the start has them.
    #[must_use]
    pub fn listeners(&self) -> &[Heard] {
        &self.heard
    }

    /// What to [resume](Pipe::resume), if it is suspended.
    #[must_use]
    pub fn suspended(&self) -> Option<&Suspended<S>> {
        self.suspended.as_ref()
    }
}

impl<S, C> fmt::Debug for Pipe<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.fmt(f)
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

impl<S, C> fmt::Debug for Start<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("at", &self.at).finish_non_exhaustive()
    }
}

impl<S, C> fmt::Debug for PipeRun<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.begun.execution.fmt(f)
    }
}
