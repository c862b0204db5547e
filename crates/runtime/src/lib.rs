//! The event runtime: turns, mailboxes, workers, phases and sources, on threads.
//!
//! A [`Pipeline`] is a set of [`Processor`]s. Each reacts to events, one turn at a time, and what a
//! turn emits is published when it succeeds and not at all otherwise. `run()` returns when nothing
//! is outstanding: no event, no source, no submitter.
//!
//! Pure state machines decide (`mailbox`, `phases`, `ready`, `outbox`, `parcels`, `routes`);
//! threads and locks are wrapped around them (`core`, `worker`, `run`). Start reading at `mailbox`,
//! then `turn`, `worker`, `core`, `run`.
//!
//! Knows nothing about lineage, files or graphs.

mod ask;
mod collect;
mod context;
mod core;
mod envelope;
mod error;
mod failure;
mod handler;
mod handles;
mod lanes;
mod limits;
mod mailbox;
mod observer;
mod outbox;
mod parcels;
mod phases;
mod pipeline;
mod processor;
mod ready;
mod registration;
mod report;
mod routes;
mod run;
mod tally;
mod turn;
mod worker;

pub use ask::Answer;
pub use collect::Collected;
pub use context::Context;
pub use error::{AskError, BuildError, KindClash, RunError, SubmitError};
pub use handler::{Handler, on};
pub use handles::{Monitor, Progress, StopHandle, Submitter};
pub use limits::Limits;
pub use observer::Observer;
pub use pipeline::{Pipeline, PipelineBuilder};
pub use processor::{Processor, Pull, Result};
pub use registration::{Configure, FailurePolicy, IntoRegistration, Registration};
pub use report::{DeadLetter, ProcessorReport, RunReport, WorkerReport};
pub use run::Running;
pub use selvedge_macros::processor;
