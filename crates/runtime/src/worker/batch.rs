//! Owns a batch of turns: one processor's, on one thread, until its mail, its number or its time
//! is up.

use std::time::Duration;

use selvedge_event::{Event, Fact, Outcome, Wants};

use super::post::{Gift, Posting};
use super::{HAS_PROCESSOR, Hands, Shift, UNPUBLISHED_MAX};
use crate::alarms::Alarm;
use crate::budget::measured;
use crate::core::{Core, Counts, Slot};
use crate::failure::Failure;
use crate::mailbox::cell::Release;
use crate::mailbox::parcel::{Mail, Parcel};
use crate::mailbox::{Desk, DeskClaim};
use crate::origin::Origin;
use crate::owner::Owner;
use crate::policy::Meanwhile;
use crate::ready::OwnerIdx;
use crate::report::DeadLetter;
use crate::turn::{self, Again, GivenUp, Seated, Then, TurnEnd};

/// Whose batch it is, and what it has come to.
struct Batch<'b> {
    owner_idx: OwnerIdx,
    slot: &'b Slot,
    owner: &'b mut dyn Owner,
    counts: Counts,
    /// Set if the processor wants to be pulled from.
    pulling: Option<crate::origin::Descent>,
}

impl<'c> Shift<'c> {
    /// Takes a batch of turns for one processor.
    pub(super) fn activate(&mut self, owner_idx: OwnerIdx, mut claim: DeskClaim<'c>) {
        let core = self.core;
        let slot = &core.slots()[owner_idx as usize];
        let began = core.timed.then(|| core.clock.now());
        if let Some(mail) = slot.bounded() {
            self.refill(mail, &mut claim);
        }
        let (mut counts, held) = self.take_batch(owner_idx, slot, &mut claim);
        // Before the release: were the next batch taken elsewhere by then, its emissions could
        // overtake these.
        let is_done = claim.rest.is_empty() && claim.pulling.is_none();
        self.publish(if is_done { Posting::Last } else { Posting::Midway });
        if let Some(began) = began {
            counts.busy = core.clock.now().saturating_sub(began);
        }
        slot.add(&counts);
        match held {
            None => self.release(owner_idx, claim),
            Some(after) => {
                claim.release(Release::Held);
                // This worker counts as running, so nobody takes the run for quiet in between.
                core.arm(after, Alarm::Wake(owner_idx));
            }
        }
    }

    /// Takes turns for a processor that was claimed in posting to it.
    pub(super) fn activate_gift(&mut self, gift: Gift<'c>) {
        let core = self.core;
        match gift {
            Gift { to, claim, single: Some((event, origin)) }
                if !core.timed && core.listeners.wants().is_empty() =>
            {
                self.take_single(to, claim, event, origin);
            }
            gift => {
                let (to, claim) = self.put_on_desk(gift);
                self.activate(to, claim);
            }
        }
    }

    /// A batch of one turn, on an event that was never put anywhere.
    #[inline]
    fn take_single(
        &mut self,
        owner_idx: OwnerIdx,
        mut claim: DeskClaim<'c>,
        event: Event,
        origin: Origin,
    ) {
        let slot = &self.core.slots()[owner_idx as usize];
        let desk = &mut *claim;
        let owner = desk.owner.as_deref_mut().expect(HAS_PROCESSOR);
        let counts = Counts { turns: 1, ..Counts::default() };
        let mut batch = Batch { owner_idx, slot, owner, counts, pulling: None };
        let end = self.attempt(&mut batch, &event, &origin, 1);
        batch.counts.emitted = self.hands.outbox.n_emitted() as u64;
        let held = match end {
            TurnEnd::Done => {
                self.hands.tally.handled += 1;
                None
            }
            end => self.settle(&mut batch, &event, &origin, end, &mut desk.n_attempts),
        };
        let Batch { counts, pulling, .. } = batch;
        desk.pulling = pulling;
        if let Some(after) = held {
            let mail = Mail::One(event);
            let parcel = Parcel { heap_bytes: mail.bytes(), origin, mail };
            desk.rest.push_back(self.hands.outbox.log.stock.node(parcel));
            self.publish(Posting::Midway);
            slot.add(&counts);
            claim.release(Release::Held);
            self.core.arm(after, Alarm::Wake(owner_idx));
            return;
        }
        self.hands.tally.bytes_ended += event.bytes() as u64;
        drop((event, origin));
        self.hands.outbox.log.forget_question();
        let is_done = claim.pulling.is_none();
        self.publish(if is_done { Posting::Last } else { Posting::Midway });
        slot.add(&counts);
        self.release(owner_idx, claim);
    }

