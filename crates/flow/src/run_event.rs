//! Owns what is told of a run of a flow while it goes on.

use std::fmt;
use std::time::Duration;

use selvedge_event::{Outcome as Ending, Text};
use selvedge_lineage::RunId;
use serde::{Deserialize, Serialize};

/// Something that happened in a run. See [`Request::on_event`](crate::Request::on_event) and
/// [`RunHandle::events`](crate::RunHandle::events).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunEvent {
    /// In which run.
    pub run: RunId,
    /// When, after the run began, by its clock; zero if nobody listened when what ended began, and
    /// nothing is recorded.
    pub at: Duration,
    /// What.
    #[serde(flatten)]
    pub what: Happened,
}

/// What happened.
///
/// Steps are called as in [records](selvedge_lineage::Record): `users[3]` is an item of a map,
/// `outer/inner` a node of a flow within the flow.
///
/// The first event is that the run started, the last that it finished. Each attempt that started is
/// retried or its node finishes, and every node that was wanted finishes once, unless the run is
/// over before. Nodes that need no turn, such as parameters and those that are skipped, only
/// finish. What goes on within a flow whose node was too late may be told after that node's end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Happened {
    /// The run started.
    RunStarted {
        /// Of this flow.
        flow: Text,
    },
    /// An attempt at a node started.
    NodeStarted {
        /// The node.
        step: Text,
        /// Which attempt it is, from 1.
        attempt: u32,
    },
    /// An attempt at a node, or at an item of a map, failed, and another one follows.
    NodeRetried {
        /// The node or item.
        step: Text,
        /// Which attempt failed.
        attempt: u32,
        /// How.
        error: String,
        /// Whether it panicked.
        panicked: bool,
        /// How long the next one waits.
        after: Duration,
    },
    /// A node came to its end.
    NodeFinished {
        /// The node.
        step: Text,
        /// Which end.
        ending: Ending,
        /// How many attempts there were.
        attempt: u32,
        /// How long the last one took.
        duration: Duration,
        /// The run that had computed its value, if this one has not.
        reused: Option<RunId>,
    },
    /// A map begins with its items.
    MapStarted {
        /// The map.
        step: Text,
        /// How many there are.
        n_items: u32,
    },
    /// An item of a map came to its end.
    ItemFinished {
        /// The item.
        step: Text,
        /// Where it is in the list.
        index: u32,
        /// Which end.
        ending: Ending,
        /// How many attempts there were.
        attempt: u32,
        /// How long the last one took.
        duration: Duration,
        /// The run that had computed its value, if this one has not.
        reused: Option<RunId>,
    },
    /// The run is over.
    RunFinished {
        /// How it ended.
        ending: Ending,
    },
}

impl fmt::Display for RunEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reused = |f: &mut fmt::Formatter<'_>, run: &Option<RunId>| match run {
            Some(run) => write!(f, ", from run {run}"),
            None => Ok(()),
        };
        match &self.what {
            Happened::RunStarted { flow } => write!(f, "run of {flow} started"),
            Happened::NodeStarted { step, attempt: 1 } => write!(f, "{step} started"),
            Happened::NodeStarted { step, attempt } => {
                write!(f, "{step} started, attempt {attempt}")
            }
            Happened::NodeRetried { step, attempt, error, panicked, .. } => {
                let verb = if *panicked { "panicked" } else { "failed" };
                write!(f, "{step} {verb} in attempt {attempt}: {error}")
            }
            Happened::NodeFinished { step, ending, reused: run, .. }
            | Happened::ItemFinished { step, ending, reused: run, .. } => {
                write!(f, "{step} {ending}")?;
                reused(f, run)
            }
            Happened::MapStarted { step, n_items } => write!(f, "{step} has {n_items} items"),
            Happened::RunFinished { ending } => write!(f, "run {ending}"),
        }
    }
}
