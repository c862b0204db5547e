//! What pipelines are tested with.
//!
//! - [`Solo`] lets one processor take turns alone and shows what they emit.
//! - [`run`] runs a pipeline to its end under a deadline and keeps a trace of what happened, made
//!   for snapshots.

#![forbid(unsafe_code)]

mod harness;

pub use harness::{Ran, run};
pub use selvedge::runtime::{Solo, SoloTurn};
