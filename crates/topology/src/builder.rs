//! Owns the definition of a topology: nodes, edges and groups as they come, in any order.

mod check;

use std::fmt;

use hashbrown::HashMap;

use crate::error::{Problem, Problems};
use crate::look::{EdgeStyle, Shape};
use crate::names::{NameFault, NameRules, NameTable, free_like};
use crate::place::{Place, Places};
use crate::topology::{EdgeRecord, GroupIndex, GroupRecord, NONE, NodeIndex, NodeRecord, Topology};

/// How much a topology may hold.
///
/// ```
/// use selvedge_topology::{Limits, Topology};
///
/// let mut limits = Limits::default();
/// limits.nodes_max = 1;
/// let mut topology = Topology::builder("small").limits(limits);
/// topology.node("a");
/// topology.node("b");
/// let problems = topology.build().unwrap_err();
/// assert!(problems.to_string().contains("more than 1 nodes"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Nodes; 10 000 000 unless told otherwise.
    pub nodes_max: u32,
    /// Edges; 100 000 000.
    pub edges_max: u32,
    /// Bytes of names, and again of all other texts; 1 GiB.
    pub text_bytes_max: u32,
    /// Groups around each other; 32.
    pub group_depth_max: u32,
    /// Problems that are reported one by one; 50.
    pub problems_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            nodes_max: 10_000_000,
            edges_max: 100_000_000,
            text_bytes_max: 1 << 30,
            group_depth_max: 32,
            problems_max: 50,
        }
    }
}

/// A topology that is being defined.
///
/// Edges name their nodes, which may be defined before or after them. Nothing is refused on the
/// way: [`build`](Self::build) tells everything that is wrong at once.
///
/// ```
/// use selvedge_topology::{EdgeStyle, Shape, Topology};
///
/// let mut crawl = Topology::builder("crawl");
/// crawl.edge("frontier", "fetch");
/// crawl.node("frontier").kind("queue").shape(Shape::Cylinder);
/// crawl.node("fetch").label("Fetch the page");
/// crawl.node("links");
/// crawl.edge("fetch", "links").label("html").style(EdgeStyle::Thick);
/// crawl.edge("links", "frontier").feedback("no address that is new");
/// assert_eq!(crawl.build()?.n_edges(), 3);
/// # Ok::<(), selvedge_topology::Problems>(())
/// ```
#[derive(Clone)]
pub struct TopologyBuilder {
    title: String,
    rules: NameRules,
    limits: Limits,
    names: NameTable,
    /// By name; [`NONE`] for those that only edges and roots have used.
    node_of_name: Vec<u32>,
    texts: NameTable,
    nodes: Vec<NodeRecord>,
    groups: Vec<GroupRecord>,
    group_of_path: HashMap<(u32, u32), u32>,
    /// By number of edge, the names of both ends.
    ends: Vec<(u32, u32)>,
    edges: Vec<EdgeRecord>,
    places: Places,
    roots: Vec<(u32, Place)>,
    /// What is already known to be wrong with names and sizes.
    problems: Vec<Found>,
    is_too_large: bool,
}

/// A problem whose message has to wait: whether a name is free is known at the end.
#[derive(Clone, Debug)]
enum Found {
    Malformed { node: u32, fault: NameFault },
    Duplicate { first: u32, second: u32 },
    TooLarge { what: &'static str, max: u32, limit: &'static str, place: Place },
}

impl TopologyBuilder {
    pub(crate) fn new(title: &str) -> TopologyBuilder {
        TopologyBuilder {
            title: title.to_owned(),
            rules: NameRules::default(),
            limits: Limits::default(),
            names: NameTable::default(),
            node_of_name: Vec::new(),
            texts: NameTable::default(),
            nodes: Vec::new(),
            groups: Vec::new(),
            group_of_path: HashMap::new(),
            ends: Vec::new(),
            edges: Vec::new(),
            places: Places::default(),
            roots: Vec::new(),
            problems: Vec::new(),
            is_too_large: false,
        }
    }

