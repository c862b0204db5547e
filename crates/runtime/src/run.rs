//! Owns a run from its first thread to its report: init, drain, phases, poison, close.

mod crew;
mod running;
mod watching;

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Ending, Event, Fact, Init, Payload, Phase, Poison, Text};
use selvedge_sync::signal::{self, Watch};

use crate::cache::Archive;
use crate::core::{Core, Member};
use crate::error::RunError;
use crate::failure::Failure;
use crate::feeder::Feeder;
use crate::lanes::LaneCounts;
use crate::listeners::{Listener, Readers, Told};
use crate::phases::{PhaseLoop, Quiet, Step};
use crate::planted::planted;
use crate::processor::Result;
use crate::report::{Abandoned, ProcessorReport, RunReport, WorkerReport};
use crate::routes::{RouteCache, RouteTable};
use crate::spans::RunSpan;
use crate::turn;
use crate::worker::Worker;
use crew::Crew;
pub use running::Running;
use watching::Watching;

/// What a run needs to know besides the core.
pub(crate) struct Plan {
    pub(crate) core: Keeper,
    pub(crate) routes: Arc<RouteTable>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) n_workers: usize,
    pub(crate) handle_signals: bool,
    pub(crate) warnings: Vec<String>,
    pub(crate) on_worker_start: Option<WorkerStart>,
}

/// What each thread of a pipeline does first, given its number.
pub(crate) type WorkerStart = Arc<dyn Fn(usize) + Send + Sync>;

/// The core, kept by whoever can bring a run to its end: the pipeline, then the run. When the
/// keeper is gone, whichever way, nobody waits for room or replies any more.
pub(crate) struct Keeper(pub(crate) Arc<Core>);

impl Deref for Keeper {
    type Target = Arc<Core>;

    fn deref(&self) -> &Arc<Core> {
        &self.0
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether the thread that leads a run takes turns too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    Helping,
    Waiting,
    /// It plays all threads, one step at a time: none is started.
    Playing,
}

/// A run under way, seen by the thread that leads it.
pub(crate) struct Run {
    plan: Plan,
    lead: Lead,
    worker: Worker,
    crew: Arc<Crew>,
    watching: Watching,
    readers: Readers,
    span: RunSpan,
    /// Kept for its end.
    _watch: Option<Watch>,
    began: Duration,
    n_phases: u32,
}

impl Run {
    /// Starts the threads and lets the processors init.
    pub(crate) fn begin(mut plan: Plan, lead: Lead) -> Result<Run, RunError> {
        let core = &plan.core;
        let watches = plan.handle_signals && lead != Lead::Playing;
        let watch = watches.then(|| watch_signals(core)).transpose();
        let watch = watch.inspect_err(|_| core.drop_processors())?;
        let listeners = std::mem::take(&mut plan.listeners);
        let readers = match lead {
            Lead::Helping | Lead::Waiting => Readers::start(core, listeners),
            Lead::Playing => Ok(Readers::without_threads(core, listeners)),
        };
        let readers = readers.inspect_err(|_| core.drop_processors())?;
        let began = core.clock.now();
        let lead_id = if lead == Lead::Helping { 0 } else { plan.n_workers };
        let worker = new_worker(&plan, lead_id);
        let span = RunSpan::new(plan.n_workers, core.n_members());
        let _in_run = span.enter();
        let crew = Arc::new(Crew::new(&plan, &span));
        let watching = Watching::nobody();
        let _watch = watch;
        let mut run =
            Run { plan, lead, worker, crew, watching, readers, span, _watch, began, n_phases: 0 };
        run.tell(Fact::RunStarted {
            workers: run.plan.n_workers,
            processors: run.plan.core.n_members(),
        });
        let hear_init = run.plan.routes.hears_kind(&Init::kind());
        run.worker.take_in_order(&hear_init, &Event::new(Init));
        run.worker.hand_over();
        run.plan.core.note_initialized();
        if lead != Lead::Playing {
            run.spawn_workers()?;
        }
        Ok(run)
    }

    fn spawn_workers(&mut self) -> Result<(), RunError> {
        let first = if self.lead == Lead::Helping { 1 } else { 0 };
        for id in first..self.plan.n_workers {
            if let Err(source) = self.crew.hire(id) {
                self.give_up();
                return Err(RunError::Spawn { worker: id, source });
            }
        }
        let caller = (self.lead == Lead::Helping).then(|| Arc::clone(self.worker.board()));
        match Watching::start(&self.plan.core, &self.crew, caller) {
            Ok(watching) => {
                self.watching = watching;
                Ok(())
            }
            Err(source) => {
                self.give_up();
                Err(RunError::SpawnListener { listener: Text::literal("watchdog"), source })
            }
        }
    }

    /// Ends the run at once, and waits for its threads.
    fn give_up(&mut self) {
        self.plan.core.abort();
        self.plan.core.await_rest();
        self.watching.end();
        self.join();
        self.plan.core.drop_processors();
        self.readers.finish(&self.plan.core);
    }

