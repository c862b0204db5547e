//! Owns the bare graph: dense numbers, edges in compressed sparse rows both ways. Knows no names.

/// The two ends of an edge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// Closes a cycle on purpose; order and levels don't see it.
    pub(crate) is_feedback: bool,
}

/// Edges by a node at one of their ends, in order of definition: compressed sparse rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    /// Where a node's edges begin; one more than there are nodes.
    begins: Vec<u32>,
    edges: Vec<u32>,
}

impl Rows {
    /// Sorts edges by node, stably, by counting: linear.
    fn new(n_nodes: usize, ends: impl Iterator<Item = u32> + Clone) -> Rows {
        let mut begins = vec![0_u32; n_nodes + 1];
        for node in ends.clone() {
            begins[node as usize + 1] += 1;
        }
        for node in 0..n_nodes {
            begins[node + 1] += begins[node];
        }
        let mut next = begins.clone();
        let mut edges = vec![0_u32; begins[n_nodes] as usize];
        for (edge, node) in (0_u32..).zip(ends) {
            let at = &mut next[node as usize];
            edges[*at as usize] = edge;
            *at += 1;
        }
        Rows { begins, edges }
    }

    pub(crate) fn of(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.edges[self.begins[node] as usize..self.begins[node + 1] as usize]
    }
}

/// Nodes `0..n_nodes` and the edges between them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(crate) n_nodes: u32,
    pub(crate) ends: Vec<Ends>,
    /// Edges by where they begin.
    pub(crate) out: Rows,
    /// Edges by where they end.
    pub(crate) into: Rows,
}

impl Graph {
    pub(crate) fn new(n_nodes: u32, ends: Vec<Ends>) -> Graph {
        let out = Rows::new(n_nodes as usize, ends.iter().map(|ends| ends.from));
        let into = Rows::new(n_nodes as usize, ends.iter().map(|ends| ends.to));
        Graph { n_nodes, ends, out, into }
    }

    pub(crate) fn ends(&self, edge: u32) -> Ends {
        self.ends[edge as usize]
    }

    /// The edges that leave a node and count for order.
    pub(crate) fn forward(&self, node: u32) -> impl DoubleEndedIterator<Item = (u32, u32)> {
        let edges = self.out.of(node).iter().map(|&edge| (edge, self.ends(edge)));
        edges.filter(|(_, ends)| !ends.is_feedback).map(|(edge, ends)| (edge, ends.to))
    }

    /// The nodes whose edges lead to one and count for order.
    pub(crate) fn before(&self, node: u32) -> impl Iterator<Item = u32> {
        let edges = self.into.of(node).iter().map(|&edge| self.ends(edge));
        edges.filter(|ends| !ends.is_feedback).map(|ends| ends.from)
    }
}

/// For tests: a graph from pairs, none of them feedback.
#[cfg(test)]
pub(crate) fn graph(n_nodes: u32, pairs: &[(u32, u32)]) -> Graph {
    let ends = pairs.iter().map(|&(from, to)| Ends { from, to, is_feedback: false });
    Graph::new(n_nodes, ends.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_the_order_of_definition() {
        let graph = graph(4, &[(2, 0), (0, 1), (2, 3), (0, 3), (2, 0)]);
        let out: Vec<_> = (0..4).map(|node| graph.out.of(node).to_vec()).collect();
        assert_eq!(out, [vec![1, 3], vec![], vec![0, 2, 4], vec![]]);
        let into: Vec<_> = (0..4).map(|node| graph.into.of(node).to_vec()).collect();
        assert_eq!(into, [vec![0, 4], vec![1], vec![], vec![2, 3]]);
        assert_eq!(Graph::new(0, vec![]).n_nodes, 0);
    }
}
