//! Builders with a state of their own, after a build that failed: put back, made anew, named.

use std::time::Duration;

use insta::assert_snapshot;
use selvedge::prelude::*;
use selvedge::reactive::operators::{Map, stream};
use selvedge::reactive::{
    Build, Builder, Item, Operator, Out, Reactive, Refs, Target, builder, builder_of, every,
    operator,
};
use selvedge::runtime::{LastResort, Restart, Retry};

use super::{Calls, everywhere, on_threads};

/// Adds numbers up, and fails on some after it has done so.
#[derive(Clone, Debug)]
struct Sum {
    sum: u64,
    calls: Calls<u64>,
}

impl Build for Sum {
    type Arguments = (u64,);
    type Made = u64;

    fn build(&mut self, out: &mut Out<'_, '_, u64>, (n,): Refs<'_, (u64,)>) -> Result {
        self.calls.note(*n);
        self.sum += n;
        out.emit(self.sum);
        anyhow::ensure!(!n.is_multiple_of(7), "{n} is a multiple of seven");
        assert!(!n.is_multiple_of(11), "{n} is a multiple of eleven");
        Ok(())
    }
}

/// The sums of 1 to 22, as a builder of this kind makes them.
fn sums(
    say: impl Fn(Builder<Sum>) -> Builder<Sum>,
) -> impl Fn(&mut Reactive) -> (selvedge::reactive::Artifacts<u64>, Calls<u64>) {
    move |graph| {
        let calls = Calls::new();
        let numbers = graph.source("numbers", 1..=22_u64);
        let sum = Sum { sum: 0, calls: calls.clone() };
        let sums = graph.add(say(builder_of("sums", &numbers, sum)));
        (graph.collect(&sums), calls)
    }
}

fn adding(numbers: impl Iterator<Item = u64>) -> Vec<u64> {
    let add = |sum: &mut u64, n| {
        *sum += n;
        Some(*sum)
    };
    numbers.scan(0, add).collect()
}

#[test]
fn what_a_failed_build_changed_is_put_back() {
    let is_sound = |n: &u64| !n.is_multiple_of(7) && !n.is_multiple_of(11);
    let policies: [fn() -> FailurePolicy; 2] =
        [|| FailurePolicy::Skip, || Retry::times(2).then(LastResort::Skip).into()];
    for policy in policies {
        let define = sums(move |sum| sum.restored_by_clone().on_failure(policy()));
        everywhere(define, |(seen, _)| {
            assert_eq!(seen.values(), adding((1..=22).filter(is_sound)));
        });
    }
}

#[test]
fn an_attempt_begins_where_the_last_one_did() {
    let define = |graph: &mut Reactive| {
        let numbers = graph.source("numbers", 1..=5_u64);
        let mut sum = (0, 0);

        let add = Map::new(move |n: u64| {
            sum = (sum.0 + n, sum.1 + 1);
            anyhow::ensure!(sum.1 % 2 == 0, "every other time");
            Ok(sum.0)
        });
        let sums = graph.add(stream("sums", [&numbers], add).on_failure(FailurePolicy::Skip));
        graph.collect(&sums)
    };
    // Unless it is said that they are put back, errors leave what they did: that is the user's.
    everywhere(define, |seen| assert_eq!(seen.values(), [3, 10]));
}

#[test]
fn a_restart_begins_with_a_new_state_and_builds_nothing_twice() {
    let define = |graph: &mut Reactive| {
        let calls = Calls::new();
        let numbers = graph.source("numbers", (1..=22_u64).chain(1..=22));
        let new = {
            let calls = calls.clone();
            move || Sum { sum: 0, calls: calls.clone() }
        };
        let sums = builder_of("sums", &numbers, new()).restarted_by(new);
        let restart = Restart::at_most(100, Duration::from_secs(60));
        let sums = graph.add(sums.on_failure(restart));
        (graph.collect(&sums), calls)
    };
    everywhere(define, |(seen, calls)| {
        let expected: Vec<u64> =
            [1..7_u64, 8..11, 12..14, 15..21].into_iter().flat_map(adding).collect();
        assert_eq!(seen.values(), [expected, Vec::new()].concat());
        // Those that failed are no inputs that were built from: they are tried again.
        let failed = [7, 11, 14, 21, 22];
        assert_eq!(calls.take(), (1..=22).chain(failed).collect::<Vec<_>>());
    });
}

#[test]
fn a_restart_needs_a_factory_and_an_attempt_a_state() {
    let refused = |say: fn(Builder<Sum>) -> Builder<Sum>| {
        let mut graph = Reactive::new("sums");
        sums(say)(&mut graph);
        let pipeline = graph.install(Pipeline::builder()).expect("the graph is sound");
        pipeline.build().expect_err("it can't be had back").to_string()
    };
    let restart = |sum: Builder<Sum>| sum.on_failure(Restart::at_most(1, Duration::from_secs(1)));
    assert!(refused(restart).contains("`sums`"));
    assert!(refused(|sum| sum.on_failure(Retry::times(2))).contains("`sums`"));
}

