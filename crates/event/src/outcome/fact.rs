//! Owns `Fact`: one thing that happened in a run, and how it reads on one line.

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Outcome, Wants, Warning};
use crate::digest::Digest;
use crate::lifecycle::Ending;
use crate::signature::Signature;
use crate::text::Text;
use crate::topic::Topic;

/// One thing that a listener can be told, in the order in which its teller saw it.
///
/// Shown, it is one line that is the same in every run in which the same happened: what depends on
/// the machine (durations, how many threads there are) is left out, but for warnings, and line
/// breaks in an error are escaped.
///
/// ```
/// use selvedge_event::{Fact, Topic};
/// let topic = Topic { kind: "order".into(), name: "order".into(), key: None };
/// let fact = Fact::Emitted { processor: "till".into(), topic, recipients: 2 };
/// assert_eq!(fact.to_string(), "till: emits order to 2");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fact {
    /// The run began.
    RunStarted {
        /// Threads that take turns.
        workers: usize,
        /// Processors registered.
        processors: usize,
    },
    /// A turn began. Told with the other facts of its batch, so a turn that never comes back is not
    /// announced.
    TurnStarted {
        /// Whose turn.
        processor: Text,
        /// On what.
        topic: Topic,
    },
    /// A turn came to its end; what it emitted was published if it succeeded, and not otherwise.
    TurnFinished {
        /// Whose turn.
        processor: Text,
        /// On what.
        topic: Topic,
        /// How it ended.
        outcome: Outcome,
        /// How many events it emitted.
        emitted: usize,
        /// Which attempt it was, from 1.
        #[serde(default = "first")]
        attempt: u32,
    },
    /// A cached processor's turn was looked up: it was replayed, or taken and recorded.
    LookedUp {
        /// Whose turn.
        processor: Text,
        /// On what.
        topic: Topic,
        /// The processor's code and constants.
        signature: Signature,
        /// The event's payload, or what the cache knows it by instead.
        input: Digest,
        /// The payloads emitted, in order.
        outputs: Vec<Digest>,
        /// Whether the turn was not taken, but what it once emitted emitted again.
        replayed: bool,
        /// What the run is called that took the turn: this one's name, if it was not replayed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<Text>,
        /// Of a build, what it was built from, by target; `None` for other turns.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        built_from: Option<Vec<(Text, Digest)>>,
    },
    /// A turn of a processor that is registered as recorded is over, or a build has failed. Of a
    /// cached one's turns that succeed, and of builds that do, [`LookedUp`](Fact::LookedUp) tells.
    Recorded {
        /// Whose turn.
        processor: Text,
        /// On what.
        topic: Topic,
        /// The processor's code, if anything is known of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<Signature>,
        /// The event's payload; of a build, all that it was to be built from.
        input: Digest,
        /// The payloads emitted, in order; of a turn that failed, none.
        outputs: Vec<Digest>,
        /// How it ended. One that did not come back, and that the run goes on without, timed out.
        outcome: Outcome,
        /// The last attempt, from 1.
        attempt: u32,
        /// When the last attempt began, by the pipeline's clock: only differences mean something.
        #[serde(default)]
        began: Duration,
        /// How long the last attempt took.
        took: Duration,
        /// Of a build, what it was to be built from, by target; `None` for other turns.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        built_from: Option<Vec<(Text, Digest)>>,
    },
    /// A turn that succeeded published this.
    Emitted {
        /// Who emitted it.
        processor: Text,
        /// What.
        topic: Topic,
        /// How many processors hear it.
        recipients: usize,
    },
    /// A turn failed and is attempted again.
    Retrying {
        /// Whose turn.
        processor: Text,
        /// On what.
        topic: Topic,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// The error and its causes, or the panic's message.
        error: String,
        /// How long the next attempt waits at least.
        delay: Duration,
    },
    /// An event became a dead letter: its last attempt failed, and the run goes on.
    DeadLettered {
        /// Whose turn failed.
        processor: Text,
        /// What the event was.
        topic: Topic,
        /// The last attempt's error and its causes, or the panic's message.
        error: String,
        /// How many times the turn was attempted.
        attempts: u32,
    },
    /// Events were not taken in, or given up, because a policy said so.
    Dropped {
        /// Whose events.
        processor: Text,
        /// How many deliveries.
        events: u64,
        /// Which policy.
        policy: Text,
    },
    /// A processor began anew after a failure.
    Restarted {
        /// Which one.
        processor: Text,
        /// How often it has by now.
        restarts: u32,
    },
    /// A processor asked for an event at a later time.
    TimerSet {
        /// Who asked.
        processor: Text,
        /// For what.
        topic: Topic,
        /// When it is due, since the run began.
        due: Duration,
    },
    /// Such an event was posted.
    TimerFired {
        /// Who had asked.
        processor: Text,
        /// For what.
        topic: Topic,
        /// When it was due, since the run began.
        due: Duration,
    },
    /// A turn took longer than it may.
    OverBudget {
        /// Whose turn.
        processor: Text,
        /// On what.
        topic: Topic,
        /// How long it may take.
        budget: Duration,
        /// How long it took, or has taken so far.
        elapsed: Duration,
    },
    /// A turn doesn't come back, and the run goes on without the worker that has it.
    WorkerWrittenOff {
        /// Which worker.
        worker: usize,
        /// Whose turn.
        processor: Text,
        /// For how long it has been in that turn.
        stuck_for: Duration,
    },
    /// Something looks wrong, and the run goes on.
    Warned {
        /// What, and what to do about it.
        warning: Warning,
    },
    /// Nothing more is taken in until the run is resumed.
    Paused,
    /// The run goes on after a pause.
    Resumed,
    /// A scope began: work that belongs together.
    ScopeStarted {
        /// Its number in this run.
        scope: u64,
    },
    /// Everything in a scope came to its end.
    ScopeEnded {
        /// Its number in this run.
        scope: u64,
        /// How it ended.
        outcome: Outcome,
    },
    /// One task of a scope came to its end.
    TaskFinished {
        /// The scope's number in this run.
        scope: u64,
        /// The task's place in the scope, from 0.
        index: usize,
        /// How it ended.
        outcome: Outcome,
        /// Which attempt it was, from 1.
        attempt: u32,
    },
    /// The pipeline had drained and a phase began.
    PhaseStarted {
        /// From 1.
        number: u32,
    },
    /// The listener was too slow: at this place, so many facts were not told to it.
    Missed {
        /// How many of those that it wants.
        facts: u64,
    },
    /// The run came to its end.
    RunFinished {
        /// How, unless it failed.
        ending: Option<Ending>,
        /// What made it fail, if that is known by then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<String>,
        /// How long it took.
        elapsed: Duration,
    },
}