    /// Says what nodes may be called; [`NameRules::identifiers`] unless told otherwise. Holds for
    /// the nodes defined after it.
    #[must_use]
    pub fn names(mut self, rules: NameRules) -> TopologyBuilder {
        self.rules = rules;
        self
    }

    /// Says how much the topology may hold.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> TopologyBuilder {
        self.limits = limits;
        self
    }

    /// Makes room in advance, where the numbers are known.
    pub fn reserve(&mut self, n_nodes: usize, n_edges: usize) {
        let n_nodes = n_nodes.min(self.limits.nodes_max as usize);
        let n_edges = n_edges.min(self.limits.edges_max as usize);
        self.names.reserve(n_nodes);
        self.node_of_name.reserve(n_nodes);
        self.nodes.reserve(n_nodes);
        self.ends.reserve(n_edges);
        self.edges.reserve(n_edges);
    }

    /// Defines a node; the caller's place is kept for messages.
    #[track_caller]
    pub fn node(&mut self, name: &str) -> NodeMut<'_> {
        self.node_at(name, Place::here())
    }

    /// Defines a node whose place is not the caller's.
    pub fn node_at(&mut self, name: &str, place: Place) -> NodeMut<'_> {
        let node = self.nodes.len() as u32;
        if node >= self.limits.nodes_max {
            self.too_large("nodes", self.limits.nodes_max, "nodes_max", place);
            return NodeMut { builder: self, node: NONE };
        }
        let Some(name_id) = self.name(name, &place) else {
            return NodeMut { builder: self, node: NONE };
        };
        if let Err(fault) = self.rules.check(name) {
            self.problems.push(Found::Malformed { node, fault });
        }
        match &mut self.node_of_name[name_id as usize] {
            free if *free == NONE => *free = node,
            &mut first => self.problems.push(Found::Duplicate { first, second: node }),
        }
        let (shape, place) = (Shape::default(), self.places.add(place));
        let (label, kind, group) = (NONE, NONE, NONE);
        self.nodes.push(NodeRecord { name: name_id, label, kind, group, shape, place });
        NodeMut { builder: self, node }
    }

    /// Defines an edge between two nodes by name; the caller's place is kept for messages.
    #[track_caller]
    pub fn edge(&mut self, from: &str, to: &str) -> EdgeMut<'_> {
        self.edge_at(from, to, Place::here())
    }

    /// Defines an edge whose place is not the caller's.
    pub fn edge_at(&mut self, from: &str, to: &str, place: Place) -> EdgeMut<'_> {
        match (self.name(from, &place), self.name(to, &place)) {
            (Some(from), Some(to)) => self.edge_between(from, to, place),
            _ => EdgeMut { builder: self, edge: NONE },
        }
    }

    /// Defines an edge between two nodes of this builder: without looking up names.
    ///
    /// # Panics
    ///
    /// If a number is another builder's and too high.
    #[track_caller]
    pub fn link(&mut self, from: NodeIndex, to: NodeIndex) -> EdgeMut<'_> {
        let place = Place::here();
        if from.0 == NONE || to.0 == NONE {
            // A node that was one too many; that is told already.
            return EdgeMut { builder: self, edge: NONE };
        }
        let (from, to) = (self.nodes[from.idx()].name, self.nodes[to.idx()].name);
        self.edge_between(from, to, place)
    }

    /// Puts a node that is defined into a group.
    ///
    /// # Panics
    ///
    /// As [`NodeMut::within`].
    #[track_caller]
    pub fn put_within(&mut self, node: NodeIndex, group: GroupIndex) {
        NodeMut { node: node.0, builder: self }.within(group);
    }

    /// The group with this path of titles, outermost first; defined where it is new.
    ///
    /// # Panics
    ///
    /// If the path is empty.
    #[track_caller]
    pub fn group(&mut self, path: &[&str]) -> GroupIndex {
        assert!(!path.is_empty(), "a group has at least one title");
        if path.len() > self.limits.group_depth_max as usize {
            let max = self.limits.group_depth_max;
            self.too_large("groups around each other", max, "group_depth_max", Place::here());
            return GroupIndex(NONE);
        }
        let place = self.places.add(Place::here());
        let mut parent = NONE;
        for title in path {
            let title = self.text(title, place);
            if title == NONE {
                return GroupIndex(NONE);
            }
            let groups = &mut self.groups;
            parent = *self.group_of_path.entry((parent, title)).or_insert_with(|| {
                groups.push(GroupRecord { title, parent });
                groups.len() as u32 - 1
            });
        }
        GroupIndex(parent)
    }

    /// Declares a node a root. If there are any, every node must be reachable from one of them.
    #[track_caller]
    pub fn root(&mut self, name: &str) {
        self.root_at(name, Place::here());
    }

    /// Declares a root at a place that is not the caller's.
    pub fn root_at(&mut self, name: &str, place: Place) {
        if let Some(name) = self.name(name, &place) {
            self.roots.push((name, place));
        }
    }

    /// Checks everything and freezes it. Linear in nodes and edges.
    ///
    /// # Errors
    ///
    /// All [`Problems`] at once: malformed and duplicate names, edges and roots that name no node,
    /// duplicate edges, cycles that no feedback closes, nodes that no root leads to.
    pub fn build(self) -> Result<Topology, Problems> {
        check::build(self)
    }

    fn edge_between(&mut self, from: u32, to: u32, place: Place) -> EdgeMut<'_> {
        let edge = self.edges.len() as u32;
        if edge >= self.limits.edges_max {
            self.too_large("edges", self.limits.edges_max, "edges_max", place);
            return EdgeMut { builder: self, edge: NONE };
        }
        self.ends.push((from, to));
        let (style, place) = (EdgeStyle::default(), self.places.add(place));
        self.edges.push(EdgeRecord { label: NONE, until: NONE, style, place });
        EdgeMut { builder: self, edge }
    }

    fn name(&mut self, name: &str, place: &Place) -> Option<u32> {
        let Some(id) = self.names.intern(name, self.limits.text_bytes_max) else {
            self.too_much_text(place);
            return None;
        };
        if id as usize == self.node_of_name.len() {
            self.node_of_name.push(NONE);
        }
        Some(id)
    }

    fn text(&mut self, text: &str, place: u32) -> u32 {
        self.texts.intern(text, self.limits.text_bytes_max).unwrap_or_else(|| {
            self.too_much_text(&self.places.at(place).clone());
            NONE
        })
    }

    fn too_much_text(&mut self, place: &Place) {
        let max = self.limits.text_bytes_max;
        self.too_large("bytes of text", max, "text_bytes_max", place.clone());
    }

    /// Notes the first limit that is passed; what is defined from there on means little.
    fn too_large(&mut self, what: &'static str, max: u32, limit: &'static str, place: Place) {
        if !self.is_too_large {
            self.is_too_large = true;
            self.problems.push(Found::TooLarge { what, max, limit, place });
        }
    }

    fn edge_place(&self, edge: u32) -> Place {
        self.places.at(self.edges[edge as usize].place).clone()
    }

    fn problem(&self, found: &Found) -> Problem {
        let name_of = |node: u32| self.names.text(self.nodes[node as usize].name).to_owned();
        let place_of = |node: u32| self.places.at(self.nodes[node as usize].place).clone();
        let is_node = |name: &str| {
            let id = self.names.find(name);
            id.is_some_and(|id| self.node_of_name[id as usize] != NONE)
        };
        match found {
            Found::Malformed { node, fault } => {
                let name = name_of(*node);
                let mended = self.rules.mended(&name);
                let suggestion = mended.and_then(|name| {
                    if is_node(&name) { free_like(&name, is_node) } else { Some(name) }
                });
                Problem::MalformedName {
                    name,
                    fault: fault.clone(),
                    suggestion,
                    place: place_of(*node),
                }
            }
            Found::Duplicate { first, second } => {
                let name = name_of(*first);
                let suggestion =
                    free_like(&name, is_node).filter(|name| self.rules.check(name).is_ok());
                let (first, second) = (place_of(*first), place_of(*second));
                Problem::DuplicateName { name, first, second, suggestion }
            }
            Found::TooLarge { what, max, limit, place } => {
                Problem::TooLarge { what, max: *max, limit, place: place.clone() }
            }
        }
    }
}

