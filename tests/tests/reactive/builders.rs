//! Streams of artifacts: resolved, paired, left out when they are known, round in circles.

use std::collections::BTreeSet;

use selvedge::prelude::*;
use selvedge::reactive::{
    Build, Hooks, Out, Reactive, Refs, Target, Until, builder, builder_of, every, source,
};
use selvedge::runtime::simulation::SimRun;
use selvedge_testkit::{Sim, explore};

use super::{Calls, SEEDS};

/// Plays a graph under many seeds; `define` hands back what is to be looked at afterwards.
fn play<R>(define: impl Fn(&mut Reactive) -> R, check: impl Fn(R)) {
    explore(SEEDS, |sim: Sim| -> SimRun {
        let mut graph = Reactive::new("cloth");
        let outcome = define(&mut graph);
        let pipeline = graph.install(Pipeline::builder()).expect("the graph is sound");
        let pipeline = sim.build(pipeline).expect("the wiring is sound");
        let run = sim.run(pipeline);
        assert!(run.result.is_ok(), "{:?}", run.result);
        check(outcome);
        run
    });
}

#[test]
fn numbers_are_doubled_in_order() {
    let doubling = |graph: &mut Reactive| {
        let numbers = graph.source("numbers", [1_u64, 2, 3]);
        let doubles = graph.builder("doubles", &numbers, |n: &u64| n * 2);
        graph.collect(&doubles)
    };
    play(doubling, |seen| assert_eq!(seen.values(), [2, 4, 6]));
}

#[test]
fn the_same_input_is_built_from_once_with_dedupe_and_twice_without() {
    let doubling = |graph: &mut Reactive| {
        let numbers = graph.source("numbers", [1_u64, 2, 2, 1]);
        let calls = Calls::new();
        let build = |calls: &Calls<u64>| {
            let calls = calls.clone();
            move |n: &u64| {
                calls.note(*n);
                n * 2
            }
        };
        let (known, all) = (Calls::new(), calls);
        let once = graph.builder("once", &numbers, build(&known));
        let always = graph.add(builder("always", &numbers, build(&all)).every_time());
        (known, all, graph.collect(&once), graph.collect(&always))
    };
    play(doubling, |(known, all, once, always)| {
        assert_eq!((known.take(), all.take()), (vec![1, 2], vec![1, 2, 2, 1]));
        assert_eq!((once.values(), always.values()), (vec![2, 4], vec![2, 4, 4, 2]));
    });
}

#[test]
fn a_search_ends_because_nothing_new_is_found() {
    /// Whom a state leads to; some lead back.
    fn next(state: &u32) -> Vec<u32> {
        vec![state * 2 % 101, (state + 7) % 101, state / 3]
    }
    let mut reached = BTreeSet::new();
    let mut pending = vec![1];
    while let Some(state) = pending.pop() {
        if reached.insert(state) {
            pending.extend(next(&state));
        }
    }
    let searching = |graph: &mut Reactive| {
        let states = graph.merge::<u32>("states");
        graph.add(source(&states, [1]).named("first"));
        let step: Target<u32> = graph.add(
            builder(&states, &states, next).named("next").feedback("states", Until::NothingNew),
        );
        let calls = Calls::new();
        let noted = calls.clone();
        graph.each("seen", &step, move |state: &u32| noted.note(*state));
        calls
    };
    play(searching, |calls: Calls<u32>| {
        let calls = calls.take();
        // Each state is expanded once, whatever leads to it.
        assert_eq!(calls.len(), 1 + 3 * reached.len());
        assert_eq!(calls.into_iter().collect::<BTreeSet<_>>(), reached);
    });
}

#[test]
fn a_cycle_can_be_bounded_by_a_number_of_builds() {
    let counting = |graph: &mut Reactive| {
        let numbers = graph.merge::<u64>("numbers");
        graph.add(source(&numbers, [0]).named("first"));
        graph.add(
            every(&numbers, &numbers, |n: &u64| n + 1)
                .named("next")
                .feedback("numbers", Until::Builds(10)),
        );
        graph.collect(&numbers)
    };
    play(counting, |seen| assert_eq!(seen.values(), (0..=10).collect::<Vec<_>>()));
}

#[test]
fn artifacts_of_several_requirements_are_paired_one_by_one() {
    let pairing = |graph: &mut Reactive| {
        let letters = graph.source("letters", ["a", "b", "c"]);
        let numbers = graph.source("numbers", [1_u64, 2, 3, 4]);
        let pairs =
            graph.builder("pairs", (&letters, &numbers), |a: &&str, n: &u64| format!("{a}{n}"));
        graph.collect(&pairs)
    };
    play(pairing, |seen| assert_eq!(seen.values(), ["a1", "b2", "c3"]));
}

#[test]
fn a_tuple_is_spread_over_arguments_and_passed_as_it_is_as_well() {
    let spreading = |graph: &mut Reactive| {
        let pairs = graph.source("pairs", [(1_u64, 'x'), (2, 'y')]);
        let spread = graph.builder("spread", pairs.spread(), |n: &u64, c: &char| format!("{n}{c}"));
        let both = graph.builder(
            "both",
            (&pairs, pairs.spread()),
            |pair: &(u64, char), n: &u64, c: &char| format!("{pair:?}{n}{c}"),
        );
        let (spread, both) = (graph.collect(&spread), graph.collect(&both));
        (spread, both)
    };
    play(spreading, |(spread, both)| {
        assert_eq!(spread.values(), ["1x", "2y"]);
        assert_eq!(both.values(), ["(1, 'x')1x", "(2, 'y')2y"]);
    });
}

