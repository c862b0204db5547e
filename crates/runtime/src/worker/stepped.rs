//! Owns a worker that is moved on one step at a time: it does what `Shift::work` does, in the same
//! order, but comes back after every turn, before publishing, and before giving anything back. So
//! one thread can play many workers. Refuses to wait.

use std::time::Duration;

use selvedge_sync::random::Rng;

use super::pace::Pace;
use super::post::Posting;
use super::{Pulled, Shift, Worker};
use crate::core::{Assignment, Counts, Looked, Seat, Until};
use crate::mailbox::DeskClaim;
use crate::ready::{Job, OwnerIdx, Work};

/// A worker between two steps.
pub(crate) struct Stepped<'c> {
    shift: Shift<'c>,
    stage: Stage<'c>,
}

/// What a worker does next.
enum Stage<'c> {
    /// Begin to look for something: until then it doesn't count as running.
    Rest,
    /// Look on.
    Look,
    /// Take a turn.
    Turn(Batch<'c>),
    /// Publish, then give back.
    Publish(Posting, InHand<'c>),
    GiveBack(InHand<'c>),
    /// Nothing: turns have ceased.
    Gone,
}

/// A batch of turns under way.
struct Batch<'c> {
    owner: OwnerIdx,
    claim: DeskClaim<'c>,
    counts: Counts,
    /// Turns that it may still take.
    n_left: u64,
    held: Option<Duration>,
}

/// What is to be given back.
enum InHand<'c> {
    Batch(Batch<'c>),
    Pulled(Pulled<'c>),
    Lane(u32),
    Nothing,
}

/// What a step was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    /// It found nothing to do.
    Rested,
    /// It leaves: turns have ceased.
    Left,
    /// It has taken this processor's mailbox over.
    Claimed(OwnerIdx),
    /// A turn, or, where the mailbox has to wait for another attempt, a part of one.
    Turned(OwnerIdx),
    /// A whole batch of one turn.
    TookSingle(OwnerIdx),
    Pulled(OwnerIdx),
    /// It found what it came for gone.
    FoundStale,
    TookFromLane(u32),
    /// It has done what a scope asked for.
    RanErrand,
    SawToAlarms,
    Published,
    GaveBack,
}

impl Worker {
    /// This worker, at rest, to be moved on step by step.
    pub(crate) fn stepped(&mut self) -> Stepped<'_> {
        Stepped { shift: self.shift(), stage: Stage::Rest }
    }
}

impl<'c> Stepped<'c> {
    /// Whether it has nothing in hand and is not looking for anything.
    pub(crate) fn is_at_rest(&self) -> bool {
        matches!(self.stage, Stage::Rest | Stage::Gone)
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }

    /// Goes on by a step; `rng` decides what threads leave to chance.
    pub(crate) fn step(&mut self, rng: &mut Rng) -> Did {
        match std::mem::replace(&mut self.stage, Stage::Rest) {
            Stage::Rest => {
                self.shift.core.enter();
                self.look(rng)
            }
            Stage::Look => self.look(rng),
            Stage::Turn(batch) => self.turn(batch),
            Stage::Publish(posting, in_hand) => {
                self.shift.publish(posting);
                self.stage = Stage::GiveBack(in_hand);
                Did::Published
            }
            Stage::GiveBack(in_hand) => {
                self.give_back(in_hand);
                self.stage = Stage::Look;
                Did::GaveBack
            }
            Stage::Gone => unreachable!("who has left is not asked to go on"),
        }
    }

    fn look(&mut self, rng: &mut Rng) -> Did {
        if self.shift.goes_on_with_gift()
            && let Some(gift) = self.shift.gift.take()
        {
            self.shift.leave_scope();
            let owner = gift.member.owner;
            // The short way does in one step what else takes three.
            if rng.below(2) == 0 {
                self.shift.gift = Some(gift);
                self.shift.activate_gift();
                self.stage = Stage::Look;
                return Did::TookSingle(owner);
            }
            let (owner, claim) = self.shift.put_on_desk(gift);
            return self.begin(owner, claim, rng);
        }
        let assignment = match self.shift.next_past_the_lock() {
            Some(assignment) => assignment,
            None => match self.look_under_the_lock(rng) {
                Looked::Found(assignment) => assignment,
                Looked::Nothing(()) => return self.rest(Stage::Rest, Did::Rested),
                Looked::Halted => return self.rest(Stage::Gone, Did::Left),
                Looked::Room => unreachable!("a worker doesn't work for room"),
            },
        };
        self.take_up(assignment, rng)
    }

