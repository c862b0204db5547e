//! Owns the results of one cached processor: in memory, and in the pipeline's store if it has one.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use selvedge_event::codec::Codecs;
use selvedge_event::{Digest, Event, Fact, Outcome, Signature, SignatureError, Text, Topic};
use selvedge_store::{
    Batch, Durability, Entry, RecordKey, Scan, Store, StoreError, VALUE_BYTES_MAX,
};
use selvedge_sync::Mutex;
use selvedge_sync::atomic::{AtomicU64, Ordering};

use super::entry::Entry as Emitted;
use super::memory::{Emissions, Memory};
use super::options::{ArchivePolicy, Cache};
use crate::limits::Limits;
use crate::processor::Result;

/// What the namespaces of results begin with.
pub(super) const NAMESPACES: &str = "memo/";
/// Warnings kept per archive; further ones are counted.
const WARNINGS_MAX: usize = 16;

/// The results of one cached processor.
#[derive(Debug)]
pub(crate) struct Archive {
    signature: Result<Signed, Arc<SignatureError>>,
    codecs: Codecs,
    cache: Cache,
    /// Set when the pipeline is built.
    place: OnceLock<Place>,
    /// Relaxed: a count and nothing else.
    n_replayed: AtomicU64,
    /// Taken with nothing inside. Neither destructors nor `serde` of the user's run under it.
    state: Mutex<State>,
}

/// A signature, and what memo keys begin with.
#[derive(Debug)]
struct Signed {
    signature: Signature,
    digest: Digest,
}

/// Where an archive is.
#[derive(Debug)]
struct Place {
    processor: Text,
    /// What the run is called in what it records.
    origin: Option<Text>,
    /// Whether somebody is told of look-ups.
    is_told: bool,
    durable: Option<(Arc<dyn Store>, String)>,
    /// The pipeline's store, also of one that keeps no records there.
    store: Option<Arc<dyn Store>>,
}

#[derive(Debug)]
struct State {
    memory: Memory,
    /// Whether the store takes records, as far as is known.
    is_writable: bool,
    warnings: Vec<String>,
    n_warnings: u64,
    /// What the last turn did.
    last: Option<Looked>,
    /// What a turn has begun to make something from, and has not come to the end of.
    begun: Option<Begun>,
}

/// What a turn is about to make something from.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    /// What the event was.
    pub(crate) topic: Topic,
    pub(crate) input: Digest,
    /// The same in parts, by target.
    pub(crate) inputs: Vec<(Text, Digest)>,
    /// When, since the pipeline was made.
    pub(crate) at: Duration,
    /// Which attempt this is, from 1.
    pub(crate) attempt: u32,
}

impl Begun {
    /// What is told of it, now that it has come to such an end, after so long.
    pub(crate) fn ended(
        self,
        processor: &Text,
        archive: &Archive,
        outcome: Outcome,
        took: Duration,
    ) -> Fact {
        let Begun { topic, input, inputs, attempt, at: began, .. } = self;
        let (processor, signature) = (processor.clone(), archive.signature().cloned());
        let (outputs, built_from) = (Vec::new(), Some(inputs));
        Fact::Recorded {
            processor,
            topic,
            signature,
            input,
            outputs,
            outcome,
            attempt,
            began,
            took,
            built_from,
        }
    }
}

/// What an event is known by.
pub(super) struct Known {
    /// Its payload, without its topic: what whoever emitted it is said to have made.
    pub(super) input: Digest,
    /// What its result is kept under.
    pub(super) key: Digest,
}

/// What a turn of a cached processor came to.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    pub(crate) input: Digest,
    pub(crate) outputs: Arc<[Digest]>,
    pub(crate) replayed: bool,
    pub(crate) origin: Option<Text>,
    /// Of a build, what it was built from, by target.
    pub(crate) built_from: Option<Vec<(Text, Digest)>>,
}

