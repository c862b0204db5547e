//! Owns what can be said of any node of a graph: its name, its failure policy, its place among the
//! others, what it keeps before it starts.

use selvedge_event::Text;
use selvedge_runtime::{FailurePolicy, Journal, PipelineBuilder, Registration};

use crate::node::{Extras, Node, Starts, Wiring, streams};
use crate::operator::{Operator, Ports};
use crate::requires::Requirement;
use crate::title::Title;

/// Artifacts that a node keeps before it starts, unless told otherwise.
pub(crate) const EARLY_MAX: usize = 1 << 20;

/// How a node takes part in its pipeline.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: Title,
    pub(crate) on_failure: FailurePolicy,
    pub(crate) priority: i32,
    pub(crate) limited_by: Option<Text>,
    pub(crate) early_max: usize,
}

impl Settings {
    pub(crate) fn new(name: Title) -> Settings {
        Settings {
            name,
            on_failure: FailurePolicy::default(),
            priority: 0,
            limited_by: None,
            early_max: EARLY_MAX,
        }
    }

    pub(crate) fn named(mut self, name: &str) -> Settings {
        self.name = Title::new(name);
        self
    }

    /// What a node under these terms hears.
    pub(crate) fn wiring(&self, requires: &[Requirement], starts: Starts) -> Wiring {
        Wiring {
            name: self.name.kept(),
            starts,
            streams: streams(requires),
            early_max: self.early_max,
        }
    }

    /// Adds an operator to a pipeline, as a node under these terms.
    pub(crate) fn install<O: Operator>(
        self,
        pipeline: PipelineBuilder,
        wiring: Wiring,
        ports: Ports<O::Made>,
        (operator, extras): (O, Extras<O>),
        journal: Option<&Journal>,
    ) -> PipelineBuilder {
        let is_atomic = operator.is_atomic() || extras.mend.restores();
        let restarts = operator.restarts() || extras.mend.restarts();
        let mut registration = Registration::new(Node::new(wiring, ports, operator, extras))
            .named(self.name.as_str())
            .priority(self.priority)
            .on_failure(self.on_failure);
        if let Some(key) = self.limited_by {
            registration = registration.limited_by(key);
        }
        if let Some(journal) = journal {
            registration = registration.journal(journal);
        }
        if restarts {
            registration = registration.restarting_itself();
        }
        pipeline.processor(if is_atomic { registration.stateless() } else { registration })
    }
}
