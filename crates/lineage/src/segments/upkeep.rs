//! Owns writing and merging the index in the store, a bounded piece at a time, whoever has time for
//! it.
//!
//! A run's chunks are written first, then its directory together with the manifest that names it.
//! Batches are kept in order whatever happens, so a manifest never names what isn't there; chunks
//! that no manifest names are deleted after the next open, when there is nothing else to do.

use std::ops::Range;
use std::sync::Arc;

use selvedge_store::{Batch, Durability, Scan, Store};

use super::index::{Entry, Sorted, encode_chunk};
use super::manifest::{self, Run};
use super::merge::{CHUNK_LEN, Merge, Step, choose};
use super::rewrite::Live;
use super::sieve::Sieve;
use super::{INDEX, MANIFEST, META, Shared, damaged, refuse_newer};
use crate::error::HistoryError;

/// Chunks written, or deleted, at a time.
const PIECE_CHUNKS: usize = 64;
/// Where a run's directory is, behind its chunks.
const DIRECTORY: u32 = u32::MAX;
/// Where its sieve begins, before the directory: no run has as many chunks.
const SIEVE: u32 = 0xf000_0000;

/// Where the upkeep stands. The index is derived, so nothing here waits for the device.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    next_number: u64,
    merging: Option<Merging>,
    /// Merged, and to be deleted once no reader has them: with how many chunks are left.
    retired: Vec<(Arc<Run>, u32)>,
    /// Numbers of runs that no manifest names, whose chunks a crash or a close left behind.
    orphans: Vec<Range<u64>>,
}

/// The numbers below `end` that no run has.
fn unnamed(runs: &[Arc<Run>], end: u64) -> Vec<Range<u64>> {
    let mut numbers: Vec<u64> = runs.iter().map(|run| run.number).collect();
    numbers.sort_unstable();
    let starts = std::iter::once(0).chain(numbers.iter().map(|number| number + 1));
    let ends = numbers.iter().copied().chain([end]);
    starts.zip(ends).map(|(start, end)| start..end).filter(|gap| !gap.is_empty()).collect()
}

/// A merge under way.
#[derive(Debug)]
struct Merging {
    merge: Merge,
    /// With the number of the next chunk to read of each.
    sources: Vec<(Arc<Run>, usize)>,
    into: Writing,
    /// Entries of other positions are left out.
    live: Option<Arc<Live>>,
}

/// A run that is being written.
#[derive(Debug)]
struct Writing {
    run: Run,
    sieve: Sieve,
    /// The term of the last entry: those of one term follow each other.
    last_term: Option<u64>,
    batch: Batch,
}

impl Writing {
    /// A run of no more than so many terms.
    fn new(
        number: u64,
        level: u8,
        span: Range<u64>,
        blocks: Vec<u64>,
        n_terms_max: u64,
    ) -> Writing {
        let firsts = Vec::new();
        let run = Run { number, level, span, n_entries: 0, firsts, blocks, sieve: None };
        let sieve = Sieve::with_room(n_terms_max);
        Writing { run, sieve, last_term: None, batch: Batch::new() }
    }

    fn put(&mut self, chunk: &[Entry]) {
        let number = u32::try_from(self.run.firsts.len()).expect("positions end before chunks do");
        let key = chunk_key(self.run.number, number);
        self.batch = std::mem::take(&mut self.batch).put(INDEX, &key, encode_chunk(chunk));
        self.run.firsts.push(chunk[0]);
        self.run.n_entries += chunk.len() as u64;
        for entry in chunk {
            let term = entry.hash_of_term();
            if self.last_term.replace(term) != Some(term) {
                self.sieve.add(term);
            }
        }
    }

    fn flush(&mut self, store: &dyn Store) -> Result<(), HistoryError> {
        Ok(store.commit(std::mem::take(&mut self.batch), Durability::None)?)
    }
}

fn chunk_key(run: u64, chunk: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&run.to_be_bytes());
    key[8..].copy_from_slice(&chunk.to_be_bytes());
    key
}

/// Reads a chunk of a run that somebody holds.
pub(super) fn read_chunk(
    store: &dyn Store,
    run: &Run,
    chunk: usize,
) -> Result<Vec<Entry>, HistoryError> {
    let what = || format!("chunk {chunk} of the index's run {}", run.number);
    let number = u32::try_from(chunk).expect("a run has fewer than 2^32 chunks");
    let Some(bytes) = store.get(INDEX, &chunk_key(run.number, number))? else {
        return Err(HistoryError::Damaged { what: what(), expected: "a chunk" });
    };
    super::index::decode_chunk(&bytes).map_err(|error| damaged(what(), error))
}

/// Reads the sieve of a run, if it has one.
fn read_sieve(store: &dyn Store, run: u64) -> Result<Option<Sieve>, HistoryError> {
    let what = || format!("the sieve of the index's run {run}");
    let piece = |n: usize| {
        let n = u32::try_from(n).ok().and_then(|n| SIEVE.checked_add(n)).filter(|n| *n < DIRECTORY);
        let Some(n) = n else { return Ok(None) };
        store.get(INDEX, &chunk_key(run, n))
    };
    let read = Sieve::read(piece)?;
    read.map_err(|error| damaged(what(), error))
}

