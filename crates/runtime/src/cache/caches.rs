//! Owns `Caches`: the results of all cached processors in one store, to be looked over, removed and
//! erased. Refuses to know what is worth keeping, and what time it is.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use selvedge_event::{Digest, Text};
use selvedge_store::{Batch, Durability, Entry, Scan, Store, StoreError};
use selvedge_sync::Mutex;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::archive::{Archive, NAMESPACES};

/// What is known of each cache beside its results: who used it last, and when.
const USES: &str = "memo.uses";
/// Results removed at a time.
const PIECE_LEN: usize = 1024;

/// The results of all cached processors in one store, of whichever pipelines and versions.
///
/// Pipelines built [with it](crate::PipelineBuilder::caches) keep their results in its store, and
/// note whose they are and when they were used; and what is erased goes from their memory too.
///
/// ```
/// use std::sync::Arc;
/// use std::time::SystemTime;
/// use selvedge_event::{Digest, Event};
/// use selvedge_runtime::{Caches, Context, Pipeline, on_cached};
/// use selvedge_store::Memory;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Event, Serialize, Deserialize)]
/// struct Word(String);
///
/// let caches = Caches::new(Arc::new(Memory::new()));
/// for version in ["1", "2"] {
///     let echo = on_cached("echo", version, |_: &mut Context, word: &Word| {
///         Ok((word.0 == "tea").then(|| Word("tea!".into())))
///     });
///     let pipeline = Pipeline::builder().processor(echo);
///     let pipeline = pipeline.caches(&caches, SystemTime::UNIX_EPOCH).build()?;
///     pipeline.submit(Word("tea".into()))?;
///     pipeline.run()?;
/// }
/// // Nobody uses version 1 any more.
/// let uses = caches.uses()?;
/// let old = uses.iter().find(|cache| cache.signature.as_deref() == Some("echo version 1"));
/// assert_eq!(caches.remove(&old.unwrap().namespace)?, 2);
/// // What must not be kept goes wherever it is.
/// let secret = Digest::of(&Word("tea!".into()))?;
/// assert_eq!(caches.erase(&[secret].into())?.len(), 1);
/// assert_eq!(caches.uses()?[0].n_results, 1);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct Caches {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    /// Taken with nothing inside, and let go before an archive is asked.
    live: Mutex<Vec<Weak<Archive>>>,
}

impl fmt::Debug for Caches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caches").field("store", &self.shared.store).finish_non_exhaustive()
    }
}

/// The results of one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheUse {
    /// Where they are in the store.
    pub namespace: String,
    /// Whose they are: the name of the processor that used them last.
    pub processor: Option<Text>,
    /// The signature, in words.
    pub signature: Option<Text>,
    /// When a pipeline that uses them was built last; nothing if none ever said.
    pub used_at: Option<SystemTime>,
    /// Whether a pipeline of this process has them.
    pub is_live: bool,
    /// How many there are.
    pub n_results: u64,
    /// Bytes of theirs, keys included.
    pub n_bytes: u64,
}

/// One result, without what was emitted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachedResult {
    /// What it is kept under.
    pub key: Digest,
    /// What the run is called that recorded it, if that was said.
    pub origin: Option<Text>,
    /// Bytes of it, the key included.
    pub n_bytes: u64,
}

/// What is noted when a pipeline is built.
#[derive(Serialize, Deserialize)]
struct Use {
    processor: Text,
    signature: Text,
    /// Nanoseconds since 1970.
    used_at: u64,
}

