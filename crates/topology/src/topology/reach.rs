//! Owns sets of nodes, and the walks up and down that collect them.

use fixedbitset::FixedBitSet;

use super::{NodeIndex, Topology};

/// A set of nodes of one topology: a bit for each node.
///
/// ```
/// use selvedge_topology::Topology;
///
/// let mut chain = Topology::builder("chain");
/// let [a, b, c] = ["a", "b", "c"].map(|name| chain.node(name).index());
/// chain.link(a, b);
/// chain.link(b, c);
/// let chain = chain.build()?;
///
/// let needed = chain.ancestors([b]).into_set();
/// assert!(needed.contains(a) && !needed.contains(c));
/// let ran: Vec<&str> =
///     chain.order().filter(|&node| needed.contains(node)).map(|node| chain.name(node)).collect();
/// assert_eq!(ran, ["a", "b"]);
/// # Ok::<(), selvedge_topology::Problems>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSet(FixedBitSet);

impl NodeSet {
    /// Whether a node is in the set.
    #[must_use]
    pub fn contains(&self, node: NodeIndex) -> bool {
        self.0.contains(node.idx())
    }

    /// How many nodes are in the set. Linear in the topology's nodes, a word of bits at a time.
    #[must_use]
    pub fn n_nodes(&self) -> usize {
        self.0.count_ones(..)
    }

    /// The nodes, in order of definition.
    pub fn iter(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        self.0.ones().map(|node| NodeIndex(node as u32))
    }
}

/// A walk that yields each node once: those that it starts from, then what they lead to, nearest
/// first. It needs a bit and at most a number per node, and no recursion.
#[derive(Debug)]
pub struct Reach<'t> {
    topology: &'t Topology,
    up: bool,
    seen: FixedBitSet,
    /// Seen; those from `next` on are not yielded yet.
    queue: Vec<u32>,
    next: usize,
}

impl Topology {
    /// These nodes and everything that leads to them, feedback included.
    pub fn ancestors(&self, of: impl IntoIterator<Item = NodeIndex>) -> Reach<'_> {
        Reach::new(self, true, of)
    }

    /// These nodes and everything that they lead to, feedback included.
    pub fn descendants(&self, of: impl IntoIterator<Item = NodeIndex>) -> Reach<'_> {
        Reach::new(self, false, of)
    }

    /// The nodes that no way leads to from any of these, in order of definition.
    pub fn unreachable(&self, roots: impl IntoIterator<Item = NodeIndex>) -> Vec<NodeIndex> {
        let reached = self.descendants(roots).into_set();
        self.nodes().filter(|&node| !reached.contains(node)).collect()
    }
}

impl<'t> Reach<'t> {
    fn new(topology: &'t Topology, up: bool, of: impl IntoIterator<Item = NodeIndex>) -> Reach<'t> {
        let seen = FixedBitSet::with_capacity(topology.n_nodes());
        let mut reach = Reach { topology, up, seen, queue: Vec::new(), next: 0 };
        for node in of {
            assert!(node.idx() < topology.n_nodes(), "{node:?} is another topology's");
            reach.see(node.0);
        }
        reach
    }

    fn see(&mut self, node: u32) {
        if !self.seen.put(node as usize) {
            self.queue.push(node);
        }
    }

    /// Walks to the end and returns all nodes on the way, those already yielded included.
    #[must_use]
    pub fn into_set(mut self) -> NodeSet {
        while self.next().is_some() {}
        NodeSet(self.seen)
    }
}

impl Iterator for Reach<'_> {
    type Item = NodeIndex;

    fn next(&mut self) -> Option<NodeIndex> {
        let node = *self.queue.get(self.next)?;
        self.next += 1;
        let graph = &self.topology.graph;
        let edges = if self.up { graph.into.of(node) } else { graph.out.of(node) };
        for &edge in edges {
            let ends = graph.ends(edge);
            self.see(if self.up { ends.from } else { ends.to });
        }
        Some(NodeIndex(node))
    }
}

impl std::iter::FusedIterator for Reach<'_> {}
