//! Owns the form in text, for terminals and logs.

use super::Drawing;
use crate::topology::{EdgeIndex, NodeIndex};

/// How deep lines are indented. Without an end to it a chain of *n* nodes would take *n*² blanks.
const DEPTH_MAX: usize = 24;

/// A node whose children are being written.
struct Open {
    edges: Vec<EdgeIndex>,
    next: usize,
}

pub(super) fn write(drawing: &Drawing<'_>) -> String {
    let topology = drawing.topology;
    let mut out = String::new();
    if topology.n_nodes() == 0 {
        out.push_str("no nodes\n");
    }
    let mut is_shown = vec![false; topology.n_nodes()];
    for root in topology.roots() {
        out.push_str(&format!("{}\n", text(drawing, root)));
        write_below(&mut out, drawing, root, &mut is_shown);
    }
    out
}

/// Depth first, with a stack of its own instead of recursion.
fn write_below(out: &mut String, drawing: &Drawing<'_>, root: NodeIndex, is_shown: &mut [bool]) {
    let topology = drawing.topology;
    let mut open = vec![opened(drawing, root, is_shown)];
    // What stands before the lines of the innermost open node, three characters a level.
    let mut rails: Vec<&str> = Vec::new();
    while let Some(parent) = open.last_mut() {
        let Some(&edge) = parent.edges.get(parent.next) else {
            open.pop();
            rails.pop();
            continue;
        };
        parent.next += 1;
        let is_last = parent.next == parent.edges.len();
        let found = topology.edge(edge);
        let depth = rails.len();
        out.extend(rails.iter().take(DEPTH_MAX).copied());
        if depth > DEPTH_MAX {
            out.push_str(&format!("… {}: ", depth + 1));
        }
        out.push_str(if is_last { "└─ " } else { "├─ " });
        let lines = drawing.edge_lines(edge);
        if found.until.is_some() {
            out.push_str("↺ ");
        }
        if !lines.is_empty() {
            out.push_str(&format!("({}) ", lines.join(" · ")));
        }
        if found.until.is_some() {
            out.push_str(&format!("{}\n", drawing.label_lines(found.to).join(" / ")));
            continue;
        }
        out.push_str(&text(drawing, found.to));
        if is_shown[found.to.idx()] && topology.outgoing(found.to).len() > 0 {
            out.push_str(" (see above)");
        }
        out.push('\n');
        if !is_shown[found.to.idx()] {
            rails.push(if is_last { "   " } else { "│  " });
            open.push(opened(drawing, found.to, is_shown));
        }
    }
}

fn opened(drawing: &Drawing<'_>, node: NodeIndex, is_shown: &mut [bool]) -> Open {
    is_shown[node.idx()] = true;
    Open { edges: drawing.topology.outgoing(node).collect(), next: 0 }
}

fn text(drawing: &Drawing<'_>, node: NodeIndex) -> String {
    let topology = drawing.topology;
    let mut text = drawing.label_lines(node).join(" / ");
    if let Some(kind) = topology.kind(node) {
        text.push_str(&format!(" [{}]", drawing.line(kind)));
    }
    if let Some(class) = drawing.classes.get(&node) {
        text.push_str(&format!(" · {}", class.as_str()));
    }
    for note in drawing.notes_of(node) {
        text.push_str(&format!(" · {}", drawing.line(note)));
    }
    text
}
