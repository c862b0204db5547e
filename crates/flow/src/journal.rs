//! Owns what outlives a run: where it is written down, where values are kept, what was computed
//! before. Refuses to decide about nodes: `run::reuse` does.

use std::fmt;
use std::sync::Arc;

use selvedge_event::{Digest, Outcome, Signature, Text};
use selvedge_lineage::{
    HeldValues, History, HistoryError, Record, Run, RunId, Writer, WriterOptions,
};
use selvedge_store::{Batch, Durability, Memory, Store, StoreError};
use selvedge_sync::Mutex;
use serde::{Deserialize, Serialize};

use crate::error::JournalError;
use crate::value::Shared;

/// What was computed of what, by the digest of both code and inputs.
const MEMO: &str = "flow.memo";
/// Values in memory, by digest.
const VALUES: &str = "flow.values";

/// Where the runs of flows are written down as they happen, and where their values are kept, so
/// that they can be asked about, reused and taken up again.
///
/// ```
/// use selvedge_flow::{Flow, Journal, Request, node};
///
/// let mut flow = Flow::builder("shop");
/// let n = flow.parameter::<u64>("n");
/// let slow = node((n,), |n: &u64| Ok(n * n)).version("shop::square", "1").cached();
/// let square = flow.add("square", slow);
/// let flow = flow.build()?.in_journal(Journal::in_memory()?);
///
/// let first = flow.run(Request::new().with("n", 12))?;
/// let second = flow.run(Request::new().with("n", 12))?;
/// assert_eq!(second.value(square)?, &144);
/// assert_eq!(second.reused(square), Some(first.run())); // It was not computed again.
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    history: History,
    writer: Writer,
    store: Arc<dyn Store>,
    /// None: in the store itself.
    values: Option<Arc<HeldValues>>,
    policy: JournalPolicy,
    /// Memos and values that are to be written with the next records.
    pending: Mutex<Batch>,
}

/// What becomes of a run that can't be written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalPolicy {
    /// It fails, at its end: what its nodes did is in its result.
    #[default]
    Fail,
    /// It goes on, and its result has a warning.
    Warn,
}

/// What a memo says.
#[derive(Debug, Serialize, Deserialize)]
struct Memo {
    output: Digest,
    run: RunId,
}

/// A value that need not be computed.
pub(crate) struct Found {
    pub(crate) bytes: Vec<u8>,
    pub(crate) run: RunId,
}

impl Journal {
    /// A journal that lives as long as its process.
    ///
    /// # Errors
    ///
    /// [`JournalError::History`], when there is no room for a thread.
    pub fn in_memory() -> Result<Journal, JournalError> {
        Journal::over(History::in_memory(), Arc::new(Memory::new()), None)
    }

    /// A journal in a history, with values beside it and memos in a store: those of a workspace.
    ///
    /// # Errors
    ///
    /// As [`in_memory`](Self::in_memory).
    pub fn new(
        history: History,
        store: Arc<dyn Store>,
        values: Arc<HeldValues>,
    ) -> Result<Journal, JournalError> {
        Journal::over(history, store, Some(values))
    }

    fn over(
        history: History,
        store: Arc<dyn Store>,
        values: Option<Arc<HeldValues>>,
    ) -> Result<Journal, JournalError> {
        let writer = Writer::start(history.clone(), WriterOptions::default())?;
        let (policy, pending) = (JournalPolicy::default(), Mutex::default());
        Ok(Journal(Arc::new(Inner { history, writer, store, values, policy, pending })))
    }

    /// Says what becomes of a run that can't be written down.
    ///
    /// # Panics
    ///
    /// If the journal is in use already.
    #[must_use]
    pub fn policy(mut self, policy: JournalPolicy) -> Journal {
        let inner = Arc::get_mut(&mut self.0).expect("a journal gets its policy before it is used");
        inner.policy = policy;
        self
    }

