//! Owns what can be wrong with a pipe, and with starting a run of it.

use std::fmt;

use selvedge_event::Text;
use selvedge_lineage::RunId;
use selvedge_runtime::{BuildError, RunError as PipelineError, ScopeError};
use selvedge_store::StoreError;
use selvedge_topology::{Place, Problem};
use thiserror::Error;

/// Why a pipe could not be built: everything that is wrong with it.
#[derive(Debug)]
pub struct PipeError(pub(crate) Vec<PipeProblem>);

/// Problems that a message lists.
const LISTED_MAX: usize = 50;

impl PipeError {
    /// One by one.
    #[must_use]
    pub fn list(&self) -> &[PipeProblem] {
        &self.0
    }
}

impl fmt::Display for PipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 { "problem" } else { "problems" };
        write!(f, "the pipe can't be built, {} {noun}", self.0.len())?;
        for problem in self.0.iter().take(LISTED_MAX) {
            write!(f, "\n- {problem}")?;
        }
        match self.0.len().saturating_sub(LISTED_MAX) {
            0 => Ok(()),
            n => write!(f, "\n- and {n} more"),
        }
    }
}

impl std::error::Error for PipeError {}

/// One thing that is wrong with a pipe: what, where, and what to do about it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PipeProblem {
    /// Names or edges.
    #[error(transparent)]
    Topology(Problem),
    /// Steps that come after each other in a circle.
    #[error(
        "{cycle}, at {place}, is a circle: take out an edge, and let the step that decides to go \
         round again jump, with `Control::jump`"
    )]
    Cycle {
        /// The steps, the first of them again at the end.
        cycle: String,
        /// Where the first is defined.
        place: Place,
    },
    /// A switch that leads nowhere.
    #[error("switch `{step}` at {place} has no routes: say where keys lead with `.on(key, step)`")]
    NoRoutes {
        /// The switch.
        step: String,
        /// Where it is defined.
        place: Place,
    },
    /// A switch with two routes for one key.
    #[error("switch `{step}` at {place} has two routes for the key `{key}`: remove one")]
    DuplicateKey {
        /// The switch.
        step: String,
        /// The key.
        key: String,
        /// Where it is defined.
        place: Place,
    },
    /// A step that does items of a map says what comes next.
    #[error(
        "step `{step}` at {place} does the items of map `{map}`, and says what comes next: let the \
         map say that, which goes on after all items"
    )]
    WorkerWithTargets {
        /// The step.
        step: String,
        /// The map.
        map: String,
        /// Where the step is defined.
        place: Place,
    },
    /// A step that does items of a map, and is no plain step.
    #[error(
        "step `{step}` at {place} does the items of map `{map}`, and is a {kind}: plain steps can, \
         that don't ask for the state alone"
    )]
    BadWorker {
        /// The step.
        step: String,
        /// The map.
        map: String,
        /// What it is.
        kind: &'static str,
        /// Where the step is defined.
        place: Place,
    },
    /// A step that does items of a map asks for items of another type.
    #[error(
        "step `{step}` at {place} asks for a `{wanted}`, and the items of map `{map}` are `{made}`"
    )]
    ItemType {
        /// The step.
        step: String,
        /// What it asks for.
        wanted: &'static str,
        /// The map.
        map: String,
        /// What it makes.
        made: &'static str,
        /// Where the step is defined.
        place: Place,
    },
    /// A step asks for an item, and no map starts it.
    #[error(
        "step `{step}` at {place} asks for an item, and no map starts it: make it the step of a \
         map, and let no edge lead to it"
    )]
    ItemOutsideMap {
        /// The step.
        step: String,
        /// Where it is defined.
        place: Place,
    },
    /// A function asks for more than one item, or for an item and the state alone.
    #[error("step `{step}` at {place} asks for {what}")]
    Arguments {
        /// The step.
        step: String,
        /// What it can't have.
        what: &'static str,
        /// Where it is defined.
        place: Place,
    },
    /// Everything waits for something else.
    #[error("no step of pipe `{pipe}` can be the first: an edge leads to each of them")]
    NoRoot {
        /// The pipe.
        pipe: Text,
    },
    /// Several steps could be the first.
    #[error(
        "pipe `{pipe}` has {} first steps, {roots}: say `.several_roots()` if they are to start \
         together, or lead edges to all but one", .n
    )]
    SeveralRoots {
        /// The pipe.
        pipe: Text,
        /// How many.
        n: usize,
        /// Their names.
        roots: String,
    },
    /// A limit of nothing.
    #[error("`{option}` of {what} is zero: allow at least one, or leave it out")]
    Zero {
        /// The option.
        option: &'static str,
        /// Whose it is.
        what: String,
    },
}

