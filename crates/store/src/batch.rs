//! Owns `Batch`: what is written together, on which conditions, and how durable it has to be.

use crate::error::{RecordKey, StoreError};

/// Bytes of a namespace's name at most.
pub const NAMESPACE_BYTES_MAX: usize = 255;
/// Bytes of a key at most: the engines' B-trees want several of them in a page.
pub const KEY_BYTES_MAX: usize = 4096;
/// Bytes of a value at most. Larger ones belong into the content store, by digest.
pub const VALUE_BYTES_MAX: usize = 64 << 20;
/// Bytes of a batch at most, keys and values together.
pub const BATCH_BYTES_MAX: usize = 256 << 20;

/// What has happened to a batch when its commit returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It is on the device: it survives the process, the system and the power.
    #[default]
    Sync,
    /// The same; but the commit may wait for others, for so long at most as the store is configured
    /// to, so that one wait for the device serves them all.
    Group,
    /// It is handed to the system: it survives the process. A later `Sync`, `Group` or
    /// [`flush`](crate::Store::flush) makes it durable too; it is never lost from the middle.
    None,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) at: RecordKey,
    /// Nothing deletes.
    pub(crate) value: Option<Vec<u8>>,
}

/// What a record must hold for a batch to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) at: RecordKey,
    pub(crate) value: Option<Vec<u8>>,
}

/// Writes, over any namespaces, that happen all or not at all. Of two writes to one key the later
/// one counts.
///
/// ```
/// use selvedge_store::{Batch, Durability, Memory, Read, Store, StoreError};
///
/// let store = Memory::new();
/// store.commit(Batch::new().put("heads", b"main", b"1"), Durability::Group)?;
/// let late = Batch::new().require("heads", b"main", Some(b"0")).delete("heads", b"main");
/// assert!(matches!(store.commit(late, Durability::Group), Err(StoreError::Conflict { .. })));
/// assert_eq!(store.get("heads", b"main")?, Some(b"1".to_vec()));
/// # Ok::<(), StoreError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a batch does nothing until it is committed"]
pub struct Batch {
    pub(crate) writes: Vec<Write>,
    pub(crate) conditions: Vec<Condition>,
    n_bytes: usize,
}

impl Batch {
    /// Writes nothing yet.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Adds: the record holds this value.
    pub fn put(mut self, namespace: &str, key: &[u8], value: impl Into<Vec<u8>>) -> Batch {
        self.push(RecordKey::new(namespace, key), Some(value.into()));
        self
    }

    /// Adds: there is no such record. Deleting one that isn't there is fine.
    pub fn delete(mut self, namespace: &str, key: &[u8]) -> Batch {
        self.push(RecordKey::new(namespace, key), None);
        self
    }

    /// Adds a condition: before any write of this batch the record holds exactly this value, or
    /// with `None` isn't there. If one condition fails nothing is written.
    pub fn require(mut self, namespace: &str, key: &[u8], value: Option<&[u8]>) -> Batch {
        let at = RecordKey::new(namespace, key);
        self.conditions.push(Condition { at, value: value.map(<[u8]>::to_vec) });
        self
    }

    /// Writes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether there is no write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Bytes of the keys and values to be written.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    pub(crate) fn push(&mut self, at: RecordKey, value: Option<Vec<u8>>) {
        self.n_bytes += at.key.len() + value.as_ref().map_or(0, Vec::len);
        self.writes.push(Write { at, value });
    }

    /// Refuses names, keys and values that no backend may take.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let conditions = self.conditions.iter().map(|condition| (&condition.at, None));
        let writes = self.writes.iter().map(|write| (&write.at, write.value.as_ref()));
        for (at, value) in writes.chain(conditions) {
            check_namespace(&at.namespace)?;
            check_size("a key", at.key.len(), KEY_BYTES_MAX)?;
            check_size("a value", value.map_or(0, Vec::len), VALUE_BYTES_MAX)?;
        }
        check_size("a batch", self.n_bytes, BATCH_BYTES_MAX)
    }
}

pub(crate) fn check_namespace(namespace: &str) -> Result<(), StoreError> {
    if namespace.is_empty() || namespace.len() > NAMESPACE_BYTES_MAX {
        return Err(StoreError::BadNamespace { namespace: namespace.to_owned() });
    }
    Ok(())
}

fn check_size(what: &'static str, n_bytes: usize, n_bytes_max: usize) -> Result<(), StoreError> {
    if n_bytes > n_bytes_max {
        return Err(StoreError::TooLarge { what, n_bytes, n_bytes_max });
    }
    Ok(())
}
