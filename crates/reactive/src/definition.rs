//! Owns what a graph knows of a node before it is installed: what it provides and requires, where
//! that was said, and how it becomes a processor. Refuses to check it: that is `check`'s.

use std::fmt;

use selvedge_event::Signature;
use selvedge_runtime::PipelineBuilder;
use selvedge_topology::Place;

use crate::graph::Reactive;
use crate::requires::Requirement;
use crate::target::{ArtifactType, Target};
use crate::title::Title;

/// What can be added to a graph: a [`Builder`](crate::Builder), a [`Source`](crate::Source), a
/// [`Node`](crate::OperatorNode) of an operator.
pub trait Define {
    /// What is handed back: the target that it provides, if it provides one.
    type Handle;

    /// Adds it.
    fn define(self, graph: &mut Reactive) -> Self::Handle;
}

/// What ends a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Until {
    /// That nothing new comes round: the builder leaves out inputs that it has built from before.
    NothingNew,
    /// That the builder has built so often; what comes after that is left out.
    Builds(u64),
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Until::NothingNew => f.write_str("nothing new comes"),
            Until::Builds(n) => write!(f, "{n} builds"),
        }
    }
}

/// What sort of node it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Source,
    /// What makes artifacts of events.
    Entry,
    Builder,
    Once,
    Operator,
    Sink,
}

impl Sort {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Sort::Source => "source",
            Sort::Entry => "events",
            Sort::Builder => "builder",
            Sort::Once => "once",
            Sort::Operator => "operator",
            Sort::Sink => "sink",
        }
    }
}

/// A target as somebody defines it.
#[derive(Clone, Debug)]
pub(crate) struct Provided {
    pub(crate) title: Title,
    pub(crate) artifact: ArtifactType,
    pub(crate) place: Place,
}

impl Provided {
    pub(crate) fn of<T: crate::Artifact>(target: &Target<T>) -> Provided {
        let (title, place) = (target.title().clone(), target.place().clone());
        Provided { title, artifact: ArtifactType::of::<T>(), place }
    }
}

/// A requirement that closes a cycle.
#[derive(Clone, Debug)]
pub(crate) struct Feedback {
    pub(crate) requirement: String,
    pub(crate) until: Until,
    pub(crate) place: Place,
}

/// Adds the processors of a node to a pipeline, as those of the graph of this name.
pub(crate) type Install = Box<dyn FnOnce(PipelineBuilder, &str) -> PipelineBuilder + Send>;

/// A node as a graph knows it.
pub(crate) struct Definition {
    pub(crate) name: Title,
    pub(crate) sort: Sort,
    pub(crate) place: Place,
    pub(crate) provides: Vec<Provided>,
    pub(crate) requires: Vec<Requirement>,
    pub(crate) feedback: Vec<Feedback>,
    /// Whether it leaves out inputs that it has built from before.
    pub(crate) dedupes: bool,
    /// Of one whose results are kept: what they are known by, if anything says so.
    pub(crate) durable: Option<Option<Signature>>,
    pub(crate) install: Install,
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definition")
            .field("name", &self.name.as_str())
            .field("sort", &self.sort)
            .field("provides", &self.provides)
            .field("requires", &self.requires)
            .finish_non_exhaustive()
    }
}
