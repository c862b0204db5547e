//! Owns `Record`: what one execution of one step did, by digest. Holds no values and reads no
//! clock.

use std::fmt;
use std::time::Duration;

use selvedge_event::{Digest, Outcome, Signature, Text};
use serde::{Deserialize, Serialize};

use crate::run::RunId;
use crate::time::Timestamp;

/// What one execution of one step did: a processor's turn, a build, a node, a step, a map's item.
///
/// Values are named by their digests; the values themselves are the content store's. An execution
/// is recorded once, when it has ended, whatever became of it.
///
/// ```
/// use selvedge_event::{Digest, Signature};
/// use selvedge_lineage::{Record, RunId, StepKind};
///
/// let order = Digest::of(&"two teas")?;
/// let bill = Digest::of(&7)?;
/// let code = Signature::of_version("shop::Bill", "1");
/// let record = Record::new(RunId::named("monday"), "bill", code)
///     .kind(StepKind::Node)
///     .input("order", Some("till"), order)
///     .output(bill);
/// assert_eq!(record.to_string(), format!("bill: succeeded, {bill} from order {order}"));
/// # Ok::<(), selvedge_event::DigestError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The run that the execution was part of.
    pub run: RunId,
    /// The step's name in its pipeline, with the item's index in a map: `users[3]`.
    pub step: Text,
    /// What kind of step it is.
    pub kind: StepKind,
    /// Which code, with which constants, did it.
    pub signature: Signature,
    /// What it read.
    pub inputs: Vec<Input>,
    /// What it made: one value for a node, a build or a step, one per emission for a turn.
    pub outputs: Vec<Digest>,
    /// How it ended.
    pub outcome: Outcome,
    /// The run that the outputs were taken from, if they were not computed anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused_from: Option<RunId>,
    /// How many attempts it took, from 1.
    pub attempt: u32,
    /// When it began. A label: clocks of machines disagree.
    pub started_at: Timestamp,
    /// How long it took, without waiting for inputs or workers.
    pub own_duration: Duration,
    /// The worker that did it, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<u32>,
}

/// One value that a step read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The parameter that received it.
    pub name: Text,
    /// The step of the same run that made it; none for what came from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Text>,
    /// The value.
    pub digest: Digest,
}

/// What kind of step was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepKind {
    /// A turn of a processor.
    Turn,
    /// A build of a target.
    Build,
    /// A node of a graph.
    Node,
    /// A step of a step pipeline.
    Step,
    /// An item of a map.
    MapItem,
}

impl Record {
    /// An execution that succeeded at the first attempt, with nothing read and nothing made; the
    /// other methods say what differs, and every field can be set.
    pub fn new(run: RunId, step: impl Into<Text>, signature: Signature) -> Record {
        Record {
            run,
            step: step.into(),
            kind: StepKind::Step,
            signature,
            inputs: Vec::new(),
            outputs: Vec::new(),
            outcome: Outcome::Succeeded,
            reused_from: None,
            attempt: 1,
            started_at: Timestamp::default(),
            own_duration: Duration::ZERO,
            worker: None,
        }
    }

    /// Says what kind of step it is.
    #[must_use]
    pub fn kind(mut self, kind: StepKind) -> Record {
        self.kind = kind;
        self
    }

    /// Adds a value that was read, and the step of the same run that had made it.
    #[must_use]
    pub fn input(mut self, name: &str, step: Option<&str>, digest: Digest) -> Record {
        let step = step.map(Text::from);
        self.inputs.push(Input { name: Text::from(name), step, digest });
        self
    }

    /// Adds a value that was made.
    #[must_use]
    pub fn output(mut self, digest: Digest) -> Record {
        self.outputs.push(digest);
        self
    }

    /// Says how it ended.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Record {
        self.outcome = outcome;
        self
    }

    /// Says when it began and how long it took.
    #[must_use]
    pub fn at(mut self, started_at: Timestamp, own_duration: Duration) -> Record {
        self.started_at = started_at;
        self.own_duration = own_duration;
        self
    }

    /// Whether it read this value.
    #[must_use]
    pub fn reads(&self, digest: &Digest) -> bool {
        self.inputs.iter().any(|input| input.digest == *digest)
    }

    /// Whether it made this value.
    #[must_use]
    pub fn makes(&self, digest: &Digest) -> bool {
        self.outputs.contains(digest)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.outcome)?;
        for output in &self.outputs {
            write!(f, ", {output}")?;
        }
        for (n, input) in self.inputs.iter().enumerate() {
            let word = if n == 0 { " from" } else { "," };
            write!(f, "{word} {} {}", input.name, input.digest)?;
        }
        match self.reused_from {
            Some(run) => write!(f, ", reused from {run}"),
            None => Ok(()),
        }
    }
}
