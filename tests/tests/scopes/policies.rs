//! What a scope's tasks say of themselves: policies and budgets of their own, and what is done when
//! one of them has failed for good.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use anyhow::{anyhow, bail};
use insta::assert_snapshot;
use proptest::prelude::{ProptestConfig, any};
use proptest::{prop_assert_eq, proptest};
use selvedge::prelude::*;
use selvedge::runtime::{
    Backoff, Handling, Restart, Retry, ScopeControl, ScopeOptions, TaskContext, TaskFailure,
    TaskRetry, Tasks, tasks, wanting,
};
use selvedge_event::{Canceller, Fact, Wants};

use super::{Seen, named, open, running, shown};

type Turn = Box<dyn Fn(&mut TaskContext<'_>, u32) -> Result + Send + Sync>;
type Failed =
    Box<dyn Fn(&mut TaskContext<'_>, u32, &TaskFailure) -> Result<Handling> + Send + Sync>;

/// Tasks of which each thing is a function, or a value per number.
struct Own {
    turn: Turn,
    policies: Vec<FailurePolicy>,
    failed: Failed,
}

fn own(turn: impl Fn(&mut TaskContext<'_>, u32) -> Result + Send + Sync + 'static) -> Own {
    let failed = Box::new(|_: &mut TaskContext<'_>, _, _: &_| Ok(Handling::Unhandled));
    Own { turn: Box::new(turn), policies: Vec::new(), failed }
}

impl Own {
    fn policies(self, policies: impl IntoIterator<Item = FailurePolicy>) -> Own {
        Own { policies: policies.into_iter().collect(), ..self }
    }

    fn failed(
        self,
        failed: impl Fn(&mut TaskContext<'_>, u32, &TaskFailure) -> Result<Handling>
        + Send
        + Sync
        + 'static,
    ) -> Own {
        Own { failed: Box::new(failed), ..self }
    }
}

impl Tasks for Own {
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        (self.turn)(cx, index)
    }

    fn policy(&self, index: u32) -> Option<&FailurePolicy> {
        assert!(index < 100, "no policy from 100 on");
        self.policies.get(index as usize)
    }

    fn failed(
        &self,
        cx: &mut TaskContext<'_>,
        index: u32,
        failure: &TaskFailure,
    ) -> Result<Handling> {
        (self.failed)(cx, index, failure)
    }
}

/// How a scope of these options ends after these tasks were posted.
fn trace(options: ScopeOptions, work: impl Tasks, posted: impl IntoIterator<Item = u32>) -> String {
    let running = running(1);
    let scope = open(&running, options, work);
    for index in posted {
        // It may have failed by then.
        let _ = scope.post(index);
    }
    let report = scope.wait();
    running.finish().expect("no scope fails the run");
    shown(&report)
}

fn fails(_: &mut TaskContext<'_>, index: u32) -> Result {
    bail!("planted {index}")
}

#[test]
fn a_task_has_a_policy_of_its_own() {
    let nap = Backoff::fixed(Duration::from_millis(1));
    let third = |cx: &mut TaskContext<'_>, index| match cx.attempt() {
        3 => Ok(()),
        _ => bail!("planted {index}"),
    };
    let patient = || FailurePolicy::from(Retry::times(3).backoff(nap));
    // Its own, whatever the scope's is, and the scope's where there is none.
    let all = [patient(), patient(), FailurePolicy::Skip];
    assert_snapshot!(trace(named("map"), own(third).policies(all.clone()), 0..3), @"Succeeded: 3 = 2 + 1 + 0 + 0");
    let skips = named("map").on_failure(FailurePolicy::Skip);
    assert_snapshot!(trace(skips, own(third).policies(all), 0..9), @"Succeeded: 9 = 2 + 7 + 0 + 0");
    let never = [FailurePolicy::Fail];
    let skips = named("map").on_failure(FailurePolicy::Skip);
    assert_snapshot!(trace(skips, own(fails).policies(never), [1, 0, 1]), @"failed at Some(0): planted 0 (panicked: false): 3 = 0 + 2 + 1 + 0");
    let twice = [Retry::times(2).backoff(nap).into()];
    assert_snapshot!(trace(named("map"), own(fails).policies(twice), [0]), @"failed at Some(0): gave up after 2 attempts: planted 0 (panicked: false): 1 = 0 + 1 + 0 + 0");
}

#[test]
fn a_task_s_policy_that_cannot_work_is_told_by_its_error() {
    let refused = |policy: FailurePolicy, options: ScopeOptions| {
        trace(options, own(fails).policies([policy]), [0])
    };
    let (fail, skip) = (|| named("map"), || named("map").on_failure(FailurePolicy::Skip));
    assert_snapshot!(refused(Retry::times(0).into(), fail()), @"failed at Some(0): the failure policy of task 0 of scope `map` can't work: processor `map[0]` is registered with zero attempts: give it more, or leave it out: planted 0 (panicked: false): 1 = 0 + 1 + 0 + 0");
    assert_snapshot!(refused(Restart::at_most(1, Duration::from_secs(1)).into(), fail()), @"failed at Some(0): the failure policy of task 0 of scope `map` can't work: processor `map[0]` is to be restarted, but nothing makes a new one: register it `.restarted_by(|| …)`, or give it another failure policy: planted 0 (panicked: false): 1 = 0 + 1 + 0 + 0");
    assert_snapshot!(refused(Retry::times(0).into(), skip()), @"Succeeded: 1 = 0 + 1 + 0 + 0");
    // Asked for one, it panics.
    assert_snapshot!(trace(fail(), own(fails), [100]), @"failed at Some(100): the failure policy of task 100 of scope `map` can't work: panicked: no policy from 100 on: planted 100 (panicked: false): 1 = 0 + 1 + 0 + 0");
    // An attempt that succeeds asks for none.
    assert_snapshot!(trace(fail(), own(|_, _| Ok(())), [100]), @"Succeeded: 1 = 1 + 0 + 0 + 0");
}

/// Fails, panics from the second attempt on, and notes what it is told of further ones.
struct Notes(Mutex<Vec<String>>);

impl Tasks for Notes {
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        assert!(cx.attempt() < 2, "planted");
        fails(cx, index)
    }

    fn retries(&self, index: u32, retry: &TaskRetry<'_>) {
        let TaskRetry { cause, panicked, attempt, after, .. } = retry;
        let mut told = self.0.lock().unwrap();
        told.push(format!("{index}, attempt {attempt}: {cause}, {panicked}, {after:?}"));
        let n = told.len();
        drop(told);
        assert!(n < 3, "told too often");
    }
}

#[test]
fn tasks_are_told_of_further_attempts_and_fail_if_they_panic_then() {
    let notes = Arc::new(Notes(Mutex::default()));
    let options = |times: u32| {
        let nap = Backoff::fixed(Duration::from_millis(1));
        named("map").on_failure(Retry::times(times).backoff(nap).then(LastResort::Skip))
    };
    let work = Arc::clone(&notes);
    assert_snapshot!(trace(options(2), work, [7]), @"Succeeded: 1 = 0 + 1 + 0 + 0");
    assert_snapshot!(notes.0.lock().unwrap().join("\n"), @"7, attempt 1: planted 7, false, 1ms");
    notes.0.lock().unwrap().clear();
    // The fourth attempt is not made.
    let work = Arc::clone(&notes);
    assert_snapshot!(trace(options(9), work, [7]), @"Succeeded: 1 = 0 + 1 + 0 + 0");
    assert_eq!(notes.0.lock().unwrap().len(), 3);
}

#[test]
fn jitter_of_a_task_s_own_depends_on_nobody_else() {
    let delays = |posted: &[u32]| {
        let delays = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&delays);
        let observer = move |facts: &[Fact]| {
            let delay = |fact: &Fact| match fact {
                Fact::Retrying { delay, topic, .. } => Some((topic.key.clone(), *delay)),
                _ => None,
            };
            let seen = facts.iter().filter_map(delay);
            told.lock().expect("nobody panics").extend(seen);
        };
        let builder = Pipeline::builder().observer(wanting(Wants::ALL, observer)).workers(1);
        let running = builder.build().expect("it is sound").start().expect("there is room");
        let jittered = Retry::times(3).backoff(Backoff::fixed(Duration::from_millis(1))).jitter(7);
        let policies = std::iter::repeat_n(FailurePolicy::from(jittered), 3);
        let skips = own(fails).policies(policies).failed(|_, _, _| Ok(Handling::Handled));
        let scope = open(&running, named("map"), skips);
        posted.iter().for_each(|&index| scope.post(index).expect("it is open"));
        assert!(scope.wait().outcome.is_success());
        running.finish().expect("nothing fails");
        let mut delays = delays.lock().expect("nobody panics").clone();
        delays.retain(|(key, _)| *key == Some(2_u32.into()));
        delays
    };
    let alone = delays(&[2]);
    assert_eq!(alone.len(), 2);
    assert_eq!(delays(&[0, 1, 2]), alone);
    assert_ne!(alone[0].1, alone[1].1);
}

#[test]
fn an_attempt_over_the_task_s_own_budget_is_told() {
    /// Without time where the scope gives it some, and the other way round.
    struct Timed;
    impl Tasks for Timed {
        fn turn(&self, _: &mut TaskContext<'_>, _: u32) -> Result {
            Ok(())
        }

        fn time_budget(&self, index: u32) -> Option<Duration> {
            assert!(index < 9, "no budget from 9 on");
            [Some(Duration::ZERO), Some(Duration::MAX)].get(index as usize).copied().flatten()
        }
    }
    let told = |options: ScopeOptions| {
        let over = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&over);
        let observer = move |facts: &[Fact]| {
            let over = facts.iter().filter_map(|fact| match fact {
                Fact::OverBudget { topic, budget, .. } => Some((topic.key.clone(), *budget)),
                _ => None,
            });
            lines.lock().expect("nobody panics").extend(over);
        };
        let builder = Pipeline::builder().observer(wanting(Wants::ALL, observer)).workers(1);
        let running = builder.build().expect("it is sound").start().expect("there is room");
        let scope = open(&running, options, Timed);
        scope.post_range(0..3).expect("it is open");
        assert_eq!(scope.wait().done, 3);
        running.finish().expect("nothing fails");
        let over = std::mem::take(&mut *over.lock().expect("nobody panics"));
        over.into_iter().map(|(key, _)| key.expect("it is a task")).collect::<Vec<_>>()
    };
    let of_tasks = || named("map").time_budgets_of_tasks();
    assert_eq!(told(of_tasks()), [0_u32.into()]);
    assert_eq!(told(of_tasks().time_budget(Duration::ZERO)), [0_u32.into(), 2_u32.into()]);
    assert_eq!(told(named("map")), []);
    assert_snapshot!(trace(of_tasks(), Timed, [9]), @"failed at Some(9): panicked: no budget from 9 on (panicked: true): 1 = 0 + 1 + 0 + 0");
}

