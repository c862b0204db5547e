//! Owns cycles: which nodes are entangled in them, and a short cycle to show of each tangle.

use crate::graph::Graph;

/// Which edges count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// All of them.
    Every,
    /// All but those that are declared feedback.
    Forward,
}

impl Follow {
    fn edges(self, graph: &Graph, node: u32) -> impl Iterator<Item = u32> {
        let edges = graph.out.of(node).iter().copied();
        edges.filter(move |&edge| self == Follow::Every || !graph.ends(edge).is_feedback)
    }
}

const UNSEEN: u32 = u32::MAX;

/// The strongly connected components that hold a cycle (more than one node, or an edge from a node
/// to itself), each sorted, by their first nodes. Linear.
///
/// R. Tarjan, *Depth-first search and linear graph algorithms*, SIAM J. Comput. 1(2), 1972, with a
/// stack of its own instead of recursion.
pub(crate) fn tangles(graph: &Graph, follow: Follow) -> Vec<Vec<u32>> {
    let n_nodes = graph.n_nodes as usize;
    let mut seen = vec![UNSEEN; n_nodes];
    let mut lowest = vec![UNSEEN; n_nodes];
    // Seen, and not yet in a component.
    let mut open: Vec<u32> = Vec::new();
    let mut is_open = vec![false; n_nodes];
    let mut visits: Vec<(u32, usize)> = Vec::new();
    let mut n_seen = 0;
    let mut found = Vec::new();
    for root in 0..graph.n_nodes {
        if seen[root as usize] != UNSEEN {
            continue;
        }
        visits.push((root, 0));
        while let Some((node, next_edge)) = visits.last_mut() {
            let node = *node;
            let node_idx = node as usize;
            if seen[node_idx] == UNSEEN {
                (seen[node_idx], lowest[node_idx]) = (n_seen, n_seen);
                n_seen += 1;
                open.push(node);
                is_open[node_idx] = true;
            }
            if let Some(&edge) = graph.out.of(node).get(*next_edge) {
                *next_edge += 1;
                let ends = graph.ends(edge);
                let to = ends.to as usize;
                if follow == Follow::Forward && ends.is_feedback {
                    continue;
                }
                if seen[to] == UNSEEN {
                    visits.push((ends.to, 0));
                } else if is_open[to] {
                    lowest[node_idx] = lowest[node_idx].min(seen[to]);
                }
                continue;
            }
            visits.pop();
            if let Some(&(parent, _)) = visits.last() {
                let parent = parent as usize;
                lowest[parent] = lowest[parent].min(lowest[node_idx]);
            }
            if lowest[node_idx] == seen[node_idx] {
                let begin = open.iter().rposition(|&other| other == node);
                let begin = begin.expect("a node stays open until its component is closed");
                let members = open.split_off(begin);
                for &member in &members {
                    is_open[member as usize] = false;
                }
                let alone = members.len() == 1;
                if !alone || follow.edges(graph, node).any(|edge| graph.ends(edge).to == node) {
                    found.push(members);
                }
            }
        }
    }
    for members in &mut found {
        members.sort_unstable();
    }
    found.sort_unstable_by_key(|members| members[0]);
    found
}

/// How many edges the search for a shortest cycle may look at beyond a few times those of the
/// tangle: enough to be exact in small ones.
const EXTRA_EDGES: usize = 10_000;

/// Finds short cycles; keeps its tables from tangle to tangle.
#[derive(Debug)]
pub(crate) struct ShortCycles<'g> {
    graph: &'g Graph,
    follow: Follow,
    /// Which tangle a node is in, from 1.
    tangle: Vec<u32>,
    n_tangles: u32,
    /// Which search has seen a node last.
    search: Vec<u32>,
    n_searches: u32,
    /// The edge by which it was reached.
    reached_by: Vec<u32>,
}

