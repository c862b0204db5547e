//! Owns the records that the turns of one batch leave, in order, until they are written. As the
//! outbox it is a log: a turn that fails takes back its own.

use std::sync::Arc;

use selvedge_event::{Digest, Text};
use selvedge_store::{BATCH_BYTES_MAX, Batch, Durability};

use super::archive::Archive;

/// What a turn emitted, to be written into its processor's archive.
#[derive(Debug)]
pub(crate) struct Record {
    pub(super) archive: Arc<Archive>,
    pub(super) key: Under,
    /// Nothing where the archive has no store: it is in memory already.
    pub(super) bytes: Option<Vec<u8>>,
}

/// What a record is kept under.
#[derive(Debug)]
pub(super) enum Under {
    /// A memo key.
    Memo(Digest),
    /// A key of the processor's own making.
    Own(Box<[u8]>),
}

impl Under {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Under::Memo(key) => key.as_bytes(),
            Under::Own(key) => key,
        }
    }
}

/// The records of one batch of turns.
#[derive(Debug, Default)]
pub(crate) struct Records(Vec<Record>);

impl Records {
    pub(crate) fn push(&mut self, record: Record) {
        self.0.push(record);
    }

    /// Takes the last turn's back.
    pub(crate) fn roll_back(&mut self) {
        if let Some(Record { archive, key, .. }) = self.0.pop() {
            match key {
                Under::Memo(key) => archive.forget(&key),
                Under::Own(_) => drop(archive.take_last()),
            }
        }
    }

    /// Writes them, in one batch unless they are too heavy for one. Says whose failure to be
    /// written fails the run, and why.
    pub(crate) fn write(&mut self) -> Option<(Text, anyhow::Error)> {
        let mut failure = None;
        let mut pending = Pending::default();
        for Record { archive, key, bytes } in self.0.drain(..) {
            let Some(bytes) = bytes else { continue };
            if pending.batch.n_bytes() + bytes.len() > BATCH_BYTES_MAX / 2 {
                failure = failure.or(std::mem::take(&mut pending).write());
            }
            pending.add(archive, &key, bytes);
        }
        failure.or(pending.write())
    }
}

/// What is to be written next, and for whom.
#[derive(Default)]
struct Pending {
    batch: Batch,
    archives: Vec<Arc<Archive>>,
}

impl Pending {
    fn add(&mut self, archive: Arc<Archive>, key: &Under, bytes: Vec<u8>) {
        let batch = std::mem::take(&mut self.batch);
        self.batch = archive.put(batch, key.as_bytes(), bytes);
        // Those of a batch are one processor's, nearly always.
        if !self.archives.iter().any(|known| Arc::ptr_eq(known, &archive)) {
            self.archives.push(archive);
        }
    }

    /// The archives of a pipeline share its store, and the batch is as durable as the most careful
    /// of them wants.
    fn write(self) -> Option<(Text, anyhow::Error)> {
        let store = self.archives.first().and_then(|archive| archive.store())?;
        let wanted = || self.archives.iter().map(|archive| archive.durability());
        let durability = if wanted().any(|durability| durability == Durability::Sync) {
            Durability::Sync
        } else if wanted().any(|durability| durability == Durability::Group) {
            Durability::Group
        } else {
            Durability::None
        };
        let error = store.commit(self.batch, durability).err()?;
        let cause = Arc::new(error);
        let fails = |archive: &Arc<Archive>| archive.not_written(&cause);
        self.archives.iter().filter_map(fails).next_back()
    }
}