#[test]
fn what_is_required_twice_is_passed_twice() {
    let squaring = |graph: &mut Reactive| {
        let numbers = graph.source("numbers", [2_u64, 3]);
        let squares = graph.builder("squares", (&numbers, &numbers), |a: &u64, b: &u64| a * b);
        graph.collect(&squares)
    };
    play(squaring, |seen| assert_eq!(seen.values(), [4, 9]));
}

#[test]
fn a_function_may_return_none_many_or_an_error() {
    let yielding = |graph: &mut Reactive| {
        let numbers = graph.source("numbers", 0..6_u64);
        let odd: Target<u64> = graph.builder("odd", &numbers, |n: &u64| (n % 2 == 1).then_some(*n));
        let below: Target<u64> = graph.builder("below", &odd, |n: &u64| 0..*n);
        let tried: Target<u64> = graph.builder("tried", &below, |n: &u64| -> Result<Vec<u64>> {
            anyhow::ensure!(*n < 100, "too much");
            Ok(vec![*n, *n])
        });
        graph.collect(&tried)
    };
    play(yielding, |seen| {
        // Of 0..1, 0..3 and 0..5 what is new, twice each.
        assert_eq!(seen.values(), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    });
}

#[test]
fn nothing_is_built_that_nobody_asks_for_and_what_comes_early_is_kept() {
    let calls = Calls::new();
    let noted = calls.clone();
    let mut graph = Reactive::new("cloth");
    let numbers = graph.input::<u64>("numbers");
    let doubles = graph.builder("doubles", &numbers, move |n: &u64| {
        noted.note(*n);
        n * 2
    });
    let pipeline = graph.install(Pipeline::builder()).expect("sound").build().expect("sound");
    assert_eq!(pipeline.submit(numbers.made(1)).expect("there is room"), 1);
    assert_eq!(pipeline.submit(numbers.made(2)).expect("there is room"), 1);
    let monitor = pipeline.submitter();
    let running = pipeline.start().expect("there are threads");
    assert!(calls.take().is_empty());
    monitor.submit(doubles.resolve()).expect("it runs");
    monitor.submit(numbers.made(3)).expect("it runs");
    drop(monitor);
    running.finish().expect("nothing fails");
    assert_eq!(calls.take(), [1, 2, 3]);
}

#[test]
fn a_resolve_reaches_those_who_provide_the_target_and_nobody_else() {
    let mut graph = Reactive::new("cloth");
    let numbers = graph.input::<u64>("numbers");
    let names: Vec<String> = (0..100).map(|n| format!("target-{n}")).collect();
    for name in &names {
        graph.add(builder(name.as_str(), &numbers, |n: &u64| n + 1));
    }
    let pipeline = graph.install(Pipeline::builder()).expect("sound").build().expect("sound");
    let target = Target::<u64>::new("target-7");
    assert_eq!(pipeline.submit(target.resolve()).expect("there is room"), 1);
    let report = pipeline.run().expect("nothing fails");
    assert_eq!(report.processor("target-7").map(|one| one.turns), Some(1));
    assert_eq!(report.processors.iter().map(|one| one.turns).sum::<u64>(), 1);
    // What it requires nobody in the graph provides: that much is told.
    assert_eq!(report.unrouted, 1);
}

/// Adds up what comes, and tells when its hooks are called.
struct Sum {
    total: u64,
    calls: Calls<String>,
}

impl Build for Sum {
    type Arguments = (u64,);
    type Made = u64;

    fn build(&mut self, _: &mut Out<'_, '_, u64>, (n,): Refs<'_, (u64,)>) -> Result {
        self.total += n;
        Ok(())
    }
    fn hooks(&self) -> Hooks {
        Hooks::INIT.and(Hooks::PHASE).and(Hooks::FINISH)
    }
    fn init(&mut self, _: &mut Out<'_, '_, u64>) -> Result {
        self.calls.note("init".to_owned());
        Ok(())
    }
    fn phase(&mut self, out: &mut Out<'_, '_, u64>, number: u32) -> Result {
        self.calls.note(format!("phase {number}"));
        if number == 1 {
            out.emit(self.total);
        }
        Ok(())
    }
    fn terminate(&mut self, out: &mut Out<'_, '_, u64>) -> Result {
        self.calls.note("terminate".to_owned());
        out.emit(0);
        Ok(())
    }
}

#[test]
fn hooks_are_called_in_their_time_and_may_emit() {
    let summing = |graph: &mut Reactive| {
        let numbers = graph.source("numbers", [1_u64, 2, 3]);
        let calls = Calls::new();
        let sum = Sum { total: 0, calls: calls.clone() };
        let sums = graph.add(builder_of("sums", &numbers, sum));
        (calls, graph.collect(&sums))
    };
    play(summing, |(calls, seen)| {
        assert_eq!(calls.take(), ["init", "phase 1", "phase 2", "terminate"]);
        assert_eq!(seen.values(), [6, 0]);
    });
}
