//! Owns what can be wrong with a flow, with a request, with a run.

use std::fmt;

use selvedge_event::{Digest, DigestError, Text};
use selvedge_lineage::{HistoryError, RunId};
use selvedge_runtime::{BuildError, RunError as PipelineError, ScopeError};
use selvedge_store::StoreError;
use selvedge_topology::{Place, Problem};
use thiserror::Error;

/// Why a flow could not be built: everything that is wrong with it.
#[derive(Debug)]
pub struct DefinitionError(Vec<DefinitionProblem>);

/// Problems that a message lists.
const LISTED_MAX: usize = 50;

impl DefinitionError {
    pub(crate) fn new(mut problems: Vec<DefinitionProblem>) -> DefinitionError {
        let is_taken = |problem: &DefinitionProblem| {
            matches!(problem, DefinitionProblem::Topology(Problem::DuplicateName { .. }))
        };
        if problems.iter().any(is_taken) {
            // Two nodes of one name have their edges in common: that is told once.
            problems.retain(|problem| {
                !matches!(problem, DefinitionProblem::Topology(Problem::DuplicateEdge { .. }))
            });
        }
        DefinitionError(problems)
    }

    /// One by one.
    #[must_use]
    pub fn list(&self) -> &[DefinitionProblem] {
        &self.0
    }
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 { "problem" } else { "problems" };
        write!(f, "the flow can't be built, {} {noun}", self.0.len())?;
        for problem in self.0.iter().take(LISTED_MAX) {
            write!(f, "\n- {problem}")?;
        }
        match self.0.len().saturating_sub(LISTED_MAX) {
            0 => Ok(()),
            n => write!(f, "\n- and {n} more"),
        }
    }
}

impl std::error::Error for DefinitionError {}

/// One thing that is wrong with a flow: what, where, and what to do about it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DefinitionProblem {
    /// Ids or edges.
    #[error(transparent)]
    Topology(Problem),
    /// A node reads something that is none of this flow's nodes.
    #[error(
        "input {at} of node `{node}` at {place} is a handle of another flow: use one that this \
         flow's builder gave, or run the other flow within this one"
    )]
    ForeignHandle {
        /// The node.
        node: String,
        /// Which of its inputs, from 0.
        at: usize,
        /// Where it is defined.
        place: Place,
    },
    /// A parameter that nobody reads.
    #[error("nobody reads `{node}`, defined at {place}: read it, or leave it out")]
    UnusedParameter {
        /// The parameter's id.
        node: String,
        /// Where it is defined.
        place: Place,
    },
    /// A parameter's default that its own check refuses.
    #[error("the default of `{node}`, defined at {place}, is refused by its check: {reason}")]
    BadDefault {
        /// The parameter's id.
        node: String,
        /// What the check says.
        reason: String,
        /// Where it is defined.
        place: Place,
    },
    /// A node is cached, and nothing is known of its code.
    #[error(
        "node `{node}` at {place} is cached, but nothing is known of its code: declare its \
         `version`, or make it of a function with `#[node]`"
    )]
    CachedUnknown {
        /// The node.
        node: String,
        /// Where it is defined.
        place: Place,
    },
    /// A node that is a flow itself does not fit.
    #[error("node `{node}` at {place} can't run a flow: {reason}")]
    SubFlow {
        /// The node.
        node: String,
        /// What does not fit.
        reason: String,
        /// Where it is defined.
        place: Place,
    },
    /// A node without a function, which no executor computes.
    #[error("node `{node}` at {place} has no function: say where it runs, with `runs_on`")]
    NoExecutor {
        /// The node.
        node: String,
        /// Where it is defined.
        place: Place,
    },
    /// A node that a limit lets never pass.
    #[error("node `{node}` at {place} never passes limit `{limit}`, which is 0: raise it")]
    NobodyPasses {
        /// The node.
        node: String,
        /// The limit.
        limit: Text,
        /// Where it is defined.
        place: Place,
    },
    /// A flow within the flow that is to be somewhere else itself, or limited.
    #[error(
        "node `{node}` at {place} runs a flow, and has no {what} of its own: give it to the nodes \
         of that flow"
    )]
    FlowElsewhere {
        /// The node.
        node: String,
        /// What it can't have.
        what: &'static str,
        /// Where it is defined.
        place: Place,
    },
    /// A group can't be called so, or holds nothing.
    #[error("group `{group}` at {place} can't be: {reason}")]
    Group {
        /// The group.
        group: String,
        /// Why not.
        reason: String,
        /// Where it is defined.
        place: Place,
    },
    /// The constants of a node have no digest.
    #[error("the constants of node `{node}` have no digest: {source}")]
    Constants {
        /// The node.
        node: String,
        /// Why not.
        source: DigestError,
    },
    /// A node with more inputs than one can have.
    #[error("node `{node}` at {place} has {inputs} inputs, {max} are allowed: read lists instead")]
    TooManyInputs {
        /// The node.
        node: String,
        /// How many it has.
        inputs: usize,
        /// How many it may have.
        max: usize,
        /// Where it is defined.
        place: Place,
    },
}

