//! Owns the DOT form (<https://graphviz.org/doc/info/lang.html>), and what is escaped in its
//! quotes.

use std::fmt::Write as _;

use super::Drawing;
use super::parts::{Part, parts};
use crate::look::{Direction, EdgeStyle, Shape};
use crate::topology::{EdgeIndex, NodeIndex};

const INFALLIBLE: &str = "a String takes all that is written to it";

pub(super) fn write(drawing: &Drawing<'_>) -> String {
    let topology = drawing.topology;
    let title = label(&[drawing.line(topology.title())]);
    let mut out = format!("digraph \"{title}\" {{\n");
    if drawing.direction == Direction::Right {
        out.push_str("    rankdir=LR;\n");
    }
    for (depth, part) in parts(topology) {
        let indent = "    ".repeat(depth + 1);
        out.push_str(&indent);
        match part {
            Part::Open(group) => {
                let title = topology.texts.text(topology.groups[group.idx()].title);
                let title = label(&[drawing.line(title)]);
                let n = group.get();
                writeln!(out, "subgraph cluster_{n} {{\n{indent}    label=\"{title}\";")
                    .expect(INFALLIBLE);
            }
            Part::Node(node) => write_node(&mut out, drawing, node),
            Part::Close => out.push_str("}\n"),
        }
    }
    for edge in topology.edges() {
        write_edge(&mut out, drawing, edge);
    }
    out.push_str("}\n");
    out
}

fn write_node(out: &mut String, drawing: &Drawing<'_>, node: NodeIndex) {
    let label = label(&drawing.node_lines(node));
    let (shape, is_rounded) = match drawing.topology.shape(node) {
        Shape::Rectangle => ("box", false),
        Shape::Rounded => ("box", true),
        Shape::Stadium => ("oval", false),
        Shape::Subroutine => ("box, peripheries=2", false),
        Shape::Cylinder => ("cylinder", false),
        Shape::Circle => ("circle", false),
        Shape::DoubleCircle => ("doublecircle", false),
        Shape::Diamond => ("diamond", false),
        Shape::Hexagon => ("hexagon", false),
        Shape::Parallelogram => ("parallelogram", false),
        Shape::Trapezoid => ("trapezium", false),
        Shape::Stack => ("box3d", false),
    };
    write!(out, "n{} [label=\"{label}\", shape={shape}", node.get()).expect(INFALLIBLE);
    let class = drawing.classes.get(&node);
    match (is_rounded, class) {
        (true, Some(_)) => out.push_str(", style=\"rounded,filled\""),
        (true, None) => out.push_str(", style=rounded"),
        (false, Some(_)) => out.push_str(", style=filled"),
        (false, None) => {}
    }
    if let Some(class) = class {
        let (fill, stroke) = class.colours();
        let class = class.as_str();
        write!(out, ", class={class}, fillcolor=\"{fill}\", color=\"{stroke}\"").expect(INFALLIBLE);
    }
    out.push_str("];\n");
}

fn write_edge(out: &mut String, drawing: &Drawing<'_>, edge: EdgeIndex) {
    let found = drawing.topology.edge(edge);
    write!(out, "    n{} -> n{}", found.from.get(), found.to.get()).expect(INFALLIBLE);
    let mut attributes = Vec::new();
    let lines = drawing.edge_lines(edge);
    if !lines.is_empty() {
        attributes.push(format!("label=\"{}\"", label(&lines)));
    }
    match (found.until, found.style) {
        // Feedback must not pull its target below its source.
        (Some(_), _) => attributes.push("style=dotted, constraint=false".to_owned()),
        (None, EdgeStyle::Dotted) => attributes.push("style=dotted".to_owned()),
        (None, EdgeStyle::Thick) => attributes.push("style=bold".to_owned()),
        (None, EdgeStyle::Solid) => {}
    }
    if !attributes.is_empty() {
        write!(out, " [{}]", attributes.join(", ")).expect(INFALLIBLE);
    }
    out.push_str(";\n");
}

/// Lines as they may stand in double quotes.
fn label(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    lines.join("\\n")
}

/// Backslashes begin escapes (`\N` is the node's name), and entities of HTML are read in any label.
fn escaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '&' => out.push_str("&amp;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_escapes_and_entities_lose_their_meaning() {
        assert_eq!(escaped(r#"a"b\N&lt;<b>"#), r#"a\"b\\N&amp;lt;<b>"#);
    }

    proptest! {
        #[test]
        fn escaping_can_be_undone_and_no_quote_ends_early(line in ".*") {
            let label = escaped(&line);
            let mut unquoted = String::new();
            let mut chars = label.chars();
            while let Some(c) = chars.next() {
                prop_assert_ne!(c, '"');
                unquoted.push(if c == '\\' { chars.next().expect("an escape ends") } else { c });
            }
            prop_assert!(unquoted.split('&').skip(1).all(|rest| rest.starts_with("amp;")));
            prop_assert_eq!(unquoted.replace("&amp;", "&"), line);
        }
    }
}
