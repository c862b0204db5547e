//! What drawings look like.

use insta::assert_snapshot;
use selvedge_topology::{Class, Direction, Drawing, EdgeStyle, Shape, Topology};

use crate::define;

/// The parts of a build, in nested groups, with every sort of edge.
fn shop() -> Topology {
    let mut shop = Topology::builder("shop");
    let outer = shop.group(&["Import"]);
    let inner = shop.group(&["Import", "Per item"]);
    shop.group(&["Never used", "Neither"]);
    shop.node("orders").kind("source").shape(Shape::Stadium).within(outer);
    shop.node("prices").kind("source").shape(Shape::Cylinder).within(outer);
    shop.node("price").label("Price\nin cents").shape(Shape::Stack).within(inner);
    shop.node("check").shape(Shape::Diamond);
    shop.node("bill").kind("sink").shape(Shape::Rounded);
    shop.node("alone");
    shop.edge("orders", "price").label("rows");
    shop.edge("prices", "price").style(EdgeStyle::Dotted);
    shop.edge("price", "check").style(EdgeStyle::Thick);
    shop.edge("check", "bill").label("fine");
    shop.edge("check", "orders").feedback("3 attempts").label("again");
    shop.edge("prices", "bill");
    shop.build().expect("the shop is sound")
}

/// The same with what a run would tell.
fn told(shop: &Topology) -> Drawing<'_> {
    let mut drawing = Drawing::of(shop);
    let node = |name: &str| shop.find(name).expect("the shop has it");
    drawing
        .class(node("orders"), Class::Ok)
        .class(node("prices"), Class::Reused)
        .class(node("price"), Class::Err)
        .class(node("bill"), Class::Skipped)
        .class(node("alone"), Class::Ok)
        .note(node("orders"), "1204 sent")
        .note(node("orders"), "2 dead")
        .edge_note(shop.edges().next().expect("the shop has edges"), "1204");
    drawing
}

