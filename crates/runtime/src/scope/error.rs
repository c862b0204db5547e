//! Owns what can go wrong with opening a scope and posting to it.

use selvedge_event::Text;
use thiserror::Error;

use crate::error::BuildError;

/// Why a scope could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// Its failure policy can't work.
    #[error("scope `{name}` has a failure policy that can't work for tasks: {source}")]
    Policy {
        /// The scope.
        name: Text,
        /// What is wrong with the policy.
        source: Box<BuildError>,
    },
    /// An option that must be positive is zero.
    #[error("scope `{name}` has a `{option}` of zero: nothing could ever happen")]
    Zero {
        /// The scope.
        name: Text,
        /// The option.
        option: &'static str,
    },
    /// As many scopes are open as there may be.
    #[error(
        "scope `{name}` is one too many: {limit} are open; wait for some of them to end, or raise \
         `Limits::scopes_max`"
    )]
    TooMany {
        /// The scope.
        name: Text,
        /// How many there may be.
        limit: usize,
    },
    /// The run has not begun, or takes nothing more from outside.
    #[error(
        "scope `{name}` can't be opened from outside: the run has not begun, has failed, is \
         stopping or is done"
    )]
    Closed {
        /// The scope.
        name: Text,
    },
}

/// Why a task was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PostError {
    /// The scope starts no further task: it failed, was cancelled, or the run is coming to its end.
    #[error("the scope starts no further task: it failed, was cancelled, or the run is ending")]
    Stopped,
    /// As many tasks are outstanding as there may be.
    #[error(
        "{limit} tasks of the scope are outstanding: post later, or raise \
         `ScopeOptions::tasks_max`"
    )]
    Full {
        /// How many there may be.
        limit: u64,
    },
}
