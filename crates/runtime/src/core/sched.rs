//! Owns the scheduler's state under its lock, and how workers find work, wait for it, and leave.

use std::time::Duration;

use selvedge_event::Ending;
use selvedge_sync::MutexGuard;
use selvedge_sync::atomic::Ordering;

use super::Core;
use super::control::Outsiders;
use super::tuned::Tuned;
use super::watch::Lost;
use crate::alarms::Alarm;
use crate::failure::Failure;
use crate::planted::planted;
use crate::ready::{Admit, Job, Newly, ReadySet, Work};
use crate::report::DeadLetter;
use crate::shards::dekker_fence;
use crate::tally::Tally;
use crate::timers::Timers;

/// The scheduler's state.
#[derive(Debug)]
pub(crate) struct Sched {
    pub(crate) ready: ReadySet,
    /// Threads that have something in hand, or are about to look for it.
    pub(super) n_running: usize,
    n_idle: usize,
    /// At most one idle worker spins for a while before it waits.
    spinning: bool,
    /// Handles that may still submit; while there is one, the run is not quiet.
    pub(super) n_open: usize,
    pub(crate) tally: Tally,
    pub(crate) stopping: Option<Ending>,
    pub(crate) failure: Option<Failure>,
    pub(crate) aborted: bool,
    /// A worker was lost to a panic outside of any turn.
    pub(crate) worker_panicked: bool,
    pub(crate) dead_letters: Vec<DeadLetter>,
    /// What those weigh, with their errors.
    pub(super) dead_letter_bytes: usize,
    pub(crate) idle_times: Vec<Duration>,
    pub(super) timers: Timers<Alarm>,
    /// Some idle worker waits for no longer than until the next timer is due.
    pub(super) timekeeping: bool,
    /// A thread waits for room, to bring events in.
    awaits_room: bool,
    /// The run is over: workers leave.
    pub(super) over: bool,
    pub(crate) outsiders: Outsiders,
    /// Turns that are not waited for any more.
    pub(crate) lost: Lost,
}

impl Default for Sched {
    fn default() -> Sched {
        Sched {
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
            dead_letter_bytes: 0,
            idle_times: Vec::new(),
            timers: Timers::default(),
            timekeeping: false,
            awaits_room: false,
            over: false,
            outsiders: Outsiders::default(),
            lost: Lost::default(),
        }
    }
}

/// Something to do, with the room there is for what it brings in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assignment {
    pub(crate) work: Work,
    pub(crate) room: usize,
    /// Whether sources are to end.
    pub(crate) stopping: bool,
}

/// What came of a look for something to do.
#[derive(Debug)]
pub(crate) enum Looked<T> {
    Found(Assignment),
    /// There is nothing for now.
    Nothing(T),
    /// Turns have ceased.
    Halted,
    /// There is the room that the seat works for.
    Room,
}

impl Core {
    /// A thread has something in hand, or is about to look for it.
    pub(crate) fn enter(&self) {
        self.lock().n_running += 1;
    }

    /// A worker begins. During a pause it doesn't count: who was told that nobody has anything in
    /// hand must not find that somebody has.
    pub(crate) fn enter_to_work(&self, seat: &Seat<'_>) {
        let mut sched = self.lock();
        if self.is_paused() {
            sched = self.wait(sched, seat);
        }
        sched.n_running += 1;
    }

    /// Waits for the next thing to do. `None` when the run is over or halted, or what the seat
    /// works for is there; the thread no longer counts as running then.
    pub(crate) fn next(&self, seat: &mut Seat<'_>) -> Option<Assignment> {
        let mut sched = self.lock();
        self.settle(&mut sched, seat);
        loop {
            match self.look(sched, seat) {
                Looked::Found(assignment) => return Some(assignment),
                Looked::Halted | Looked::Room => return None,
                Looked::Nothing(locked) => sched = locked,
            }
            if sched.over || (seat.until == Until::Quiet && self.is_quiet(&sched)) {
                return None;
            }
            sched = self.wait(sched, seat);
            sched.n_running += 1;
        }
    }

