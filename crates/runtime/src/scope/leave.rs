//! Owns tasks that are neither in a worker's hands nor over: they wait for their next attempt, or
//! are on leave until somebody elsewhere has them come back.
//!
//! A task on leave keeps its unit and its place under the scope's cap. It comes back by the job
//! `Again`, once, for the reason that comes first: its [`Leave`], or the end of the scope or the
//! run, which call it off. A leave begins when the turn that took it is over, so that no task has
//! two turns at the same time; who is back earlier goes on there and then.

use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::cell::Cell;
use crate::core::Core;
use crate::ready::Errand;

/// Which tasks are away, by ticket. Pure.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    /// A job is under way, or a timer will make one, that redeems the ticket; without a task if it
    /// was called off.
    redeemable: FxHashMap<u32, Option<Task>>,
    leaves: FxHashMap<u32, OnLeave>,
    next: u32,
}

/// A task, and which attempt comes next.
type Task = (u32, u32);

#[derive(Debug)]
struct OnLeave {
    task: Task,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The turn that took it goes on.
    Turn,
    /// So it does, and the leave is over already.
    Back,
    /// So it does, and the task is called off.
    CalledOff,
    Away,
}

/// What comes after a turn that has taken leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// The task waits.
    Away,
    /// It is back: its next turn comes now.
    Back,
    /// It has come to its end.
    CalledOff,
}

impl Tickets {
    /// Lets a task wait for this attempt.
    pub(super) fn wait(&mut self, index: u32, attempt: u32) -> u32 {
        let ticket = self.ticket();
        self.redeemable.insert(ticket, Some((index, attempt)));
        ticket
    }

    /// The task with this ticket, and its next attempt's number; `None` if it was called off.
    pub(super) fn redeem(&mut self, ticket: u32) -> Option<Task> {
        self.redeemable.remove(&ticket).expect("a ticket is redeemed once")
    }

    /// Whether some task waits for its next attempt.
    pub(super) fn waits(&self) -> bool {
        !self.redeemable.is_empty()
    }

    fn ticket(&mut self) -> u32 {
        let ticket = self.next;
        self.next = ticket.wrapping_add(1);
        ticket
    }

    /// A turn takes leave.
    fn take_leave(&mut self, index: u32, attempt: u32, is_over: bool) -> u32 {
        let ticket = self.ticket();
        let stage = if is_over { Stage::CalledOff } else { Stage::Turn };
        self.leaves.insert(ticket, OnLeave { task: (index, attempt), stage });
        ticket
    }

    /// The turn that took it has succeeded.
    fn depart(&mut self, ticket: u32) -> Departure {
        let Some(leave) = self.leaves.get_mut(&ticket) else { return Departure::CalledOff };
        let departure = match leave.stage {
            Stage::Turn | Stage::Away => {
                leave.stage = Stage::Away;
                return Departure::Away;
            }
            Stage::Back => Departure::Back,
            Stage::CalledOff => Departure::CalledOff,
        };
        self.leaves.remove(&ticket);
        departure
    }

    /// The turn that took it has failed: it counts for nothing.
    fn forget(&mut self, ticket: u32) {
        self.leaves.remove(&ticket);
    }

    /// A leave is over: whether that matters to anybody, and the errand that comes of it.
    fn come_back(&mut self, ticket: u32) -> (bool, Option<Errand>) {
        let Some(leave) = self.leaves.get_mut(&ticket) else { return (false, None) };
        match leave.stage {
            Stage::Turn => {
                leave.stage = Stage::Back;
                (true, None)
            }
            Stage::Back | Stage::CalledOff => (false, None),
            Stage::Away => {
                let task = leave.task;
                self.leaves.remove(&ticket);
                self.redeemable.insert(ticket, Some(task));
                (true, Some(Errand::Again(ticket)))
            }
        }
    }

    /// Nobody is waited for any more.
    pub(super) fn call_off(&mut self, errands: &mut Vec<Errand>) {
        let redeemable = &mut self.redeemable;
        self.leaves.retain(|&ticket, leave| {
            let is_away = leave.stage == Stage::Away;
            if is_away {
                redeemable.insert(ticket, None);
                errands.push(Errand::Again(ticket));
            }
            leave.stage = Stage::CalledOff;
            !is_away
        });
    }

