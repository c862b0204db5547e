//! Owns what one thread does while it takes turns: claim a mailbox, take a batch of turns, publish
//! what they emitted, give the mailbox back, find the next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Event, Fact, IntoEvent, Outcome, Topic};

use crate::core::{Assignment, Core, Seat, Slot};
use crate::envelope::{Envelope, Origin};
use crate::failure::Failure;
use crate::mailbox::{Counts, Effect, Pulling, Signal};
use crate::outbox::Outbox;
use crate::owner::Owner;
use crate::parcels::Parcels;
use crate::processor::Pull;
use crate::ready::{Newly, OwnerIdx, Work};
use crate::report::DeadLetter;
use crate::routes::RouteCache;
use crate::tally::Tally;
use crate::timer_log::TimerLog;
use crate::turn::{self, GivenUp, Seated, Then, TurnFailure, Wish};

/// Hand-offs in a row before the shared set is looked at, or a pair that plays ping-pong would
/// starve the rest.
const STREAK_MAX: u32 = 64;

/// Emissions held back before they are published in the middle of a batch.
const UNPUBLISHED_MAX: usize = 512;

/// Deliveries that a worker may have added before it tells the others: limits count what was told.
const UNTOLD_MAX: i64 = 512;

/// Events taken from a lane at a time.
const LANE_BATCH_MAX: usize = 1_024;

/// A thread that takes turns.
pub(crate) struct Worker {
    core: Arc<Core>,
    hands: Hands,
}

impl Worker {
    pub(crate) fn new(core: Arc<Core>, routes: RouteCache, id: usize) -> Worker {
        let outbox = Outbox::new(routes, core.limits.emissions_per_turn_max);
        let hands = Hands {
            id,
            outbox,
            timers: TimerLog::new(u32::try_from(id).expect("workers are counted in u32")),
            parcels: Parcels::default(),
            batch: VecDeque::new(),
            newly: Vec::new(),
            tally: Tally::default(),
            streak: 0,
            holding: false,
            facts: Vec::new(),
        };
        Worker { core, hands }
    }

    /// Works until the run is over or halted.
    pub(crate) fn serve(&mut self) {
        self.hands.work(&self.core, false);
    }

    /// Works until the run is quiet or halted.
    pub(crate) fn drain(&mut self) {
        self.hands.work(&self.core, true);
    }

    /// Lets each of these take its turn on an event, one after the other on this thread; what
    /// they emit is published when all are done.
    pub(crate) fn take_in_order(&mut self, owners: &[OwnerIdx], event: &Event) {
        self.hands.holding = true;
        for &owner in owners {
            let envelope = Envelope { event: event.clone(), origin: Origin::inside() };
            let slot = &self.core.slots()[owner as usize];
            let mut mailbox = slot.mailbox.lock();
            mailbox.mail.push_back(envelope);
            let effect = mailbox.signal(Signal::Posted);
            assert_eq!(effect, Effect::Enqueue, "nobody has work before the run");
            drop(mailbox);
            self.hands.tally.accepted += 1;
            self.hands.activate(&self.core, owner);
        }
        self.hands.holding = false;
        self.hands.publish(&self.core);
    }

    /// Emits an event of the runtime's own; it counts for nothing in the phases.
    pub(crate) fn broadcast(&mut self, event: impl IntoEvent) {
        self.hands.outbox.mark();
        self.hands.outbox.emit(event.into_event(), &Origin::inside());
        self.hands.publish(&self.core);
        self.hands.tally.inside = 0;
    }

    /// Makes what this worker published known without taking any of it.
    pub(crate) fn hand_over(&mut self) {
        let Hands { id, tally, newly, .. } = &mut self.hands;
        self.core.hand_over(&mut Seat { worker: *id, drains: false, tally, newly });
    }
}

