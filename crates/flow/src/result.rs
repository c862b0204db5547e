//! Owns what came of a run.

use std::fmt;
use std::sync::Arc;

use selvedge_event::{Outcome as Ending, Text};
use selvedge_lineage::{Record, RunId};

use crate::error::ValueError;
use crate::input::Node;
use crate::outcome::{Failure, Outcome};
use crate::plan::Plan;
use crate::run::{Execution, State};
use crate::value::Value;

/// What came of a run: the values of nodes that nobody reads or that were asked for, what became of
/// the others, and the records.
#[derive(Debug)]
pub struct RunResult {
    plan: Arc<Plan>,
    run: RunId,
    states: Vec<State>,
    records: Vec<Record>,
}

/// What became of a node. See [`RunResult::nodes`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeEnd {
    /// The node's id.
    pub id: Text,
    /// How it ended; none if it did not run.
    pub ending: Option<Ending>,
}

impl RunResult {
    pub(crate) fn new(execution: &Execution) -> RunResult {
        let (states, records) = execution.take();
        RunResult { plan: Arc::clone(&execution.plan), run: execution.run, states, records }
    }

    /// The run's id.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Whether no node failed but optional ones, and all that was asked for came to its end. What
    /// was skipped does not fail a run.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        let mut states = self.states.iter().zip(&self.plan.nodes);
        states.all(|(state, node)| match state {
            State::Ended(Outcome::Err(_)) => node.options.optional,
            State::Waiting => false,
            State::Unwanted | State::Dropped | State::Ended(_) => true,
        })
    }

    /// The value of a node.
    ///
    /// # Errors
    ///
    /// [`ValueError`], when there is none.
    pub fn value<T: Value>(&self, node: Node<T>) -> Result<&T, ValueError> {
        let flow = || self.plan.name.clone();
        let state = self.state(node).ok_or_else(|| ValueError::ForeignHandle { flow: flow() })?;
        let node = || self.plan.node(node.idx).id.clone();
        match state {
            State::Ended(Outcome::Ok(value)) => {
                value.seen_as().ok_or_else(|| ValueError::ForeignHandle { flow: flow() })
            }
            State::Ended(Outcome::Err(failure)) => {
                Err(ValueError::Failed { node: node(), failure: failure.clone() })
            }
            State::Ended(Outcome::Skipped(skip)) => {
                Err(ValueError::Skipped { node: node(), skip: skip.clone() })
            }
            State::Dropped => Err(ValueError::Dropped { node: node() }),
            State::Unwanted => Err(ValueError::NotRun { node: node(), why: "nobody asked for it" }),
            State::Waiting => Err(ValueError::NotRun { node: node(), why: "the run ended before" }),
        }
    }

    /// How a node ended.
    ///
    /// # Panics
    ///
    /// If the handle is of another flow, or the node did not run: ask [`nodes`](Self::nodes).
    #[must_use]
    pub fn outcome<T: Value>(&self, node: Node<T>) -> Outcome<()> {
        match self.state(node) {
            Some(State::Ended(outcome)) => outcome.clone().map(|_| ()),
            Some(State::Dropped) => Outcome::Ok(()),
            other => panic!("{node:?} did not run in this run: {other:?}"),
        }
    }

    fn state<T>(&self, node: Node<T>) -> Option<&State> {
        if node.flow == self.plan.id { self.states.get(node.idx as usize) } else { None }
    }

    /// What became of each node, in the order of definition.
    pub fn nodes(&self) -> impl Iterator<Item = NodeEnd> + '_ {
        self.plan.nodes.iter().zip(&self.states).map(|(node, state)| {
            let ending = match state {
                State::Ended(outcome) => Some(outcome.ending()),
                State::Dropped => Some(Ending::Succeeded),
                State::Waiting | State::Unwanted => None,
            };
            NodeEnd { id: node.id.clone(), ending }
        })
    }

    /// Why nodes failed, those of optional ones included, in the order of definition.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> + '_ {
        self.states.iter().filter_map(|state| match state {
            State::Ended(Outcome::Err(failure)) => Some(failure),
            State::Ended(_) | State::Waiting | State::Unwanted | State::Dropped => None,
        })
    }

    /// What was computed, of what, with which code: one record per node that ended, as they did.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

impl fmt::Display for RunResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.succeeded() { "succeeded" } else { "failed" };
        writeln!(f, "{} {verdict}, run {}", self.plan.name, self.run)?;
        for NodeEnd { id, ending } in self.nodes() {
            match ending {
                Some(ending) => writeln!(f, "  {id}: {ending}")?,
                None => writeln!(f, "  {id}: did not run")?,
            }
        }
        Ok(())
    }
}
