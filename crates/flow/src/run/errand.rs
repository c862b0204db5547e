//! Owns what the numbers of a run's tasks mean.

use super::Execution;

/// What a task of a run's scope is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// A node's turn.
    Node(u32),
    /// The run begins.
    Start,
    /// A node's time is up.
    Late(u32),
    /// A node that others ended has ended: its alarm is off.
    InTime(u32),
}

/// Tasks are numbered by errand, nodes first.
impl Execution {
    fn n_nodes(&self) -> u32 {
        self.slots.len() as u32
    }

    pub(super) fn errand(&self, task: u32) -> Errand {
        let n = self.n_nodes();
        match task.checked_div(n) {
            Some(0) => Errand::Node(task),
            Some(1) => Errand::Late(task - n),
            Some(2) => Errand::InTime(task - 2 * n),
            Some(_) | None => Errand::Start,
        }
    }

    pub(super) fn late_task(&self, node: u32) -> u32 {
        self.n_nodes() + node
    }

    pub(super) fn in_time_task(&self, node: u32) -> u32 {
        2 * self.n_nodes() + node
    }

    /// The number of the task that begins the run.
    pub(crate) fn start(&self) -> u32 {
        3 * self.n_nodes()
    }
}
