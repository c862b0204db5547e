//! Owns what one thread does while it takes turns: claim a mailbox, take a batch of turns, publish
//! what they emitted, give the mailbox back, find the next.

mod batch;
mod bounded;
mod feed;
mod late;
mod pace;
mod post;
mod settling;
mod stepped;
mod tasks;

use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Event, IntoEvent};

use crate::alarms::Alarm;
use crate::board::Board;
use crate::core::{Assignment, Core, Counts, Seat, Until};
use crate::failure::Failure;
use crate::listeners::Notes;
use crate::mailbox::cell::Release;
use crate::mailbox::parcel::{Mail, Parcel};
use crate::mailbox::ring::BoundedMail;
use crate::mailbox::{DeskClaim, Signal};
use crate::origin::Origin;
use crate::outbox::Outbox;
use crate::parcels::Parcels;
use crate::planted::planted;
use crate::processor::Pull;
use crate::ready::{Job, Newly, OwnerIdx, Work};
use crate::routes::RouteCache;
use crate::scope::{Posts, ScopeLog};
use crate::tally::Tally;
use crate::turn::{Seated, TurnFailure};
use post::{Gift, Posting};
pub(crate) use stepped::{Did, Stepped};
use tasks::Tab;

/// Jobs in a row that are taken past the lock before a look at what waits under it, or a pair that
/// plays ping-pong would starve the rest.
const STREAK_MAX: u32 = 64;

/// Emissions held back before they are published in the middle of a batch.
const UNPUBLISHED_MAX: usize = 512;

/// Deliveries that a worker may have added before it tells the others: limits count what was told.
const UNTOLD_MAX: u64 = 512;

/// What those may weigh, in bytes.
const UNTOLD_BYTES_MAX: u64 = 1 << 20;

/// Events taken from a lane at a time, give or take a stretch.
const LANE_BATCH_MAX: usize = 1_024;

/// A thread that takes turns.
pub(crate) struct Worker {
    core: Arc<Core>,
    /// Where others see which turn this worker is in.
    board: Arc<Board>,
    hands: Hands,
}

/// What a working thread has in hand between turns.
struct Hands {
    id: usize,
    outbox: Outbox,
    parcels: Parcels,
    /// What this worker made ready and has not told the others yet.
    newly: Vec<Newly>,
    tally: Tally,
    /// Events that came in through this worker from outside.
    n_fed: u64,
    /// When some of them were last published.
    fed_at: Duration,
    /// Events that turns of this worker have had published.
    n_published: u64,
    /// How often in a row the next thing to do was taken past the lock.
    streak: u32,
    /// Whether what is emitted waits in the outbox until further notice.
    holding: bool,
    notes: Notes,
    /// The scope whose tasks are being taken.
    tab: Option<Tab>,
    posts: Posts,
    /// It was written off: it does nothing more.
    is_lost: bool,
}

impl Hands {
    /// Events that turns of this worker have emitted so far.
    #[inline]
    fn n_emitted(&self) -> u64 {
        self.n_published + self.outbox.len() as u64
    }
}

impl Worker {
    pub(crate) fn new(core: Arc<Core>, routes: RouteCache, id: usize) -> Worker {
        Worker::numbered(core, routes, id, id)
    }

    /// A worker on this seat whose timers are kept apart by this number: one that takes another's
    /// place has its seat.
    pub(crate) fn numbered(
        core: Arc<Core>,
        routes: RouteCache,
        id: usize,
        number: usize,
    ) -> Worker {
        let number = u32::try_from(number).expect("workers are counted in u32");
        let mut outbox = Outbox::new(routes, core.limits.emissions_per_turn_max, number);
        outbox.timers.allow(core.tuned.timers_max());
        outbox.scopes = ScopeLog::new(&core);
        outbox.clock = core.clock.clone();
        let hands = Hands {
            id,
            outbox,
            parcels: Parcels::default(),
            newly: Vec::new(),
            tally: Tally::default(),
            n_fed: 0,
            fed_at: Duration::ZERO,
            n_published: 0,
            streak: 0,
            holding: false,
            notes: Notes::default(),
            tab: None,
            posts: Posts::default(),
            is_lost: false,
        };
        Worker { core, board: Arc::default(), hands }
    }