fn first() -> u32 {
    1
}

impl Fact {
    /// The kind of fact this is, as one may [want](Wants) it. What a listener
    /// [missed](Fact::Missed) it is told whatever it wants: that belongs to [`Wants::NONE`].
    #[must_use]
    pub const fn belongs_to(&self) -> Wants {
        match self {
            Fact::RunStarted { .. }
            | Fact::PhaseStarted { .. }
            | Fact::Paused
            | Fact::Resumed
            | Fact::RunFinished { .. } => Wants::RUN,
            Fact::TurnStarted { .. } => Wants::TURN_STARTS,
            Fact::TurnFinished { .. } => Wants::TURNS,
            Fact::LookedUp { .. } => Wants::LOOK_UPS,
            Fact::Recorded { .. } => Wants::RECORDED,
            Fact::Emitted { .. } => Wants::EMISSIONS,
            Fact::Retrying { .. }
            | Fact::DeadLettered { .. }
            | Fact::Dropped { .. }
            | Fact::Restarted { .. } => Wants::FAILURES,
            Fact::TimerSet { .. } | Fact::TimerFired { .. } => Wants::TIMERS,
            Fact::OverBudget { .. } | Fact::WorkerWrittenOff { .. } | Fact::Warned { .. } => {
                Wants::WARNINGS
            }
            Fact::ScopeStarted { .. } | Fact::ScopeEnded { .. } | Fact::TaskFinished { .. } => {
                Wants::TASKS
            }
            Fact::Missed { .. } => Wants::NONE,
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut OneLine(f);
        match self {
            Fact::RunStarted { processors, .. } => {
                write!(f, "run of {}", Several(*processors as u64, "processor"))
            }
            Fact::PhaseStarted { number } => write!(f, "phase {number}"),
            Fact::Paused => f.write_str("run paused"),
            Fact::Resumed => f.write_str("run resumed"),
            Fact::RunFinished { ending: Some(ending), .. } => write!(f, "run {ending:?}"),
            Fact::RunFinished { ending: None, .. } => f.write_str("run failed"),
            Fact::TurnStarted { processor, topic } => write!(f, "{processor}: begins {topic}"),
            Fact::TurnFinished { processor, topic, outcome, emitted, attempt } => {
                write!(f, "{processor}: {topic} {outcome}, {emitted} emitted")?;
                on_attempt(f, *attempt)
            }
            Fact::LookedUp { processor, topic, outputs, replayed, .. } => {
                let what = if *replayed { "replays" } else { "records" };
                let events = Several(outputs.len() as u64, "event");
                write!(f, "{processor}: {what} {events} for {topic}")
            }
            Fact::Recorded { processor, topic, outcome, outputs, attempt, .. } => {
                write!(f, "{processor}: is recorded, {topic} {outcome}")?;
                if !outputs.is_empty() {
                    write!(f, ", {}", Several(outputs.len() as u64, "event"))?;
                }
                on_attempt(f, *attempt)
            }
            Fact::Emitted { processor, topic, recipients } => {
                write!(f, "{processor}: emits {topic} to {recipients}")
            }
            Fact::WorkerWrittenOff { worker, processor, .. } => {
                write!(f, "{processor}: does not come back, worker {worker} is written off")
            }
            Fact::Warned { warning } => write!(f, "warning: {warning}"),
            Fact::ScopeStarted { scope } => write!(f, "scope {scope}: begins"),
            Fact::ScopeEnded { scope, outcome } => write!(f, "scope {scope}: {outcome}"),
            Fact::TaskFinished { scope, index, outcome, attempt } => {
                write!(f, "scope {scope}: task {index} {outcome}")?;
                on_attempt(f, *attempt)
            }
            Fact::Missed { facts } => write!(f, "{} missed", Several(*facts, "fact")),
            Fact::Retrying { processor, topic, attempt, error, .. } => {
                write!(f, "{processor}: retries {topic} after attempt {attempt} failed: {error}")
            }
            Fact::DeadLettered { processor, topic, error, attempts } => {
                let attempts = Several(u64::from(*attempts), "attempt");
                write!(f, "{processor}: gives up {topic} after {attempts}: {error}")
            }
            Fact::Dropped { processor, events, policy } => {
                write!(f, "{processor}: {} dropped by `{policy}`", Several(*events, "event"))
            }
            Fact::Restarted { processor, restarts } => {
                write!(f, "{processor}: {} so far", Several(u64::from(*restarts), "restart"))
            }
            Fact::TimerSet { processor, topic, .. } => {
                write!(f, "{processor}: sets a timer for {topic}")
            }
            Fact::TimerFired { processor, topic, .. } => {
                write!(f, "{processor}: is due {topic}")
            }
            Fact::OverBudget { processor, topic, .. } => {
                write!(f, "{processor}: {topic} is over its time budget")
            }
        }
    }
}

fn on_attempt(f: &mut OneLine<'_, '_>, attempt: u32) -> fmt::Result {
    if attempt > 1 { write!(f, ", attempt {attempt}") } else { Ok(()) }
}

/// A number of things.
struct Several(u64, &'static str);

impl fmt::Display for Several {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Several(number, thing) = self;
        write!(f, "{number} {thing}{}", if *number == 1 { "" } else { "s" })
    }
}

/// Writes everything on one line: errors and names are the user's, and may hold any character.
struct OneLine<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(char::is_control) {
            let (before, after) = rest.split_at(at);
            self.0.write_str(before)?;
            let mut after = after.chars();
            after
                .next()
                .map_or(Ok(()), |control| write!(self.0, "{}", control.escape_default()))?;
            rest = after.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each, with the hardest to write.
    fn facts() -> Vec<Fact> {
        let name = || Text::literal("till");
        let topic = || Topic { kind: "order".into(), name: "order".into(), key: None };
        let error = || "no\nchange\u{7}".to_owned();
        let failed = || Outcome::Failed { error: error(), panicked: false };
        let due = Duration::from_secs(1);
        vec![
            Fact::RunStarted { workers: 2, processors: 1 },
            Fact::PhaseStarted { number: 1 },
            Fact::Paused,
            Fact::Resumed,
            Fact::RunFinished { ending: Some(Ending::Stopped), failure: None, elapsed: due },
            Fact::RunFinished { ending: None, failure: Some(error()), elapsed: due },
            Fact::TurnStarted { processor: name(), topic: topic() },
            Fact::TurnFinished {
                processor: name(),
                topic: topic(),
                outcome: failed(),
                emitted: 0,
                attempt: 2,
            },
            Fact::LookedUp {
                processor: name(),
                topic: topic(),
                signature: Signature::of_version("till", "1"),
                input: Digest::from_bytes([1; 32]),
                outputs: vec![Digest::from_bytes([2; 32])],
                replayed: true,
                origin: Some(Text::literal("monday")),
                built_from: Some(vec![(name(), Digest::from_bytes([3; 32]))]),
            },
            Fact::Recorded {
                processor: name(),
                topic: topic(),
                signature: None,
                input: Digest::from_bytes([1; 32]),
                outputs: vec![Digest::from_bytes([2; 32])],
                outcome: Outcome::Succeeded,
                attempt: 2,
                began: due,
                took: due,
                built_from: Some(vec![(name(), Digest::from_bytes([3; 32]))]),
            },
            Fact::Emitted { processor: name(), topic: topic(), recipients: 1 },
            Fact::Retrying {
                processor: name(),
                topic: topic(),
                attempt: 1,
                error: error(),
                delay: due,
            },
            Fact::DeadLettered { processor: name(), topic: topic(), error: error(), attempts: 1 },
            Fact::Dropped { processor: name(), events: 3, policy: "newest".into() },
            Fact::Restarted { processor: name(), restarts: 2 },
            Fact::TimerSet { processor: name(), topic: topic(), due },
            Fact::TimerFired { processor: name(), topic: topic(), due },
            Fact::OverBudget { processor: name(), topic: topic(), budget: due, elapsed: due },
            Fact::WorkerWrittenOff { worker: 1, processor: name(), stuck_for: due },
            Fact::Warned { warning: Warning::PausedWithWork { waiting: 2, paused_for: due } },
            Fact::ScopeStarted { scope: 4 },
            Fact::TaskFinished { scope: 4, index: 0, outcome: Outcome::TimedOut, attempt: 1 },
            Fact::ScopeEnded { scope: 4, outcome: Outcome::Succeeded },
            Fact::Missed { facts: 1 },
        ]
    }