impl Upkeep {
    /// Reads which runs there are, the oldest first, and deletes what a crash left behind.
    pub(super) fn open(store: &dyn Store) -> Result<(Upkeep, Vec<Arc<Run>>), HistoryError> {
        let mut runs = Vec::new();
        let mut next_number = 0;
        if let Some(bytes) = store.get(META, MANIFEST)? {
            refuse_newer(&bytes, manifest::VERSION)?;
            let what = || "the manifest of the history's index".to_owned();
            let (number, listed) =
                manifest::decode(&bytes).map_err(|error| damaged(what(), error))?;
            next_number = number;
            for listed in listed {
                let what = || format!("the directory of the index's run {}", listed.number);
                let key = chunk_key(listed.number, DIRECTORY);
                let Some(bytes) = store.get(INDEX, &key)? else {
                    return Err(HistoryError::Damaged { what: what(), expected: "a directory" });
                };
                let run = manifest::decode_directory(listed.clone(), &bytes);
                let mut run = run.map_err(|error| damaged(what(), error))?;
                run.sieve = read_sieve(store, run.number)?;
                runs.push(Arc::new(run));
            }
        }
        // A merge that was cut short may have taken numbers that no manifest knows of.
        if let Some(last) = store.scan(Scan::all(INDEX).reverse()).next() {
            let taken = last?.key.first_chunk().copied().map_or(0, u64::from_be_bytes);
            next_number = next_number.max(taken + 1);
        }
        let orphans = unnamed(&runs, next_number);
        let upkeep = Upkeep { next_number, orphans, ..Upkeep::default() };
        Ok((upkeep, runs))
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }
}

impl Shared {
    /// Does a piece of what there is to do. False if there is nothing.
    pub(super) fn work(&self) -> Result<bool, HistoryError> {
        let mut upkeep = self.upkeep.lock();
        let view = self.view();
        // What waits in memory comes first: appending waits for it.
        if let Some(frozen) = view.frozen.first() {
            let frozen = self.with_full_blocks(frozen)?;
            return self.write_frozen(&mut upkeep, &frozen).map(|()| true);
        }
        if let Some(mut merging) = upkeep.merging.take() {
            if merging.advance(&*self.store)? {
                upkeep.merging = Some(merging);
            } else {
                self.replace_merged(&mut upkeep, merging)?;
            }
            return Ok(true);
        }
        let levels: Vec<u8> = view.runs.iter().map(|run| run.level).collect();
        if let Some(range) = choose(&levels) {
            let level = levels[range.start] + 1;
            upkeep.begin(&view.runs[range], level, None);
            return Ok(true);
        }
        if let Some(run) = view.runs.iter().find(|run| run.sieve.is_none()) {
            // An earlier version wrote it, or its sieve is lost: it is written anew, with one.
            upkeep.begin(std::slice::from_ref(run), run.level, None);
            return Ok(true);
        }
        drop(view);
        Ok(self.delete_retired(&mut upkeep)? || self.delete_orphans(&mut upkeep)?)
    }

    fn write_frozen(&self, upkeep: &mut Upkeep, frozen: &Sorted) -> Result<(), HistoryError> {
        let (span, blocks) = (frozen.span.clone(), frozen.blocks.clone());
        let terms = frozen.entries.chunk_by(|a, b| a.hash_of_term() == b.hash_of_term());
        let n_terms = terms.count() as u64;
        let mut writing = Writing::new(upkeep.number(), 0, span, blocks, n_terms);
        for piece in frozen.entries.chunks(CHUNK_LEN * PIECE_CHUNKS) {
            piece.chunks(CHUNK_LEN).for_each(|chunk| writing.put(chunk));
            writing.flush(&*self.store)?;
        }
        self.install(upkeep, writing, 1, Vec::push)
    }

    fn replace_merged(&self, upkeep: &mut Upkeep, merging: Merging) -> Result<(), HistoryError> {
        let Merging { sources, into, .. } = merging;
        let oldest = sources[0].0.number;
        let n = sources.len();
        self.install(upkeep, into, 0, |runs, run| {
            let at = runs.iter().position(|run| run.number == oldest);
            let at = at.expect("only upkeep replaces runs, one merge at a time");
            runs.splice(at..at + n, [run]);
        })?;
        let retired = sources.into_iter().map(|(run, _)| {
            let n_chunks = u32::try_from(run.firsts.len()).expect("as it was written");
            (run, n_chunks)
        });
        upkeep.retired.extend(retired);
        Ok(())
    }

