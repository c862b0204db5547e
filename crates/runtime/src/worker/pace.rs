//! Owns `Pace`: when a batch has had its turns or its time.

use std::time::Duration;

use crate::board::Board;
use crate::core::Core;

/// Says when a batch has had its turns or its time. The clock is read before turns 2, 3, 5, 9, …:
/// a batch of short turns pays for few readings, one of a single turn for none, and a batch of
/// long ones ends in time; it overruns by as much again and a turn at most.
pub(super) struct Pace {
    /// After how many turns to look again.
    look_at: u64,
    deadline: Option<Duration>,
}

impl Pace {
    pub(super) fn new() -> Pace {
        Pace { look_at: 1, deadline: None }
    }

    /// For a single turn: the time is up when it is first looked at.
    pub(super) fn single() -> Pace {
        Pace { deadline: Some(Duration::ZERO), ..Pace::new() }
    }

    /// Begins a turn, unless the batch is over; whether it did.
    #[inline]
    pub(super) fn begin_turn(&mut self, core: &Core, board: &Board) -> bool {
        let n_turns = board.n_turns();
        if n_turns == self.look_at && self.is_time_up(core, n_turns) {
            return false;
        }
        board.begin_turn(n_turns + 1);
        true
    }

    #[inline(never)]
    fn is_time_up(&mut self, core: &Core, n_turns: u64) -> bool {
        let n_max = core.tuned.batch_turns_max() as u64;
        if n_turns >= n_max {
            return true;
        }
        self.look_at = (2 * n_turns).min(n_max);
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
