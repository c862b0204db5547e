//! Owns what the threads of one pipeline share: mailboxes, lanes, and the scheduler's state.
//!
//! Quiescence is a fact of state, read under one lock: nobody runs, nothing is ready, no lane or
//! pull waits, no submitter is left. A mailbox that is not idle is in a ready set or in the hands
//! of a worker that counts as running, so there is nothing else to look at; the counts of
//! deliveries are asserted to agree.

mod control;
mod gates;
mod members;
mod sched;
mod scoping;
mod slot;
mod timing;
mod tuned;
mod watch;

use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use selvedge_event::{Ending, Event, IntoEvent, Text};
use selvedge_sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use selvedge_sync::signal::Signal;
use selvedge_sync::{Clock, Condvar, Mutex, MutexGuard};

use crate::error::SubmitError;
use crate::failure::Failure;
use crate::lanes::{Capacity, Lane, WhenFull};
use crate::limiter::Gate;
use crate::limits::Limits;
use crate::listeners::Listeners;
use crate::origin::Origin;
use crate::owner::Owner;
use crate::planted::planted;
use crate::ready::OwnerIdx;
use crate::replay::Addresses;
use crate::report::DeadLetter;
use crate::routes::RouteTable;
use crate::scope::Table;
use crate::shards::Shards;
use control::Hold;
use tuned::Tuned;

pub(crate) use members::{Counts, Member, Members, Special, Specials};
pub(crate) use sched::{Assignment, Looked, Sched, Seat, Until};
pub(crate) use slot::Slot;
pub(crate) use watch::{Counted, LostTurn, Sight, WrittenOff};

/// How many lanes outside threads share.
pub(crate) const N_LANES: u32 = 16;

/// What the threads and handles of one pipeline share.
pub(crate) struct Core {
    /// As the pipeline was built; those that can change are in `tuned`.
    pub(crate) limits: Limits,
    pub(crate) tuned: Tuned,
    pub(crate) clock: Clock,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) listeners: Listeners,
    /// Guards whom dead letters can go back to. Taken with nothing else inside.
    pub(crate) addresses: Mutex<Addresses>,
    /// Shared with turns, which open some.
    pub(crate) scopes: Table,
    /// Whether turns are timed.
    pub(crate) timed: bool,
    /// Deals the lanes out. Relaxed: only the number counts.
    pub(crate) n_submitters: AtomicUsize,
    /// The first signal that came. Guards nothing else.
    signal: OnceLock<Signal>,
    /// Set when the run begins: until then the wiring can change.
    wired: OnceLock<Wired>,
    /// Guards the scheduler's state. Taken after a lane's lock or inside of it, never the other
    /// way round; a shard's may be taken inside.
    sched: Mutex<Sched>,
    /// Held by who claims mailboxes to give them up, for as long as it has them: two who do so at
    /// the same time would find them claimed. Taken with nothing else inside.
    giving_up: Mutex<()>,
    /// Workers wait here for something to do.
    idle: Condvar,
    /// Who doesn't help waits here for the run to be quiet.
    quiet: Condvar,
    /// How many things a worker could take under the lock. Written under it, read without it to
    /// decide whether looking is worth while: a stale value delays work but can't lose it, because
    /// nobody waits without having looked under the lock. Relaxed, for the same reason.
    n_takeable: AtomicUsize,
    /// Workers that wait and that nobody is about to find something for. Written under the lock;
    /// see `shards::dekker_fence` for who reads it without.
    n_sleepers: AtomicUsize,
    /// When the next timer is due, in nanoseconds of the run's clock. Written under the lock;
    /// Relaxed, as `n_takeable`.
    next_alarm: AtomicU64,
    /// What keeps further turns from starting.
    hold: Hold,
    /// What the first failure says.
    failure_text: OnceLock<String>,
    /// Nothing more is taken from outside: a hint for who doesn't ask a lane.
    closed: AtomicBool,
}

/// What is fixed once the run begins.
struct Wired {
    members: Members,
    shards: Shards,
    gates: Box<[Gate]>,
    /// Those of the bands, in order.
    priorities: Vec<i32>,
}

