//! What goes wrong with graphs, under many interleavings: workers that come back too late, streams
//! without an end or a phase, runs that fail anywhere and are begun again, orphans that are
//! cleared.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use selvedge::prelude::*;
use selvedge::reactive::balancer::{Gap, Options, Order, balance};
use selvedge::reactive::operators::{Grouper, ReservoirSampler, stream};
use selvedge::reactive::rendezvous::{ClearOrphans, ClearedOrphans, rendezvous};
use selvedge::reactive::{Artifacts, Reactive, builder};
use selvedge::runtime::simulation::Await;
use selvedge::store::Memory;
use selvedge_testkit::explore;

use super::{Calls, SEEDS, on_threads};

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_worker_that_comes_back_too_late_holds_up_nobody() {
    explore(SEEDS, |sim| {
        let mut graph = Reactive::new("graph");
        let numbers = graph.source("numbers", 0..20_u64);
        let options = Options::new(2).order(Order::Fifo(Gap::SkipAhead { max_buffered: 3 }));
        let balanced = balance(&mut graph, "same", &numbers, options, |_| |n: &u64| Ok([*n]));
        let balanced = balanced.unwrap();
        let seen = graph.collect(&balanced.target);
        // One of its items takes an hour; with one worker of the pipeline all wait for it.
        let n_workers = sim.workers_played();
        let (came, late) = (seen.clone(), balanced.late.clone());
        let mut n_calls = 0;
        let sim = sim.stall_turn("graph/numbers->same/worker-0", 4, HOUR).client(move |_| {
            n_calls += 1;
            if n_calls == 1 {
                return Await::Time(Duration::from_secs(60));
            }
            // All of the other worker's are there by then, but for those that wait for a third.
            let n_there = came.len() as u64 + late.count();
            assert!(n_workers == 1 || n_there >= 10 - 2, "{n_there}");
            Await::Done
        });
        let pipeline = sim.build(graph.install(Pipeline::builder()).unwrap()).unwrap();
        let run = sim.run(pipeline);
        assert!(run.result.is_ok() && run.faults == 1, "{:?}", run.result);
        let seen = seen.values();
        assert!(seen.is_sorted(), "{seen:?}");
        assert_eq!(seen.len() as u64 + balanced.late.count(), 20, "none is lost or twice");
        assert_eq!(balanced.skipped.count(), balanced.late.count());
        run
    });
}

#[test]
fn a_stream_without_an_end_meets_a_limit_of_whatever_gathers_it() {
    explore(SEEDS, |sim| {
        let mut graph = Reactive::new("graph");
        let numbers = graph.source("numbers", 0_u64..);
        let groups = Grouper::new(|n: &u64| Ok(n % 7)).items_max(200).unwrap();
        let groups = graph.add(stream("groups", [&numbers], groups));
        let seen = graph.collect(&groups);
        let limits = Limits { in_flight_max: 8, ..Limits::default() };
        let builder = graph.install(Pipeline::builder().limits(limits)).unwrap();
        let pipeline = sim.build(builder).unwrap();
        let run = sim.run(pipeline);
        let told = format!("{:?}", run.result.as_ref().expect_err("it never ends"));
        assert!(told.contains("it holds 200 items of a phase already"), "{told}");
        assert!(seen.is_empty());
        run
    });
}

/// Doubles the numbers below 12 and adds each to its number; what was built, and what was heard.
fn sums(graph: &mut Reactive) -> (Calls<u64>, Artifacts<u64>, Artifacts<u64>) {
    let calls = Calls::new();
    let noted = calls.clone();
    let numbers = graph.source("numbers", 0..12_u64);
    let double = move |n: &u64| {
        noted.note(*n);
        n * 2
    };
    let doubles = graph.add(builder("doubles", &numbers, double).version("1").persist());
    let triples = builder("triples", &doubles, |double: &u64| double / 2 * 3);
    let triples = graph.add(triples.version("1").persist());
    (calls, graph.collect(&doubles), graph.collect(&triples))
}