    /// As a worker does that leaves.
    fn rest(&mut self, stage: Stage<'c>, did: Did) -> Did {
        self.shift.hands.outbox.log.forget_question();
        self.stage = stage;
        did
    }

    fn look_under_the_lock(&mut self, rng: &mut Rng) -> Looked<()> {
        let core = self.shift.core;
        let hands = &mut *self.shift.hands;
        let n_seats = core.shards().len();
        let robs_from = usize::try_from(rng.below(n_seats as u64)).expect("it is below a usize");
        let (tally, newly) = (&mut hands.tally, &mut hands.newly);
        let (worker, until) = (hands.id, Until::Over);
        core.try_next(&mut Seat { worker, until, robs_from, tally, newly })
    }

    fn take_up(&mut self, assignment: Assignment, rng: &mut Rng) -> Did {
        let Assignment { work, room, stopping } = assignment;
        if let Work::Job(Job::Scope { scope, errand, .. }) = work {
            self.shift.run_errand(scope, errand);
            self.stage = Stage::Look;
            return Did::RanErrand;
        }
        self.shift.leave_scope();
        match work {
            Work::Job(Job::Scope { .. }) => unreachable!("looked at above"),
            Work::Job(Job::Turns(owner)) => match self.shift.claim(owner) {
                Some(claim) => self.begin(owner, claim, rng),
                None => {
                    self.stage = Stage::Look;
                    Did::FoundStale
                }
            },
            Work::Pull(owner) => {
                let limits = &self.shift.core.limits;
                let pull_max = limits.pull_max.min(limits.emissions_per_turn_max);
                let room = if stopping { 0 } else { room.min(pull_max) };
                match self.shift.pull(owner, room) {
                    Some(pulled) => {
                        self.stage = Stage::Publish(Posting::Midway, InHand::Pulled(pulled));
                        Did::Pulled(owner)
                    }
                    None => {
                        self.stage = Stage::Look;
                        Did::FoundStale
                    }
                }
            }
            Work::Lane(lane) => {
                self.shift.take_from_lane(lane, room);
                self.stage = Stage::Publish(Posting::Midway, InHand::Lane(lane));
                Did::TookFromLane(lane)
            }
            Work::Alarms => {
                self.shift.see_to_alarms();
                self.stage = Stage::Publish(Posting::Midway, InHand::Nothing);
                Did::SawToAlarms
            }
        }
    }

    fn begin(&mut self, owner: OwnerIdx, claim: DeskClaim<'c>, rng: &mut Rng) -> Did {
        // As many as the limit allows, or fewer, as when the time is up.
        let n_left = 1 + rng.below(self.shift.core.limits.batch_turns_max as u64);
        let batch = Batch { owner, claim, counts: Counts::default(), n_left, held: None };
        self.stage = Stage::Turn(batch);
        Did::Claimed(owner)
    }

    fn turn(&mut self, mut batch: Batch<'c>) -> Did {
        let owner = batch.owner;
        let member = self.shift.core.member(owner);
        let (counts, held) = self.shift.take_batch(member, &mut batch.claim, Pace::single());
        batch.counts.add(&counts);
        batch.held = held;
        batch.n_left -= 1;
        let is_empty = batch.claim.rest.is_empty();
        if is_empty || held.is_some() || batch.n_left == 0 || self.shift.core.is_halted() {
            let is_done = is_empty && batch.claim.mark.pulling().is_none();
            let posting = if is_done { Posting::Last } else { Posting::Midway };
            self.stage = Stage::Publish(posting, InHand::Batch(batch));
        } else {
            self.stage = Stage::Turn(batch);
        }
        Did::Turned(owner)
    }

    fn give_back(&mut self, in_hand: InHand<'c>) {
        match in_hand {
            InHand::Batch(Batch { owner, claim, counts, held, n_left: _ }) => {
                let member = self.shift.core.member(owner);
                member.add(&counts);
                self.shift.give_back(owner, claim, held);
                self.shift.hand_permit_on(member);
            }
            InHand::Pulled(pulled) => self.shift.after_pull(pulled),
            InHand::Lane(lane) => self.shift.release_lane(lane),
            InHand::Nothing => (),
        }
    }
}
