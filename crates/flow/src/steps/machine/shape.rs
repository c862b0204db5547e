//! Owns what the machine knows of a pipe: kinds, edges, joins.

use std::collections::VecDeque;
use std::time::Duration;

/// The steps of a pipe, by number.
#[derive(Debug, Default)]
pub(crate) struct Shape(pub(crate) Vec<StepShape>);

#[derive(Debug)]
pub(crate) struct StepShape {
    pub(crate) kind: ShapeKind,
    /// What starts after it.
    pub(crate) to: Vec<u32>,
    /// Steps with an edge to it, each once.
    pub(crate) parents: Vec<u32>,
    pub(crate) join: Join,
    /// How long it waits for its parents, from the first.
    pub(crate) join_limit: Option<Duration>,
    /// Nothing runs beside it.
    pub(crate) exclusive: bool,
    /// Its place in an order in which parents come first.
    pub(crate) rank: u32,
}

#[derive(Debug)]
pub(crate) enum ShapeKind {
    Step,
    /// Does `each` for every item.
    Map {
        each: u32,
        cap: Option<u32>,
    },
    /// Chooses one of these, each listed once.
    Switch {
        targets: Vec<u32>,
    },
    Sub,
}

/// What a step with several parents waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Join {
    /// All of its parents that were chosen.
    #[default]
    All,
    /// The first of them; it starts again when all have come by.
    Any,
}

impl StepShape {
    /// Where word of its end goes.
    pub(crate) fn targets(&self) -> &[u32] {
        match &self.kind {
            ShapeKind::Switch { targets } => targets,
            _ => &self.to,
        }
    }
}

impl Shape {
    pub(crate) fn step(&self, step: u32) -> &StepShape {
        &self.0[step as usize]
    }

    /// Whether edges lead from one step to another, or they are the same.
    pub(crate) fn leads(&self, from: u32, to: u32) -> bool {
        if self.step(from).rank > self.step(to).rank {
            return false; // Edges go up in rank.
        }
        let mut seen = vec![false; self.0.len()];
        let mut next = VecDeque::from([from]);
        while let Some(step) = next.pop_front() {
            if step == to {
                return true;
            }
            if !std::mem::replace(&mut seen[step as usize], true) {
                next.extend(self.step(step).targets());
            }
        }
        false
    }
}