impl Core {
    pub(crate) fn new(
        limits: Limits,
        routes: &Arc<RouteTable>,
        listeners: Listeners,
        timed: bool,
        clock: Clock,
    ) -> Core {
        let lane = |_| Lane::new(Arc::clone(routes), limits.lane_max);
        let lanes = (0..N_LANES).map(lane).collect();
        let scopes = Table::new(limits.scopes_max);
        Core {
            tuned: Tuned::new(&limits),
            limits,
            scopes,
            clock,
            lanes,
            listeners,
            addresses: Mutex::default(),
            timed,
            n_submitters: AtomicUsize::new(0),
            signal: OnceLock::new(),
            wired: OnceLock::new(),
            sched: Mutex::new(Sched::default()),
            giving_up: Mutex::new(()),
            idle: Condvar::new(),
            quiet: Condvar::new(),
            n_takeable: AtomicUsize::new(0),
            n_sleepers: AtomicUsize::new(0),
            next_alarm: AtomicU64::new(u64::MAX),
            hold: Hold::default(),
            failure_text: OnceLock::new(),
            closed: AtomicBool::new(false),
        }
    }

    /// Freezes the wiring: the run begins. `n_seats` are the threads that may take turns or post.
    /// `concurrency` are the keys under which turns in flight are limited.
    pub(crate) fn install(
        &self,
        members: Members,
        priorities: Vec<i32>,
        n_workers: usize,
        n_seats: usize,
        concurrency: Vec<(Text, NonZeroUsize)>,
    ) {
        let n_bands = members.n_bands();
        let mut sched = self.sched.lock();
        sched.ready.set_bands(n_bands);
        sched.idle_times = vec![Duration::ZERO; n_workers];
        drop(sched);
        let gate = |(key, cap)| Gate::new(key, cap, n_bands);
        let gates = concurrency.into_iter().map(gate).collect();
        let wired = Wired { members, shards: Shards::new(n_seats, n_bands), gates, priorities };
        assert!(self.wired.set(wired).is_ok(), "a pipeline runs once");
    }

    /// How many processors there are; none before the run.
    pub(crate) fn n_members(&self) -> usize {
        self.wired.get().map_or(0, |wired| wired.members.len())
    }

