//! Owns what a scope's tasks are told of one that failed for good, and what they can say to it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How a task failed for good. See [`Tasks::failed`](crate::Tasks::failed).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskFailure {
    /// The last attempt's error, or its panic's message.
    pub cause: Arc<anyhow::Error>,
    /// Whether the last attempt panicked.
    pub panicked: bool,
    /// How many attempts there were.
    pub attempts: u32,
}

/// An attempt at a task that failed and is followed by another. See
/// [`Tasks::retries`](crate::Tasks::retries).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TaskRetry<'a> {
    /// The attempt's error, or its panic's message.
    pub cause: &'a anyhow::Error,
    /// Whether it panicked.
    pub panicked: bool,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// How long the next one waits.
    pub after: Duration,
    /// The time since the run began, by the run's clock.
    pub elapsed: Duration,
}

/// Whether a scope goes on after a task that failed for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handling {
    /// It does: what there was to do about the failure is done. The task counts as dead.
    Handled,
    /// What the task's policy, or the scope's, says in the end is done.
    #[default]
    Unhandled,
}

impl TaskFailure {
    /// The error that the scope fails with, if it does.
    pub(crate) fn into_cause(self) -> Arc<anyhow::Error> {
        if self.attempts == 1 {
            return self.cause;
        }
        // The error itself, unless somebody keeps it.
        let cause = Arc::try_unwrap(self.cause).unwrap_or_else(|kept| Kept(kept).into());
        Arc::new(cause.context(format!("gave up after {} attempts", self.attempts)))
    }
}

/// An error that somebody else has a hold of, too.
#[derive(Debug)]
struct Kept(Arc<anyhow::Error>);

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Kept {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