#[test]
fn a_failed_task_is_told_once_with_its_last_error() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let turn = |_: &mut TaskContext<'_>, index| match index {
        0 => Err(anyhow!("lowest").context("above")),
        1 => panic!("planted"),
        n => bail!("planted {n}"),
    };
    let work = own(turn)
        .policies([FailurePolicy::Fail, Retry::times(2).into(), Retry::times(3).into()])
        .failed(move |cx, index, failure| {
            let TaskFailure { cause, panicked, attempts, .. } = failure;
            let line = format!("{index}: {cause:#}, {panicked}, {attempts}, {}", cx.attempt());
            told.lock().expect("nobody panics").push(line);
            Ok(Handling::Handled)
        });
    assert_snapshot!(trace(named("map"), work, 0..3), @"Succeeded: 3 = 0 + 3 + 0 + 0");
    assert_snapshot!(seen.lock().expect("nobody panics").join("\n"), @r"
    0: above: lowest, false, 1, 1
    1: planted, true, 2, 1
    2: planted 2, false, 3, 1
    ");
}

#[test]
fn what_is_not_handled_comes_to_the_last_resort() {
    let unhandled = || own(fails).failed(|_, _, _| Ok(Handling::Unhandled));
    assert_snapshot!(trace(named("map"), unhandled(), [1]), @"failed at Some(1): planted 1 (panicked: false): 1 = 0 + 1 + 0 + 0");
    let skips = named("map").on_failure(FailurePolicy::Skip);
    assert_snapshot!(trace(skips, unhandled(), [1, 2]), @"Succeeded: 2 = 0 + 2 + 0 + 0");
    // An error that was kept is named all the same.
    let kept = Arc::new(Mutex::new(None));
    let keeps = Arc::clone(&kept);
    let work = own(fails).policies([Retry::times(2).into()]).failed(move |_, _, failure| {
        *keeps.lock().expect("nobody panics") = Some(Arc::clone(&failure.cause));
        Ok(Handling::Unhandled)
    });
    assert_snapshot!(trace(named("map"), work, [0]), @"failed at Some(0): gave up after 2 attempts: planted 0 (panicked: false): 1 = 0 + 1 + 0 + 0");
    assert_eq!(
        kept.lock().expect("nobody panics").as_ref().expect("kept").to_string(),
        "planted 0"
    );
}

