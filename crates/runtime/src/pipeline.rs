//! Owns `Pipeline` and its builder: processors are wired, checked, and handed to a run.

mod builder;
mod troupe;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use selvedge_event::{IntoEvent, Payload, Text};
use selvedge_sync::Clock;

use crate::ask::Answer;
use crate::collect::{Collected, Collector};
use crate::control::Control;
use crate::core::Core;
use crate::error::{RunError, SubmitError};
use crate::feeder::Feeder;
use crate::handles::{Monitor, StopHandle, Submitter};
use crate::lanes::{Capacity, WhenFull};
use crate::limits::Limits;
use crate::listeners::Listener;
use crate::origin::Origin;
use crate::owner::Owner;
use crate::processor::Result;
use crate::registration::{Configure, Registered};
use crate::replay::{Addresses, ReplayError, replay};
use crate::report::{DeadLetter, RunReport};
use crate::routes::RouteTable;
use crate::run::{Keeper, Lead, Plan, Run, Running, WorkerStart};
pub use builder::PipelineBuilder;
use builder::Routing;
use troupe::Troupe;

/// Processors wired and ready to run, once.
///
/// ```
/// use selvedge_runtime::{Context, Pipeline, on};
/// # use selvedge_event::{Kind, Payload};
/// # struct Start; struct Greet(&'static str);
/// # impl Payload for Start { fn kind() -> Kind { Kind::literal("doc::Start") } }
/// # impl Payload for Greet { fn kind() -> Kind { Kind::literal("doc::Greet") } }
/// let mut pipeline = Pipeline::builder()
///     .processor(on("greeter", |cx: &mut Context, _: &Start| {
///         cx.emit(Greet("hello"));
///         Ok(())
///     }))
///     .build()?;
/// let greetings = pipeline.collect::<Greet>();
/// pipeline.submit(Start)?;
/// let report = pipeline.run()?;
/// assert_eq!(greetings.take()[0].0, "hello");
/// assert_eq!(report.handled, 2);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub struct Pipeline {
    core: Keeper,
    routes: Arc<RouteTable>,
    troupe: Troupe,
    listeners: Vec<Listener>,
    n_workers: usize,
    handle_signals: bool,
    warnings: Vec<String>,
    on_worker_start: Option<WorkerStart>,
    concurrency: Vec<(Text, NonZeroUsize)>,
}

impl Pipeline {
    /// Begins to wire a pipeline.
    pub fn builder() -> PipelineBuilder {
        PipelineBuilder {
            troupe: Troupe::default(),
            limits: Limits::default(),
            n_workers: selvedge_sync::thread::available_parallelism(),
            routing: Routing::Lenient,
            handle_signals: false,
            timed: false,
            listeners: Vec::new(),
            on_worker_start: None,
            clock: Clock::real(),
            concurrency: Vec::new(),
            store: None,
            caches: None,
            origin: None,
        }
    }

    /// What the builder of this pipeline should know; the report repeats it.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The processors' names, in order of registration.
    pub fn processor_names(&self) -> impl Iterator<Item = &Text> {
        self.troupe.roster().names().iter()
    }

    /// Collects the events of one type, to be taken out during the run or after it. The
    /// collector counts as one more processor that hears them: what was submitted before, it hears
    /// too, unless nobody heard it then.
    ///
    /// # Panics
    ///
    /// When another Rust type in this pipeline has `T`'s kind.
    pub fn collect<T: Payload>(&mut self) -> Collected<T> {
        let Limits { collected_max, collected_bytes_max, .. } = self.core.limits;
        let (collector, collected) = Collector::<T>::new(collected_max, collected_bytes_max);
        let name = format!("collect {} #{}", T::kind(), self.troupe.len());
        let registered = Registered::from(collector.named(name));
        // The roster is changed in place if nobody else has it.
        *self.core.addresses.lock() = Addresses::default();
        let routes = self.troupe.add_checked(registered, &self.routes);
        self.routes = Arc::new(routes.unwrap_or_else(|clash| panic!("{clash}")));
        *self.core.addresses.lock() = Addresses::of(Arc::clone(self.troupe.roster()));
        for lane in &self.core.lanes {
            lane.rewire(Arc::clone(&self.routes));
        }
        collected
    }

    /// Submits an event before the run and says how many processors hear it; zero is legal.
    ///
    /// # Errors
    ///
    /// [`SubmitError`], with the event, above [`Limits::backlog_max`].
    pub fn submit(&self, event: impl IntoEvent) -> Result<usize, SubmitError> {
        self.put(event, &Origin::outside())
    }

