//! Owns coordinates: which layer a node is drawn in, and where in it, so that few lines cross.
//!
//! The first two phases of K. Sugiyama, S. Tagawa, M. Toda, *Methods for visual understanding of
//! hierarchical system structures*, IEEE Trans. SMC 11(2), 1981: layers by the longest way, order
//! within them by barycentres, sweeping down and up. Long edges get no dummy nodes (there would be
//! as many as levels times edges), but count in the barycentres.

use crate::topology::{NodeIndex, Topology};

/// How often the layers are swept, down and up, unless told otherwise.
const ROUNDS_MAX: u32 = 4;

/// Where a node is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Spot {
    /// The layer, from 0: the node's level.
    pub layer: u32,
    /// The place in the layer, from 0.
    pub position: u32,
    /// The distance of its middle from the left edge, where a node is one wide. Layers are centred.
    pub x: f64,
}

/// Coordinates for every node.
///
/// Takes O(*e* log *n*) per round for *n* nodes and *e* edges.
///
/// ```
/// use selvedge_topology::{Layout, Topology};
///
/// let mut crossed = Topology::builder("crossed");
/// for (from, to) in [("a", "d"), ("b", "c")] {
///     crossed.node(from);
///     crossed.edge(from, to);
/// }
/// crossed.node("c");
/// crossed.node("d");
/// let crossed = crossed.build()?;
/// assert_eq!(Layout::with_rounds(&crossed, 0).n_crossings(), 1);
///
/// let layout = Layout::of(&crossed);
/// assert_eq!(layout.n_crossings(), 0);
/// let lower: Vec<&str> = layout.layer(1).iter().map(|&node| crossed.name(node)).collect();
/// assert_eq!(lower, ["d", "c"]);
/// # Ok::<(), selvedge_topology::Problems>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    spots: Vec<Spot>,
    rows: Rows,
    n_crossings: u64,
}

/// Nodes by layer, in the order in which they are drawn.
#[derive(Clone, Debug, PartialEq)]
struct Rows {
    nodes: Vec<NodeIndex>,
    begins: Vec<u32>,
}

impl Rows {
    fn n_layers(&self) -> usize {
        self.begins.len() - 1
    }

    fn range(&self, layer: usize) -> std::ops::Range<usize> {
        self.begins[layer] as usize..self.begins[layer + 1] as usize
    }

    fn layer(&self, layer: usize) -> &[NodeIndex] {
        &self.nodes[self.range(layer)]
    }
}

impl Layout {
    /// Lays a topology out in at most four rounds.
    #[must_use]
    pub fn of(topology: &Topology) -> Layout {
        Layout::with_rounds(topology, ROUNDS_MAX)
    }

    /// Lays a topology out in at most so many rounds; in none, nodes stand in order of definition.
    /// Of the orders seen the one with the fewest crossings stays.
    #[must_use]
    pub fn with_rounds(topology: &Topology, rounds_max: u32) -> Layout {
        let order = &topology.order;
        let nodes = order.nodes.iter().map(|&node| NodeIndex(node)).collect();
        let mut sweep = Sweep {
            topology,
            rows: Rows { nodes, begins: order.begins.clone() },
            positions: vec![0; topology.n_nodes()],
            keys: vec![0.0; topology.n_nodes()],
        };
        for layer in 0..sweep.rows.n_layers() {
            sweep.number(layer);
        }
        let mut best = (sweep.n_crossings(), sweep.rows.clone());
        for _ in 0..rounds_max {
            if best.0 == 0 {
                break;
            }
            sweep.round();
            let n_crossings = sweep.n_crossings();
            if n_crossings >= best.0 {
                break;
            }
            best = (n_crossings, sweep.rows.clone());
        }
        let (n_crossings, rows) = best;
        Layout { spots: spots(topology, &rows), rows, n_crossings }
    }

