//! Owns the little that a history needs of whatever keeps it. Every question is put together from
//! this, once, in `questions`; the segments in a store and the tables of `SQLite` answer to it.

use std::fmt::Debug;
use std::ops::Range;

use selvedge_event::Digest;

use crate::erase::Erased;
use crate::error::HistoryError;
use crate::filter::Order;
use crate::record::Record;
use crate::run::{Run, RunId};
use crate::term::Term;
use crate::time::Timestamp;

/// A run's place in the order of runs: by start, then by id.
pub(crate) type RunPlace = (Timestamp, RunId);

/// What keeps a history.
pub(crate) trait Backend: Send + Sync + Debug {
    /// Appends records, all or none. They are durable, as far as was chosen, and found by every
    /// question from then on. Gives their positions.
    fn append(&self, records: &[Record]) -> Result<Range<u64>, HistoryError>;

    /// The position that the next record will have.
    fn end(&self) -> Result<u64, HistoryError>;

    /// Up to `n_max` positions in a span, in order, of all records that a term is of; and of some
    /// that it isn't of, perhaps, or that are gone.
    fn positions(
        &self,
        term: &Term<'_>,
        span: Range<u64>,
        order: Order,
        n_max: usize,
    ) -> Result<Vec<u64>, HistoryError>;

    /// The records at positions; none where one is gone.
    fn records(&self, positions: &[u64]) -> Result<Vec<Option<Record>>, HistoryError>;

    /// Takes records out, leaving their positions empty.
    fn remove_records(&self, positions: &[u64]) -> Result<(), HistoryError>;

    /// Takes the texts of errors and reasons out of records.
    fn remove_texts(&self, positions: &[u64]) -> Result<(), HistoryError>;

    /// Writes a run, in place of what is known of it.
    fn put_run(&self, run: &Run) -> Result<(), HistoryError>;

    /// What is known of a run.
    fn run(&self, id: RunId) -> Result<Option<Run>, HistoryError>;

    /// Up to `n_max` runs in order, behind a place if one is given.
    fn runs(
        &self,
        behind: Option<RunPlace>,
        order: Order,
        n_max: usize,
    ) -> Result<Vec<Run>, HistoryError>;

    /// The runs that have not ended.
    fn running(&self) -> Result<Vec<Run>, HistoryError>;

    /// Forgets a run; its records are removed before.
    fn remove_run(&self, run: &Run) -> Result<(), HistoryError>;

    /// Notes that a value was erased.
    fn put_erased(&self, erased: &Erased) -> Result<(), HistoryError>;

    /// Whether, when and why a value was erased.
    fn erased(&self, digest: &Digest) -> Result<Option<Erased>, HistoryError>;

    /// Makes everything durable that was written.
    fn flush(&self) -> Result<(), HistoryError>;

    /// Gives back the room of what was removed.
    fn compact(&self) -> Result<(), HistoryError>;
}
