//! Owns what the scheduler knows of turns that are not waited for any more, and how a worker is
//! written off.
//!
//! A turn that is written off ceases to count in one step under the scheduler's lock: its worker
//! does not run any more, its permit is given back, what it has in hand is given up. Its mailbox
//! stays taken for good, so nobody else takes its turns; what is posted to it is given up from
//! time to time and at the end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use selvedge_event::{Fact, Outcome, Text};

use super::{Core, Sched};
use crate::board::Board;
use crate::failure::Failure;
use crate::planted::planted;
use crate::ready::{Job, OwnerIdx};

/// What became of turns apart from the ordinary. Part of the scheduler's state.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    turns: Vec<LostTurn>,
    /// For each of these, how many deliveries of its processor's are among those given up.
    n_known: Vec<u64>,
    /// Of the deliveries under way as far as they were told, those that nobody will end; exact
    /// whenever all other workers are at rest, when whatever is under way is theirs.
    given_up: i64,
    given_up_bytes: u64,
    /// Turns that ended with their delivery under way still.
    pub(super) n_put_off: u64,
    /// Failures that were no turn's.
    pub(super) n_failed_pulls: u64,
}

impl Lost {
    /// Whether a turn was written off.
    pub(super) fn any(&self) -> bool {
        !self.turns.is_empty()
    }
}

/// A turn that was written off.
#[derive(Clone, Debug)]
pub(crate) struct LostTurn {
    pub(crate) owner: OwnerIdx,
    pub(crate) worker: usize,
    pub(crate) stuck_for: Duration,
}

/// A turn under way, as it is seen from outside: as long as it is the same, so is the turn. Batches
/// of one processor are taken one at a time, so its count of turns tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) owner: OwnerIdx,
    n_before: u64,
    turn: u64,
    n_again: u32,
}

/// A worker was written off.
#[derive(Debug)]
pub(crate) struct WrittenOff {
    pub(crate) processor: Text,
    /// Whether another is to take its place.
    pub(crate) replace: bool,
}

/// Deliveries that have been accepted and handled, counted by their processors.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) accepted: u64,
    pub(crate) handled: u64,
    pub(crate) dead: u64,
    pub(crate) dropped: u64,
}

impl Sched {
    /// Deliveries under way, without those that are given up.
    pub(super) fn in_flight(&self) -> i64 {
        self.tally.in_flight() - self.lost.given_up
    }

    /// What those weigh.
    pub(super) fn bytes_in_flight(&self) -> usize {
        let given_up = usize::try_from(self.lost.given_up_bytes).unwrap_or(usize::MAX);
        self.tally.bytes_in_flight().saturating_sub(given_up)
    }
}

impl Core {
    /// The turn that a worker is in.
    pub(crate) fn sight(&self, board: &Board) -> Option<Sight> {
        let (owner, turn, n_again) = board.look()?;
        let n_before = self.member(owner).counts().turns;
        Some(Sight { owner, n_before, turn, n_again })
    }

    /// Goes on without a worker that is in this turn, and has been for so long; `None` if it is
    /// out of it, or the system can't tell.
    pub(crate) fn write_off(
        &self,
        board: &Board,
        seen: Sight,
        (worker, stuck_for): (usize, Duration),
    ) -> Option<WrittenOff> {
        let mut sched = self.lock();
        if !board.suspect(|| self.sight(board) == Some(seen)) {
            return None;
        }
        let member = self.member(seen.owner);
        sched.lost.turns.push(LostTurn { owner: seen.owner, worker, stuck_for });
        sched.lost.n_known.push(0);
        self.give_up_more(&mut sched);
        if let Some(gate) = member.special().and_then(|special| special.gate)
            && let Some(job) = self.gates()[gate].leave()
        {
            let band = self.band(job);
            sched.ready.push(job, band);
        }
        let replace = sched.lost.turns.len() <= self.limits.leaked_max;
        if !replace {
            let processors = self.names_of(&sched);
            self.fail_for_excess(&mut sched, Failure::WorkersLost { processors, source: None });
        }
        if !planted("lost-worker-counts") {
            self.leave(&mut sched);
        }
        // Nobody else may look into its shard without being told.
        self.publish_takeable(&mut sched);
        drop(sched);
        if !replace {
            self.turn_away();
        }
        Some(WrittenOff { processor: member.name().clone(), replace })
    }

    /// What there is to tell of a build that does not come back.
    pub(crate) fn lost_build(&self, owner: OwnerIdx, stuck_for: Duration) -> Option<Fact> {
        let member = self.member(owner);
        let archive = member.archive()?;
        let begun = archive.take_begun()?;
        Some(begun.ended(member.name(), archive, Outcome::TimedOut, stuck_for))
    }

