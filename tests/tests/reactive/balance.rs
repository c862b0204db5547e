//! Balanced work in graphs.

use std::sync::Arc;
use std::time::Duration;

use selvedge::reactive::balancer::{
    Balanced, BalancerError, Dedupe, Gap, Options, Order, Routing, balance, balance_persisted,
    parallelize,
};
use selvedge::reactive::{Artifacts, Reactive};
use selvedge::runtime::{FailurePolicy, Limits, Pipeline};
use selvedge::store::{Memory, Store};
use selvedge_testkit::explore;

use super::{Calls, SEEDS, everywhere, on_threads, simulated};

type Made = (Artifacts<u64>, Balanced<u64>);

/// Squares of the numbers below 100; an even number has another result, its double.
fn squares(options: impl Fn() -> Options) -> impl Fn(&mut Reactive) -> Made {
    move |graph| {
        let numbers = graph.source("numbers", 0..100_u64);
        let balanced = balance(graph, "squares", &numbers, options(), |_| {
            |n: &u64| Ok(if n.is_multiple_of(2) { vec![n * n, n * 2] } else { vec![n * n] })
        });
        let balanced = balanced.unwrap();
        (graph.collect(&balanced.target), balanced)
    }
}

fn sequential() -> Vec<u64> {
    let results = |n: u64| if n.is_multiple_of(2) { vec![n * n, n * 2] } else { vec![n * n] };
    (0..100).flat_map(results).collect()
}

fn sorted(mut items: Vec<u64>) -> Vec<u64> {
    items.sort_unstable();
    items
}

/// Workers that are as slow as can be one after another.
fn uneven(sim: selvedge_testkit::Sim) -> selvedge_testkit::Sim {
    let worker = |i: usize| format!("graph/numbers->squares/worker-{i}");
    (0..3).fold(sim, |sim, i| sim.cost(&worker(i), Duration::from_millis([1, 17, 5][i])))
}

#[test]
fn in_the_order_of_the_items_whoever_is_slow() {
    let routings = [Routing::RoundRobin, Routing::LeastLoaded { window: 2 }];
    for routing in routings {
        let define = squares(|| Options::new(3).routing(routing));
        let (made, result) = on_threads(&define, |builder| builder);
        result.unwrap();
        assert_eq!(made.0.values(), sequential());
        simulated(&define, uneven, |(seen, _)| assert_eq!(seen.values(), sequential()));
        simulated(
            define,
            |sim| sim.jitter(Duration::from_millis(3)),
            |(seen, balanced)| {
                assert_eq!(seen.values(), sequential());
                assert_eq!(balanced.skipped.count(), 0);
            },
        );
    }
}

#[test]
fn without_an_order_the_results_are_the_same() {
    let define = squares(|| Options::new(3).order(Order::AsProduced));
    let (made, _) = on_threads(&define, |builder| builder);
    assert_eq!(sorted(made.0.values()), sorted(sequential()));
    simulated(define, uneven, |(seen, _)| {
        assert_eq!(sorted(seen.values()), sorted(sequential()));
    });
}

#[test]
fn workers_are_the_same_in_every_run() {
    let define = squares(|| Options::new(2));
    let (_, result) = on_threads(define, |builder| builder);
    let names: Vec<String> =
        result.unwrap().processors.iter().map(|processor| processor.name.to_string()).collect();
    assert!(names.contains(&"graph/numbers->squares/worker-0".to_owned()), "{names:?}");
    assert!(names.contains(&"graph/numbers->squares/worker-1".to_owned()));
    assert!(!names.iter().any(|name| name.contains("worker-2")));
}

/// Doubles of the numbers below 30; every seventh fails, every eleventh panics.
fn failing(order: fn() -> Order) -> impl Fn(&mut Reactive) -> Made {
    move |graph| {
        let numbers = graph.source("numbers", 0..30_u64);
        let options = Options::new(3).on_failure(FailurePolicy::Skip).stateless().order(order());
        let balanced = balance(graph, "doubles", &numbers, options, |_| {
            |n: &u64| match n {
                n if n % 7 == 3 => Err(anyhow::anyhow!("{n} can't be doubled")),
                n if n % 11 == 5 => panic!("{n} panics"),
                n => Ok([n * 2]),
            }
        });
        let balanced = balanced.unwrap();
        (graph.collect(&balanced.target), balanced)
    }
}

#[test]
fn a_worker_that_fails_stops_neither_the_others_nor_the_order() {
    let doubles: Vec<u64> = (0..30).filter(|n| n % 7 != 3 && n % 11 != 5).map(|n| n * 2).collect();
    everywhere(failing(|| Order::Fifo(Gap::Wait)), |(seen, balanced)| {
        assert_eq!(seen.values(), doubles);
        assert_eq!(balanced.skipped.count(), 0);
        assert_eq!(balanced.failed.count() as usize, 30 - doubles.len());
    });
    let (_, result) = on_threads(failing(|| Order::AsProduced), |builder| builder);
    assert_eq!(result.unwrap().dead_letters.len(), 30 - doubles.len());
}

