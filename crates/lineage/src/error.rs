//! Owns the ways in which a history can fail, and a text fail to be a run's id.

use selvedge_store::StoreError;
use thiserror::Error;

use crate::run::{RunId, Status};

/// Why a history refused or failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The store failed or refused.
    #[error("the history's store: {0}")]
    Store(#[from] StoreError),
    /// `SQLite` failed or refused.
    #[cfg(feature = "sqlite")]
    #[error("the history's database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Something in the store is not what was written.
    #[error("{what} is damaged: expected {expected}; verify the store, and restore it if need be")]
    Damaged {
        /// What.
        what: String,
        /// What should have been there.
        expected: &'static str,
    },
    /// The history was written by a newer version of this library.
    #[error("the history has format {found} and this version knows {known}: update the program")]
    NewerFormat {
        /// The version found.
        found: u8,
        /// The newest one known.
        known: u8,
    },
    /// A run of this id began before.
    #[error("run {run} is in the history already, use another id")]
    RunExists {
        /// Which run.
        run: RunId,
    },
    /// There is no such run.
    #[error("run {run} is not in the history; it may have been removed")]
    UnknownRun {
        /// Which run.
        run: RunId,
    },
    /// A run is not in the state that this needs.
    #[error("run {run} is {status:?}, so it can't {what}")]
    WrongStatus {
        /// Which run.
        run: RunId,
        /// Where it stands.
        status: Status,
        /// What was tried.
        what: &'static str,
    },
    /// A legal hold protects what was to be removed or erased.
    #[error("run {run} is under a legal hold, which has to be lifted first")]
    Held {
        /// Which run.
        run: RunId,
    },
    /// A record is over the limit.
    #[error("a record of step `{step}` takes {n_bytes} bytes, of {n_bytes_max} allowed")]
    RecordTooLarge {
        /// Whose record.
        step: String,
        /// Its size.
        n_bytes: usize,
        /// The limit.
        n_bytes_max: usize,
    },
    /// A question would take more memory than it may.
    #[error(
        "{what} would take more than {n_max} records, ask for a smaller part or raise the limit"
    )]
    TooMany {
        /// What was asked.
        what: &'static str,
        /// The limit.
        n_max: usize,
    },
    /// A thread could not be started.
    #[error("the history's thread could not be started: {0}")]
    Thread(std::io::Error),
    /// The writer stopped at an earlier error.
    #[error("the writer stopped and takes no more records: {cause}")]
    WriterStopped {
        /// The error at which it did.
        cause: String,
    },
    /// An export could not be written.
    #[error("the export could not be written: {0}")]
    Export(std::io::Error),
    /// The content store failed.
    #[error("a value could not be erased: {0}")]
    Values(Box<dyn std::error::Error + Send + Sync>),
}

/// Why a text is no run's id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{found}` is no run's id: expected a UUID, 32 hex digits in groups of 8-4-4-4-12")]
pub struct ParseRunIdError {
    /// The text.
    pub found: String,
}

/// Why a text is no pattern of secrets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{pattern}` is no pattern to mask: {problem}")]
pub struct PatternError {
    /// The text.
    pub pattern: String,
    /// What is wrong with it.
    pub problem: String,
}