#[test]
fn what_is_told_of_a_failure_and_fails_fails_the_scope() {
    let skips = || named("map").on_failure(FailurePolicy::Skip);
    let errs = own(fails).failed(|cx, _, _| {
        cx.post(7);
        bail!("and again")
    });
    assert_snapshot!(trace(skips(), errs, [1]), @"failed at Some(1): what was to be done after task 1 failed (planted 1) failed too: and again (panicked: false): 1 = 0 + 1 + 0 + 0");
    let panics = own(fails).failed(|cx, _, _| {
        cx.post_range(0..1_000);
        panic!("and again")
    });
    assert_snapshot!(trace(skips(), panics, [1]), @"failed at Some(1): what was to be done after task 1 failed (planted 1) failed too: and again (panicked: true): 1 = 0 + 1 + 0 + 0");
    // It may post as much as any turn.
    let floods = own(fails).failed(|cx, _, _| {
        (0..4).for_each(|n| cx.post(n));
        Ok(Handling::Handled)
    });
    assert_snapshot!(trace(skips().tasks_max(2), floods, [1]), @"failed at Some(1): what was to be done after task 1 failed (planted 1) failed too: more than 2 tasks of scope `map` are outstanding: post ranges, post later, or raise `ScopeOptions::tasks_max` (panicked: false): 1 = 0 + 1 + 0 + 0");
}