#[test]
fn a_worker_that_fails_ends_the_run_unless_it_may_not() {
    let define = |graph: &mut Reactive| {
        let numbers = graph.source("numbers", 0..30_u64);
        let broken = |n: &u64| match n {
            17 => Err(anyhow::anyhow!("seventeen of all numbers")),
            n => Ok([*n]),
        };
        let balanced = parallelize(graph, "same", &numbers, Options::new(2), |_| broken).unwrap();
        graph.collect(&balanced.target)
    };
    let (_, result) = on_threads(define, |builder| builder);
    let told = result.unwrap_err();
    assert!(told.contains("graph/numbers->same/worker-1"), "{told}");
    assert!(told.contains("seventeen of all numbers"), "{told}");
}

#[test]
fn equal_items_are_worked_on_once_unless_told_otherwise() {
    let define = |dedupe: Dedupe| {
        move |graph: &mut Reactive| {
            let numbers = graph.source("numbers", [1_u64, 2, 1, 3, 2]);
            let options = Options::new(2).dedupe(dedupe);
            let balanced = balance(graph, "same", &numbers, options, |_| |n: &u64| Ok([*n]));
            graph.collect(&balanced.unwrap().target)
        }
    };
    everywhere(define(Dedupe::On), |seen| assert_eq!(seen.values(), [1, 2, 3]));
    everywhere(define(Dedupe::Off), |seen| assert_eq!(seen.values(), [1, 2, 1, 3, 2]));
}

#[test]
fn numbers_go_on_after_a_restart() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    for _ in 0..3 {
        let define = squares(|| Options::new(3).persistent(Arc::clone(&store), "balance"));
        let (made, result) = on_threads(define, |builder| builder);
        result.unwrap();
        assert_eq!(made.0.values(), sequential());
        assert_eq!(made.1.skipped.count(), 0);
    }
    let next = store.get("balance", b"squares").unwrap().unwrap();
    assert_eq!(u64::from_be_bytes(next.try_into().unwrap()), 300);
}

#[test]
fn workers_are_taken_into_use_as_they_are_needed() {
    let options = || Options::new(3).at_least(1).routing(Routing::LeastLoaded { window: 1 });
    simulated(squares(options), uneven, |(seen, balanced)| {
        assert_eq!(seen.values(), sequential());
        assert!(balanced.scaled_up.count() > 0);
    });
}

#[test]
fn what_cant_be_is_refused() {
    let refused = |requires: &str, options| {
        let mut graph = Reactive::new("graph");
        let numbers = graph.source(requires, 0..3_u64);
        balance(&mut graph, "same", &numbers, options, |_| |n: &u64| Ok([*n])).unwrap_err()
    };
    let none = refused("numbers", Options::new(0));
    assert!(matches!(none, BalancerError::NoWorkers { .. }));
    let starred = refused("*numbers", Options::new(1));
    assert!(matches!(starred, BalancerError::Starred { .. }));
    let gap = Order::Fifo(Gap::SkipAhead { max_buffered: 0 });
    assert!(matches!(refused("numbers", Options::new(1).order(gap)), BalancerError::Zero { .. }));
    let bounds = refused("numbers", Options::new(2).at_least(3));
    assert!(matches!(bounds, BalancerError::Bounds { .. }));
}

#[test]
fn a_worker_that_never_returns_is_written_off_and_the_order_skips_ahead() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(held));
    let define = |graph: &mut Reactive| {
        let numbers = graph.source("numbers", 0..20_u64);
        let options = Options::new(2).order(Order::Fifo(Gap::SkipAhead { max_buffered: 3 }));
        let held = Arc::clone(&held);
        let balanced = balance(graph, "same", &numbers, options, move |_| {
            let held = Arc::clone(&held);
            move |n: &u64| {
                if *n == 4 {
                    let _ = held.lock().unwrap().recv();
                }
                Ok([*n])
            }
        });
        let balanced = balanced.unwrap();
        (graph.collect(&balanced.target), balanced)
    };
    let limits = Limits {
        watchdog_interval: Duration::from_millis(20),
        leak_after: Duration::from_millis(200),
        ..Limits::default()
    };
    let ((seen, balanced), result) = on_threads(define, |builder| builder.limits(limits.clone()));
    let report = result.unwrap();
    assert_eq!(report.stuck.len(), 1);
    assert_eq!(&*report.stuck[0].processor, "graph/numbers->same/worker-0");
    let seen = seen.values();
    // Worker 0 had the even ones: those before it got stuck are there, and all of worker 1's.
    assert!(seen.is_sorted() && !seen.contains(&4), "{seen:?}");
    assert!((0..20).filter(|n| n % 2 == 1).all(|n| seen.contains(&n)), "{seen:?}");
    assert!(balanced.skipped.count() > 0);
    drop(release);
}