    /// What happened in all runs, with every question that can be asked about it.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.0.history
    }

    pub(crate) fn on_failure(&self) -> JournalPolicy {
        self.0.policy
    }

    pub(crate) fn begin(&self, run: Run) -> Result<(), HistoryError> {
        self.0.history.begin_run(run)
    }

    pub(crate) fn record(&self, record: Record) -> Result<(), HistoryError> {
        self.0.writer.record(record)
    }

    pub(crate) fn end(
        &self,
        run: RunId,
        outcome: Outcome,
        at: selvedge_lineage::Timestamp,
    ) -> Result<(), JournalError> {
        self.flush()?;
        Ok(self.0.writer.end_run(run, outcome, at)?)
    }

    /// Keeps a value, and that it was made of this.
    pub(crate) fn keep(
        &self,
        value: &Shared,
        digest: &Digest,
        memo: Option<(Digest, RunId)>,
    ) -> Result<(), JournalError> {
        let bytes =
            value.to_json().map_err(|source| JournalError::Value { digest: *digest, source })?;
        self.keep_bytes(&bytes, digest, memo)
    }

    /// The same of a value that is written already.
    pub(crate) fn keep_bytes(
        &self,
        bytes: &[u8],
        digest: &Digest,
        memo: Option<(Digest, RunId)>,
    ) -> Result<(), JournalError> {
        if let Some(values) = &self.0.values {
            values.keep(digest, bytes, Durability::None)?;
        }
        let mut pending = self.0.pending.lock();
        let mut batch = std::mem::take(&mut *pending);
        if self.0.values.is_none() {
            batch = batch.put(VALUES, digest.as_bytes(), bytes);
        }
        if let Some((key, run)) = memo {
            let memo = serde_json::to_vec(&Memo { output: *digest, run });
            let memo = memo.map_err(|source| JournalError::Value { digest: *digest, source })?;
            batch = batch.put(MEMO, key.as_bytes(), memo);
        }
        if batch.n_bytes() < PENDING_BYTES_MAX {
            *pending = batch;
            return Ok(());
        }
        Ok(self.0.store.commit(batch, Durability::None)?)
    }

    fn flush(&self) -> Result<(), JournalError> {
        let batch = std::mem::take(&mut *self.0.pending.lock());
        Ok(self.0.store.commit(batch, Durability::Group)?)
    }

    /// What was made of this before, if its value is still there.
    pub(crate) fn recall(&self, key: &Digest) -> Result<Option<Found>, JournalError> {
        let Some((output, run)) = self.remembers(key)? else { return Ok(None) };
        Ok(self.value(&output)?.map(|bytes| Found { bytes, run }))
    }

    /// The digest of what was made of this before, and when.
    pub(crate) fn remembers(&self, key: &Digest) -> Result<Option<(Digest, RunId)>, JournalError> {
        self.flush_pending()?;
        let Some(bytes) = self.0.store.get(MEMO, key.as_bytes())? else { return Ok(None) };
        // What can't be read is computed again.
        let memo: Option<Memo> = serde_json::from_slice(&bytes).ok();
        Ok(memo.map(|memo| (memo.output, memo.run)))
    }

    /// A value, while it is kept.
    pub(crate) fn value(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.flush_pending()?;
        match &self.0.values {
            Some(values) => values.value(digest),
            None => self.0.store.get(VALUES, digest.as_bytes()),
        }
    }

    /// Whether a value is kept.
    pub(crate) fn has_value(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.flush_pending()?;
        match &self.0.values {
            Some(values) => values.contains(digest),
            None => self.0.store.contains(VALUES, digest.as_bytes()),
        }
    }

    /// What waits is to be found, too.
    fn flush_pending(&self) -> Result<(), StoreError> {
        let batch = std::mem::take(&mut *self.0.pending.lock());
        if batch.is_empty() { Ok(()) } else { self.0.store.commit(batch, Durability::None) }
    }
}

/// What memos and values may weigh before they are written.
const PENDING_BYTES_MAX: usize = 1 << 20;

/// What a node's value is remembered by: its code and constants, and what it reads.
pub(crate) fn memo_key(signature: &Signature, inputs: &[(Text, Digest)]) -> Option<Digest> {
    Digest::of(&(signature, inputs)).ok()
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("policy", &self.0.policy).finish_non_exhaustive()
    }
}