/// Why a run did not begin. What fails in a step is in the result instead.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The run is to start at a step that the pipe has not.
    #[error("pipe `{pipe}` has no step `{step}` to start at{hint}")]
    UnknownStep {
        /// The pipe.
        pipe: Text,
        /// The step.
        step: Text,
        /// Names like it, if there are any.
        hint: String,
    },
    /// A join can be reached from where the run is to start, but not all that it waits for.
    #[error(
        "pipe `{pipe}` can't start at `{start}`: `{join}` comes after it and waits for `{parent}`, \
         which doesn't"
    )]
    JoinOutOfReach {
        /// The pipe.
        pipe: Text,
        /// Where the run is to start.
        start: Text,
        /// The join.
        join: Text,
        /// What it waits for.
        parent: Text,
    },
    /// The run can't go on where it stands.
    #[error("pipe `{pipe}` can't go on with a run")]
    Checkpoint {
        /// The pipe.
        pipe: Text,
        /// Why not.
        source: CheckpointError,
    },
    /// Threads can't be had.
    #[error("pipe `{pipe}` can't be carried out")]
    Workers {
        /// The pipe.
        pipe: Text,
        /// Why not.
        source: BuildError,
    },
    /// No thread for a listener.
    #[error("pipe `{pipe}` can't have a listener told")]
    Listener {
        /// The pipe.
        pipe: Text,
        /// Why not.
        source: std::io::Error,
    },
    /// No scope for the run.
    #[error("pipe `{pipe}` can't begin a run")]
    Scope {
        /// The pipe.
        pipe: Text,
        /// Why not.
        source: ScopeError,
    },
    /// What carries out the run has failed.
    #[error("what carries out pipe `{pipe}` has failed")]
    Pipeline {
        /// The pipe.
        pipe: Text,
        /// How.
        source: Box<PipelineError>,
    },
}

/// Why a run does not go on, or where it stands can't be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The pipe keeps no runs.
    #[error("run {run} is kept nowhere that the pipe knows: say `.kept_in(…)` of the pipe")]
    NotKept {
        /// The run.
        run: RunId,
    },
    /// No such run waits.
    #[error("no run {run} waits: it has ended, or was given up, or never was")]
    Unknown {
        /// The run.
        run: RunId,
    },
    /// Somebody goes on with it.
    #[error("somebody goes on with run {run}: wait for its end")]
    Claimed {
        /// The run.
        run: RunId,
    },
    /// It is a run of another pipe.
    #[error("run {run} is one of pipe `{found}`")]
    OtherPipe {
        /// The run.
        run: RunId,
        /// Whose it is.
        found: Text,
    },
    /// The pipe has changed.
    #[error("the pipe is not what it was when run {run} was left:\n{difference}")]
    Changed {
        /// The run.
        run: RunId,
        /// What was, and what is.
        difference: String,
    },
    /// What the run is resumed with can't be written.
    #[error("what run {run} is resumed with can't be written as JSON")]
    Input {
        /// The run.
        run: RunId,
        /// Why not.
        source: serde_json::Error,
    },
    /// What the run is resumed with is not what the step that comes next asks for.
    #[error("run {run} is not resumed: step `{step}` comes next, and {reason}")]
    InputType {
        /// The run.
        run: RunId,
        /// The step.
        step: Text,
        /// What is wrong with it.
        reason: String,
    },
    /// The state, or the items of a map, can't be written.
    #[error("where run {run} stands can't be written as JSON")]
    Unwritten {
        /// The run.
        run: RunId,
        /// Why not.
        source: serde_json::Error,
    },
    /// What was written is no state or no items of the types that the pipe has.
    #[error("where run {run} stands can't be read")]
    Unread {
        /// The run.
        run: RunId,
        /// Why not.
        source: serde_json::Error,
    },
    /// An entry in the list of runs that wait can't be read.
    #[error("an entry of the runs that wait can't be read")]
    List {
        /// Why not.
        source: serde_json::Error,
    },
    /// It was written by a later version.
    #[error("run {run} was left in format {found}, and this version knows {known}: update it")]
    Format {
        /// The run.
        run: RunId,
        /// What was written.
        found: u32,
        /// What is known.
        known: u32,
    },
    /// The store failed.
    #[error("the store of runs that wait failed")]
    Store(#[from] StoreError),
}