    /// Whether a worker that is out of its turn was written off. Taking the lock waits for who is
    /// about to decide it.
    pub(crate) fn is_written_off(&self, board: &Board) -> bool {
        let _decided = self.lock();
        board.is_suspected()
    }

    /// The run fails: a worker that was written off can't be replaced.
    pub(crate) fn fail_unreplaced(&self, source: std::io::Error) {
        let processors = self.names_of(&self.lock());
        self.fail(Failure::WorkersLost { processors, source: Some(source) });
        self.turn_away();
    }

    /// Does what a worker does that leaves since turns have ceased: it may have been the last.
    fn turn_away(&self) {
        self.close_lanes();
        self.abandon();
    }

    /// Counts as given up what has come since for the processors of lost turns.
    fn give_up_more(&self, sched: &mut Sched) {
        let Lost { turns, n_known, given_up, .. } = &mut sched.lost;
        for (turn, n_known) in turns.iter().zip(n_known) {
            let n = self.member(turn.owner).n_unhandled();
            *given_up += n.wrapping_sub(*n_known).cast_signed();
            *n_known = n;
        }
    }

    fn names_of(&self, sched: &Sched) -> Vec<Text> {
        let name = |turn: &LostTurn| self.member(turn.owner).name().clone();
        sched.lost.turns.iter().map(name).collect()
    }

    /// Called under the lock when a thread has nothing in hand any more: if nobody has, and nothing
    /// waits for a turn, what is under way is lost turns'.
    pub(super) fn note_what_is_lost(&self, sched: &mut Sched) {
        let lost = sched.lost.any() && sched.n_running == 0 && !sched.ready.has_jobs();
        if lost && !self.shards().any() && sched.timers.n_one_shot() == 0 {
            // What is posted to them later comes on top.
            self.give_up_more(sched);
            sched.lost.given_up = sched.tally.in_flight();
            sched.lost.given_up_bytes = sched.tally.bytes_in_flight() as u64;
        }
    }

    /// How much is under way and may be, if something waits for room.
    pub(crate) fn credits_held(&self) -> Option<(usize, usize)> {
        let sched = self.lock();
        let held = sched.room(&self.tuned) == 0 && sched.ready.has_more() && !self.is_paused();
        let in_flight = usize::try_from(sched.in_flight()).unwrap_or(0);
        held.then(|| (in_flight, self.tuned.in_flight_max()))
    }

    /// How many deliveries wait while the run is paused, lanes apart, and since when.
    pub(crate) fn paused_with_work(&self) -> Option<(usize, Duration)> {
        let sched = self.lock();
        let since = sched.outsiders.paused_since?;
        let in_flight = usize::try_from(sched.in_flight()).unwrap_or(0);
        let waiting = in_flight.max(usize::from(sched.ready.has_more()));
        Some((waiting, since))
    }

    /// The name of the processor whose turn a job is.
    pub(crate) fn name_of(&self, job: Job) -> Option<Text> {
        match job {
            Job::Turns(owner) => Some(self.member(owner).name().clone()),
            Job::Scope { .. } => None,
        }
    }

    /// The turns that were written off.
    pub(crate) fn lost_turns(&self) -> Vec<LostTurn> {
        self.lock().lost.turns.clone()
    }

    /// Whether this processor's turn was written off.
    pub(crate) fn is_lost(&self, owner: OwnerIdx) -> bool {
        self.lock().lost.turns.iter().any(|turn| turn.owner == owner)
    }

    /// Gives up what was posted to processors whose turn was written off.
    pub(crate) fn sweep_lost(&self) {
        for LostTurn { owner, .. } in self.lost_turns() {
            let member = self.member(owner);
            let turn = self.giving_up.lock();
            let mail = member.abandon();
            drop(turn);
            let mut sched = self.lock();
            self.give_up_more(&mut sched);
            sched.lost.given_up_bytes += mail.weight();
            self.publish_takeable(&mut sched);
            drop(sched);
            // The user's events: dropped under no lock. One whose destructor panics must not end
            // the watchdog, and there is no turn left to fail for it.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(mail)));
        }
    }

    /// What processors have counted by themselves. Workers tell the same in tallies; one that is
    /// lost has not told its last.
    pub(crate) fn counted(&self) -> Counted {
        let mut counted = Counted::default();
        let mut turns = 0;
        for member in self.members() {
            let counts = member.counts();
            counted.accepted += member.n_came();
            counted.dropped += member.n_dropped();
            counted.dead += counts.failures;
            turns += counts.turns;
        }
        let sched = self.lock();
        counted.accepted = counted.accepted.saturating_sub(sched.lost.n_put_off);
        counted.dead = counted.dead.saturating_sub(sched.lost.n_failed_pulls);
        counted.handled = turns.saturating_sub(counted.dead + sched.lost.n_put_off);
        counted
    }
}
