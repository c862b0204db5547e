//! Owns the history's layout in a [`Store`]: blocks of records under ascending keys, and an index
//! of sorted runs that are merged as they grow in number.
//!
//! Engines like keys that ascend and values of some kilobytes, and hate random small keys. So a
//! record's place is its position, records lie in blocks, and what finds them lies in sorted runs:
//! the newest in memory, the others in chunks. The index follows from the blocks: it is written
//! without waiting for the device, and what a crash takes from it is made again at the next open.
//!
//! | file | owns |
//! |---|---|
//! | `wire` | numbers and texts as bytes |
//! | `block` | records as bytes |
//! | `index` | entries of the index |
//! | `sieve` | what a run has nothing of |
//! | `merge` | which runs are merged, and how |
//! | `manifest` | which runs there are |
//! | `upkeep` | writing and merging runs in the store, a bounded piece at a time |
//! | `read` | finding positions, and records at positions |
//! | `rewrite` | taking records out, or changing them |

mod block;
mod index;
mod ledger;
mod manifest;
mod merge;
mod read;
mod rewrite;
mod sieve;
mod upkeep;
mod wire;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use selvedge_event::Digest;
use selvedge_store::{Batch, Scan, Store};
use selvedge_sync::thread::JoinHandle;
use selvedge_sync::{Condvar, Mutex};

use self::block::Records;
use self::index::{Indexer, POSITION_MAX, Sorted};
use self::upkeep::Upkeep;
use self::wire::Malformed;
use crate::backend::{Backend, RunPlace};
use crate::erase::Erased;
use crate::error::HistoryError;
use crate::filter::Order;
use crate::options::{Merging, Options};
use crate::record::Record;
use crate::run::{Run, RunId};
use crate::term::Term;

const BLOCKS: &str = "lineage.blocks";
const INDEX: &str = "lineage.index";
const META: &str = "lineage.meta";
const MANIFEST: &[u8] = b"manifest";

/// Records in a block at most: a point question reads one. sled keeps sixteen values together, and
/// what is together and above 128 KiB as a file by itself, written and read as a whole: with blocks
/// of 256 records one question in a hundred waited for that.
const BLOCK_RECORDS_MAX: usize = 64;
/// Positions that a write to the store covers at most while the index is made anew.
const TAIL_BLOCKS_MAX: usize = 64;

/// The history in a store.
pub(crate) struct Segments {
    shared: Arc<Shared>,
    appender: Mutex<Appender>,
    merger: Option<JoinHandle<()>>,
}

/// What the appender, the merger and readers share.
struct Shared {
    store: Arc<dyn Store>,
    options: Options,
    /// Taken after `appender`, `upkeep` or `rewriting`; nothing is taken inside.
    state: Mutex<State>,
    /// The state changed in a way that somebody may wait for.
    changed: Condvar,
    /// Held by whoever does a piece of upkeep; taken before `rewriting` and `state`.
    upkeep: Mutex<Upkeep>,
    /// Held by whoever replaces blocks; taken before `state`.
    rewriting: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// What readers see. Replaced, never changed.
    view: Arc<View>,
    closing: bool,
    /// The merger met an error; whoever appends does its work and meets it too.
    merger_failed: bool,
}

/// One moment of the index. Spans follow each other: runs, then `frozen`, then `active`.
#[derive(Clone, Debug, Default)]
struct View {
    runs: Vec<Arc<manifest::Run>>,
    /// Large enough to be written as runs, and waiting for that.
    frozen: Vec<Arc<Sorted>>,
    /// The newest records', in parts that double in size.
    active: Vec<Arc<Sorted>>,
}

impl View {
    /// The position of the next record.
    fn end(&self) -> u64 {
        let in_memory = self.active.last().or(self.frozen.last()).map(|part| part.span.end);
        in_memory.or(self.runs.last().map(|run| run.span.end)).unwrap_or(0)
    }

    /// Adds the newest records' entries, joining parts so that there are few of them.
    fn push(&mut self, mut newest: Sorted, frozen_entries_min: usize) {
        while let Some(last) = self.active.last() {
            if last.entries.len() > 2 * newest.entries.len() {
                break;
            }
            newest = Sorted::joined(last, &newest);
            self.active.pop();
        }
        self.active.push(Arc::new(newest));
        let n_entries: usize = self.active.iter().map(|part| part.entries.len()).sum();
        if n_entries >= frozen_entries_min {
            self.freeze();
        }
    }

    /// Has what is active written as a run.
    fn freeze(&mut self) {
        let parts = std::mem::take(&mut self.active);
        let joined =
            parts.into_iter().reduce(|older, newer| Arc::new(Sorted::joined(&older, &newer)));
        self.frozen.extend(joined);
    }
}