    /// As [`next`](Self::next), for who doesn't wait. Whoever finds nothing, or turns halted, no
    /// longer counts as running.
    pub(crate) fn try_next(&self, seat: &mut Seat<'_>) -> Looked<()> {
        let mut sched = self.lock();
        self.settle(&mut sched, seat);
        match self.look(sched, seat) {
            Looked::Found(assignment) => Looked::Found(assignment),
            Looked::Halted => Looked::Halted,
            Looked::Room => Looked::Room,
            Looked::Nothing(_) => Looked::Nothing(()),
        }
    }

    /// Whether a thread that is at rest would find something to do.
    pub(crate) fn has_work(&self) -> bool {
        let sched = self.lock();
        let takeable = sched.ready.n_takeable(self.admit(&sched)) > 0;
        takeable || self.shards().any() || self.is_halted() || self.is_alarm_due()
    }

    /// Takes the first thing to do.
    #[inline]
    fn look<'a>(
        &'a self,
        mut sched: MutexGuard<'a, Sched>,
        seat: &Seat<'_>,
    ) -> Looked<MutexGuard<'a, Sched>> {
        if self.is_halted() {
            self.leave(&mut sched);
            drop(sched);
            // Nobody may wait for room, or for a reply, that will never be.
            self.close_lanes();
            self.abandon();
            return Looked::Halted;
        }
        if seat.until == Until::Room && self.has_room(&sched) {
            self.leave(&mut sched);
            self.publish_takeable(&mut sched);
            return Looked::Room;
        }
        let taken = if self.is_paused() { None } else { self.take(&mut sched, seat) };
        if let Some(work) = taken {
            self.publish_takeable(&mut sched);
            let (room, stopping) = (sched.room(&self.tuned), sched.stopping.is_some());
            return Looked::Found(Assignment { work, room, stopping });
        }
        self.leave(&mut sched);
        Looked::Nothing(sched)
    }

    /// The first thing to do.
    ///
    /// Lanes go before every band: what is in them may be for the first one, and taking it out is
    /// short. Then whatever is in the lowest band: jobs that nobody has made his own, those in the
    /// shards, and pulls last, which make more of both.
    fn take(&self, sched: &mut Sched, seat: &Seat<'_>) -> Option<Work> {
        if self.is_alarm_due() {
            return Some(Work::Alarms);
        }
        let admit = self.admit(sched);
        let ready = &mut sched.ready;
        if let Some(lane) = ready.pop_lane(admit) {
            return Some(Work::Lane(lane));
        }
        let mut sharded = self.shards().first_band();
        loop {
            let (job, pull) = (ready.first_job_band(), ready.first_pull_band(admit));
            let lowest = job.into_iter().chain(sharded).chain(pull).min()?;
            if job == Some(lowest) {
                return ready.pop_job().map(Work::Job);
            }
            if sharded == Some(lowest) {
                if let Some(job) = self.shards().take(seat.worker, seat.robs_from) {
                    return Some(Work::Job(job));
                }
                // It is gone by now, though still counted: no waiting for that, under this lock.
                sharded = None;
                continue;
            }
            return ready.pop_pull(lowest).map(Work::Pull);
        }
    }

    /// Makes what a thread published known, without taking any of it; says whether there is room
    /// for more.
    pub(crate) fn hand_over(&self, seat: &mut Seat<'_>) -> bool {
        let mut sched = self.lock();
        self.settle(&mut sched, seat);
        self.publish_takeable(&mut sched);
        self.admit(&sched) == Admit::Open
    }

    /// Whether a thread that brings events in, and had to stop, may go on: when half of the room
    /// is there, lest it stops again at once.
    fn has_room(&self, sched: &Sched) -> bool {
        let half = self.tuned.in_flight_max().div_ceil(2);
        let has_half = sched.room(&self.tuned) >= half && self.admit(sched) == Admit::Open;
        has_half || sched.stopping.is_some()
    }

    /// Adds what a worker has counted and made ready to what all share.
    fn settle(&self, sched: &mut Sched, seat: &mut Seat<'_>) {
        sched.tally.add(std::mem::take(seat.tally));
        let ready = &mut sched.ready;
        let jobs = seat.newly.drain(..).filter_map(|newly| match newly {
            Newly::Ready(job) => Some((job, self.band(job))),
            Newly::Promoted(owner) => {
                let band = self.member(owner).band();
                ready.forget_pull(owner, band);
                Some((Job::Turns(owner), band))
            }
            Newly::Pull(owner) => {
                ready.push_pull(owner, self.member(owner).band());
                None
            }
            Newly::Lane(lane) => {
                ready.push_lane(lane);
                None
            }
        });
        self.shards().push(seat.worker, jobs);
        if sched.awaits_room && self.has_room(sched) {
            sched.awaits_room = false;
            self.idle.notify_all();
        }
        let waiting = usize::try_from(sched.in_flight()).unwrap_or(0);
        if waiting > self.tuned.pipeline_events_max() {
            self.fail_for_excess(sched, Failure::TooManyEvents);
        } else if sched.bytes_in_flight() > self.tuned.pipeline_bytes_max() {
            self.fail_for_excess(sched, Failure::TooManyBytes);
        }
    }

    #[inline]
    pub(crate) fn band(&self, job: Job) -> usize {
        match job {
            Job::Turns(owner) => self.member(owner).band(),
            Job::Scope { band, .. } => usize::from(band),
        }
    }

    /// Tells others how much there is, and wakes one if some of it is more than the caller's.
    pub(super) fn publish_takeable(&self, sched: &mut Sched) {
        let n = sched.ready.n_takeable(self.admit(sched));
        self.n_takeable.store(n, Ordering::Relaxed);
        let unkept = self.has_alarms() && !sched.timekeeping;
        let any = n > 0 || unkept || (self.has_begun() && self.shards().any());
        if any && sched.n_idle > 0 && !sched.spinning {
            self.idle.notify_one();
        }
    }

    /// Whether more may come in from outside.
    fn admit(&self, sched: &Sched) -> Admit {
        if self.listeners.holds_back() { Admit::Full } else { sched.admit(&self.tuned) }
    }

    /// Looks anew at what can be taken: a recorder has caught up.
    pub(crate) fn reconsider(&self) {
        self.publish_takeable(&mut self.lock());
    }

    /// Wakes a worker for what the caller has put into its shard and does not take itself.
    #[inline]
    pub(crate) fn wake_for_surplus(&self) {
        dekker_fence();
        if self.n_sleepers.load(Ordering::Relaxed) > 0 && !planted("surplus-sleeps") {
            self.wake_one();
        }
    }

    #[cold]
    fn wake_one(&self) {
        let sched = self.lock();
        if sched.n_idle > 0 && !sched.spinning {
            self.idle.notify_one();
        }
    }

    /// The caller has nothing in hand any more.
    pub(super) fn leave(&self, sched: &mut Sched) {
        sched.n_running -= 1;
        self.note_what_is_lost(sched);
        let n = sched.ready.n_takeable(self.admit(sched));
        self.n_takeable.store(n, Ordering::Relaxed);
        self.note_rest(sched);
        if self.is_quiet(sched) {
            let tally = &sched.tally;
            let balances = tally.in_flight() == 0 || self.is_halted() || sched.lost.any();
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
            self.publish_sleepers(&sched);
            drop(sched);
            for _ in 0..SPINS {
                if self.has_takeable() || self.shards().any() || self.is_halted() {
                    break;
                }
                selvedge_sync::thread::spin_hint();
            }
            sched = self.lock();
            sched.spinning = false;
            self.publish_sleepers(&sched);
        }
        // Whoever is woken for nothing stays idle: were it to count as running for a moment, it
        // would find the run quiet on leaving, wake the others, and be woken by them in turn.
        let blocked = |sched: &Sched| {
            let done = sched.over
                || self.is_halted()
                || match seat.until {
                    Until::Over => false,
                    Until::Quiet => self.is_quiet(sched),
                    Until::Room => self.has_room(sched),
                };
            let takeable = sched.ready.n_takeable(self.admit(sched)) > 0;
            let idle = !takeable && !self.shards().any() && !self.is_alarm_due();
            !done && (idle || self.is_paused())
        };
        while blocked(&sched) {
            sched.awaits_room |= seat.until == Until::Room;
            sched.n_idle += 1;
            self.publish_sleepers(&sched);
            dekker_fence();
            if self.is_paused() || !self.shards().any() {
                sched = self.sleep(sched);
            }
            sched.n_idle -= 1;
            self.publish_sleepers(&sched);
        }
        if let Some(total) = sched.idle_times.get_mut(seat.worker) {
            *total += self.clock.now().saturating_sub(began);
        }
        sched
    }

    /// Waits to be woken, or for a timer, if nobody else waits for that.
    fn sleep<'a>(&'a self, mut sched: MutexGuard<'a, Sched>) -> MutexGuard<'a, Sched> {
        match sched.timers.next_due() {
            Some(due) if !sched.timekeeping && !self.is_paused() => {
                sched.timekeeping = true;
                let left = due.saturating_sub(self.clock.now());
                sched = self.idle.wait_for(sched, left);
                sched.timekeeping = false;
                sched
            }
            _ => self.idle.wait(sched),
        }
    }

    /// How many wait in earnest: while someone spins, it will find what there is.
    fn publish_sleepers(&self, sched: &Sched) {
        let n = if sched.spinning { 0 } else { sched.n_idle };
        self.n_sleepers.store(n, Ordering::Relaxed);
    }

    pub(super) fn wake_all(&self) {
        self.idle.notify_all();
        self.quiet.notify_all();
    }

    /// Whether nothing is outstanding and nothing can come.
    pub(crate) fn is_quiet(&self, sched: &Sched) -> bool {
        let open = sched.n_open > 0 && sched.stopping.is_none();
        !open && self.is_drained(sched)
    }

    /// Whether nothing is outstanding, whatever may come.
    pub(super) fn is_drained(&self, sched: &Sched) -> bool {
        let sharded = self.has_begun() && self.shards().any() && !planted("early-quiescence");
        let waits = sched.timers.n_one_shot() > 0 && !planted("timers-are-no-work");
        sched.n_running == 0 && sched.ready.is_empty() && !sharded && !waits
    }

    /// Waits, without helping, until the run is quiet, or halted and nobody has anything in hand,
    /// or not worth waiting for.
    pub(crate) fn await_quiet(&self) {
        let mut sched = self.lock();
        loop {
            let at_rest = self.is_quiet(&sched) || (self.is_halted() && sched.n_running == 0);
            if at_rest || sched.aborted || sched.worker_panicked {
                return;
            }
            sched = self.wait_quiet(sched);
        }
    }

    /// Waits until nobody has anything in hand, in a run that was aborted.
    pub(crate) fn await_rest(&self) {
        let mut sched = self.lock();
        while sched.n_running > 0 && !sched.worker_panicked {
            sched = self.quiet.wait(sched);
        }
    }

    /// How many handles may still submit.
    pub(crate) fn n_submitters_open(&self) -> usize {
        self.lock().n_open
    }
}

