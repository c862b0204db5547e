//! Owns what comes after a turn that did more than emit: replies, further attempts, dead letters.

use std::time::Duration;

use selvedge_event::{Event, Fact, Outcome, Wants};

use super::Shift;
use super::batch::Batch;
use super::post::Posting;
use crate::alarms::Alarm;
use crate::core::Counts;
use crate::failure::Failure;
use crate::origin::Origin;
use crate::planted::planted;
use crate::policy::Meanwhile;
use crate::recorded::{Slip, Taken};
use crate::report::DeadLetter;
use crate::turn::{self, Again, GivenUp, Then, TurnEnd};

impl Shift<'_> {
    /// Does what is to be done after a turn that did more than succeed, or didn't; further
    /// attempts that don't wait are made here. Says how long the mailbox is to wait, if it is.
    #[cold]
    pub(super) fn settle(
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
                    if let Some(archive) = batch.member.archive() {
                        let wants = self.core.listeners.wants();
                        let name = batch.member.name();
                        self.hands.notes.looked_up(wants, name, event, archive);
                    } else {
                        if let Some(taken) = batch.member.slip().and_then(Slip::take) {
                            let wants = self.core.listeners.wants();
                            let turn = (batch.member.owner, *n_attempts + 1);
                            self.hands.notes.recorded(wants, turn, event, taken);
                        }
                    }
                    // Who awaits a reply does nothing else: it is not kept for the batch's end.
                    if self.hands.outbox.has_replies() && !planted("reply-held") {
                        self.publish_midway(batch);
                    }
                }
                TurnEnd::GivenUp(given_up) => {
                    self.give_up(batch, event, *given_up);
                    self.publish_midway(batch);
                }
                TurnEnd::Again(again) => {
                    let Again { attempt, after, meanwhile, failure } = *again;
                    let wants = self.core.listeners.wants();
                    self.hands.notes.missed_again();
                    self.hands.notes.note(wants, Wants::FAILURES, || Fact::Retrying {
                        processor: batch.member.name().clone(),
                        topic: event.topic(),
                        attempt: attempt - 1,
                        error: turn::describe(&failure.cause),
                        delay: after,
                    });
                    drop(failure);
                    if meanwhile == Meanwhile::Pass || planted("retry-overtakes") {
                        let (to, event) = (batch.member.owner, event.clone());
                        let (origin, n_attempts) = (origin.clone(), attempt - 1);
                        let alarm = Alarm::Redeliver { to, event, origin, n_attempts };
                        self.core.arm(after, alarm);
                        self.publish_midway(batch);
                    } else {
                        *n_attempts = attempt - 1;
                        if !after.is_zero() || self.core.is_halted() {
                            return Some(after);
                        }
                        self.board.enter_again(batch.member.owner);
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

    /// Tells of a turn that failed whose processor is recorded.
    fn tell_failed(
        &mut self,
        batch: &Batch<'_>,
        event: &Event,
        attempt: u32,
        outcome: impl FnOnce() -> Outcome,
    ) {
        let Some(slip) = batch.member.slip() else { return };
        let Some(taken) = slip.take() else { return };
        let Taken { input, outputs, began, took } = taken;
        let wants = self.core.listeners.wants();
        self.hands.notes.note(wants, Wants::RECORDED, || Fact::Recorded {
            processor: batch.member.name().clone(),
            topic: event.topic(),
            signature: slip.signature.clone(),
            input,
            outputs: outputs.into(),
            outcome: outcome(),
            attempt,
            began,
            took,
            built_from: None,
        });
    }

    /// Tells what a build was to be made from that failed.
    fn tell_failed_build(&mut self, batch: &Batch<'_>, outcome: impl FnOnce() -> Outcome) {
        let Some(archive) = batch.member.archive() else { return };
        let Some(begun) = archive.take_begun() else { return };
        let took = self.core.clock.now().saturating_sub(begun.at);
        let wants = self.core.listeners.wants();
        self.hands.notes.note(wants, Wants::RECORDED, || {
            begun.ended(batch.member.name(), archive, outcome(), took)
        });
    }

    /// Makes heard what the turns of a batch emitted so far: those have had their effect, whatever
    /// becomes of the next one. A dead letter and a put-off attempt are known at once, so their
    /// turns must count even if the next one doesn't come back.
    #[cold]
    pub(super) fn publish_midway(&mut self, batch: &mut Batch<'_>) {
        self.publish(Posting::Midway);
        let turns = batch.counts.turns - batch.n_told;
        let failures = std::mem::take(&mut batch.counts.failures);
        batch.member.add(&Counts { turns, failures, ..Counts::default() });
        batch.n_told += turns;
        self.hand_over_newly();
    }

    /// Does what the processor's policy says about a turn that failed for good.
    fn give_up(&mut self, batch: &mut Batch<'_>, event: &Event, given_up: GivenUp) {
        let (core, wants) = (self.core, self.core.listeners.wants());
        batch.counts.failures += 1;
        self.hands.tally.dead += 1;
        let (processor, event) = (batch.member.name().clone(), event.clone());
        let GivenUp { panicked, attempts, .. } = given_up;
        let failed = || Outcome::Failed { error: turn::describe(&given_up.cause), panicked };
        self.tell_failed(batch, &event, attempts, failed);
        self.tell_failed_build(batch, failed);
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
            let restarts = batch.member.note_restart();
            let processor = processor.clone();
            notes.note(wants, Wants::FAILURES, || Fact::Restarted { processor, restarts });
        }
        let event = Some(event);
        core.keep(DeadLetter { processor, topic, event, error, panicked, attempts });
    }
}