#[test]
fn mermaid_has_subgraphs_shapes_labels_and_classes() {
    assert_snapshot!(told(&shop()).mermaid(), @r#"
    flowchart TB
        n3{"check"}
        n4("bill")
        n5["alone"]
        subgraph g0 ["Import"]
            n0(["orders<br/>1204 sent<br/>2 dead"])
            n1[("prices")]
            subgraph g1 ["Per item"]
                n2@{ shape: procs, label: "Price<br/>in cents" }
            end
        end
        n0 -->|"rows<br/>1204"| n2
        n1 -.-> n2
        n2 ==> n3
        n3 -->|"fine"| n4
        n3 -.->|"again<br/>until 3 attempts"| n0
        n1 --> n4
        class n0,n5 ok
        class n2 err
        class n4 skipped
        class n1 reused
        classDef ok fill:#d3f2d3,stroke:#2e7d32,color:#1b1b1b
        classDef err fill:#fbd5d5,stroke:#c62828,color:#1b1b1b
        classDef skipped fill:#eeeeee,stroke:#9e9e9e,color:#1b1b1b
        classDef reused fill:#d6e6fb,stroke:#1565c0,color:#1b1b1b
    "#);
}

#[test]
fn dot_has_clusters_shapes_labels_and_colours() {
    assert_snapshot!(told(&shop()).dot(), @r##"
    digraph "shop" {
        n3 [label="check", shape=diamond];
        n4 [label="bill", shape=box, style="rounded,filled", class=skipped, fillcolor="#eeeeee", color="#9e9e9e"];
        n5 [label="alone", shape=box, style=filled, class=ok, fillcolor="#d3f2d3", color="#2e7d32"];
        subgraph cluster_0 {
            label="Import";
            n0 [label="orders\n1204 sent\n2 dead", shape=oval, style=filled, class=ok, fillcolor="#d3f2d3", color="#2e7d32"];
            n1 [label="prices", shape=cylinder, style=filled, class=reused, fillcolor="#d6e6fb", color="#1565c0"];
            subgraph cluster_1 {
                label="Per item";
                n2 [label="Price\nin cents", shape=box3d, style=filled, class=err, fillcolor="#fbd5d5", color="#c62828"];
            }
        }
        n0 -> n2 [label="rows\n1204"];
        n1 -> n2 [style=dotted];
        n2 -> n3 [style=bold];
        n3 -> n4 [label="fine"];
        n3 -> n0 [label="again\nuntil 3 attempts", style=dotted, constraint=false];
        n1 -> n4;
    }
    "##);
}

#[test]
fn the_tree_shows_each_node_once_with_what_is_below() {
    assert_snapshot!(told(&shop()).tree(), @"
    orders [source] · ok · 1204 sent · 2 dead
    └─ (rows · 1204) Price / in cents · err
       └─ check
          ├─ (fine) bill [sink] · skipped
          └─ ↺ (again · until 3 attempts) orders
    prices [source] · reused
    ├─ Price / in cents · err (see above)
    └─ bill [sink] · skipped
    alone · ok
    ");
}

#[test]
fn the_description_is_data() {
    let shop = serde_json::to_value(shop()).expect("texts are JSON");
    let lines = |field: &str| {
        let list = shop[field].as_array().expect("nodes and edges are lists");
        list.iter().map(|part| format!("{part}\n")).collect::<String>()
    };
    assert_snapshot!(lines("nodes"), @r#"
    {"group":["Import"],"kind":"source","level":0,"name":"orders","shape":"stadium"}
    {"group":["Import"],"kind":"source","level":0,"name":"prices","shape":"cylinder"}
    {"group":["Import","Per item"],"label":"Price\nin cents","level":1,"name":"price","shape":"stack"}
    {"level":2,"name":"check","shape":"diamond"}
    {"kind":"sink","level":3,"name":"bill","shape":"rounded"}
    {"level":0,"name":"alone","shape":"rectangle"}
    "#);
    assert_snapshot!(lines("edges"), @r#"
    {"from":"orders","label":"rows","style":"solid","to":"price"}
    {"from":"prices","style":"dotted","to":"price"}
    {"from":"price","style":"thick","to":"check"}
    {"from":"check","label":"fine","style":"solid","to":"bill"}
    {"feedback_until":"3 attempts","from":"check","label":"again","style":"solid","to":"orders"}
    {"from":"prices","style":"solid","to":"bill"}
    "#);
}

fn every_shape() -> Topology {
    let mut builder = Topology::builder("shapes");
    let shapes = [
        Shape::Rectangle,
        Shape::Rounded,
        Shape::Stadium,
        Shape::Subroutine,
        Shape::Cylinder,
        Shape::Circle,
        Shape::DoubleCircle,
        Shape::Diamond,
        Shape::Hexagon,
        Shape::Parallelogram,
        Shape::Trapezoid,
        Shape::Stack,
    ];
    for shape in shapes {
        builder.node(&format!("{shape:?}")).shape(shape);
    }
    builder.build().expect("names differ")
}

fn every_class(topology: &Topology) -> Drawing<'_> {
    let mut drawing = Drawing::of(topology);
    drawing.direction(Direction::Right);
    for (node, class) in topology.nodes().zip(Class::ALL) {
        drawing.class(node, class);
    }
    drawing
}

#[test]
fn every_shape_and_class_has_a_form_in_mermaid() {
    assert_snapshot!(every_class(&every_shape()).mermaid(), @r#"
    flowchart LR
        n0["Rectangle"]
        n1("Rounded")
        n2(["Stadium"])
        n3[["Subroutine"]]
        n4[("Cylinder")]
        n5(("Circle"))
        n6((("DoubleCircle")))
        n7{"Diamond"}
        n8{{"Hexagon"}}
        n9[/"Parallelogram"/]
        n10[/"Trapezoid"\]
        n11@{ shape: procs, label: "Stack" }
        class n0 ok
        class n1 err
        class n2 skipped
        class n3 reused
        class n4 running
        class n5 waiting
        class n6 cancelled
        class n7 warning
        classDef ok fill:#d3f2d3,stroke:#2e7d32,color:#1b1b1b
        classDef err fill:#fbd5d5,stroke:#c62828,color:#1b1b1b
        classDef skipped fill:#eeeeee,stroke:#9e9e9e,color:#1b1b1b
        classDef reused fill:#d6e6fb,stroke:#1565c0,color:#1b1b1b
        classDef running fill:#fff3c4,stroke:#f9a825,color:#1b1b1b
        classDef waiting fill:#ffffff,stroke:#9e9e9e,color:#1b1b1b
        classDef cancelled fill:#e6dcef,stroke:#6a1b9a,color:#1b1b1b
        classDef warning fill:#ffe0b8,stroke:#ef6c00,color:#1b1b1b
    "#);
}

#[test]
fn every_shape_and_class_has_a_form_in_dot() {
    assert_snapshot!(every_class(&every_shape()).dot(), @r##"
    digraph "shapes" {
        rankdir=LR;
        n0 [label="Rectangle", shape=box, style=filled, class=ok, fillcolor="#d3f2d3", color="#2e7d32"];
        n1 [label="Rounded", shape=box, style="rounded,filled", class=err, fillcolor="#fbd5d5", color="#c62828"];
        n2 [label="Stadium", shape=oval, style=filled, class=skipped, fillcolor="#eeeeee", color="#9e9e9e"];
        n3 [label="Subroutine", shape=box, peripheries=2, style=filled, class=reused, fillcolor="#d6e6fb", color="#1565c0"];
        n4 [label="Cylinder", shape=cylinder, style=filled, class=running, fillcolor="#fff3c4", color="#f9a825"];
        n5 [label="Circle", shape=circle, style=filled, class=waiting, fillcolor="#ffffff", color="#9e9e9e"];
        n6 [label="DoubleCircle", shape=doublecircle, style=filled, class=cancelled, fillcolor="#e6dcef", color="#6a1b9a"];
        n7 [label="Diamond", shape=diamond, style=filled, class=warning, fillcolor="#ffe0b8", color="#ef6c00"];
        n8 [label="Hexagon", shape=hexagon];
        n9 [label="Parallelogram", shape=parallelogram];
        n10 [label="Trapezoid", shape=trapezium];
        n11 [label="Stack", shape=box3d];
    }
    "##);
}

#[test]
fn nothing_is_drawn_as_nothing() {
    let topology = Topology::builder("void").build().expect("nothing is wrong with nothing");
    let drawing = Drawing::of(&topology);
    assert_snapshot!(drawing.mermaid() + &drawing.dot() + &drawing.tree(), @r#"
    flowchart TB
        empty["no nodes"]
    digraph "void" {
    }
    no nodes
    "#);
}

#[test]
fn deep_trees_stop_indenting() {
    let mut builder = Topology::builder("deep");
    let lines: Vec<String> = (0..29).map(|n| format!("n{n} -> n{}", n + 1)).collect();
    define(&mut builder, &lines.join("\n"));
    for n in 0..30 {
        builder.node(&format!("n{n}"));
    }
    let tree = Drawing::of(&builder.build().expect("a chain has no cycle")).tree();
    let lines: Vec<&str> = tree.lines().skip(24).map(str::trim_start).collect();
    assert_snapshot!(lines.join("\n"), @"
    └─ n24
    └─ n25
    … 26: └─ n26
    … 27: └─ n27
    … 28: └─ n28
    … 29: └─ n29
    ");
}

#[test]
fn long_labels_are_cut() {
    let mut builder = Topology::builder("long");
    builder.node("a").label(&format!("{}\n2\n3\n4\n5\n6\n7\n8\n9\n10", "x".repeat(100)));
    let topology = builder.build().expect("there is but one node");
    let mut drawing = Drawing::of(&topology);
    drawing.chars_max(10);
    assert_snapshot!(drawing.tree(), @"xxxxxxxxxx… / 2 / 3 / 4 / 5 / 6 / 7 / 8 / …");
}
