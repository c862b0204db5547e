//! Owns a pipe that was built, what a run of it is given, and what it comes to.

mod handle;
mod result;
mod resuming;
mod start;

use std::fmt;
use std::sync::Arc;

use selvedge_event::{Digest, Text};
use selvedge_lineage::RunId;
use selvedge_runtime::{Context, ScopeControl, ScopeError, ScopeOptions};
use selvedge_topology::{Drawing, Topology};

use super::builder::PipeBuilder;
use super::checkpoints::Keeps;
use super::error::StartError;
use super::machine::Join;
use super::plan::{Described, Plan};
use super::position::Position;
use super::recording::Records;
use super::run::{Execution, First, Leg, Run, START};
use super::state::Shares;
use crate::driver::{Undone, carry_out};
use crate::engine::{Engine, open};
use crate::flow::now;

use handle::{Begun, kept_events};

pub use handle::PipeRun;
pub use result::{PipeResult, Suspended};
pub use start::Start;

/// Steps over a state that they share: what each does, and what follows from it. Immutable; any
/// number of runs of it go on at once. Clones share it.
pub struct Pipe<S, C = ()> {
    plan: Arc<Plan<S, C>>,
    keeps: Option<Arc<dyn Keeps<S>>>,
    records: Option<Arc<dyn Records<S>>>,
}

impl<S, C> Clone for Pipe<S, C> {
    fn clone(&self) -> Pipe<S, C> {
        Pipe {
            plan: Arc::clone(&self.plan),
            keeps: self.keeps.clone(),
            records: self.records.clone(),
        }
    }
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
        Pipe { plan: Arc::new(plan), keeps: None, records: None }
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
        let run = start.run.unwrap_or_else(|| RunId::drawn(started_at));
        let position = Position::new(&self.plan, run, start.state);
        let leg = Leg {
            started_at,
            cancel: start.cancel.unwrap_or_default(),
            first: First::Steps(first),
            keeper: self.keeper(),
            records: self.records.clone(),
            ..Leg::at(position, Arc::new(start.context))
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

    pub(crate) fn shared_plan(&self) -> Arc<Plan<S, C>> {
        Arc::clone(&self.plan)
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

impl<S, C> fmt::Debug for Pipe<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.fmt(f)
    }
}