#[test]
fn a_run_that_fails_anywhere_is_begun_again_and_ends_as_if_it_had_not() {
    let expected: Vec<u64> = (0..12).map(|n| n * 3).collect();
    let n_failed = Mutex::new(0);
    explore(SEEDS, |sim| {
        let store = Arc::new(Memory::new());
        let n_turn = 1 + sim.seed() * 7 % 60;
        let mut graph = Reactive::new("graph");
        let (calls, heard, _) = sums(&mut graph);
        let sim = sim.fail_any_turn(n_turn);
        let builder = graph.install(Pipeline::builder().store(store.clone())).unwrap();
        let pipeline = sim.build(builder).unwrap();
        let run = sim.run(pipeline);
        *n_failed.lock().unwrap() += u64::from(run.result.is_err());
        let built: BTreeSet<u64> = calls.take().into_iter().collect();
        // What was heard of was kept first.
        let heard: BTreeSet<u64> = heard.values().into_iter().map(|double| double / 2).collect();
        assert!(heard.is_subset(&built));

        let mut graph = Reactive::new("graph");
        let (calls, doubles, triples) = sums(&mut graph);
        let pipeline = graph.install(Pipeline::builder().workers(1).store(store)).unwrap();
        pipeline.build().unwrap().run().unwrap();
        assert_eq!(triples.values(), expected);
        assert_eq!(doubles.values(), (0..12).map(|n| n * 2).collect::<Vec<_>>());
        let again: BTreeSet<u64> = calls.take().into_iter().collect();
        assert!(again.is_disjoint(&heard), "{again:?} was built and heard: {heard:?}");
        assert!((0..12).all(|n| built.contains(&n) || again.contains(&n)));
        run
    });
    assert!(*n_failed.lock().unwrap() > SEEDS, "most plays fail somewhere: each seed is two");
}

#[test]
fn orphans_are_cleared_whenever_somebody_says_so() {
    explore(SEEDS, |sim| {
        let mut graph = Reactive::new("graph");
        let left = graph.input::<(u64, char)>("left");
        let right = graph.input::<(u64, char)>("right");
        let number = |item: &(u64, char)| -> anyhow::Result<u64> { Ok(item.0) };
        let join = rendezvous("pairs", ((&left, number), (&right, number)));
        let counts = join.counts();
        let pairs = graph.add(join);
        let seen = graph.collect(&pairs);
        let (mut n_calls, mut answer) = (0, None);
        let sim = sim.client(move |client| {
            n_calls += 1;
            match n_calls {
                1 => {
                    (0..5).for_each(|n| client.submit(left.made((n, 'a'))));
                    // Met before they are cleared.
                    client.submit(right.made((0, 'x')));
                    answer = Some(client.ask::<ClearedOrphans>(ClearOrphans::of("pairs")));
                    Await::Answers
                }
                2 => {
                    let answer = answer.take().expect("it was asked");
                    let cleared = answer.now().expect("that was awaited").expect("and answered");
                    assert_eq!(cleared.0, 4);
                    // Too late for what was cleared, and in time for what comes after it.
                    (1..7).for_each(|n| client.submit(right.made((n, 'y'))));
                    client.submit(left.made((6, 'b')));
                    Await::Turn
                }
                _ => Await::Done,
            }
        });
        let pipeline = sim.build(graph.install(Pipeline::builder()).unwrap()).unwrap();
        let run = sim.run(pipeline);
        assert!(run.result.is_ok(), "{:?}", run.result);
        let keys: Vec<u64> = seen.values().iter().map(|((n, _), _)| *n).collect();
        assert_eq!(keys, [0, 6]);
        assert_eq!(counts.left.count(), 5);
        run
    });
}

#[test]
fn a_reservoir_keeps_the_same_ten_of_a_thousand_in_every_order_and_interleaving() {
    let sampled = |numbers: Vec<u64>| {
        move |graph: &mut Reactive| {
            let numbers = graph.source("numbers", numbers.clone());
            let sample = ReservoirSampler::new(10).unwrap();
            let sample = graph.add(stream("sample", [&numbers], sample));
            graph.collect(&sample)
        }
    };
    let expected = on_threads(sampled((0..1_000).collect()), |builder| builder).0.values();
    explore(SEEDS, |sim| {
        let mut numbers: Vec<u64> = (0..1_000).collect();
        let seed = sim.seed();
        numbers.sort_by_key(|n| (n ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ seed));
        let mut graph = Reactive::new("graph");
        let sample = sampled(numbers)(&mut graph);
        let pipeline = sim.build(graph.install(Pipeline::builder()).unwrap()).unwrap();
        let run = sim.run(pipeline);
        assert!(run.result.is_ok(), "{:?}", run.result);
        assert_eq!(sample.values(), expected);
        run
    });
}
