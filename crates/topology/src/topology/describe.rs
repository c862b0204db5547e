//! Owns the description of a topology as data. It is the same on every machine: places, which hold
//! paths, are left out.

use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use super::{EdgeIndex, NodeIndex, Topology};
use crate::look::{EdgeStyle, Shape};

/// `{title, nodes, edges}`, in order of definition; what was not said is left out.
///
/// ```
/// use selvedge_topology::{Shape, Topology};
///
/// let mut topology = Topology::builder("two");
/// let inner = topology.group(&["outer", "inner"]);
/// topology.node("a").kind("source").shape(Shape::Stadium);
/// topology.node("b").within(inner);
/// topology.edge("a", "b").label("rows");
/// let json = serde_json::to_value(topology.build()?)?;
/// assert_eq!(json, serde_json::json!({
///     "title": "two",
///     "nodes": [
///         { "name": "a", "kind": "source", "shape": "stadium", "level": 0 },
///         { "name": "b", "shape": "rectangle", "group": ["outer", "inner"], "level": 1 },
///     ],
///     "edges": [{ "from": "a", "to": "b", "label": "rows", "style": "solid" }],
/// }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Serialize for Topology {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut topology = serializer.serialize_struct("Topology", 3)?;
        topology.serialize_field("title", self.title())?;
        topology.serialize_field("nodes", &Nodes(self))?;
        topology.serialize_field("edges", &Edges(self))?;
        topology.end()
    }
}

#[derive(Serialize)]
struct NodeForm<'t> {
    name: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'t str>,
    shape: Shape,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Vec<&'t str>>,
    level: usize,
}

#[derive(Serialize)]
struct EdgeForm<'t> {
    from: &'t str,
    to: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'t str>,
    style: EdgeStyle,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback_until: Option<&'t str>,
}

impl Topology {
    fn node_form(&self, node: NodeIndex) -> NodeForm<'_> {
        NodeForm {
            name: self.name(node),
            label: self.own_label(node),
            kind: self.kind(node),
            shape: self.shape(node),
            group: self.group(node).map(|group| self.group_path(group)),
            level: self.level(node),
        }
    }

    fn edge_form(&self, edge: EdgeIndex) -> EdgeForm<'_> {
        let edge = self.edge(edge);
        EdgeForm {
            from: self.name(edge.from),
            to: self.name(edge.to),
            label: edge.label,
            style: edge.style,
            feedback_until: edge.until,
        }
    }
}

struct Nodes<'t>(&'t Topology);

impl Serialize for Nodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut nodes = serializer.serialize_seq(Some(self.0.n_nodes()))?;
        for node in self.0.nodes() {
            nodes.serialize_element(&self.0.node_form(node))?;
        }
        nodes.end()
    }
}

struct Edges<'t>(&'t Topology);

impl Serialize for Edges<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut edges = serializer.serialize_seq(Some(self.0.n_edges()))?;
        for edge in self.0.edges() {
            edges.serialize_element(&self.0.edge_form(edge))?;
        }
        edges.end()
    }
}
