//! A pipeline's run, played by one thread under virtual time: which worker goes on next follows
//! from a seed, and so does everything else.
//!
//! [`Sim`] plays the code that production runs: mailboxes, scheduler, batches, retries, timers,
//! phases. Only the loop around it differs: a worker comes back after every turn, before it
//! publishes and before it gives a mailbox back, and whoever is chosen goes on. Time stands still
//! while somebody can go on, and then jumps to the next timer. `selvedge-testkit` runs many seeds.

mod client;
mod error;
mod strategy;
mod trace;
mod watched;
mod world;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Event, IntoEvent, Text};
use selvedge_sync::random::Rng;
use selvedge_sync::{Clock, Mutex};

pub use client::{Await, Client};
pub use error::SimError;
pub use strategy::Strategy;
pub use trace::Trace;

use crate::error::BuildError;
use crate::pipeline::{Pipeline, PipelineBuilder};
use crate::report::RunReport;
use client::{Play, Played};
use strategy::Picker;
use watched::{Cost, Fault, Journal, Watched};
use world::{Failed, World};

/// A simulation to come: what follows from the seed, unless it is said otherwise, and what goes
/// wrong.
///
/// ```
/// use std::time::Duration;
/// use selvedge_event::{Dynamic, Event, Interest, Interests};
/// use selvedge_runtime::simulation::Sim;
/// use selvedge_runtime::{Context, Pipeline, Processor, Result};
///
/// struct Countdown;
/// impl Processor for Countdown {
///     fn interests(&self) -> Interests {
///         Interests::listed([Interest::kind("count")])
///     }
///     fn process(&mut self, cx: &mut Context, event: &Event) -> Result {
///         if let Some(n @ 1..) = event.value().and_then(|value| value.as_u64()) {
///             cx.emit_after(Duration::from_secs(3_600), Dynamic::new("count", n - 1));
///         }
///         Ok(())
///     }
/// }
///
/// let play = || {
///     let sim = Sim::new(7).submit_at(Duration::from_secs(60), Dynamic::new("count", 24));
///     let pipeline = sim.build(Pipeline::builder().processor(Countdown))?;
///     Ok::<_, selvedge_runtime::BuildError>(sim.run(pipeline))
/// };
/// let run = play()?;
/// assert_eq!(run.result?.handled, 25);
/// assert_eq!(run.elapsed, Duration::from_secs(60 + 24 * 3_600)); // In less than a millisecond.
/// assert_eq!(run.trace, play()?.trace);
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// Processors must not wait for anything outside of the pipeline, read the time or draw from the
/// machine's randomness: the first hangs the simulation, the others make two runs of one seed
/// differ. Hooks of [`on_worker_start`](PipelineBuilder::on_worker_start) are not called and
/// signals not handled: no thread is started. Observers and recorders are told after every step.
#[must_use = "a simulation does nothing until it is run"]
pub struct Sim {
    seed: u64,
    clock: Clock,
    n_workers: usize,
    strategy: Strategy,
    steps_max: u64,
    costs: Vec<(String, Duration)>,
    jitter: Duration,
    faults: Vec<(String, u64, Fault)>,
    faults_overall: Vec<(u64, Fault)>,
    script: Vec<(Duration, Event)>,
    plays: Vec<Play>,
}

/// Steps that a run may take unless it is said otherwise.
const STEPS_MAX: u64 = 10_000_000;

impl Sim {
    /// The simulation of this seed: one to four workers and a [`Strategy`] are drawn from it.
    pub fn new(seed: u64) -> Sim {
        let mut rng = Rng::seeded(seed).split("plan");
        let n_workers = 1 + strategy::index(&mut rng, 4);
        Sim {
            seed,
            clock: Clock::manual(),
            n_workers,
            strategy: Strategy::drawn(&mut rng, n_workers),
            steps_max: STEPS_MAX,
            costs: Vec::new(),
            jitter: Duration::ZERO,
            faults: Vec::new(),
            faults_overall: Vec::new(),
            script: Vec::new(),
            plays: Vec::new(),
        }
    }

    /// The seed that it was given.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many workers are played, whatever the pipeline's builder says. At least one is.
    pub fn workers(mut self, n_workers: usize) -> Sim {
        self.n_workers = n_workers.max(1);
        self
    }

    /// How many workers are going to be played.
    #[must_use]
    pub fn workers_played(&self) -> usize {
        self.n_workers
    }

    /// How it is chosen who goes on.
    pub fn strategy(mut self, strategy: Strategy) -> Sim {
        self.strategy = strategy;
        self
    }

    /// Steps after which the run is an error that says what it did: ten million by default. A turn
    /// takes about four.
    pub fn steps_max(mut self, n_steps: u64) -> Sim {
        self.steps_max = n_steps;
        self
    }

