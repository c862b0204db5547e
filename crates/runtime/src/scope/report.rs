//! Owns the report of a scope: how it ended, and what became of its tasks.

use std::sync::Arc;

use selvedge_event::{Canceller, Outcome, Text};

use crate::turn;

/// How a scope ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ScopeOutcome {
    /// All tasks came to their end; those that failed were skipped.
    Succeeded,
    /// A task failed, and the policy was to end the scope; or its last turn did.
    Failed {
        /// Which task; none if it was [`Tasks::ended`](crate::Tasks::ended).
        index: Option<u32>,
        /// The error it returned, or its panic's message.
        cause: Arc<anyhow::Error>,
        /// Whether it was a panic.
        panicked: bool,
    },
    /// Somebody called it off.
    Cancelled {
        /// Who.
        by: Canceller,
    },
    /// The run ended first.
    Abandoned,
}

impl ScopeOutcome {
    /// Whether the scope succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, ScopeOutcome::Succeeded)
    }

    /// The same, as listeners are told it. Formats the user's error.
    pub(crate) fn describe(&self) -> Outcome {
        match self {
            ScopeOutcome::Succeeded => Outcome::Succeeded,
            ScopeOutcome::Failed { cause, panicked, .. } => {
                Outcome::Failed { error: turn::describe(cause), panicked: *panicked }
            }
            ScopeOutcome::Cancelled { by } => Outcome::Cancelled { by: *by },
            ScopeOutcome::Abandoned => Outcome::Abandoned,
        }
    }
}

/// What happened in a scope.
///
/// Tasks balance: `posted = done + dead + cancelled + abandoned`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScopeReport {
    /// The scope's name.
    pub name: Text,
    /// Its number in the run, by which listeners are told of it.
    pub number: u64,
    /// How it ended.
    pub outcome: ScopeOutcome,
    /// Tasks accepted; each post is one, and so is each number of a range.
    pub posted: u64,
    /// Tasks that succeeded.
    pub done: u64,
    /// Tasks that failed for good.
    pub dead: u64,
    /// Tasks that were never started, or not attempted again, because the scope failed or was
    /// cancelled first.
    pub cancelled: u64,
    /// Tasks that were waiting or under way when the run failed or was aborted.
    pub abandoned: u64,
}

impl ScopeReport {
    /// Whether every task is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.posted == self.done + self.dead + self.cancelled + self.abandoned
    }
}
