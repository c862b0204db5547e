//! Owns `Error`: whatever can go wrong with a pipeline, in one type.

use selvedge_event::DigestError;
#[cfg(feature = "flow")]
use selvedge_flow::{DefinitionError, JournalError, ValueError};
#[cfg(feature = "io")]
use selvedge_io::jsonl::{ReadError, WriteError};
#[cfg(feature = "lineage")]
use selvedge_lineage::HistoryError;
use selvedge_runtime::{AskError, BuildError, RunError, SubmitError};
use selvedge_store::StoreError;
use thiserror::Error as ThisError;

/// Any error of the layers, for those who pass all of them on in one type. Every one of them
/// converts into it by `?`.
///
/// ```
/// use selvedge::prelude::*;
///
/// fn run() -> Result<RunReport, selvedge::Error> {
///     Ok(Pipeline::builder().build()?.run()?)
/// }
/// assert!(run().is_ok());
/// ```
#[derive(Debug, ThisError)]
#[non_exhaustive]
#[error(transparent)]
pub enum Error {
    /// A pipeline could not be built.
    Build(#[from] BuildError),
    /// An event was not accepted.
    Submit(#[from] SubmitError),
    /// A run did not come to a good end.
    Run(#[from] RunError),
    /// A question got no answer.
    Ask(#[from] AskError),
    /// A value has no digest.
    Digest(#[from] DigestError),
    /// A store refused or failed.
    Store(#[from] StoreError),
    /// A dataflow graph could not be built.
    #[cfg(feature = "flow")]
    Definition(#[from] DefinitionError),
    /// A run of a dataflow graph did not begin, or came to no result.
    #[cfg(feature = "flow")]
    Flow(#[from] selvedge_flow::RunError),
    /// A journal refused or failed.
    #[cfg(feature = "flow")]
    Journal(#[from] JournalError),
    /// There is no value to be had of a node.
    #[cfg(feature = "flow")]
    Value(#[from] ValueError),
    /// A history refused or failed.
    #[cfg(feature = "lineage")]
    History(#[from] HistoryError),
    /// A file could not be read.
    #[cfg(feature = "io")]
    Read(#[from] ReadError),
    /// A file could not be written.
    #[cfg(feature = "io")]
    Write(#[from] WriteError),
}
