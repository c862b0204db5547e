//! Owns what is told of a run as it happens.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use selvedge_event::{Outcome as Ending, Text};
use selvedge_lineage::{RunId, Timestamp};
use serde::{Deserialize, Serialize};

use super::plan::StepKind;

/// Something that happened in a run. It is [told](crate::Told) with its number in the run: what
/// that says of the order holds, whatever the times say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepEvent {
    /// The time of day.
    pub at: Timestamp,
    /// The run.
    pub run: RunId,
    /// The run within that, if it happened in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<RunId>,
    /// What it is about: a step, or `system` for the run as a whole; in a run within this one after
    /// the step that it is for, as `step:inner`.
    pub stage: Text,
    /// What kind of step that is; none of the run as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<StepKind>,
    /// Which start of a step of the run it is about, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<u64>,
    /// The start of the map that the step is an item of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<u64>,
    /// Which item of the map it is, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// Which attempt it is about, from 1; 0 where there are none.
    pub attempt: u32,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// The run began: its startup hooks have succeeded.
    Start,
    /// The run goes on after a suspension.
    Resume,
    /// An attempt at a step began.
    StepStart,
    /// It succeeded.
    StepEnd,
    /// It failed.
    StepError {
        /// The error and its causes, or the panic's message.
        error: String,
        /// Whether it was a panic.
        panicked: bool,
        /// After how long there is another attempt, if there is one.
        retry_in: Option<Duration>,
    },
    /// It took longer than it may.
    TimedOut {
        /// How long it may take.
        limit: Duration,
    },
    /// Nothing comes of it: it said so itself, or it never started.
    Skipped {
        /// Why.
        reason: String,
    },
    /// The run waits for something from outside after it.
    Suspended {
        /// Why.
        reason: String,
    },
    /// It was called off.
    Cancelled {
        /// Why.
        reason: String,
    },
    /// A step has made something on the way.
    Token {
        /// What.
        value: serde_json::Value,
    },
    /// A map has its items.
    MapStart {
        /// The step that does them.
        each: Text,
        /// How many there are.
        items: u32,
    },
    /// An item is about to be done.
    MapWorker {
        /// Its number, from 0.
        index: u32,
    },
    /// All items have come to their ends.
    MapComplete {
        /// How many there were.
        items: u32,
    },
    /// A join begins to wait.
    JoinWait {
        /// How many have come, of those it waits for.
        arrived: u32,
        /// Who has not.
        waiting_for: Vec<Text>,
    },
    /// It waits no more.
    JoinRelease,
    /// The last of a leg of the run.
    Finish(Box<Finished>),
}

/// How a leg of a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finished {
    /// How the run ended, or that it is suspended.
    pub ending: Ending,
    /// How long the leg took.
    pub duration: Duration,
    /// What failed, in the order in which it did.
    pub failures: Vec<StepFailure>,
    /// Why it was suspended or cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was counted.
    pub metrics: Metrics,
}

/// A failure that the run did not recover from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepFailure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// Where in the framework or in the user's code it is.
    pub source: FailureSource,
    /// The same in a word.
    pub reason: Text,
    /// The error and its causes.
    pub error: String,
    /// The step, if it was in one.
    pub step: Option<Text>,
}

/// What kind of failure it was. The first that applies is the run's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// There is nothing to run.
    Validation,
    /// A startup hook failed.
    Startup,
    /// A step failed.
    Step,
    /// A shutdown hook failed.
    Shutdown,
    /// What carries out the run failed.
    Infra,
}

/// Whose failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureSource {
    /// The user's.
    UserCode,
    /// Something outside that the user's code depends on.
    ExternalDependency,
    /// Ours.
    Framework,
}

/// What was counted in a leg of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metrics {
    /// Starts of steps, items of maps included.
    pub started: u64,
    /// Those that came to an end, whichever.
    pub ended: u64,
    /// Most at a time.
    pub peak_active: u64,
    /// Most items of maps at a time.
    pub peak_items: u64,
    /// By step.
    pub steps: BTreeMap<Text, StepMetrics>,
}

/// What was counted of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepMetrics {
    /// How often it succeeded.
    pub count: u64,
    /// How long that took in all.
    pub total: Duration,
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

impl StepMetrics {
    pub(crate) fn add(&mut self, took: Duration) {
        self.min = if self.count == 0 { took } else { self.min.min(took) };
        self.max = self.max.max(took);
        self.total += took;
        self.count += 1;
    }
}

impl Finished {
    /// The failure that the run is known by: of the kind that comes first, the earliest.
    #[must_use]
    pub fn failure(&self) -> Option<&StepFailure> {
        let has_failed = matches!(self.ending, Ending::Failed { .. });
        self.failures.iter().min_by_key(|failure| failure.kind).filter(|_| has_failed)
    }
}

/// One line, as tests and logs like it.
impl fmt::Display for StepEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = &self.stage;
        let item = self.item.map(|item| format!("[{item}]")).unwrap_or_default();
        let at = format!("{stage}{item}");
        // Of the outermost run that goes without saying.
        let of = if self.origin.is_some() { format!("{at} ") } else { String::new() };
        match &self.what {
            What::Start => write!(f, "{of}start"),
            What::Resume => write!(f, "{of}resume"),
            What::StepStart if self.attempt > 1 => write!(f, "{at} starts, #{}", self.attempt),
            What::StepStart => write!(f, "{at} starts"),
            What::StepEnd => write!(f, "{at} ends"),
            What::StepError { error, panicked, retry_in } => {
                let verb = if *panicked { "panicked" } else { "failed" };
                write!(f, "{at} {verb}: {error}")?;
                retry_in.map_or(Ok(()), |wait| write!(f, ", again in {wait:?}"))
            }
            What::TimedOut { limit } => write!(f, "{at} timed out after {limit:?}"),
            What::Skipped { reason } => write!(f, "{at} skipped: {reason}"),
            What::Suspended { reason } => write!(f, "{at} suspended: {reason}"),
            What::Cancelled { reason } => write!(f, "{at} cancelled: {reason}"),
            What::Token { value } => write!(f, "{at}: {value}"),
            What::MapStart { each, items } => write!(f, "{at} maps {items} items to {each}"),
            What::MapWorker { index } => write!(f, "{stage}[{index}]"),
            What::MapComplete { items } => write!(f, "{at} has done {items} items"),
            What::JoinWait { arrived, waiting_for } => {
                write!(f, "{at} waits, {arrived} arrived, for")?;
                waiting_for.iter().try_for_each(|name| write!(f, " {name}"))
            }
            What::JoinRelease => write!(f, "{at} waits no more"),
            What::Finish(finished) => write!(f, "{of}finish: {}", finished.ending),
        }
    }
}