    #[test]
    fn every_fact_is_one_line() {
        let facts = facts();
        let lines: Vec<String> =
            facts.iter().map(|f| format!("{:?} {f}", f.belongs_to())).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        RUN run of 1 processor
        RUN phase 1
        RUN run paused
        RUN run resumed
        RUN run Stopped
        RUN run failed
        TURN_STARTS till: begins order
        TURNS till: order failed: no\nchange\u{7}, 0 emitted, attempt 2
        LOOK_UPS till: replays 1 event for order
        RECORDED till: is recorded, order succeeded, 1 event, attempt 2
        EMISSIONS till: emits order to 1
        FAILURES till: retries order after attempt 1 failed: no\nchange\u{7}
        FAILURES till: gives up order after 1 attempt: no\nchange\u{7}
        FAILURES till: 3 events dropped by `newest`
        FAILURES till: 2 restarts so far
        TIMERS till: sets a timer for order
        TIMERS till: is due order
        WARNINGS till: order is over its time budget
        WARNINGS till: does not come back, worker 1 is written off
        WARNINGS warning: the run has been paused for 1s while 2 deliveries wait: resume it, or stop it
        TASKS scope 4: begins
        TASKS scope 4: task 0 timed out
        TASKS scope 4: succeeded
        NONE 1 fact missed
        ");
        for fact in facts {
            let json = serde_json::to_string(&fact).expect("facts are plain data");
            assert_eq!(serde_json::from_str::<Fact>(&json).expect("and come back"), fact, "{json}");
        }
    }

    #[test]
    fn a_fact_from_before_attempts_were_counted_is_of_the_first() {
        let json = r#"{"fact":"turn_finished","processor":"till","topic":{"kind":"order","name":
            "order","key":null},"outcome":{"outcome":"succeeded"},"emitted":0}"#;
        let fact: Fact = serde_json::from_str(json).expect("it reads");
        assert!(matches!(fact, Fact::TurnFinished { attempt: 1, .. }), "{fact:?}");
    }
}
