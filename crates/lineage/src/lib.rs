//! What happened, by digest: records of executions, the history of runs, and the questions that
//! need both.
//!
//! A [`Record`] says what one execution of one step read and made, with which code; a [`Run`] who
//! wanted it and how it ended. A [`History`] keeps both in a store and answers in one call each:
//! who made this value and who read it, everything [upstream](History::upstream) and
//! [downstream](History::downstream) of it across runs, what [differs](History::difference) between
//! two runs, and what [would run again](History::would_run_again) if an input or some code changed.
//!
//! Holds digests, never values: those are the content store's. Knows nothing about scheduling, and
//! reads no clock.
//!
//! Reading order: [`Record`], [`Run`], [`History`], then `segments`, how it lies in a store.

#![forbid(unsafe_code)]

mod backend;
mod difference;
mod erase;
mod error;
pub mod export;
mod filter;
mod held;
mod history;
mod options;
mod questions;
mod record;
mod redact;
mod rerun;
mod retention;
mod run;
mod scrub;
mod segments;
#[cfg(feature = "sqlite")]
mod sqlite;
mod term;
mod time;
mod walk;
mod writer;

pub use difference::{Changed, RunDifference, StepDifference};
pub use erase::{Erased, Values};
pub use error::{HistoryError, ParseRunIdError, PatternError};
pub use filter::{Cursor, Filter, Order, Page, Paged};
pub use held::HeldValues;
pub use history::History;
pub use options::{Merging, Options};
pub use questions::{Found, RecordId};
pub use record::{Input, Record, StepKind};
pub use redact::{KeepAll, Masks, Redact};
pub use rerun::{Change, Rerun, Why};
pub use retention::{Removed, Retention, RetentionPlan};
pub use run::{Run, RunEnd, RunId, Status};
pub use scrub::Scrubbed;
pub use time::Timestamp;
pub use walk::Walked;
pub use writer::{Writer, WriterOptions};
