//! Owns what changes blocks after they were written: records are taken out, or lose their texts;
//! and the index forgets what is gone.
//!
//! What the index has of removed records stays until it is compacted: whoever follows it finds
//! nothing there. A block that lost all of its records stays as an empty one, so that a block that
//! is missing is damage.

use std::collections::BTreeSet;
use std::sync::Arc;

use selvedge_store::{Batch, Durability};

use super::block::Placed;
use super::index::Sorted;
use super::{BLOCK_RECORDS_MAX, BLOCKS, Segments, Shared, block, damaged_block, records};
use crate::error::HistoryError;
use crate::record::Record;
use crate::scrub::remove_text;

/// Records in a block, on average, below which blocks are written anew.
const BLOCK_RECORDS_MIN: u64 = 64;
/// Blocks replaced by one commit.
const PIECE_BLOCKS: usize = 16;

/// Which positions still hold a record: a bit each.
#[derive(Debug)]
pub(super) struct Live {
    words: Vec<u64>,
    end: u64,
}

impl Live {
    /// Nothing is known of positions from here on.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn holds(&self, position: u64) -> bool {
        let word = self.words.get(position as usize / 64).copied().unwrap_or(0);
        word >> (position % 64) & 1 == 1
    }
}

impl Segments {
    /// See [`Backend::remove_records`](crate::backend::Backend::remove_records).
    pub(super) fn remove(&self, positions: &[u64]) -> Result<(), HistoryError> {
        // Positions are never used again: the end is told by the index, so it has to be written.
        self.freeze()?;
        self.shared.rewrite(positions, |_| None)
    }

    /// See [`Backend::remove_texts`](crate::backend::Backend::remove_texts).
    pub(super) fn blank(&self, positions: &[u64]) -> Result<(), HistoryError> {
        self.shared.rewrite(positions, |mut record| {
            remove_text(&mut record.outcome);
            Some(record)
        })
    }

    /// Has the whole index written to the store.
    fn freeze(&self) -> Result<(), HistoryError> {
        Arc::make_mut(&mut self.shared.state.lock().view).freeze();
        self.settle()
    }

    /// Makes the index forget what was removed.
    pub(super) fn without_the_removed(&self) -> Result<(), HistoryError> {
        self.freeze()?;
        let live = Arc::new(self.shared.live()?);
        while !self.shared.begin_compaction(&live) {
            self.shared.work()?;
        }
        self.settle()?;
        Ok(self.shared.store.flush()?)
    }
}

impl Shared {
    /// Writes the blocks of what is about to become a run anew, if they are small: who appends a
    /// record at a time makes a block of each, and engines hate small keys.
    pub(super) fn with_full_blocks(
        &self,
        frozen: &Arc<Sorted>,
    ) -> Result<Arc<Sorted>, HistoryError> {
        let n_records = frozen.span.end - frozen.span.start;
        if frozen.blocks.len() as u64 * BLOCK_RECORDS_MIN <= n_records {
            return Ok(Arc::clone(frozen));
        }
        let _rewriting = self.rewriting.lock();
        let mut kept = Vec::new();
        let mut batch = Batch::new();
        for &key in &frozen.blocks {
            for placed in records(key, &self.block(key)?)? {
                kept.push(placed.map_err(|error| damaged_block(key, error))?);
            }
            batch = batch.delete(BLOCKS, &key.to_be_bytes());
        }
        let mut blocks = Vec::new();
        for placed in kept.chunks(BLOCK_RECORDS_MAX) {
            let key = placed[0].position;
            let records = placed.iter().map(|placed| (placed.position, &placed.record));
            let bytes = block::encode(key, placed.len(), records);
            batch = batch.put(BLOCKS, &key.to_be_bytes(), bytes);
            blocks.push(key);
        }
        let full = Arc::new(Sorted { blocks, ..Sorted::clone(frozen) });
        // Under the lock: who misses a block that has gone finds, in the view, where it went.
        let mut state = self.state.lock();
        self.store.commit(batch, Durability::None)?;
        Arc::make_mut(&mut state.view).frozen[0] = Arc::clone(&full);
        Ok(full)
    }

    /// Replaces records, or takes them out, block by block. A crash in between leaves some blocks
    /// done and others not.
    fn rewrite(
        &self,
        positions: &[u64],
        change: impl Fn(Record) -> Option<Record>,
    ) -> Result<(), HistoryError> {
        let _rewriting = self.rewriting.lock();
        let view = self.view();
        let keys: BTreeSet<u64> =
            positions.iter().filter_map(|&position| view.block_of(position)).collect();
        let positions: BTreeSet<u64> = positions.iter().copied().collect();
        let mut batch = Batch::new();
        for (n, &key) in keys.iter().enumerate() {
            let bytes = self.block(key)?;
            let mut kept = Vec::new();
            for placed in records(key, &bytes)? {
                let Placed { position, record } =
                    placed.map_err(|error| damaged_block(key, error))?;
                let record =
                    if positions.contains(&position) { change(record) } else { Some(record) };
                kept.extend(record.map(|record| (position, record)));
            }
            let placed = kept.iter().map(|(position, record)| (*position, record));
            let bytes = block::encode(key, kept.len(), placed);
            batch = batch.put(BLOCKS, &key.to_be_bytes(), bytes);
            if batch.len() == PIECE_BLOCKS || n + 1 == keys.len() {
                self.store.commit(std::mem::take(&mut batch), self.options.durability)?;
            }
        }
        Ok(())
    }

    /// Reads which positions hold a record, among those that runs in the store index.
    fn live(&self) -> Result<Live, HistoryError> {
        let view = self.view();
        let end = view.runs.last().map_or(0, |run| run.span.end);
        let mut words = vec![0_u64; end as usize / 64 + 1];
        for key in view.runs.iter().flat_map(|run| run.blocks.iter().copied()) {
            for placed in records(key, &self.block(key)?)? {
                let at = placed.map_err(|error| damaged_block(key, error))?.position;
                words[at as usize / 64] |= 1 << (at % 64);
            }
        }
        Ok(Live { words, end })
    }
}
