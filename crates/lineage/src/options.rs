//! Owns what can be chosen about a history, and its limits.

use std::fmt;
use std::sync::Arc;

use selvedge_event::Text;
use selvedge_store::Durability;

use crate::redact::{Masks, Redact};

/// How a history writes, and its limits.
#[derive(Clone)]
pub struct Options {
    /// How durable records are when [`append`](crate::History::append) returns.
    pub durability: Durability,
    /// Who writes and merges the index.
    pub merging: Merging,
    /// The machine that is noted for runs that name none.
    pub host: Option<Text>,
    /// What takes secrets out before anything is written; the default masks what looks like one.
    pub redact: Arc<dyn Redact>,
    /// Bytes of a record at most, in memory; 1 MiB.
    pub record_bytes_max: usize,
    /// Bytes of an error or a reason at most, the rest being cut off; 16 KiB.
    pub error_bytes_max: usize,
    /// Records that a comparison of runs may hold in memory; a million.
    pub compared_max: usize,
    /// Index entries in memory, 16 bytes each, that are written as a run; 200 000, which is about
    /// 32 000 records.
    pub frozen_entries_min: usize,
    /// Such runs that may wait to be written before appending is held back; 4.
    pub frozen_max: usize,
}

/// Who writes the index to the store, and merges it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Merging {
    /// A thread of the history's own.
    #[default]
    Background,
    /// Whoever appends, in between. For simulations and tests, where threads are not wanted.
    Inline,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            durability: Durability::Group,
            merging: Merging::default(),
            host: None,
            redact: Arc::new(Masks::default()),
            record_bytes_max: 1 << 20,
            error_bytes_max: 16 << 10,
            compared_max: 1_000_000,
            frozen_entries_min: 200_000,
            frozen_max: 4,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("durability", &self.durability)
            .field("merging", &self.merging)
            .finish_non_exhaustive()
    }
}
