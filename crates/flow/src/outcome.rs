//! Owns what became of a node: a value, a failure, or nothing because it was not needed. The list
//! of all ways in which work can end is `event`'s; these three are the ones that carry data on to
//! other nodes.

use std::fmt;
use std::sync::Arc;

use selvedge_event::{DigestError, Outcome as Ending, Text};
use selvedge_runtime::TaskFailure;
use serde::{Deserialize, Serialize};

/// What became of a node, as those after it see it.
///
/// ```
/// use selvedge_flow::{Flow, Outcome, Request};
///
/// let mut flow = Flow::builder("shop");
/// let price = flow.parameter::<i64>("price");
/// let half = flow.node("half", (price,), |price: &i64| {
///     anyhow::ensure!(price % 2 == 0, "{price} is odd");
///     Ok(price / 2)
/// });
/// let told = flow.node("told", (half.outcome(),), |half: Outcome<&i64>| {
///     Ok(match half {
///         Outcome::Ok(half) => format!("{half} each"),
///         Outcome::Err(failure) => format!("can't be shared: {}", failure.error()),
///         Outcome::Skipped(skip) => format!("nothing to share: {skip}"),
///     })
/// });
/// let result = flow.build()?.run(Request::new().with("price", 7))?;
/// assert_eq!(result.value(told)?, "can't be shared: 7 is odd");
/// assert!(!result.succeeded()); // Whoever hears of a failure does not undo it.
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It made this.
    Ok(T),
    /// It failed.
    Err(Failure),
    /// It was not needed, or was declined.
    Skipped(Skip),
}

impl<T> Outcome<T> {
    /// The value, if there is one.
    #[must_use]
    pub fn ok(self) -> Option<T> {
        match self {
            Outcome::Ok(value) => Some(value),
            Outcome::Err(_) | Outcome::Skipped(_) => None,
        }
    }

    /// Whether there is a value.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self, Outcome::Ok(_))
    }

    /// Whether it failed.
    #[must_use]
    pub fn is_err(&self) -> bool {
        matches!(self, Outcome::Err(_))
    }

    /// Whether it was skipped.
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        matches!(self, Outcome::Skipped(_))
    }

    /// The same, with the value seen as something else.
    pub fn map<U>(self, function: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Outcome::Ok(value) => Outcome::Ok(function(value)),
            Outcome::Err(failure) => Outcome::Err(failure),
            Outcome::Skipped(skip) => Outcome::Skipped(skip),
        }
    }

    /// The same without the value, as records and listeners are told it.
    #[must_use]
    pub fn ending(&self) -> Ending {
        match self {
            Outcome::Ok(_) => Ending::Succeeded,
            Outcome::Err(failure) => failure.ending(),
            Outcome::Skipped(skip) => Ending::Skipped { reason: skip.reason().to_owned() },
        }
    }
}

/// Why a node failed. Clones share it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Failure(Arc<Told>);

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    node: Text,
    cause: Cause,
    error: String,
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// The node's function returned an error.
    Error,
    /// It panicked.
    Panic,
    /// It took longer than its time limit.
    TimedOut,
    /// It needs all its parents to succeed, and one did not.
    ParentsMissing,
    /// What it made has no digest: it can't be known again.
    NoDigest,
}

impl Failure {
    pub(crate) fn new(node: Text, cause: Cause, error: String) -> Failure {
        Failure(Arc::new(Told { node, cause, error }))
    }

    /// Of an error.
    pub(crate) fn of_error(node: Text, error: &anyhow::Error) -> Failure {
        Failure::new(node, Cause::Error, format!("{error:#}"))
    }

    /// Of a task that used up its attempts.
    pub(crate) fn of_task(node: Text, failure: &TaskFailure) -> Failure {
        let cause = if failure.panicked { Cause::Panic } else { Cause::Error };
        Failure::new(node, cause, format!("{:#}", failure.cause))
    }

    /// Of what can't be known again.
    pub(crate) fn without_digest(node: Text, error: &DigestError) -> Failure {
        Failure::new(node, Cause::NoDigest, format!("what it made has no digest: {error}"))
    }

    /// Which node failed, by its id; an item of a map is `users[3]`.
    #[must_use]
    pub fn node(&self) -> &Text {
        &self.0.node
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.0.cause
    }

    /// The error and its causes, outermost first, or the panic's message.
    #[must_use]
    pub fn error(&self) -> &str {
        &self.0.error
    }

    /// The same as records and listeners are told it.
    #[must_use]
    pub fn ending(&self) -> Ending {
        match self.0.cause {
            Cause::TimedOut => Ending::TimedOut,
            cause => {
                Ending::Failed { error: self.0.error.clone(), panicked: cause == Cause::Panic }
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told { node, cause, error } = &*self.0;
        let verb = match cause {
            Cause::Panic => "panicked",
            Cause::TimedOut => "timed out",
            Cause::Error | Cause::ParentsMissing | Cause::NoDigest => "failed",
        };
        write!(f, "node `{node}` {verb}: {error}")
    }
}

impl std::error::Error for Failure {}

/// Why a node was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Skip {
    /// A parent has no value to read.
    ParentFailedOrSkipped {
        /// Whether one failed.
        any_err: bool,
        /// Whether one was skipped.
        any_skipped: bool,
    },
    /// A branch went another way.
    BranchNotSelected {
        /// The arm that this is.
        arm: Text,
    },
    /// A gate let nothing through.
    GateClosed,
    /// A parent that is optional failed.
    OptionalFailed {
        /// How.
        failure: Failure,
    },
    /// The node's function [said so](skip).
    Declined {
        /// In its own words.
        why: Text,
    },
}

impl Skip {
    /// The reason in a word, or in the words of who declined.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Skip::ParentFailedOrSkipped { .. } => "parent_failed_or_skipped",
            Skip::BranchNotSelected { .. } => "branch_not_selected",
            Skip::GateClosed => "gate_closed",
            Skip::OptionalFailed { .. } => "optional_failed",
            Skip::Declined { why } => why.as_str(),
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

/// Declines from within a node's function: returned as its error, it skips the node instead of
/// failing it.
///
/// ```
/// use selvedge_flow::{Flow, Request, skip};
///
/// let mut flow = Flow::builder("shop");
/// let n = flow.parameter::<i64>("n");
/// let root = flow.node("root", (n,), |n: &i64| match n.checked_isqrt() {
///     Some(root) => Ok(root),
///     None => Err(skip("negative")),
/// });
/// let result = flow.build()?.run(Request::new().with("n", -4))?;
/// assert!(result.succeeded() && result.outcome(root).is_skipped());
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn skip(why: impl Into<Text>) -> anyhow::Error {
    anyhow::Error::new(Declined(Skip::Declined { why: why.into() }))
}

/// A skip on its way out of a node's function.
#[derive(Debug)]
pub(crate) struct Declined(pub(crate) Skip);

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Declined {}
