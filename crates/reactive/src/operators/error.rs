//! Owns `OperatorError`: why an operator can't be made, or could not take an item.

use selvedge_event::DigestError;
use selvedge_store::StoreError;
use thiserror::Error;

/// Why an operator can't be made, or could not take an item.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// An option that counts something is zero.
    #[error("{operator}: {option} is zero, use at least one")]
    Zero {
        /// The operator.
        operator: &'static str,
        /// The option.
        option: &'static str,
    },
    /// An option is more than what bounds it.
    #[error("{operator}: {option} is {value}, use {limit} at most")]
    TooLarge {
        /// The operator.
        operator: &'static str,
        /// The option.
        option: &'static str,
        /// What it was given.
        value: u64,
        /// The most it may be.
        limit: u64,
    },
    /// A probability is none.
    #[error("StreamSampler: the probability is {p}, use one from 0 to 1")]
    Probability {
        /// What was given.
        p: f64,
    },
    /// What an operator may hold, it holds.
    #[error("{operator}: it holds {limit} {what} already, use a larger {option} if memory allows")]
    Full {
        /// The operator.
        operator: &'static str,
        /// What there are too many of.
        what: &'static str,
        /// How many it may hold.
        limit: usize,
        /// The option that says so.
        option: &'static str,
    },
    /// A function of the user's failed on an item.
    #[error("{operator}: its {function} function failed on an item")]
    Function {
        /// The operator.
        operator: &'static str,
        /// What the function is for.
        function: &'static str,
        /// What it returned.
        #[source]
        source: anyhow::Error,
    },
    /// An item that has to be known by its content has no digest.
    #[error("{operator}: an item has no digest")]
    NoDigest {
        /// The operator.
        operator: &'static str,
        /// Why.
        #[source]
        source: DigestError,
    },
    /// The store that takes what is too much for memory failed.
    #[error("{operator}: the store that takes what is too much for memory failed")]
    Store {
        /// The operator.
        operator: &'static str,
        /// How.
        #[source]
        source: StoreError,
    },
}

/// What a function of the user's returned, under the operator's name.
pub(crate) fn called<T>(
    operator: &'static str,
    function: &'static str,
    result: anyhow::Result<T>,
) -> Result<T, OperatorError> {
    result.map_err(|source| OperatorError::Function { operator, function, source })
}