    /// Where a node is drawn.
    ///
    /// # Panics
    ///
    /// If the number is another topology's and too high.
    #[must_use]
    pub fn spot(&self, node: NodeIndex) -> Spot {
        self.spots[node.idx()]
    }

    /// How many layers there are.
    #[must_use]
    pub fn n_layers(&self) -> usize {
        self.rows.n_layers()
    }

    /// The nodes of a layer, from left to right; none from [`n_layers`](Self::n_layers) on.
    #[must_use]
    pub fn layer(&self, layer: usize) -> &[NodeIndex] {
        if layer < self.n_layers() { self.rows.layer(layer) } else { &[] }
    }

    /// How many nodes the widest layer has.
    #[must_use]
    pub fn width(&self) -> usize {
        width(&self.rows)
    }

    /// How often edges between neighbouring layers cross.
    #[must_use]
    pub fn n_crossings(&self) -> u64 {
        self.n_crossings
    }
}

fn width(rows: &Rows) -> usize {
    (0..rows.n_layers()).map(|layer| rows.range(layer).len()).max().unwrap_or(0)
}

fn spots(topology: &Topology, rows: &Rows) -> Vec<Spot> {
    let mut spots = vec![Spot::default(); topology.n_nodes()];
    let width = width(rows);
    for layer in 0..rows.n_layers() {
        let nodes = rows.layer(layer);
        let margin = (width - nodes.len()) as f64 / 2.0;
        for (position, &node) in (0_u32..).zip(nodes) {
            let x = margin + f64::from(position) + 0.5;
            spots[node.idx()] = Spot { layer: layer as u32, position, x };
        }
    }
    spots
}

struct Sweep<'t> {
    topology: &'t Topology,
    rows: Rows,
    /// By node, its place in its layer.
    positions: Vec<u32>,
    keys: Vec<f64>,
}

impl Sweep<'_> {
    fn round(&mut self) {
        let n_layers = self.rows.n_layers();
        for layer in 1..n_layers {
            self.sort(layer, true);
        }
        for layer in (0..n_layers.saturating_sub(1)).rev() {
            self.sort(layer, false);
        }
    }

    /// Sorts a layer by where its nodes' neighbours stand on one side. Who has none stays about
    /// where it is.
    fn sort(&mut self, layer: usize, by_before: bool) {
        let graph = &self.topology.graph;
        for &node in self.rows.layer(layer) {
            let (mut sum, mut n_neighbours) = (0.0, 0_u32);
            let mut add = |neighbour: u32| {
                sum += self.across(NodeIndex(neighbour));
                n_neighbours += 1;
            };
            if by_before {
                graph.before(node.0).for_each(&mut add);
            } else {
                graph.forward(node.0).for_each(|(_, to)| add(to));
            }
            self.keys[node.idx()] =
                if n_neighbours == 0 { self.across(node) } else { sum / f64::from(n_neighbours) };
        }
        let range = self.rows.range(layer);
        let keys = &self.keys;
        self.rows.nodes[range].sort_by(|a, b| keys[a.idx()].total_cmp(&keys[b.idx()]));
        self.number(layer);
    }

    /// How far across its layer a node stands, from 0 to 1.
    fn across(&self, node: NodeIndex) -> f64 {
        let width = self.rows.range(self.topology.level(node)).len();
        (f64::from(self.positions[node.idx()]) + 0.5) / width as f64
    }

    fn number(&mut self, layer: usize) {
        for (position, &node) in (0_u32..).zip(self.rows.layer(layer)) {
            self.positions[node.idx()] = position;
        }
    }

    /// Two edges between the same layers cross if their ends are in different order at one layer
    /// than at the other: inversions, counted with a tree of sums (W. Barth, P. Mutzel, M. Jünger,
    /// *Simple and efficient bilayer cross counting*, JGAA 8(2), 2004).
    fn n_crossings(&self) -> u64 {
        let mut n_crossings = 0;
        let mut ends: Vec<u32> = Vec::new();
        let mut sums: Vec<u64> = Vec::new();
        for layer in 1..self.rows.n_layers() {
            sums.clear();
            sums.resize(self.rows.range(layer).len() + 1, 0);
            let mut n_edges = 0;
            for &node in self.rows.layer(layer - 1) {
                let targets = self.topology.graph.forward(node.0).map(|(_, to)| NodeIndex(to));
                let near = targets.filter(|&to| self.topology.level(to) == layer);
                ends.clear();
                ends.extend(near.map(|to| self.positions[to.idx()]));
                for &end in &ends {
                    n_crossings += n_edges - sum_to(&sums, end);
                }
                for &end in &ends {
                    count(&mut sums, end);
                }
                n_edges += ends.len() as u64;
            }
        }
        n_crossings
    }
}

