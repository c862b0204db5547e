//! Owns `PipelineBuilder`: what a pipeline is made of, until it is checked.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use selvedge_event::{Text, Wants};
use selvedge_store::Store;
use selvedge_sync::Clock;

use super::Pipeline;
use super::troupe::Troupe;
use crate::cache::Caches;
use crate::core::Core;
use crate::error::BuildError;
use crate::limits::Limits;
use crate::listeners::{Listener, Listeners, Observer, Recorder, RecorderPolicy};
use crate::registration::IntoRegistration;
use crate::replay::Addresses;
use crate::run::{Keeper, WorkerStart};

/// Wires processors into a [`Pipeline`].
///
/// ```
/// use selvedge_runtime::{Context, Limits, Pipeline, on};
/// # use selvedge_event::{Kind, Payload};
/// # struct Ping(u32);
/// # impl Payload for Ping { fn kind() -> Kind { Kind::literal("doc::Ping") } }
/// let pipeline = Pipeline::builder()
///     .processor(on("first", |_cx: &mut Context, _: &Ping| Ok(())).priority(-1))
///     .processor(on("second", |_cx: &mut Context, _: &Ping| Ok(())))
///     .strict()
///     .workers(2)
///     .limits(Limits { phase_max: 10, ..Limits::default() })
///     .build()?;
/// assert_eq!(pipeline.submit(Ping(1))?, 2);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct PipelineBuilder {
    pub(super) troupe: Troupe,
    pub(super) limits: Limits,
    pub(super) n_workers: usize,
    pub(super) routing: Routing,
    pub(super) handle_signals: bool,
    pub(super) timed: bool,
    pub(super) listeners: Vec<Listener>,
    pub(super) on_worker_start: Option<WorkerStart>,
    pub(super) clock: Clock,
    pub(super) concurrency: Vec<(Text, usize)>,
    pub(super) store: Option<Arc<dyn Store>>,
    pub(super) caches: Option<(Caches, SystemTime)>,
    pub(super) origin: Option<Text>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Routing {
    Lenient,
    Strict,
}

impl PipelineBuilder {
    /// Adds a processor. Order counts: it is the order of init and close, and of turns among
    /// equals.
    pub fn processor(mut self, processor: impl IntoRegistration) -> PipelineBuilder {
        self.troupe.add(processor.into_registration().into());
        self
    }

    /// Adds several of one type.
    pub fn processors<R: IntoRegistration>(
        mut self,
        processors: impl IntoIterator<Item = R>,
    ) -> PipelineBuilder {
        let processors = processors.into_iter();
        self.troupe.reserve(processors.size_hint().0);
        for processor in processors {
            self.troupe.add(processor.into_registration().into());
        }
        self
    }

    /// Refuses processors whose interests could not be inferred, instead of letting them hear
    /// every event.
    pub fn strict(mut self) -> PipelineBuilder {
        self.routing = Routing::Strict;
        self
    }

    /// How many threads take turns, the one that calls [`run`](Pipeline::run) included. The
    /// default is what the machine can run at once.
    pub fn workers(mut self, n_workers: usize) -> PipelineBuilder {
        self.n_workers = n_workers;
        self
    }

    /// What the pipeline may hold.
    pub fn limits(mut self, limits: Limits) -> PipelineBuilder {
        self.limits = limits;
        self
    }

    /// Lets SIGINT and SIGTERM end the run early, and a second one at once.
    pub fn handle_signals(mut self) -> PipelineBuilder {
        self.handle_signals = true;
        self
    }

    /// Measures the time that each processor is busy, for the report. Costs two readings of the
    /// clock per batch.
    pub fn timed(mut self) -> PipelineBuilder {
        self.timed = true;
        self
    }

    /// Tells someone what happens while it happens. It may miss things, never slows the run, and
    /// is called `observer 1`, `observer 2`, … in the report.
    pub fn observer(self, observer: impl Observer) -> PipelineBuilder {
        let name = Listener::next_name(&self.listeners, "observer");
        self.observer_named(&name, observer)
    }

    /// As [`observer`](Self::observer), by a name.
    pub fn observer_named(mut self, name: &str, observer: impl Observer) -> PipelineBuilder {
        self.listeners.push(Listener::observer(Text::from(name), observer));
        self
    }

    /// Has everything recorded that happens. It misses nothing, holds up the run if it is slow,
    /// and fails the run if it fails. In the report it is called `recorder 1`, `recorder 2`, ….
    pub fn recorder(self, recorder: impl Recorder) -> PipelineBuilder {
        let name = Listener::next_name(&self.listeners, "recorder");
        self.recorder_with(&name, RecorderPolicy::default(), recorder)
    }

    /// As [`recorder`](Self::recorder), by a name and with what its failure means for the run.
    pub fn recorder_with(
        mut self,
        name: &str,
        policy: RecorderPolicy,
        recorder: impl Recorder,
    ) -> PipelineBuilder {
        self.listeners.push(Listener::recorder(Text::from(name), policy, recorder));
        self
    }

