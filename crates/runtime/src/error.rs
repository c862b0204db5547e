//! Owns what can go wrong with building, feeding, asking and running a pipeline.

mod ask;

use std::io;
use std::sync::Arc;

use selvedge_event::{Event, Key, Kind, SignatureError, SourceSpot, Text, Topic};
use selvedge_sync::signal::Signal;
use thiserror::Error;

use crate::overflow::MailboxCapacity;
use crate::report::{Abandoned, RunReport};
pub use ask::AskError;

/// Why a pipeline could not be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two processors share a name.
    #[error(
        "processor `{name}` is registered twice: give one of them another name with `.named(…)`"
    )]
    DuplicateName {
        /// The name.
        name: Text,
    },
    /// Strict routing, and what the processor hears could not be inferred.
    #[error(
        "processor `{name}` hears every event{}: name the kinds it hears, mark an arm that is \
         there for completeness `#[unmatched]`, or build without `.strict()`",
        at(*.spot)
    )]
    CatchAll {
        /// The processor.
        name: Text,
        /// The arm or expression that looks at every event, if known.
        spot: Option<SourceSpot>,
    },
    /// No event can reach the processor.
    #[error("processor `{name}` has no interests: no event could ever reach it")]
    NoInterests {
        /// The processor.
        name: Text,
    },
    /// Two Rust types claim one kind.
    #[error(
        "`{first}` and `{second}` both have the kind `{kind}`: give one of them another with \
         `#[event(name = \"…\")]`"
    )]
    KindClash {
        /// The kind.
        kind: Kind,
        /// A type that has it.
        first: &'static str,
        /// Another.
        second: &'static str,
    },
    /// A registration narrows to a key, and nothing that the processor hears carries one.
    #[error(
        "processor `{name}` is registered for key {key}, but no payload that it names has a \
         `#[key]`: it would hear everything all the same"
    )]
    KeyWithoutUse {
        /// The processor.
        name: Text,
        /// The key.
        key: Key,
    },
    /// Turns are to be attempted again, and nothing can undo what a failed attempt did to the
    /// processor's state.
    #[error(
        "processor `{name}` is to be retried, but its state of before the turn can't be had back: \
         register it `.restored_by_clone()` or `.stateless()`, or give it another failure policy"
    )]
    RetryWithoutRestore {
        /// The processor.
        name: Text,
    },
    /// A processor is to be restarted, and nothing says how to make a new one.
    #[error(
        "processor `{name}` is to be restarted, but nothing makes a new one: register it \
         `.restarted_by(|| …)`, or give it another failure policy"
    )]
    RestartWithoutFactory {
        /// The processor.
        name: Text,
    },
    /// A number in what was registered about a processor's turns must be positive and is zero.
    #[error("processor `{name}` is registered with {what}: give it more, or leave it out")]
    ZeroInPolicy {
        /// The processor.
        name: Text,
        /// What it has none of.
        what: &'static str,
    },
    /// Waits that shrink, or that no clock could measure.
    #[error(
        "processor `{name}` backs off by a factor of {factor}: give it a finite one of at least 1"
    )]
    BackoffFactor {
        /// The processor.
        name: Text,
        /// The factor.
        factor: f64,
    },
    /// A processor's turns are to be limited under a key that nobody declared.
    #[error(
        "processor `{name}` is limited by `{key}`, but {}: declare it with \
         `.concurrency(\"{key}\", …)`",
        declared(.known)
    )]
    UnknownConcurrency {
        /// The processor.
        name: Text,
        /// The key.
        key: Text,
        /// The keys that were declared.
        known: Vec<Text>,
    },
    /// No turn could ever be in flight under a key.
    #[error("concurrency `{key}` is limited to zero turns in flight: none could ever begin")]
    ZeroConcurrency {
        /// The key.
        key: Text,
    },
    /// A key is declared twice.
    #[error("concurrency `{key}` is declared twice: say how many turns once")]
    DuplicateConcurrency {
        /// The key.
        key: Text,
    },
    /// A processor is to be cached, and nothing says what its results are to be known by.
    #[error("processor `{name}` can't be cached: {cause}")]
    NoSignature {
        /// The processor.
        name: Text,
        /// Why.
        cause: Arc<SignatureError>,
    },
    /// Two cached processors would keep their results in one place of the store.
    #[error(
        "cached processors `{first}` and `{second}` have one signature, and would share their \
         results in the store: register one of them, or tell them apart with `Cache::namespace`"
    )]
    SharedArchive {
        /// A processor.
        first: Text,
        /// Another.
        second: Text,
    },
    /// A pipeline without threads.
    #[error("a pipeline needs at least one worker: the thread that calls `run()` counts")]
    NoWorkers,
    /// A limit that must be positive is zero.
    #[error("limit `{limit}` is zero: nothing could ever happen")]
    ZeroLimit {
        /// The limit's name in [`Limits`](crate::Limits).
        limit: &'static str,
    },
    /// The program aborts on panic, so that no panic could be caught at a turn's boundary.
    #[error(
        "this program is built with `panic = \"abort\"`: a panicking turn would end the process; \
         remove it from the profile in Cargo.toml"
    )]
    PanicAborts,
}