impl Archive {
    pub(super) fn new(
        signature: Result<Signature, SignatureError>,
        codecs: Codecs,
        cache: Cache,
    ) -> Archive {
        let signed = signature.and_then(|signature| {
            let digest = Digest::of(&signature)?;
            Ok(Signed { signature, digest })
        });
        let Limits { memo_max, memo_bytes_max, .. } = Limits::default();
        let state = State {
            memory: Memory::new(memo_max, memo_bytes_max),
            is_writable: true,
            warnings: Vec::new(),
            n_warnings: 0,
            last: None,
            begun: None,
        };
        Archive {
            signature: signed.map_err(Arc::new),
            codecs,
            cache,
            place: OnceLock::new(),
            n_replayed: AtomicU64::new(0),
            state: Mutex::new(state),
        }
    }

    fn signed(&self) -> Result<&Signed, Arc<SignatureError>> {
        self.signature.as_ref().map_err(Arc::clone)
    }

    pub(crate) fn signature(&self) -> Option<&Signature> {
        self.signed().ok().map(|signed| &signed.signature)
    }

    /// The namespace of its records.
    pub(crate) fn namespace(&self) -> Result<String, Arc<SignatureError>> {
        let Signed { digest, .. } = self.signed()?;
        match &self.cache.namespace {
            None => Ok(format!("{NAMESPACES}{digest}")),
            Some(own) => {
                // As a digest, it fits whatever its length.
                let own = Digest::of(own.as_str()).map_err(SignatureError::from)?;
                Ok(format!("{NAMESPACES}{digest}/{own}"))
            }
        }
    }

    /// Gives it its place in a pipeline.
    pub(crate) fn open(
        &self,
        processor: Text,
        store: Option<&Arc<dyn Store>>,
        origin: Option<&Text>,
        is_told: bool,
        limits: &Limits,
    ) -> Result<(), Arc<SignatureError>> {
        let namespace = self.namespace()?;
        let kept = store.filter(|_| self.is_to_be_stored());
        let durable = kept.map(|store| (Arc::clone(store), namespace));
        let (store, origin) = (store.cloned(), origin.cloned());
        self.state.lock().memory = Memory::new(limits.memo_max, limits.memo_bytes_max);
        let placed = self.place.set(Place { processor, origin, is_told, durable, store });
        assert!(placed.is_ok(), "a registration is built into one pipeline");
        Ok(())
    }

    fn durable(&self) -> Option<&(Arc<dyn Store>, String)> {
        self.place.get()?.durable.as_ref()
    }

    pub(super) fn store(&self) -> Option<&Arc<dyn Store>> {
        self.durable().map(|(store, _)| store)
    }

    /// Who it is of, and the pipeline's store.
    pub(super) fn aside(&self) -> Option<(&Text, &Arc<dyn Store>)> {
        let Place { processor, store, .. } = self.place.get()?;
        Some((processor, store.as_ref()?))
    }

    pub(super) fn durability(&self) -> Durability {
        self.cache.durability
    }

    /// What an event is known by.
    pub(super) fn known(&self, event: &Event) -> Result<Known> {
        if let Some(digest_by) = &self.cache.digest_by {
            let input = digest_by(event).with_context(|| format!("{event} is known by nothing"))?;
            return Ok(Known { input, key: self.key(input)? });
        }
        let input = event.payload_digest().with_context(|| {
            format!(
                "{event} can't be looked up in a cache: derive `Serialize` for it, or say what it \
                 is known by with `Cache::digest_by`"
            )
        })?;
        Ok(Known { input, key: self.key(Digest::of(&(event.topic(), input))?)? })
    }

    /// What a result is kept under.
    fn key(&self, known_by: Digest) -> Result<Digest> {
        let Signed { digest, .. } = self.signed()?;
        Ok(Digest::of(&(digest, known_by))?)
    }

