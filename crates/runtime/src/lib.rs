//! The event runtime: turns, mailboxes, workers, phases and sources, on threads.
//!
//! A [`Pipeline`] is a set of [`Processor`]s. Each reacts to events, one turn at a time, and what a
//! turn emits is published when it succeeds and not at all otherwise. `run()` returns when nothing
//! is outstanding: no event, no source, no submitter.
//!
//! Pure state machines decide (`mailbox`, `phases`, `ready`, `outbox`, `parcels`, `routes`,
//! `attempts`, `timers`, `watchdog`); threads and locks are wrapped around them (`core`, `worker`,
//! `run`). Start reading at `mailbox`, then `turn`, `worker`, `core`, `run`.
//!
//! Knows nothing about lineage, files or graphs.

mod alarms;
mod ask;
mod attempts;
mod board;
mod budget;
mod cache;
mod collect;
mod context;
mod control;
mod core;
mod error;
mod failure;
mod feeder;
mod handler;
mod handles;
mod intensity;
mod lanes;
mod limiter;
mod limits;
mod listeners;
mod log;
mod mailbox;
mod origin;
mod outbox;
mod overflow;
mod owner;
mod parcels;
mod phases;
mod pipeline;
mod planted;
mod policy;
mod processor;
mod ready;
mod recorded;
mod registration;
mod replay;
mod report;
mod roster;
mod routes;
mod run;
mod scope;
mod shards;
pub mod simulation;
mod solo;
mod spans;
#[cfg(unix)]
pub mod subprocess;
mod tally;
mod timer_log;
mod timers;
mod turn;
mod watchdog;
mod worker;

pub use ask::{Answer, Asker};
pub use cache::{
    ArchivePolicy, Aside, Cache, CacheUse, Cached, CachedFunction, CachedProcessor, CachedResult,
    Caches, Journal, Made, on_cached,
};
pub use collect::Collected;
pub use context::Context;
pub use control::{Control, ControlError, Drained, RunState};
pub use error::{AskError, BuildError, KindClash, RunError, SubmitError};
pub use feeder::Feeder;
pub use handler::{Handler, on};
pub use handles::{Monitor, Progress, StopHandle, Submitter};
pub use limits::Limits;
pub use listeners::{
    Observer, ObserverReport, Recorder, RecorderPolicy, RecorderReport, Wanting, wanting,
};
pub use overflow::{MailboxCapacity, Overflow};
pub use pipeline::{Pipeline, PipelineBuilder};
pub use policy::{Backoff, FailurePolicy, LastResort, Restart, Retry};
pub use processor::{Processor, Pull, Result};
pub use registration::{Configure, IntoRegistration, Registration};
pub use replay::ReplayError;
pub use report::{Abandoned, DeadLetter, ProcessorReport, RunReport, StuckTurn, WorkerReport};
pub use run::Running;
pub use scope::{
    AlarmHandle, Handling, Leave, PostError, Scope, ScopeControl, ScopeDraft, ScopeError,
    ScopeOptions, ScopeOutcome, ScopeReport, TaskContext, TaskFailure, TaskRetry, Tasks, tasks,
};
/// Writes a processor's interests and signature, read from its `match` over the event.
///
/// ```
/// use selvedge_event::{Event, Interest};
/// use selvedge_runtime::{Context, Processor, Result, processor};
///
/// #[derive(Event)]
/// struct Sold { price: u32 }
/// #[derive(Event)]
/// struct Closed;
///
/// struct Till { total: u32 }
///
/// #[processor(strict)]
/// impl Processor for Till {
///     fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
///         match event {
///             Sold { price: 0 } => println!("a present"),
///             Sold { price } if price % 100 == 99 => self.total += price + 1,
///             Sold { price } => self.total += price,
///             Closed | Event { kind: "shop.closed", .. } => println!("{}", self.total),
///         }
///         Ok(())
///     }
/// }
///
/// let listed = [Interest::of::<Sold>(), Interest::of::<Closed>(), Interest::kind("shop.closed")];
/// assert_eq!(Till { total: 0 }.interests().as_slice(), listed);
/// ```
///
pub use selvedge_macros::processor;
/// Lets a function be named in `uses(…)` of a processor: its code counts then.
///
/// ```
/// use selvedge_event::Event;
/// use selvedge_runtime::{Context, Processor, Result, processor, signed};
///
/// #[derive(Event)]
/// struct Word(String);
///
/// #[signed]
/// fn normalized(word: &str) -> String {
///     word.to_lowercase()
/// }
///
/// struct Reader;
/// #[processor(uses(normalized))]
/// impl Processor for Reader {
///     fn process(&mut self, _: &mut Context, event: &Event) -> Result {
///         match event {
///             Word(word) => println!("{}", normalized(word)),
///         }
///         Ok(())
///     }
/// }
/// assert!(Reader.signature().is_some());
/// ```
///
pub use selvedge_macros::signed;
pub use selvedge_store::Durability;
pub use selvedge_sync::signal::Signal;
pub use solo::{Solo, SoloTurn};
pub use timer_log::TimerHandle;
