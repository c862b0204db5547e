//! Why a run was refused. A run that starts either reports a figure or panics on a failed check.

use thiserror::Error as ThisError;

use crate::workload::Workload;

/// Why a run was refused before it started.
#[derive(Clone, Debug, PartialEq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// No row of the registry has this name.
    #[error("unknown peer `{name}`; pick one of {known}")]
    UnknownPeer {
        /// The name asked for.
        name: String,
        /// Every name of the registry, comma-separated.
        known: String,
    },
    /// No workload has this name.
    #[error("unknown workload `{name}`; pick one of {known}")]
    UnknownWorkload {
        /// The name asked for.
        name: String,
        /// Every workload, comma-separated.
        known: String,
    },
    /// The peer exists and the workload exists, but the one cannot express the other.
    #[error("peer `{peer}` does not run {workload}; it runs {known}")]
    NotExpressible {
        /// The peer asked for.
        peer: &'static str,
        /// The workload asked for.
        workload: Workload,
        /// The workloads that the peer does run, comma-separated.
        known: String,
    },
    /// The scale is not a number in range.
    #[error("scale `{value}` is out of range; give a number above 0 and at most {max}")]
    ScaleOutOfRange {
        /// What was given.
        value: String,
        /// The largest scale admitted.
        max: f64,
    },
}

/// Joins names for a message: `a, b, c`.
pub(crate) fn comma_separated<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}