impl Caches {
    /// The results in a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Caches {
        Caches { shared: Arc::new(Shared { store, live: Mutex::default() }) }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// All caches in the store, by namespace. Reads all of them through.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn uses(&self) -> Result<Vec<CacheUse>, StoreError> {
        let live: BTreeSet<String> =
            self.live().iter().filter_map(|archive| archive.namespace().ok()).collect();
        let mut uses = Vec::new();
        for namespace in self.namespaces()? {
            let (mut n_results, mut n_bytes) = (0, 0);
            for entry in self.store().scan(Scan::all(&namespace)) {
                n_results += 1;
                n_bytes += weight(&entry?);
            }
            let noted = self.store().get(USES, namespace.as_bytes())?;
            let noted: Option<Use> = noted.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let used_at = noted.as_ref().map(|noted| Duration::from_nanos(noted.used_at));
            let (processor, signature) =
                noted.map(|noted| (noted.processor, noted.signature)).unzip();
            uses.push(CacheUse {
                is_live: live.contains(&namespace),
                used_at: used_at.map(|since| SystemTime::UNIX_EPOCH + since),
                namespace,
                processor,
                signature,
                n_results,
                n_bytes,
            });
        }
        Ok(uses)
    }

    /// The results in one cache, as far as this version can read them. What a
    /// [journal](crate::Journal) keeps is none.
    pub fn results(
        &self,
        namespace: &str,
    ) -> impl Iterator<Item = Result<CachedResult, StoreError>> {
        /// What of a record every version writes alike.
        #[derive(Deserialize)]
        struct Head {
            #[serde(default)]
            origin: Option<Text>,
            #[serde(rename = "emissions")]
            _emissions: IgnoredAny,
        }
        self.store().scan(Scan::all(namespace)).filter_map(|entry| {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error)),
            };
            let head: Head = serde_json::from_slice(&entry.value).ok()?;
            let n_bytes = weight(&entry);
            let key = Digest::from_bytes(entry.key.try_into().ok()?);
            Some(Ok(CachedResult { key, origin: head.origin, n_bytes }))
        })
    }

    /// Removes a cache with all its results; says how many those were.
    /// What a pipeline of this process has of it in memory stays there until it ends.
    ///
    /// # Errors
    ///
    /// The store's; some may be gone then.
    pub fn remove(&self, namespace: &str) -> Result<u64, StoreError> {
        let n_removed = self.remove_if(namespace, |_| true)?;
        self.store().delete(USES, namespace.as_bytes(), Durability::Group)?;
        Ok(n_removed)
    }

    /// Removes some results of a cache; says how many were there.
    ///
    /// # Errors
    ///
    /// The store's; some may be gone then.
    pub fn remove_results(
        &self,
        namespace: &str,
        keys: &BTreeSet<Digest>,
    ) -> Result<u64, StoreError> {
        let is_one = |entry: &Entry| {
            let key = entry.key.as_slice().try_into().ok();
            key.is_some_and(|key| keys.contains(&Digest::from_bytes(key)))
        };
        self.remove_if(namespace, is_one)
    }

    /// Erases every result of which one of these values is part, from the store and from the memory
    /// of this process's pipelines; says of which values there were any. They are computed again
    /// when they are wanted, so erase the inputs too, or the code that makes them. What is left in
    /// a store's log and free pages goes when that is compacted.
    ///
    /// A turn that is under way may record such a value right after.
    ///
    /// # Errors
    ///
    /// The store's; some may be gone then.
    pub fn erase(&self, values: &BTreeSet<Digest>) -> Result<BTreeSet<Digest>, StoreError> {
        let mut found = BTreeSet::new();
        for namespace in self.namespaces()? {
            self.remove_if(&namespace, |entry| {
                let mut has_any = false;
                for digest in digests(&entry.value).filter(|digest| values.contains(digest)) {
                    has_any = true;
                    found.insert(digest);
                }
                has_any
            })?;
        }
        // After the store, from which they would be remembered again.
        for archive in self.live() {
            found.extend(archive.erase(values));
        }
        self.store().flush()?;
        Ok(found)
    }

    /// Notes that a pipeline uses a cache. A store that refuses is told of by the first result.
    pub(crate) fn note(&self, archive: &Arc<Archive>, processor: Text, at: SystemTime) {
        self.shared.live.lock().push(Arc::downgrade(archive));
        let (Ok(namespace), Some(signature)) = (archive.namespace(), archive.signature()) else {
            return;
        };
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let used_at = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        let signature = Text::from(signature.to_string());
        let note = serde_json::to_vec(&Use { processor, signature, used_at });
        let note = note.expect("texts and a number are JSON");
        let _ = self.store().put(USES, namespace.as_bytes(), &note, Durability::None);
    }

    fn live(&self) -> Vec<Arc<Archive>> {
        let mut live = self.shared.live.lock();
        live.retain(|archive| archive.strong_count() > 0);
        live.iter().filter_map(Weak::upgrade).collect()
    }

    fn namespaces(&self) -> Result<Vec<String>, StoreError> {
        let mut namespaces = self.store().namespaces()?;
        namespaces.retain(|namespace| namespace.starts_with(NAMESPACES));
        Ok(namespaces)
    }

    fn remove_if(
        &self,
        namespace: &str,
        mut is_unwanted: impl FnMut(&Entry) -> bool,
    ) -> Result<u64, StoreError> {
        let (mut n_removed, mut batch) = (0, Batch::new());
        for entry in self.store().scan(Scan::all(namespace)) {
            let entry = entry?;
            if is_unwanted(&entry) {
                batch = batch.delete(namespace, &entry.key);
                n_removed += 1;
            }
            if batch.len() == PIECE_LEN {
                self.store().commit(std::mem::take(&mut batch), Durability::Group)?;
            }
        }
        self.store().commit(batch, Durability::Group)?;
        Ok(n_removed)
    }
}

fn weight(entry: &Entry) -> u64 {
    (entry.key.len() + entry.value.len()) as u64
}

/// The digests that a record mentions, wherever in it: also those of a form that this version
/// doesn't read, and of values that hold digests. To erase too much costs a turn.
fn digests(bytes: &[u8]) -> impl Iterator<Item = Digest> {
    const SIGN: &[u8] = b"b3:";
    const LEN: usize = SIGN.len() + 64;
    let begins = bytes.windows(LEN).filter(|text| text.starts_with(SIGN));
    begins.filter_map(|text| std::str::from_utf8(text).ok()?.parse().ok())
}
