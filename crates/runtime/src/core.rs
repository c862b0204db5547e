//! Owns what the threads of one pipeline share: mailboxes, lanes, and the scheduler's state.
//!
//! Quiescence is a fact of state, read under one lock: nobody runs, nothing is ready, no lane or
//! pull waits, no submitter is left. A mailbox that is not idle is in the ready set or in the
//! hands of a worker that counts as running, so there is nothing else to look at; the counts of
//! deliveries are asserted to agree.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use selvedge_event::{Ending, Text};
use selvedge_sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use selvedge_sync::signal::Signal;
use selvedge_sync::{Clock, Condvar, Mutex, MutexGuard};

use crate::envelope::Envelope;
use crate::error::SubmitError;
use crate::failure::Failure;
use crate::lanes::{Capacity, Lane, WhenFull};
use crate::limits::Limits;
use crate::listeners::Listeners;
use crate::mailbox::Mailbox;
use crate::ready::{Admit, Newly, OwnerIdx, ReadySet, Work};
use crate::registration::FailurePolicy;
use crate::report::DeadLetter;
use crate::routes::RouteTable;
use crate::tally::Tally;

/// How many lanes outside threads share.
pub(crate) const N_LANES: u32 = 16;

/// What the threads and handles of one pipeline share.
pub(crate) struct Core {
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) listeners: Listeners,
    /// Whether turns are timed.
    pub(crate) timed: bool,
    /// Deals the lanes out. Relaxed: only the number counts.
    pub(crate) n_submitters: AtomicUsize,
    /// The first signal that came. Guards nothing else.
    signal: OnceLock<Signal>,
    /// Set when the run begins: until then the wiring can change.
    slots: OnceLock<Box<[Slot]>>,
    /// Guards the scheduler's state. Taken after a lane's or a mailbox's lock was given back,
    /// or inside of a lane's; never the other way round.
    sched: Mutex<Sched>,
    /// Workers wait here for something to do.
    idle: Condvar,
    /// Who doesn't help waits here for the run to be quiet.
    quiet: Condvar,
    /// How many things a worker could take. Written under the lock, read without it to decide
    /// whether looking is worth while: a stale value delays work but can't lose it, because
    /// nobody waits without having looked under the lock. Relaxed, for the same reason.
    n_takeable: AtomicUsize,
    /// No further turn starts. Read between turns: Relaxed, a turn more does no harm.
    halted: AtomicBool,
}

/// One processor's place.
pub(crate) struct Slot {
    pub(crate) name: Text,
    pub(crate) band: usize,
    pub(crate) on_failure: FailurePolicy,
    /// Guards mail and status. Held for the time it takes to move mail, never during a turn.
    pub(crate) mailbox: Mutex<Mailbox>,
}

/// The scheduler's state.
#[derive(Debug)]
pub(crate) struct Sched {
    pub(crate) ready: ReadySet,
    /// Threads that have something in hand, or are about to look for it.
    n_running: usize,
    n_idle: usize,
    /// At most one idle worker spins for a while before it waits.
    spinning: bool,
    /// Handles that may still submit; while there is one, the run is not quiet.
    n_open: usize,
    pub(crate) tally: Tally,
    pub(crate) stopping: Option<Ending>,
    pub(crate) failure: Option<Failure>,
    pub(crate) aborted: bool,
    /// A worker was lost to a panic outside of any turn.
    pub(crate) worker_panicked: bool,
    pub(crate) dead_letters: Vec<DeadLetter>,
    pub(crate) idle_times: Vec<Duration>,
    /// The run is over: workers leave.
    over: bool,
}

/// Something to do, with the room there is for what it brings in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assignment {
    pub(crate) work: Work,
    pub(crate) room: usize,
    /// Whether sources are to end.
    pub(crate) stopping: bool,
}