/// Squares of numbers, by so many workers, kept in a store; what was worked on, and what came.
fn kept(graph: &mut Reactive, numbers: Vec<u64>, options: Options) -> (Calls<u64>, Artifacts<u64>) {
    let calls = Calls::new();
    let noted = calls.clone();
    let numbers = graph.source("numbers", numbers);
    let squares = balance_persisted(graph, "squares", &numbers, options, "1", move |_| {
        let noted = noted.clone();
        move |n: &u64| {
            noted.note(*n);
            anyhow::ensure!(*n != 13, "thirteen is bad luck");
            Ok(if n.is_multiple_of(3) { Vec::new() } else { vec![n * n] })
        }
    });
    (calls, graph.collect(&squares.unwrap().target))
}

fn squared(numbers: impl Iterator<Item = u64>) -> Vec<u64> {
    numbers.filter(|n| !n.is_multiple_of(3) && *n != 13).map(|n| n * n).collect()
}

/// The same in a run of its own.
fn run_kept(
    store: &Arc<Memory>,
    numbers: impl Iterator<Item = u64>,
    options: Options,
) -> (Vec<u64>, Vec<u64>) {
    let mut graph = Reactive::new("graph");
    let (calls, seen) = kept(&mut graph, numbers.collect(), options);
    let network = graph.network().unwrap();
    let pipeline = graph.install(Pipeline::builder().workers(2).store(store.clone())).unwrap();
    pipeline.build().unwrap().run().unwrap();
    let explained = network.explain("squares", Some(&**store)).unwrap().to_string();
    assert!(explained.contains("collector: replay, "), "{explained}");
    (sorted(calls.take()), seen.values())
}

#[test]
fn what_balanced_workers_made_outlives_the_run_however_many_there_are() {
    let store = Arc::new(Memory::new());
    let first = run_kept(&store, (0..10).chain(0..10), Options::new(3));
    assert_eq!(first, ((0..10).collect(), squared(0..10)));
    // Fewer workers, and more items: only those are worked on.
    let skips = || Options::new(2).on_failure(FailurePolicy::Skip).stateless();
    let second = run_kept(&store, 5..15, skips());
    assert_eq!(second, ((10..15).collect(), squared(0..15)));
    // The one that failed left nothing, so it is tried again; more workers, in no order.
    let third = run_kept(&store, 0..15, skips().order(Order::AsProduced));
    assert_eq!((third.0, sorted(third.1)), (vec![13], squared(0..15)));
    // Without dedupe all is worked on and kept again, and comes back all the same.
    let fourth = run_kept(&store, 0..3, Options::new(3).dedupe(Dedupe::Off));
    assert_eq!(fourth, ((0..3).collect(), [squared(0..15), squared(0..3)].concat()));
}

#[test]
fn balanced_workers_that_fail_anywhere_work_on_nothing_twice_that_was_heard_of() {
    explore(SEEDS, |sim| {
        let store = Arc::new(Memory::new());
        let n_turn = 1 + sim.seed() * 11 % 90;
        let mut graph = Reactive::new("graph");
        let (calls, seen) = kept(&mut graph, (0..12).collect(), Options::new(3));
        let sim = sim.fail_any_turn(n_turn);
        let builder = graph.install(Pipeline::builder().store(store.clone())).unwrap();
        let pipeline = sim.build(builder).unwrap();
        let run = sim.run(pipeline);
        let heard = seen.values();
        assert!(squared(0..12).starts_with(&heard), "{heard:?}");
        drop(calls);

        let mut graph = Reactive::new("graph");
        let (calls, seen) = kept(&mut graph, (0..12).collect(), Options::new(2));
        let pipeline = graph.install(Pipeline::builder().workers(1).store(store)).unwrap();
        pipeline.build().unwrap().run().unwrap();
        // What the first run kept comes first, in its order; the rest after it.
        assert_eq!(sorted(seen.values()), squared(0..12));
        assert!(seen.values().starts_with(&heard));
        assert!(calls.take().iter().all(|n| !heard.contains(&(n * n))));
        run
    });
}

#[test]
fn a_worker_that_fails_is_named_with_what_it_worked_on() {
    for panics in [false, true] {
        let define = move |graph: &mut Reactive| {
            let numbers = graph.source("numbers", [7_u64]);
            balance(graph, "same", &numbers, Options::new(1), move |_| {
                move |n: &u64| {
                    assert!(!panics, "{n} is too much");
                    anyhow::ensure!(panics, "{n} is too much");
                    Ok([*n])
                }
            })
            .map(|made| graph.collect(&made.target))
        };
        let (_, result) = on_threads(define, |builder| builder);
        let told = result.unwrap_err();
        let digest = selvedge::event::Digest::of(&7_u64).unwrap();
        let about = format!("`graph/numbers->same/worker-0` from input {digest} failed");
        assert!(told.contains(&about) && told.contains("7 is too much"), "{told}");
    }
}
