//! Owns a flow as it is carried out: dense, immutable, shared by all its runs.

use std::any::TypeId;
use std::fmt;
use std::ops::Range;

use selvedge_event::{Digest, Signature, Text};
use selvedge_topology::Topology;

use crate::body::Body;
use crate::propagation::Policy;
use crate::spec::{Kind, More, Options};
use crate::value::Shared;

/// What runs share.
pub(crate) struct Plan {
    /// The number that handles bear.
    pub(crate) id: u32,
    pub(crate) name: Text,
    /// Parents before children.
    pub(crate) nodes: Vec<NodePlan>,
    inputs: Vec<InputPlan>,
    /// Where the readers of a node begin; one more than there are nodes.
    starts: Vec<u32>,
    /// A child as often as it reads.
    readers: Vec<u32>,
    /// An outer one comes before those within it.
    groups: Vec<Group>,
    pub(crate) topology: Topology,
    /// Whether some nodes go before others.
    pub(crate) has_priorities: bool,
}

/// Nodes that belong together: those from one number on to another.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: Text,
    pub(crate) begin: u32,
    pub(crate) end: u32,
}

pub(crate) struct NodePlan {
    pub(crate) id: Text,
    pub(crate) kind: Kind,
    pub(crate) inputs: Range<u32>,
    pub(crate) body: Box<dyn Body>,
    pub(crate) options: Options,
    /// Code and constants, as far as either is known.
    pub(crate) signature: Option<Signature>,
    /// Brings a kept value back.
    pub(crate) read: fn(&[u8]) -> serde_json::Result<Shared>,
    pub(crate) parameter: Option<Box<Parameter>>,
}

#[derive(Clone, Debug)]
pub(crate) struct InputPlan {
    pub(crate) name: Option<Text>,
    pub(crate) source: PlanSource,
}

#[derive(Clone, Debug)]
pub(crate) enum PlanSource {
    Node { idx: u32, receives: bool },
    Constant(Shared),
    Run,
}

impl InputPlan {
    /// The node that it reads, if it reads one.
    pub(crate) fn node(&self) -> Option<u32> {
        match self.source {
            PlanSource::Node { idx, .. } => Some(idx),
            PlanSource::Constant(_) | PlanSource::Run => None,
        }
    }
}

/// What is known of a parameter.
pub(crate) struct Parameter {
    pub(crate) name: Text,
    pub(crate) type_id: TypeId,
    pub(crate) type_name: &'static str,
    pub(crate) default: Option<Shared>,
    pub(crate) checks: Vec<Check>,
    pub(crate) read: fn(serde_json::Value) -> serde_json::Result<Shared>,
}

/// The user's opinion on a value.
pub(crate) type Check = Box<dyn Fn(&Shared) -> Result<(), String> + Send + Sync>;

impl Parameter {
    /// What is wrong with a value, if anything is.
    pub(crate) fn approve(&self, value: &Shared) -> Result<(), String> {
        self.checks.iter().try_for_each(|check| check(value))
    }
}

impl Options {
    pub(crate) fn code(&self) -> Option<&Signature> {
        self.more.as_deref().and_then(|more| more.code.as_ref())
    }

    pub(crate) fn priority(&self) -> i32 {
        self.more.as_deref().map_or(0, |more| more.priority)
    }

    pub(crate) fn more(&self) -> Option<&More> {
        self.more.as_deref()
    }
}

impl Plan {
    pub(crate) fn new(
        id: u32,
        name: Text,
        nodes: Vec<NodePlan>,
        inputs: Vec<InputPlan>,
        groups: Vec<Group>,
        topology: Topology,
    ) -> Plan {
        // Counting sort: how often each node is read, then where its readers begin.
        let mut starts = vec![0_u32; nodes.len() + 1];
        for parent in inputs.iter().filter_map(InputPlan::node) {
            starts[parent as usize + 1] += 1;
        }
        for idx in 1..starts.len() {
            starts[idx] += starts[idx - 1];
        }
        let mut free = starts.clone();
        let mut readers = vec![0; starts.last().copied().unwrap_or(0) as usize];
        for (node, idx) in nodes.iter().zip(0_u32..) {
            let read = &inputs[node.inputs.start as usize..node.inputs.end as usize];
            for parent in read.iter().filter_map(InputPlan::node) {
                let at = &mut free[parent as usize];
                readers[*at as usize] = idx;
                *at += 1;
            }
        }
        let has_priorities = nodes.iter().any(|node| node.options.priority() != 0);
        Plan { id, name, nodes, inputs, starts, readers, groups, topology, has_priorities }
    }

