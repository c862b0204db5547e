//! Owns the topological order: by level, and within a level by definition.
//!
//! Levels come from Kahn's algorithm (A. B. Kahn, *Topological sorting of large networks*, CACM
//! 5(11), 1962), the order from sorting by level, by counting. Both are linear; neither depends on
//! anything but the order of definition.

use crate::graph::Graph;

/// The level of a node that is in a cycle or behind one.
pub(crate) const NO_LEVEL: u32 = u32::MAX;

/// Levels, and nodes sorted by them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// How many edges the longest way to a node has; feedback doesn't count.
    pub(crate) levels: Vec<u32>,
    /// The nodes that have a level, sorted by it and then by number.
    pub(crate) nodes: Vec<u32>,
    /// Where each level begins in `nodes`; one more than there are levels.
    pub(crate) begins: Vec<u32>,
}

impl Order {
    pub(crate) fn of(graph: &Graph) -> Order {
        let n_nodes = graph.n_nodes as usize;
        let mut n_open = vec![0_u32; n_nodes];
        for ends in graph.ends.iter().filter(|ends| !ends.is_feedback) {
            n_open[ends.to as usize] += 1;
        }
        let mut ready: Vec<u32> =
            (0..graph.n_nodes).filter(|&node| n_open[node as usize] == 0).collect();
        let mut reached = vec![0_u32; n_nodes];
        let mut n_levels = 0;
        let mut next = 0;
        while next < ready.len() {
            let node = ready[next];
            next += 1;
            let level = reached[node as usize];
            n_levels = n_levels.max(level + 1);
            for (_, to) in graph.forward(node) {
                let to_idx = to as usize;
                // Nodes become ready by level, so that the last to lead here is the farthest.
                reached[to_idx] = level + 1;
                n_open[to_idx] -= 1;
                if n_open[to_idx] == 0 {
                    ready.push(to);
                }
            }
        }
        let mut levels = reached;
        for (level, &n_open) in levels.iter_mut().zip(&n_open) {
            if n_open > 0 {
                *level = NO_LEVEL;
            }
        }
        Order::sorted(levels, n_levels)
    }

    fn sorted(levels: Vec<u32>, n_levels: u32) -> Order {
        let placed = || (0_u32..).zip(&levels).filter(|&(_, &level)| level != NO_LEVEL);
        let mut begins = vec![0_u32; n_levels as usize + 1];
        for (_, &level) in placed() {
            begins[level as usize + 1] += 1;
        }
        for level in 0..n_levels as usize {
            begins[level + 1] += begins[level];
        }
        let mut next = begins.clone();
        let mut nodes = vec![0_u32; begins[n_levels as usize] as usize];
        for (node, &level) in placed() {
            let at = &mut next[level as usize];
            nodes[*at as usize] = node;
            *at += 1;
        }
        Order { levels, nodes, begins }
    }

    pub(crate) fn n_levels(&self) -> u32 {
        self.begins.len().saturating_sub(1) as u32
    }

    pub(crate) fn level(&self, level: u32) -> &[u32] {
        let level = level as usize;
        &self.nodes[self.begins[level] as usize..self.begins[level + 1] as usize]
    }

    pub(crate) fn has_all(&self) -> bool {
        self.nodes.len() == self.levels.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::graph;

    #[test]
    fn nodes_in_and_behind_cycles_have_no_level() {
        let order = Order::of(&graph(6, &[(0, 1), (1, 2), (2, 1), (2, 3), (0, 4)]));
        assert_eq!(order.levels, [0, NO_LEVEL, NO_LEVEL, NO_LEVEL, 1, 0]);
        assert_eq!(order.nodes, [0, 5, 4]);
        assert!(!order.has_all());
    }

    proptest! {
        #[test]
        fn an_order_of_a_random_dag_is_valid(
            places in Just((0..40_u32).collect::<Vec<_>>()).prop_shuffle(),
            pairs in proptest::collection::vec((0..40_usize, 0..40_usize), 0..120),
        ) {
            // An edge leads from an earlier to a later place in a random permutation.
            let pairs: Vec<_> = pairs
                .iter()
                .filter(|(a, b)| a != b)
                .map(|&(a, b)| (places[a.min(b)], places[a.max(b)]))
                .collect();
            let order = Order::of(&graph(40, &pairs));
            prop_assert!(order.has_all());
            let mut place = [usize::MAX; 40];
            for (at, &node) in order.nodes.iter().enumerate() {
                place[node as usize] = at;
            }
            for &(from, to) in &pairs {
                prop_assert!(place[from as usize] < place[to as usize]);
            }
            for node in 0..40 {
                let before = pairs.iter().filter(|&&(_, to)| to == node);
                let longest = before.map(|&(from, _)| order.levels[from as usize] + 1).max();
                prop_assert_eq!(order.levels[node as usize], longest.unwrap_or(0));
            }
            let keys = order.nodes.iter().map(|&node| (order.levels[node as usize], node));
            prop_assert!(keys.is_sorted());
        }
    }
}
