//! Rendezvous in graphs.

use std::sync::Arc;
use std::time::Duration;

use selvedge::prelude::*;
use selvedge::reactive::rendezvous::{
    ClearOrphans, ClearedOrphans, Duplicates, Options, rendezvous,
};
use selvedge::reactive::{Artifacts, Reactive};
use selvedge::runtime::FailurePolicy;
use selvedge::store::{Memory, Store};

use super::{everywhere, on_threads, simulated};

type Lettered = (u64, char);
type Pair = (Lettered, Lettered);

fn number(item: &Lettered) -> anyhow::Result<u64> {
    Ok(item.0)
}

fn letters(pairs: &Artifacts<Pair>) -> Vec<String> {
    let values = pairs.values();
    values.iter().map(|((_, this), (_, that))| format!("{this}{that}")).collect()
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

#[test]
fn pairs_meet_by_their_keys() {
    // The left stream first: then the right one decides the order.
    let define = |graph: &mut Reactive| {
        let left = graph.source("left", [(1, 'a'), (2, 'b')]);
        let right = graph.source("right", [(2, 'x'), (1, 'y')]);
        let pairs = graph.add(rendezvous("pairs", ((&left, number), (&right, number))));
        graph.collect(&pairs)
    };
    everywhere(define, |pairs| assert_eq!(sorted(letters(pairs)), ["ay", "bx"]));
    let mut graph = Reactive::new("in order");
    let left = graph.input::<Lettered>("left");
    let right = graph.input::<Lettered>("right");
    let pairs = graph.add(rendezvous("pairs", ((&left, number), (&right, number))));
    let seen = graph.collect(&pairs);
    let pipeline = graph.install(Pipeline::builder()).unwrap().build().unwrap();
    for item in [(1, 'a'), (2, 'b')] {
        pipeline.submit(left.made(item)).unwrap();
    }
    for item in [(2, 'x'), (1, 'y')] {
        pipeline.submit(right.made(item)).unwrap();
    }
    pipeline.run().unwrap();
    assert_eq!(letters(&seen), ["bx", "ay"]);
}

#[test]
fn of_three_keys_where_two_may_wait_one_is_evicted() {
    let define = |graph: &mut Reactive| {
        let left = graph.source("left", [(1, 'a'), (2, 'b'), (3, 'c')]);
        let right = graph.source("right", Vec::<Lettered>::new());
        let join = rendezvous("pairs", ((&left, number), (&right, number)));
        let join = join.options(Options::new().evict_above(2).unwrap());
        let counts = join.counts();
        let pairs = graph.add(join);
        (graph.collect(&pairs), counts)
    };
    everywhere(define, |(pairs, counts)| {
        assert!(pairs.is_empty());
        assert_eq!((counts.evicted.count(), counts.left.count()), (1, 2));
    });
}

/// Two streams of keys that repeat, and what they are joined to in the order of one processor.
fn many(n: u64) -> (Vec<Lettered>, Vec<Lettered>) {
    let left = (0..n).map(|i| (i * 7 % 20, 'a')).collect();
    let right = (0..n).map(|i| (i * 11 % 20, 'b')).collect();
    (left, right)
}

#[test]
fn shards_make_the_same_pairs() {
    let joined = |n_shards: usize| {
        move |graph: &mut Reactive| {
            let (left, right) = many(60);
            let (left, right) = (graph.source("left", left), graph.source("right", right));
            let options = Options::new().duplicates(Duplicates::Queue);
            let join = rendezvous("pairs", ((&left, number), (&right, number)));
            let pairs = graph.add(join.options(options).shards(n_shards).unwrap());
            graph.collect(&pairs)
        }
    };
    let expected = sorted(on_threads(joined(1), |builder| builder).0.values());
    assert_eq!(expected.len(), 60);
    for n_shards in [2, 3] {
        everywhere(joined(n_shards), |pairs| assert_eq!(sorted(pairs.values()), expected));
    }
}

#[test]
fn an_outer_join_loses_no_key_and_spills_what_is_too_much() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let define = |graph: &mut Reactive| {
        let left = graph.source("left", (0..24).map(|n| (n, 'a')));
        let right = graph.source("right", (12..36).map(|n| (n, 'b')));
        let join = rendezvous("pairs", ((&left, number), (&right, number))).outer();
        let join = join.spill(Arc::clone(&store), "pairs", 8).unwrap();
        let counts = join.counts();
        let pairs = graph.add(join);
        (graph.collect(&pairs), counts)
    };
    everywhere(define, |(pairs, counts)| {
        let side = |side: &Option<Lettered>| side.map(|(n, _)| n);
        let keys = |(left, right): &(Option<Lettered>, Option<Lettered>)| (side(left), side(right));
        let met = sorted(pairs.values().iter().map(keys).collect());
        let expected = (0..36).map(|n| ((n < 24).then_some(n), (n >= 12).then_some(n)));
        assert_eq!(met, sorted(expected.collect()));
        assert!(counts.spilled.count() > 0);
    });
}

