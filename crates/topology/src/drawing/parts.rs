//! Owns the order in which nested groups and their nodes are written.

use crate::topology::{GroupIndex, NONE, NodeIndex, Topology};

/// One thing to write, and how deep it is nested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Open(GroupIndex),
    Node(NodeIndex),
    Close,
}

/// Nodes outside of groups first, then group by group, each with its nodes before its inner groups;
/// groups that hold no node at all are left out. The number is the depth.
pub(super) fn parts(topology: &Topology) -> Vec<(usize, Part)> {
    let n_groups = topology.groups.len();
    let mut members: Vec<Vec<NodeIndex>> = vec![Vec::new(); n_groups];
    let mut parts: Vec<(usize, Part)> = Vec::with_capacity(topology.n_nodes());
    for node in topology.nodes() {
        match topology.group(node) {
            Some(group) => members[group.idx()].push(node),
            None => parts.push((0, Part::Node(node))),
        }
    }
    // An outer group has a lower number, so that this goes from the inside out.
    let mut is_used: Vec<bool> = members.iter().map(|members| !members.is_empty()).collect();
    let mut inner: Vec<Vec<u32>> = vec![Vec::new(); n_groups];
    let mut outermost: Vec<u32> = Vec::new();
    for group in (0..n_groups).rev().filter(|&group| topology.groups[group].parent != NONE) {
        is_used[topology.groups[group].parent as usize] |= is_used[group];
    }
    for group in (0..n_groups as u32).rev().filter(|&group| is_used[group as usize]) {
        match topology.groups[group as usize].parent {
            NONE => outermost.push(group),
            parent => inner[parent as usize].push(group),
        }
    }
    // Both lists are in reverse, as a stack wants them.
    let mut open: Vec<(usize, Option<u32>)> =
        outermost.into_iter().map(|group| (0, Some(group))).collect();
    while let Some((depth, group)) = open.pop() {
        let Some(group) = group else {
            parts.push((depth, Part::Close));
            continue;
        };
        parts.push((depth, Part::Open(GroupIndex(group))));
        let nodes = members[group as usize].iter();
        parts.extend(nodes.map(|&node| (depth + 1, Part::Node(node))));
        open.push((depth, None));
        open.extend(inner[group as usize].iter().map(|&inner| (depth + 1, Some(inner))));
    }
    parts
}