    /// Lets every turn and every pull of this processor take so much virtual time. Its worker is
    /// busy for that long; the others go on.
    pub fn cost(mut self, processor: &str, cost: Duration) -> Sim {
        self.costs.push((processor.to_owned(), cost));
        self
    }

    /// Lets every turn and every pull of all processors take up to so much virtual time more, drawn
    /// from the seed. Workers that are never done at the same moment don't get between each other's
    /// steps: give it to some seeds only.
    pub fn jitter(mut self, at_most: Duration) -> Sim {
        self.jitter = at_most;
        self
    }

    /// Makes an attempt at a turn fail before the processor is called, as if the first thing that
    /// it needs were missing. Attempts are counted from 1 for each processor, init included.
    pub fn fail_turn(self, processor: &str, number: u64) -> Sim {
        self.fault(processor, number, Fault::Error)
    }

    /// Makes an attempt at a turn panic when the processor is through with it: what it emitted must
    /// not be heard, and what it changed must not stay.
    pub fn panic_turn(self, processor: &str, number: u64) -> Sim {
        self.fault(processor, number, Fault::Panic)
    }

    /// Makes an attempt at a turn take so much longer.
    pub fn stall_turn(self, processor: &str, number: u64, stall: Duration) -> Sim {
        self.fault(processor, number, Fault::Stall(stall))
    }

    /// As [`fail_turn`](Self::fail_turn), counted over all processors.
    pub fn fail_any_turn(mut self, number: u64) -> Sim {
        self.faults_overall.push((number, Fault::Error));
        self
    }

    /// As [`panic_turn`](Self::panic_turn), counted over all processors.
    pub fn panic_any_turn(mut self, number: u64) -> Sim {
        self.faults_overall.push((number, Fault::Panic));
        self
    }

    fn fault(mut self, processor: &str, number: u64, fault: Fault) -> Sim {
        self.faults.push((processor.to_owned(), number, fault));
        self
    }

    /// Submits an event from outside at this virtual time, counted from the beginning of the run.
    /// All that are given so come from one submitter, in the order of their times; where there is
    /// no room, it waits.
    pub fn submit_at(mut self, time: Duration, event: impl IntoEvent) -> Sim {
        self.script.push((time, event.into_event()));
        self
    }