impl Core {
    pub(crate) fn new(
        limits: Limits,
        routes: &Arc<RouteTable>,
        listeners: Listeners,
        timed: bool,
    ) -> Core {
        let sched = Sched {
            ready: ReadySet::new(0),
            n_running: 0,
            n_idle: 0,
            spinning: false,
            n_open: 0,
            tally: Tally::default(),
            stopping: None,
            failure: None,
            aborted: false,
            worker_panicked: false,
            dead_letters: Vec::new(),
            idle_times: Vec::new(),
            over: false,
        };
        let lane = |_| Lane::new(Arc::clone(routes), limits.lane_max);
        let lanes = (0..N_LANES).map(lane).collect();
        Core {
            limits,
            clock: Clock::real(),
            lanes,
            listeners,
            timed,
            n_submitters: AtomicUsize::new(0),
            signal: OnceLock::new(),
            slots: OnceLock::new(),
            sched: Mutex::new(sched),
            idle: Condvar::new(),
            quiet: Condvar::new(),
            n_takeable: AtomicUsize::new(0),
            halted: AtomicBool::new(false),
        }
    }

    /// Freezes the wiring: the run begins.
    pub(crate) fn install(&self, slots: Box<[Slot]>, n_workers: usize) {
        let n_bands = slots.iter().map(|slot| slot.band + 1).max().unwrap_or(0);
        let mut sched = self.sched.lock();
        sched.ready.set_bands(n_bands);
        sched.idle_times = vec![Duration::ZERO; n_workers];
        drop(sched);
        assert!(self.slots.set(slots).is_ok(), "a pipeline runs once");
    }

    /// Every processor's place, in order of registration; none before the run.
    pub(crate) fn slots(&self) -> &[Slot] {
        self.slots.get().map_or(&[], |slots| slots)
    }

