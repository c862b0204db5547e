//! Owns reading: which positions have a term, and which records are at positions. Each call sees
//! one moment of the index.

use std::collections::BTreeMap;
use std::ops::Range;

use super::index::{Entry, Sorted, within};
use super::manifest::Run;
use super::upkeep::read_chunk;
use super::{BLOCKS, Segments, Shared, View, damaged_block, records};
use crate::error::HistoryError;
use crate::filter::Order;
use crate::record::Record;
use crate::term::Term;

/// A sorted run, wherever it lies.
enum Part<'v> {
    Stored(&'v Run),
    Memory(&'v Sorted),
}

impl View {
    /// All parts, the oldest first.
    fn parts(&self) -> impl DoubleEndedIterator<Item = Part<'_>> {
        let stored = self.runs.iter().map(|run| Part::Stored(run));
        let in_memory = self.frozen.iter().chain(&self.active).map(|part| Part::Memory(part));
        stored.chain(in_memory)
    }

    /// Whether whatever of it is still there is in the same blocks. Parts are joined and become
    /// runs without changing that; it changes once for each part at most.
    fn same_blocks(&self, newer: &View) -> bool {
        let keys = |view: &View| -> Vec<u64> {
            view.parts().flat_map(|part| part.blocks().to_vec()).collect()
        };
        let (before, after) = (keys(self), keys(newer));
        after.starts_with(&before)
    }

    /// The key of the block in which a position's record would be.
    pub(super) fn block_of(&self, position: u64) -> Option<u64> {
        let part = self.parts().find(|part| part.span().contains(&position))?;
        let blocks = part.blocks();
        let n = blocks.partition_point(|&key| key <= position);
        n.checked_sub(1).map(|n| blocks[n])
    }
}

impl Part<'_> {
    fn span(&self) -> &Range<u64> {
        match self {
            Part::Stored(run) => &run.span,
            Part::Memory(part) => &part.span,
        }
    }

    fn blocks(&self) -> &[u64] {
        match self {
            Part::Stored(run) => &run.blocks,
            Part::Memory(part) => &part.blocks,
        }
    }
}

impl Segments {
    /// See [`Backend::positions`](crate::backend::Backend::positions).
    pub(super) fn find(
        &self,
        term: &Term<'_>,
        span: &Range<u64>,
        order: Order,
        n_max: usize,
    ) -> Result<Vec<u64>, HistoryError> {
        let view = self.shared.view();
        let from = Entry::of(term, span.start);
        let mut found = Vec::new();
        let mut parts: Box<dyn Iterator<Item = Part<'_>>> = match order {
            Order::OldestFirst => Box::new(view.parts()),
            Order::NewestFirst => Box::new(view.parts().rev()),
        };
        let touches =
            |part: &Part<'_>| part.span().start < span.end && span.start < part.span().end;
        while let Some(part) = parts.find(touches) {
            let n_left = n_max - found.len();
            match part {
                Part::Memory(part) => {
                    let entries = within(&part.entries, from, span.end);
                    extend(&mut found, entries, order, n_left);
                }
                Part::Stored(run) => {
                    self.shared.find_stored(run, from, span.end, order, n_left, &mut found)?;
                }
            }
            if found.len() == n_max {
                break;
            }
        }
        Ok(found)
    }

    /// See [`Backend::records`](crate::backend::Backend::records). Reads each block once.
    pub(super) fn read(&self, positions: &[u64]) -> Result<Vec<Option<Record>>, HistoryError> {
        let mut view = self.shared.view();
        loop {
            let read = self.read_in(&view, positions);
            let newer = self.shared.view();
            // A block that is missing may have been joined with others, which the view tells.
            if read.is_ok() || view.same_blocks(&newer) {
                return read;
            }
            view = newer;
        }
    }

    fn read_in(&self, view: &View, positions: &[u64]) -> Result<Vec<Option<Record>>, HistoryError> {
        let mut wanted: BTreeMap<u64, Vec<(u64, usize)>> = BTreeMap::new();
        for (n, &position) in positions.iter().enumerate() {
            if let Some(key) = view.block_of(position) {
                wanted.entry(key).or_default().push((position, n));
            }
        }
        let mut found = vec![None; positions.len()];
        for (key, mut places) in wanted {
            places.sort_unstable();
            let mut places = places.into_iter().peekable();
            let bytes = self.shared.block(key)?;
            let mut records = records(key, &bytes)?;
            while let Some(&(wanted, _)) = places.peek() {
                let Some(placed) = records.find(|position| position >= wanted) else { break };
                let placed = placed.map_err(|error| damaged_block(key, error))?;
                // Of those that are asked for, some are gone, and others are asked for twice.
                while places.next_if(|&(position, _)| position < placed.position).is_some() {}
                while let Some((_, n)) = places.next_if(|&(at, _)| at == placed.position) {
                    found[n] = Some(placed.record.clone());
                }
            }
        }
        Ok(found)
    }
}

impl Shared {
    /// A block's bytes.
    pub(super) fn block(&self, key: u64) -> Result<Vec<u8>, HistoryError> {
        let bytes = self.store.get(BLOCKS, &key.to_be_bytes())?;
        bytes.ok_or_else(|| HistoryError::Damaged {
            what: format!("the block of records at {key}"),
            expected: "a block",
        })
    }

    fn find_stored(
        &self,
        run: &Run,
        from: Entry,
        until: u64,
        order: Order,
        n_max: usize,
        found: &mut Vec<u64>,
    ) -> Result<(), HistoryError> {
        if run.sieve.as_ref().is_some_and(|sieve| !sieve.may_hold(from.hash_of_term())) {
            return Ok(());
        }
        let end = from.at(until.min(run.span.end));
        // A chunk may begin in the middle of a term: the one before it is looked into as well.
        let first = run.firsts.partition_point(|&first| first <= from).saturating_sub(1);
        let last = run.firsts.partition_point(|&first| first < end);
        let n_before = found.len();
        let mut chunks: Box<dyn Iterator<Item = usize>> = match order {
            Order::OldestFirst => Box::new(first..last),
            Order::NewestFirst => Box::new((first..last).rev()),
        };
        while let Some(chunk) = chunks.next().filter(|_| found.len() - n_before < n_max) {
            let entries = read_chunk(&*self.store, run, chunk)?;
            let n_left = n_max - (found.len() - n_before);
            extend(found, within(&entries, from, until), order, n_left);
        }
        Ok(())
    }
}

fn extend(found: &mut Vec<u64>, entries: &[Entry], order: Order, n_max: usize) {
    let positions = entries.iter().map(|entry| entry.position());
    match order {
        Order::OldestFirst => found.extend(positions.take(n_max)),
        Order::NewestFirst => found.extend(positions.rev().take(n_max)),
    }
}