impl<'g> ShortCycles<'g> {
    pub(crate) fn new(graph: &'g Graph, follow: Follow) -> ShortCycles<'g> {
        let n_nodes = graph.n_nodes as usize;
        ShortCycles {
            graph,
            follow,
            tangle: vec![0; n_nodes],
            n_tangles: 0,
            search: vec![0; n_nodes],
            n_searches: 0,
            reached_by: vec![0; n_nodes],
        }
    }

    /// The edges of a shortest cycle through one of the first members, from its lowest node on. It
    /// is a shortest of the whole tangle if that is small: each member is tried as long as the work
    /// stays within four times the tangle's edges and a little more.
    pub(crate) fn of(&mut self, members: &[u32]) -> Vec<u32> {
        self.n_tangles += 1;
        let mut n_edges = 0;
        for &member in members {
            self.tangle[member as usize] = self.n_tangles;
            n_edges += self.graph.out.of(member).len();
        }
        let mut work_left = 4 * n_edges + EXTRA_EDGES;
        let mut best: Option<Vec<u32>> = None;
        for &member in members {
            let length_max = best.as_ref().map_or(usize::MAX, |best| best.len() - 1);
            if let Some(cycle) = self.through(member, length_max, &mut work_left) {
                best = Some(cycle);
            }
            let shortest = best.as_ref().is_some_and(|best| best.len() == 1);
            if shortest || work_left == 0 {
                break;
            }
        }
        let mut cycle = best.expect("there is a cycle through every node of a tangle");
        let lowest = (0..cycle.len()).min_by_key(|&at| self.graph.ends(cycle[at]).from);
        cycle.rotate_left(lowest.unwrap_or(0));
        cycle
    }

    /// The edges of a shortest cycle through a node, by breadth first, if it has at most so many.
    /// The first search of a tangle always ends: a pass over its edges is within the budget.
    fn through(
        &mut self,
        start: u32,
        length_max: usize,
        work_left: &mut usize,
    ) -> Option<Vec<u32>> {
        self.n_searches += 1;
        let mut layer = vec![start];
        let mut length = 0;
        while !layer.is_empty() && length < length_max {
            length += 1;
            let mut next = Vec::new();
            for &node in &layer {
                for edge in self.follow.edges(self.graph, node) {
                    *work_left = work_left.checked_sub(1)?;
                    let to = self.graph.ends(edge).to;
                    if to == start {
                        return Some(self.way_back(start, edge));
                    }
                    let to_idx = to as usize;
                    let inside = self.tangle[to_idx] == self.n_tangles;
                    if inside && self.search[to_idx] != self.n_searches {
                        self.search[to_idx] = self.n_searches;
                        self.reached_by[to_idx] = edge;
                        next.push(to);
                    }
                }
            }
            layer = next;
        }
        None
    }

    fn way_back(&self, start: u32, last: u32) -> Vec<u32> {
        let mut edges = vec![last];
        let mut node = self.graph.ends(last).from;
        while node != start {
            let edge = self.reached_by[node as usize];
            edges.push(edge);
            node = self.graph.ends(edge).from;
        }
        edges.reverse();
        edges
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::graph;

    const N: u32 = 12;

    /// Who reaches whom by at least one edge, by Warshall's three loops.
    fn reach(pairs: &[(u32, u32)]) -> Vec<Vec<bool>> {
        let n = N as usize;
        let mut reach = vec![vec![false; n]; n];
        for &(from, to) in pairs {
            reach[from as usize][to as usize] = true;
        }
        for via in 0..n {
            for from in 0..n {
                for to in 0..n {
                    reach[from][to] |= reach[from][via] && reach[via][to];
                }
            }
        }
        reach
    }

    fn naive_tangles(pairs: &[(u32, u32)]) -> Vec<Vec<u32>> {
        let reach = reach(pairs);
        let mutual =
            |a: u32, b: u32| reach[a as usize][b as usize] && reach[b as usize][a as usize];
        let firsts = (0..N).filter(|&a| mutual(a, a) && !(0..a).any(|b| mutual(a, b)));
        firsts.map(|a| (0..N).filter(|&b| mutual(a, b)).collect()).collect()
    }

    /// The length of the shortest cycle through any of these, by powers of the adjacency matrix.
    fn naive_shortest(pairs: &[(u32, u32)], members: &[u32]) -> usize {
        let closes = |start: u32| {
            let mut at = vec![start];
            (1..=N as usize).find(|_| {
                let next = pairs.iter().filter(|(from, _)| at.contains(from)).map(|&(_, to)| to);
                at = next.collect();
                at.contains(&start)
            })
        };
        members.iter().filter_map(|&member| closes(member)).min().unwrap_or(usize::MAX)
    }

    proptest! {
        #[test]
        fn tangles_are_those_of_the_definition(
            pairs in proptest::collection::vec((0..N, 0..N), 0..30),
        ) {
            let graph = graph(N, &pairs);
            let tangles = tangles(&graph, Follow::Forward);
            prop_assert_eq!(&tangles, &naive_tangles(&pairs));
            let mut short = ShortCycles::new(&graph, Follow::Forward);
            for members in &tangles {
                let cycle = short.of(members);
                prop_assert_eq!(cycle.len(), naive_shortest(&pairs, members));
                for (at, &edge) in cycle.iter().enumerate() {
                    let next = cycle[(at + 1) % cycle.len()];
                    prop_assert_eq!(graph.ends(edge).to, graph.ends(next).from);
                    prop_assert!(members.contains(&graph.ends(edge).from));
                }
            }
        }
    }

    #[test]
    fn a_long_ring_is_found_without_recursion() {
        let n = 100_000;
        let pairs: Vec<_> = (0..n).map(|node| (node, (node + 1) % n)).collect();
        let graph = graph(n, &pairs);
        let tangles = tangles(&graph, Follow::Every);
        assert_eq!(tangles.len(), 1);
        assert_eq!(ShortCycles::new(&graph, Follow::Every).of(&tangles[0]).len(), n as usize);
    }

    #[test]
    fn what_a_tangle_leads_to_costs_its_search_nothing() {
        let n = 100_000;
        let beyond = (3..n).map(|node| (1, node));
        let pairs: Vec<_> = [(0, 1), (0, 2), (2, 0)].into_iter().chain(beyond).collect();
        let graph = graph(n, &pairs);
        let tangles = tangles(&graph, Follow::Forward);
        assert_eq!(tangles, [[0, 2]]);
        assert_eq!(ShortCycles::new(&graph, Follow::Forward).of(&tangles[0]), [1, 2]);
    }
}
