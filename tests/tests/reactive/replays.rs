//! What was made of a target is told again to those who ask for it once more, and to nobody else.

use std::sync::Arc;
use std::time::Duration;

use selvedge::prelude::*;
use selvedge::reactive::{Artifacts, Reactive, Target, builder};
use selvedge::store::Memory;
use selvedge_testkit::explore;

use super::{Calls, SEEDS};

/// Doubles numbers, and remembers some; what was heard of them, and what was told again.
struct Doubling {
    doubles: Target<u64>,
    seen: Artifacts<u64>,
    again: Artifacts<u64>,
    sums: Artifacts<u64>,
    calls: Calls<u64>,
}

fn doubling(graph: &mut Reactive, n: usize, persists: bool) -> Doubling {
    let calls = Calls::new();
    let noted = calls.clone();
    let numbers = graph.source("numbers", 0..20_u64);
    let double = move |n: &u64| {
        noted.note(*n);
        n * 2
    };
    let double = builder("doubles", &numbers, double).version("1").replays(n);
    let doubles = graph.add(if persists { double.persist() } else { double });
    // Pairs shift if either stream has something twice.
    let sums = graph.builder("sums", (&numbers, &doubles), |n: &u64, double: &u64| n + double);
    Doubling {
        seen: graph.collect(&doubles),
        again: graph.collect(&doubles.replays()),
        sums: graph.collect(&sums),
        doubles,
        calls,
    }
}

fn doubled(numbers: std::ops::Range<u64>) -> Vec<u64> {
    numbers.map(|n| n * 2).collect()
}

#[test]
fn whenever_it_is_asked_for_nobody_who_requires_it_hears_it_twice() {
    explore(SEEDS, |sim| {
        let mut graph = Reactive::new("graph");
        let made = doubling(&mut graph, 100, false);
        let mut sim = sim.jitter(Duration::from_millis(2));
        for millis in [1, 5, 5, 9, 1_000] {
            sim = sim.submit_at(Duration::from_millis(millis), made.doubles.resolve());
        }
        let pipeline = sim.build(graph.install(Pipeline::builder()).unwrap()).unwrap();
        let run = sim.run(pipeline);
        assert!(run.result.is_ok(), "{:?}", run.result);
        assert_eq!(made.seen.values(), doubled(0..20));
        assert_eq!(made.sums.values(), (0..20).map(|n| n * 3).collect::<Vec<_>>());
        assert_eq!(made.calls.take().len(), 20);
        // Each time from the first one on, as far as it was by then; the last time all of it.
        let again = made.again.values();
        let times: Vec<&[u64]> = again.split_inclusive(|n| *n == 38).collect();
        assert!(again.ends_with(&doubled(0..20)) && times.len() <= 5, "{again:?}");
        assert!(again.windows(2).all(|two| two[1] == two[0] + 2 || two[1] == 0), "{again:?}");
        run
    });
}

/// Runs it to its end, asks for it again once all is made, and runs that to its end.
fn asked_again(graph: Reactive, made: &Doubling, store: Option<Arc<Memory>>) {
    let builder = Pipeline::builder().workers(2);
    let builder = match store {
        Some(store) => builder.store(store),
        None => builder,
    };
    let limits = Limits { pull_max: 3, ..Limits::default() };
    let pipeline = graph.install(builder.limits(limits)).unwrap().build().unwrap();
    let running = pipeline.start().unwrap();
    running.control().drain().unwrap();
    running.submitter().submit(made.doubles.resolve()).unwrap();
    running.finish().unwrap();
}

#[test]
fn the_last_ones_are_remembered_as_many_as_were_said() {
    for (n, expected) in [(0, vec![]), (3, doubled(17..20)), (100, doubled(0..20))] {
        let mut graph = Reactive::new("graph");
        let made = doubling(&mut graph, n, false);
        asked_again(graph, &made, None);
        assert_eq!((made.seen.values(), made.again.values()), (doubled(0..20), expected));
    }
}

#[test]
fn what_is_persisted_is_told_again_from_the_store_earlier_runs_included() {
    let store = Arc::new(Memory::new());
    for n_built in [20, 0] {
        let mut graph = Reactive::new("graph");
        let made = doubling(&mut graph, 0, true);
        asked_again(graph, &made, Some(store.clone()));
        assert_eq!(made.calls.take().len(), n_built);
        assert_eq!((made.seen.values(), made.again.values()), (doubled(0..20), doubled(0..20)));
    }
    // Without a store there is what is in memory.
    let mut graph = Reactive::new("graph");
    let made = doubling(&mut graph, 2, true);
    asked_again(graph, &made, None);
    assert_eq!(made.again.values(), doubled(18..20));
}

#[test]
fn an_operator_tells_again_what_it_made_and_others_are_no_targets() {
    use selvedge::reactive::operators::{Map, stream};
    let mut graph = Reactive::new("graph");
    let numbers = graph.source("numbers", 0..5_u64);
    let halves = stream("halves", [&numbers], Map::new(|n: u64| Ok(n / 2)));
    let halves = graph.add(halves.replays(10));
    let again = graph.collect(&halves.replays());
    let running = graph.install(Pipeline::builder()).unwrap().build().unwrap().start().unwrap();
    let submitter = running.submitter();
    submitter.submit(halves.resolve()).unwrap();
    running.control().drain().unwrap();
    assert!(again.is_empty());
    submitter.submit(halves.resolve()).unwrap();
    drop(submitter);
    running.finish().unwrap();
    assert_eq!(again.values(), [0, 0, 1, 1, 2]);

    let mut graph = Reactive::new("graph");
    let numbers = graph.source("numbers", 0..5_u64);
    graph.collect(&numbers.replays());
    let error = graph.network().expect_err("a source has no memory");
    assert!(error.to_string().contains("`numbers/replayed`"), "{error}");
}