impl fmt::Debug for TopologyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopologyBuilder")
            .field("title", &self.title)
            .field("n_nodes", &self.nodes.len())
            .field("n_edges", &self.edges.len())
            .finish_non_exhaustive()
    }
}

/// A node that is being defined.
#[derive(Debug)]
pub struct NodeMut<'b> {
    builder: &'b mut TopologyBuilder,
    /// [`NONE`] if there was no room for it: then nothing is kept.
    node: u32,
}

impl NodeMut<'_> {
    /// What it is called in drawings, instead of its name. May have several lines.
    pub fn label(&mut self, label: &str) -> &mut Self {
        self.set(label, |node, text| node.label = text)
    }

    /// What sort of node it is, in a word: `source`, `builder`, `step`.
    pub fn kind(&mut self, kind: &str) -> &mut Self {
        self.set(kind, |node, text| node.kind = text)
    }

    /// Its outline in drawings.
    pub fn shape(&mut self, shape: Shape) -> &mut Self {
        if let Some(node) = self.builder.nodes.get_mut(self.node as usize) {
            node.shape = shape;
        }
        self
    }

    /// Puts it into a group.
    ///
    /// # Panics
    ///
    /// If the number is another builder's and too high.
    #[track_caller]
    pub fn within(&mut self, group: GroupIndex) -> &mut Self {
        let is_known = group.0 == NONE || group.idx() < self.builder.groups.len();
        assert!(is_known, "{group:?} is another topology's");
        if let Some(node) = self.builder.nodes.get_mut(self.node as usize) {
            node.group = group.0;
        }
        self
    }

    /// Its number, to [`link`](TopologyBuilder::link) it.
    #[must_use]
    pub fn index(&self) -> NodeIndex {
        NodeIndex(self.node)
    }

    fn set(&mut self, text: &str, field: impl FnOnce(&mut NodeRecord, u32)) -> &mut Self {
        let Some(node) = self.builder.nodes.get(self.node as usize) else { return self };
        let place = node.place;
        let text = self.builder.text(text, place);
        field(&mut self.builder.nodes[self.node as usize], text);
        self
    }
}

