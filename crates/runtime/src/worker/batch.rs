//! Owns a batch of turns: one processor's, on one thread, until its mail, its number or its time
//! is up.

use std::time::Duration;

use selvedge_event::{Event, Fact, Outcome, Wants};

use super::pace::Pace;
use super::post::{Gift, Posting};
use super::{HAS_PROCESSOR, Hands, Shift, UNPUBLISHED_MAX};
use crate::alarms::Alarm;
use crate::budget::measured;
use crate::core::{Counts, Slot};
use crate::failure::Failure;
use crate::mailbox::cell::Release;
use crate::mailbox::parcel::{Mail, Parcel};
use crate::mailbox::{Desk, DeskClaim};
use crate::origin::Origin;
use crate::owner::Owner;
use crate::planted::planted;
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
    /// Turns of it that the slot knows of already.
    n_told: u64,
    /// Set if the processor wants to be pulled from.
    pulling: Option<crate::origin::Descent>,
}

/// How far an owner is with a parcel.
struct Place<'b> {
    cursor: &'b mut u32,
    n_attempts: &'b mut u32,
}

/// What came of a parcel.
enum Parceled {
    Done,
    /// The batch is over before it.
    Stopped,
    /// The mailbox is to wait so long.
    Held(Duration),
}

impl<'c> Shift<'c> {
    /// Takes a batch of turns for one processor.
    pub(super) fn activate(&mut self, owner_idx: OwnerIdx, mut claim: DeskClaim<'c>) {
        let core = self.core;
        let slot = &core.slots()[owner_idx as usize];
        let began = core.timed.then(|| core.clock.now());
        let (mut counts, held) = self.take_batch(owner_idx, slot, &mut claim, Pace::new());
        if self.hands.is_lost || self.is_late() {
            return self.quit(claim);
        }
        // Before the release: were the next batch taken elsewhere by then, its emissions could
        // overtake these.
        let is_done = claim.rest.is_empty() && claim.pulling.is_none();
        if !planted("late-publication") {
            self.publish(if is_done { Posting::Last } else { Posting::Midway });
        }
        if let Some(began) = began {
            counts.busy = core.clock.now().saturating_sub(began);
        }
        slot.add(&counts);
        self.give_back(owner_idx, claim, held);
    }

    /// Gives a mailbox back after a batch that is published, to whoever finds it ready or, if it
    /// is to wait, to a timer.
    #[inline]
    pub(super) fn give_back(
        &mut self,
        owner_idx: OwnerIdx,
        claim: DeskClaim<'c>,
        held: Option<Duration>,
    ) {
        match held {
            None => self.release(owner_idx, claim),
            Some(after) => {
                claim.release(Release::Held);
                // This worker counts as running, so nobody takes the run for quiet in between.
                self.core.arm(after, Alarm::Wake(owner_idx));
            }
        }
        if planted("late-publication") {
            self.publish(Posting::Midway);
        }
    }