/// What a working thread has in hand.
struct Hands {
    id: usize,
    outbox: Outbox,
    /// Stays empty: nobody outside can set a timer before the scheduler waits for them.
    timers: TimerLog,
    parcels: Parcels,
    /// The batch, oldest first.
    batch: VecDeque<Envelope>,
    /// What this worker made ready and has not told the others yet.
    newly: Vec<Newly>,
    tally: Tally,
    /// How often in a row the next thing to do was taken past the shared set.
    streak: u32,
    /// Whether what is emitted waits in the outbox until further notice.
    holding: bool,
    facts: Vec<Fact>,
}

impl Hands {
    fn work(&mut self, core: &Core, drains: bool) {
        core.enter();
        let pull_max = core.limits.pull_max.min(core.limits.emissions_per_turn_max);
        while let Some(Assignment { work, room, stopping }) = self.next(core, drains) {
            match work {
                Work::Turns(owner) => self.activate(core, owner),
                Work::Pull(owner) if stopping => self.pull(core, owner, 0),
                Work::Pull(owner) => self.pull(core, owner, room.min(pull_max)),
                Work::Lane(lane) => self.empty_lane(core, lane, room),
            }
        }
    }

    /// The next thing to do. When this worker made exactly one thing ready and nothing waits
    /// anywhere, putting it into the shared set would only give it back.
    fn next(&mut self, core: &Core, drains: bool) -> Option<Assignment> {
        if let [Newly::Ready(owner)] = self.newly[..] {
            let alone = !core.has_takeable() && !core.is_halted();
            if alone && self.streak < STREAK_MAX && self.tally.in_flight() < UNTOLD_MAX {
                self.streak += 1;
                self.newly.clear();
                return Some(Assignment { work: Work::Turns(owner), room: 0, stopping: false });
            }
        }
        self.streak = 0;
        let Hands { id, tally, newly, .. } = self;
        core.next(&mut Seat { worker: *id, drains, tally, newly })
    }

    // ------------------------------------------------------------------ turns

    /// Takes a batch of turns for one processor.
    fn activate(&mut self, core: &Core, owner_idx: OwnerIdx) {
        let slot = &core.slots()[owner_idx as usize];
        let mut owner = self.claim(core, slot);
        let began = core.timed.then(|| core.clock.now());
        let mut counts = Counts::default();
        let pulling = self.take_batch(core, slot, &mut *owner, &mut counts);
        // Before the release: were the next batch taken elsewhere by then, its emissions could
        // overtake these.
        self.publish(core);
        if let Some(began) = began {
            counts.busy = core.clock.now().saturating_sub(began);
        }

        let mut mailbox = slot.mailbox.lock();
        while let Some(envelope) = self.batch.pop_back() {
            mailbox.mail.push_front(envelope);
        }
        mailbox.counts.add(&counts);
        mailbox.pulling = pulling.or(mailbox.pulling);
        let effect = mailbox.release(owner);
        drop(mailbox);
        self.newly.extend(Newly::from_effect(effect, owner_idx));
    }

    fn claim(&mut self, core: &Core, slot: &Slot) -> Box<dyn Owner> {
        let mut mailbox = slot.mailbox.lock();
        let effect = mailbox.signal(Signal::Claimed);
        debug_assert_eq!(effect, Effect::Nothing, "a claim asks for nothing");
        let n_max = core.limits.batch_turns_max;
        if mailbox.mail.len() <= n_max {
            std::mem::swap(&mut mailbox.mail, &mut self.batch);
        } else {
            self.batch.extend(mailbox.mail.drain(..n_max));
        }
        mailbox.owner.take().expect("a mailbox that is not running has its processor")
    }

