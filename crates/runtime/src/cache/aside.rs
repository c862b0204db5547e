//! Owns `Aside`: keys that a processor puts aside in the pipeline's store because there are too
//! many for memory. Refuses to keep them for another run: they say nothing that the processor could
//! not find out again.

use std::fmt;
use std::sync::Arc;

use selvedge_event::Digest;
use selvedge_store::{Batch, Durability, Scan, Store, StoreError};

use super::journal::Journal;

/// What the namespaces of keys that are put aside begin with.
const NAMESPACES: &str = "aside/";
/// Keys that are removed at once.
const REMOVED: usize = 1_024;

/// A set of keys in the pipeline's store, of one processor, for one run; see
/// [`Journal::aside`].
///
/// ```
/// use std::sync::Arc;
/// use selvedge_event::{Event, Init, Interest, Interests, Signature};
/// use selvedge_runtime::{Configure, Context, Journal, Pipeline, Processor, Result};
/// use selvedge_store::Memory;
///
/// struct Puts(Journal);
/// impl Processor for Puts {
///     fn interests(&self) -> Interests {
///         Interests::listed([Interest::of::<Init>()])
///     }
///     fn process(&mut self, _: &mut Context, _: &Event) -> Result {
///         let Some(aside) = self.0.aside() else { return Ok(()) };
///         aside.clear()?;
///         aside.put([b"one", b"two"])?;
///         assert!(aside.has(b"two")? && !aside.has(b"three")?);
///         Ok(())
///     }
/// }
///
/// let journal = Journal::in_memory(Signature::of_version("puts", "1"));
/// let puts = Puts(journal.clone()).named("puts").journal(&journal);
/// Pipeline::builder().processor(puts).store(Arc::new(Memory::new())).build()?.run()?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct Aside {
    store: Arc<dyn Store>,
    namespace: String,
}

impl Aside {
    /// Whether a key was put aside.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn has(&self, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.store.get(&self.namespace, key)?.is_some())
    }

    /// Puts keys aside, in one batch. Nobody waits for the device.
    ///
    /// # Errors
    ///
    /// The store's; none of them is aside then.
    pub fn put<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Result<(), StoreError> {
        let put = |batch: Batch, key: K| batch.put(&self.namespace, key.as_ref(), Vec::new());
        let batch = keys.into_iter().fold(Batch::new(), put);
        self.store.commit(batch, Durability::None)
    }

    /// Removes all of them: those of an earlier run that crashed, too.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn clear(&self) -> Result<(), StoreError> {
        loop {
            let mut batch = Batch::new();
            let mut n = 0;
            for entry in self.store.scan(Scan::all(&self.namespace)).take(REMOVED) {
                batch = batch.delete(&self.namespace, &entry?.key);
                n += 1;
            }
            if n == 0 {
                return Ok(());
            }
            self.store.commit(batch, Durability::None)?;
        }
    }
}

impl fmt::Debug for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aside").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Journal {
    /// Where the processor can put keys aside that are too many for memory; `None` before it is in
    /// a pipeline, and in one without a store.
    #[must_use]
    pub fn aside(&self) -> Option<Aside> {
        let (processor, store) = self.archive().aside()?;
        // As a digest, it fits whatever its length.
        let namespace = format!("{NAMESPACES}{}", Digest::of(processor.as_str()).ok()?);
        Some(Aside { store: Arc::clone(store), namespace })
    }
}