fn declared(known: &[Text]) -> String {
    match known {
        [] => "no such limit is declared".to_owned(),
        known => {
            let known: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
            format!("the only ones declared are {}", known.join(", "))
        }
    }
}

fn at(spot: Option<SourceSpot>) -> String {
    spot.map_or_else(String::new, |spot| format!(" because of {spot}"))
}

/// An event was not accepted; it comes back to the caller.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// At capacity for now.
    #[error(
        "the pipeline holds {limit} submitted events already: submit during the run through a \
         `Submitter`, which waits, use a source, or raise `Limits::{name}`"
    )]
    Full {
        /// The event.
        event: Event,
        /// How many events fit.
        limit: usize,
        /// The limit's name in [`Limits`](crate::Limits).
        name: &'static str,
    },
    /// The run takes nothing more: it failed, was stopped, or is in its phases.
    #[error(
        "the pipeline takes no more events from outside: it has failed, is stopping or is done"
    )]
    Closed {
        /// The event.
        event: Event,
    },
    /// Another Rust type has the event's kind in this pipeline.
    #[error("{clash}")]
    KindClash {
        /// The event.
        event: Event,
        /// What clashes.
        clash: KindClash,
    },
}

impl SubmitError {
    /// The event that was not accepted, to be kept or submitted again.
    #[must_use]
    pub fn into_event(self) -> Event {
        match self {
            SubmitError::Full { event, .. }
            | SubmitError::Closed { event }
            | SubmitError::KindClash { event, .. } => event,
        }
    }
}

/// Two Rust types claim one kind; found when the second one first turned up.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
#[error(
    "kind `{kind}` of {topic} belongs to another Rust type in this pipeline: give one of the two \
     types another kind with `#[event(name = \"…\")]`"
)]
pub struct KindClash {
    /// The kind.
    pub kind: Kind,
    /// The event that brought the second type.
    pub topic: Box<Topic>,
}

fn listed(abandoned: &[Abandoned], stuck: &[Text]) -> String {
    let waited = abandoned
        .iter()
        .map(|Abandoned { processor, events }| format!(", {events} of them for `{processor}`"));
    let under_way = stuck.iter().map(|name| format!("; a turn of `{name}` was under way"));
    waited.chain(under_way).collect()
}

fn quoted(names: &[Text]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn unreplaced(leaked_max: usize, source: Option<&io::Error>) -> String {
    match source {
        Some(source) => format!("there is no thread to go on with ({source})"),
        None => format!("`Limits::leaked_max` is {leaked_max}"),
    }
}

fn verb(panicked: bool) -> &'static str {
    if panicked { "panicked" } else { "failed" }
}

