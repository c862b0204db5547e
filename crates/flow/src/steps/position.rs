//! Owns where a run stands: all that it needs to go on in another process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use selvedge_event::{Digest, Text};
use selvedge_lineage::RunId;
use serde::{Deserialize, Serialize};

use super::event::StepFailure;
use super::extract::Items;
use super::machine::Machine;
use super::plan::Plan;
use super::state::Shares;
use super::sub::Stood;
use crate::value::Value;

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
    /// Of runs within this one that wait, by slot.
    pub(crate) children: BTreeMap<u32, Stood>,
    /// Events until here.
    pub(crate) seq: u64,
    pub(crate) failures: Vec<StepFailure>,
    /// Why it waits.
    pub(crate) reason: Option<String>,
}

/// A position, as it is written.
#[derive(Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) format: u32,
    pub(crate) run: RunId,
    pub(crate) pipe: Text,
    pub(crate) definition: Digest,
    pub(crate) steps: Arc<[String]>,
    state: serde_json::Value,
    pub(crate) machine: Machine,
    items: Vec<(u32, serde_json::Value)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    children: Vec<(u32, Written)>,
    seq: u64,
    failures: Vec<StepFailure>,
    reason: Option<String>,
}

/// The form of what is written.
pub(crate) const FORMAT: u32 = 1;

/// What brings the parts of a position back whose types the steps know.
pub(crate) trait Parts {
    fn items(&self, step: u32, json: serde_json::Value) -> serde_json::Result<Items>;
    fn child(&self, step: u32, written: Written) -> serde_json::Result<Stood>;
}

impl Written {
    pub(crate) fn of<S: Shares + Value>(position: &Position<S>) -> serde_json::Result<Written> {
        let items = position.items.iter();
        let children = position.children.iter();
        Ok(Written {
            format: FORMAT,
            run: position.run,
            pipe: position.pipe.clone(),
            definition: position.definition,
            steps: Arc::clone(&position.steps),
            state: serde_json::to_value(&*position.state)?,
            machine: position.machine.clone(),
            items: items
                .map(|(&slot, items)| Ok((slot, items.to_json()?)))
                .collect::<serde_json::Result<_>>()?,
            children: children
                .map(|(&slot, child)| Ok((slot, child.written()?)))
                .collect::<serde_json::Result<_>>()?,
            seq: position.seq,
            failures: position.failures.clone(),
            reason: position.reason.clone(),
        })
    }

    pub(crate) fn read<S: Shares + Value>(
        self,
        parts: &dyn Parts,
    ) -> serde_json::Result<Position<S>> {
        let machine = self.machine;
        let step = |slot: u32| machine.slot(slot).map_or(u32::MAX, |slot| slot.step);
        let items = self.items.into_iter();
        let children = self.children.into_iter();
        Ok(Position {
            run: self.run,
            pipe: self.pipe,
            definition: self.definition,
            steps: self.steps,
            state: Arc::new(serde_json::from_value(self.state)?),
            items: items
                .map(|(slot, json)| Ok((slot, parts.items(step(slot), json)?)))
                .collect::<serde_json::Result<_>>()?,
            children: children
                .map(|(slot, written)| Ok((slot, parts.child(step(slot), written)?)))
                .collect::<serde_json::Result<_>>()?,
            machine,
            seq: self.seq,
            failures: self.failures,
            reason: self.reason,
        })
    }
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
    /// Of a run that has not begun.
    pub(crate) fn new<C>(plan: &Plan<S, C>, run: RunId, state: S) -> Position<S> {
        Position {
            run,
            pipe: plan.name.clone(),
            definition: plan.digest(),
            steps: Arc::default(),
            state: Arc::new(state),
            machine: Machine::default(),
            items: BTreeMap::new(),
            children: BTreeMap::new(),
            seq: 0,
            failures: Vec::new(),
            reason: None,
        }
    }

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
            children: self.children.clone(),
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
