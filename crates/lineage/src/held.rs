//! Owns `HeldValues`: what a history holds in a content store, each value once, however many
//! records name it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use selvedge_event::Digest;
use selvedge_store::{ContentStore, Durability, Durable, Store, StoreError};
use selvedge_sync::Mutex;

use crate::erase::Values;

/// Digests of the values that the history holds; the values are empty.
const HELD: &str = "lineage.held";
/// Digests remembered as held, so that the store need not be asked; 32 bytes each.
const REMEMBERED_MAX: usize = 65_536;

/// The values of a history, in a content store that others count on too.
///
/// However often a value is [kept](Self::keep), the history counts on it once; it lets go when
/// [retention](crate::History::remove) has removed the last record that names it. A crash can leave
/// a value counted on once too often, never once too little.
///
/// ```
/// use std::sync::Arc;
/// use selvedge_event::Digest;
/// use selvedge_lineage::{HeldValues, Values};
/// use selvedge_store::{ContentStore, Durability, Memory, OsDisk};
///
/// # let dir = tempfile::tempdir()?;
/// let store = Arc::new(Memory::new());
/// let disk = Arc::new(OsDisk::new(dir.path())?);
/// let content = Arc::new(ContentStore::new(store.clone(), disk));
/// let values = HeldValues::new(Arc::clone(&content), store);
///
/// let tea = Digest::of("tea")?;
/// values.keep(&tea, b"tea", Durability::Group)?;
/// values.keep(&tea, b"tea", Durability::Group)?;
/// assert_eq!(content.n_references(&tea)?, 1);
/// assert!(values.contains(&tea)?);
/// assert!(values.release(&tea).is_ok_and(|went| went));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HeldValues {
    content: Arc<ContentStore>,
    store: Arc<dyn Store>,
    durable: Option<Arc<Durable>>,
    /// Held while a value is kept or let go, so that a count follows from what is remembered.
    remembered: Mutex<FxHashSet<Digest>>,
}

impl fmt::Debug for HeldValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldValues").finish_non_exhaustive()
    }
}

impl HeldValues {
    /// The values of the history in a store, beside it. Compacting gives back what files held.
    #[must_use]
    pub fn new(content: Arc<ContentStore>, store: Arc<dyn Store>) -> HeldValues {
        HeldValues { content, store, durable: None, remembered: Mutex::default() }
    }

    /// The same in a directory, where compacting leaves nothing of what was erased in the store's
    /// log and free pages either.
    #[must_use]
    pub fn durable(content: Arc<ContentStore>, store: Arc<Durable>) -> HeldValues {
        let durable = Some(Arc::clone(&store));
        HeldValues { content, store, durable, remembered: Mutex::default() }
    }

    /// Keeps a value for the history.
    ///
    /// # Errors
    ///
    /// The store's, or the system's if the value is large.
    pub fn keep(
        &self,
        digest: &Digest,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<(), StoreError> {
        let mut remembered = self.remembered.lock();
        if remembered.contains(digest) {
            return Ok(());
        }
        if self.store.get(HELD, digest.as_bytes())?.is_none() {
            // The count before the note of it: a crash in between counts once too often.
            self.content.put(digest, bytes, durability)?;
            self.store.put(HELD, digest.as_bytes(), &[], durability)?;
        }
        if remembered.len() == REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(*digest);
        Ok(())
    }

    /// A value, if it is there.
    ///
    /// # Errors
    ///
    /// As [`ContentStore::get`].
    pub fn value(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.content.get(digest)
    }

    /// Whether a value is there. A large one is not read for that.
    ///
    /// # Errors
    ///
    /// As [`ContentStore::n_references`].
    pub fn contains(&self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.content.n_references(digest)? > 0)
    }

    /// Forgets that a value is held; whether it was.
    fn forget(&self, digest: &Digest) -> Result<bool, StoreError> {
        let mut remembered = self.remembered.lock();
        remembered.remove(digest);
        let was_held = self.store.get(HELD, digest.as_bytes())?.is_some();
        if was_held {
            self.store.delete(HELD, digest.as_bytes(), Durability::Group)?;
        }
        Ok(was_held)
    }
}

impl Values for HeldValues {
    fn erase(&self, digest: &Digest) -> Result<bool, Box<dyn Error + Send + Sync>> {
        self.forget(digest)?;
        let was_there = self.content.n_references(digest)? > 0;
        self.content.erase(digest, Durability::Group)?;
        Ok(was_there)
    }

    fn release(&self, digest: &Digest) -> Result<bool, Box<dyn Error + Send + Sync>> {
        if !self.forget(digest)? {
            return Ok(false);
        }
        self.content.release(digest, Durability::Group)?;
        Ok(self.content.n_references(digest)? == 0)
    }

    fn compact(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.content.sweep()?;
        if let Some(durable) = &self.durable {
            durable.compact()?;
        }
        Ok(())
    }
}