/// Why a run did not begin, or came to no result. What fails in a node is in the result instead.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The request names a parameter that the flow has not.
    #[error("flow `{flow}` has no parameter `{name}`{hint}")]
    UnknownParameter {
        /// The flow.
        flow: Text,
        /// The name.
        name: Text,
        /// Names like it, if there are any.
        hint: String,
    },
    /// A parameter without a default was not given.
    #[error("parameter `{name}` of flow `{flow}` is missing: give it a value in the request")]
    MissingParameter {
        /// The flow.
        flow: Text,
        /// The parameter.
        name: Text,
    },
    /// A parameter was given as something else.
    #[error("parameter `{name}` of flow `{flow}` is a `{wanted}`, and {found}")]
    ParameterType {
        /// The flow.
        flow: Text,
        /// The parameter.
        name: Text,
        /// Its type.
        wanted: &'static str,
        /// What was given.
        found: String,
    },
    /// A parameter's check refused what was given.
    #[error("parameter `{name}` of flow `{flow}` {reason}")]
    ParameterRefused {
        /// The flow.
        flow: Text,
        /// The parameter.
        name: Text,
        /// What the check says.
        reason: String,
    },
    /// The request asks for a node that the flow has not.
    #[error("flow `{flow}` has no node `{node}` to ask for{hint}")]
    UnknownNode {
        /// The flow.
        flow: Text,
        /// The id.
        node: Text,
        /// Ids like it, if there are any.
        hint: String,
    },
    /// There is nothing to do.
    #[error("nothing of flow `{flow}` is asked for: add a node, or name one in the request")]
    NothingWanted {
        /// The flow.
        flow: Text,
    },
    /// The flow has no journal to look into.
    #[error("flow `{flow}` has no journal that knows of run {run}: give it one with `in_journal`")]
    NoJournal {
        /// The flow.
        flow: Text,
        /// The run that was asked about.
        run: RunId,
    },
    /// The journal does not know the run.
    #[error("the journal knows no run {run} of flow `{flow}`{hint}")]
    UnknownRun {
        /// The flow.
        flow: Text,
        /// The run.
        run: RunId,
        /// What else it may be.
        hint: String,
    },
    /// A parameter of a past run is not kept any more.
    #[error(
        "parameter `{name}` of run {run} of flow `{flow}` is not kept any more: give it a value in \
         the request"
    )]
    ParameterGone {
        /// The flow.
        flow: Text,
        /// The run.
        run: RunId,
        /// The parameter.
        name: Text,
    },
    /// The journal could not be written or read.
    #[error("the journal of flow `{flow}` failed")]
    Journal {
        /// The flow.
        flow: Text,
        /// Why.
        source: JournalError,
    },
    /// The pipeline that was to carry it out could not be built.
    #[error("no workers for flow `{flow}`")]
    Workers {
        /// The flow.
        flow: Text,
        /// Why.
        source: BuildError,
    },
    /// The run's scope could not be opened.
    #[error("no scope for flow `{flow}`")]
    Scope {
        /// The flow.
        flow: Text,
        /// Why.
        source: ScopeError,
    },
    /// A listener of its events has no thread.
    #[error("no thread for a listener of flow `{flow}`: ask for `RunHandle::events` instead")]
    Listener {
        /// The flow.
        flow: Text,
        /// Why.
        source: std::io::Error,
    },
    /// The pipeline that carried it out failed.
    #[error("what carries out flow `{flow}` failed")]
    Pipeline {
        /// The flow.
        flow: Text,
        /// Why.
        source: Box<PipelineError>,
    },
}

/// Why something could not be written into a journal, or read from it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The history refused or failed.
    #[error("the journal's history failed")]
    History(#[from] HistoryError),
    /// The store refused or failed.
    #[error("the journal's store failed")]
    Store(#[from] StoreError),
    /// A value can't be written as JSON, or read.
    #[error("value {digest} can't be kept in the journal")]
    Value {
        /// Which value.
        digest: Digest,
        /// Why not.
        source: serde_json::Error,
    },
}

/// Why there is no value to be had of a node.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The node failed.
    #[error("there is no value of `{node}`: {failure}")]
    Failed {
        /// The node.
        node: Text,
        /// Why.
        failure: crate::Failure,
    },
    /// The node was skipped.
    #[error("there is no value of `{node}`: it was skipped, {skip}")]
    Skipped {
        /// The node.
        node: Text,
        /// Why.
        skip: crate::Skip,
    },
    /// The node did not run.
    #[error("there is no value of `{node}`: it did not run, {why}")]
    NotRun {
        /// The node.
        node: Text,
        /// Why not.
        why: &'static str,
    },
    /// The node's value was dropped when its last reader had read it.
    #[error(
        "the value of `{node}` was dropped when its last reader had read it: `keep` it, or ask for \
         the node in the request"
    )]
    Dropped {
        /// The node.
        node: Text,
    },
    /// The handle is not one of the flow that ran.
    #[error("the handle is of another flow than `{flow}`")]
    ForeignHandle {
        /// The flow that ran.
        flow: Text,
    },
}