    /// Calls this on every thread that the pipeline starts, before its first turn, with the
    /// worker's number: to pin it to a core, say. (The thread that calls `run()` is its own.)
    pub fn on_worker_start(
        mut self,
        hook: impl Fn(usize) + Send + Sync + 'static,
    ) -> PipelineBuilder {
        self.on_worker_start = Some(Arc::new(hook));
        self
    }

    /// Lets the pipeline live by this clock.
    pub(crate) fn clock(mut self, clock: Clock) -> PipelineBuilder {
        self.clock = clock;
        self
    }

    /// Declares a key under which at most so many turns are in flight at a time, over all
    /// processors that are [`limited_by`](crate::Registration::limited_by) it.
    ///
    /// ```
    /// use selvedge_runtime::{Context, Pipeline, on};
    /// # use selvedge_event::{Kind, Payload};
    /// # struct Ping(u32);
    /// # impl Payload for Ping { fn kind() -> Kind { Kind::literal("doc::Ping") } }
    /// let query = |name| on(name, |_cx: &mut Context, _: &Ping| Ok(())).limited_by("db");
    /// let pipeline = Pipeline::builder()
    ///     .concurrency("db", 1)
    ///     .processors(["names", "prices", "stock"].map(query))
    ///     .build()?;
    /// pipeline.submit(Ping(1))?;
    /// assert_eq!(pipeline.run()?.handled, 3);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn concurrency(mut self, key: impl Into<Text>, turns: usize) -> PipelineBuilder {
        self.concurrency.push((key.into(), turns));
        self
    }

    /// Keeps what is to outlive the run in this store: the results of cached processors. Without
    /// one they are kept in memory, see [`Limits::memo_max`].
    ///
    /// ```
    /// use std::sync::Arc;
    /// use selvedge_runtime::{Context, Pipeline, on_cached};
    /// use selvedge_store::Memory;
    /// # use selvedge_event::Event;
    /// # #[derive(Event, serde::Serialize, serde::Deserialize)]
    /// # struct Ping(u32);
    ///
    /// let store = Arc::new(Memory::new()); // Or one on a disk.
    /// for n_replayed in [0, 1] {
    ///     let next = on_cached("next", "1", |_: &mut Context, ping: &Ping| {
    ///         Ok((ping.0 < 1).then(|| Ping(ping.0 + 1)))
    ///     });
    ///     let pipeline = Pipeline::builder().processor(next).store(store.clone()).build()?;
    ///     pipeline.submit(Ping(1))?;
    ///     assert_eq!(pipeline.run()?.processors[0].replayed, n_replayed);
    /// }
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn store(mut self, store: Arc<dyn Store>) -> PipelineBuilder {
        self.store = Some(store);
        self
    }

    /// Keeps the results of cached processors in the store of these caches, as
    /// [`store`](Self::store) does, and notes there whose they are. They are used from `at` on, the
    /// time of day, which is what says later that nobody has used them for long.
    pub fn caches(mut self, caches: &Caches, at: SystemTime) -> PipelineBuilder {
        self.store = Some(Arc::clone(caches.store()));
        self.caches = Some((caches.clone(), at));
        self
    }

    /// What this run is called in the results that it records: a run's id, say. Whoever hears that
    /// one of them is replayed, in this run or a later one, is told; see
    /// [`Fact::LookedUp`](selvedge_event::Fact::LookedUp). The pipeline itself makes nothing of it.
    pub fn origin(mut self, origin: impl Into<Text>) -> PipelineBuilder {
        self.origin = Some(origin.into());
        self
    }

    /// Checks the wiring.
    ///
    /// # Errors
    ///
    /// [`BuildError`] says what does not fit and what to do about it.
    pub fn build(mut self) -> Result<Pipeline, BuildError> {
        if cfg!(panic = "abort") {
            return Err(BuildError::PanicAborts);
        }
        if self.n_workers == 0 {
            return Err(BuildError::NoWorkers);
        }
        self.limits.check()?;
        let mut warnings = Vec::new();
        let (routes, concurrency) =
            self.troupe.check(self.routing, &mut warnings, self.concurrency)?;
        let is_told =
            self.listeners.iter().any(|listener| listener.wants().contains(Wants::LOOK_UPS));
        let (store, origin) = (self.store.as_ref(), self.origin.as_ref());
        self.troupe.open_archives(store, origin, is_told, &self.limits)?;
        if let Some((caches, at)) = &self.caches {
            self.troupe.note_archives(caches, *at);
        }
        self.troupe.open_slips(&self.clock);
        let routes = Arc::new(routes);
        let listeners = Listeners::new(&self.listeners, &self.limits);
        let core = Core::new(self.limits, &routes, listeners, self.timed, self.clock);
        *core.addresses.lock() = Addresses::of(Arc::clone(self.troupe.roster()));
        Ok(Pipeline {
            core: Keeper(Arc::new(core)),
            routes,
            troupe: self.troupe,
            listeners: self.listeners,
            n_workers: self.n_workers,
            handle_signals: self.handle_signals,
            warnings,
            on_worker_start: self.on_worker_start,
            concurrency,
        })
    }
}

impl fmt::Debug for PipelineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineBuilder")
            .field("processors", &self.troupe.len())
            .field("routing", &self.routing)
            .field("n_workers", &self.n_workers)
            .finish_non_exhaustive()
    }
}
