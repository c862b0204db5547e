//! Owns the finished topology: what can be asked of its nodes and edges.

mod describe;
mod reach;

use std::fmt;

pub use reach::{NodeSet, Reach};

use crate::builder::TopologyBuilder;
use crate::cycles::{self, Follow};
use crate::error::UnknownNode;
use crate::graph::Graph;
use crate::look::{EdgeStyle, Shape};
use crate::names::{NameTable, Nearest};
use crate::order::Order;
use crate::place::{Place, Places};

/// No text, no group, no node: a number that nothing has.
pub(crate) const NONE: u32 = u32::MAX;

/// The number of a node: dense, from 0, in order of definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub(crate) u32);

/// The number of an edge: dense, from 0, in order of definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeIndex(pub(crate) u32);

/// The number of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupIndex(pub(crate) u32);

macro_rules! index {
    ($($name:ident),*) => {
        $(impl $name {
            /// The number, for a table beside the topology's own.
            #[must_use]
            pub fn get(self) -> u32 {
                self.0
            }

            /// The number, as tables are indexed.
            #[must_use]
            pub fn idx(self) -> usize {
                self.0 as usize
            }
        })*
    };
}

index!(NodeIndex, EdgeIndex, GroupIndex);

/// What is known of a node beside its edges; texts are numbers in a table.
#[derive(Clone, Debug)]
pub(crate) struct NodeRecord {
    pub(crate) name: u32,
    pub(crate) label: u32,
    pub(crate) kind: u32,
    pub(crate) group: u32,
    pub(crate) shape: Shape,
    pub(crate) place: u32,
}

/// What is known of an edge beside its ends.
#[derive(Clone, Debug)]
pub(crate) struct EdgeRecord {
    pub(crate) label: u32,
    pub(crate) until: u32,
    pub(crate) style: EdgeStyle,
    pub(crate) place: u32,
}

/// A group and the one around it, which has a lower number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupRecord {
    pub(crate) title: u32,
    pub(crate) parent: u32,
}

/// Named nodes and the edges between them, checked and immutable.
///
/// Nodes and edges have dense numbers in order of definition, so that whoever knows more of a node
/// keeps it in a table of its own. Without its feedback edges a topology has no cycle; with them it
/// may have some.
///
/// ```
/// use selvedge_topology::Topology;
///
/// let mut shop = Topology::builder("shop");
/// shop.node("orders").kind("source");
/// shop.node("prices").kind("source");
/// shop.node("bill").label("Make the bill");
/// shop.edge("orders", "bill");
/// shop.edge("prices", "bill").label("per item");
/// let shop = shop.build()?;
///
/// let bill = shop.find("bill")?;
/// assert_eq!(shop.level(bill), 1);
/// let before: Vec<&str> = shop.predecessors(bill).map(|node| shop.name(node)).collect();
/// assert_eq!(before, ["orders", "prices"]);
///
/// let error = shop.find("bil").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`shop` has no node `bil`: use the name of one; did you mean `bill`?"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A node costs about 60 bytes beside its texts, an edge about 40.
#[derive(Clone)]
pub struct Topology {
    pub(crate) title: String,
    pub(crate) names: NameTable,
    /// Which node has a name; [`NONE`] for names that only edges used.
    pub(crate) node_of_name: Vec<u32>,
    pub(crate) texts: NameTable,
    pub(crate) nodes: Vec<NodeRecord>,
    pub(crate) edges: Vec<EdgeRecord>,
    pub(crate) groups: Vec<GroupRecord>,
    pub(crate) places: Places,
    pub(crate) graph: Graph,
    pub(crate) order: Order,
}

impl Topology {
    /// Begins a topology; the title is for messages and drawings.
    #[must_use]
    pub fn builder(title: &str) -> TopologyBuilder {
        TopologyBuilder::new(title)
    }

    /// What the topology is called.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// How many nodes there are.
    #[must_use]
    pub fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// How many edges there are.
    #[must_use]
    pub fn n_edges(&self) -> usize {
        self.edges.len()
    }

    /// How many levels there are: the nodes on the longest way.
    #[must_use]
    pub fn n_levels(&self) -> usize {
        self.order.n_levels() as usize
    }

