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
mod compact;
mod content;
mod core;
mod damage;
mod disk;
mod durable;
mod engine;
mod error;
mod export;
mod frame;
mod lock;
mod log;
mod memory;
mod open;
mod read;
#[cfg(feature = "redb")]
mod redb;
mod replay;
mod scan;
mod scratch;
mod session;
#[cfg(feature = "sled")]
mod sled;
mod store;
mod views;

pub use batch::{
    BATCH_BYTES_MAX, Batch, Durability, KEY_BYTES_MAX, NAMESPACE_BYTES_MAX, VALUE_BYTES_MAX,
};
pub use content::{ContentStore, FILE_BYTES_MIN};
pub use damage::Damage;
pub use disk::{Disk, DiskFile, OsDisk};
pub use durable::{Durable, Options};
pub use engine::{Backend, Engine, EngineError, EngineWrite, KeyRange, Pairs};
pub use error::{RecordKey, StoreError};
pub use export::{export, import};
pub use memory::Memory;
pub use open::{OnDamage, Opened};
#[cfg(feature = "redb")]
pub use redb::Redb;
pub use scan::{Entries, Entry, Order, Scan};
pub use scratch::Scratch;
#[cfg(feature = "sled")]
pub use sled::Sled;
pub use store::{Read, Snapshot, Store};