/// Takes every number in, and panics at some.
#[derive(Clone)]
struct Gather(Vec<u64>);

impl Operator for Gather {
    type Made = Vec<u64>;

    fn item(&mut self, out: &mut Out<'_, '_, Vec<u64>>, _: usize, item: Item<'_>) -> Result {
        self.0.extend(item.read::<u64>());
        assert!(self.0.last() != Some(&3), "three is a crowd");
        out.emit(self.0.clone());
        Ok(())
    }
}

#[test]
fn operators_are_put_back_and_made_anew_as_well() {
    let gathering = |restarts: bool| {
        move |graph: &mut Reactive| {
            let numbers = graph.source("numbers", 1..=4_u64);
            let gather = operator("gathered", [&numbers], Gather(Vec::new()));
            let gathered = graph.add(if restarts {
                let restart = Restart::at_most(1, Duration::from_secs(1));
                gather.restarted_by(|| Gather(vec![0])).on_failure(restart)
            } else {
                gather.restored_by_clone().on_failure(FailurePolicy::Skip)
            });
            graph.collect(&gathered)
        }
    };
    everywhere(gathering(false), |seen| {
        assert_eq!(seen.values().last(), Some(&vec![1, 2, 4]));
    });
    everywhere(gathering(true), |seen| assert_eq!(seen.values().last(), Some(&vec![0, 4])));
}

/// How a run of a graph fails.
fn told(define: impl Fn(&mut Reactive)) -> String {
    let (_, result) = on_threads(define, |builder| builder.workers(1));
    result.expect_err("it fails")
}

#[test]
fn a_panic_is_told_with_target_builder_and_input() {
    let panics = |n: &u64| -> u64 { panic!("{n} is too much") };
    let of_one = told(|graph| {
        let numbers = graph.source("numbers", [3_u64]);
        let target = graph.add(builder("halves", &numbers, panics).named("halver"));
        graph.want(&target);
    });
    assert_snapshot!(of_one, @r#"processor `halver` panicked on artifact<u64> "numbers": building `halves` in builder `halver` from input b3:bfb0568b174a179c8a368b4e7df650fe1d7bb1c6c5a07be91feae8b475316804 failed: 3 is too much"#);
    assert!(of_one.contains(&Digest::of(&3_u64).expect("it has one").to_string()));
    let of_two = told(|graph| {
        let (left, right) = (graph.source("left", [3_u64]), graph.source("right", [4_u64]));
        let target: Target<u64> =
            graph.builder("sums", (&left, &right), |a: &u64, b: &u64| -> u64 {
                panic!("{a} and {b} are too much")
            });
        graph.want(&target);
    });
    let pair = Digest::of(&[Digest::of(&3_u64), Digest::of(&4_u64)].map(Result::unwrap));
    assert!(of_two.contains(&format!("from input {} failed", pair.unwrap())), "{of_two}");
    let of_none = told(|graph| {
        let target: Target<u64> = graph.add(builder("one", (), || -> u64 { panic!("none") }));
        graph.want(&target);
    });
    assert!(of_none.contains("building `one` in builder `one` from input b3:"), "{of_none}");
    let once = told(|graph| {
        let numbers = graph.source("numbers", [3_u64]);
        let target: Target<u64> = graph.add(selvedge::reactive::once("once", &numbers, panics));
        graph.want(&target);
    });
    assert!(once.contains("building `once` in builder `once` from input b3:"), "{once}");
    // What can't be told apart has no digest to be named by; what can has, though it isn't asked.
    let each = told(|graph| {
        let numbers = graph.source("numbers", [3_u64]);
        let target = graph.add(every("each", &numbers, panics));
        graph.want(&target);
    });
    assert!(each.contains("building `each` in builder `each` from input b3:"), "{each}");
    let of_operator = told(|graph| {
        let numbers = graph.source("numbers", [3_u64]);
        let gathered = graph.add(operator("gathered", [&numbers], Gather(Vec::new())));
        graph.want(&gathered);
    });
    assert!(
        of_operator.contains("making `gathered` in `gathered` from input b3:"),
        "{of_operator}"
    );
    let of_sink = told(|graph| {
        let numbers = graph.source("numbers", [3_u64]);
        graph.each("teller", &numbers, |n: &u64| -> Result { panic!("{n} is too much") });
    });
    assert!(of_sink.contains("`teller` from input b3:"), "{of_sink}");
}
