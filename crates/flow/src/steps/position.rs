//! Owns where a run stands: all that it needs to go on in another process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use selvedge_event::{Digest, Text};
use selvedge_lineage::RunId;

use super::event::StepFailure;
use super::extract::Items;
use super::machine::Machine;

/// Where a run stands.
pub(crate) struct Position<S> {
    pub(crate) run: RunId,
    pub(crate) pipe: Text,
    /// What the pipe was.
    pub(crate) definition: Digest,
    /// The same for people, a line per step.
    pub(crate) steps: Arc<[String]>,
    pub(crate) state: Arc<S>,
    pub(crate) machine: Machine,
    /// Of maps that are under way, by slot.
    pub(crate) items: BTreeMap<u32, Items>,
    /// Events until here.
    pub(crate) seq: u64,
    pub(crate) failures: Vec<StepFailure>,
    /// Why it waits.
    pub(crate) reason: Option<String>,
}

/// What decides whether a pipe can go on with a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left<'p> {
    pub(crate) run: RunId,
    pub(crate) pipe: &'p Text,
    pub(crate) definition: &'p Digest,
    pub(crate) steps: &'p [String],
    pub(crate) machine: &'p Machine,
}

impl<S> Position<S> {
    pub(crate) fn left(&self) -> Left<'_> {
        Left {
            run: self.run,
            pipe: &self.pipe,
            definition: &self.definition,
            steps: &self.steps,
            machine: &self.machine,
        }
    }
}

impl<S> Clone for Position<S> {
    fn clone(&self) -> Position<S> {
        Position {
            run: self.run,
            pipe: self.pipe.clone(),
            definition: self.definition,
            steps: Arc::clone(&self.steps),
            state: Arc::clone(&self.state),
            machine: self.machine.clone(),
            items: self.items.clone(),
            seq: self.seq,
            failures: self.failures.clone(),
            reason: self.reason.clone(),
        }
    }
}

impl<S> fmt::Debug for Position<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Position").field("run", &self.run).finish_non_exhaustive()
    }
}

/// What is different between two definitions, for people; at most so many lines.
pub(crate) fn difference(before: &[String], after: &[String]) -> String {
    /// Lines that a message shows.
    const SHOWN_MAX: usize = 10;
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    let mut lines: Vec<String> = gone.chain(new).collect();
    let n = lines.len();
    lines.truncate(SHOWN_MAX);
    if n > SHOWN_MAX {
        lines.push(format!("and {} more", n - SHOWN_MAX));
    }
    if n == 0 {
        // Code alone, or what is said of the pipe as a whole.
        lines.push("the code or the options of a step, or of the pipe".to_owned());
    }
    lines.join("\n")
}
