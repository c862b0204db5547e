//! Owns the report of a run: what came in, what became of it, who did how much.

use std::fmt;
use std::iter::repeat;
use std::time::Duration;

use selvedge_event::{Ending, Event, Text, Topic};
use selvedge_sync::signal::Signal;
use serde::{Deserialize, Serialize, Serializer};

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
    /// Deliveries that had no turn because the run failed first, was stopped at a deadline, or
    /// went on without their processor.
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
    /// Turns that did not come back, and that the run went on without; see
    /// [`Limits::leak_after`](crate::Limits::leak_after).
    #[serde(default)]
    pub stuck: Vec<StuckTurn>,
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
    /// Events for it that were dropped because its mailbox was full.
    #[serde(default)]
    pub dropped: u64,
    /// Turns whose emissions were recorded before and replayed, if it is
    /// [cached](crate::CachedProcessor).
    #[serde(default)]
    pub replayed: u64,
    /// Time spent in its turns, in seconds when serialized; zero unless the pipeline is
    /// [timed](crate::PipelineBuilder::timed).
    #[serde(with = "seconds")]
    pub busy: Duration,
}

/// What a run gave up of one processor's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Abandoned {
    /// Whose.
    pub processor: Text,
    /// Deliveries that had no turn, or whose turn was under way.
    pub events: u64,
}

/// A turn that did not come back, so that the run went on without its processor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StuckTurn {
    /// Whose.
    pub processor: Text,
    /// Which worker took it, from 0.
    pub worker: usize,
    /// How long it had taken when it was given up, in seconds when serialized.
    #[serde(with = "seconds")]
    pub stuck_for: Duration,
    /// Deliveries that were abandoned with it: the turn's own, the rest of its batch, what waited
    /// for the processor and what came later.
    pub abandoned: u64,
}

impl fmt::Display for StuckTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StuckTurn { processor, worker, stuck_for, abandoned } = self;
        let seconds = stuck_for.as_secs_f64();
        write!(
            f,
            "`{processor}` did not come back within {seconds:.3} s from a turn of worker {worker}: \
             {abandoned} abandoned"
        )
    }
}

/// What one worker did.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerReport {
    /// Time spent with something in hand, in seconds when serialized.
    #[serde(with = "seconds")]
    pub busy: Duration,
}

/// An event whose turn failed, and after which its processor went on: under
/// [`FailurePolicy::Skip`](crate::FailurePolicy::Skip), with a
/// [`Restart`](crate::FailurePolicy::Restart), or when the attempts of a
/// [`Retry`](crate::FailurePolicy::Retry) were used up.
///
/// Shown as one line. Serialized with the event's value, for people and for other tools:
///
/// ```
/// use selvedge_event::{Dynamic, Interest, Interests};
/// use selvedge_runtime::{Configure, Context, FailurePolicy, Pipeline, Processor, Result};
/// # use selvedge_event::Event;
/// # struct Till;
/// impl Processor for Till {
///     fn process(&mut self, _cx: &mut Context, _event: &Event) -> Result {
///         Err(std::io::Error::other("no paper").into())
///     }
/// #   fn interests(&self) -> Interests { Interests::listed([Interest::kind("sold")]) }
/// }
///
/// let pipeline =
///     Pipeline::builder().processor(Till.on_failure(FailurePolicy::Skip)).build()?;
/// pipeline.submit(Dynamic::new("sold", 3))?;
/// let mut report = pipeline.run()?;
/// let letter = report.dead_letters.remove(0);
/// assert_eq!(letter.to_string(), "sold at `Till`: no paper");
/// assert_eq!(serde_json::to_value(&letter)?["event"], 3);
/// assert_eq!(letter.into_event().unwrap().to_string(), "sold"); // To be submitted again.
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Whose turn failed.
    pub processor: Text,
    /// What the event was.
    pub topic: Topic,
    /// The event itself. Serialized as its payload's value, or as nothing where that can't be
    /// encoded; not read back, because only the program knows the value's type.
    #[serde(serialize_with = "payload", skip_deserializing)]
    pub event: Option<Event>,
    /// The error and its causes, or the panic's message.
    pub error: String,
    /// Whether it was a panic.
    pub panicked: bool,
    /// How many times the turn was attempted.
    pub attempts: u32,
}

