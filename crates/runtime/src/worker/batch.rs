//! Owns a batch of turns: one processor's, on one thread, until its mail, its number or its time
//! is up.

use std::time::Duration;

use selvedge_event::Event;

use super::post::{Gift, Posting};
use super::{HAS_PROCESSOR, Hands, Shift, UNPUBLISHED_MAX};
use crate::core::{Core, Counts, Slot};
use crate::failure::Failure;
use crate::mailbox::{Desk, DeskClaim};
use crate::origin::Origin;
use crate::ready::OwnerIdx;
use crate::registration::FailurePolicy;
use crate::report::DeadLetter;
use crate::turn::{self, Seated, TurnFailure, Wish};

impl<'c> Shift<'c> {
    /// Takes a batch of turns for one processor.
    pub(super) fn activate(&mut self, owner_idx: OwnerIdx, mut claim: DeskClaim<'c>) {
        let core = self.core;
        let slot = &core.slots()[owner_idx as usize];
        let began = core.timed.then(|| core.clock.now());
        let mut counts = Counts::default();
        self.take_batch(slot, &mut claim, &mut counts);
        // Before the release: were the next batch taken elsewhere by then, its emissions could
        // overtake these.
        let is_done = claim.rest.is_empty() && claim.pulling.is_none();
        self.publish(if is_done { Posting::Last } else { Posting::Midway });
        if let Some(began) = began {
            counts.busy = core.clock.now().saturating_sub(began);
        }
        slot.add(&counts);
        self.release(owner_idx, claim);
    }

    /// Takes turns for a processor that was claimed in posting to it.
    pub(super) fn activate_gift(&mut self, gift: Gift<'c>) {
        let core = self.core;
        match gift {
            Gift { to, claim, single: Some((event, origin)) }
                if !core.timed && core.listeners.wants().is_empty() =>
            {
                self.take_single(to, claim, event, &origin);
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
        origin: &Origin,
    ) {
        let slot = &self.core.slots()[owner_idx as usize];
        let owner = claim.owner.as_deref_mut().expect(HAS_PROCESSOR);
        let outbox = &mut self.hands.outbox;
        let result = Seated { owner, name: &slot.info.name, outbox }.take_turn(&event, origin);
        let mut counts = Counts { turns: 1, ..Counts::default() };
        counts.emitted = outbox.n_emitted() as u64;
        self.hands.tally.handled += 1;
        self.hands.tally.bytes_ended += event.bytes() as u64;
        match result {
            Ok(Wish::Nothing) => {}
            Ok(Wish::Pulls) => claim.pulling = Some(origin.descent),
            Err(failure) => self.mourn(slot, &event, failure, &mut counts),
        }
        drop(event);
        self.hands.outbox.log.forget_question();
        let is_done = claim.pulling.is_none();
        self.publish(if is_done { Posting::Last } else { Posting::Midway });
        slot.add(&counts);
        self.release(owner_idx, claim);
    }

    /// Takes turns until the batch is done, its time is up, or the run is halted. What is left
    /// stays on the desk.
    fn take_batch(&mut self, slot: &Slot, desk: &mut Desk, counts: &mut Counts) {
        let core = self.core;
        let owner = desk.owner.as_deref_mut().expect(HAS_PROCESSOR);
        let wants = core.listeners.wants();
        let observed = !wants.is_empty();
        let mut pace = Pace::new();
        while let Some(parcel) = desk.rest.front() {
            let events = parcel.mail.as_slice();
            for event in events.get(desk.cursor as usize..).unwrap_or_default() {
                if core.is_halted() || pace.is_over(core) {
                    counts.turns = pace.n_turns;
                    return;
                }
                desk.cursor += 1;
                if observed {
                    self.hands.notes.turn_started(wants, &slot.info.name, event);
                }
                let outbox = &mut self.hands.outbox;
                let mut seated = Seated { owner, name: &slot.info.name, outbox };
                let result = seated.take_turn(event, &parcel.origin);
                counts.emitted += outbox.n_emitted() as u64;
                self.hands.tally.handled += 1;
                if observed {
                    let result = result.as_ref().map(|_| ());
                    self.note_turn(slot, event, result);
                }
                match result {
                    Ok(Wish::Nothing) => {}
                    Ok(Wish::Pulls) => desk.pulling = Some(parcel.origin.descent),
                    Err(failure) => self.mourn(slot, event, failure, counts),
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
        counts.turns = pace.n_turns;
    }

    #[cold]
    fn note_turn(&mut self, slot: &Slot, event: &Event, result: Result<(), &TurnFailure>) {
        let (wants, name) = (self.core.listeners.wants(), &slot.info.name);
        let Hands { notes, outbox, .. } = &mut *self.hands;
        notes.emitted(wants, name, outbox.current_turn());
        notes.turn_finished(wants, name, event, result, (outbox.n_emitted(), 1));
    }

    /// A turn failed for good.
    #[cold]
    fn mourn(&mut self, slot: &Slot, event: &Event, failure: TurnFailure, counts: &mut Counts) {
        counts.failures += 1;
        self.hands.tally.handled -= 1;
        self.hands.tally.dead += 1;
        give_up(self.core, slot, Some(event), failure);
    }
}

/// Does what the processor's policy says about a turn, or a pull, that failed.
#[cold]
pub(super) fn give_up(core: &Core, slot: &Slot, event: Option<&Event>, failure: TurnFailure) {
    let TurnFailure { cause, panicked, usable } = failure;
    let (processor, event) = (slot.info.name.clone(), event.cloned());
    // A source that fails has not brought in all there is: nothing to be skipped.
    let Some(event) = event else {
        return core.fail(Failure::Pull { processor, cause, panicked });
    };
    let skip = slot.info.on_failure == FailurePolicy::Skip;
    if skip && usable {
        let (topic, error) = (event.topic(), turn::describe(&cause));
        core.keep(DeadLetter {
            processor,
            topic,
            event: Some(event),
            error,
            panicked,
            attempts: 1,
        });
        return;
    }
    let cause = if skip { cause.context(UNUSABLE) } else { cause };
    core.fail(Failure::Turn { processor, event, cause, panicked });
}

const UNUSABLE: &str = "panicked, and its state can't be trusted any more: register it \
    `.stateless()` or `.restored_by_clone()` to go on after a panic";

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
        let n_max = core.limits.batch_turns_max as u64;
        if self.n_turns >= n_max {
            return true;
        }
        self.look_at = (2 * self.n_turns).min(n_max);
        let now = core.clock.now();
        match self.deadline {
            Some(deadline) => now >= deadline,
            None => {
                self.deadline = Some(now.saturating_add(core.limits.batch_time_max));
                false
            }
        }
    }
}
