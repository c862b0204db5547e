//! Order, levels and reach, against their definitions.

use proptest::prelude::*;
use selvedge_topology::{Edge, NodeIndex, Topology};

const N: u32 = 15;

/// A random topology: edges to higher numbers as they are, others as feedback.
fn topology(pairs: &[(u32, u32)]) -> Topology {
    let mut builder = Topology::builder("random");
    let nodes: Vec<NodeIndex> = (0..N).map(|n| builder.node(&format!("n{n}")).index()).collect();
    for (n, &(from, to)) in pairs.iter().enumerate() {
        let mut edge = builder.link(nodes[from as usize], nodes[to as usize]);
        edge.label(&n.to_string());
        if from >= to {
            edge.feedback("a bound");
        }
    }
    builder.build().expect("every cycle has feedback in it")
}

fn naive_reach(pairs: &[(u32, u32)], from: u32) -> Vec<u32> {
    let mut reached = vec![from];
    for _ in 0..N {
        let next = pairs.iter().filter(|(from, _)| reached.contains(from)).map(|&(_, to)| to);
        let next: Vec<u32> = next.collect();
        reached.extend(next);
        reached.sort_unstable();
        reached.dedup();
    }
    reached
}

fn numbers(nodes: impl Iterator<Item = NodeIndex>) -> Vec<u32> {
    let mut numbers: Vec<u32> = nodes.map(NodeIndex::get).collect();
    numbers.sort_unstable();
    numbers
}

proptest! {
    #[test]
    fn walks_reach_what_ways_lead_to(pairs in proptest::collection::vec((0..N, 0..N), 0..30)) {
        let topology = topology(&pairs);
        let turned: Vec<_> = pairs.iter().map(|&(from, to)| (to, from)).collect();
        for node in topology.nodes() {
            let down = naive_reach(&pairs, node.get());
            prop_assert_eq!(&numbers(topology.descendants([node])), &down);
            let set = topology.descendants([node]).into_set();
            prop_assert_eq!(set.iter().map(NodeIndex::get).collect::<Vec<_>>(), down.clone());
            prop_assert_eq!(set.n_nodes(), down.len());
            let left_out = topology.unreachable([node]);
            prop_assert_eq!(left_out.len() + down.len(), topology.n_nodes());
            prop_assert!(left_out.iter().all(|&other| !set.contains(other)));
            let up = naive_reach(&turned, node.get());
            prop_assert_eq!(numbers(topology.ancestors([node])), up);
        }
    }

    #[test]
    fn rows_hold_every_edge_once_both_ways(
        pairs in proptest::collection::vec((0..N, 0..N), 0..30),
    ) {
        let topology = topology(&pairs);
        let mut out: Vec<_> = topology.nodes().flat_map(|node| topology.outgoing(node)).collect();
        let mut into: Vec<_> = topology.nodes().flat_map(|node| topology.incoming(node)).collect();
        out.sort_unstable();
        into.sort_unstable();
        prop_assert!(topology.edges().eq(out) && topology.edges().eq(into));
        for node in topology.nodes() {
            prop_assert!(topology.outgoing(node).all(|edge| topology.edge(edge).from == node));
            prop_assert!(topology.incoming(node).all(|edge| topology.edge(edge).to == node));
            prop_assert!(topology.outgoing(node).is_sorted());
        }
        let levels: Vec<_> = (0..=topology.n_levels()).flat_map(|l| topology.at_level(l)).collect();
        prop_assert!(topology.order().eq(levels));
        let descends = |edge: Edge<'_>| {
            edge.until.is_some() || topology.level(edge.from) < topology.level(edge.to)
        };
        prop_assert!(topology.edges().all(|edge| descends(topology.edge(edge))));
    }

    #[test]
    fn loops_are_who_reaches_itself(pairs in proptest::collection::vec((0..N, 0..N), 0..30)) {
        let topology = topology(&pairs);
        let in_loops = numbers(topology.loops().into_iter().flatten());
        let reaches_itself = |node: NodeIndex| {
            topology.successors(node).any(|next| topology.descendants([next]).any(|to| to == node))
        };
        prop_assert_eq!(in_loops, numbers(topology.nodes().filter(|&node| reaches_itself(node))));
    }
}

#[test]
fn a_walk_goes_by_nearness() {
    let topology = topology(&[(0, 3), (0, 1), (1, 2), (3, 4), (2, 4)]);
    let walk: Vec<u32> = topology.descendants(topology.node("n0")).map(NodeIndex::get).collect();
    assert_eq!(walk, [0, 3, 1, 4, 2]);
    let up: Vec<u32> = topology.ancestors(topology.node("n4")).map(NodeIndex::get).collect();
    assert_eq!(up, [4, 3, 2, 0, 1]);
}
