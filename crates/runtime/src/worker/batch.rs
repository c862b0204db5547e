//! Owns a batch of turns: one processor's, on one thread, until its mail, its number or its time
//! is up.

use std::time::Duration;

use selvedge_event::{Event, Fact, Wants};

use super::pace::Pace;
use super::post::{Gift, Posting};
use super::{HAS_PROCESSOR, Hands, Shift, UNPUBLISHED_MAX};
use crate::alarms::Alarm;
use crate::budget::measured;
use crate::core::{Counts, Member};
use crate::listeners::{Attempted, Telling};
use crate::mailbox::cell::Release;
use crate::mailbox::parcel::{Mail, Parcel};
use crate::mailbox::{Desk, DeskClaim, Mark};
use crate::origin::Origin;
use crate::owner::Owner;
use crate::planted::planted;
use crate::ready::OwnerIdx;
use crate::roster::Who;
use crate::turn::{Seated, TurnEnd};

/// Whose batch it is, and what it has come to.
pub(super) struct Batch<'b> {
    pub(super) member: Member<'b>,
    who: Who<'b>,
    owner: &'b mut dyn Owner,
    pub(super) counts: Counts,
    /// Turns of it that the slot knows of already.
    pub(super) n_told: u64,
    /// Set if the processor wants to be pulled from.
    pub(super) pulling: Option<crate::origin::Descent>,
}

