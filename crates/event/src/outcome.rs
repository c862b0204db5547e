//! Owns the one list of ways in which work can end; beside it, the facts that a listener can be
//! told. Plain data: who is told, and when, is the runtime's business.

mod fact;
mod wants;
mod warning;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use fact::Fact;
pub use wants::Wants;
pub use warning::Warning;

/// How a piece of work ended. Terminal: nothing more happens to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It did what it was for.
    Succeeded,
    /// It returned an error or panicked.
    Failed {
        /// The error and its causes, outermost first, or the panic's message.
        error: String,
        /// Whether it was a panic.
        panicked: bool,
    },
    /// It was not needed, or was declined by a policy.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It took longer than its budget.
    TimedOut,
    /// Somebody called it off.
    Cancelled {
        /// Who.
        by: Canceller,
    },
    /// It waits for something from outside and can be resumed.
    Suspended,
    /// It was given up when the run ended before it could start.
    Abandoned,
}

/// Who called off a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Canceller {
    /// The user, through a handle.
    User,
    /// The client that wanted the result is gone.
    ClientClosed,
    /// The scope that owned the work ended.
    Parent,
    /// A signal to the process.
    Signal,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Succeeded => f.write_str("succeeded"),
            Outcome::Failed { error, panicked: false } => write!(f, "failed: {error}"),
            Outcome::Failed { error, panicked: true } => write!(f, "panicked: {error}"),
            Outcome::Skipped { reason } => write!(f, "skipped: {reason}"),
            Outcome::TimedOut => f.write_str("timed out"),
            Outcome::Cancelled { by } => write!(f, "cancelled by {by:?}"),
            Outcome::Suspended => f.write_str("suspended"),
            Outcome::Abandoned => f.write_str("abandoned"),
        }
    }
}
