//! Builds that fail, panic, never end, get what they can't take, or too much of it.

use insta::assert_snapshot;
use selvedge::prelude::*;
use selvedge::reactive::{Reactive, Target, builder};
use selvedge::runtime::Retry;

use super::Calls;

/// Runs a graph; its report, or what went wrong.
fn run(graph: Reactive) -> Result<RunReport, String> {
    let pipeline = graph.install(Pipeline::builder().workers(1)).expect("the graph is sound");
    let pipeline = pipeline.build().expect("the wiring is sound");
    pipeline.run().map_err(|error| format!("{:#}", anyhow::Error::from(error)))
}

fn halve(n: &u64) -> Result<u64> {
    anyhow::ensure!(n.is_multiple_of(2), "{n} is odd");
    Ok(n / 2)
}

#[test]
fn a_build_that_fails_names_target_builder_and_input() {
    let mut graph = Reactive::new("halving");
    let numbers = graph.source("numbers", [2_u64, 3]);
    let halves: Target<u64> = graph.add(builder("halves", &numbers, halve).named("halver"));
    graph.want(&halves);
    let told = run(graph).expect_err("3 is odd");
    assert_snapshot!(told, @r#"processor `halver` failed on artifact<u64> "numbers": building `halves` in builder `halver` from input b3:bfb0568b174a179c8a368b4e7df650fe1d7bb1c6c5a07be91feae8b475316804 failed: 3 is odd"#);
    assert!(told.contains(&Digest::of(&3_u64).expect("it has one").to_string()));
}

#[test]
fn a_build_that_panics_ends_the_run_or_is_skipped() {
    for skips in [false, true] {
        let mut graph = Reactive::new("halving");
        let numbers = graph.source("numbers", [2_u64, 3, 4]);
        let mut halves = builder("halves", &numbers, |n: &u64| {
            assert!(n.is_multiple_of(2), "{n} is odd");
            n / 2
        });
        if skips {
            halves = halves.on_failure(FailurePolicy::Skip);
        }
        let halves = graph.add(halves);
        let seen = graph.collect(&halves);
        match run(graph) {
            Ok(report) => {
                assert!(skips && report.dead == 1);
                assert_eq!(report.dead_letters[0].processor.as_str(), "halves");
                assert_eq!(seen.values(), [1, 2]);
            }
            Err(told) => assert!(!skips && told.contains("3 is odd"), "{told}"),
        }
    }
}

#[test]
fn a_pair_that_fails_is_given_up_whole() {
    let mut graph = Reactive::new("dividing");
    let above = graph.source("above", [6_u64, 7, 8, 9]);
    let below = graph.source("below", [2_u64, 0, 4, 0]);
    let quotients: Target<u64> = graph.add(
        builder("quotients", (&above, &below), |a: &u64, b: &u64| {
            a.checked_div(*b).ok_or_else(|| anyhow::anyhow!("{a} is divided by zero"))
        })
        .on_failure(FailurePolicy::Skip),
    );
    let seen = graph.collect(&quotients);
    let report = run(graph).expect("failures are skipped");
    assert_eq!(seen.values(), [3, 2]);
    assert_eq!(report.dead, 2);
}

#[test]
fn a_pair_is_attempted_again_as_it_was() {
    let mut graph = Reactive::new("dividing");
    let above = graph.source("above", [6_u64, 8]);
    let below = graph.source("below", [2_u64, 4]);
    let calls = Calls::new();
    let noted = calls.clone();
    let quotients: Target<u64> = graph.add(
        builder("quotients", (&above, &below), move |a: &u64, b: &u64| -> Result<u64> {
            noted.note((*a, *b));
            let n_calls = noted.0.lock().expect("nobody panics").len();
            anyhow::ensure!(n_calls % 2 == 0, "every other time");
            Ok(a / b)
        })
        .on_failure(Retry::times(3)),
    );
    let seen = graph.collect(&quotients);
    run(graph).expect("the second attempts succeed");
    assert_eq!(calls.take(), [(6, 2), (6, 2), (8, 4), (8, 4)]);
    assert_eq!(seen.values(), [3, 2]);
}

#[test]
fn an_artifact_of_another_type_from_outside_reaches_nobody() {
    let mut graph = Reactive::new("halving");
    let numbers = graph.input::<u64>("numbers");
    let halves: Target<u64> = graph.add(builder("halves", &numbers, halve));
    graph.want(&halves);
    let pipeline = graph.install(Pipeline::builder()).expect("sound").build().expect("sound");
    let wrong = Target::<String>::new("numbers").made("seven".to_owned());
    assert_eq!(pipeline.submit(wrong).expect("there is room"), 0);
    assert_eq!(pipeline.run().expect("nothing fails").unrouted, 2);
}

#[test]
fn what_nobody_asks_for_is_kept_up_to_a_limit() {
    let mut graph = Reactive::new("halving");
    let numbers = graph.source("numbers", 0..10_u64);
    graph.want(&numbers);
    graph.add(builder("halves", &numbers, |n: &u64| n / 2).early_max(3));
    assert_snapshot!(run(graph).expect_err("nobody asks for halves"), @r#"processor `halves` failed on artifact<u64> "numbers": 3 artifacts came for `halves`, which has not begun yet: ask for it sooner, don't build what it requires before, or raise `early_max`"#);
}

#[test]
fn streams_that_do_not_keep_step_wait_up_to_a_limit() {
    let mut graph = Reactive::new("pairing");
    let (many, few) = (graph.source("many", 0..10_u64), graph.source("few", [1_u64]));
    let pairs = builder("pairs", (&many, &few), |a: &u64, b: &u64| a + b).waiting_max(3);
    let pairs = graph.add(pairs);
    graph.want(&pairs);
    assert_snapshot!(run(graph).expect_err("few come to many"), @r#"processor `pairs` failed on artifact<u64> "many": 3 artifacts wait in builder `pairs` of `pairs` for others to be paired with: its requirements don't keep step; group them by a key instead, or raise `waiting_max`"#);
}

#[test]
fn inputs_are_remembered_up_to_a_limit_and_none_is_forgotten() {
    let mut graph = Reactive::new("halving");
    let numbers = graph.source("numbers", [1_u64, 2, 1, 3, 4]);
    let halves = graph.add(builder("halves", &numbers, |n: &u64| n / 2).memo_max(3));
    graph.want(&halves);
    assert_snapshot!(run(graph).expect_err("a fourth is one too many"), @r#"processor `halves` failed on artifact<u64> "numbers": builder `halves` of `halves` has built from 3 inputs, and remembers no more: raise `memo_max`, give the pipeline a store for the rest, or build from every input with `every_time`"#);
}

#[test]
fn a_build_that_never_ends_is_stopped_by_what_a_turn_may_emit() {
    let mut graph = Reactive::new("counting");
    let numbers = graph.source("numbers", [1_u64]);
    let endless: Target<u64> = graph.builder("endless", &numbers, |n: &u64| *n..);
    graph.want(&endless);
    let limits = Limits { emissions_per_turn_max: 1_000, ..Limits::default() };
    let pipeline = graph.install(Pipeline::builder().limits(limits)).expect("sound");
    let error = pipeline.build().expect("sound").run().expect_err("it never ends");
    assert!(format!("{:#}", anyhow::Error::from(error)).contains("more than 1000 events"));
}

#[test]
fn a_source_without_an_end_is_stopped_from_outside_and_holds_little_meanwhile() {
    let mut graph = Reactive::new("counting");
    let numbers = graph.source("numbers", 0_u64..);
    let halves = graph.add(builder("halves", &numbers, |n: &u64| n / 2).every_time());
    let stop = std::sync::Arc::new(std::sync::OnceLock::<selvedge::runtime::StopHandle>::new());
    let handle = stop.clone();
    graph.each("watcher", &halves, move |n: &u64| {
        if *n == 50_000 {
            handle.get().expect("it was taken before the run").stop();
        }
    });
    let limits = Limits { in_flight_max: 64, ..Limits::default() };
    let pipeline = graph.install(Pipeline::builder().limits(limits)).expect("sound");
    let pipeline = pipeline.build().expect("sound");
    assert!(stop.set(pipeline.stop_handle()).is_ok());
    let report = pipeline.run().expect("a stop is no failure");
    assert!(report.handled > 150_000);
}