/// Why a run did not come to a good end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// A turn failed and its processor's policy is to fail the run.
    #[error("processor `{processor}` {} on {event}: {cause:#}", verb(*.panicked))]
    Turn {
        /// Whose turn.
        processor: Text,
        /// On what.
        event: Event,
        /// The error it returned, or its panic's message.
        cause: anyhow::Error,
        /// Whether it was a panic.
        panicked: bool,
        /// What had happened by then.
        report: Box<RunReport>,
    },
    /// A source failed while it was pulled.
    #[error("source `{processor}` {}: {cause:#}", verb(*.panicked))]
    Pull {
        /// The source.
        processor: Text,
        /// The error it returned, or its panic's message.
        cause: anyhow::Error,
        /// Whether it was a panic.
        panicked: bool,
        /// What had happened by then.
        report: Box<RunReport>,
    },
    /// A processor could not close when all was done.
    #[error("processor `{processor}` failed to close: {cause:#}")]
    Close {
        /// The processor.
        processor: Text,
        /// The error it returned, or its panic's message.
        cause: anyhow::Error,
        /// What had happened by then.
        report: Box<RunReport>,
    },
    /// A recorder failed, and its policy is to fail the run.
    #[error(
        "`{name}` failed, and what happened since is not recorded: {cause:#}; to go on without it, \
         register it with `RecorderPolicy::Warn`"
    )]
    Recorder {
        /// The recorder.
        name: Text,
        /// The error it returned, or its panic's message.
        cause: anyhow::Error,
        /// What had happened by then.
        report: Box<RunReport>,
    },
    /// What a cached processor emitted could not be recorded, and its policy is to fail the run.
    #[error(
        "what `{processor}` emitted could not be recorded: {cause:#}; to go on without, cache it \
         with `ArchivePolicy::Warn`"
    )]
    Archive {
        /// The processor.
        processor: Text,
        /// What the store says.
        cause: anyhow::Error,
        /// What had happened by then.
        report: Box<RunReport>,
    },
    /// What fed the run failed: it may not have submitted all there is.
    #[error("feeding the run {}: {cause:#}", verb(*.panicked))]
    Feed {
        /// The error it returned, or its panic's message.
        cause: anyhow::Error,
        /// Whether it was a panic.
        panicked: bool,
        /// What had happened by then.
        report: Box<RunReport>,
    },
    /// Phase after phase caused new events.
    #[error(
        "still not settled after {phase_max} phases: some processor emits in every phase; make it \
         stop, or raise `Limits::phase_max`"
    )]
    NeverSettled {
        /// The limit.
        phase_max: u32,
        /// What had happened by then.
        report: Box<RunReport>,
    },
    /// The events waiting in mailboxes grew past the limit.
    #[error(
        "more than {limit} events wait in mailboxes, most of them for {}: a processor emits faster \
         than its hearers take turns; emit less, or raise `Limits::pipeline_events_max`",
        fullest.iter().map(|(name, n)| format!("`{name}` ({n})")).collect::<Vec<_>>().join(", ")
    )]
    TooManyEvents {
        /// The limit.
        limit: usize,
        /// The fullest mailboxes and how many events each held.
        fullest: Vec<(Text, usize)>,
        /// What had happened by then.
        report: Box<RunReport>,
    },
    /// The events under way weigh more than the limit.
    #[error(
        "the events in mailboxes weigh more than {limit} bytes, most of them those for {}: a \
         processor emits faster than its hearers take turns; emit less, or raise \
         `Limits::pipeline_bytes_max`",
        largest.iter().map(|(name, n)| format!("`{name}` ({n})")).collect::<Vec<_>>().join(", ")
    )]
    TooManyBytes {
        /// The limit.
        limit: usize,
        /// The heaviest mailboxes and what the events in each weighed, in bytes.
        largest: Vec<(Text, usize)>,
        /// What had happened by then.
        report: Box<RunReport>,
    },
    /// More came to a mailbox than its capacity, and its policy is to fail the run.
    #[error(
        "the mailbox of processor `{processor}` is at its capacity of {capacity}: it takes turns \
         more slowly than others emit; give it more, or let it drop some with `.on_overflow(…)`"
    )]
    MailboxFull {
        /// Whose mailbox.
        processor: Text,
        /// What it holds at most.
        capacity: MailboxCapacity,
        /// What had happened by then.
        report: Box<RunReport>,
    },
    /// A second signal, or a call, asked to end at once; turns under way were left to themselves.
    #[error("aborted: turns under way were not waited for")]
    Aborted {
        /// The signal that began it, unless it was a call.
        signal: Option<Signal>,
    },
    /// A stop was to take no longer than this, and took longer: turns under way were left to
    /// themselves, and what waited was given up.
    #[error(
        "stopped at the deadline: {} of {} abandoned{}",
        report.abandoned, report.accepted, listed(abandoned, stuck)
    )]
    StoppedHard {
        /// What was given up, and whose it was.
        abandoned: Vec<Abandoned>,
        /// Processors whose turn had not come back.
        stuck: Vec<Text>,
        /// What had happened by then. Its counts are right to within the turns under way.
        report: Box<RunReport>,
    },
    /// More turns did not come back than may be left behind, or a worker that was left behind
    /// could not be replaced.
    #[error(
        "turns of {} don't come back, and {}: let them give up in time, or raise \
         `Limits::leak_after`",
        quoted(processors), unreplaced(*leaked_max, source.as_ref())
    )]
    WorkersLost {
        /// Whose turns, the oldest first.
        processors: Vec<Text>,
        /// How many workers may be replaced.
        leaked_max: usize,
        /// What the system said to one more thread, if that is why.
        source: Option<io::Error>,
        /// What had happened by then.
        report: Box<RunReport>,
    },
    /// The system had no room for a worker thread.
    #[error("cannot start worker thread {worker}: {source}")]
    Spawn {
        /// Which worker.
        worker: usize,
        /// What the system said.
        source: io::Error,
    },
    /// The system had no room for the thread of an observer or a recorder.
    #[error("cannot start a thread for `{listener}`: {source}")]
    SpawnListener {
        /// Which one.
        listener: Text,
        /// What the system said.
        source: io::Error,
    },
    /// Signals were to be handled and can't be.
    #[error("cannot watch for signals: {source}")]
    Signals {
        /// What the system said.
        source: io::Error,
    },
}

impl RunError {
    /// What had happened by then, where that is known.
    #[must_use]
    pub fn report(&self) -> Option<&RunReport> {
        match self {
            RunError::Turn { report, .. }
            | RunError::Pull { report, .. }
            | RunError::Close { report, .. }
            | RunError::Feed { report, .. }
            | RunError::Recorder { report, .. }
            | RunError::Archive { report, .. }
            | RunError::NeverSettled { report, .. }
            | RunError::StoppedHard { report, .. }
            | RunError::WorkersLost { report, .. }
            | RunError::TooManyEvents { report, .. }
            | RunError::TooManyBytes { report, .. }
            | RunError::MailboxFull { report, .. } => Some(report),
            RunError::Aborted { .. }
            | RunError::Spawn { .. }
            | RunError::SpawnListener { .. }
            | RunError::Signals { .. } => None,
        }
    }

    /// What a program that ends with this error exits with by convention.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            RunError::Aborted { signal: Some(signal) } => signal.exit_status(),
            _ => 1,
        }
    }
}
