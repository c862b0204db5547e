//! Owns what came of a run.

use std::fmt;
use std::sync::Arc;

use selvedge_event::{Outcome as Ending, Text};
use selvedge_lineage::{Record, RunId};

use crate::error::ValueError;
use crate::input::Node;
use crate::outcome::{Failure, Outcome};
use crate::plan::Plan;
use crate::run::{Execution, Remains, State};
use crate::stream::Heard;
use crate::value::Value;

/// What came of a run: the values of nodes that nobody reads or that were asked for, what became of
/// the others, and the records.
#[derive(Debug)]
pub struct RunResult {
    plan: Arc<Plan>,
    run: RunId,
    remains: Remains,
}

/// What became of a node. See [`RunResult::nodes`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeEnd {
    /// The node's id.
    pub id: Text,
    /// How it ended; none if it did not run.
    pub ending: Option<Ending>,
    /// The run that had computed its value, if this one has not.
    pub reused: Option<RunId>,
}

impl RunResult {
    pub(crate) fn new(execution: &Execution) -> RunResult {
        let plan = Arc::clone(&execution.plan);
        RunResult { plan, run: execution.run, remains: execution.take() }
    }

    /// How the run ended: it failed if a node failed that is not optional.
    #[must_use]
    pub fn ending(&self) -> &Ending {
        &self.remains.ending
    }

    /// Why something could not be written into the journal, if that was to be a warning.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.remains.warning.as_deref()
    }

    /// What became of the request's [listeners](crate::Request::listener), in its order.
    #[must_use]
    pub fn listeners(&self) -> &[Heard] {
        &self.remains.heard
    }

    /// The run whose value of a node this one has taken, if it has not computed it.
    #[must_use]
    pub fn reused<T>(&self, node: Node<T>) -> Option<RunId> {
        if node.flow == self.plan.id { self.reused_at(node.idx) } else { None }
    }

    fn reused_at(&self, idx: u32) -> Option<RunId> {
        let reused = &self.remains.reused;
        let at = reused.binary_search_by_key(&idx, |(node, _)| *node).ok()?;
        Some(reused[at].1)
    }

    pub(crate) fn is_of(&self, flow: &crate::Flow) -> bool {
        flow.shared_plan().id == self.plan.id
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
        *self.ending() == Ending::Succeeded
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
        if node.flow == self.plan.id { self.remains.states.get(node.idx as usize) } else { None }
    }

    /// What became of each node, in the order of definition.
    pub fn nodes(&self) -> impl Iterator<Item = NodeEnd> + '_ {
        let states = self.plan.nodes.iter().zip(&self.remains.states).zip(0_u32..);
        states.map(|((node, state), idx)| {
            let ending = match state {
                State::Ended(outcome) => Some(outcome.ending()),
                State::Dropped => Some(Ending::Succeeded),
                State::Waiting | State::Unwanted => None,
            };
            NodeEnd { id: node.id.clone(), ending, reused: self.reused_at(idx) }
        })
    }

    /// Why nodes failed, those of optional ones included, in the order of definition.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> + '_ {
        self.remains.states.iter().filter_map(|state| match state {
            State::Ended(Outcome::Err(failure)) => Some(failure),
            State::Ended(_) | State::Waiting | State::Unwanted | State::Dropped => None,
        })
    }

    /// What was computed, of what, with which code: one record per node that ended,
    /// as they did. With a [journal](crate::Flow::in_journal) they are in its history instead.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.remains.records
    }
}

impl fmt::Display for RunResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}, run {}", self.plan.name, self.ending(), self.run)?;
        for NodeEnd { id, ending, reused } in self.nodes() {
            match (ending, reused) {
                (Some(ending), None) => writeln!(f, "  {id}: {ending}")?,
                (Some(ending), Some(run)) => writeln!(f, "  {id}: {ending}, from run {run}")?,
                (None, _) => writeln!(f, "  {id}: did not run")?,
            }
        }
        Ok(())
    }
}
