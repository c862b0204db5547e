//! Durable bytes: one namespaced, batched key-value [`Store`] and its backends.
//!
//! ```
//! use selvedge_store::{Batch, Durability, Memory, Read, Scan, Store};
//!
//! let store = Memory::new();
//! let batch = Batch::new().put("runs", b"7", b"began").put("steps", b"7/load", b"ok");
//! store.commit(batch, Durability::Sync)?;
//!
//! let steps: Vec<_> = store.scan(Scan::prefix("steps", b"7/")).collect::<Result<_, _>>()?;
//! assert_eq!(steps[0].value, b"ok");
//! # Ok::<(), selvedge_store::StoreError>(())
//! ```
//!
//! Knows nothing about events or lineage: keys and values are bytes.

#![forbid(unsafe_code)]

mod batch;
mod error;
mod memory;
mod scan;
mod store;

pub use batch::{
    BATCH_BYTES_MAX, Batch, Durability, KEY_BYTES_MAX, NAMESPACE_BYTES_MAX, VALUE_BYTES_MAX,
};
pub use error::{RecordKey, StoreError};
pub use memory::Memory;
pub use scan::{Entries, Entry, Scan};
pub use store::{Read, Snapshot, Store};
