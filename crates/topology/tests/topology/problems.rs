//! What is wrong is told, all of it at once: what, where, and what to do.

use insta::assert_snapshot;
use selvedge_topology::{Limits, NameRules, Problem, Topology};

use crate::define;

fn problems(lines: &str) -> String {
    problems_with(lines, Limits::default())
}

fn problems_with(lines: &str, limits: Limits) -> String {
    let rules = NameRules::identifiers().reserve("sys:");
    let mut builder = Topology::builder("flow").names(rules).limits(limits);
    define(&mut builder, lines);
    match builder.build() {
        Ok(topology) => format!("{topology:?}"),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn a_sound_topology_has_none() {
    assert_snapshot!(problems("a\nb\na -> b\na -> b: again\nb ~> a: 3 rounds\n! a"), @r#"Topology { title: "flow", n_nodes: 2, n_edges: 3, n_levels: 2, .. }"#);
    assert_snapshot!(problems(""), @r#"Topology { title: "flow", n_nodes: 0, n_edges: 0, n_levels: 0, .. }"#);
}

#[test]
fn malformed_names() {
    assert_snapshot!(problems("load users\nload-users\n\u{1b}[2J\nsys:clock\nsys:\na -> \u{202e}"), @r"
    `flow` can't be built, 6 problems
    - node `load users` at flow.txt:1:1 has a malformed name: `␣` (byte 4) is not allowed in a name; call it `load-users-2`, for example
    - node `\u{1b}[2J` at flow.txt:3:1 has a malformed name: `\u{1b}` (byte 0) is not allowed in a name; call it `2J`, for example
    - node `sys:clock` at flow.txt:4:1 has a malformed name: names that begin with `sys:` are reserved; call it `clock`, for example
    - node `sys:` at flow.txt:5:1 has a malformed name: names that begin with `sys:` are reserved; give it another
    - the edge from `a` to `\u{202e}` at flow.txt:6:1 begins at a node that is not defined: define `a`, or correct the name
    - the edge from `a` to `\u{202e}` at flow.txt:6:1 leads to a node that is not defined: define `\u{202e}`, or correct the name
    ");
}

#[test]
fn duplicate_names() {
    assert_snapshot!(problems("load\nload-2\nload\nload\nlonely\nlonely"), @"
    `flow` can't be built, 3 problems
    - node `load` is defined twice, at flow.txt:1:1 and at flow.txt:3:1: give one of them another name; `load-3` is free
    - node `load` is defined twice, at flow.txt:1:1 and at flow.txt:4:1: give one of them another name; `load-3` is free
    - node `lonely` is defined twice, at flow.txt:5:1 and at flow.txt:6:1: give one of them another name; `lonely-2` is free
    ");
}

#[test]
fn unknown_endpoints_and_roots() {
    let lines = "load\nclean\nclean-up\nload -> claen\nClean -> load\nx -> y\n! lod\n! zzzzzzzz";
    assert_snapshot!(problems(lines), @"
    `flow` can't be built, 6 problems
    - the edge from `load` to `claen` at flow.txt:4:1 leads to a node that is not defined: define `claen`, or correct the name; did you mean `clean`?
    - the edge from `Clean` to `load` at flow.txt:5:1 begins at a node that is not defined: define `Clean`, or correct the name; did you mean `clean`?
    - the edge from `x` to `y` at flow.txt:6:1 begins at a node that is not defined: define `x`, or correct the name
    - the edge from `x` to `y` at flow.txt:6:1 leads to a node that is not defined: define `y`, or correct the name
    - root `lod` at flow.txt:7:1 is a node that is not defined: define it, or correct the name; did you mean `load`?
    - root `zzzzzzzz` at flow.txt:8:1 is a node that is not defined: define it, or correct the name
    ");
}

#[test]
fn duplicate_edges() {
    let lines = "a\nb\na -> b\na -> b: x\nb ~> a: done\na -> b\na -> b: x\na -> b: y";
    assert_snapshot!(problems(lines), @"
    `flow` can't be built, 2 problems
    - the edge from `a` to `b` is defined twice, at flow.txt:3:1 and at flow.txt:6:1: remove one of them, or tell them apart by their labels
    - the edge from `a` to `b` is defined twice, at flow.txt:4:1 and at flow.txt:7:1: remove one of them, or tell them apart by their labels
    ");
}

#[test]
fn feedback_says_what_ends_it() {
    let mut builder = Topology::builder("flow");
    define(&mut builder, "a\nb\na -> b");
    builder.edge("b", "a").feedback(" ");
    let problems = builder.build().unwrap_err();
    let [Problem::EndlessFeedback { from, to, place }] = problems.list() else {
        panic!("{problems}");
    };
    assert_eq!((from.as_str(), to.as_str()), ("b", "a"));
    assert!(place.to_string().contains("problems.rs:"), "{place}");
    assert!(problems.to_string().contains("is feedback without an end: say what ends the cycle"));
}

#[test]
fn cycles_come_shortest_first() {
    let lines = "a\nb\nc\nd\ne\nf\n\
                 a -> b\nb -> c\nc -> a\nc -> d\nd -> e\ne -> d\nf -> f\nb -> d\nd -> b";
    assert_snapshot!(problems(lines), @"
    `flow` can't be built, 2 problems
    - cycle: `f` (flow.txt:13:1) → `f`: take out an edge, or declare the one that closes the cycle `.feedback(…)`, saying what ends it
    - cycle: `b` (flow.txt:14:1) → `d` (flow.txt:15:1) → `b` (a shortest one among 5 nodes in cycles): take out an edge, or declare the one that closes the cycle `.feedback(…)`, saying what ends it
    ");
}

#[test]
fn a_long_cycle_is_cut_in_the_message_only() {
    let mut builder = Topology::builder("ring");
    for n in 0..1_000 {
        builder.node(&format!("n{n}"));
        builder.edge(&format!("n{n}"), &format!("n{}", (n + 1) % 1_000)).label("next");
    }
    let problems = builder.build().unwrap_err();
    let [Problem::Cycle { steps, n_entangled: 1_000 }] = problems.list() else {
        panic!("{problems}");
    };
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, (0..1_000).map(|n| format!("n{n}")).collect::<Vec<_>>());
    let message = problems.to_string();
    assert!(message.contains("… 990 more … →"), "{message}");
    assert!(message.len() < 2_000);
}

#[test]
fn feedback_may_close_a_cycle_and_order_does_not_see_it() {
    let mut builder = Topology::builder("crawl");
    define(&mut builder, "frontier\nfetch\nfrontier -> fetch\nfetch ~> frontier: no new key");
    let topology = builder.build().unwrap();
    let order: Vec<&str> = topology.order().map(|node| topology.name(node)).collect();
    assert_eq!(order, ["frontier", "fetch"]);
    assert_eq!(topology.loops(), [topology.nodes().collect::<Vec<_>>()]);
    assert_eq!(topology.leaves().count(), 1);
}

#[test]
fn what_no_root_leads_to() {
    assert_snapshot!(problems("a\nb\nc\nd\na -> b\nc -> d\n! a"), @"
    `flow` can't be built, 2 problems
    - node `c` at flow.txt:3:1 can't be reached from any root: lead an edge to it, or declare it with `.root(…)`
    - node `d` at flow.txt:4:1 can't be reached from any root: lead an edge to it, or declare it with `.root(…)`
    ");
    // Feedback is a way, too.
    assert_snapshot!(problems("a\nb\nb -> a\na ~> b: done\n! a"), @r#"Topology { title: "flow", n_nodes: 2, n_edges: 2, n_levels: 2, .. }"#);
}

#[test]
fn everything_is_told_at_once() {
    let lines = "a b\nx\nx\ny\nx -> z\nx -> y\nx -> y\ny -> x\n! q";
    assert_snapshot!(problems(lines), @"
    `flow` can't be built, 6 problems
    - node `a b` at flow.txt:1:1 has a malformed name: `␣` (byte 1) is not allowed in a name; call it `a-b`, for example
    - node `x` is defined twice, at flow.txt:2:1 and at flow.txt:3:1: give one of them another name; `x-2` is free
    - the edge from `x` to `z` at flow.txt:5:1 leads to a node that is not defined: define `z`, or correct the name
    - the edge from `x` to `y` is defined twice, at flow.txt:6:1 and at flow.txt:7:1: remove one of them, or tell them apart by their labels
    - cycle: `x` (flow.txt:6:1) → `y` (flow.txt:8:1) → `x`: take out an edge, or declare the one that closes the cycle `.feedback(…)`, saying what ends it
    - root `q` at flow.txt:9:1 is a node that is not defined: define it, or correct the name
    ");
}

#[test]
fn problems_are_counted_beyond_a_number() {
    let mut limits = Limits::default();
    limits.problems_max = 2;
    assert_snapshot!(problems_with("a\na\na\na\na\na -> b", limits), @"
    `flow` can't be built, 5 problems
    - node `a` is defined twice, at flow.txt:1:1 and at flow.txt:2:1: give one of them another name; `a-2` is free
    - node `a` is defined twice, at flow.txt:1:1 and at flow.txt:3:1: give one of them another name; `a-2` is free
    - and 3 more
    ");
}

#[test]
fn limits_are_told_once_and_hold() {
    let mut limits = Limits::default();
    (limits.nodes_max, limits.edges_max) = (2, 1);
    assert_snapshot!(problems_with("a\nb\nc\nd\na -> b\nb -> a", limits), @"
    `flow` can't be built, 1 problem
    - more than 2 nodes, at flow.txt:3:1: make fewer, or raise `Limits::nodes_max`
    ");
    let mut limits = Limits::default();
    limits.edges_max = 1;
    assert_snapshot!(problems_with("a\nb\na -> b\nb -> a\nb -> b", limits), @"
    `flow` can't be built, 1 problem
    - more than 1 edges, at flow.txt:4:1: make fewer, or raise `Limits::edges_max`
    ");
    let mut limits = Limits::default();
    limits.text_bytes_max = 4;
    assert_snapshot!(problems_with("abc\nb\nc\nb -> c", limits), @"
    `flow` can't be built, 1 problem
    - more than 4 bytes of text, at flow.txt:3:1: make fewer, or raise `Limits::text_bytes_max`
    ");
}

#[test]
fn what_is_one_too_many_can_still_be_used() {
    let mut limits = Limits::default();
    (limits.nodes_max, limits.group_depth_max) = (1, 2);
    let mut builder = Topology::builder("flow").limits(limits);
    let a = builder.node("a").index();
    let deep = builder.group(&["1", "2", "3"]);
    let b = builder.node("b").label("B").kind("k").within(deep).index();
    builder.link(a, b).label("l").feedback("never");
    let problems = builder.build().unwrap_err();
    assert!(problems.to_string().contains("more than 2 groups around each other"), "{problems}");

    let mut builder = Topology::builder("flow").limits(limits);
    let deep = builder.group(&["1", "2", "3"]);
    builder.node("a").within(deep);
    assert!(matches!(builder.build().unwrap_err().list(), [Problem::TooLarge { max: 2, .. }]));
}

#[test]
fn a_name_that_nothing_has_is_not_found() {
    let mut builder = Topology::builder("flow");
    define(&mut builder, "load\nclean\nload -> clean");
    let topology = builder.build().unwrap();
    assert_eq!(topology.node("clean"), Some(topology.find("clean").unwrap()));
    assert_eq!(topology.node("cleam"), None);
    let error = topology.find("cleam").unwrap_err();
    assert_snapshot!(error, @"`flow` has no node `cleam`: use the name of one; did you mean `clean`?");
    assert_eq!(error.nearest, ["clean"]);
}

#[test]
fn a_mentioned_name_is_not_a_node() {
    let mut builder = Topology::builder("flow");
    builder.root("a");
    builder.node("a");
    assert_eq!(builder.build().unwrap().node("b"), None);
}

#[test]
fn another_builders_group_is_refused_where_it_is_used() {
    let group = Topology::builder("other").group(&["outer"]);
    let refused = std::panic::catch_unwind(|| {
        Topology::builder("flow").node("a").within(group);
    });
    let message = refused.unwrap_err().downcast::<String>().unwrap();
    assert_eq!(*message, "GroupIndex(0) is another topology's");
}