    /// Where others see which turn this worker is in.
    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    fn shift(&mut self) -> Shift<'_> {
        Shift { core: &self.core, board: &self.board, hands: &mut self.hands, gift: None }
    }

    /// Works until the run is over or halted.
    pub(crate) fn serve(&mut self) {
        self.shift().work(Until::Over);
    }

    /// Works until the run is quiet or halted.
    pub(crate) fn drain(&mut self) {
        self.shift().work(Until::Quiet);
    }

    /// Lets each of these take its turn on an event, one after the other on this thread; what
    /// they emit is published when all are done.
    pub(crate) fn take_in_order(&mut self, owners: &[OwnerIdx], event: &Event) {
        let mut shift = self.shift();
        shift.hands.holding = true;
        for &owner in owners {
            let slot = shift.core.member(owner).slot;
            let (mut claim, _) = slot
                .mailbox
                .try_claim(Signal::ClaimedIfIdle)
                .expect("nobody has work before the run");
            let heap_bytes = event.bytes();
            let mail = Mail::One(event.clone());
            let parcel = Parcel { origin: Origin::inside(), mail, heap_bytes };
            let node = shift.hands.outbox.log.stock.node(parcel);
            claim.rest.push_back(node);
            slot.note_handed(1);
            shift.hands.tally.accepted += 1;
            shift.hands.tally.bytes_accepted += heap_bytes as u64;
            shift.activate(owner, claim);
        }
        shift.hands.holding = false;
        shift.publish(Posting::Midway);
    }

    /// Emits an event of the runtime's own; it counts for nothing in the phases.
    pub(crate) fn broadcast(&mut self, event: impl IntoEvent) {
        let mut shift = self.shift();
        shift.hands.outbox.descend_from(&Origin::inside());
        shift.hands.outbox.begin_turn();
        shift.hands.outbox.emit(event.into_event());
        shift.publish(Posting::Midway);
        shift.hands.tally.inside = 0;
    }

    /// Makes what this worker published known without taking any of it.
    pub(crate) fn hand_over(&mut self) -> bool {
        let Hands { id, tally, newly, .. } = &mut self.hands;
        let (worker, until) = (*id, Until::Over);
        self.core.hand_over(&mut Seat { worker, until, robs_from: worker, tally, newly })
    }
}

/// A worker at work.
struct Shift<'c> {
    core: &'c Core,
    board: &'c Board,
    hands: &'c mut Hands,
    /// A mailbox that this worker has claimed in posting to it, to go on with.
    gift: Option<Gift<'c>>,
}

/// A source that was pulled from and is not given back yet.
struct Pulled<'c> {
    owner_idx: OwnerIdx,
    claim: DeskClaim<'c>,
    counts: Counts,
    began: Option<Duration>,
}

impl<'c> Shift<'c> {
    fn work(&mut self, until: Until) {
        self.core.enter_to_work(&self.seat(until));
        let limits = &self.core.limits;
        let pull_max = limits.pull_max.min(limits.emissions_per_turn_max);
        while let Some(Assignment { work, room, stopping }) = self.next(until) {
            if let Work::Job(Job::Scope { scope, errand, .. }) = work {
                self.run_errand(scope, errand);
                continue;
            }
            self.leave_scope();
            match work {
                Work::Job(Job::Scope { .. }) => {}
                Work::Job(Job::Turns(owner)) => self.claim_and_activate(owner),
                Work::Pull(owner) => {
                    let room = if stopping { 0 } else { room.min(pull_max) };
                    if let Some(pulled) = self.pull(owner, room) {
                        self.publish(Posting::Midway);
                        self.after_pull(pulled);
                    }
                }
                Work::Lane(lane) => {
                    self.take_from_lane(lane, room);
                    if !planted("lane-opened-early") {
                        self.publish(Posting::Midway);
                    }
                    self.release_lane(lane);
                }
                Work::Alarms => {
                    self.see_to_alarms();
                    self.publish(Posting::Midway);
                }
            }
            // What a turn hands on is gone on with, if nobody else became ready with it: first
            // come, first served.
            while self.goes_on_with_gift() {
                self.activate_gift();
            }
        }
        self.hands.outbox.log.forget_question();
    }

    #[inline]
    fn claim_and_activate(&mut self, owner: OwnerIdx) {
        if let Some(claim) = self.claim(owner) {
            self.activate(owner, claim);
            if !self.hands.is_lost {
                self.hand_permit_on(self.core.member(owner));
            }
        }
    }

