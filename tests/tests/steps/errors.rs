//! What is wrong with pipes, and with starting them: what, where, and what to do.

use std::time::Duration;

use selvedge::flow::steps::{
    Caught, Exclusive, Item, Join, Pipe, PipeBuilder, PipeProblem, Start, StartError, State,
};
use selvedge::prelude::*;

/// What is wrong, without the places, which change with this file.
fn problems(define: impl FnOnce(&mut PipeBuilder<u32, ()>)) -> String {
    let mut pipe = Pipe::<u32>::builder("p");
    define(&mut pipe);
    let error = pipe.build().unwrap_err();
    assert!(!error.list().is_empty());
    let text = error.to_string();
    let words = text.split(' ').map(|word| match word.split_once(".rs:") {
        Some(_) => "HERE".to_owned() + word.trim_start_matches(|c| c != ',' && c != '\n'),
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn names_and_edges_are_checked() {
    let told = problems(|pipe| {
        pipe.step("first", || ()).to("secnd");
        pipe.step("second", || ()).to("third");
        pipe.step("third", || ()).to("second");
        pipe.step("first", || ());
        pipe.several_roots();
    });
    insta::assert_snapshot!(told, @r"
    the pipe can't be built, 3 problems
    - node `first` is defined twice, at HERE and at HERE give one of them another name; `first-2` is free
    - the edge from `first` to `secnd` at HERE leads to a node that is not defined: define `secnd`, or correct the name; did you mean `second`?
    - `second` → `third` → `second`, at HERE, is a circle: take out an edge, and let the step that decides to go round again jump, with `Control::jump`
    ");
}

#[test]
fn a_pipe_needs_a_first_step_and_one_alone() {
    let none = problems(|pipe| {
        pipe.step("a", || ()).to("b");
        pipe.step("b", || ()).to("a");
    });
    assert!(none.contains("no step of pipe `p` can be the first"), "{none}");
    let mut ring = Pipe::<u32>::builder("ring");
    ring.step("a", || ()).to("a");
    let ring = ring.build().unwrap_err();
    assert!(ring.list().iter().any(|problem| matches!(problem, PipeProblem::NoRoot { .. })));
    let several = problems(|pipe| {
        pipe.step("a", || ());
        pipe.step("b", || ());
        pipe.concurrency_max(0);
    });
    insta::assert_snapshot!(several, @r"
    the pipe can't be built, 2 problems
    - pipe `p` has 2 first steps, `a`, `b`: say `.several_roots()` if they are to start together, or lead edges to all but one
    - `concurrency_max` of pipe `p` is zero: allow at least one, or leave it out
    ");
}

#[test]
fn switches_are_checked() {
    let told = problems(|pipe| {
        pipe.switch("lost", || "key");
        pipe.switch("twice", || "key").on("key", "a").on("key", "b").otherwise("nowhere");
        pipe.step("a", || ());
        pipe.step("b", || ());
        pipe.several_roots();
    });
    insta::assert_snapshot!(told, @r"
    the pipe can't be built, 3 problems
    - the edge from `twice` to `nowhere` at HERE leads to a node that is not defined: define `nowhere`, or correct the name
    - switch `lost` at HERE has no routes: say where keys lead with `.on(key, step)`
    - switch `twice` at HERE has two routes for the key `key`: remove one
    ");
}

#[test]
fn steps_of_maps_are_checked() {
    let told = problems(|pipe| {
        pipe.map("m", "goes_on", Vec::<u32>::new).at_a_time(0);
        pipe.step("goes_on", |_: Item<String>| ()).to("after");
        pipe.step("after", || ());
        pipe.map("n", "alone", Vec::<u32>::new);
        pipe.step("alone", |mut n: Exclusive<u32>| *n += 1);
        pipe.step("outside", |_: Item<u32>| ());
        pipe.step("greedy", |_: Item<u32>, _: Item<u32>, _: Caught| ());
        pipe.map("o", "greedy", Vec::<u32>::new);
        pipe.several_roots();
    });
    insta::assert_snapshot!(told, @r"
    the pipe can't be built, 6 problems
    - `at_a_time` of map `m` is zero: allow at least one, or leave it out
    - step `goes_on` at HERE does the items of map `m`, and says what comes next: let the map say that, which goes on after all items
    - step `goes_on` at HERE asks for a `alloc::string::String`, and the items of map `m` are `u32`
    - step `alone` at HERE does the items of map `n`, and is a step that runs alone: plain steps can, that don't ask for the state alone
    - step `outside` at HERE asks for an item, and no map starts it: make it the step of a map, and let no edge lead to it
    - step `greedy` at HERE asks for more than one item
    ");
}

#[test]
fn a_run_starts_where_all_that_is_waited_for_can_come() {
    let mut pipe = Pipe::<u32>::builder("p");
    pipe.step("r", || ()).to(["a", "b"]);
    pipe.step("a", || ()).to("j");
    pipe.step("b", || ()).to("j");
    pipe.step("j", |n: State<u32>| n.update(|n| *n += 1));
    let pipe = pipe.build().unwrap();
    let refused = pipe.run_with(Start::with(0).at("a")).unwrap_err();
    assert!(matches!(refused, StartError::JoinOutOfReach { .. }));
    insta::assert_snapshot!(refused, @"pipe `p` can't start at `a`: `j` comes after it and waits for `b`, which doesn't");
    let unknown = pipe.run_with(Start::with(0).at("jj")).unwrap_err();
    assert!(matches!(unknown, StartError::UnknownStep { .. }));
    insta::assert_snapshot!(unknown, @"pipe `p` has no step `jj` to start at; did you mean `j`?");
    assert_eq!(*pipe.run_with(Start::with(0).at("j")).unwrap().state(), 1);
}

#[test]
fn a_pipe_of_a_hundred_thousand_steps_in_a_row_is_no_deeper_than_one_of_two() {
    let n = 100_000;
    let mut pipe = Pipe::<u32>::builder("long");
    for i in 0..n {
        let mut step = pipe.step(&format!("s{i}"), |n: State<u32>| n.update(|n| *n += 1));
        if i + 1 < n {
            step.to(format!("s{}", i + 1));
        }
    }
    let result = pipe.build().unwrap().run(0).unwrap();
    assert!(result.succeeded());
    assert_eq!(*result.state(), n);
}

#[test]
fn names_that_mean_something_elsewhere_are_refused_or_escaped() {
    let told = problems(|pipe| {
        pipe.step("a\nb", || ());
        pipe.step("", || ());
        pipe.several_roots();
    });
    assert!(told.contains("malformed name"), "{told}");
    let mut pipe = Pipe::<()>::builder("<script>alert(1)</script>");
    pipe.switch("end", || "x").on("\"]; click", "b");
    pipe.step("b", || ());
    let pipe = pipe.build().unwrap();
    insta::assert_snapshot!(pipe.mermaid(), @r##"
    flowchart TB
        n0{"end"}
        n1["b"]
        n0 -->|"#34;#93;#59; click"| n1
    "##);
    insta::assert_snapshot!(pipe.dot(), @r#"
    digraph "<script>alert(1)</script>" {
        n0 [label="end", shape=diamond];
        n1 [label="b", shape=box];
        n0 -> n1 [label="\"]; click"];
    }
    "#);
}

#[test]
fn a_join_that_waits_too_long_fails() {
    let mut pipe = Pipe::<u32>::builder("late");
    pipe.several_roots().retries_max(u32::MAX);
    pipe.step("fast", || ()).to("j");
    pipe.step("never", |n: State<u32>| match *n {
        0 => selvedge::flow::steps::Control::Retry(Duration::from_millis(10)),
        _ => selvedge::flow::steps::Control::Next,
    })
    .to("j");
    pipe.step("j", || ()).join(Join::All).join_limit(Duration::from_millis(35)).to("after");
    pipe.step("after", || ());
    // Something that ends the wait of `never`, after the join has failed.
    pipe.step("later", |attempt: selvedge::flow::steps::Attempt, n: State<u32>| {
        if attempt.0 < 20 {
            return selvedge::flow::steps::Control::Retry(Duration::from_millis(10));
        }
        n.update(|n| *n = 1);
        selvedge::flow::steps::Control::Next
    });
    let pipe = pipe.build().unwrap();
    let told = super::everywhere(
        &pipe,
        || Start::with(0),
        |result| {
            let about = |stage: &str| {
                let events = super::happened(result).filter(|event| event.stage.as_str() == stage);
                events.map(|event| format!("{event}\n")).collect::<String>()
            };
            format!("{}{}{}", about("j"), about("after"), result.ending())
        },
    );
    insta::assert_snapshot!(told, @r"
    j waits, 1 arrived, for never
    j failed: `j` has waited for those before it for longer than 35ms
    after skipped: `j` failed
    failed: step `j` failed: `j` has waited for those before it for longer than 35ms
    ");
}

#[test]
fn a_step_that_is_late_has_timed_out_and_what_it_changes_is_lost() {
    let mut pipe = Pipe::<u32>::builder("late");
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    pipe.step("slow", move |n: State<u32>| {
        n.update(|n| *n = 7);
        gate.lock().unwrap().recv_timeout(Duration::from_secs(20)).ok();
    })
    .time_limit(Duration::from_millis(5))
    .on_error(move |caught: Caught| {
        assert_eq!(caught.error().to_string(), "it took longer than 5ms");
        release.send(()).unwrap();
        anyhow::bail!("still late") as Result
    });
    let result = pipe.build().unwrap().run_with(Start::with(0).keeping_events()).unwrap();
    assert_eq!(*result.state(), 0);
    insta::assert_snapshot!(super::story(&result), @r"
    start
    slow starts
    slow failed: still late
    finish: failed: step `slow` failed: still late
    ");
}

#[test]
fn a_run_that_takes_too_long_is_called_off() {
    let mut pipe = Pipe::<u32>::builder("endless");
    pipe.time_limit(Duration::from_millis(50)).retries_max(u32::MAX);
    pipe.step("again", || selvedge::flow::steps::Control::Retry(Duration::from_millis(20)));
    let pipe = pipe.build().unwrap();
    let told = super::everywhere(
        &pipe,
        || Start::with(0),
        |result| {
            let ends: Vec<String> =
                super::happened(result).rev().take(3).map(ToString::to_string).collect();
            format!("{}\n{}", ends.join("\n"), result.ending())
        },
    );
    insta::assert_snapshot!(told, @r"
    finish: timed out
    system timed out after 50ms
    again failed: it asked for another attempt, again in 20ms
    timed out
    ");
}

#[test]
fn hooks_that_fail_are_told_and_the_others_run() {
    let mut pipe = Pipe::<u32>::builder("hooks");
    pipe.on_startup(|n: State<u32>| n.update(|n| *n += 1));
    pipe.on_startup(|| -> Result { anyhow::bail!("no light") });
    pipe.on_startup(|n: State<u32>| n.update(|n| *n += 100));
    pipe.on_shutdown(|| -> Result { panic!("no key") });
    pipe.on_shutdown(|n: State<u32>| n.update(|n| *n += 10));
    pipe.step("a", || ());
    let pipe = pipe.build().unwrap();
    let told = super::everywhere(
        &pipe,
        || Start::with(0),
        |result| format!("{}{}", super::story(result), result.state()),
    );
    insta::assert_snapshot!(told, @r"
    startup failed: no light
    shutdown failed: no key
    finish: failed: no light
    11
    ");
}

#[test]
fn a_change_that_panics_fails_the_run() {
    let mut pipe = Pipe::<u32>::builder("bad_change");
    pipe.step("a", |n: State<u32>| n.update(|_| panic!("boom"))).to("b");
    pipe.step("b", || ());
    let result = pipe.build().unwrap().run_with(Start::with(0).keeping_events()).unwrap();
    let failure = result.finished().failure().unwrap();
    assert!(failure.error.contains("a change of the state panicked"), "{}", failure.error);
    assert!(failure.error.contains("boom"));
}
