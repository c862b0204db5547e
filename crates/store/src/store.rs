//! Owns the `Store` trait: what every backend offers, and what it promises.

use std::fmt::Debug;

use crate::batch::{Batch, Durability};
use crate::error::StoreError;
use crate::scan::{Entries, Scan};

/// Reading: from a store as it is, or from a snapshot of it.
pub trait Read: Send + Sync + Debug {
    /// The value of a record, if it is there.
    ///
    /// # Errors
    ///
    /// The record is damaged, or the engine failed.
    fn get(&self, namespace: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether a record is there.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    fn contains(&self, namespace: &str, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.get(namespace, key)?.is_some())
    }

    /// Reads records in order, a page at a time.
    ///
    /// Each is as it is when it is reached: what is committed meanwhile may be seen or not. Scan a
    /// [`Snapshot`] to see one moment of all. Errors come as items; a damaged record is one error,
    /// and the scan goes on behind it.
    fn scan(&self, scan: Scan) -> Entries<'_>;

    /// The namespaces that hold records, sorted as the backend sorts them.
    ///
    /// # Errors
    ///
    /// The engine failed.
    fn namespaces(&self) -> Result<Vec<String>, StoreError>;
}

/// A store as it was at one moment: all of a batch can be seen in it or nothing.
pub trait Snapshot: Read {}

/// Durable bytes under (namespace, key).
///
/// # What every backend promises
///
/// `selvedge_testkit::store_laws` checks a backend against these, and a backend of your own too.
///
/// - **Acknowledged is durable.** What was committed under [`Durability::Sync`] or
///   [`Durability::Group`] survives `kill -9` and the loss of power. (A backend in memory survives
///   nothing.)
/// - **A batch is all or nothing**, whatever happens when; batches are in one order, which every
///   reader and every crash respects.
/// - **Seen is durable**: a batch can be read only after it is as durable as it asked to be, and
///   whoever committed it reads it.
/// - **Damage is never silent.** A record that isn't what was written is an error that names it.
/// - **A store that can't keep a promise stops writing**: after an error of the device it is read
///   only and says why; nothing is tried again behind the caller's back.
///
/// Implementations are shared as `Arc<dyn Store>`; each method may be called from any thread.
pub trait Store: Read {
    /// Writes a batch, and returns once it is as durable as asked for. An empty batch waits for
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] if a condition doesn't hold; a name or size that is refused; a
    /// store that is read only. After an error of the device it is unknown whether the batch is
    /// found when the store is opened again; all of it or nothing is.
    fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError>;

    /// The store as it is now, whatever is written later.
    ///
    /// # Errors
    ///
    /// The engine failed.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// Makes everything durable that was committed before, under [`Durability::None`] too.
    ///
    /// # Errors
    ///
    /// The store is read only, or became so by this.
    fn flush(&self) -> Result<(), StoreError>;

    /// Commits one write.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    fn put(
        &self,
        namespace: &str,
        key: &[u8],
        value: &[u8],
        durability: Durability,
    ) -> Result<(), StoreError> {
        self.commit(Batch::new().put(namespace, key, value), durability)
    }

    /// Commits one deletion.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    fn delete(
        &self,
        namespace: &str,
        key: &[u8],
        durability: Durability,
    ) -> Result<(), StoreError> {
        self.commit(Batch::new().delete(namespace, key), durability)
    }

    /// Replaces a record if it holds what is expected; `None` is no record, on either side.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] if it holds something else; otherwise as [`commit`](Self::commit).
    fn compare_and_set(
        &self,
        namespace: &str,
        key: &[u8],
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
        durability: Durability,
    ) -> Result<(), StoreError> {
        let batch = Batch::new().require(namespace, key, expected);
        let batch = match value {
            Some(value) => batch.put(namespace, key, value),
            None => batch.delete(namespace, key),
        };
        self.commit(batch, durability)
    }
}
