//! Owns what a run's report says about its listeners.

use selvedge_event::Text;
use serde::{Deserialize, Serialize};

/// How one [`Observer`](crate::Observer) took the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ObserverReport {
    /// Its name.
    pub name: Text,
    /// Facts that it was told.
    pub told: u64,
    /// Facts that it wants and was not told: it was too slow, or had panicked.
    pub missed: u64,
    /// Whether it panicked, and so was told nothing more.
    pub panicked: bool,
}

/// How one [`Recorder`](crate::Recorder) took the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecorderReport {
    /// Its name.
    pub name: Text,
    /// Facts that it recorded.
    pub recorded: u64,
    /// The error and its causes, or the panic's message, if it failed.
    pub error: Option<String>,
}