    /// The scope is over, and what comes back comes to nothing.
    pub(super) fn clear(&mut self) {
        self.leaves.clear();
    }
}

impl Cell {
    fn take_leave(&self, index: u32, attempt: u32) -> u32 {
        let mut state = self.lock();
        let is_over = state.stop.is_some() || state.closed;
        state.tickets.take_leave(index, attempt, is_over)
    }

    pub(crate) fn depart(&self, ticket: u32) -> Departure {
        self.lock().tickets.depart(ticket)
    }

    pub(crate) fn forget_leave(&self, ticket: u32) {
        self.lock().tickets.forget(ticket);
    }

    fn come_back(&self, ticket: u32) -> (bool, Option<Errand>) {
        self.lock().tickets.come_back(ticket)
    }
}

/// A task's leave: while it lasts, the task is neither over nor in anybody's hands, and neither its
/// scope nor the run ends, unless they are stopped. Made by
/// [`TaskContext::leave`](super::TaskContext::leave). Dropping it has the task come back.
#[must_use = "the task comes back at once when its leave is dropped"]
pub struct Leave(Option<Taken>);

struct Taken {
    core: Arc<Core>,
    cell: Arc<Cell>,
    ticket: u32,
}

impl Leave {
    /// For a turn that may take none.
    pub(super) fn refused() -> Leave {
        Leave(None)
    }

    /// With its ticket.
    pub(super) fn take(core: Arc<Core>, cell: Arc<Cell>, task: Task) -> (Leave, u32) {
        core.open();
        let ticket = cell.take_leave(task.0, task.1);
        (Leave(Some(Taken { core, cell, ticket })), ticket)
    }

    /// Has the task come back: its turn is taken again, as the same attempt. Says whether that
    /// matters: not if the scope or the run was stopped, and the task came to its end with that.
    #[expect(clippy::must_use_candidate, reason = "most have no use for the answer")]
    pub fn back(mut self) -> bool {
        self.end()
    }

    fn end(&mut self) -> bool {
        let Some(Taken { core, cell, ticket }) = self.0.take() else { return false };
        core.enter();
        let (matters, errand) = cell.come_back(ticket);
        core.exit(errand.into_iter().map(|errand| cell.place().job(errand)));
        core.close_one();
        matters
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leave").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    /// What comes of one leave: `d`eparts, comes `b`ack, is called `o`ff, its job is `r`edeemed.
    fn trace(steps: &str) -> String {
        let mut tickets = Tickets::default();
        let ticket = tickets.take_leave(7, 2, false);
        let step = |step| match step {
            'd' => format!("{:?}\n", tickets.depart(ticket)),
            'b' => format!("{:?}\n", tickets.come_back(ticket)),
            'o' => {
                let mut errands = Vec::new();
                tickets.call_off(&mut errands);
                format!("{errands:?}\n")
            }
            _ => format!("{:?}\n", tickets.redeem(ticket)),
        };
        let text = steps.chars().map(step).collect();
        assert!(tickets.leaves.is_empty() && tickets.redeemable.is_empty(), "{tickets:?}");
        text
    }

    #[test]
    fn a_task_comes_back_once() {
        assert_snapshot!(trace("dbrb"), @r"
        Away
        (true, Some(Again(0)))
        Some((7, 2))
        (false, None)
        ");
        assert_snapshot!(trace("bbd"), @r"
        (true, None)
        (false, None)
        Back
        ");
    }

    #[test]
    fn a_task_that_is_called_off_does_not_come_back() {
        assert_snapshot!(trace("dobr"), @r"
        Away
        [Again(0)]
        (false, None)
        None
        ");
        assert_snapshot!(trace("obd"), @r"
        []
        (false, None)
        CalledOff
        ");
        assert_snapshot!(trace("bod"), @r"
        (true, None)
        []
        CalledOff
        ");
        assert_snapshot!(trace("dbor"), @r"
        Away
        (true, Some(Again(0)))
        []
        Some((7, 2))
        ");
    }
}