    /// The node of a name. Constant time.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<NodeIndex> {
        let node = self.node_of_name[self.names.find(name)? as usize];
        (node != NONE).then_some(NodeIndex(node))
    }

    /// The node of a name that a user gave.
    ///
    /// # Errors
    ///
    /// [`UnknownNode`] with the nearest names; looking for them takes some tens of milliseconds at
    /// most.
    pub fn find(&self, name: &str) -> Result<NodeIndex, UnknownNode> {
        self.node(name).ok_or_else(|| UnknownNode {
            topology: self.title.clone(),
            name: name.to_owned(),
            nearest: Nearest::default().to(name, self.nodes().map(|node| self.name(node))),
        })
    }

    /// All nodes, in order of definition.
    #[must_use]
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeIndex> + DoubleEndedIterator + use<> {
        (0..self.graph.n_nodes).map(NodeIndex)
    }

    /// All edges, in order of definition.
    #[must_use]
    pub fn edges(&self) -> impl ExactSizeIterator<Item = EdgeIndex> + DoubleEndedIterator + use<> {
        (0..self.edges.len() as u32).map(EdgeIndex)
    }

    /// What a node is called.
    ///
    /// # Panics
    ///
    /// As all that takes a number does, if it is another topology's and too high.
    #[must_use]
    pub fn name(&self, node: NodeIndex) -> &str {
        self.names.text(self.nodes[node.idx()].name)
    }

    /// What a node is called in drawings: its name unless it has a label.
    #[must_use]
    pub fn label(&self, node: NodeIndex) -> &str {
        self.own_label(node).unwrap_or_else(|| self.name(node))
    }

    pub(crate) fn own_label(&self, node: NodeIndex) -> Option<&str> {
        self.text(self.nodes[node.idx()].label)
    }

    /// What sort of node it is, if that was said.
    #[must_use]
    pub fn kind(&self, node: NodeIndex) -> Option<&str> {
        self.text(self.nodes[node.idx()].kind)
    }

    /// Its outline.
    #[must_use]
    pub fn shape(&self, node: NodeIndex) -> Shape {
        self.nodes[node.idx()].shape
    }

    /// Where it is defined.
    #[must_use]
    pub fn place(&self, node: NodeIndex) -> &Place {
        self.places.at(self.nodes[node.idx()].place)
    }

    /// The group that it is in, if any.
    #[must_use]
    pub fn group(&self, node: NodeIndex) -> Option<GroupIndex> {
        let group = self.nodes[node.idx()].group;
        (group != NONE).then_some(GroupIndex(group))
    }

    /// The titles from the outermost group to this one.
    #[must_use]
    pub fn group_path(&self, group: GroupIndex) -> Vec<&str> {
        let mut path = Vec::new();
        let mut at = group.0;
        while at != NONE {
            let record = self.groups[at as usize];
            path.push(self.texts.text(record.title));
            at = record.parent;
        }
        path.reverse();
        path
    }

    /// What is known of an edge.
    #[must_use]
    pub fn edge(&self, edge: EdgeIndex) -> Edge<'_> {
        let (ends, record) = (self.graph.ends(edge.0), &self.edges[edge.idx()]);
        Edge {
            from: NodeIndex(ends.from),
            to: NodeIndex(ends.to),
            label: self.text(record.label),
            style: record.style,
            until: self.text(record.until),
            place: self.places.at(record.place),
        }
    }

    /// The edges that begin at a node, in order of definition.
    #[must_use]
    pub fn outgoing(&self, node: NodeIndex) -> impl ExactSizeIterator<Item = EdgeIndex> + '_ {
        self.graph.out.of(node.0).iter().map(|&edge| EdgeIndex(edge))
    }

    /// The edges that end at a node, in order of definition.
    #[must_use]
    pub fn incoming(&self, node: NodeIndex) -> impl ExactSizeIterator<Item = EdgeIndex> + '_ {
        self.graph.into.of(node.0).iter().map(|&edge| EdgeIndex(edge))
    }

    /// The nodes that a node's edges lead to, feedback included; one as often as edges do.
    #[must_use]
    pub fn successors(&self, node: NodeIndex) -> impl ExactSizeIterator<Item = NodeIndex> + '_ {
        self.outgoing(node).map(|edge| NodeIndex(self.graph.ends(edge.0).to))
    }

    /// The nodes whose edges lead to a node, feedback included; one as often as edges do.
    #[must_use]
    pub fn predecessors(&self, node: NodeIndex) -> impl ExactSizeIterator<Item = NodeIndex> + '_ {
        self.incoming(node).map(|edge| NodeIndex(self.graph.ends(edge.0).from))
    }

    /// All nodes, each after those that lead to it: by level, and within one by definition.
    /// Feedback doesn't count.
    #[must_use]
    pub fn order(&self) -> impl ExactSizeIterator<Item = NodeIndex> + DoubleEndedIterator + '_ {
        self.order.nodes.iter().map(|&node| NodeIndex(node))
    }

    /// How many edges the longest way to a node has; feedback doesn't count.
    #[must_use]
    pub fn level(&self, node: NodeIndex) -> usize {
        self.order.levels[node.idx()] as usize
    }

    /// The nodes of a level, in order of definition; none from [`n_levels`](Self::n_levels) on.
    #[must_use]
    pub fn at_level(&self, level: usize) -> impl ExactSizeIterator<Item = NodeIndex> + '_ {
        let nodes = if level < self.n_levels() { self.order.level(level as u32) } else { &[] };
        nodes.iter().map(|&node| NodeIndex(node))
    }

    /// The nodes that nothing but feedback leads to: the first level.
    #[must_use]
    pub fn roots(&self) -> impl ExactSizeIterator<Item = NodeIndex> + '_ {
        self.at_level(0)
    }

    /// The nodes that nothing but feedback leaves, in order of definition.
    pub fn leaves(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        self.nodes().filter(|&node| self.graph.forward(node.0).next().is_none())
    }

    /// The sets of nodes that are in cycles with each other, which declared feedback closes.
    /// Linear.
    #[must_use]
    pub fn loops(&self) -> Vec<Vec<NodeIndex>> {
        let tangles = cycles::tangles(&self.graph, Follow::Every);
        tangles.into_iter().map(|nodes| nodes.into_iter().map(NodeIndex).collect()).collect()
    }

    fn text(&self, id: u32) -> Option<&str> {
        (id != NONE).then(|| self.texts.text(id))
    }
}

impl fmt::Debug for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topology")
            .field("title", &self.title)
            .field("n_nodes", &self.n_nodes())
            .field("n_edges", &self.n_edges())
            .field("n_levels", &self.n_levels())
            .finish_non_exhaustive()
    }
}

/// What is known of an edge.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Edge<'t> {
    /// Where it begins.
    pub from: NodeIndex,
    /// Where it ends.
    pub to: NodeIndex,
    /// What stands beside it in drawings.
    pub label: Option<&'t str>,
    /// Its line.
    pub style: EdgeStyle,
    /// What ends the cycle that it closes, if it is feedback.
    pub until: Option<&'t str>,
    /// Where it is defined.
    pub place: &'t Place,
}
