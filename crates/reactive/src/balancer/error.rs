//! Owns `BalancerError`: why work can't be balanced, or a result can't be put in its place.

use selvedge_store::StoreError;
use thiserror::Error;

/// Why work can't be balanced, or a result can't be put in its place.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BalancerError {
    /// There is no worker.
    #[error("a balancer of `{requires}` without workers can't be, use at least one")]
    NoWorkers {
        /// The target that was to be balanced.
        requires: String,
    },
    /// An option that counts something is zero.
    #[error("{option} of a balancer is zero, use at least one")]
    Zero {
        /// The option.
        option: &'static str,
    },
    /// Bounds of the number of workers that contradict each other.
    #[error("{min} workers at least and {max} at most can't be, use bounds in order")]
    Bounds {
        /// At least.
        min: usize,
        /// At most.
        max: usize,
    },
    /// A requirement that is to be spread over several arguments.
    #[error("`{requires}` can't be balanced: a worker takes an item whole, require it unstarred")]
    Starred {
        /// The requirement.
        requires: String,
    },
    /// Too many items wait for a worker.
    #[error("{limit} items wait for a worker already, raise waiting_max or add workers")]
    Waiting {
        /// How many may.
        limit: usize,
    },
    /// Too many results wait for one that doesn't come.
    #[error(
        "{limit} items' results wait for that of item {cursor}, let the order skip ahead or raise \
         max_buffered"
    )]
    Buffered {
        /// How many may.
        limit: usize,
        /// What they wait for.
        cursor: u64,
    },
    /// A gap policy would have gone back.
    #[error("a gap policy moved the cursor from item {from} back to item {to}, use a later one")]
    CursorBack {
        /// Where it was.
        from: u64,
        /// Where it was to be.
        to: u64,
    },
    /// The store of the numbers failed.
    #[error("the store of item numbers failed")]
    Store(#[source] StoreError),
    /// What the store holds is no number.
    #[error("record `{key}` of namespace `{namespace}` is no item number")]
    Record {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
    },
}