    /// The result under a key, if it is there and can be read.
    pub(super) fn find(&self, key: &Digest) -> Result<Option<Arc<Emissions>>> {
        let found = self.state.lock().memory.find(key);
        if found.is_some() {
            return Ok(found);
        }
        let Some((store, namespace)) = self.durable() else { return Ok(None) };
        let why = match store.get(namespace, key.as_bytes()) {
            Ok(None) => return Ok(None),
            Ok(Some(bytes)) => match Emitted::read(&bytes, &self.codecs) {
                Ok(emissions) => {
                    let emissions = Arc::new(emissions);
                    self.remember(*key, &emissions);
                    return Ok(Some(emissions));
                }
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        let record = RecordKey::new(namespace, key.as_bytes());
        match self.cache.policy {
            ArchivePolicy::Fail => Err(anyhow!("record {record} can't be read: {why}")),
            ArchivePolicy::Warn => {
                self.warn(format!("computed again, since record {record} can't be read: {why}"));
                Ok(None)
            }
        }
    }

    fn remember(&self, key: Digest, emissions: &Arc<Emissions>) {
        let gone = self.state.lock().memory.keep(key, Arc::clone(emissions));
        drop(gone);
    }

    /// Keeps what a turn emitted; what is to be written is handed back.
    pub(super) fn keep(
        &self,
        key: Digest,
        events: Vec<Event>,
    ) -> Result<(Arc<Emissions>, Option<Vec<u8>>)> {
        let origin = self.place.get().and_then(|place| place.origin.clone());
        let entry = Emitted::of(&self.codecs, events.iter(), origin.clone())?;
        let bytes = self.is_written().then(|| entry.write());
        if let Some(bytes) = &bytes
            && bytes.len() > VALUE_BYTES_MAX
        {
            return Err(anyhow!(
                "the turn's emissions take {} bytes to record, and {VALUE_BYTES_MAX} is the most: \
                 emit what names the data instead of the data",
                bytes.len()
            ));
        }
        let emissions = Arc::new(Emissions::new(events, entry.digests().collect(), origin));
        self.remember(key, &emissions);
        Ok((emissions, bytes))
    }

    /// Takes back what a turn kept that failed after all.
    pub(super) fn forget(&self, key: &Digest) {
        let mut state = self.state.lock();
        state.last = None;
        let gone = state.memory.forget(key);
        drop(state);
        drop(gone);
    }

    /// Forgets every result of which one of these values is part; says of which.
    pub(super) fn erase(&self, values: &BTreeSet<Digest>) -> BTreeSet<Digest> {
        let gone = self.state.lock().memory.forget_with(values);
        let digests = gone.iter().flat_map(|emissions| emissions.digests.iter());
        digests.filter(|digest| values.contains(digest)).copied().collect()
    }

    /// Adds a record to what is to be written.
    pub(super) fn put(&self, batch: Batch, key: &[u8], bytes: Vec<u8>) -> Batch {
        match self.durable() {
            Some((_, namespace)) => batch.put(namespace, key, bytes),
            None => batch,
        }
    }

    /// Notes that records could not be written; says whether the run is to fail for it.
    pub(super) fn not_written(&self, error: &Arc<StoreError>) -> Option<(Text, anyhow::Error)> {
        match self.cache.policy {
            ArchivePolicy::Fail => {
                let processor = self.place.get()?.processor.clone();
                Some((processor, anyhow!(Arc::clone(error))))
            }
            ArchivePolicy::Warn => {
                self.state.lock().is_writable = false;
                self.warn(format!("results are kept in memory only from here on: {error}"));
                None
            }
        }
    }

    /// Makes durable what is not.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        match self.store() {
            Some(store) if self.cache.durability == Durability::None => store.flush(),
            _ => Ok(()),
        }
    }

    /// Whether records are written: there is a store, and it takes them.
    pub(super) fn is_written(&self) -> bool {
        self.durable().is_some() && self.state.lock().is_writable
    }

    /// Whether it has a place in the store at all, in a pipeline with one.
    pub(crate) fn is_to_be_stored(&self) -> bool {
        !self.cache.in_memory
    }