    /// Whether the run has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.slots.get().is_some()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Sched> {
        self.sched.lock()
    }

    /// Whether turns have ceased.
    #[inline]
    pub(crate) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    /// Whether it would be worth while to look into the ready set.
    #[inline]
    pub(crate) fn has_takeable(&self) -> bool {
        self.n_takeable.load(Ordering::Relaxed) > 0
    }

    // ------------------------------------------------------------------ workers

    /// A thread begins to look for work.
    pub(crate) fn enter(&self) {
        self.sched.lock().n_running += 1;
    }

    /// Waits for the next thing to do. `None` when the run is over or halted, or, for who
    /// `drains`, when it is quiet; the thread no longer counts as running then.
    pub(crate) fn next(&self, seat: &mut Seat<'_>) -> Option<Assignment> {
        let mut sched = self.sched.lock();
        self.settle(&mut sched, seat);
        loop {
            if self.is_halted() {
                self.leave(&mut sched);
                drop(sched);
                // Nobody may wait for room, or for a reply, that will never be.
                self.close_lanes();
                self.abandon();
                return None;
            }
            let admit = self.admit(&sched);
            if let Some(work) = sched.ready.pop(admit) {
                self.publish_takeable(&mut sched);
                let (room, stopping) = (sched.room(&self.limits), sched.stopping.is_some());
                return Some(Assignment { work, room, stopping });
            }
            self.leave(&mut sched);
            if sched.over || (seat.drains && sched.is_quiet()) {
                return None;
            }
            sched = self.wait(sched, seat);
            sched.n_running += 1;
        }
    }

    /// Makes what a thread published known, without taking any of it.
    pub(crate) fn hand_over(&self, seat: &mut Seat<'_>) {
        let mut sched = self.sched.lock();
        self.settle(&mut sched, seat);
        self.publish_takeable(&mut sched);
    }

    /// Adds what a worker has counted and made ready to what all share.
    fn settle(&self, sched: &mut Sched, seat: &mut Seat<'_>) {
        sched.tally.add(std::mem::take(seat.tally));
        for newly in seat.newly.drain(..) {
            let band = |owner: OwnerIdx| self.slots()[owner as usize].band;
            match newly {
                Newly::Ready(owner) => sched.ready.push(owner, band(owner)),
                Newly::Promoted(owner) => sched.ready.promote(owner, band(owner)),
                Newly::Pull(owner) => sched.ready.push_pull(owner, band(owner)),
                Newly::Lane(lane) => sched.ready.push_lane(lane),
            }
        }
        let waiting = usize::try_from(sched.tally.in_flight()).unwrap_or(0);
        if waiting > self.limits.pipeline_events_max {
            sched.failure.get_or_insert(Failure::TooManyEvents);
            self.halt();
        }
    }

    /// Tells others how much there is, and wakes one if some of it is more than the caller's.
    fn publish_takeable(&self, sched: &mut Sched) {
        let n = sched.ready.n_takeable(self.admit(sched));
        self.n_takeable.store(n, Ordering::Relaxed);
        if n > 0 && sched.n_idle > 0 && !sched.spinning {
            self.idle.notify_one();
        }
    }

    /// Whether more may come in from outside.
    fn admit(&self, sched: &Sched) -> Admit {
        if self.listeners.holds_back() { Admit::Full } else { sched.admit(&self.limits) }
    }

    /// Looks anew at what can be taken: a recorder has caught up.
    pub(crate) fn reconsider(&self) {
        self.publish_takeable(&mut self.sched.lock());
    }

    /// The caller has nothing in hand any more.
    fn leave(&self, sched: &mut Sched) {
        sched.n_running -= 1;
        let n = sched.ready.n_takeable(self.admit(sched));
        self.n_takeable.store(n, Ordering::Relaxed);
        if sched.is_quiet() {
            let tally = &sched.tally;
            let balances = tally.in_flight() == 0 || self.is_halted();
            assert!(balances, "deliveries don't balance when quiet: {tally:?}");
            self.wake_all();
        } else if self.is_halted() && sched.n_running == 0 {
            self.wake_all();
        }
    }

    /// Spins for a while if nobody else does, then waits to be woken.
    fn wait<'a>(
        &'a self,
        mut sched: MutexGuard<'a, Sched>,
        seat: &Seat<'_>,
    ) -> MutexGuard<'a, Sched> {
        let began = self.clock.now();
        if !sched.spinning {
            sched.spinning = true;
            drop(sched);
            for _ in 0..SPINS {
                if self.has_takeable() || self.is_halted() {
                    break;
                }
                selvedge_sync::thread::spin_hint();
            }
            sched = self.sched.lock();
            sched.spinning = false;
        }
        // Whoever is woken for nothing stays idle: were it to count as running for a moment, it
        // would find the run quiet on leaving, wake the others, and be woken by them in turn.
        let blocked = |sched: &Sched| {
            let done = sched.over || self.is_halted() || (seat.drains && sched.is_quiet());
            !done && sched.ready.n_takeable(self.admit(sched)) == 0
        };
        while blocked(&sched) {
            sched.n_idle += 1;
            sched = self.idle.wait(sched);
            sched.n_idle -= 1;
        }
        if let Some(total) = sched.idle_times.get_mut(seat.worker) {
            *total += self.clock.now().saturating_sub(began);
        }
        sched
    }

    fn wake_all(&self) {
        self.idle.notify_all();
        self.quiet.notify_all();
    }

    // ------------------------------------------------------------------ outside

    /// Puts an event into a lane and says how many processors hear it.
    pub(crate) fn submit(
        &self,
        lane: u32,
        envelope: Envelope,
        capacity: Capacity,
        when_full: WhenFull,
    ) -> Result<usize, SubmitError> {
        let schedule = || self.schedule_lane(lane);
        self.lanes[lane as usize].submit(envelope, capacity, when_full, schedule)
    }

    /// Makes a lane's content known to the workers. Called under the lane's lock.
    fn schedule_lane(&self, lane: u32) {
        let mut sched = self.sched.lock();
        sched.ready.push_lane(lane);
        self.publish_takeable(&mut sched);
    }

    /// A handle that may submit comes into being.
    pub(crate) fn open(&self) {
        self.sched.lock().n_open += 1;
    }

    /// Such a handle is gone.
    pub(crate) fn close_one(&self) {
        let mut sched = self.sched.lock();
        sched.n_open -= 1;
        if sched.is_quiet() {
            self.wake_all();
        }
    }

    /// Hands back all later submissions.
    pub(crate) fn close_lanes(&self) {
        self.lanes.iter().for_each(Lane::close);
    }

    /// Asks for an early end: nothing more comes in, what was accepted is handled. The first
    /// reason given stays.
    pub(crate) fn stop(&self, ending: Ending) {
        // First: what slips in before its lane is closed is on the lane's books by then, and
        // the run can't be taken for quiet without it.
        self.close_lanes();
        let mut sched = self.sched.lock();
        sched.stopping.get_or_insert(ending);
        self.wake_all();
    }

    pub(crate) fn note_signal(&self, signal: Signal) {
        // The first one says why the run ends; a second one only hastens it.
        let _ = self.signal.set(signal);
    }

    pub(crate) fn signal(&self) -> Option<Signal> {
        self.signal.get().copied()
    }

    /// No further turn starts, and nobody waits for those under way.
    pub(crate) fn abort(&self) {
        self.end_at_once(|sched| sched.aborted = true);
    }

    /// A worker is lost to a panic outside of any turn.
    pub(crate) fn note_panicked_worker(&self) {
        self.end_at_once(|sched| sched.worker_panicked = true);
    }

    fn end_at_once(&self, note_why: impl FnOnce(&mut Sched)) {
        let mut sched = self.sched.lock();
        note_why(&mut sched);
        self.halt();
        drop(sched);
        self.close_lanes();
        self.abandon();
        self.listeners.hasten();
    }

    // ------------------------------------------------------------------ the run's end

    /// The run fails, unless it has already.
    pub(crate) fn fail(&self, failure: Failure) {
        let mut sched = self.sched.lock();
        let late = match sched.failure {
            Some(_) => Some(failure),
            None => {
                sched.failure = Some(failure);
                None
            }
        };
        self.halt();
        drop(sched);
        // The user's error and event: what they do when dropped is not done under the lock.
        drop(late);
    }

    /// Keeps a dead letter, if there is room for it.
    pub(crate) fn keep(&self, letter: DeadLetter) {
        let mut sched = self.sched.lock();
        if sched.dead_letters.len() < self.limits.dead_letters_max {
            sched.dead_letters.push(letter);
        } else {
            drop(sched);
            drop(letter);
        }
    }

    /// Gives up what waits for a turn, since none starts any more: who awaits a reply to it is
    /// told so. Done by each worker that leaves, after the last thing it may have posted.
    pub(crate) fn abandon(&self) {
        self.lanes.iter().for_each(Lane::abandon);
        for slot in self.slots() {
            let abandoned = slot.mailbox.lock().abandon();
            drop(abandoned);
        }
    }

    /// Drops the processors that nobody has in hand.
    pub(crate) fn drop_processors(&self) {
        for slot in self.slots() {
            let owner = slot.mailbox.lock().owner.take();
            drop(owner);
        }
    }

    /// Called under the lock, so that nobody decides to wait in between.
    fn halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
        self.wake_all();
    }

    /// Workers leave as soon as they have nothing in hand.
    pub(crate) fn finish(&self) {
        self.sched.lock().over = true;
        self.wake_all();
    }

    /// Waits, without helping, until the run is quiet, or halted and nobody has anything in hand,
    /// or not worth waiting for.
    pub(crate) fn await_quiet(&self) {
        let sched = self.sched.lock();
        drop(self.quiet.wait_while(sched, |sched| {
            let at_rest = sched.is_quiet() || (self.is_halted() && sched.n_running == 0);
            !at_rest && !sched.aborted && !sched.worker_panicked
        }));
    }
}

/// What a worker brings along when it asks for something to do.
pub(crate) struct Seat<'a> {
    pub(crate) worker: usize,
    /// Whether to come back as soon as the run is quiet.
    pub(crate) drains: bool,
    pub(crate) tally: &'a mut Tally,
    pub(crate) newly: &'a mut Vec<Newly>,
}

/// About as long as it takes to wake a thread: spinning longer can't pay.
/// (A. Karlin et al., "Competitive randomized algorithms for nonuniform problems", 1994.)
/// A model checker needs a single one, which yields, to see what others do meanwhile.
const SPINS: u32 = if cfg!(shuttle) { 1 } else { 400 };

impl Sched {
    /// Whether nothing is outstanding and nothing can come.
    pub(crate) fn is_quiet(&self) -> bool {
        let open = self.n_open > 0 && self.stopping.is_none();
        self.n_running == 0 && self.ready.is_empty() && !open
    }

    fn admit(&self, limits: &Limits) -> Admit {
        if self.room(limits) > 0 { Admit::Open } else { Admit::Full }
    }

    fn room(&self, limits: &Limits) -> usize {
        let in_flight = usize::try_from(self.tally.in_flight()).unwrap_or(0);
        limits.in_flight_max.saturating_sub(in_flight)
    }
}
