//! Owns `Journal`: what a processor that looks up by itself keeps in the pipeline's store, record
//! by record, and what it has told of its turns. Refuses to know what records hold.

use std::fmt;
use std::sync::Arc;

use anyhow::bail;
use selvedge_event::codec::Codecs;
use selvedge_event::{Digest, Signature, Text};
use selvedge_store::{RecordKey, VALUE_BYTES_MAX};

use super::archive::{Archive, Begun, Looked};
use super::options::Cache;
use super::records::{Record, Under};
use crate::context::Context;
use crate::processor::Result;

/// A processor's place in the pipeline's store: for one that decides by itself what it keeps, and
/// when it brings that back. ([Cached processors](crate::CachedProcessor) do so by themselves.)
///
/// A record is written with the batch of the turn that [keeps](Context::keep) it, before anybody
/// hears what the turn emitted: what was heard of is on the device. Two journals of one signature
/// and namespace in a pipeline with a store are refused when it is built.
///
/// ```
/// use std::sync::Arc;
/// use selvedge_event::{Event, Init, Interest, Interests, Signature};
/// use selvedge_runtime::{Cache, Configure, Context, Journal, Pipeline, Processor, Result};
/// use selvedge_store::Memory;
///
/// /// Counts its runs.
/// struct Runs(Journal);
/// impl Processor for Runs {
///     fn interests(&self) -> Interests {
///         Interests::listed([Interest::of::<Init>()])
///     }
///     fn process(&mut self, cx: &mut Context, _: &Event) -> Result {
///         let n_before = self.0.read_after(None, 100)?.len() as u64;
///         cx.keep(&self.0, &n_before.to_be_bytes(), b"a run".to_vec())
///     }
/// }
///
/// let store = Arc::new(Memory::new()); // Or one on a disk.
/// for n_runs in 1..=3 {
///     let journal = Journal::new(Signature::of_version("runs", "1"), Cache::new());
///     let runs = Runs(journal.clone()).named("runs").journal(&journal);
///     Pipeline::builder().processor(runs).store(store.clone()).build()?.run()?;
///     assert_eq!(journal.read_after(None, 100)?.len(), n_runs);
/// }
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct Journal(Arc<Archive>);

/// What a turn made of what, for those who are told: see
/// [`Fact::LookedUp`](selvedge_event::Fact::LookedUp).
#[derive(Clone, Debug)]
pub struct Made {
    /// The digest of what it was made from.
    pub input: Digest,
    /// The same in parts: each by the name of its target.
    pub inputs: Vec<(Text, Digest)>,
    /// Those of what was made, in order.
    pub outputs: Vec<Digest>,
    /// Whether it was not made now, but brought back.
    pub replayed: bool,
    /// What the run is called that made it, if that is known.
    pub origin: Option<Text>,
}

impl Journal {
    /// A journal of what this code keeps. Of the options, how inputs are known means nothing here.
    #[must_use]
    pub fn new(signature: Signature, cache: Cache) -> Journal {
        Journal(Arc::new(Archive::new(Ok(signature), Codecs::default(), cache)))
    }

    /// One that keeps nothing in the store: for a processor that only [tells](Context::tell).
    #[must_use]
    pub fn in_memory(signature: Signature) -> Journal {
        Journal::new(signature, Cache { in_memory: true, ..Cache::new() })
    }

    pub(crate) fn archive(&self) -> &Arc<Archive> {
        &self.0
    }

    /// Whether what is kept outlives the run: the pipeline has a store, and it takes records.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.0.is_written()
    }

    /// Counts a record whose content was emitted again, for the report; see
    /// [`ProcessorReport::replayed`](crate::ProcessorReport).
    pub fn count_replay(&self) {
        self.0.count_replay();
    }

    /// Whether somebody is told of what turns made: then it is worth finding out.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.0.is_told()
    }

    /// What the run is called; see [`PipelineBuilder::origin`](crate::PipelineBuilder::origin).
    #[must_use]
    pub fn origin(&self) -> Option<&Text> {
        self.0.origin()
    }

    /// Where the records lie in a store, whatever the pipeline: those of one code and place.
    #[must_use]
    pub fn namespace(&self) -> Option<String> {
        self.0.namespace().ok()
    }

    /// At most so many records in the order of their keys, from behind a key on; none without a
    /// store. A record that can't be read is left out with a warning, or fails this, as the
    /// [`ArchivePolicy`](crate::ArchivePolicy) says. Fewer than `n_max` are the last ones.
    ///
    /// # Errors
    ///
    /// Under [`ArchivePolicy::Fail`](crate::ArchivePolicy::Fail), the first record that can't be
    /// read.
    pub fn read_after(&self, key: Option<&[u8]>, n_max: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let records = self.0.read_after(key, n_max)?;
        Ok(records.into_iter().map(|entry| (entry.key, entry.value)).collect())
    }

    /// Says that a record means nothing to its processor.
    ///
    /// # Errors
    ///
    /// As [`read_after`](Self::read_after).
    pub fn not_understood(&self, key: &[u8], why: impl fmt::Display) -> Result {
        let namespace = self.0.place_in_store().unwrap_or_default();
        self.0.not_read(&RecordKey::new(namespace, key).to_string(), &why.to_string())
    }

    /// Notes what the turn that is being taken is about to make something from.
    pub(crate) fn begin(&self, begun: Begun) {
        self.0.note_begun(begun);
    }

    /// Notes what the turn that is being taken made, for those who are told. Of several the last
    /// counts.
    pub(crate) fn tell(&self, made: Made) {
        let Made { input, inputs, outputs, replayed, origin } = made;
        let built_from = Some(inputs);
        self.0.note_own(Looked { input, outputs: outputs.into(), replayed, origin, built_from });
    }

    /// Makes durable what is not, under [`Durability::None`](crate::Durability::None).
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn flush(&self) -> Result {
        Ok(self.0.flush()?)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("signature", &self.0.signature()).finish_non_exhaustive()
    }
}

impl Context<'_> {
    /// Keeps a record in the processor's [`Journal`], under a key of its own making: written when
    /// the turn has succeeded, before anybody hears what it emitted. Without a store, or when it
    /// takes no more, nothing is written; the journal's policy says whether that fails the run. A
    /// turn keeps one record; of several the first counts.
    ///
    /// # Errors
    ///
    /// The turn did more than emit: what else it did, a reply, a timer or a scope, would be missing
    /// when the record is brought back. Or the record is too large.
    pub fn keep(&mut self, journal: &Journal, key: &[u8], record: Vec<u8>) -> Result {
        let outbox = self.outbox();
        if !outbox.just_emitted() && !outbox.was_refused() {
            bail!(
                "a turn that is kept may only emit: what else it did, a reply, a timer or a scope, \
                 would be missing when it is brought back"
            );
        }
        if record.len() > VALUE_BYTES_MAX {
            bail!(
                "what the turn made takes {} bytes to keep, and {VALUE_BYTES_MAX} is the most: \
                 make what names the data instead of the data",
                record.len()
            );
        }
        let archive = Arc::clone(journal.archive());
        let bytes = archive.is_written().then_some(record);
        outbox.record(Record { archive, key: Under::Own(key.into()), bytes });
        Ok(())
    }
}
