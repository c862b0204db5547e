//! Owns `Counter`: how often an operator did what it should be seen to do, for whoever keeps a
//! handle.

use std::sync::Arc;

use selvedge_sync::atomic::{AtomicU64, Ordering};

/// Counts what a policy let go: evicted, late, left out. Clones show the same count, while the run
/// goes on and after it.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// How many there have been. Relaxed: a count says nothing about what else has happened.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
}
