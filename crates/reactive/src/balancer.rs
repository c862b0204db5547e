//! Owns the machines of a load balancer: numbers for items (`sequencer`), a worker for each
//! (`dispatch`), results in the order of the numbers (`resequencer`), names for workers (`names`).
//! Refuses to know what workers do.

mod balance;
mod collecting;
mod dispatch;
mod error;
mod keeping;
mod names;
#[cfg(feature = "rayon")]
mod parallel;
mod resequencer;
mod sequencer;
mod sequencing;
mod working;

pub use balance::{Balanced, Dedupe, Options, Order, balance, balance_persisted, parallelize};
pub use dispatch::{Dispatch, Routing};
pub use error::BalancerError;
pub use names::worker_name;
#[cfg(feature = "rayon")]
pub use parallel::{Parallel, parallel};
pub use resequencer::{Gap, Resequencer};
pub use sequencer::Sequencer;
