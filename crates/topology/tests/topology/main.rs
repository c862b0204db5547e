//! What a topology promises to those who build on it, at its public interface.

mod drawings;
mod hostile;
mod large;
mod problems;
mod walks;

use selvedge_topology::{Place, TopologyBuilder};

/// Defines a topology from lines, so that each place is a line number: `a` is a node, `a -> b` an
/// edge, `a -> b: label` one with a label, `a ~> b: until` feedback, `! a` a root.
fn define(builder: &mut TopologyBuilder, lines: &str) {
    for (number, line) in (1..).zip(lines.lines()) {
        let place = Place::in_file("flow.txt", number, 1);
        let (ends, label) = line.split_once(": ").unwrap_or((line, ""));
        if let Some(root) = line.strip_prefix("! ") {
            builder.root_at(root, place);
        } else if let Some((from, to)) = ends.split_once(" -> ") {
            let mut edge = builder.edge_at(from, to, place);
            if !label.is_empty() {
                edge.label(label);
            }
        } else if let Some((from, to)) = ends.split_once(" ~> ") {
            builder.edge_at(from, to, place).feedback(label);
        } else {
            builder.node_at(line, place);
        }
    }
}