    /// Lets someone submit on this thread, which helps meanwhile.
    pub(crate) fn feed(&mut self, feed: impl FnOnce(&mut Feeder<'_>) -> Result) {
        let core = Arc::clone(&self.plan.core);
        // While this thread may still submit, the run is not quiet.
        core.open();
        let fed = {
            let _in_run = self.span.enter();
            let mut feeder = Feeder::new(&mut self.worker);
            let fed = catch_unwind(AssertUnwindSafe(|| feed(&mut feeder)));
            feeder.flush();
            fed
        };
        match fed {
            Ok(Ok(())) => {}
            Ok(Err(cause)) => core.fail(Failure::Feed { cause, panicked: false }),
            Err(panic) => {
                let cause = turn::panicked(&*panic);
                core.fail(Failure::Feed { cause, panicked: true });
            }
        }
        core.close_one();
    }

    /// Leads the run to its end.
    pub(crate) fn lead(self) -> Result<RunReport, RunError> {
        self.lead_by(Run::settle_down)
    }

    /// Leads the run to its end; `settle_down` comes back when the run is quiet, or halted and
    /// nobody has anything in hand.
    pub(crate) fn lead_by(
        mut self,
        mut settle_down: impl FnMut(&mut Run),
    ) -> Result<RunReport, RunError> {
        let core = Arc::clone(&self.plan.core);
        let _in_run = self.span.enter();
        core.note_led();
        let mut phases = PhaseLoop::new(core.limits.phase_max);
        let ending = loop {
            settle_down(&mut self);
            if core.is_halted() {
                break None;
            }
            match phases.on_quiet(self.quiet()) {
                Step::Phase { number } => {
                    core.close_lanes();
                    self.n_phases = number;
                    self.tell(Fact::PhaseStarted { number });
                    self.worker.broadcast(Phase { number });
                }
                Step::Poison { ending } => {
                    core.close_lanes();
                    // Before anyone is told: a stop that comes now is too late to change it.
                    let ending = core.end(ending);
                    if self.is_heard::<Poison>() && !planted("missed-poison") {
                        self.worker.broadcast(Poison { ending });
                    }
                }
                Step::Close => break core.lock().stopping,
                Step::NeverSettles => core.fail(Failure::NeverSettled),
            }
        };
        core.close_lanes();
        // An abort ends this wait for turns under way; it could not end the wait for threads.
        core.await_quiet();
        core.finish();
        self.plan.warnings.extend(self.watching.end());
        let (aborted, hard) = {
            let sched = core.lock();
            (sched.aborted, sched.outsiders.stopped_hard)
        };
        if hard {
            return Err(self.conclude_hard());
        }
        if aborted {
            self.readers.finish(&core);
            return Err(RunError::Aborted { signal: core.signal() });
        }
        self.join();
        if let Some(ending) = ending {
            self.close_processors(ending);
        }
        self.conclude(ending)
    }

    /// Works, or waits, until the run is quiet or halted.
    fn settle_down(&mut self) {
        match self.lead {
            Lead::Helping => self.worker.drain(),
            Lead::Waiting | Lead::Playing => {
                self.worker.hand_over();
                self.plan.core.await_quiet();
            }
        }
    }

    /// The workers of a run whose lead plays them.
    pub(crate) fn workers(&self) -> Vec<Worker> {
        (0..self.plan.n_workers).map(|id| new_worker(&self.plan, id)).collect()
    }

    /// Makes known what the lead has posted.
    pub(crate) fn hand_over(&mut self) {
        self.worker.hand_over();
    }

    /// Tells listeners that have no thread what there is.
    pub(crate) fn tell_listeners(&mut self) {
        self.readers.tell(&self.plan.core);
    }

    /// Phases that have begun.
    pub(crate) fn n_phases(&self) -> u32 {
        self.n_phases
    }

    fn quiet(&self) -> Quiet {
        let phase_heard = self.is_heard::<Phase>();
        let mut sched = self.plan.core.lock();
        let emitted_inside = std::mem::take(&mut sched.tally.inside);
        Quiet { emitted_inside, phase_heard, stopping: sched.stopping }
    }

    fn is_heard<T: Payload>(&self) -> bool {
        !self.plan.routes.hears_kind(&T::kind()).is_empty()
    }

    fn tell(&self, fact: Fact) {
        self.plan.core.listeners.tell(fact);
    }

    /// Waits for the workers. A worker that panicked did so outside of any turn, by a fault of
    /// ours or in the destructor of an event: go on with it.
    fn join(&mut self) {
        match self.crew.join() {
            Err(panic) if !selvedge_sync::thread::is_panicking() => {
                std::panic::resume_unwind(panic)
            }
            _ => (),
        }
    }

    fn close_processors(&self, ending: Ending) {
        let core = &self.plan.core;
        for member in core.members() {
            if core.is_lost(member.owner) {
                continue;
            }
            let owner = core.take_processor(member);
            let mut owner = owner.expect("nobody has a processor when the workers are gone");
            if let Err(cause) = turn::close(&mut *owner, ending) {
                let processor = member.name().clone();
                core.fail(Failure::Close { processor, cause });
                // The run has failed: what is not closed by now is not finished.
                break;
            }
        }
    }

    fn conclude(mut self, ending: Option<Ending>) -> Result<RunReport, RunError> {
        let core = Arc::clone(&self.plan.core);
        // Handles outlive the run; what they share must not keep its processors alive.
        core.drop_processors();
        core.abandon();
        let ending = ending.filter(|_| core.lock().failure.is_none());
        let elapsed = core.clock.now().saturating_sub(self.began);
        let failure = core.failure_text();
        self.tell(Fact::RunFinished { ending, failure, elapsed });
        let told = self.readers.finish(&core);
        if told.cut_short {
            return Err(RunError::Aborted { signal: core.signal() });
        }
        // One of those may have been the last to fail.
        let failure = core.take_failure();
        let ending = ending.filter(|_| failure.is_none());
        let mut report = self.report(ending, elapsed, told);
        self.settle_stuck(&mut report);
        assert!(report.balances(), "deliveries don't balance at the end of a run: {report:?}");
        match failure {
            Some(failure) => Err(failure.explain(&core, report)),
            None => Ok(report),
        }
    }

    /// Ends a run that was not over by its deadline: turns under way are left to themselves.
    fn conclude_hard(mut self) -> RunError {
        let core = Arc::clone(&self.plan.core);
        core.abandon();
        let look = |member: Member<'_>| {
            let events = member.n_unhandled();
            (events > 0).then(|| Abandoned { processor: member.name().clone(), events })
        };
        let abandoned = core.members().filter_map(look).collect();
        let stuck = core.names_in_hand();
        core.drop_processors();
        let elapsed = core.clock.now().saturating_sub(self.began);
        let failure = core.failure_text();
        self.tell(Fact::RunFinished { ending: None, failure, elapsed });
        let told = self.readers.finish(&core);
        let mut report = self.report(None, elapsed, told);
        report.stuck = self.stuck_turns();
        let in_hand = core.members().map(Member::n_waiting).sum();
        report.reconcile(in_hand);
        RunError::StoppedHard { abandoned, stuck, report: Box::new(report) }
    }