/// How far an owner is with a parcel.
struct Place<'b> {
    mark: &'b mut Mark,
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
        let member = core.member(owner_idx);
        let began = core.timed.then(|| core.clock.now());
        let (mut counts, held) = self.take_batch(member, &mut claim, Pace::new());
        if self.hands.is_lost || self.is_late() {
            return self.quit(claim);
        }
        // Before the release: were the next batch taken elsewhere by then, its emissions could
        // overtake these.
        let is_done = claim.rest.is_empty() && claim.mark.pulling().is_none();
        if !planted("late-publication") {
            self.publish(if is_done { Posting::Last } else { Posting::Midway });
        }
        if let Some(began) = began {
            counts.busy = core.clock.now().saturating_sub(began);
        }
        member.add(&counts);
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
        match gift {
            Gift { member, claim, single: Some((event, origin)) } if !self.core.timed => {
                self.take_single(member, claim, event, origin);
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
        member: Member<'c>,
        mut claim: DeskClaim<'c>,
        event: Event,
        origin: Origin,
    ) {
        let core = self.core;
        let n_emitted_before = self.hands.n_emitted();
        let outbox = &mut self.hands.outbox;
        outbox.descend_from(&origin);
        let owner = claim.owner.as_deref_mut().expect(HAS_PROCESSOR);
        let seated = Seated { owner, who: &member.who(), clock: &core.clock, outbox };
        self.board.enter(member.owner);
        let end = seated.take_turn(&event, 1);
        if self.is_late() {
            return self.quit(claim);
        }
        let telling = self.telling();
        if telling == Telling::Noted {
            self.note_attempt(member, &event, 1, &end);
        }
        match end.unusual() {
            None if origin.question.is_none() => {
                self.hands.tally.handled += 1;
                self.hands.tally.bytes_ended += event.bytes() as u64;
                drop(event);
                let n_emitted = self.hands.n_emitted() - n_emitted_before;
                member.slot.add_turns(1, n_emitted);
                if telling == Telling::Missed {
                    self.hands.notes.miss_turns(1, n_emitted);
                }
                self.publish(Posting::Last);
                // Only a mailbox without a capacity is handed on: what there is, is on the desk.
                let has_mail = !claim.rest.is_empty();
                self.release_with(has_mail, member.owner, claim);
            }
            end => {
                let end = end.unwrap_or(TurnEnd::Done);
                self.end_single(member, claim, (event, origin), end, n_emitted_before);
            }
        }
    }

    /// What is to be done after a turn on a single event that did more than emit, or didn't.
    #[cold]
    fn end_single(
        &mut self,
        member: Member<'c>,
        mut claim: DeskClaim<'c>,
        (event, origin): (Event, Origin),
        end: TurnEnd,
        n_emitted_before: u64,
    ) {
        let desk = &mut *claim;
        let owner = desk.owner.as_deref_mut().expect(HAS_PROCESSOR);
        let counts = Counts { turns: 1, ..Counts::default() };
        let who = member.who();
        let mut batch = Batch { member, who, owner, counts, n_told: 0, pulling: None };
        let n_ended_before = self.hands.tally.n_ended();
        let held = self.settle(&mut batch, &event, &origin, end, &mut desk.n_attempts);
        let Batch { mut counts, n_told, pulling, .. } = batch;
        if self.hands.is_lost {
            return self.quit(claim);
        }
        counts.turns -= n_told;
        counts.emitted = self.hands.n_emitted() - n_emitted_before;
        desk.mark.set_pulling(pulling);
        if !self.hands.notes.are_kept() {
            let n_ended = self.hands.tally.n_ended() - n_ended_before;
            self.hands.notes.miss_turns(n_ended, counts.emitted);
        }
        if let Some(after) = held {
            let mail = Mail::One(event);
            let parcel = Parcel { heap_bytes: mail.bytes(), origin, mail };
            desk.rest.push_back(self.hands.outbox.log.stock.node(parcel));
            self.publish(Posting::Midway);
            member.add(&counts);
            claim.release(Release::Held);
            self.core.arm(after, Alarm::Wake(member.owner));
            return;
        }
        self.hands.tally.bytes_ended += event.bytes() as u64;
        drop((event, origin));
        self.hands.outbox.log.forget_question();
        let is_done = claim.mark.pulling().is_none();
        self.publish(if is_done { Posting::Last } else { Posting::Midway });
        member.add(&counts);
        self.release(member.owner, claim);
    }

    /// Takes turns until the batch is done, its time is up, or the run is halted. What is left
    /// stays on the desk. Says how long the mailbox is to wait, if it is.
    #[inline]
    pub(super) fn take_batch(
        &mut self,
        member: Member<'_>,
        desk: &mut Desk,
        pace: Pace,
    ) -> (Counts, Option<Duration>) {
        // Two functions, or who is told of nothing would pay for a look after each turn.
        match self.telling() {
            Telling::Nobody => self.take_batch_as::<false>(member, desk, pace),
            Telling::Noted => self.take_batch_told(member, desk, pace),
            Telling::Missed => {
                let n_ended_before = self.hands.tally.n_ended();
                let (counts, held) = self.take_batch_told(member, desk, pace);
                let n_ended = self.hands.tally.n_ended() - n_ended_before;
                self.hands.notes.miss_turns(n_ended, counts.emitted);
                (counts, held)
            }
        }
    }

    /// The same, where somebody wants to be told of each turn.
    #[inline(never)]
    fn take_batch_told(
        &mut self,
        member: Member<'_>,
        desk: &mut Desk,
        pace: Pace,
    ) -> (Counts, Option<Duration>) {
        self.take_batch_as::<true>(member, desk, pace)
    }

    #[inline(always)]
    fn take_batch_as<const TOLD: bool>(
        &mut self,
        member: Member<'_>,
        desk: &mut Desk,
        mut pace: Pace,
    ) -> (Counts, Option<Duration>) {
        if let Some(mail) = member.bounded() {
            self.refill(mail, desk);
        }
        let owner = desk.owner.as_deref_mut().expect(HAS_PROCESSOR);
        let mut batch = Batch {
            member,
            who: member.who(),
            owner,
            counts: Counts::default(),
            n_told: 0,
            pulling: desk.mark.pulling(),
        };
        let mut held = None;
        let n_emitted_before = self.hands.n_emitted();
        self.board.enter_batch(member.owner);
        while let Some(parcel) = desk.rest.front() {
            if let Mail::Again(again) = &parcel.mail {
                desk.n_attempts = desk.n_attempts.max(again.1);
            }
            let mut place = Place { mark: &mut desk.mark, n_attempts: &mut desk.n_attempts };
            match self.take_parcel::<TOLD>(&mut batch, parcel, &mut place, &mut pace) {
                Parceled::Done => {}
                Parceled::Stopped => break,
                Parceled::Held(after) => {
                    held = Some(after);
                    break;
                }
            }
            desk.mark.set_cursor(0);
            self.hands.outbox.log.forget_question();
            self.hands.tally.bytes_ended += parcel.heap_bytes as u64;
            if let Some(done) = desk.rest.pop_front() {
                self.hands.outbox.log.stock.put_back(done);
            }
        }
        let Batch { mut counts, n_told, pulling, .. } = batch;
        counts.turns = self.board.n_turns() - n_told;
        counts.emitted = self.hands.n_emitted() - n_emitted_before;
        desk.mark.set_pulling(pulling);
        (counts, held)
    }

    /// What is to become of what the next turns tell.
    #[inline]
    fn telling(&mut self) -> Telling {
        if !self.core.listeners.want_each_turn() {
            return Telling::Nobody;
        }
        self.hands.notes.look_for_room(&self.core.listeners)
    }

    /// Takes turns on the events of a parcel.
    #[inline(always)]
    fn take_parcel<const TOLD: bool>(
        &mut self,
        batch: &mut Batch<'_>,
        parcel: &Parcel,
        place: &mut Place<'_>,
        pace: &mut Pace,
    ) -> Parceled {
        let core = self.core;
        self.hands.outbox.descend_from(&parcel.origin);
        let timed = batch.member.time_budget().is_some();
        let mut cursor = place.mark.cursor();
        let events = parcel.mail.as_slice();
        let mut n_done = 0;
        let mut special = timed || *place.n_attempts > 0;
        let mut parceled = Parceled::Done;
        while let Some(event) = events.get(cursor) {
            if core.holds_turns() || !pace.begin_turn(core, self.board) {
                parceled = Parceled::Stopped;
                break;
            }
            cursor += 1;
            let end = if special {
                Some(self.attempt(batch, event, *place.n_attempts + 1))
            } else {
                let end = self.seated(batch).take_turn(event, 1);
                if TOLD && self.hands.notes.are_kept() {
                    self.note_attempt(batch.member, event, 1, &end);
                }
                end.unusual()
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
                self.board.enter(batch.member.owner);
                special = timed;
            } else {
                n_done += 1;
            }
            if self.hands.outbox.len() >= UNPUBLISHED_MAX {
                batch.counts.turns = self.board.n_turns();
                if self.is_late() {
                    parceled = Parceled::Stopped;
                    break;
                }
                self.publish_midway(batch);
                self.board.enter(batch.member.owner);
            }
        }
        self.hands.tally.handled += n_done;
        if !planted("double-delivery") {
            place.mark.set_cursor(cursor);
        }
        parceled
    }

    #[inline(always)]
    fn seated<'a>(&'a mut self, batch: &'a mut Batch<'_>) -> Seated<'a> {
        let (clock, outbox) = (&self.core.clock, &mut self.hands.outbox);
        Seated { owner: &mut *batch.owner, who: &batch.who, clock, outbox }
    }

    /// One attempt at a turn that has a budget, or is not the first.
    #[cold]
    pub(super) fn attempt(&mut self, batch: &mut Batch<'_>, event: &Event, number: u32) -> TurnEnd {
        let core = self.core;
        let end = match batch.member.time_budget() {
            None => self.seated(batch).take_turn(event, number),
            budget => self.attempt_in_time(batch, event, number, budget),
        };
        if core.listeners.want_each_turn() && self.hands.notes.are_kept() {
            self.note_attempt(batch.member, event, number, &end);
        }
        end
    }

    /// The same, timed.
    #[cold]
    fn attempt_in_time(
        &mut self,
        batch: &mut Batch<'_>,
        event: &Event,
        number: u32,
        budget: Option<Duration>,
    ) -> TurnEnd {
        let clock = &self.core.clock;
        let seated = self.seated(batch);
        let (end, overrun) = measured(budget, clock, || seated.take_turn(event, number));
        if let Some(overrun) = overrun {
            let wants = self.core.listeners.wants();
            self.hands.notes.note(wants, Wants::WARNINGS, || Fact::OverBudget {
                processor: batch.member.name().clone(),
                topic: event.topic(),
                budget: overrun.budget,
                elapsed: overrun.elapsed,
            });
        }
        end
    }

    /// Notes an attempt for those who want to be told of each.
    #[inline(always)]
    fn note_attempt(&mut self, member: Member<'_>, event: &Event, number: u32, end: &TurnEnd) {
        let Hands { notes, outbox, .. } = &mut *self.hands;
        let wants = self.core.listeners.wants();
        let (owner, name) = (member.owner, member.name());
        notes.attempted(wants, Attempted { owner, name, event, number }, end, outbox);
    }
}
