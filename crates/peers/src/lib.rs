//! Drives what a user could pick instead of Selvedge, on the same workloads, so that figures can be
//! compared.
//!
//! A *peer* is one library driven in one way (`kanal`, `actix_2arb`, …); a [`Workload`] is one job
//! with fixed sizes, data and checks. [`peers`] is the whole registry: which peer runs which
//! workload, one row each. Every run asserts the workload's result before it reports a figure.
//!
//! The crate measures libraries from outside: it depends on none of ours but the facade, as one
//! more candidate, and nothing depends on it. It refuses to compare by itself: it prints one line
//! per run, and the reader pairs them.
//!
//! ```
//! use selvedge_peers::{Scale, Workload, find_peer};
//!
//! let report = find_peer("limit")?.run(Workload::W1, Scale::new(0.001)?)?;
//! assert!(report.to_string().starts_with(r#"{"peer":"limit","workload":"W1","n":1000,"#));
//! # Ok::<(), selvedge_peers::Error>(())
//! ```
#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_methods,
    reason = "peers are driven on the standard library's threads, locks and clock"
)]

mod error;
mod scale;
mod usage;

mod sample;

mod workload;

#[cfg(feature = "libraries")]
mod actor;
#[cfg(feature = "libraries")]
mod channel;
#[cfg(feature = "libraries")]
mod dataflow;
mod floor;
#[cfg(feature = "libraries")]
mod pool;
mod selvedge;

#[cfg(feature = "graphs")]
mod graphs;

mod registry;

pub use error::Error;
pub use registry::{Peer, find_peer, peers};
pub use sample::{Extra, Latency, Report, Run, Sample};
pub use scale::Scale;
pub use usage::Usage;
pub use workload::Workload;