    /// Takes turns until the batch is done, its time is up, or the run is halted. What is left
    /// stays on the desk. Says how long the mailbox is to wait, if it is.
    fn take_batch(
        &mut self,
        owner_idx: OwnerIdx,
        slot: &Slot,
        desk: &mut Desk,
    ) -> (Counts, Option<Duration>) {
        let core = self.core;
        let owner = desk.owner.as_deref_mut().expect(HAS_PROCESSOR);
        let mut pace = Pace::new();
        let mut batch =
            Batch { owner_idx, slot, owner, counts: Counts::default(), pulling: desk.pulling };
        let mut held = None;
        'batch: while let Some(parcel) = desk.rest.front() {
            if let Mail::Again(again) = &parcel.mail {
                desk.n_attempts = desk.n_attempts.max(again.1);
            }
            let events = parcel.mail.as_slice();
            for event in events.get(desk.cursor as usize..).unwrap_or_default() {
                if core.holds_turns() || pace.is_over(core) {
                    break 'batch;
                }
                desk.cursor += 1;
                let number = desk.n_attempts + 1;
                let end = self.attempt(&mut batch, event, &parcel.origin, number);
                batch.counts.emitted += self.hands.outbox.n_emitted() as u64;
                if let TurnEnd::Done = end
                    && number == 1
                {
                    self.hands.tally.handled += 1;
                } else {
                    let origin = &parcel.origin;
                    held = self.settle(&mut batch, event, origin, end, &mut desk.n_attempts);
                    if held.is_some() {
                        desk.cursor -= 1;
                        break 'batch;
                    }
                }
                // Who awaits a reply does nothing else: it is not kept for the batch's end.
                let outbox = &self.hands.outbox;
                if outbox.len() >= UNPUBLISHED_MAX || outbox.has_replies() {
                    self.publish(Posting::Midway);
                }
            }
            desk.cursor = 0;
            self.hands.outbox.log.forget_question();
            self.hands.tally.bytes_ended += parcel.heap_bytes as u64;
            if let Some(done) = desk.rest.pop_front() {
                self.hands.outbox.log.stock.put_back(done);
            }
        }
        let Batch { mut counts, pulling, .. } = batch;
        counts.turns = pace.n_turns;
        desk.pulling = pulling;
        (counts, held)
    }

    /// One attempt at a turn.
    #[inline]
    fn attempt(
        &mut self,
        batch: &mut Batch<'_>,
        event: &Event,
        origin: &Origin,
        number: u32,
    ) -> TurnEnd {
        let (info, core) = (&batch.slot.info, self.core);
        if info.time_budget.is_some() || !core.listeners.wants().is_empty() {
            return self.attempt_watched(batch, event, origin, number);
        }
        let (name, policy, clock) = (&info.name, &info.on_failure, &core.clock);
        let (owner, outbox) = (&mut *batch.owner, &mut self.hands.outbox);
        Seated { owner, name, policy, clock, outbox }.take_turn(event, origin, number)
    }

    /// The same, for those who want to be told of it.
    #[cold]
    fn attempt_watched(
        &mut self,
        batch: &mut Batch<'_>,
        event: &Event,
        origin: &Origin,
        number: u32,
    ) -> TurnEnd {
        let (info, core) = (&batch.slot.info, self.core);
        let wants = core.listeners.wants();
        let Hands { notes, outbox, .. } = &mut *self.hands;
        notes.turn_started(wants, &info.name, event);
        let (name, policy, clock) = (&info.name, &info.on_failure, &core.clock);
        let mut seated =
            Seated { owner: &mut *batch.owner, name, policy, clock, outbox: &mut *outbox };
        let take_turn = || seated.take_turn(event, origin, number);
        let (end, overrun) = measured(info.time_budget, clock, take_turn);
        if let Some(overrun) = overrun {
            notes.note(wants, Wants::WARNINGS, || Fact::OverBudget {
                processor: name.clone(),
                topic: event.topic(),
                budget: overrun.budget,
                elapsed: overrun.elapsed,
            });
        }
        let outcome = match &end {
            TurnEnd::Done | TurnEnd::Pulls => Outcome::Succeeded,
            TurnEnd::GivenUp(given_up) => Outcome::Failed {
                error: turn::describe(&given_up.cause),
                panicked: given_up.panicked,
            },
            TurnEnd::Again(again) => {
                notes.note(wants, Wants::FAILURES, || Fact::Retrying {
                    processor: name.clone(),
                    topic: event.topic(),
                    attempt: number,
                    error: turn::describe(&again.failure.cause),
                    delay: again.after,
                });
                return end;
            }
        };
        notes.emitted(wants, name, outbox.current_turn());
        notes.turn_finished(wants, name, event, || outcome, (outbox.n_emitted(), number));
        end
    }

    /// Does what is to be done after a turn that did more than succeed, or didn't; further
    /// attempts that don't wait are made here. Says how long the mailbox is to wait, if it is.
    #[cold]
    fn settle(
        &mut self,
        batch: &mut Batch<'_>,
        event: &Event,
        origin: &Origin,
        mut end: TurnEnd,
        n_attempts: &mut u32,
    ) -> Option<Duration> {
        loop {
            match end {
                TurnEnd::Done => self.hands.tally.handled += 1,
                TurnEnd::Pulls => {
                    self.hands.tally.handled += 1;
                    batch.pulling = Some(origin.descent);
                }
                TurnEnd::GivenUp(given_up) => self.give_up(batch, event, *given_up),
                TurnEnd::Again(again) => {
                    let Again { attempt, after, meanwhile, failure } = *again;
                    drop(failure);
                    if meanwhile == Meanwhile::Pass {
                        let (to, event) = (batch.owner_idx, event.clone());
                        let (origin, n_attempts) = (origin.clone(), attempt - 1);
                        let alarm = Alarm::Redeliver { to, event, origin, n_attempts };
                        self.core.arm(after, alarm);
                    } else {
                        *n_attempts = attempt - 1;
                        if !after.is_zero() || self.core.is_halted() {
                            return Some(after);
                        }
                        end = self.attempt(batch, event, origin, attempt);
                        batch.counts.emitted += self.hands.outbox.n_emitted() as u64;
                        continue;
                    }
                }
            }
            *n_attempts = 0;
            return None;
        }
    }

    /// Does what the processor's policy says about a turn that failed for good.
    fn give_up(&mut self, batch: &mut Batch<'_>, event: &Event, given_up: GivenUp) {
        let (core, wants) = (self.core, self.core.listeners.wants());
        batch.counts.failures += 1;
        self.hands.tally.dead += 1;
        let (processor, event) = (batch.slot.info.name.clone(), event.clone());
        let GivenUp { panicked, attempts, .. } = given_up;
        if !matches!(given_up.then, Then::GoesOn | Then::Restarted) {
            let cause = given_up.into_error();
            return core.fail(Failure::Turn { processor, event, cause, panicked });
        }
        let (topic, error) = (event.topic(), turn::describe(&given_up.cause));
        let notes = &mut self.hands.notes;
        notes.note(wants, Wants::FAILURES, || Fact::DeadLettered {
            processor: processor.clone(),
            topic: topic.clone(),
            error: error.clone(),
            attempts,
        });
        if given_up.then == Then::Restarted {
            let restarts = batch.slot.note_restart();
            let processor = processor.clone();
            notes.note(wants, Wants::FAILURES, || Fact::Restarted { processor, restarts });
        }
        let event = Some(event);
        core.keep(DeadLetter { processor, topic, event, error, panicked, attempts });
    }
}

/// Says when a batch has had its turns or its time. The clock is read before turns 2, 3, 5, 9, …:
/// a batch of short turns pays for few readings, one of a single turn for none, and a batch of
/// long ones ends in time; it overruns by as much again and a turn at most.
struct Pace {
    n_turns: u64,
    /// After how many turns to look again.
    look_at: u64,
    deadline: Option<Duration>,
}

impl Pace {
    fn new() -> Pace {
        Pace { n_turns: 0, look_at: 1, deadline: None }
    }

    /// Asked before every turn, and told by that that it will be taken.
    #[inline]
    fn is_over(&mut self, core: &Core) -> bool {
        if self.n_turns == self.look_at && self.is_late(core) {
            return true;
        }
        self.n_turns += 1;
        false
    }

    #[inline(never)]
    fn is_late(&mut self, core: &Core) -> bool {
        let n_max = core.tuned.batch_turns_max() as u64;
        if self.n_turns >= n_max {
            return true;
        }
        self.look_at = (2 * self.n_turns).min(n_max);
        let now = core.clock.now();
        match self.deadline {
            Some(deadline) => now >= deadline,
            None => {
                self.deadline = Some(now.saturating_add(core.tuned.batch_time_max()));
                false
            }
        }
    }
}