    /// Lets something play the part of another thread that submits, asks and waits. It is called
    /// again and again, whenever what it [awaits](Await) has come and it is chosen.
    ///
    /// ```
    /// use std::time::Duration;
    /// use selvedge_runtime::simulation::{Await, Sim};
    /// use selvedge_runtime::{Context, Pipeline, on};
    /// # use selvedge_event::{Kind, Payload};
    /// # struct Ping(u32);
    /// # impl Payload for Ping { fn kind() -> Kind { Kind::literal("doc::Ping") } }
    /// let mut answer = None;
    /// let sim = Sim::new(1).client(move |client| match answer.take() {
    ///     None => {
    ///         answer = Some(client.ask::<Ping>(Ping(4)));
    ///         Await::Answers
    ///     }
    ///     Some(answer) => {
    ///         let reply = answer.now().expect("that was awaited").expect("and given");
    ///         assert_eq!(reply.0, 8);
    ///         Await::Done
    ///     }
    /// });
    /// let double = on("double", |cx: &mut Context, ping: &Ping| {
    ///     cx.reply(Ping(ping.0 * 2));
    ///     Ok(())
    /// });
    /// let pipeline = sim.build(Pipeline::builder().processor(double))?;
    /// assert_eq!(sim.run(pipeline).result?.handled, 1);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn client(mut self, play: impl FnMut(&mut Client<'_>) -> Await + 'static) -> Sim {
        self.plays.push(Box::new(play));
        self
    }

    /// Builds a pipeline that lives by this simulation's clock.
    ///
    /// # Errors
    ///
    /// As [`PipelineBuilder::build`].
    pub fn build(&self, builder: PipelineBuilder) -> Result<Pipeline, BuildError> {
        builder.workers(self.n_workers).clock(self.clock.clone()).build()
    }

    /// Runs a pipeline that was [built](Self::build) for this simulation to its end.
    #[must_use]
    pub fn run(self, pipeline: Pipeline) -> SimRun {
        let mut played = SimRun {
            result: Err(SimError::RealTime),
            seed: self.seed,
            workers: self.n_workers,
            strategy: self.strategy,
            trace: Trace::default(),
            elapsed: Duration::ZERO,
            steps: 0,
            faults: 0,
        };
        match self.check(&pipeline) {
            Ok(()) => self.play(pipeline, &mut played),
            Err(error) => played.result = Err(error),
        }
        played
    }

    fn check(&self, pipeline: &Pipeline) -> Result<(), SimError> {
        if !pipeline.core().clock.is_clone_of(&self.clock) {
            return Err(SimError::RealTime);
        }
        let planned = self.costs.iter().map(|(name, _)| name);
        let planned = planned.chain(self.faults.iter().map(|(name, ..)| name));
        let known: Vec<String> = pipeline.processor_names().map(Text::to_string).collect();
        match planned.into_iter().find(|name| !known.contains(name)) {
            Some(name) => Err(SimError::NoSuchProcessor { name: name.clone(), known }),
            None => Ok(()),
        }
    }

    fn play(mut self, pipeline: Pipeline, played: &mut SimRun) {
        let rng = Rng::seeded(self.seed);
        let core = Arc::clone(pipeline.core());
        if !self.script.is_empty() {
            self.plays.push(client::script(std::mem::take(&mut self.script)));
        }
        let plays = std::mem::take(&mut self.plays).into_iter();
        let clients: Vec<Played> = plays.map(|play| Played::new(&pipeline, play)).collect();
        let faults = std::mem::take(&mut self.faults_overall);
        let journal = Arc::new(Mutex::new(Journal::planned(faults)));
        let wrap = |name: &Text, owner| -> Box<dyn crate::owner::Owner> {
            Box::new(self.watch(name, owner, &rng, &journal))
        };
        let began = pipeline.begin_playing(wrap);
        let mut choices = rng.split("choices");
        let n_actors = self.n_workers + clients.len();
        let mut world = World {
            clock: self.clock.clone(),
            journal: Arc::clone(&journal),
            picker: Picker::new(self.strategy, n_actors, &mut choices),
            rng: choices,
            workers: Vec::new(),
            busy_until: vec![Duration::ZERO; self.n_workers],
            found_full_at: vec![u64::MAX; clients.len()],
            clients,
            n_worker_steps: 0,
            n_steps: 0,
            steps_max: self.steps_max,
            failure: None,
            n_phases: 0,
            stopping_told: false,
            core,
        };
        let result = began.and_then(|run| {
            world.workers = run.workers();
            run.lead_by(|run| world.settle_down(run))
        });
        played.steps = world.n_steps;
        played.elapsed = self.clock.now();
        played.result = match world.failure.take() {
            Some(Failed::Stuck(waiting)) => Err(SimError::Stuck { waiting }),
            Some(Failed::TooManySteps(busiest)) => {
                Err(SimError::TooManySteps { steps: world.n_steps, busiest })
            }
            Some(Failed::Refused(source)) => Err(SimError::Refused { source }),
            None => result.map_err(SimError::Run),
        };
        drop(world);
        let end = match &played.result {
            Ok(report) => format!("over: {} handled, {} dead", report.handled, report.dead),
            Err(error) => format!("failed: {error}"),
        };
        let mut journal = journal.lock();
        journal.tell(played.elapsed, format_args!("{end}"));
        played.faults = journal.n_faults;
        played.trace = std::mem::take(&mut journal.trace);
    }

    fn watch(
        &self,
        name: &Text,
        owner: Box<dyn crate::owner::Owner>,
        rng: &Rng,
        journal: &Arc<Mutex<Journal>>,
    ) -> Watched {
        let costs = self.costs.iter().filter(|(other, _)| other.as_str() == name.as_str());
        let faults = self.faults.iter().filter(|(other, ..)| other.as_str() == name.as_str());
        Watched {
            owner,
            name: name.clone(),
            cost: Cost { fixed: costs.map(|(_, cost)| *cost).sum(), jitter: self.jitter },
            faults: faults.map(|(_, number, fault)| (*number, *fault)).collect(),
            rng: rng.split(name.as_str()),
            clock: self.clock.clone(),
            journal: Arc::clone(journal),
            n_attempts: 0,
            untouched: false,
        }
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("seed", &self.seed)
            .field("workers", &self.n_workers)
            .field("strategy", &self.strategy)
            .finish_non_exhaustive()
    }
}

/// What a simulated run came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct SimRun {
    /// The report, or why there is none. Times in it are virtual.
    pub result: Result<RunReport, SimError>,
    /// The seed that all of it follows from.
    pub seed: u64,
    /// How many workers were played.
    pub workers: usize,
    /// How it was chosen who went on.
    pub strategy: Strategy,
    /// What happened.
    pub trace: Trace,
    /// The virtual time that it took.
    pub elapsed: Duration,
    /// Steps of workers and clients.
    pub steps: u64,
    /// Attempts that were made to fail, to panic or to stall. A plan that names a turn which never
    /// comes has no effect: look here.
    pub faults: u64,
}