#[test]
fn a_key_function_that_fails_leaves_the_other_keys_alone() {
    let picky = |item: &Lettered| match item.1 {
        '!' => Err(anyhow::anyhow!("no key in sight")),
        _ => Ok(item.0),
    };
    let define = |graph: &mut Reactive| {
        let left = graph.source("left", [(1, 'a'), (9, '!'), (2, 'b')]);
        let right = graph.source("right", [(1, 'x'), (2, 'y')]);
        let join = rendezvous("pairs", ((&left, picky), (&right, number)));
        let pairs = graph.add(join.on_failure(FailurePolicy::Skip));
        graph.collect(&pairs)
    };
    everywhere(define, |pairs| assert_eq!(sorted(letters(pairs)), ["ax", "by"]));
    let (_, result) = on_threads(define, |builder| builder);
    let report = result.unwrap();
    assert_eq!(report.dead_letters.len(), 1);
    let told = format!("{:#}", report.dead_letters[0].error);
    assert!(told.contains("the key function of stream 0 failed on an item"), "{told}");
}

#[test]
fn of_shards_one_tells_of_a_failing_key() {
    let define = |graph: &mut Reactive| {
        let left = graph.source("left", [(1, 'a'), (2, 'b')]);
        let right = graph.source("right", [(1, 'x')]);
        let broken = |item: &Lettered| match item.0 {
            2 => Err(anyhow::anyhow!("no key in sight")),
            n => Ok(n),
        };
        let join = rendezvous("pairs", ((&left, broken), (&right, number)));
        let join = join.on_failure(FailurePolicy::Skip).shards(3).unwrap();
        let pairs = graph.add(join);
        graph.collect(&pairs)
    };
    let (pairs, result) = on_threads(define, |builder| builder);
    assert_eq!(letters(&pairs), ["ax"]);
    assert_eq!(result.unwrap().dead_letters.len(), 1);
}

#[test]
fn keys_whose_time_is_over_meet_nobody() {
    let define = |graph: &mut Reactive| {
        let left = graph.input::<Lettered>("left");
        let right = graph.input::<Lettered>("right");
        let join = rendezvous("pairs", ((&left, number), (&right, number)));
        let options = Options::new().time_to_live(Duration::from_secs(10));
        let join = join.options(options);
        let counts = join.counts();
        let pairs = graph.add(join);
        (graph.collect(&pairs), counts, left, right)
    };
    selvedge_testkit::explore(super::SEEDS, |sim| {
        let mut graph = Reactive::new("late");
        let (pairs, counts, left, right) = define(&mut graph);
        let at = Duration::from_secs;
        let sim = sim
            .submit_at(at(1), left.made((1, 'a')))
            .submit_at(at(2), left.made((2, 'b')))
            .submit_at(at(11), right.made((1, 'x')))
            .submit_at(at(11), right.made((2, 'y')));
        let pipeline = sim.build(graph.install(Pipeline::builder()).unwrap()).unwrap();
        let run = sim.run(pipeline);
        assert!(run.result.is_ok());
        assert_eq!(letters(&pairs), ["by"]);
        assert_eq!((counts.expired.count(), counts.left.count()), (1, 1));
        run
    });
}

#[test]
fn orphans_are_cleared_by_whoever_asks() {
    let mut graph = Reactive::new("orphans");
    let left = graph.source("left", (0..5).map(|n| (n, 'a')));
    let right = graph.input::<Lettered>("right");
    let pairs = graph.add(rendezvous("pairs", ((&left, number), (&right, number))));
    let seen = graph.collect(&pairs);
    let pipeline = graph.install(Pipeline::builder()).unwrap().build().unwrap();
    let running = pipeline.start().unwrap();
    let control = running.control();
    control.drain().unwrap();
    let cleared = running.ask::<ClearedOrphans>(ClearOrphans::of("pairs")).unwrap().wait().unwrap();
    assert_eq!(cleared.0, 5);
    running.submitter().submit(right.made((1, 'x'))).unwrap();
    running.finish().unwrap();
    assert!(seen.is_empty());
}

#[test]
fn one_stream_is_legal_and_one_twice_is_not() {
    let alone = |graph: &mut Reactive| {
        let left = graph.source("left", [(1, 'a'), (1, 'b')]);
        let alone = graph.add(rendezvous("alone", ((&left, number),)));
        graph.collect(&alone)
    };
    everywhere(alone, |alone| assert_eq!(alone.values(), [((1, 'a'),), ((1, 'b'),)]));
    let twice = |graph: &mut Reactive| {
        let left = graph.source("left", [(1, 'a')]);
        let pairs = graph.add(rendezvous("pairs", ((&left, number), (&left, number))));
        graph.collect(&pairs)
    };
    let (_, result) = on_threads(twice, |builder| builder);
    let told = result.unwrap_err();
    assert!(told.contains("2 key functions for 1 streams"), "{told}");
}

#[test]
fn any_number_of_streams_of_one_type() {
    let define = |graph: &mut Reactive| {
        let targets: Vec<_> = (0..5)
            .map(|stream| {
                graph.source(format!("stream {stream}").as_str(), (0..10_u64).map(move |n| n * 10))
            })
            .collect();
        let key = |n: &u64| -> anyhow::Result<u64> { Ok(*n) };
        let streams: Vec<_> = targets.iter().map(|target| (target, key)).collect();
        let rows = graph.add(rendezvous("rows", streams));
        graph.collect(&rows)
    };
    simulated(
        define,
        |sim| sim,
        |rows| {
            let expected: Vec<Vec<u64>> = (0..10).map(|n| vec![n * 10; 5]).collect();
            assert_eq!(sorted(rows.values()), expected);
        },
    );
}
