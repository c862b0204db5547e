//! What is wrong with a graph is told at once, with names and places.

use insta::assert_snapshot;
use selvedge_reactive::{
    GraphError, GraphProblem, Reactive, Target, Until, builder, every, source,
};

/// All that is said about a graph, without the columns, which change with the code around them.
fn check(define: impl FnOnce(&mut Reactive)) -> String {
    let mut graph = Reactive::new("cloth");
    define(&mut graph);
    match graph.network() {
        Ok(network) => format!("{network:?}"),
        Err(error) => without_lines(&error),
    }
}

/// Each problem's name, and what is said about it.
fn without_lines(error: &GraphError) -> String {
    let named = |problem: &GraphProblem| {
        let debug = format!("{problem:?}");
        let name: String = debug.chars().take_while(|c| c.is_alphanumeric()).collect();
        format!("{name}: {problem}")
    };
    let text = error.problems().iter().map(named).collect::<Vec<_>>().join("\n");
    let mut plain = String::new();
    for (n, part) in text.split(".rs:").enumerate() {
        let digits = |c: char| c.is_ascii_digit();
        let line = part.trim_start_matches(digits);
        let column = line.strip_prefix(':').map(|rest| rest.trim_start_matches(digits));
        plain.push_str(if n == 0 { part } else { column.unwrap_or(line) });
    }
    plain.replace("crates/reactive/tests/graphs", "here")
}

#[test]
fn an_unknown_requirement_is_told_with_the_nearest_name() {
    let told = check(|graph| {
        graph.source("numbers", [1_u64]);
        graph.builder("doubles", "numbrs", |n: &u64| n * 2);
    });
    assert_snapshot!(told, @"Shape: the edge from `numbrs` to `doubles` at here begins at a node that is not defined: define `numbrs`, or correct the name; did you mean `numbers`?");
}

#[test]
fn two_providers_are_told_with_both_places_unless_they_are_merged() {
    let two = |graph: &mut Reactive| {
        graph.add(source("numbers", [1_u64]).named("first"));
        graph.add(source("numbers", [2_u64]).named("second"));
    };
    assert_snapshot!(check(two), @"SeveralProviders: `numbers` is provided twice, by `first` at here and by `second` at here: give one of them another target, or declare it with `.merge(…)`");
    let merged = check(|graph| {
        graph.merge::<u64>("numbers");
        two(graph);
    });
    assert_snapshot!(merged, @r#"Topology { title: "cloth", n_nodes: 3, n_edges: 2, n_levels: 2, .. }"#);
}

#[test]
fn a_cycle_is_told_unless_it_says_what_ends_it() {
    let round = |until: Option<Until>| {
        check(|graph| {
            let states = graph.merge::<u64>("states");
            graph.add(source(&states, [1]).named("first"));
            let next = builder(&states, &states, |n: &u64| n / 2).named("next");
            graph.add(match until {
                Some(until) => next.feedback("states", until),
                None => next,
            });
        })
    };
    assert_snapshot!(round(None), @"Shape: cycle: `states` (here) → `next` (here) → `states`: take out an edge, or declare the one that closes the cycle `.feedback(…)`, saying what ends it");
    assert_snapshot!(round(Some(Until::NothingNew)), @r#"Topology { title: "cloth", n_nodes: 3, n_edges: 3, n_levels: 2, .. }"#);
    assert_snapshot!(round(Some(Until::Builds(9))), @r#"Topology { title: "cloth", n_nodes: 3, n_edges: 3, n_levels: 2, .. }"#);
}

#[test]
fn feedback_that_can_not_end_or_is_not_required_is_told() {
    let told = check(|graph| {
        let states = graph.merge::<u64>("states");
        graph.add(source(&states, [1]).named("first"));
        graph.add(
            every(&states, &states, |n: &u64| n / 2)
                .named("next")
                .feedback("states", Until::NothingNew)
                .feedback("stats", Until::Builds(1)),
        );
    });
    assert_snapshot!(told, @r"
    EndlessFeedback: the feedback of `next` at here is to end when nothing new comes, but it builds from every input: leave dedupe on, or bound it with `Until::Builds`
    NoSuchFeedback: `next` has feedback by `stats` at here, but doesn't require that
    ");
}

#[test]
fn types_that_differ_are_told_with_both_places() {
    let told = check(|graph| {
        graph.source("numbers", [1_u64]);
        graph.builder("doubles", "numbers", |n: &u32| n * 2);
        graph.builder("triples", Target::<i64>::new("numbers"), |n: &i64| n * 3);
    });
    assert_snapshot!(told, @r"
    TypeMismatch: `doubles` requires `numbers` as `u32` at here, but it is provided as `u64` at here: change one of the types, or build one from the other
    TypeMismatch: `triples` requires `numbers` as `i64` at here, but it is provided as `u64` at here: change one of the types, or build one from the other
    ");
}

#[test]
fn two_nodes_of_one_name_and_a_wish_that_nobody_fulfils_are_told() {
    let told = check(|graph| {
        graph.source("numbers", [1_u64]);
        graph.add(source("letters", ['a']).named("numbers"));
        graph.want(&Target::<u64>::new("number"));
    });
    assert_snapshot!(told, @r"
    DuplicateName: two nodes are called `numbers`, at here and at here: give one of them another name with `.named(…)`
    NoProvider: `number` is wanted at here, but nobody provides it; did you mean `numbers`?
    ");
}

#[test]
fn what_is_persisted_says_what_it_is_known_by() {
    let told = check(|graph| {
        graph.source("numbers", [1_u64]);
        graph.add(builder("doubles", "numbers", |n: &u64| n * 2).persist());
    });
    assert_snapshot!(told, @"Unsigned: `doubles` at here is to be persisted, but nothing is known of its code: declare a version of the function with `.version(…)`, or write the builder with `#[builder]`");
}

#[test]
fn names_that_are_too_long_are_refused() {
    let mut graph = Reactive::new("cloth");
    graph.source("x".repeat(300).as_str(), [1_u64]);
    let error = graph.network().expect_err("a name is too long");
    let is_too_long = |problem: &GraphProblem| matches!(problem, GraphProblem::TooManyNames { .. });
    assert!(error.problems().iter().any(is_too_long), "{error}");
    assert!(matches!(
        error.problems().last(),
        Some(GraphProblem::Shape(selvedge_topology::Problem::MalformedName { .. }))
    ));
}
