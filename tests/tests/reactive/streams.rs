//! Stream operators in graphs.

use std::time::Duration;

use selvedge::reactive::operators::{
    Collector, Distinct, Emission, Filter, FlatMap, Fold, Grouper, Map, Merge, RateLimit,
    ReservoirSampler, StreamSampler, TopK, stream,
};
use selvedge::reactive::{Artifacts, Reactive};
use selvedge::runtime::Limits;
use selvedge_testkit::Sim;

use super::{everywhere, on_threads, simulated};

/// The numbers below `n`, in an order of its own for each seed.
fn shuffled(n: u64, seed: u64) -> Vec<u64> {
    let mut numbers: Vec<u64> = (0..n).collect();
    numbers.sort_by_key(|number| (number ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ seed));
    numbers
}

#[test]
fn a_reservoir_keeps_the_same_ten_of_every_shuffle() {
    let sampled = |seed| {
        move |graph: &mut Reactive| {
            let numbers = graph.source("numbers", shuffled(1_000, seed));
            let sample = ReservoirSampler::new(10).unwrap();
            let sample = graph.add(stream("sample", [&numbers], sample));
            graph.collect(&sample)
        }
    };
    let expected = on_threads(sampled(0), |builder| builder).0.values();
    assert_eq!(expected.len(), 10);
    for seed in 1..20 {
        assert_ne!(shuffled(1_000, seed), shuffled(1_000, 0));
        assert_eq!(on_threads(sampled(seed), |builder| builder).0.values(), expected);
    }
}

#[test]
fn a_chain_of_operators_is_what_iterators_make() {
    let define = |graph: &mut Reactive| {
        let numbers = graph.source("numbers", 0..40_u64);
        let halves = graph.add(stream("halves", [&numbers], Map::new(|n: u64| Ok(n / 2))));
        let firsts = graph.add(stream("firsts", [&halves], Distinct::new(|n: &u64| Ok(*n))));
        let even =
            graph.add(stream("even", [&firsts], Filter::new(|n: &u64| Ok(n.is_multiple_of(2)))));
        let both = graph.add(stream("both", [&even], FlatMap::new(|n: u64| Ok([n, n + 100]))));
        let best = TopK::new(3, |n: &u64| Ok(n % 10)).unwrap();
        let best = graph.add(stream("best", [&both], best));
        (graph.collect(&both), graph.collect(&best))
    };
    everywhere(define, |(both, best)| {
        let expected: Vec<u64> =
            (0..20).filter(|n| n % 2 == 0).flat_map(|n| [n, n + 100]).collect();
        assert_eq!(both.values(), expected);
        assert_eq!(best.values(), [(8, 8), (8, 108), (8, 18)]);
    });
}

#[test]
fn groups_batches_and_counts_come_when_a_phase_ends() {
    type Seen = (Artifacts<(u64, Vec<u64>)>, Artifacts<Vec<u64>>, Artifacts<(bool, u64)>);
    let define = |graph: &mut Reactive| -> Seen {
        let numbers = graph.source("numbers", 0..10_u64);
        let groups = Grouper::new(|n: &u64| Ok(n % 3));
        let groups = graph.add(stream("groups", [&numbers], groups));
        let batches = graph.add(stream("batches", [&numbers], Collector::new().limit(4).unwrap()));
        let sums =
            Fold::new(|n: &u64| Ok(n.is_multiple_of(2)), 0, |sum: &mut u64, n: u64| *sum += n);
        let sums = graph.add(stream("sums", [&numbers], sums.emission(Emission::AtPhase)));
        (graph.collect(&groups), graph.collect(&batches), graph.collect(&sums))
    };
    everywhere(define, |(groups, batches, sums)| {
        let expected = [(0, vec![0, 3, 6, 9]), (1, vec![1, 4, 7]), (2, vec![2, 5, 8])];
        assert_eq!(groups.values(), expected);
        assert_eq!(batches.values(), [[0, 1, 2, 3]]);
        assert_eq!(sums.values(), [(true, 20), (false, 25)]);
    });
}

#[test]
fn merged_streams_keep_their_own_orders() {
    let define = |graph: &mut Reactive| {
        let low = graph.source("low", 0..20_u64);
        let high = graph.source("high", 100..120_u64);
        let merged = graph.add(stream("merged", [&low, &high], Merge::new()));
        graph.collect(&merged)
    };
    everywhere(define, |merged| {
        let (low, high): (Vec<u64>, Vec<u64>) = merged.values().into_iter().partition(|n| *n < 100);
        assert_eq!(low, (0..20).collect::<Vec<_>>());
        assert_eq!(high, (100..120).collect::<Vec<_>>());
    });
}

#[test]
fn a_limited_rate_takes_its_time_and_the_run_waits() {
    let define = |graph: &mut Reactive| {
        let numbers = graph.source("numbers", 0..10_u64);
        let slow = RateLimit::new(2, Duration::from_secs(60)).unwrap();
        let slow = graph.add(stream("slow", [&numbers], slow));
        graph.collect(&slow)
    };
    let mut graph = Reactive::new("graph");
    let seen = define(&mut graph);
    let sim = Sim::new(3);
    let builder = graph.install(selvedge::runtime::Pipeline::builder()).unwrap();
    let pipeline = sim.build(builder).unwrap();
    let run = sim.run(pipeline);
    assert!(run.result.is_ok());
    assert_eq!(seen.values(), (0..10).collect::<Vec<_>>());
    // Two at once, and two each minute: the last after four.
    assert_eq!(run.elapsed, Duration::from_secs(240));
    simulated(define, |sim| sim, |seen| assert_eq!(seen.len(), 10));
}

#[test]
fn the_sample_of_a_stream_follows_from_its_seed() {
    let define = |graph: &mut Reactive| {
        let numbers = graph.source("numbers", 0..60_u64);
        let sample = StreamSampler::new(0.3, 11).unwrap();
        let sample = graph.add(stream("sample", [&numbers], sample));
        graph.collect(&sample)
    };
    let expected = on_threads(define, |builder| builder).0.values();
    assert!((5..40).contains(&expected.len()));
    everywhere(define, |sample| assert_eq!(sample.values(), expected));
}

#[test]
fn a_function_that_fails_is_named_with_its_operator() {
    let define = |graph: &mut Reactive| {
        let numbers = graph.source("numbers", [1_u64, 0, 2]);
        let inverses = Map::new(|n: u64| match n {
            0 => Err(anyhow::anyhow!("zero has no inverse")),
            n => Ok(12 / n),
        });
        let inverses = graph.add(stream("inverses", [&numbers], inverses));
        graph.collect(&inverses)
    };
    let (seen, result) = on_threads(define, |builder| builder);
    let told = result.unwrap_err();
    assert!(told.contains("inverses") && told.contains("zero has no inverse"), "{told}");
    assert!(seen.len() <= 1);
}

#[test]
fn a_stream_that_never_ends_a_phase_meets_a_limit() {
    // Without phases a grouper only gathers; what it may gather is bounded.
    let define = |graph: &mut Reactive| {
        let numbers = graph.source("numbers", 0_u64..);
        let groups = Grouper::new(|n: &u64| Ok(n % 7)).items_max(10_000).unwrap();
        let groups = graph.add(stream("groups", [&numbers], groups));
        graph.collect(&groups)
    };
    let limits = Limits { in_flight_max: 64, ..Limits::default() };
    let (_, result) = on_threads(define, |builder| builder.limits(limits.clone()));
    let told = result.unwrap_err();
    assert!(told.contains("it holds 10000 items of a phase already"), "{told}");
}