    /// Puts a written run in its place, in the store first, then where readers see it, instead of
    /// so many frozen parts.
    fn install(
        &self,
        upkeep: &Upkeep,
        writing: Writing,
        n_frozen: usize,
        change: impl FnOnce(&mut Vec<Arc<Run>>, Arc<Run>),
    ) -> Result<(), HistoryError> {
        let Writing { mut run, sieve, mut batch, .. } = writing;
        for (n, piece) in (SIEVE..).zip(sieve.pieces()) {
            batch = batch.put(INDEX, &chunk_key(run.number, n), piece);
        }
        run.sieve = Some(sieve);
        let run = Arc::new(run);
        // Nobody else changes the runs, whatever is appended meanwhile.
        let mut runs = self.view().runs.clone();
        change(&mut runs, Arc::clone(&run));
        let manifest = manifest::encode(upkeep.next_number, runs.iter().map(|run| &**run));
        let key = chunk_key(run.number, DIRECTORY);
        let batch =
            batch.put(INDEX, &key, manifest::encode_directory(&run)).put(META, MANIFEST, manifest);
        self.store.commit(batch, Durability::None)?;
        let mut state = self.state.lock();
        let view = Arc::make_mut(&mut state.view);
        view.frozen.drain(..n_frozen);
        view.runs = runs;
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    fn delete_retired(&self, upkeep: &mut Upkeep) -> Result<bool, HistoryError> {
        let unread = |(run, _): &(Arc<Run>, u32)| Arc::strong_count(run) == 1;
        let Some(at) = upkeep.retired.iter().position(unread) else { return Ok(false) };
        let (run, n_left) = &mut upkeep.retired[at];
        let from = n_left.saturating_sub(PIECE_CHUNKS as u32);
        let mut batch = Batch::new().delete(INDEX, &chunk_key(run.number, DIRECTORY));
        let n_pieces = run.sieve.as_ref().map_or(0, Sieve::n_pieces);
        for (n, _) in (SIEVE..).zip(0..n_pieces) {
            batch = batch.delete(INDEX, &chunk_key(run.number, n));
        }
        for chunk in from..*n_left {
            batch = batch.delete(INDEX, &chunk_key(run.number, chunk));
        }
        self.store.commit(batch, Durability::None)?;
        *n_left = from;
        if from == 0 {
            upkeep.retired.swap_remove(at);
        }
        Ok(true)
    }
}

impl Shared {
    fn delete_orphans(&self, upkeep: &mut Upkeep) -> Result<bool, HistoryError> {
        let Some(numbers) = upkeep.orphans.last() else { return Ok(false) };
        let (from, until) = (chunk_key(numbers.start, 0), chunk_key(numbers.end, 0));
        let mut batch = Batch::new();
        for entry in self.store.scan(Scan::range(INDEX, &from[..]..&until[..])).take(PIECE_CHUNKS) {
            batch = batch.delete(INDEX, &entry?.key);
        }
        if batch.len() < PIECE_CHUNKS {
            upkeep.orphans.pop();
        }
        self.store.commit(batch, Durability::None)?;
        Ok(true)
    }
}

impl Upkeep {
    fn begin(&mut self, runs: &[Arc<Run>], level: u8, live: Option<Arc<Live>>) {
        let span = runs[0].span.start..runs[runs.len() - 1].span.end;
        let blocks = runs.iter().flat_map(|run| run.blocks.iter().copied()).collect();
        let n_terms_max = runs.iter().map(|run| run.n_terms_max()).sum();
        let into = Writing::new(self.number(), level, span, blocks, n_terms_max);
        let sources = runs.iter().map(|run| (Arc::clone(run), 0)).collect();
        self.merging = Some(Merging { merge: Merge::new(runs.len()), sources, into, live });
    }
}

impl Shared {
    /// Begins to merge all runs into one without what is gone. False if another merge is under way.
    pub(super) fn begin_compaction(&self, live: &Arc<Live>) -> bool {
        let mut upkeep = self.upkeep.lock();
        if upkeep.merging.is_some() {
            return false;
        }
        let runs = &self.view().runs;
        if let Some(level) = runs.iter().map(|run| run.level).max() {
            // What was written after the bits were read is not in them.
            let known = runs.iter().take_while(|run| run.span.end <= live.end()).count();
            upkeep.begin(&runs[..known], level, Some(Arc::clone(live)));
        }
        true
    }
}

impl Merging {
    /// Merges a piece and writes it. False when all is merged.
    fn advance(&mut self, store: &dyn Store) -> Result<bool, HistoryError> {
        while self.into.batch.len() < PIECE_CHUNKS {
            match self.merge.advance() {
                Step::Read(n) => {
                    let (run, next) = &mut self.sources[n];
                    let has_more = *next < run.firsts.len();
                    let chunk = has_more.then(|| read_chunk(store, run, *next)).transpose()?;
                    *next += 1;
                    self.merge.give(n, chunk);
                }
                Step::Write(mut chunk) => {
                    if let Some(live) = &self.live {
                        chunk.retain(|entry| live.holds(entry.position()));
                    }
                    if !chunk.is_empty() {
                        self.into.put(&chunk);
                    }
                }
                Step::End => return Ok(false),
            }
        }
        self.into.flush(store).map(|()| true)
    }
}
