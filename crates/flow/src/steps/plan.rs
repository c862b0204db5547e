//! Owns a pipe as it is carried out: dense, immutable, shared by all its runs.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use selvedge_event::{Digest, Signature, Text};
use selvedge_runtime::FailurePolicy;
use selvedge_topology::Topology;

use super::body::StepBody;
use super::machine::{Shape, ShapeKind};

/// What runs share.
pub(crate) struct Plan<S, C> {
    pub(crate) name: Text,
    pub(crate) steps: Vec<StepPlan<S, C>>,
    pub(crate) shape: Shape,
    pub(crate) roots: Vec<u32>,
    pub(crate) topology: Topology,
    pub(crate) on_error: Option<Box<dyn StepBody<S, C>>>,
    pub(crate) on_startup: Vec<Box<dyn StepBody<S, C>>>,
    pub(crate) on_shutdown: Vec<Box<dyn StepBody<S, C>>>,
    pub(crate) concurrency_max: Option<u32>,
    pub(crate) time_limit: Option<Duration>,
    pub(crate) retries_max: u32,
}

pub(crate) struct StepPlan<S, C> {
    pub(crate) name: Text,
    pub(crate) kind: StepKind,
    pub(crate) body: Box<dyn StepBody<S, C>>,
    pub(crate) on_error: Option<Box<dyn StepBody<S, C>>>,
    pub(crate) on_failure: Option<FailurePolicy>,
    pub(crate) time_limit: Option<Duration>,
    pub(crate) code: Option<Signature>,
    /// Of a switch: where keys lead; `None` stops.
    pub(crate) routes: BTreeMap<Text, Option<u32>>,
    /// Of a switch: where all other keys lead.
    pub(crate) otherwise: Option<Option<u32>>,
    /// Of a map: how many items it may have.
    pub(crate) items_max: u32,
    pub(crate) tags: Vec<Text>,
    pub(crate) description: Option<Text>,
}

/// What kind of step it is: how drawings and events show it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepKind {
    /// Does something.
    Step,
    /// Starts a step for each item of a list.
    Map,
    /// Chooses what comes next.
    Switch,
    /// A pipe within the pipe.
    Sub,
}

impl StepKind {
    /// Its name, as drawings and descriptions have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StepKind::Step => "step",
            StepKind::Map => "map",
            StepKind::Switch => "switch",
            StepKind::Sub => "sub",
        }
    }
}

/// What a type is, for those who compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ItemType {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
}

impl<S, C> Plan<S, C> {
    pub(crate) fn step(&self, step: u32) -> &StepPlan<S, C> {
        &self.steps[step as usize]
    }

    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.topology.node(name).map(|node| node.idx() as u32)
    }

    /// What is near to a name that no step has.
    pub(crate) fn hint(&self, name: &str) -> String {
        let names = self.steps.iter().map(|step| step.name.as_str());
        selvedge_topology::suggestion(name, names)
    }

    /// Everything that changes what a pipe does: steps, kinds, edges, keys, joins, limits, code.
    pub(crate) fn digest(&self) -> Digest {
        let names = |steps: &[u32]| -> Vec<&Text> {
            steps.iter().map(|&step| &self.step(step).name).collect()
        };
        let steps: Vec<_> = self
            .steps
            .iter()
            .zip(&self.shape.0)
            .map(|(step, shape)| {
                let routes: Vec<_> = step
                    .routes
                    .iter()
                    .map(|(key, to)| (key, to.map(|to| &self.step(to).name)))
                    .collect();
                let otherwise = step.otherwise.map(|to| to.map(|to| &self.step(to).name));
                let map = match shape.kind {
                    ShapeKind::Map { each, cap } => Some((&self.step(each).name, cap)),
                    _ => None,
                };
                let join = (shape.join as u8, shape.join_limit, shape.exclusive);
                let limits = (step.time_limit, step.items_max, step.on_error.is_some());
                let edges = (names(&shape.to), routes, otherwise, map);
                (&step.name, step.kind.name(), edges, join, limits, &step.code)
            })
            .collect();
        let whole = (self.concurrency_max, self.time_limit, self.on_error.is_some());
        Digest::of(&("selvedge pipe 1", &self.name, steps, names(&self.roots), whole))
            .expect("texts, numbers and digests have digests")
    }
}

impl<S, C> fmt::Debug for Plan<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("name", &self.name)
            .field("steps", &self.steps.len())
            .finish_non_exhaustive()
    }
}
