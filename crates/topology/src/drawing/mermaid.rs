//! Owns the Mermaid form, and what may stand unescaped in one of its labels.
//!
//! Mermaid reads labels as Markdown, as HTML and as entities, and looks for directives and styles
//! in whole lines before it knows of quotes. So a label holds letters and digits as they are,
//! single blanks between them, and everything else as a decimal entity.

use std::fmt::Write as _;

use super::Drawing;
use super::parts::{Part, parts};
use crate::look::{Direction, EdgeStyle, Shape};
use crate::topology::{EdgeIndex, NodeIndex};

const INFALLIBLE: &str = "a String takes all that is written to it";

pub(super) fn write(drawing: &Drawing<'_>) -> String {
    let topology = drawing.topology;
    let direction = match drawing.direction {
        Direction::Down => "TB",
        Direction::Right => "LR",
    };
    let mut out = format!("flowchart {direction}\n");
    if topology.n_nodes() == 0 {
        out.push_str("    empty[\"no nodes\"]\n");
    }
    for (depth, part) in parts(topology) {
        out.extend(std::iter::repeat_n("    ", depth + 1));
        match part {
            Part::Open(group) => {
                let title = topology.texts.text(topology.groups[group.idx()].title);
                let title = label(&[drawing.line(title)]);
                writeln!(out, "subgraph g{} [\"{title}\"]", group.get()).expect(INFALLIBLE);
            }
            Part::Node(node) => write_node(&mut out, drawing, node),
            Part::Close => out.push_str("end\n"),
        }
    }
    for edge in topology.edges() {
        write_edge(&mut out, drawing, edge);
    }
    for (class, nodes) in drawing.by_class() {
        let nodes: Vec<String> = nodes.iter().map(|node| format!("n{}", node.get())).collect();
        writeln!(out, "    class {} {}", nodes.join(","), class.as_str()).expect(INFALLIBLE);
    }
    for (class, _) in drawing.by_class() {
        let (fill, stroke) = class.colours();
        let class = class.as_str();
        writeln!(out, "    classDef {class} fill:{fill},stroke:{stroke},color:#1b1b1b")
            .expect(INFALLIBLE);
    }
    out
}

fn write_node(out: &mut String, drawing: &Drawing<'_>, node: NodeIndex) {
    let label = label(&drawing.node_lines(node));
    let n = node.get();
    let (open, close) = match drawing.topology.shape(node) {
        Shape::Rectangle => ("[", "]"),
        Shape::Rounded => ("(", ")"),
        Shape::Stadium => ("([", "])"),
        Shape::Subroutine => ("[[", "]]"),
        Shape::Cylinder => ("[(", ")]"),
        Shape::Circle => ("((", "))"),
        Shape::DoubleCircle => ("(((", ")))"),
        Shape::Diamond => ("{", "}"),
        Shape::Hexagon => ("{{", "}}"),
        Shape::Parallelogram => ("[/", "/]"),
        Shape::Trapezoid => ("[/", "\\]"),
        // Has no brackets of its own.
        Shape::Stack => {
            writeln!(out, "n{n}@{{ shape: procs, label: \"{label}\" }}").expect(INFALLIBLE);
            return;
        }
    };
    writeln!(out, "n{n}{open}\"{label}\"{close}").expect(INFALLIBLE);
}

fn write_edge(out: &mut String, drawing: &Drawing<'_>, edge: EdgeIndex) {
    let found = drawing.topology.edge(edge);
    let (from, to) = (found.from.get(), found.to.get());
    let style = if found.until.is_some() { EdgeStyle::Dotted } else { found.style };
    let line = match style {
        EdgeStyle::Solid => "-->",
        EdgeStyle::Dotted => "-.->",
        EdgeStyle::Thick => "==>",
    };
    let lines = drawing.edge_lines(edge);
    let text = if lines.is_empty() { String::new() } else { format!("|\"{}\"|", label(&lines)) };
    writeln!(out, "    n{from} {line}{text} n{to}").expect(INFALLIBLE);
}

/// Lines as they may stand in double quotes.
fn label(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    lines.join("<br/>")
}

fn escaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut before = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let stands_between = before.is_some_and(char::is_alphanumeric)
            && chars.peek().copied().is_some_and(char::is_alphanumeric);
        let is_plain = match c {
            ' ' => before.is_some_and(|before| before != ' ') && chars.peek().is_some(),
            '_' | '-' | '.' | ',' | '/' => stands_between,
            _ => c.is_alphanumeric(),
        };
        if is_plain {
            out.push(c);
        } else {
            write!(out, "#{};", u32::from(c)).expect(INFALLIBLE);
        }
        before = Some(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unescaped(label: &str) -> String {
        let mut out = String::new();
        let mut rest = label;
        while let Some((plain, entity)) = rest.split_once('#') {
            let (code, after) = entity.split_once(';').expect("an entity ends");
            out.push_str(plain);
            let code = code.parse().expect("an entity is a number");
            out.push(char::from_u32(code).expect("an entity is a character"));
            rest = after;
        }
        out + rest
    }

    #[test]
    fn only_what_has_no_meaning_stays() {
        assert_eq!(escaped("load users.v2"), "load users.v2");
        assert_eq!(escaped("1. a_b __c__"), "1#46; a_b #95;#95;c#95;#95;");
        assert_eq!(escaped("a  b "), "a #32;b#32;");
        assert_eq!(escaped("\"`<b>&%%{#;:"), "#34;#96;#60;b#62;#38;#37;#37;#123;#35;#59;#58;");
    }

    proptest! {
        #[test]
        fn escaping_can_be_undone_and_leaves_nothing_special(line in ".*") {
            let label = escaped(&line);
            prop_assert_eq!(unescaped(&label), line);
            let is_tame = |c: char| c.is_alphanumeric() || " _-.,/#;".contains(c);
            prop_assert!(label.chars().all(is_tame), "{}", label);
        }
    }
}
