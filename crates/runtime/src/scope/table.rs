//! Owns the table of a run's scopes: where a worker finds the one that a job is of. Places are used
//! again, and the table is as large as there were scopes at the same time.

use std::sync::Arc;

use selvedge_sync::Mutex;
use selvedge_sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::cell::{Cell, Place};
use super::{ScopeIdx, ScopeReport};

/// Parts of the table, each with a lock of its own.
const N_PARTS: u32 = 16;

/// All scopes that have begun and are not over.
#[derive(Debug)]
pub(crate) struct Table {
    parts: Box<[Mutex<Part>]>,
    /// Numbers scopes and deals out places. Relaxed, as `n_open`: only the number counts.
    n_begun: AtomicU64,
    n_open: AtomicUsize,
    pub(crate) scopes_max: usize,
}

#[derive(Debug, Default)]
struct Part {
    cells: Vec<Option<Arc<Cell>>>,
    free: Vec<u32>,
}

impl Table {
    pub(crate) fn new(scopes_max: usize) -> Table {
        Table {
            parts: (0..N_PARTS).map(|_| Mutex::default()).collect(),
            n_begun: AtomicU64::new(0),
            n_open: AtomicUsize::new(0),
            scopes_max,
        }
    }

    /// Whether as many are open as there may be.
    pub(crate) fn is_full(&self) -> bool {
        self.n_open.load(Ordering::Relaxed) >= self.scopes_max
    }

    /// Gives a scope its place.
    pub(crate) fn insert(&self, cell: &Arc<Cell>, band: u16) -> Place {
        let number = 1 + self.n_begun.fetch_add(1, Ordering::Relaxed);
        self.n_open.fetch_add(1, Ordering::Relaxed);
        let part_idx = (number % u64::from(N_PARTS)) as u32; // Less than that.
        let mut part = self.parts[part_idx as usize].lock();
        let row = part.free.pop().unwrap_or_else(|| {
            part.cells.push(None);
            u32::try_from(part.cells.len() - 1).expect("scopes are counted in u32")
        });
        let place = Place { scope: row * N_PARTS + part_idx, band, number };
        // Before anybody can find it.
        assert!(cell.place.set(place).is_ok(), "a scope begins once");
        part.cells[row as usize] = Some(Arc::clone(cell));
        place
    }

    pub(crate) fn find(&self, scope: ScopeIdx) -> Option<Arc<Cell>> {
        let part = self.parts[(scope % N_PARTS) as usize].lock();
        part.cells.get((scope / N_PARTS) as usize)?.clone()
    }

    /// Takes a scope out that is over.
    pub(crate) fn remove(&self, cell: &Arc<Cell>) {
        let scope = cell.place().scope;
        let (row, part_idx) = (scope / N_PARTS, scope % N_PARTS);
        let mut part = self.parts[part_idx as usize].lock();
        let entry = part.cells.get_mut(row as usize);
        let removed = entry.and_then(|entry| {
            if entry.as_ref().is_some_and(|found| Arc::ptr_eq(found, cell)) {
                entry.take()
            } else {
                None
            }
        });
        if removed.is_some() {
            part.free.push(row);
            if part.free.len() == part.cells.len() {
                *part = Part::default();
            }
            self.n_open.fetch_sub(1, Ordering::Relaxed);
        }
        drop(part);
        drop(removed);
    }

    /// All that are in it at the moment.
    pub(crate) fn all(&self) -> Vec<Arc<Cell>> {
        let mut all = Vec::new();
        for part in &self.parts {
            all.extend(part.lock().cells.iter().flatten().cloned());
        }
        all
    }

    /// Gives up all scopes: no further turn starts.
    pub(crate) fn abandon(&self, mut tell: impl FnMut(&ScopeReport)) {
        if self.n_open.load(Ordering::Relaxed) == 0 {
            return;
        }
        for cell in self.all() {
            self.remove(&cell);
            if let Some(remains) = cell.give_up() {
                drop(remains);
                cell.outcome().iter().for_each(&mut tell);
            }
        }
    }
}
