//! Owns the report of a run: what came in, what became of it, who did how much.

use std::fmt;
use std::time::Duration;

use selvedge_event::{Ending, Event, Text, Topic};
use selvedge_sync::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::listeners::{ObserverReport, RecorderReport};

/// What happened in a run.
///
/// Deliveries balance: `accepted = handled + dead + dropped + abandoned`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunReport {
    /// How the run ended; `None` when it failed.
    pub ending: Option<Ending>,
    /// Events submitted from outside and accepted. What sources brought in is not among them.
    pub submitted: u64,
    /// Deliveries: one per event and processor that hears it.
    pub accepted: u64,
    /// Deliveries whose turn succeeded.
    pub handled: u64,
    /// Deliveries whose turn failed.
    pub dead: u64,
    /// Deliveries dropped because a policy said so.
    pub dropped: u64,
    /// Deliveries that had no turn because the run failed first.
    pub abandoned: u64,
    /// Events that nobody hears. They are legal, and not among the deliveries.
    pub unrouted: u64,
    /// Phases that ran.
    pub phases: u32,
    /// Wall time, in seconds when serialized.
    #[serde(with = "seconds")]
    pub elapsed: Duration,
    /// One entry per processor, in order of registration.
    pub processors: Vec<ProcessorReport>,
    /// One entry per worker; the first is the thread that called `run()`.
    pub workers: Vec<WorkerReport>,
    /// The first dead letters, up to [`Limits::dead_letters_max`](crate::Limits::dead_letters_max).
    pub dead_letters: Vec<DeadLetter>,
    /// One entry per observer, in order of registration.
    #[serde(default)]
    pub observers: Vec<ObserverReport>,
    /// One entry per recorder, in order of registration.
    #[serde(default)]
    pub recorders: Vec<RecorderReport>,
    /// What the builder of the pipeline should know.
    pub warnings: Vec<String>,
    /// The signal that ended the run early; not serialized.
    #[serde(skip)]
    pub signal: Option<Signal>,
}

/// What one processor did.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProcessorReport {
    /// Its name.
    pub name: Text,
    /// Turns taken, failed ones included.
    pub turns: u64,
    /// Times it was pulled from.
    pub pulls: u64,
    /// Turns and pulls that failed.
    pub failures: u64,
    /// Events it emitted.
    pub emitted: u64,
    /// Time spent in its turns, in seconds when serialized; zero unless the pipeline is
    /// [timed](crate::PipelineBuilder::timed).
    #[serde(with = "seconds")]
    pub busy: Duration,
}

/// What one worker did.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerReport {
    /// Time spent with something in hand, in seconds when serialized.
    #[serde(with = "seconds")]
    pub busy: Duration,
}

/// An event whose turn failed under [`FailurePolicy::Skip`](crate::FailurePolicy::Skip).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Whose turn failed.
    pub processor: Text,
    /// What the event was.
    pub topic: Topic,
    /// The event itself; not serialized.
    #[serde(skip)]
    pub event: Option<Event>,
    /// The error and its causes, or the panic's message.
    pub error: String,
    /// Whether it was a panic.
    pub panicked: bool,
    /// How many times the turn was attempted.
    pub attempts: u32,
}

impl RunReport {
    /// Whether every delivery is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.accepted == self.handled + self.dead + self.dropped + self.abandoned
    }

    /// What a program that ends with this run exits with by convention: 0, or the signal's status.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        self.signal.map_or(0, Signal::exit_status)
    }

    /// The entry of the processor with this name.
    #[must_use]
    pub fn processor(&self, name: &str) -> Option<&ProcessorReport> {
        self.processors.iter().find(|processor| processor.name.as_str() == name)
    }
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = match self.ending {
            Some(Ending::Completed) => "completed",
            Some(Ending::Stopped) => "stopped early",
            Some(Ending::Interrupted) => "interrupted",
            Some(_) => "ended",
            None => "failed",
        };
        let elapsed = self.elapsed.as_secs_f64();
        writeln!(
            f,
            "{ending} in {elapsed:.3} s: {} submitted, {} delivered, {} unrouted, {} phases",
            self.submitted, self.accepted, self.unrouted, self.phases
        )?;
        if self.dead + self.dropped + self.abandoned > 0 {
            writeln!(
                f,
                "  {} handled, {} dead, {} dropped, {} abandoned",
                self.handled, self.dead, self.dropped, self.abandoned
            )?;
        }
        let width = self.processors.iter().map(|p| p.name.chars().count()).max().unwrap_or(0);
        for processor in &self.processors {
            write!(f, "  {:width$}  {:>9} turns", processor.name, processor.turns)?;
            write!(f, "  {:>9} emitted", processor.emitted)?;
            if processor.failures > 0 {
                write!(f, "  {} failed", processor.failures)?;
            }
            if !processor.busy.is_zero() {
                write!(f, "  {:.3} s busy", processor.busy.as_secs_f64())?;
            }
            writeln!(f)?;
        }
        for letter in &self.dead_letters {
            writeln!(f, "  dead: {} at `{}`: {}", letter.topic, letter.processor, letter.error)?;
        }
        for ObserverReport { name, told, missed, panicked } in &self.observers {
            if *missed > 0 || *panicked {
                let panicked = if *panicked { ", and panicked" } else { "" };
                writeln!(f, "  `{name}` was told {told} facts, missed {missed}{panicked}")?;
            }
        }
        for warning in &self.warnings {
            writeln!(f, "  warning: {warning}")?;
        }
        Ok(())
    }
}

/// Durations as seconds, for people and for JSON.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }
}