    pub(crate) fn node(&self, idx: u32) -> &NodePlan {
        &self.nodes[idx as usize]
    }

    pub(crate) fn inputs(&self, idx: u32) -> &[InputPlan] {
        let Range { start, end } = self.node(idx).inputs;
        &self.inputs[start as usize..end as usize]
    }

    /// Who reads a node, as often as it does.
    pub(crate) fn readers(&self, idx: u32) -> &[u32] {
        let [start, end] = [self.starts[idx as usize], self.starts[idx as usize + 1]];
        &self.readers[start as usize..end as usize]
    }

    /// What a node does when a parent has no value for it.
    pub(crate) fn policy(&self, idx: u32) -> Policy {
        if self.node(idx).options.requires_all {
            return Policy::RequireAllParents;
        }
        let mut hears = self.inputs(idx).iter().filter_map(|input| match input.source {
            PlanSource::Node { receives, .. } => Some(receives),
            PlanSource::Constant(_) | PlanSource::Run => None,
        });
        match hears.next() {
            Some(true) if hears.all(|receives| receives) => Policy::ReceiveErrors,
            _ => Policy::SkipIfParentFailed,
        }
    }

    /// What runs are given, by node.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (u32, &Parameter)> {
        let nodes = (0_u32..).zip(&self.nodes);
        nodes.filter_map(|(idx, node)| Some((idx, node.parameter.as_deref()?)))
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<(u32, &Parameter)> {
        self.parameters().find(|(_, parameter)| parameter.name.as_str() == name)
    }

    /// Whether the code of every node is known that has any of its own.
    pub(crate) fn is_known(&self) -> bool {
        let has_code = |kind| !matches!(kind, Kind::Parameter | Kind::Arm);
        self.nodes.iter().all(|node| node.options.code().is_some() || !has_code(node.kind))
    }

    /// What the flow is: ids, kinds, policies, wiring, constants and code of all nodes. Two flows
    /// with one digest do the same, as far as their code is known.
    pub(crate) fn digest(&self) -> Digest {
        let nodes: Vec<_> = (0_u32..)
            .zip(&self.nodes)
            .map(|(idx, node)| {
                let inputs: Vec<_> = self
                    .inputs(idx)
                    .iter()
                    .map(|input| {
                        (
                            input.name.as_ref(),
                            input.node(),
                            matches!(input.source, PlanSource::Node { receives: true, .. }),
                        )
                    })
                    .collect();
                let options = (node.options.optional, node.options.keeps, self.policy(idx));
                (&node.id, node.kind.name(), options, inputs, &node.signature)
            })
            .collect();
        Digest::of(&("selvedge flow 1", nodes)).expect("texts, numbers and digests have digests")
    }

    /// The nodes of this id, or of the groups of this id those that none of their nodes reads.
    pub(crate) fn called(&self, id: &str) -> Vec<u32> {
        if let Some(node) = self.topology.node(id) {
            return vec![node.idx() as u32];
        }
        let groups = self.groups.iter().filter(|group| group.id.as_str() == id);
        let last = |group: &Group| {
            let nodes = group.begin..group.end;
            let is_read = |&reader: &u32| nodes.contains(&reader);
            nodes
                .clone()
                .filter(|&idx| !self.readers(idx).iter().any(is_read))
                .collect::<Vec<u32>>()
        };
        groups.flat_map(last).collect()
    }

    /// What can be asked for, by name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let nodes = self.nodes.iter().map(|node| node.id.as_str());
        nodes.chain(self.groups.iter().map(|group| group.id.as_str()))
    }

    /// Nodes that nobody reads.
    pub(crate) fn terminals(&self) -> impl Iterator<Item = u32> + '_ {
        (0_u32..).take(self.nodes.len()).filter(|&idx| self.readers(idx).is_empty())
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("name", &self.name)
            .field("nodes", &self.nodes.len())
            .finish_non_exhaustive()
    }
}