    fn report(&self, ending: Option<Ending>, elapsed: Duration, told: Told) -> RunReport {
        let core = &self.plan.core;
        let lanes = core.lanes.iter().map(crate::lanes::Lane::counts);
        let lanes = lanes.fold(LaneCounts::default(), LaneCounts::plus);
        let mut in_mailboxes = 0;
        let look = |member: Member<'_>| {
            let counts = member.counts();
            in_mailboxes += member.n_abandoned();
            ProcessorReport {
                name: member.name().clone(),
                turns: counts.turns,
                pulls: counts.pulls,
                failures: counts.failures,
                emitted: counts.emitted,
                dropped: member.n_dropped(),
                replayed: member.archive().map_or(0, Archive::n_replayed),
                busy: counts.busy,
            }
        };
        let processors = core.members().map(look).collect();
        let archives = core.members().filter_map(Member::archive);
        let archived: Vec<String> = archives.flat_map(Archive::warnings).collect();
        let mut sched = core.lock();
        let busy = |&idle: &Duration| WorkerReport { busy: elapsed.saturating_sub(idle) };
        RunReport {
            ending,
            submitted: lanes.submitted + self.worker.n_fed(),
            accepted: sched.tally.accepted + lanes.abandoned,
            handled: sched.tally.handled,
            dead: sched.tally.dead,
            dropped: sched.tally.dropped,
            abandoned: in_mailboxes + lanes.abandoned,
            unrouted: sched.tally.unrouted + lanes.unrouted,
            phases: self.n_phases,
            elapsed,
            processors,
            workers: sched.idle_times.iter().map(busy).collect(),
            dead_letters: std::mem::take(&mut sched.dead_letters),
            observers: told.observers,
            recorders: told.recorders,
            stuck: Vec::new(),
            warnings: [&self.plan.warnings[..], &told.warnings, &archived].concat(),
            signal: core.signal(),
        }
    }
}

fn new_worker(plan: &Plan, id: usize) -> Worker {
    Worker::new(Arc::clone(&plan.core), RouteCache::new(Arc::clone(&plan.routes)), id)
}

/// The first signal asks for an early end, the second for one at once.
fn watch_signals(core: &Arc<Core>) -> Result<Watch, RunError> {
    let core = Arc::clone(core);
    let mut n_seen = 0;
    let on_signal = move |signal| {
        n_seen += 1;
        core.note_signal(signal);
        if n_seen == 1 { core.stop(Ending::Interrupted) } else { core.abort() }
    };
    signal::watch(on_signal).map_err(|source| RunError::Signals { source })
}