/// An edge that is being defined.
#[derive(Debug)]
pub struct EdgeMut<'b> {
    builder: &'b mut TopologyBuilder,
    /// [`NONE`] if there was no room for it: then nothing is kept.
    edge: u32,
}

impl EdgeMut<'_> {
    /// What stands beside it in drawings. Two edges between the same nodes need different labels.
    pub fn label(&mut self, label: &str) -> &mut Self {
        self.set(label, |edge, text| edge.label = text)
    }

    /// Its line in drawings.
    pub fn style(&mut self, style: EdgeStyle) -> &mut Self {
        if let Some(edge) = self.builder.edges.get_mut(self.edge as usize) {
            edge.style = style;
        }
        self
    }

    /// Declares that it closes a cycle on purpose, and says what ends that: a bound, a set of keys
    /// seen before. Order and levels don't see the edge.
    pub fn feedback(&mut self, until: &str) -> &mut Self {
        self.set(until, |edge, text| edge.until = text)
    }

    fn set(&mut self, text: &str, field: impl FnOnce(&mut EdgeRecord, u32)) -> &mut Self {
        let Some(edge) = self.builder.edges.get(self.edge as usize) else { return self };
        let place = edge.place;
        let text = self.builder.text(text, place);
        field(&mut self.builder.edges[self.edge as usize], text);
        self
    }
}
