//! What outlives a run: with dedupe and without, in all four combinations.

use std::sync::Arc;

use selvedge::prelude::*;
use selvedge::reactive::{Reactive, Until, builder, source};
use selvedge::runtime::ArchivePolicy;
use selvedge::runtime::Cache;
use selvedge::store::{Batch, Durability, Memory, Read, Scan, Store};
use selvedge_testkit::explore;

use super::{Calls, SEEDS};

/// Doubles numbers in a run of its own; what was built, and what was heard of.
fn double(
    store: &Arc<Memory>,
    numbers: &[u64],
    policy: impl Fn(Doubling) -> Doubling,
) -> (Vec<u64>, Vec<u64>) {
    let mut graph = Reactive::new("doubling");
    let (calls, doubles) = doubling(&mut graph, numbers, policy);
    let pipeline = graph.install(Pipeline::builder().store(store.clone())).expect("sound");
    pipeline.build().expect("sound").run().expect("nothing fails");
    (calls.take(), doubles.values())
}

type Double = Box<dyn Fn(&u64) -> u64 + Send>;
type Doubling = selvedge::reactive::Builder<
    selvedge::reactive::Function<Double, (u64,), u64, u64, selvedge::reactive::way::Itself>,
>;

fn doubling(
    graph: &mut Reactive,
    numbers: &[u64],
    policy: impl Fn(Doubling) -> Doubling,
) -> (Calls<u64>, selvedge::reactive::Artifacts<u64>) {
    let calls = Calls::new();
    let noted = calls.clone();
    let double: Double = Box::new(move |n| {
        noted.note(*n);
        n * 2
    });
    let numbers = graph.source("numbers", numbers.to_vec());
    let doubles = graph.add(policy(builder("doubles", &numbers, double).version("1")));
    (calls, graph.collect(&doubles))
}

#[test]
fn a_second_run_brings_back_what_the_first_built() {
    let store = Arc::new(Memory::new());
    let first = double(&store, &[1, 2, 1], Doubling::persist);
    assert_eq!(first, (vec![1, 2], vec![2, 4]));
    let second = double(&store, &[1, 2, 3], Doubling::persist);
    assert_eq!(second, (vec![3], vec![2, 4, 6]));
}

#[test]
fn every_combination_of_persist_and_dedupe() {
    let two_runs = |policy: fn(Doubling) -> Doubling| {
        let store = Arc::new(Memory::new());
        (double(&store, &[1, 1], policy), double(&store, &[1, 1], policy))
    };
    // In the memory of each instance alone.
    assert_eq!(two_runs(|it| it), ((vec![1], vec![2]), (vec![1], vec![2])));
    // Nothing is remembered.
    let every_time = two_runs(Doubling::every_time);
    assert_eq!(every_time, ((vec![1, 1], vec![2, 2]), (vec![1, 1], vec![2, 2])));
    // Left out in all runs.
    assert_eq!(two_runs(Doubling::persist), ((vec![1], vec![2]), (vec![], vec![2])));
    // Built every time, and recorded.
    let recorded = two_runs(|it| it.persist().every_time());
    assert_eq!(recorded, ((vec![1, 1], vec![2, 2]), (vec![1, 1], vec![2, 2, 2, 2])));
}

#[test]
fn another_version_begins_anew() {
    let store = Arc::new(Memory::new());
    let policy = |it: Doubling| it.persist();
    assert_eq!(double(&store, &[1], policy).0, [1]);
    assert_eq!(double(&store, &[1], |it| it.version("2").persist()).0, [1]);
    assert!(double(&store, &[1], policy).0.is_empty());
}

#[test]
fn whatever_the_interleaving_a_second_run_brings_back_the_first() {
    explore(SEEDS, |sim| {
        let store = Arc::new(Memory::new());
        let first = double(&store, &[1, 2, 3], Doubling::persist);
        assert_eq!(first, (vec![1, 2, 3], vec![2, 4, 6]));
        let mut graph = Reactive::new("doubling");
        let (calls, seen) = doubling(&mut graph, &[3, 4, 1], Doubling::persist);
        let pipeline = graph.install(Pipeline::builder().store(store)).expect("sound");
        let pipeline = sim.build(pipeline).expect("sound");
        let run = sim.run(pipeline);
        assert!(run.result.is_ok(), "{:?}", run.result);
        assert_eq!((calls.take(), seen.values()), (vec![4], vec![2, 4, 6, 8]));
        run
    });
}

#[test]
fn more_than_is_read_at_a_time_comes_back_in_order() {
    let store = Arc::new(Memory::new());
    let numbers: Vec<u64> = (0..1_500).collect();
    let doubles: Vec<u64> = numbers.iter().map(|n| n * 2).collect();
    assert_eq!(double(&store, &numbers, Doubling::persist), (numbers.clone(), doubles.clone()));
    let mut graph = Reactive::new("doubling");
    let (calls, seen) = doubling(&mut graph, &numbers, Doubling::persist);
    let limits = Limits { in_flight_max: 16, pull_max: 10, ..Limits::default() };
    let pipeline = Pipeline::builder().store(store).limits(limits);
    let pipeline = graph.install(pipeline).expect("sound").build().expect("sound");
    let report = pipeline.run().expect("nothing fails");
    assert_eq!((calls.take(), seen.values()), (vec![], doubles));
    assert_eq!(report.processor("doubles").map(|one| one.replayed), Some(1_500));
}