impl DeadLetter {
    /// The event, to be submitted again; `None` for a letter that was read back.
    #[must_use]
    pub fn into_event(self) -> Option<Event> {
        self.event
    }
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at `{}`", self.topic, self.processor)?;
        if self.attempts > 1 {
            write!(f, " after {} attempts", self.attempts)?;
        }
        f.write_str(if self.panicked { ": panicked" } else { "" })?;
        for (line, before) in self.error.lines().zip([": "].into_iter().chain(repeat(" "))) {
            write!(f, "{before}{}", line.trim())?;
        }
        Ok(())
    }
}

fn payload<S: Serializer>(event: &Option<Event>, serializer: S) -> Result<S::Ok, S::Error> {
    event.as_ref().and_then(Event::to_json).serialize(serializer)
}

impl RunReport {
    /// Counts what workers that did not come back have not told: what they had in hand is
    /// abandoned, and what of theirs was handled had been accepted.
    pub(crate) fn reconcile(&mut self, in_hand: u64) {
        self.abandoned += in_hand;
        let known = self.handled + self.dead + self.dropped + self.abandoned;
        self.abandoned += self.accepted.saturating_sub(known);
        self.accepted = self.accepted.max(known);
    }

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
            if processor.replayed > 0 {
                write!(f, "  {} replayed", processor.replayed)?;
            }
            if processor.dropped > 0 {
                write!(f, "  {} dropped", processor.dropped)?;
            }
            if !processor.busy.is_zero() {
                write!(f, "  {:.3} s busy", processor.busy.as_secs_f64())?;
            }
            writeln!(f)?;
        }
        for letter in &self.dead_letters {
            writeln!(f, "  dead: {letter}")?;
        }
        for ObserverReport { name, told, missed, panicked } in &self.observers {
            if *missed > 0 || *panicked {
                let panicked = if *panicked { ", and panicked" } else { "" };
                writeln!(f, "  `{name}` was told {told} facts, missed {missed}{panicked}")?;
            }
        }
        for stuck in &self.stuck {
            writeln!(f, "  stuck: {stuck}")?;
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

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use selvedge_event::{Dynamic, Kind, Payload};

    use super::*;

    fn letter(event: Event, error: &str, panicked: bool, attempts: u32) -> DeadLetter {
        let (processor, topic) = (Text::literal("till"), event.topic());
        let (event, error) = (Some(event), error.to_owned());
        DeadLetter { processor, topic, event, error, panicked, attempts }
    }

    fn sold() -> Event {
        Event::new(Dynamic::new("sold", 3).named("tea").keyed(7))
    }

    #[test]
    fn a_dead_letter_is_one_line() {
        assert_snapshot!(letter(sold(), "no paper", false, 1), @r#"sold "tea" [7] at `till`: no paper"#);
        assert_snapshot!(letter(sold(), "two\n  lines", false, 3), @r#"sold "tea" [7] at `till` after 3 attempts: two lines"#);
        assert_snapshot!(letter(sold(), "index out of bounds", true, 1), @r#"sold "tea" [7] at `till`: panicked: index out of bounds"#);
        assert_snapshot!(letter(sold(), "", true, 2), @r#"sold "tea" [7] at `till` after 2 attempts: panicked"#);
    }

    /// Not serializable.
    struct Opaque;

    impl Payload for Opaque {
        fn kind() -> Kind {
            Kind::literal("opaque")
        }
    }

    #[test]
    fn a_dead_letter_is_written_out_with_the_event_s_value_and_read_back_without() {
        let written = |event| {
            let letter = letter(event, "no paper", false, 1);
            serde_json::to_string(&letter).expect("it is plain data")
        };
        assert_snapshot!(written(sold()), @r#"{"processor":"till","topic":{"kind":"sold","name":"tea","key":7},"event":3,"error":"no paper","panicked":false,"attempts":1}"#);
        assert_snapshot!(written(Event::new(Opaque)), @r#"{"processor":"till","topic":{"kind":"opaque","name":"opaque"},"event":null,"error":"no paper","panicked":false,"attempts":1}"#);
        let unkeyed = Event::new(Dynamic::new("sold", 3).named("tea"));
        let topic = unkeyed.topic();
        let back: DeadLetter = serde_json::from_str(&written(unkeyed)).expect("it is its own");
        assert_eq!((back.topic.clone(), back.attempts), (topic, 1));
        assert!(back.into_event().is_none());
    }
}
