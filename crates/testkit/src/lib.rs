//! What pipelines are tested with.
//!
//! - [`Solo`] lets one processor take turns alone and shows what they emit.
//! - [`run`] runs a pipeline to its end under a deadline and keeps a trace of what happened, made
//!   for snapshots.
//! - [`Sim`] plays a pipeline's run on one thread under virtual time, [`explore`] many of them.

#![forbid(unsafe_code)]

mod explore;
mod harness;

pub use explore::explore;
pub use harness::{Ran, run};
pub use selvedge::runtime::simulation::{Await, Client, Sim, SimError, SimRun, Strategy, Trace};
pub use selvedge::runtime::{Solo, SoloTurn};