    /// Takes a ready mailbox over; `None` when its mail was given up, or has to wait for a permit.
    #[inline]
    fn claim(&mut self, owner: OwnerIdx) -> Option<DeskClaim<'c>> {
        let member = self.core.member(owner);
        if !self.may_begin(member) {
            return None;
        }
        match member.slot.mailbox.try_claim(Signal::Claimed) {
            Some((mut claim, posted)) => {
                claim.rest.append(posted);
                Some(claim)
            }
            None => {
                assert!(self.core.is_halted(), "two workers own the mailbox of {owner}");
                None
            }
        }
    }

    /// Whether a mailbox was claimed in posting to it, and nothing else calls.
    #[inline(always)]
    fn goes_on_with_gift(&mut self) -> bool {
        let goes_on = self.gift.is_some() && self.hands.newly.is_empty() && self.may_go_on();
        self.hands.streak += u32::from(goes_on);
        goes_on
    }

    /// The next thing to do: past the lock as long as nothing waits under it.
    #[inline]
    fn next(&mut self, until: Until) -> Option<Assignment> {
        if let Some(assignment) = self.next_past_the_lock() {
            return Some(assignment);
        }
        if self.hands.is_lost {
            return None;
        }
        self.core.next(&mut self.seat(until))
    }

    /// What this worker brings along when it asks the scheduler.
    fn seat(&mut self, until: Until) -> Seat<'_> {
        let Hands { id, tally, newly, .. } = &mut *self.hands;
        Seat { worker: *id, until, robs_from: *id, tally, newly }
    }

    /// The next thing to do, unless it waits under the lock.
    #[inline(always)]
    fn next_past_the_lock(&mut self) -> Option<Assignment> {
        self.give_gift_back();
        if self.may_go_on() {
            if let [Newly::Ready(job)] = self.hands.newly[..]
                && self.is_alone(job)
            {
                self.hands.newly.clear();
                return Some(self.past_the_lock(job));
            }
            if let Some(job) = self.pop_own() {
                return Some(self.past_the_lock(job));
            }
        }
        self.leave_scope();
        self.hands.streak = 0;
        // A worker may sleep from here on; a question it put off is whoever's takes its turn.
        self.hands.outbox.log.forget_question();
        None
    }

    fn past_the_lock(&mut self, job: Job) -> Assignment {
        self.hands.streak += 1;
        Assignment { work: Work::Job(job), room: 0, stopping: false }
    }

    /// Whether nothing calls for a look under the lock.
    #[inline]
    fn may_go_on(&self) -> bool {
        let Hands { streak, tally, .. } = &*self.hands;
        let untold = tally.in_flight().unsigned_abs();
        *streak < STREAK_MAX
            && !(self.core.has_alarms() && self.core.is_alarm_due())
            && untold < UNTOLD_MAX
            && tally.untold_bytes() < UNTOLD_BYTES_MAX
            && !self.core.has_takeable()
            && !self.core.holds_turns()
    }

    /// Whether a job would come back if it were put among this worker's own.
    #[inline]
    fn is_alone(&self, job: Job) -> bool {
        let shards = self.core.shards();
        shards.is_empty(self.hands.id) && !shards.any_before(self.core.band(job))
    }

    /// Puts what this worker made ready among its own jobs and takes the next of them.
    fn pop_own(&mut self) -> Option<Job> {
        let Hands { id, newly, .. } = &mut *self.hands;
        let is_job = |newly: &Newly| matches!(newly, Newly::Ready(_));
        if !newly.iter().all(is_job) || (newly.is_empty() && self.core.shards().is_empty(*id)) {
            return None;
        }
        let jobs = newly.drain(..).filter_map(|newly| match newly {
            Newly::Ready(job) => Some((job, self.core.band(job))),
            Newly::Promoted(_) | Newly::Pull(_) | Newly::Lane(_) => None,
        });
        let (job, n_left) = self.core.shards().push_and_pop(*id, jobs);
        if n_left > 0 {
            self.core.wake_for_surplus();
        }
        job
    }

    // ------------------------------------------------------------------ sources and lanes

    /// Pulls from a processor; with no room, tells it to stop instead.
    fn pull(&mut self, owner_idx: OwnerIdx, room: usize) -> Option<Pulled<'c>> {
        let core = self.core;
        let member = core.member(owner_idx);
        // If it has got mail by now, it is in the ready set, and this entry is stale.
        let (mut claim, _) = member.slot.mailbox.try_claim(Signal::ClaimedToPull)?;
        let pulling = claim.mark.pulling().expect("a mailbox waits for room to be pulled from");

        let mut counts = Counts::default();
        let began = core.timed.then(|| core.clock.now());
        let origin = Origin { descent: pulling, question: None };
        let answer = if room == 0 {
            Ok(Pull::Done)
        } else {
            counts.pulls += 1;
            let owner = claim.owner.as_deref_mut().expect(HAS_PROCESSOR);
            let outbox = &mut self.hands.outbox;
            let (who, clock) = (&member.who(), &core.clock);
            outbox.descend_from(&origin);
            Seated { owner, who, clock, outbox }.pull(room)
        };
        counts.emitted += self.hands.outbox.n_emitted() as u64;
        if core.listeners.want_each_turn() {
            let Hands { notes, outbox, .. } = &mut *self.hands;
            notes.look_for_room(&core.listeners);
            notes.emitted(core.listeners.wants(), (owner_idx, member.name()), outbox);
        }
        let more = match answer {
            Ok(answer) => answer == Pull::More,
            Err(failure) => {
                counts.failures += 1;
                // A source that fails has not brought in all there is: nothing to be skipped.
                let TurnFailure { cause, panicked, usable: _ } = failure;
                let processor = member.name().clone();
                core.fail(Failure::Pull { processor, cause, panicked });
                false
            }
        };
        claim.mark.set_pulling(more.then_some(pulling));
        Some(Pulled { owner_idx, claim, counts, began })
    }

    /// Gives a source back that was pulled from, when what it brought in is published.
    fn after_pull(&mut self, pulled: Pulled<'c>) {
        let Pulled { owner_idx, claim, mut counts, began } = pulled;
        if let Some(began) = began {
            counts.busy = self.core.clock.now().saturating_sub(began);
        }
        self.core.member(owner_idx).add(&counts);
        self.release(owner_idx, claim);
    }

    /// Takes what waits in a lane, to be published.
    fn take_from_lane(&mut self, lane: u32, room: usize) {
        let lane = &self.core.lanes[lane as usize];
        lane.take(room.min(LANE_BATCH_MAX), &mut self.hands.outbox.log);
    }

    /// Opens a lane to the next worker, when what was taken from it is published.
    fn release_lane(&mut self, lane: u32) {
        if self.core.lanes[lane as usize].release() {
            self.hands.newly.push(Newly::Lane(lane));
        }
        if planted("lane-opened-early") {
            self.publish(Posting::Midway);
        }
    }

    /// Sees to the timers that are due; what they emit is to be published.
    fn see_to_alarms(&mut self) {
        for alarm in self.core.take_due() {
            match alarm {
                Alarm::Emit { event, origin } => {
                    self.hands.outbox.descend_from(&origin);
                    self.hands.outbox.begin_turn();
                    self.hands.outbox.emit(event);
                    let refusal = self.hands.outbox.take_refusal();
                    assert!(refusal.is_none(), "a timer's event is routed when it is set");
                }
                Alarm::Attempt(job) | Alarm::Due(job) => self.hands.newly.push(Newly::Ready(job)),
                Alarm::Wake(owner) => {
                    self.hands.newly.push(Newly::Ready(Job::Turns(owner)));
                }
                Alarm::Redeliver { to, event, origin, n_attempts } => {
                    let mail = Mail::Again(Box::new((event, n_attempts)));
                    let parcel = Parcel { origin, mail, heap_bytes: 0 };
                    let node = self.hands.outbox.log.stock.node(parcel);
                    let effect = self.core.member(to).slot.mailbox.post(node);
                    self.hands.newly.extend(Newly::from_effect(effect, to));
                }
            }
        }
        self.hands.outbox.log.forget_question();
    }

    /// Gives a mailbox back to whoever finds it ready.
    fn release(&mut self, owner: OwnerIdx, claim: DeskClaim<'c>) {
        let waits = self.core.member(owner).bounded().is_some_and(BoundedMail::is_told);
        let has_mail = !claim.rest.is_empty() || waits;
        self.release_with(has_mail, owner, claim);
    }

    /// The same for who knows whether there is mail.
    #[inline]
    fn release_with(&mut self, has_mail: bool, owner: OwnerIdx, claim: DeskClaim<'c>) {
        let pulling = claim.mark.pulling().is_some();
        let effect = claim.release(Release::Free { has_mail, pulling });
        self.hands.newly.extend(Newly::from_effect(effect, owner));
    }
}

const HAS_PROCESSOR: &str = "a mailbox has its processor until the run is over";