/// What appending needs, one caller at a time.
#[derive(Debug, Default)]
struct Appender {
    indexer: Indexer,
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segments").finish_non_exhaustive()
    }
}

impl Segments {
    /// Opens the history in a store, or begins one.
    pub(crate) fn open(store: Arc<dyn Store>, options: Options) -> Result<Segments, HistoryError> {
        let (upkeep, runs) = Upkeep::open(&*store)?;
        let mut view = View { runs, ..View::default() };
        let mut appender = Appender::default();
        appender.index_tail(&*store, &mut view, &options)?;
        let state = State { view: Arc::new(view), ..State::default() };
        let shared = Arc::new(Shared {
            store,
            options,
            state: Mutex::new(state),
            changed: Condvar::new(),
            upkeep: Mutex::new(upkeep),
            rewriting: Mutex::new(()),
        });
        let merger = match shared.options.merging {
            Merging::Background => {
                let shared = Arc::clone(&shared);
                let merger = move || shared.merge_until_closed();
                let thread = selvedge_sync::thread::spawn("selvedge-lineage-merge", merger);
                Some(thread.map_err(HistoryError::Thread)?)
            }
            Merging::Inline => None,
        };
        Ok(Segments { shared, appender: Mutex::new(appender), merger })
    }

    /// See [`Backend::append`].
    fn write(&self, records: &[Record]) -> Result<Range<u64>, HistoryError> {
        let mut appender = self.appender.lock();
        self.shared.wait_for_room()?;
        let start = self.shared.view().end();
        let span = start..start + records.len() as u64;
        assert!(span.end < POSITION_MAX, "no history has 2^60 records");
        if records.is_empty() {
            return Ok(span);
        }
        let (mut batch, mut blocks) = (Batch::new(), Vec::new());
        for (n, records) in records.chunks(BLOCK_RECORDS_MAX).enumerate() {
            let key = start + (n * BLOCK_RECORDS_MAX) as u64;
            let bytes = block::encode(key, records.len(), (key..).zip(records));
            batch = batch.put(BLOCKS, &key.to_be_bytes(), bytes);
            blocks.push(key);
        }
        let mut entries = Vec::with_capacity(6 * records.len());
        for (position, record) in (start..).zip(records) {
            appender.indexer.add(position, record, &mut entries);
        }
        let newest = Sorted::new(span.clone(), entries, blocks);
        self.shared.store.commit(batch, self.shared.options.durability)?;
        let mut state = self.shared.state.lock();
        Arc::make_mut(&mut state.view).push(newest, self.shared.options.frozen_entries_min);
        let has_frozen = !state.view.frozen.is_empty();
        drop(state);
        if has_frozen {
            self.shared.changed.notify_all();
        }
        Ok(span)
    }

    /// Writes and merges until there is nothing to do.
    pub(crate) fn settle(&self) -> Result<(), HistoryError> {
        while self.shared.work()? {}
        Ok(())
    }
}

impl Backend for Segments {
    fn append(&self, records: &[Record]) -> Result<Range<u64>, HistoryError> {
        self.write(records)
    }

    fn end(&self) -> Result<u64, HistoryError> {
        Ok(self.shared.view().end())
    }

    fn positions(
        &self,
        term: &Term<'_>,
        span: Range<u64>,
        order: Order,
        n_max: usize,
    ) -> Result<Vec<u64>, HistoryError> {
        self.find(term, &span, order, n_max)
    }

    fn records(&self, positions: &[u64]) -> Result<Vec<Option<Record>>, HistoryError> {
        self.read(positions)
    }

    fn remove_records(&self, positions: &[u64]) -> Result<(), HistoryError> {
        self.remove(positions)
    }

    fn remove_texts(&self, positions: &[u64]) -> Result<(), HistoryError> {
        self.blank(positions)
    }

    fn put_run(&self, run: &Run) -> Result<(), HistoryError> {
        self.shared.put_run(run)
    }

    fn run(&self, id: RunId) -> Result<Option<Run>, HistoryError> {
        self.shared.run(id)
    }

    fn runs(
        &self,
        behind: Option<RunPlace>,
        order: Order,
        n_max: usize,
    ) -> Result<Vec<Run>, HistoryError> {
        self.shared.runs(behind, order, n_max)
    }

    fn running(&self) -> Result<Vec<Run>, HistoryError> {
        self.shared.running()
    }

    fn remove_run(&self, run: &Run) -> Result<(), HistoryError> {
        self.shared.remove_run(run)
    }

    fn put_erased(&self, erased: &Erased) -> Result<(), HistoryError> {
        self.shared.put_erased(erased)
    }

