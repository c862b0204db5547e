//! Owns the ways into a run: on threads of its own, on an engine's, in a turn of a pipeline. What
//! is run is the same everywhere.

use std::fmt;
use std::sync::Arc;

use selvedge_event::Canceller;
use selvedge_runtime::{
    Context, Pipeline, PipelineBuilder, Running, ScopeControl, ScopeError, ScopeOptions, Tasks,
};

use crate::driver::{Undone, carry_out};
use crate::error::RunError;
use crate::flow::Flow;
use crate::request::Request;
use crate::result::RunResult;
use crate::run::{Execution, Run};
use crate::run_event::RunEvent;
use crate::stream::{Events, Listen};

/// Threads on which runs are carried out: those of many flows, any number at once.
///
/// ```
/// use selvedge_flow::{Engine, Flow, Request};
///
/// let mut flow = Flow::builder("square");
/// let x = flow.parameter::<u64>("x");
/// let square = flow.node("square", (x,), |x: &u64| Ok(x * x));
/// let flow = flow.build()?;
///
/// let engine = Engine::start()?;
/// let runs: Result<Vec<_>, _> =
///     (0..4_u64).map(|x| engine.launch(&flow, Request::new().with("x", x))).collect();
/// let squares = runs?.into_iter().map(|run| Ok(*run.wait().value(square)?));
/// assert_eq!(squares.collect::<anyhow::Result<Vec<u64>>>()?, [0, 1, 4, 9]);
/// engine.close()?;
/// # Ok::<(), anyhow::Error>(())
/// ```
pub struct Engine {
    running: Running,
}

impl Engine {
    /// As many threads as the machine has cores.
    ///
    /// # Errors
    ///
    /// [`RunError::Workers`], when they can't be had.
    pub fn start() -> Result<Engine, RunError> {
        Engine::started(Pipeline::builder())
    }

    /// So many threads.
    ///
    /// # Errors
    ///
    /// [`RunError::Workers`], when they can't be had; zero is refused.
    pub fn with_workers(n: usize) -> Result<Engine, RunError> {
        Engine::started(Pipeline::builder().workers(n))
    }

    fn started(builder: PipelineBuilder) -> Result<Engine, RunError> {
        let flow = || "engine".into();
        let workers = |source| RunError::Workers { flow: flow(), source };
        let pipeline = builder.build().map_err(workers)?;
        let running = pipeline
            .start()
            .map_err(|source| RunError::Pipeline { flow: flow(), source: Box::new(source) })?;
        Ok(Engine { running })
    }

    /// Begins a run of a flow.
    ///
    /// # Errors
    ///
    /// [`RunError`], when the request can't be met.
    pub fn launch(&self, flow: &Flow, request: Request) -> Result<RunHandle, RunError> {
        let refused = |source| RunError::Scope { flow: flow.name().clone(), source };
        let (execution, options) = flow.prepare(request)?;
        let start = execution.start();
        let control = self.open(options, Run(Arc::clone(&execution)), start).map_err(refused)?;
        Ok(RunHandle { execution, control })
    }

    /// Opens the scope of a run.
    pub(crate) fn open(
        &self,
        options: ScopeOptions,
        tasks: impl Tasks,
        start: u32,
    ) -> Result<ScopeControl, ScopeError> {
        let scope = self.running.scope(options, tasks)?;
        // A scope that was stopped in between tells so at its end.
        let _ = scope.post(start);
        // Whoever forgets the handle keeps neither the scope nor the engine open.
        let control = scope.control();
        scope.close();
        Ok(control)
    }

