//! Owns `Network`: what a checked graph is, to be drawn and asked. Refuses to build anything.

use std::fmt;
use std::sync::Arc;

use selvedge_event::Event;
use selvedge_runtime::{ProcessorReport, RunReport};
use selvedge_topology::{Class, Drawing, NodeIndex, Topology};

use crate::definition::Sort;
use crate::explain::ExplainError;
use crate::target::Resolve;

/// A graph that was checked.
///
/// ```
/// use selvedge_reactive::{Reactive, builder};
/// use selvedge_runtime::Pipeline;
///
/// let mut graph = Reactive::new("doubling");
/// let numbers = graph.source("numbers", [1_u64, 2, 3]);
/// let doubles = graph.builder("doubles", &numbers, |n: &u64| n * 2);
/// graph.want(&doubles);
/// let network = graph.network()?;
/// let report = graph.install(Pipeline::builder())?.build()?.run()?;
/// assert!(network.resolve("doubls").unwrap_err().to_string().contains("did you mean `doubles`?"));
/// assert_eq!(network.drawing().tree(), "numbers [source]\n└─ doubles [builder]\n");
/// assert!(network.drawing_of(&report).mermaid().contains("3 events"));
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct Network {
    pub(crate) topology: Arc<Topology>,
    /// In order of definition.
    pub(crate) members: Arc<[Member]>,
}

/// A node, as far as it is known without building.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// What it is called in reports.
    pub(crate) name: String,
    pub(crate) sort: Sort,
    pub(crate) node: NodeIndex,
    pub(crate) provides: Vec<String>,
    /// Each once.
    pub(crate) requires: Vec<String>,
    pub(crate) dedupes: bool,
    /// Where its results are kept in a store, if they are.
    pub(crate) namespace: Option<String>,
    /// What they are known by.
    pub(crate) signature: Option<String>,
}

impl Network {
    /// Its nodes and edges: targets and whoever provides them, requirements.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The event that has a target built, if somebody provides it: for names that come from
    /// outside of the program.
    ///
    /// # Errors
    ///
    /// [`ExplainError::NoProvider`], with the nearest names.
    pub fn resolve(&self, target: &str) -> Result<Event, ExplainError> {
        let provided = |member: &Member| member.provides.iter().any(|provided| provided == target);
        if self.members.iter().any(provided) {
            return Ok(Resolve::target(target));
        }
        let unknown = self.topology.find(target).err();
        let nearest = unknown.map_or_else(Vec::new, |unknown| unknown.nearest);
        Err(ExplainError::NoProvider { target: target.to_owned(), nearest })
    }

    /// The graph, to be drawn as Mermaid, DOT or a tree in text.
    #[must_use]
    pub fn drawing(&self) -> Drawing<'_> {
        Drawing::of(&self.topology)
    }

    /// The same, with what a run's report says of each node: how much it took and made, and what
    /// failed.
    #[must_use]
    pub fn drawing_of(&self, report: &RunReport) -> Drawing<'_> {
        let mut drawing = self.drawing();
        for member in self.members.iter() {
            let Some(counts) = report.processor(&member.name) else { continue };
            drawing.class(member.node, class(counts)).note(member.node, line(counts));
        }
        drawing
    }
}

fn class(counts: &ProcessorReport) -> Class {
    match counts {
        _ if counts.failures > 0 => Class::Err,
        _ if counts.turns == 0 => Class::Waiting,
        _ if counts.replayed > 0 => Class::Reused,
        _ => Class::Ok,
    }
}

fn line(counts: &ProcessorReport) -> String {
    let mut line = format!("{} turns, {} events", counts.turns, counts.emitted);
    for (n, what) in [(counts.replayed, "brought back"), (counts.failures, "failed")] {
        if n > 0 {
            line.push_str(&format!(", {n} {what}"));
        }
    }
    line
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.topology.fmt(f)
    }
}
