//! Owns caching: a processor whose recorded emissions are replayed when it is asked the same again.
//! Refuses to know where the records lie, which is the store's, and when they are written, which is
//! the worker's: with the batch they are of, before anybody hears what they hold.

mod archive;
mod aside;
mod cached;
mod caches;
mod entry;
mod function;
mod journal;
mod memory;
mod options;
mod records;

pub(crate) use archive::{Archive, Begun, Looked};
pub use aside::Aside;
pub use cached::{Cached, CachedProcessor};
pub use caches::{CacheUse, CachedResult, Caches};
pub use function::{CachedFunction, on_cached};
pub use journal::{Journal, Made};
pub use options::{ArchivePolicy, Cache};
pub(crate) use records::{Record, Records};