    /// Waits until all runs have come to their ends, and ends the threads.
    ///
    /// # Errors
    ///
    /// [`RunError::Pipeline`], when what carries out the runs has failed.
    pub fn close(self) -> Result<(), RunError> {
        self.running.finish().map(|_| ()).map_err(|source| RunError::Pipeline {
            flow: "engine".into(),
            source: Box::new(source),
        })
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

/// A run that goes on. Dropping the handle does not end it.
#[derive(Debug)]
pub struct RunHandle {
    execution: Arc<Execution>,
    control: ScopeControl,
}

impl RunHandle {
    /// The run's id.
    #[must_use]
    pub fn run(&self) -> selvedge_lineage::RunId {
        self.execution.run
    }

    /// What happens in the run: from its first event on, if the request asks for
    /// [events](Request::with_events) and they were not taken yet; otherwise from now on. They can
    /// be read while the run goes on or when it is over, on any thread.
    ///
    /// ```
    /// use selvedge_flow::{Engine, Flow, Listen, Request};
    ///
    /// let mut flow = Flow::builder("square");
    /// let x = flow.parameter::<u64>("x");
    /// flow.node("square", (x,), |x: &u64| Ok(x * x));
    /// let flow = flow.build()?;
    ///
    /// let engine = Engine::start()?;
    /// let request = Request::new().with("x", 7_u64).with_events(Listen::new());
    /// let run = engine.launch(&flow, request)?;
    /// let told: Result<Vec<String>, _> =
    ///     run.events().map(|told| told.map(|told| told.event.to_string())).collect();
    /// assert_eq!(told?, [
    ///     "run of square started",
    ///     "param:x succeeded",
    ///     "square started",
    ///     "square succeeded",
    ///     "run succeeded",
    /// ]);
    /// engine.close()?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn events(&self) -> Events<RunEvent> {
        let asked_for = self.execution.events.lock().take();
        asked_for.unwrap_or_else(|| self.execution.feed.listen(&Listen::new()))
    }

    /// Calls the run off: no further node starts, and those under way can
    /// [know](crate::RunInfo::is_cancelled).
    pub fn cancel(&self) {
        self.execution.call_off();
        self.control.cancel(Canceller::User);
    }

    /// Waits until the run has come to its end: all nodes that are wanted have, or it was called
    /// off. A node that is late and doesn't come back is not waited for. Don't call it from a turn:
    /// the worker may be the one that is waited for.
    #[must_use]
    pub fn wait(self) -> RunResult {
        self.execution.wait();
        RunResult::new(&self.execution)
    }
}

impl Flow {
    /// Runs it to its end, on as many threads as the machine has cores: this one is one of them.
    /// For many runs, an [`Engine`] keeps the threads.
    ///
    /// # Errors
    ///
    /// [`RunError`], when the request can't be met. That nodes fail is no error: it is in the
    /// result.
    pub fn run(&self, request: Request) -> Result<RunResult, RunError> {
        let (execution, options) = self.prepare(request)?;
        let tasks = Run(Arc::clone(&execution));
        carry_out(options, tasks, execution.start()).map_err(|undone| {
            let flow = self.name().clone();
            match undone {
                Undone::Workers(source) => RunError::Workers { flow, source },
                Undone::Pipeline(source) => RunError::Pipeline { flow, source: Box::new(source) },
            }
        })?;
        Ok(RunResult::new(&execution))
    }

    /// Begins a run within a pipeline, from a turn of one of its processors: its nodes are taken by
    /// the pipeline's workers, which waits for the run. It begins when the turn has succeeded.
    ///
    /// ```
    /// use selvedge_event::Init;
    /// use selvedge_flow::{Flow, Request};
    /// use selvedge_runtime::{Context, Pipeline, on};
    /// use selvedge_sync::Mutex;
    /// use std::sync::Arc;
    ///
    /// let mut flow = Flow::builder("seven");
    /// let seven = flow.node("seven", (), || Ok(7));
    /// let flow = flow.build()?;
    ///
    /// let begun = Arc::new(Mutex::new(None));
    /// let opens = {
    ///     let begun = Arc::clone(&begun);
    ///     move |cx: &mut Context, _: &Init| {
    ///         *begun.lock() = Some(flow.begin(cx, Request::new())?);
    ///         Ok(())
    ///     }
    /// };
    /// Pipeline::builder().processor(on("opens", opens)).build()?.run()?;
    /// let run = begun.lock().take().unwrap();
    /// assert_eq!(run.wait().value(seven)?, &7);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError`], when the request can't be met.
    pub fn begin(&self, cx: &mut Context<'_>, request: Request) -> Result<RunHandle, RunError> {
        let (execution, options) = self.prepare(request)?;
        let refused = |source| RunError::Scope { flow: self.name().clone(), source };
        let start = execution.start();
        let control = open(cx, options, Run(Arc::clone(&execution)), start).map_err(refused)?;
        Ok(RunHandle { execution, control })
    }
}

/// Opens the scope of a run in a turn.
pub(crate) fn open(
    cx: &mut Context<'_>,
    options: ScopeOptions,
    tasks: impl Tasks,
    start: u32,
) -> Result<ScopeControl, ScopeError> {
    let mut scope = cx.scope(options, tasks)?;
    scope.post(start);
    Ok(scope.control())
}