/// What a worker brings along when it asks for something to do.
pub(crate) struct Seat<'a> {
    pub(crate) worker: usize,
    pub(crate) until: Until,
    /// The first shard to look into when its own is empty.
    pub(crate) robs_from: usize,
    pub(crate) tally: &'a mut Tally,
    pub(crate) newly: &'a mut Vec<Newly>,
}

/// What a thread works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// The end of the run.
    Over,
    /// Quiet.
    Quiet,
    /// Room for what it brings in.
    Room,
}

/// About as long as it takes to wake a thread: spinning longer can't pay.
/// (A. Karlin et al., "Competitive randomized algorithms for nonuniform problems", 1994.)
/// A model checker needs a single one, which yields, to see what others do meanwhile.
const SPINS: u32 = if cfg!(shuttle) { 1 } else { 400 };

impl Sched {
    fn admit(&self, limits: &Tuned) -> Admit {
        if self.room(limits) > 0 { Admit::Open } else { Admit::Full }
    }

    /// How many deliveries may come in; none while those under way weigh too much.
    pub(super) fn room(&self, limits: &Tuned) -> usize {
        let in_flight = usize::try_from(self.in_flight()).unwrap_or(0);
        if self.bytes_in_flight() >= limits.in_flight_bytes_max() {
            return 0;
        }
        limits.in_flight_max().saturating_sub(in_flight)
    }
}