    fn erased(&self, digest: &Digest) -> Result<Option<Erased>, HistoryError> {
        self.shared.erased(digest)
    }

    fn flush(&self) -> Result<(), HistoryError> {
        Ok(self.shared.store.flush()?)
    }

    fn compact(&self) -> Result<(), HistoryError> {
        self.without_the_removed()
    }
}

impl Appender {
    /// Makes the part of the index that was in memory when the history was last closed.
    fn index_tail(
        &mut self,
        store: &dyn Store,
        view: &mut View,
        options: &Options,
    ) -> Result<(), HistoryError> {
        let start = view.end().to_be_bytes();
        let mut blocks = store.scan(Scan::range(BLOCKS, &start[..]..));
        loop {
            let (mut entries, mut keys, mut span) = (Vec::new(), Vec::new(), None);
            for found in blocks.by_ref().take(TAIL_BLOCKS_MAX) {
                let found = found?;
                let key = block_key(&found.key)?;
                let start = span.as_ref().map_or(view.end(), |span: &Range<u64>| span.start);
                let mut end = span.as_ref().map_or(key, |span| span.end.max(key));
                for placed in records(key, &found.value)? {
                    let placed = placed.map_err(|error| damaged_block(key, error))?;
                    self.indexer.add(placed.position, &placed.record, &mut entries);
                    end = placed.position + 1;
                }
                keys.push(key);
                span = Some(start..end);
            }
            let Some(span) = span else { return Ok(()) };
            view.push(Sorted::new(span, entries, keys), options.frozen_entries_min);
        }
    }
}

impl Shared {
    fn view(&self) -> Arc<View> {
        Arc::clone(&self.state.lock().view)
    }

    /// Holds appending back while the index is behind.
    fn wait_for_room(&self) -> Result<(), HistoryError> {
        let frozen_max = self.options.frozen_max;
        let mut state = self.state.lock();
        if self.options.merging == Merging::Background && !state.merger_failed {
            let is_full =
                |state: &mut State| state.view.frozen.len() >= frozen_max && !state.merger_failed;
            state = self.changed.wait_while(state, is_full);
            if !state.merger_failed {
                return Ok(());
            }
        }
        drop(state);
        while self.work()? {}
        Ok(())
    }

    /// The merger's thread.
    fn merge_until_closed(&self) {
        let _on_panic = FailOnPanic(self);
        loop {
            let did = self.work();
            let state = self.state.lock();
            if state.closing {
                return;
            }
            match did {
                Ok(true) => {}
                Ok(false) => {
                    let idle = |state: &mut State| !state.closing && state.view.frozen.is_empty();
                    drop(self.changed.wait_while(state, idle));
                }
                Err(_) => {
                    let mut state = state;
                    state.merger_failed = true;
                    self.changed.notify_all();
                    return;
                }
            }
        }
    }
}

/// Has whoever waits for the merger do without it: a store of the user's own may panic in it.
struct FailOnPanic<'s>(&'s Shared);

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if selvedge_sync::thread::is_panicking() {
            self.0.state.lock().merger_failed = true;
            self.0.changed.notify_all();
        }
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        self.shared.state.lock().closing = true;
        self.shared.changed.notify_all();
        if let Some(merger) = self.merger.take() {
            // A panic of the merger has been reported by its thread, and what it was at is made
            // again at the next open.
            let _ = merger.join();
        }
        // What waits in memory would have to be made again by the next open; a merge would not.
        while !self.shared.view().frozen.is_empty() && self.shared.work().is_ok() {}
    }
}

fn block_key(key: &[u8]) -> Result<u64, HistoryError> {
    let key = key.try_into().map(u64::from_be_bytes);
    key.map_err(|_| HistoryError::Damaged {
        what: "a block of records".to_owned(),
        expected: "a key of 8 bytes",
    })
}

/// Reads a block's records, unless a newer version wrote it.
fn records(key: u64, bytes: &[u8]) -> Result<Records<'_>, HistoryError> {
    refuse_newer(bytes, block::VERSION)?;
    Records::open(key, bytes).map_err(|error| damaged_block(key, error))
}

fn refuse_newer(bytes: &[u8], known: u8) -> Result<(), HistoryError> {
    match bytes.first() {
        Some(&found) if found > known => Err(HistoryError::NewerFormat { found, known }),
        Some(_) | None => Ok(()),
    }
}

fn damaged_block(key: u64, error: Malformed) -> HistoryError {
    damaged(format!("the block of records at {key}, {} bytes before its end", error.n_left), error)
}

fn damaged(what: String, error: Malformed) -> HistoryError {
    HistoryError::Damaged { what, expected: error.expected }
}
