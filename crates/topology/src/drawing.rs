//! Owns what is drawn: a topology, and beside it what a caller knows of a run. The forms that it
//! takes are in the modules below.

mod dot;
mod mermaid;
mod parts;
mod tree;

use std::collections::BTreeMap;

use crate::look::{Class, Direction};
use crate::text::Visible;
use crate::topology::{EdgeIndex, NodeIndex, Topology};

/// How much of a line is drawn unless told otherwise, in characters.
const CHARS_MAX: usize = 80;

/// How many lines of a label are drawn.
const N_LINES_MAX: usize = 8;

/// A topology to be drawn, with what is known of a run: classes by outcome, counts, times.
///
/// Drawings are the same on every machine and for every run. Nodes are called `n0`, `n1`, … in
/// them; names and labels stand in escaped quotes only, so that none can break out, whatever it
/// holds.
///
/// ```
/// use selvedge_topology::{Class, Direction, Drawing, Shape, Topology};
///
/// let mut shop = Topology::builder("shop");
/// let orders = shop.node("orders").shape(Shape::Stadium).index();
/// let bill = shop.node("bill").label("Bill \"of sale\"").index();
/// shop.link(orders, bill).label("rows");
/// let shop = shop.build()?;
///
/// let mut drawing = Drawing::of(&shop);
/// drawing.direction(Direction::Right).class(bill, Class::Err).note(orders, "1204 sent");
/// assert_eq!(drawing.mermaid(), "\
/// flowchart LR
///     n0([\"orders<br/>1204 sent\"])
///     n1[\"Bill #34;of sale#34;\"]
///     n0 -->|\"rows\"| n1
///     class n1 err
///     classDef err fill:#fbd5d5,stroke:#c62828,color:#1b1b1b
/// ");
/// assert_eq!(drawing.tree(), "orders · 1204 sent\n└─ (rows) Bill \"of sale\" · err\n");
/// # Ok::<(), selvedge_topology::Problems>(())
/// ```
#[derive(Clone, Debug)]
pub struct Drawing<'t> {
    topology: &'t Topology,
    direction: Direction,
    chars_max: usize,
    classes: BTreeMap<NodeIndex, Class>,
    notes: BTreeMap<NodeIndex, Vec<String>>,
    edge_notes: BTreeMap<EdgeIndex, String>,
}

impl<'t> Drawing<'t> {
    /// Begins with the bare structure.
    #[must_use]
    pub fn of(topology: &'t Topology) -> Drawing<'t> {
        Drawing {
            topology,
            direction: Direction::default(),
            chars_max: CHARS_MAX,
            classes: BTreeMap::new(),
            notes: BTreeMap::new(),
            edge_notes: BTreeMap::new(),
        }
    }

    /// Says which way it runs; downwards unless told otherwise.
    pub fn direction(&mut self, direction: Direction) -> &mut Self {
        self.direction = direction;
        self
    }

    /// Says how much of a line is drawn, in characters; 80 unless told otherwise.
    pub fn chars_max(&mut self, chars_max: usize) -> &mut Self {
        self.chars_max = chars_max;
        self
    }

    /// Colours a node; a later class replaces an earlier one.
    pub fn class(&mut self, node: NodeIndex, class: Class) -> &mut Self {
        self.classes.insert(node, class);
        self
    }

    /// Adds a line below a node's label: a count, a time, a reason.
    pub fn note(&mut self, node: NodeIndex, line: impl Into<String>) -> &mut Self {
        self.notes.entry(node).or_default().push(line.into());
        self
    }

    /// Adds a line below an edge's label; a later one replaces an earlier one.
    pub fn edge_note(&mut self, edge: EdgeIndex, line: impl Into<String>) -> &mut Self {
        self.edge_notes.insert(edge, line.into());
        self
    }

    /// A Mermaid flowchart: subgraphs by group, shapes, labels of edges, classes. Mermaid itself
    /// draws at most 500 edges and 50 000 characters unless it is told otherwise.
    #[must_use]
    pub fn mermaid(&self) -> String {
        mermaid::write(self)
    }

    /// A graph in Graphviz's DOT language: clusters by group.
    #[must_use]
    pub fn dot(&self) -> String {
        dot::write(self)
    }

    /// A tree in text, from the roots. What several edges lead to is drawn below the first of them,
    /// and named at the others. Indentation ends at a depth of 24; deeper lines begin with their
    /// depth.
    #[must_use]
    pub fn tree(&self) -> String {
        tree::write(self)
    }

    /// The lines of a node: its label's, then the notes.
    fn node_lines(&self, node: NodeIndex) -> Vec<String> {
        let mut lines = self.label_lines(node);
        lines.extend(self.notes_of(node).map(|note| self.line(note)));
        lines
    }

    /// The lines of a node's label. A name has one line, whatever it holds.
    fn label_lines(&self, node: NodeIndex) -> Vec<String> {
        match self.topology.own_label(node) {
            Some(label) => self.lines(label),
            None => vec![self.line(self.topology.name(node))],
        }
    }

    fn notes_of(&self, node: NodeIndex) -> impl Iterator<Item = &String> {
        self.notes.get(&node).into_iter().flatten()
    }

    /// The lines of an edge: its label's, then what ends it, then the note.
    fn edge_lines(&self, edge: EdgeIndex) -> Vec<String> {
        let found = self.topology.edge(edge);
        let mut lines = found.label.map_or_else(Vec::new, |label| self.lines(label));
        lines.extend(found.until.map(|until| self.line(&format!("until {until}"))));
        lines.extend(self.edge_notes.get(&edge).map(|note| self.line(note)));
        lines
    }

    fn lines(&self, text: &str) -> Vec<String> {
        let mut lines: Vec<String> =
            text.split('\n').take(N_LINES_MAX).map(|line| self.line(line)).collect();
        if text.split('\n').nth(N_LINES_MAX).is_some() {
            lines.push("…".to_owned());
        }
        lines
    }

    fn line(&self, text: &str) -> String {
        Visible::new(text, self.chars_max).to_string()
    }

    /// The nodes of each class that occurs, in the order of [`Class::ALL`].
    fn by_class(&self) -> impl Iterator<Item = (Class, Vec<NodeIndex>)> {
        Class::ALL.into_iter().filter_map(|class| {
            let of_class = self.classes.iter().filter(|&(_, &other)| other == class);
            let nodes: Vec<_> = of_class.map(|(&node, _)| node).collect();
            (!nodes.is_empty()).then_some((class, nodes))
        })
    }
}