    /// At most so many records that can be read, in the order of their keys, from behind one on;
    /// none without a store.
    pub(super) fn read_after(&self, key: Option<&[u8]>, n_max: usize) -> Result<Vec<Entry>> {
        let Some((store, namespace)) = self.durable() else { return Ok(Vec::new()) };
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        let mut entries = store.scan(Scan::range(namespace, (from, Bound::Unbounded)));
        let mut records = Vec::new();
        while records.len() < n_max
            && let Some(found) = entries.next()
        {
            match found {
                Ok(entry) => records.push(entry),
                Err(error) => self.not_read(namespace, &error.to_string())?,
            }
        }
        Ok(records)
    }

    /// What to do about a record that can't be read: the policy's error, or a warning.
    pub(super) fn not_read(&self, record: &str, why: &str) -> Result {
        match self.cache.policy {
            ArchivePolicy::Fail => Err(anyhow!("record {record} can't be read: {why}")),
            ArchivePolicy::Warn => {
                self.warn(format!("computed again, since record {record} can't be read: {why}"));
                Ok(())
            }
        }
    }

    /// Whether somebody is told of look-ups.
    pub(crate) fn is_told(&self) -> bool {
        self.place.get().is_some_and(|place| place.is_told)
    }

    /// What the run is called.
    pub(super) fn origin(&self) -> Option<&Text> {
        self.place.get()?.origin.as_ref()
    }

    /// The namespace that it has in the store.
    pub(super) fn place_in_store(&self) -> Option<&str> {
        self.durable().map(|(_, namespace)| namespace.as_str())
    }

    /// Counts a result that was brought back.
    pub(super) fn count_replay(&self) {
        self.n_replayed.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes what a turn came to, of a processor that looks up by itself.
    pub(super) fn note_own(&self, looked: Looked) {
        let mut state = self.state.lock();
        let begun = state.begun.take();
        let before = state.last.replace(looked);
        drop(state);
        drop((begun, before));
    }

    /// Notes what the turn that is being taken makes something from.
    pub(super) fn note_begun(&self, begun: Begun) {
        let before = self.state.lock().begun.replace(begun);
        drop(before);
    }

    /// What a turn began with that did not come to a good end, told once.
    pub(crate) fn take_begun(&self) -> Option<Begun> {
        self.state.lock().begun.take()
    }

    /// Notes what a turn came to, for those who want to be told.
    pub(super) fn note(&self, input: Digest, emissions: &Emissions, replayed: bool) {
        if replayed {
            self.n_replayed.fetch_add(1, Ordering::Relaxed);
        }
        let outputs = Arc::clone(&emissions.digests);
        let origin = emissions.origin.clone();
        self.state.lock().last =
            Some(Looked { input, outputs, replayed, origin, built_from: None });
    }

    /// What the last turn came to, told once.
    pub(crate) fn take_last(&self) -> Option<Looked> {
        self.state.lock().last.take()
    }

    /// Turns whose recorded emissions were replayed.
    pub(crate) fn n_replayed(&self) -> u64 {
        self.n_replayed.load(Ordering::Relaxed)
    }

    fn warn(&self, warning: String) {
        let mut state = self.state.lock();
        state.n_warnings += 1;
        if state.warnings.len() < WARNINGS_MAX {
            state.warnings.push(warning);
        }
    }

    /// What the run's report should say.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let Some(Place { processor, durable, .. }) = self.place.get() else { return Vec::new() };
        let state = self.state.lock();
        let mut warnings: Vec<_> = state
            .warnings
            .iter()
            .map(|warning| format!("cache of `{processor}`: {warning}"))
            .collect();
        let n_more = state.n_warnings - warnings.len() as u64;
        if n_more > 0 {
            warnings.push(format!("cache of `{processor}`: {n_more} more like these"));
        }
        let n_evicted = state.memory.n_evicted;
        if durable.is_none() && n_evicted > 0 {
            warnings.push(format!(
                "cache of `{processor}`: {n_evicted} results were forgotten to make room: give the \
                 pipeline a store, or raise `Limits::memo_max` and `memo_bytes_max`"
            ));
        }
        warnings
    }
}
