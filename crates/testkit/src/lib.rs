//! What pipelines are tested with.
//!
//! - [`Solo`] lets one processor take turns alone and shows what they emit.
//! - [`run`] runs a pipeline to its end under a deadline and keeps a trace of what happened, made
//!   for snapshots.
//! - [`store_laws`] checks a store's backend, ours or yours.
//! - [`SimDisk`] loses power, room and writes under a store.
//! - [`Sim`] plays a pipeline's run on one thread under virtual time, [`explore`] many of them.

#![forbid(unsafe_code)]

mod disk;
mod explore;
mod harness;
mod laws;

pub use disk::{Failure, Loss, SimDisk};
pub use explore::explore;
pub use harness::{Ran, run};
pub use laws::{store_laws, store_laws_in_memory};
pub use selvedge::runtime::simulation::{Await, Client, Sim, SimError, SimRun, Strategy, Trace};
pub use selvedge::runtime::{Solo, SoloTurn};