#[test]
fn what_is_done_about_a_failure_takes_effect_like_any_turn() {
    for cap in [None, Some(1)] {
        let mut pipeline = Pipeline::builder().workers(2).build().expect("there is nothing wrong");
        let seen = pipeline.collect::<Seen>();
        let running = pipeline.start().expect("there is room for threads");
        let n_inner = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&n_inner);
        let turn = |cx: &mut TaskContext<'_>, index| {
            cx.emit(Seen(index));
            if index == 0 { bail!("planted") } else { Ok(()) }
        };
        let work = own(turn).failed(move |cx, _, _| {
            cx.emit(Seen(100));
            cx.post(1);
            cx.post_range(2..200);
            let counted = Arc::clone(&counted);
            let inner = tasks(move |_, _| {
                counted.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            cx.scope(named("inner"), inner)?.post_range(0..3);
            Ok(Handling::Handled)
        });
        let options = cap.map_or(named("outer"), |cap| named("outer").concurrency_max(cap));
        let scope = open(&running, options, work);
        scope.post(0).expect("it is open");
        let report = scope.wait();
        running.finish().expect("nothing fails");
        assert_eq!(shown(&report), "Succeeded: 200 = 199 + 1 + 0 + 0");
        assert_eq!(n_inner.load(Ordering::Relaxed), 3);
        let mut seen: Vec<u32> = seen.take().iter().map(|seen| seen.0).collect();
        seen.sort_unstable();
        let mut expected: Vec<u32> = (1..200).chain([100]).collect();
        expected.sort_unstable();
        assert_eq!(seen, expected);
    }
}