    /// Takes turns until the batch is done, its time is up, or the run is halted; says what the
    /// pulls inherit if a turn asked for them. What is left stays in the batch.
    fn take_batch(
        &mut self,
        core: &Core,
        slot: &Slot,
        owner: &mut dyn Owner,
        counts: &mut Counts,
    ) -> Option<Pulling> {
        let mut pulling = None;
        let mut pace = Pace::new(core, self.batch.len());
        while let Some(envelope) = self.batch.pop_front() {
            if core.is_halted() {
                self.batch.push_front(envelope);
                break;
            }
            counts.turns += 1;
            if self.turn(core, slot, owner, &envelope, counts) == Wish::Pulls {
                pulling = Some(Pulling { descent: envelope.origin.descent });
            }
            // Who awaits a reply does nothing else: it is not kept for the batch's end.
            if self.outbox.len() >= UNPUBLISHED_MAX || self.outbox.has_replies() {
                self.publish(core);
            }
            if pace.is_over(core, self.batch.len()) {
                break;
            }
        }
        pulling
    }

    fn turn(
        &mut self,
        core: &Core,
        slot: &Slot,
        owner: &mut dyn Owner,
        envelope: &Envelope,
        counts: &mut Counts,
    ) -> Wish {
        let Envelope { event, origin } = envelope;
        if !core.observers.is_empty() {
            let (processor, topic) = (slot.name.clone(), event.topic());
            self.facts.push(Fact::TurnStarted { processor, topic });
        }
        let (name, policy, clock) = (&slot.name, &slot.on_failure, &core.clock);
        let Hands { outbox, timers, .. } = self;
        let mut seated = Seated { owner, name, policy, clock, outbox, timers };
        let result = seated.take_turn(event, origin);
        let emitted = self.outbox.n_emitted();
        counts.emitted += emitted as u64;
        if !core.observers.is_empty() {
            self.note_turn(slot, event.topic(), result.as_ref().map(|_| ()), emitted);
        }
        match result {
            Ok(wish) => {
                self.tally.handled += 1;
                wish
            }
            Err(given_up) => {
                counts.failures += 1;
                self.tally.dead += 1;
                give_up(core, slot, event, given_up);
                Wish::Nothing
            }
        }
    }

    // ------------------------------------------------------------------ sources and lanes

    /// Pulls from a processor; with no room, tells it to stop instead.
    fn pull(&mut self, core: &Core, owner_idx: OwnerIdx, room: usize) {
        let slot = &core.slots()[owner_idx as usize];
        let mut mailbox = slot.mailbox.lock();
        if mailbox.signal(Signal::ClaimedToPull) == Effect::Discard {
            return;
        }
        let mut owner = mailbox.owner.take().expect("a mailbox that waits has its processor");
        let pulling = mailbox.pulling.take().expect("a mailbox waits for room to be pulled from");
        drop(mailbox);

        let mut counts = Counts::default();
        let began = core.timed.then(|| core.clock.now());
        let origin = Origin { descent: pulling.descent, question: None };
        let answer = if room == 0 {
            Ok(Pull::Done)
        } else {
            counts.pulls += 1;
            let (name, policy, clock) = (&slot.name, &slot.on_failure, &core.clock);
            let Hands { outbox, timers, .. } = self;
            Seated { owner: &mut *owner, name, policy, clock, outbox, timers }.pull(&origin, room)
        };
        counts.emitted += self.outbox.n_emitted() as u64;
        if !core.observers.is_empty() {
            self.note_emissions(slot);
        }
        let more = match answer {
            Ok(answer) => answer == Pull::More,
            Err(failure) => {
                counts.failures += 1;
                // A source that fails has not brought in all there is: nothing to be skipped.
                let TurnFailure { cause, panicked, usable: _ } = failure;
                core.fail(Failure::Pull { processor: slot.name.clone(), cause, panicked });
                false
            }
        };
        self.publish(core);
        if let Some(began) = began {
            counts.busy = core.clock.now().saturating_sub(began);
        }

        let mut mailbox = slot.mailbox.lock();
        mailbox.counts.add(&counts);
        mailbox.pulling = more.then_some(pulling);
        let effect = mailbox.release(owner);
        drop(mailbox);
        self.newly.extend(Newly::from_effect(effect, owner_idx));
    }

