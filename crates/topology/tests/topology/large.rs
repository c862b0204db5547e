//! Depth costs no stack, width no time.

use selvedge_topology::{Drawing, Layout, NodeIndex, Problem, Topology};

const N: usize = 10_000;

fn all_of_it(topology: &Topology, n_levels: usize) {
    assert_eq!(topology.n_levels(), n_levels);
    let last = topology.order().next_back().expect("there are nodes");
    assert!(topology.ancestors([last]).count() >= 2);
    assert_eq!(topology.descendants(topology.roots()).into_set().n_nodes(), topology.n_nodes());
    assert_eq!(Layout::of(topology).n_layers(), n_levels);
    assert!(topology.loops().is_empty());
    let drawing = Drawing::of(topology);
    // A quadratic form would have hundreds of megabytes.
    let n_parts = topology.n_nodes() + topology.n_edges();
    for form in [drawing.mermaid(), drawing.dot(), drawing.tree()] {
        assert!(form.len() < 150 * n_parts, "{}", form.len());
        assert!(form.lines().count() >= topology.n_nodes());
    }
    assert!(serde_json::to_vec(topology).expect("texts are JSON").len() < 200 * n_parts);
}

#[test]
fn a_deep_chain() {
    let mut builder = Topology::builder("chain");
    let nodes: Vec<NodeIndex> = (0..N).map(|n| builder.node(&format!("n{n}")).index()).collect();
    for pair in nodes.windows(2) {
        builder.link(pair[0], pair[1]);
    }
    all_of_it(&builder.build().expect("a chain has no cycle"), N);
}

#[test]
fn a_wide_fan() {
    let mut builder = Topology::builder("fan");
    let (from, to) = (builder.node("from").index(), builder.node("to").index());
    for n in 0..N {
        let middle = builder.node(&format!("n{n}")).index();
        builder.link(from, middle);
        builder.link(middle, to);
    }
    all_of_it(&builder.build().expect("a fan has no cycle"), 3);
}

#[test]
fn a_chain_with_a_hub_that_everything_leads_to() {
    let mut builder = Topology::builder("hub");
    let nodes: Vec<NodeIndex> = (0..N).map(|n| builder.node(&format!("n{n}")).index()).collect();
    for pair in nodes.windows(2) {
        builder.link(pair[0], pair[1]);
    }
    for &node in &nodes[..N - 2] {
        builder.link(node, nodes[N - 1]);
    }
    all_of_it(&builder.build().expect("edges lead on only"), N);
}

#[test]
fn a_deep_cycle_with_many_short_cuts() {
    let mut builder = Topology::builder("tangle");
    let nodes: Vec<NodeIndex> = (0..N).map(|n| builder.node(&format!("n{n}")).index()).collect();
    for n in 0..N {
        builder.link(nodes[n], nodes[(n + 1) % N]);
        builder.link(nodes[n], nodes[(n + 7) % N]).label("short cut");
    }
    let problems = builder.build().unwrap_err();
    let [Problem::Cycle { steps, n_entangled }] = problems.list() else { panic!("{problems}") };
    // The shortest way round takes the short cuts, but for 10 000 mod 7 steps.
    assert_eq!((steps.len(), *n_entangled), (N / 7 + N % 7, N));
}

#[test]
fn suggestions_among_a_hundred_thousand_names_are_bounded() {
    let mut builder = Topology::builder("names");
    let long = "a".repeat(200);
    for n in 0..100_000 {
        builder.node(&format!("{long}{n}"));
    }
    for n in 0..1_000 {
        builder.edge(&format!("{long}x{n}"), &format!("{long}y{n}"));
    }
    let problems = builder.build().unwrap_err();
    assert_eq!(problems.list().len() + problems.n_omitted(), 2_000);
    let Problem::UnknownEndpoint { nearest, .. } = &problems.list()[0] else {
        panic!("{problems}");
    };
    assert_eq!(nearest.len(), 3);
}