    /// What is known of a processor.
    #[inline(always)]
    pub(crate) fn member(&self, owner: OwnerIdx) -> Member<'_> {
        let wired = self.wired.get();
        wired.expect("nobody asks for a processor before the run begins").members.member(owner)
    }

    /// Every processor, in order of registration; none before the run.
    pub(crate) fn members(&self) -> impl Iterator<Item = Member<'_>> {
        self.wired.get().into_iter().flat_map(|wired| wired.members.iter())
    }

    /// The band of what has this priority: the first that is not before it.
    pub(crate) fn band_of(&self, priority: i32) -> usize {
        let priorities = self.wired.get().map_or(&[][..], |wired| &wired.priorities);
        let band = priorities.partition_point(|&before| before < priority);
        band.min(priorities.len().saturating_sub(1))
    }

    #[inline]
    pub(crate) fn shards(&self) -> &Shards {
        let wired = self.wired.get();
        &wired.expect("nobody looks for work before the run begins").shards
    }

    /// Whether the run has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.wired.get().is_some()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Sched> {
        self.sched.lock()
    }

    /// Whether the run takes nothing more from outside.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Whether a worker waits for something to do.
    #[inline]
    pub(crate) fn has_sleepers(&self) -> bool {
        self.n_sleepers.load(Ordering::Relaxed) > 0
    }

    /// Whether it would be worth while to look for work under the lock.
    #[inline]
    pub(crate) fn has_takeable(&self) -> bool {
        self.n_takeable.load(Ordering::Relaxed) > 0
    }

    // ------------------------------------------------------------------ outside

    /// Puts an event into a lane and says how many processors hear it.
    #[inline]
    pub(crate) fn submit<E: IntoEvent>(
        &self,
        lane: u32,
        source: E,
        origin: &Origin,
        capacity: impl Fn() -> Capacity,
        when_full: WhenFull,
    ) -> Result<usize, SubmitError> {
        let schedule = || self.schedule_lane(lane);
        let lane = &self.lanes[lane as usize];
        if source.way().is_none() {
            // To make such an event may be to call the user's code: not under the lane's lock.
            let event = source.into_event();
            return lane.submit(event, origin, capacity, when_full, schedule);
        }
        lane.submit(source, origin, capacity, when_full, schedule)
    }

    /// Puts an event into a lane that one processor is to hear, and nobody else.
    #[cold]
    pub(crate) fn submit_to(
        &self,
        to: OwnerIdx,
        lane: u32,
        event: Event,
        capacity: impl Fn() -> Capacity,
        when_full: WhenFull,
    ) -> Result<usize, SubmitError> {
        let schedule = || self.schedule_lane(lane);
        self.lanes[lane as usize].submit_to(to, event, capacity, when_full, schedule)
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
        if self.is_quiet(&sched) && !planted("last-one-out") {
            self.wake_all();
        }
    }

    /// Hands back all later submissions.
    pub(crate) fn close_lanes(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.lanes.iter().for_each(Lane::close);
    }

    /// Asks for an early end: nothing more comes in, what was accepted is handled. The first
    /// reason given stays.
    pub(crate) fn stop(&self, ending: Ending) {
        // First: what slips in before its lane is closed is on the lane's books by then, and
        // the run can't be taken for quiet without it.
        self.close_lanes();
        self.close_scopes();
        self.end(ending);
        // One may have been opened in between.
        self.close_scopes();
        // What was accepted can't be handled during a pause.
        self.resume();
    }

    /// Notes how the run ends, unless that is known, and says it. Timers end too.
    pub(crate) fn end(&self, ending: Ending) -> Ending {
        let mut sched = self.sched.lock();
        let ending = *sched.stopping.get_or_insert(ending);
        let dropped = self.end_timers(&mut sched);
        self.wake_all();
        drop(sched);
        drop(dropped);
        ending
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
        // Whatever keeps a run aborts it on leaving, over or not.
        self.end_at_once(|sched| sched.aborted |= !sched.over);
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
        // The user's error is shown, so not under the lock.
        let text = failure.describe(self);
        let mut sched = self.sched.lock();
        sched.lost.n_failed_pulls += u64::from(matches!(failure, Failure::Pull { .. }));
        let late = match sched.failure {
            Some(_) => Some(failure),
            None => {
                sched.failure = Some(failure);
                let _ = self.failure_text.set(text);
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
        // What an event weighs is the user's code: it is asked under no lock.
        let bytes = letter.event.as_ref().map_or(0, Event::bytes) + letter.error.len();
        let mut sched = self.sched.lock();
        let total = sched.dead_letter_bytes.saturating_add(bytes);
        let fits = total <= self.tuned.dead_letters_bytes_max();
        if fits && sched.dead_letters.len() < self.tuned.dead_letters_max() {
            sched.dead_letter_bytes = total;
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
        self.abandon_timers();
        self.abandon_scopes();
        let turn = self.giving_up.lock();
        let abandoned: Vec<_> = self.members().map(Member::abandon).collect();
        drop(turn);
        drop(abandoned);
    }

    /// Takes a processor out, unless a worker has it in hand.
    pub(crate) fn take_processor(&self, member: Member<'_>) -> Option<Box<dyn Owner>> {
        let _turn = self.giving_up.lock();
        member.take_processor()
    }

    /// Processors that a worker has in hand.
    pub(crate) fn names_in_hand(&self) -> Vec<Text> {
        // Whoever gives mailboxes up has them in hand for a moment too.
        let _turn = self.giving_up.lock();
        let in_hand = self.members().filter(|member| member.slot.is_in_hand());
        in_hand.map(|member| member.name().clone()).collect()
    }

    /// Drops the processors that nobody has in hand.
    pub(crate) fn drop_processors(&self) {
        for member in self.members() {
            if planted("processor-kept") {
                continue;
            }
            let owner = self.take_processor(member);
            drop(owner);
        }
    }

    /// Called under the lock, so that nobody decides to wait in between.
    fn halt(&self) {
        self.hold.halt();
        self.wake_all();
    }

    /// Workers leave as soon as they have nothing in hand.
    pub(crate) fn finish(&self) {
        self.sched.lock().over = true;
        self.wake_all();
    }
}
