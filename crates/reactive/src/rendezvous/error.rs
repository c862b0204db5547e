//! Owns `RendezvousError`: why streams can't be joined, or an item could not be taken.

use selvedge_event::DigestError;
use selvedge_store::StoreError;
use thiserror::Error;

/// Why streams can't be joined, or an item could not be taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RendezvousError {
    /// An option that counts something is zero.
    #[error("a rendezvous with {option} = 0 can't be, use at least one")]
    Zero {
        /// The option.
        option: &'static str,
    },
    /// There are not as many key functions as streams.
    #[error("{n_keys} key functions for {n_streams} streams, use one for each")]
    Streams {
        /// How many key functions.
        n_keys: usize,
        /// How many streams.
        n_streams: usize,
    },
    /// Spilling was asked for of keys and items that are not known to be serializable.
    #[error("pending keys are to go to a store, use `spilling` to make such a rendezvous")]
    NotSerializable,
    /// Too many keys wait.
    #[error(
        "{limit} keys wait for their counterparts already, raise pending_max, evict the oldest, or \
         give them a time to live"
    )]
    Full {
        /// How many may.
        limit: usize,
    },
    /// A stream brought a key again, which still waits.
    #[error("stream {stream} has brought key {key} before, and duplicates are rejected")]
    Duplicate {
        /// The key.
        key: String,
        /// The stream, counted from 0.
        stream: usize,
    },
    /// Too many items of one key and stream wait.
    #[error("{limit} items of stream {stream} wait under key {key} already")]
    Queue {
        /// The key.
        key: String,
        /// The stream, counted from 0.
        stream: usize,
        /// How many may.
        limit: usize,
    },
    /// A key function failed on an item.
    #[error("the key function of stream {stream} failed on an item")]
    Key {
        /// The stream, counted from 0.
        stream: usize,
        /// What it returned.
        #[source]
        source: anyhow::Error,
    },
    /// A key has no digest, so the store can't know it.
    #[error("a key that is to go to the store has no digest")]
    NoDigest(#[source] DigestError),
    /// The store failed.
    #[error("the store of pending keys failed")]
    Store(#[source] StoreError),
    /// A key can't be written to the store, or read back.
    #[error("a pending key can't be written to the store or read from it")]
    Record(#[source] serde_json::Error),
}