/// How many edges end at this position or left of it.
fn sum_to(sums: &[u64], position: u32) -> u64 {
    let mut at = position as usize + 1;
    let mut sum = 0;
    while at > 0 {
        sum += sums[at];
        at &= at - 1;
    }
    sum
}

fn count(sums: &mut [u64], position: u32) {
    let mut at = position as usize + 1;
    while at < sums.len() {
        sums[at] += 1;
        at += at & at.wrapping_neg();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topology(n_nodes: usize, pairs: &[(usize, usize)]) -> Topology {
        let mut builder = Topology::builder("random");
        let nodes: Vec<_> = (0..n_nodes).map(|n| builder.node(&format!("n{n}")).index()).collect();
        for (n, &(a, b)) in pairs.iter().enumerate().filter(|(_, (a, b))| a != b) {
            builder.link(nodes[a.min(b)], nodes[a.max(b)]).label(&n.to_string());
        }
        builder.build().expect("edges lead to higher numbers only")
    }

    fn naive_crossings(topology: &Topology, layout: &Layout) -> u64 {
        let ends = |edge| {
            let edge = topology.edge(edge);
            (layout.spot(edge.from), layout.spot(edge.to))
        };
        let edges: Vec<_> = topology.edges().map(ends).collect();
        let near = |(from, to): &(Spot, Spot)| from.layer + 1 == to.layer;
        let near: Vec<_> = edges.iter().filter(|edge| near(edge)).collect();
        let cross = |a: &(Spot, Spot), b: &(Spot, Spot)| {
            a.0.layer == b.0.layer && a.0.position < b.0.position && a.1.position > b.1.position
        };
        near.iter().map(|a| near.iter().filter(|b| cross(a, b)).count() as u64).sum()
    }

    proptest! {
        #[test]
        fn a_layout_has_every_node_once_and_no_more_crossings_than_before(
            pairs in proptest::collection::vec((0..20_usize, 0..20_usize), 0..60),
        ) {
            let topology = topology(20, &pairs);
            let layout = Layout::of(&topology);
            prop_assert_eq!(layout.n_crossings(), naive_crossings(&topology, &layout));
            let before = Layout::with_rounds(&topology, 0);
            prop_assert!(layout.n_crossings() <= before.n_crossings());
            let mut n_nodes = 0;
            for layer in 0..layout.n_layers() {
                for (position, &node) in layout.layer(layer).iter().enumerate() {
                    n_nodes += 1;
                    let spot = layout.spot(node);
                    prop_assert_eq!(spot.layer as usize, topology.level(node));
                    prop_assert_eq!(spot.position as usize, position);
                    prop_assert!(spot.x > 0.0 && spot.x < layout.width() as f64);
                }
            }
            prop_assert_eq!(n_nodes, 20);
            prop_assert_eq!(&layout, &Layout::of(&topology));
        }
    }

    #[test]
    fn nothing_has_a_layout() {
        let layout = Layout::of(&topology(0, &[]));
        assert_eq!((layout.n_layers(), layout.width(), layout.layer(0).len()), (0, 0, 0));
    }
}