    /// Takes turns for the processor that was claimed in posting to it.
    #[inline]
    pub(super) fn activate_gift(&mut self) {
        let Some(gift) = self.gift.take() else { return };
        let watched = self.core.timed || !self.core.listeners.wants().is_empty();
        match gift {
            Gift { to, claim, single: Some((event, origin)) } if !watched => {
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
        if slot.info.time_budget.is_some() {
            let gift = Gift { to: owner_idx, claim, single: Some((event, origin)) };
            let (to, claim) = self.put_on_desk(gift);
            return self.activate(to, claim);
        }
        let (core, info) = (self.core, &slot.info);
        let n_emitted_before = self.hands.n_emitted();
        let outbox = &mut self.hands.outbox;
        outbox.descend_from(&origin);
        let owner = claim.owner.as_deref_mut().expect(HAS_PROCESSOR);
        let (name, policy) = (&info.name, &info.on_failure);
        let seated = Seated { owner, name, policy, clock: &core.clock, outbox };
        self.board.enter(owner_idx);
        let end = seated.take_turn(&event, 1).unusual();
        if self.is_late() {
            return self.quit(claim);
        }
        match end {
            None if origin.question.is_none() => {
                self.hands.tally.handled += 1;
                self.hands.tally.bytes_ended += event.bytes() as u64;
                drop(event);
                slot.add_turn(self.hands.n_emitted() - n_emitted_before);
                self.publish(Posting::Last);
                // Only a mailbox without a capacity is handed on: what there is, is on the desk.
                let has_mail = !claim.rest.is_empty();
                self.release_with(has_mail, owner_idx, claim);
            }
            end => {
                let end = end.unwrap_or(TurnEnd::Done);
                self.end_single(owner_idx, claim, (event, origin), end, n_emitted_before);
            }
        }
    }

    /// What is to be done after a turn on a single event that did more than emit, or didn't.
    #[cold]
    fn end_single(
        &mut self,
        owner_idx: OwnerIdx,
        mut claim: DeskClaim<'c>,
        (event, origin): (Event, Origin),
        end: TurnEnd,
        n_emitted_before: u64,
    ) {
        let slot = &self.core.slots()[owner_idx as usize];
        let desk = &mut *claim;
        let owner = desk.owner.as_deref_mut().expect(HAS_PROCESSOR);
        let counts = Counts { turns: 1, ..Counts::default() };
        let mut batch = Batch { owner_idx, slot, owner, counts, n_told: 0, pulling: None };
        let held = self.settle(&mut batch, &event, &origin, end, &mut desk.n_attempts);
        let Batch { mut counts, n_told, pulling, .. } = batch;
        if self.hands.is_lost {
            return self.quit(claim);
        }
        counts.turns -= n_told;
        counts.emitted = self.hands.n_emitted() - n_emitted_before;
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
    pub(super) fn take_batch(
        &mut self,
        owner_idx: OwnerIdx,
        slot: &Slot,
        desk: &mut Desk,
        mut pace: Pace,
    ) -> (Counts, Option<Duration>) {
        if let Some(mail) = slot.bounded() {
            self.refill(mail, desk);
        }
        let owner = desk.owner.as_deref_mut().expect(HAS_PROCESSOR);
        let mut batch = Batch {
            owner_idx,
            slot,
            owner,
            counts: Counts::default(),
            n_told: 0,
            pulling: desk.pulling,
        };
        let mut held = None;
        let n_emitted_before = self.hands.n_emitted();
        self.board.enter_batch(owner_idx);
        while let Some(parcel) = desk.rest.front() {
            if let Mail::Again(again) = &parcel.mail {
                desk.n_attempts = desk.n_attempts.max(again.1);
            }
            let mut place = Place { cursor: &mut desk.cursor, n_attempts: &mut desk.n_attempts };
            match self.take_parcel(&mut batch, parcel, &mut place, &mut pace) {
                Parceled::Done => {}
                Parceled::Stopped => break,
                Parceled::Held(after) => {
                    held = Some(after);
                    break;
                }
            }
            desk.cursor = 0;
            self.hands.outbox.log.forget_question();
            self.hands.tally.bytes_ended += parcel.heap_bytes as u64;
            if let Some(done) = desk.rest.pop_front() {
                self.hands.outbox.log.stock.put_back(done);
            }
        }
        let Batch { mut counts, n_told, pulling, .. } = batch;
        counts.turns = self.board.n_turns() - n_told;
        counts.emitted = self.hands.n_emitted() - n_emitted_before;
        desk.pulling = pulling;
        (counts, held)
    }

    /// Takes turns on the events of a parcel.
    #[inline(always)]
    fn take_parcel(
        &mut self,
        batch: &mut Batch<'_>,
        parcel: &Parcel,
        place: &mut Place<'_>,
        pace: &mut Pace,
    ) -> Parceled {
        let core = self.core;
        self.hands.outbox.descend_from(&parcel.origin);
        let watched = batch.slot.info.time_budget.is_some() || !core.listeners.wants().is_empty();
        let mut cursor = *place.cursor as usize;
        let events = parcel.mail.as_slice();
        let mut n_plain = 0;
        let mut special = watched || *place.n_attempts > 0;
        let mut parceled = Parceled::Done;
        while let Some(event) = events.get(cursor) {
            if core.holds_turns() || pace.is_over(core, self.board) {
                parceled = Parceled::Stopped;
                break;
            }
            cursor += 1;
            let end = if special {
                Some(self.attempt(batch, event, *place.n_attempts + 1))
            } else {
                self.seated(batch).take_turn(event, 1).unusual()
            };
            if let Some(end) = end {
                batch.counts.turns = self.board.n_turns();
                if self.is_late() {
                    parceled = Parceled::Stopped;
                    break;
                }
                let held = self.settle(batch, event, &parcel.origin, end, place.n_attempts);
                if let Some(after) = held {
                    cursor -= 1;
                    parceled = Parceled::Held(after);
                    break;
                }
                if self.hands.is_lost {
                    parceled = Parceled::Stopped;
                    break;
                }
                self.board.enter(batch.owner_idx);
                special = watched;
            } else {
                n_plain += 1;
            }
            if self.hands.outbox.len() >= UNPUBLISHED_MAX {
                batch.counts.turns = self.board.n_turns();
                if self.is_late() {
                    parceled = Parceled::Stopped;
                    break;
                }
                self.publish_midway(batch);
                self.board.enter(batch.owner_idx);
            }
        }
        self.hands.tally.handled += n_plain;
        if !planted("double-delivery") {
            *place.cursor = u32::try_from(cursor).expect("parcels are small");
        }
        parceled
    }

    #[inline(always)]
    fn seated<'a>(&'a mut self, batch: &'a mut Batch<'_>) -> Seated<'a> {
        let (info, outbox) = (&batch.slot.info, &mut self.hands.outbox);
        let (name, policy) = (&info.name, &info.on_failure);
        Seated { owner: &mut *batch.owner, name, policy, clock: &self.core.clock, outbox }
    }

    /// One attempt at a turn.
    fn attempt(&mut self, batch: &mut Batch<'_>, event: &Event, number: u32) -> TurnEnd {
        let watched = !self.core.listeners.wants().is_empty();
        if watched || batch.slot.info.time_budget.is_some() {
            self.attempt_watched(batch, event, number)
        } else {
            self.seated(batch).take_turn(event, number)
        }
    }

    /// The same, for those who want to be told of it.
    #[cold]
    fn attempt_watched(&mut self, batch: &mut Batch<'_>, event: &Event, number: u32) -> TurnEnd {
        let (info, core) = (&batch.slot.info, self.core);
        let wants = core.listeners.wants();
        let Hands { notes, outbox, .. } = &mut *self.hands;
        notes.turn_started(wants, &info.name, event);
        let (name, policy, clock) = (&info.name, &info.on_failure, &core.clock);
        let seated = Seated { owner: &mut *batch.owner, name, policy, clock, outbox: &mut *outbox };
        let take_turn = || seated.take_turn(event, number);
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
            TurnEnd::Done | TurnEnd::DoneAndMore => Outcome::Succeeded,
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
        if let Some(archive) = batch.slot.archive() {
            notes.looked_up(wants, name, event, archive);
        }
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
                TurnEnd::DoneAndMore => {
                    self.hands.tally.handled += 1;
                    if self.hands.outbox.wants_pull() {
                        batch.pulling = Some(origin.descent);
                    }
                    // Who awaits a reply does nothing else: it is not kept for the batch's end.
                    if self.hands.outbox.has_replies() && !planted("reply-held") {
                        self.publish_midway(batch);
                    }
                }
                TurnEnd::GivenUp(given_up) => self.give_up(batch, event, *given_up),
                TurnEnd::Again(again) => {
                    let Again { attempt, after, meanwhile, failure } = *again;
                    drop(failure);
                    if meanwhile == Meanwhile::Pass || planted("retry-overtakes") {
                        let (to, event) = (batch.owner_idx, event.clone());
                        let (origin, n_attempts) = (origin.clone(), attempt - 1);
                        let alarm = Alarm::Redeliver { to, event, origin, n_attempts };
                        self.core.arm(after, alarm);
                    } else {
                        *n_attempts = attempt - 1;
                        if !after.is_zero() || self.core.is_halted() {
                            return Some(after);
                        }
                        self.board.enter(batch.owner_idx);
                        self.board.attempt(attempt);
                        end = self.attempt(batch, event, attempt);
                        if self.is_late() {
                            return None;
                        }
                        continue;
                    }
                }
            }
            *n_attempts = 0;
            return None;
        }
    }

    /// Makes heard what the turns of a batch emitted so far: those have had their effect, whatever
    /// becomes of the next one.
    #[cold]
    fn publish_midway(&mut self, batch: &mut Batch<'_>) {
        self.publish(Posting::Midway);
        let turns = batch.counts.turns - batch.n_told;
        batch.slot.add(&Counts { turns, ..Counts::default() });
        batch.n_told += turns;
        self.hand_over_newly();
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