    /// Posts what waits in a lane, then opens it to the next worker.
    fn empty_lane(&mut self, core: &Core, lane: u32, room: usize) {
        let Hands { outbox, batch, .. } = self;
        core.lanes[lane as usize].take(room.min(LANE_BATCH_MAX), batch);
        outbox.forward(batch);
        self.publish(core);
        if core.lanes[lane as usize].release() {
            self.newly.push(Newly::Lane(lane));
        }
    }

    // ------------------------------------------------------------------ publishing

    /// Makes heard what the turns so far emitted.
    fn publish(&mut self, core: &Core) {
        if self.holding {
            return;
        }
        if !self.outbox.is_empty() {
            let Hands { outbox, parcels, newly, .. } = self;
            let drained = outbox.drain(parcels, |to, mail| post(core, to, mail, newly));
            self.tally.accepted += drained.deliveries;
            self.tally.unrouted += drained.unrouted;
            self.tally.inside += drained.inside;
        }
        if !self.facts.is_empty() {
            core.observers.tell(&mut self.facts);
        }
    }

    fn note_turn(
        &mut self,
        slot: &Slot,
        topic: Topic,
        result: Result<(), &GivenUp>,
        emitted: usize,
    ) {
        let outcome = match result {
            Ok(()) => Outcome::Succeeded,
            Err(failure) => Outcome::Failed {
                error: turn::describe(&failure.cause),
                panicked: failure.panicked,
            },
        };
        self.note_emissions(slot);
        let processor = slot.name.clone();
        self.facts.push(Fact::TurnFinished { processor, topic, outcome, emitted });
    }

    fn note_emissions(&mut self, slot: &Slot) {
        for (event, recipients) in self.outbox.current_turn() {
            let (processor, topic) = (slot.name.clone(), event.topic());
            self.facts.push(Fact::Emitted { processor, topic, recipients });
        }
    }
}

/// Puts events into a mailbox; whoever finds it idle makes it ready.
fn post(core: &Core, to: OwnerIdx, mail: &mut VecDeque<Envelope>, newly: &mut Vec<Newly>) {
    let mut mailbox = core.slots()[to as usize].mailbox.lock();
    if mailbox.mail.is_empty() {
        std::mem::swap(&mut mailbox.mail, mail);
    } else {
        mailbox.mail.append(mail);
    }
    let effect = mailbox.signal(Signal::Posted);
    drop(mailbox);
    newly.extend(Newly::from_effect(effect, to));
}

/// Does what the processor's policy says about a turn that failed for good.
fn give_up(core: &Core, slot: &Slot, event: &Event, given_up: GivenUp) {
    let (processor, event) = (slot.name.clone(), event.clone());
    let GivenUp { panicked, attempts, .. } = given_up;
    if given_up.then == Then::GoesOn {
        let (topic, error) = (event.topic(), turn::describe(&given_up.cause));
        let event = Some(event);
        core.keep(DeadLetter { processor, topic, event, error, panicked, attempts });
    } else {
        let cause = given_up.into_error();
        core.fail(Failure::Turn { processor, event, cause, panicked });
    }
}

/// Says when a batch has had its time. The clock is read after turns 1, 2, 4, 8, …: a batch of
/// short turns pays for few readings, and a batch of long ones ends in time; it overruns by as
/// much again and a turn at most.
struct Pace {
    deadline: Option<Duration>,
    n_turns: u32,
}

impl Pace {
    /// For a batch of `n_batch`; one of a single turn needs no clock.
    fn new(core: &Core, n_batch: usize) -> Pace {
        let deadline =
            (n_batch > 1).then(|| core.clock.now().saturating_add(core.limits.batch_time_max));
        Pace { deadline, n_turns: 0 }
    }

    fn is_over(&mut self, core: &Core, n_left: usize) -> bool {
        self.n_turns += 1;
        match self.deadline {
            Some(deadline) if n_left > 0 && self.n_turns.is_power_of_two() => {
                core.clock.now() >= deadline
            }
            _ => false,
        }
    }
}
