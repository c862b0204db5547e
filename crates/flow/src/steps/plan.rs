//! Owns a pipe as it is carried out: dense, immutable, shared by all its runs.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use selvedge_event::{Digest, Signature, Text};
use selvedge_runtime::FailurePolicy;
use selvedge_topology::Topology;

use super::body::StepBody;
use super::extract::{CheckInput, Items};
use super::machine::{Join, Shape, ShapeKind, StepShape};
use super::position::{Parts, Written};
use super::sub::{Stood, SubPlan};

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
    /// Once it was asked for.
    pub(crate) digest: OnceLock<Digest>,
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
    /// Of a map: how many items it may have, and how they are read.
    pub(crate) items_max: u32,
    pub(crate) read_items: Option<ReadItems>,
    /// Of a pipe within this one.
    pub(crate) sub: Option<Arc<dyn SubPlan<S, C>>>,
    /// What it asks of what the run is resumed with.
    pub(crate) inputs: Vec<CheckInput>,
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

/// Brings the items of a map back.
pub(crate) type ReadItems = fn(serde_json::Value) -> serde_json::Result<Items>;

/// What a type is, for those who compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ItemType {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
}

/// What a pipe is. It serializes as a description of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Described {
    /// Its name.
    pub name: Text,
    /// What its runs are resumed with is told by it.
    pub digest: Digest,
    /// Steps that start first.
    pub roots: Vec<Text>,
    /// In the order of definition.
    pub steps: Vec<DescribedStep>,
}

/// What a step is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct DescribedStep {
    /// Its name.
    pub name: Text,
    /// What kind of step it is.
    pub kind: StepKind,
    /// What comes after it; of a switch, wherever keys lead.
    pub targets: Vec<Text>,
    /// Of a switch: keys and where they lead; nothing stops.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<Text, Option<Text>>,
    /// Of a map: the step that does its items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<Text>,
    /// What it waits for.
    pub parents: Vec<Text>,
    /// How long an attempt may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<Duration>,
    /// Whether it has a handler of its own.
    pub has_handler: bool,
    /// What was said of it for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// Likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Text>,
}

impl<S, C> Plan<S, C> {
    pub(crate) fn describe(&self) -> Described {
        let names = |steps: &[u32]| -> Vec<Text> {
            steps.iter().map(|&step| self.step(step).name.clone()).collect()
        };
        let steps = self.steps.iter().zip(&self.shape.0).map(|(step, shape)| DescribedStep {
            name: step.name.clone(),
            kind: step.kind,
            targets: names(shape.targets()),
            routes: (step.routes.iter())
                .map(|(key, to)| (key.clone(), to.map(|to| self.step(to).name.clone())))
                .collect(),
            each: match shape.kind {
                ShapeKind::Map { each, .. } => Some(self.step(each).name.clone()),
                _ => None,
            },
            parents: names(&shape.parents),
            time_limit: step.time_limit,
            has_handler: step.on_error.is_some(),
            description: step.description.clone(),
            tags: step.tags.clone(),
        });
        Described {
            name: self.name.clone(),
            digest: self.digest(),
            roots: names(&self.roots),
            steps: steps.collect(),
        }
    }

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

    /// What it is, a line per step.
    pub(crate) fn lines(&self) -> Arc<[String]> {
        let name = |step: u32| self.step(step).name.as_str();
        let line = |(step, shape): (&StepPlan<S, C>, &StepShape)| {
            let mut line = format!("{} ({})", step.name, step.kind.name());
            for &to in &shape.to {
                line += &format!(" -> {}", name(to));
            }
            for (key, to) in &step.routes {
                line += &format!(", on {key} -> {}", to.map_or("stop", name));
            }
            if let Some(to) = step.otherwise {
                line += &format!(", otherwise -> {}", to.map_or("stop", name));
            }
            if let ShapeKind::Map { each, .. } = shape.kind {
                line += &format!(", each {}", name(each));
            }
            if shape.parents.len() > 1 && shape.join == Join::Any {
                line += ", after any";
            }
            line
        };
        self.steps.iter().zip(&self.shape.0).map(line).collect()
    }

    /// Everything that changes what a pipe does: steps, kinds, edges, keys, joins, limits, code.
    pub(crate) fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| self.computed_digest())
    }

    fn computed_digest(&self) -> Digest {
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
                let sub = step.sub.as_ref().map(|sub| sub.digest());
                (&step.name, step.kind.name(), edges, join, limits, (&step.code, sub))
            })
            .collect();
        let whole = (self.concurrency_max, self.time_limit, self.on_error.is_some());
        Digest::of(&("selvedge pipe 1", &self.name, steps, names(&self.roots), whole))
            .expect("texts, numbers and digests have digests")
    }
}

impl<S, C> Parts for Plan<S, C> {
    fn items(&self, step: u32, json: serde_json::Value) -> serde_json::Result<Items> {
        match self.steps.get(step as usize).and_then(|step| step.read_items) {
            Some(read) => read(json),
            None => Err(serde::de::Error::custom("items of a step that is no map")),
        }
    }

    fn child(&self, step: u32, written: Written) -> serde_json::Result<Stood> {
        match self.steps.get(step as usize).and_then(|step| step.sub.as_ref()) {
            Some(sub) => sub.read(written),
            None => Err(serde::de::Error::custom("a run within a step that is no pipe")),
        }
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