    /// Submits a question before the run; a turn answers it with
    /// [`Context::reply`](crate::Context::reply).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub fn ask<R: Payload>(&self, question: impl IntoEvent) -> Result<Answer<R>, SubmitError> {
        let (event, origin, answer) = Origin::question(question);
        self.put(event, &origin)?;
        Ok(answer)
    }

    /// Submits the events of dead letters before the run, each to the processor that it came from,
    /// by name, and to nobody else; says how many there were. Their attempts are counted afresh: a
    /// turn that fails again makes a dead letter again, which nobody replays by itself.
    ///
    /// ```
    /// use selvedge_runtime::{Configure, Context, FailurePolicy, Pipeline, on};
    /// # use selvedge_event::{Kind, Payload};
    /// # struct Ping(u32);
    /// # impl Payload for Ping { fn kind() -> Kind { Kind::literal("doc::Ping") } }
    /// let build = |broken: bool| {
    ///     let ping = on("ping", move |_cx: &mut Context, ping: &Ping| {
    ///         anyhow::ensure!(!broken, "no connection");
    ///         Ok(())
    ///     });
    ///     Pipeline::builder().processor(ping.on_failure(FailurePolicy::Skip)).build()
    /// };
    /// let broken = build(true)?;
    /// broken.submit(Ping(1))?;
    /// let letters = broken.run()?.dead_letters;
    ///
    /// let mended = build(false)?;
    /// assert_eq!(mended.replay(letters)?, 1);
    /// assert_eq!(mended.run()?.handled, 1);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReplayError`], with the first letter that can't go back. Those before it are submitted,
    /// and those after it not taken: lend the iterator to go on with them.
    pub fn replay(
        &self,
        letters: impl IntoIterator<Item = DeadLetter>,
    ) -> Result<usize, ReplayError> {
        let mut n_replayed = 0;
        for letter in letters {
            replay(&self.core.addresses, letter, |to, event| {
                self.core.submit_to(to, 0, event, || self.backlog(), WhenFull::Refuse)
            })?;
            n_replayed += 1;
        }
        Ok(n_replayed)
    }

    fn put(&self, source: impl IntoEvent, origin: &Origin) -> Result<usize, SubmitError> {
        self.core.submit(0, source, origin, || self.backlog(), WhenFull::Refuse)
    }

    /// What may wait before the run. It is limited in number only: nobody could make room.
    fn backlog(&self) -> Capacity {
        Capacity { limit: self.core.limits.backlog_max, bytes: usize::MAX, name: "backlog_max" }
    }

    /// A handle with which another thread submits during the run; the run goes on until it is
    /// dropped.
    #[must_use]
    pub fn submitter(&self) -> Submitter {
        Submitter::new(&self.core)
    }

    /// A handle that ends the run early.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle { core: Arc::clone(&self.core) }
    }

    /// A handle to pause the run, drain it, change its limits and end it.
    #[must_use]
    pub fn control(&self) -> Control {
        Control { core: Arc::clone(&self.core) }
    }

    /// A handle to look at the run.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor { core: Arc::clone(&self.core) }
    }

    /// Runs until everything is handled: init, drain, phases, poison, close. The calling thread
    /// takes turns too.
    ///
    /// # Errors
    ///
    /// [`RunError`] says which processor failed on what, or which limit was reached.
    pub fn run(self) -> Result<RunReport, RunError> {
        Run::begin(self.into_plan(), Lead::Helping)?.lead()
    }

    /// Runs as [`run`](Self::run) does, on what is submitted meanwhile by the calling thread, which
    /// takes turns whenever there is no room for more. The phases begin when `feed` has returned
    /// and all submitters are gone.
    ///
    /// ```
    /// use selvedge_runtime::{Context, Pipeline, on};
    /// # use selvedge_event::{Kind, Payload};
    /// # struct Ping(u32);
    /// # impl Payload for Ping { fn kind() -> Kind { Kind::literal("doc::Ping") } }
    /// let pipeline = Pipeline::builder()
    ///     .processor(on("ping", |_cx: &mut Context, _: &Ping| Ok(())))
    ///     .build()?;
    /// let report = pipeline.run_with(|feeder| {
    ///     for n in 0..100_000 {
    ///         feeder.submit(Ping(n))?;
    ///     }
    ///     Ok(())
    /// })?;
    /// assert_eq!(report.handled, 100_000);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run), and [`RunError::Feed`] when `feed` fails or panics.
    pub fn run_with(
        self,
        feed: impl FnOnce(&mut Feeder<'_>) -> Result,
    ) -> Result<RunReport, RunError> {
        let mut run = Run::begin(self.into_plan(), Lead::Helping)?;
        run.feed(feed);
        run.lead()
    }

    /// Starts the pipeline in threads of its own, to live on until it is told to finish.
    ///
    /// # Errors
    ///
    /// [`RunError::Spawn`] and [`RunError::Signals`]; what fails later is told by
    /// [`Running::finish`].
    pub fn start(self) -> Result<Running, RunError> {
        Run::begin(self.into_plan(), Lead::Waiting).map(Running::new)
    }

    /// What the runtime's threads share.
    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Has a run of this pipeline played by its lead, with every processor's owner put into
    /// another.
    pub(crate) fn begin_playing(
        mut self,
        wrap: impl FnMut(&Text, Box<dyn Owner>) -> Box<dyn Owner>,
    ) -> Result<Run, RunError> {
        self.troupe.wrap(wrap);
        Run::begin(self.into_plan(), Lead::Playing)
    }

    fn into_plan(self) -> Plan {
        let (members, priorities) = self.troupe.into_members(&self.concurrency);
        // The thread that leads without helping posts too.
        let n_seats = self.n_workers + 1;
        self.core.install(members, priorities, self.n_workers, n_seats, self.concurrency);
        Plan {
            core: self.core,
            routes: self.routes,
            listeners: self.listeners,
            n_workers: self.n_workers,
            handle_signals: self.handle_signals,
            warnings: self.warnings,
            on_worker_start: self.on_worker_start,
        }
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&Text> = self.processor_names().collect();
        f.debug_struct("Pipeline").field("processors", &names).finish_non_exhaustive()
    }
}