#[test]
fn a_task_that_fails_while_its_scope_is_cancelled_is_told_and_posts_in_vain() {
    for cap in [None, Some(1)] {
        let n_told = Arc::new(AtomicU32::new(0));
        let told = Arc::clone(&n_told);
        let control = Arc::new(OnceLock::<ScopeControl>::new());
        let called_off = Arc::clone(&control);
        let turn = move |_: &mut TaskContext<'_>, _| {
            called_off.get().expect("it is there by now").cancel(Canceller::User);
            bail!("planted")
        };
        let work = own(turn).failed(move |cx, _, _| {
            assert!(cx.is_cancelled());
            told.fetch_add(1, Ordering::Relaxed);
            cx.post(7);
            Ok(Handling::Unhandled)
        });
        let options = cap.map_or(named("map"), |cap| named("map").concurrency_max(cap));
        let running = running(1);
        let scope = open(&running, options, work);
        assert!(control.set(scope.control()).is_ok());
        scope.post(0).expect("it is open");
        assert_eq!(shown(&scope.wait()), "Cancelled { by: User }: 2 = 0 + 1 + 1 + 0");
        running.finish().expect("nothing fails");
        assert_eq!(n_told.load(Ordering::Relaxed), 1);
    }
}

/// Nodes that fail or not, each with its children and the count of parents that are not through.
struct Graph {
    children: Vec<Vec<u32>>,
    pending: Vec<AtomicU32>,
    fails: Vec<bool>,
    /// Bits: taken, had a failed parent.
    seen: Vec<AtomicU32>,
}

const TAKEN: u32 = 1;
const SKIPPED: u32 = 2;

impl Graph {
    fn random(n_nodes: u32, seed: u64) -> Graph {
        let super::Graph { children, pending, mut fails, .. } = super::Graph::random(n_nodes, seed);
        fails[0] = seed.is_multiple_of(5);
        let seen = children.iter().map(|_| AtomicU32::new(0)).collect();
        Graph { children, pending, fails, seen }
    }

    /// A node is through: its children come when all their parents are.
    fn pass(&self, cx: &mut TaskContext<'_>, node: u32, bad: bool) {
        for &child in &self.children[node as usize] {
            if bad {
                self.seen[child as usize].fetch_or(SKIPPED, Ordering::SeqCst);
            }
            if self.pending[child as usize].fetch_sub(1, Ordering::AcqRel) == 1 {
                cx.post(child);
            }
        }
    }

    /// Which nodes are skipped, one after the other: parents have lower numbers.
    fn oracle(&self) -> Vec<bool> {
        let mut bad = vec![false; self.fails.len()];
        for (node, children) in self.children.iter().enumerate() {
            if bad[node] || self.fails[node] {
                children.iter().for_each(|&child| bad[child as usize] = true);
            }
        }
        bad
    }
}

impl Tasks for Graph {
    fn turn(&self, cx: &mut TaskContext<'_>, node: u32) -> Result {
        let seen = &self.seen[node as usize];
        let before = seen.fetch_or(TAKEN, Ordering::SeqCst);
        assert_eq!(before & TAKEN, 0, "{node} is taken twice");
        if before & SKIPPED != 0 {
            self.pass(cx, node, true);
        } else if self.fails[node as usize] {
            bail!("planted")
        } else {
            self.pass(cx, node, false);
        }
        Ok(())
    }

    fn failed(&self, cx: &mut TaskContext<'_>, node: u32, _: &TaskFailure) -> Result<Handling> {
        self.pass(cx, node, true);
        Ok(Handling::Handled)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn stress_graphs_skip_what_comes_after_a_failure_and_nothing_else(
        n_nodes in 1..300_u32, seed in any::<u64>(), workers in 1..4_usize, cap in 0..4_u32,
    ) {
        let running = running(workers);
        let options = match cap {
            0 => named("graph"),
            cap => named("graph").concurrency_max(cap),
        };
        let graph = Arc::new(Graph::random(n_nodes, seed));
        let expected = graph.oracle();
        let scope = open(&running, options, Arc::clone(&graph));
        scope.post(0).expect("it is open");
        let report = scope.wait();
        running.finish().expect("nothing fails");
        let failed = graph.fails.iter().zip(&expected).filter(|(fails, bad)| **fails && !**bad);
        let n_failed = failed.count() as u64;
        let n = u64::from(n_nodes);
        prop_assert_eq!(
            shown(&report),
            format!("Succeeded: {n} = {} + {n_failed} + 0 + 0", n - n_failed)
        );
        for (seen, bad) in graph.seen.iter().zip(expected) {
            let bits = if bad { TAKEN | SKIPPED } else { TAKEN };
            prop_assert_eq!(seen.load(Ordering::SeqCst), bits);
        }
    }
}