/// A record's key and value.
type Kept = (Vec<u8>, Vec<u8>);

/// The only namespace, and its records.
fn records(store: &Memory) -> (String, Vec<Kept>) {
    let namespaces = store.namespaces().expect("it can be read");
    let [namespace] = &namespaces[..] else { panic!("{namespaces:?}") };
    let entries = store.scan(Scan::all(namespace)).map(|entry| entry.expect("it is sound"));
    (namespace.clone(), entries.map(|entry| (entry.key, entry.value)).collect())
}

#[test]
fn a_record_that_means_nothing_is_built_again_or_fails_the_run() {
    let store = Arc::new(Memory::new());
    double(&store, &[1, 2, 3], Doubling::persist);
    let (namespace, kept) = records(&store);
    let (key, value) = &kept[1];
    let text = String::from_utf8(value.clone()).expect("it is JSON");
    for damaged in ["{", "{\"format\":9}", &text.replace(":4}", ":5}")] {
        assert_ne!(damaged, text);
        let batch = Batch::new().put(&namespace, key, damaged.as_bytes());
        store.commit(batch, Durability::Sync).expect("it is in memory");

        let mut graph = Reactive::new("doubling");
        let strict = Cache::new().on_failure(ArchivePolicy::Fail);
        let (_, _) = doubling(&mut graph, &[1], |it| it.persist_with(strict.clone()));
        let pipeline = graph.install(Pipeline::builder().store(store.clone())).expect("sound");
        let error = pipeline.build().expect("sound").run().expect_err("a record is damaged");
        let told = format!("{:#}", anyhow::Error::from(error));
        assert!(told.contains("doubles") && told.contains("can't be read"), "{told}");

        // It is built again, and comes after the others.
        let again = double(&store, &[1, 2, 3], Doubling::persist);
        assert_eq!(again, (vec![2], vec![2, 6, 4]), "{damaged}");
        let batch = kept
            .iter()
            .fold(Batch::new(), |batch, (key, value)| batch.put(&namespace, key, value.clone()));
        let batch = batch.delete(&namespace, &3_u64.to_be_bytes());
        store.commit(batch, Durability::Sync).expect("it is in memory");
    }
}

/// Everything that doubling and adding three reaches from 1 modulo 2 000, remembering little.
fn reach(graph: &mut Reactive) -> (selvedge::reactive::Artifacts<u64>, Calls<u64>) {
    let calls = Calls::new();
    let noted = calls.clone();
    let states = graph.merge::<u64>("states");
    graph.add(source(&states, [1]).named("first"));
    let next = move |n: &u64| {
        noted.note(*n);
        vec![n * 2 % 2_000, (n + 3) % 2_000]
    };
    let next = builder(&states, &states, next).named("next");
    graph.add(next.feedback("states", Until::NothingNew).memo_max(100));
    (graph.collect(&states), calls)
}

#[test]
fn inputs_that_are_too_many_for_memory_are_remembered_in_the_store_while_the_run_goes_on() {
    let store = Arc::new(Memory::new());
    // What an earlier run left behind that crashed means nothing.
    let namespace = format!("aside/{}", Digest::of("next").expect("it has one"));
    store.put(&namespace, &1_u64.to_be_bytes(), b"", Durability::None).expect("it is in memory");
    for _ in 0..2 {
        let mut graph = Reactive::new("reach");
        let (seen, calls) = reach(&mut graph);
        let pipeline = graph.install(Pipeline::builder().store(store.clone())).expect("sound");
        pipeline.build().expect("sound").run().expect("the store takes the rest");
        let mut called = calls.take();
        called.sort_unstable();
        assert_eq!(called, (0..2_000).collect::<Vec<_>>(), "each once");
        assert_eq!(seen.len(), 4_001);
        assert!(store.namespaces().expect("it can be read").is_empty(), "nothing is left");
    }
    // Without a store it is an error, as a search would not end otherwise.
    let mut graph = Reactive::new("reach");
    reach(&mut graph);
    let error = graph.install(Pipeline::builder()).expect("sound").build().expect("sound").run();
    let told = format!("{:#}", anyhow::Error::from(error.expect_err("a hundred is too few")));
    assert!(told.contains("has built from 100 inputs") && told.contains("a store"), "{told}");
}

#[test]
fn what_is_brought_back_may_be_more_than_memory_holds() {
    let store = Arc::new(Memory::new());
    let numbers: Vec<u64> = (0..300).collect();
    let policy = |it: Doubling| it.memo_max(10).persist();
    assert_eq!(double(&store, &numbers, policy).0, numbers);
    let (built, seen) = double(&store, &numbers, policy);
    assert!(built.is_empty() && seen.len() == 300);
    explore(SEEDS, |sim| {
        let mut graph = Reactive::new("doubling");
        let store = Arc::new(Memory::new());
        let (calls, seen) = doubling(&mut graph, &[1, 2, 3, 4, 1, 2, 5], |it| it.memo_max(2));
        let pipeline = sim.build(graph.install(Pipeline::builder().store(store)).expect("sound"));
        let run = sim.run(pipeline.expect("sound"));
        assert!(run.result.is_ok(), "{:?}", run.result);
        assert_eq!((calls.take(), seen.values()), (vec![1, 2, 3, 4, 5], vec![2, 4, 6, 8, 10]));
        run
    });
}
