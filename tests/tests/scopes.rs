//! Scopes: how they end and what they count, what failures and cancellations do to them, that
//! nobody waits for ever, and random graphs against an oracle that takes one node after the other.

#![expect(clippy::unit_arg, reason = "a turn of one line is easier to read than of two")]

mod alarms;
mod elsewhere;
mod leaves;
mod policies;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use anyhow::bail;
use proptest::prelude::{ProptestConfig, any};
use proptest::proptest;
use selvedge::prelude::*;
use selvedge::runtime::{
    Backoff, LastResort, PostError, Restart, Retry, Running, Scope, ScopeControl, ScopeError,
    ScopeOptions, ScopeOutcome, ScopeReport, TaskContext, Tasks, tasks, wanting,
};
use selvedge_event::{Canceller, Fact, Init, Wants};

use crate::failure::in_time;

#[derive(Clone, Copy, Debug, Event)]
struct Seen(u32);

#[derive(Clone, Copy, Debug, Event)]
struct Go;

fn running(workers: usize) -> Running {
    let pipeline = Pipeline::builder().workers(workers).build().expect("there is nothing wrong");
    pipeline.start().expect("there is room for threads")
}

fn named(name: &str) -> ScopeOptions {
    ScopeOptions::named(name)
}

/// `outcome: posted = done + dead + cancelled + abandoned`.
fn shown(report: &ScopeReport) -> String {
    assert!(report.balances(), "{report:?}");
    let outcome = match &report.outcome {
        ScopeOutcome::Failed { index, cause, panicked } => {
            format!("failed at {index:?}: {cause:#} (panicked: {panicked})")
        }
        other => format!("{other:?}"),
    };
    let ScopeReport { posted, done, dead, cancelled, abandoned, .. } = report;
    format!("{outcome}: {posted} = {done} + {dead} + {cancelled} + {abandoned}")
}

fn open(running: &Running, options: ScopeOptions, tasks: impl Tasks) -> Scope {
    running.scope(options, tasks).expect("the options are sound and the run is open")
}

/// A scope's tasks and its end, each a function.
struct With<T, E>(T, E);

impl<T, E> Tasks for With<T, E>
where
    T: Fn(&mut TaskContext<'_>, u32) -> Result + Send + Sync + 'static,
    E: Fn(&mut TaskContext<'_>, &ScopeReport) -> Result + Send + Sync + 'static,
{
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        (self.0)(cx, index)
    }

    fn ended(&self, cx: &mut TaskContext<'_>, report: &ScopeReport) -> Result {
        (self.1)(cx, report)
    }
}

#[test]
fn tasks_post_emit_and_are_counted() {
    let mut pipeline = Pipeline::builder().workers(2).build().expect("there is nothing wrong");
    let seen = pipeline.collect::<Seen>();
    let running = pipeline.start().expect("there is room for threads");
    let scope = open(
        &running,
        named("tree"),
        tasks(|cx, n| {
            assert_eq!((cx.scope_name().as_str(), cx.scope_number()), ("tree", 1));
            [2 * n + 1, 2 * n + 2].into_iter().filter(|&n| n < 31).for_each(|n| cx.post(n));
            cx.emit(Seen(n));
            Ok(())
        }),
    );
    scope.post(0).expect("it is open");
    assert_eq!(shown(&scope.wait()), "Succeeded: 31 = 31 + 0 + 0 + 0");
    let report = running.finish().expect("nothing fails");
    let seen: BTreeSet<u32> = seen.take().iter().map(|seen| seen.0).collect();
    assert_eq!((seen, report.handled), ((0..31).collect(), 31));
}

#[test]
fn one_worker_starts_tasks_in_the_order_of_their_posts() {
    for options in [named("free"), named("capped").concurrency_max(1)] {
        let order = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&order);
        let pipeline = Pipeline::builder()
            .processor(on("opens", move |cx: &mut Context<'_>, _: &Init| {
                let seen = Arc::clone(&seen);
                let turn = tasks(move |cx, n| {
                    seen.lock().expect("nobody panics").push(n);
                    if n < 3 {
                        cx.post(n + 10);
                    }
                    Ok(())
                });
                let mut draft = cx.scope(options.clone(), turn)?;
                (0..3).for_each(|n| draft.post(n));
                draft.post_range(20..22);
                Ok(())
            }))
            .workers(1)
            .build()
            .expect("the wiring is sound");
        pipeline.run().expect("nothing fails");
        assert_eq!(*order.lock().expect("nobody panics"), [0, 1, 2, 20, 21, 10, 11, 12]);
    }
}

#[test]
fn a_failure_ends_the_scope_and_nothing_else() {
    let running = running(1);
    let fails = |cx: &mut TaskContext<'_>, n| {
        cx.post(n + 1);
        if n == 3 { bail!("three") } else { Ok(()) }
    };
    let scope = open(&running, named("fails"), tasks(fails));
    scope.post(0).expect("it is open");
    // The task that failed has posted nothing.
    assert_eq!(
        shown(&scope.wait()),
        "failed at Some(3): three (panicked: false): 4 = 3 + 1 + 0 + 0"
    );
    let scope = open(&running, named("panics"), tasks(|_, _| panic!("planted")));
    scope.post_range(0..100).expect("it is open");
    assert_eq!(
        shown(&scope.wait()),
        "failed at Some(0): planted (panicked: true): 100 = 0 + 1 + 99 + 0"
    );
    let scope = open(&running, named("next"), tasks(|_, _| Ok(())));
    scope.post(0).expect("it is open");
    assert!(scope.wait().outcome.is_success());
    running.finish().expect("the pipeline has nothing to do with it");
}

#[test]
fn what_is_skipped_is_dead_and_what_is_retried_is_one_task() {
    let running = running(2);
    let odd = tasks(|cx, n| match n {
        n if n % 4 == 1 => bail!("odd"),
        n if n % 4 == 3 => panic!("odder"),
        n if n < 100 => Ok(cx.post(n + 100)),
        _ => Ok(()),
    });
    let scope = open(&running, named("skips").on_failure(FailurePolicy::Skip), odd);
    scope.post_range(0..100).expect("it is open");
    assert_eq!(shown(&scope.wait()), "Succeeded: 150 = 100 + 50 + 0 + 0");

    let attempts = Arc::new(AtomicU32::new(0));
    for backoff in [Backoff::fixed(Duration::ZERO), Backoff::fixed(Duration::from_millis(1))] {
        attempts.store(0, Ordering::Relaxed);
        let policy = Retry::times(3).backoff(backoff).jitter(1).then(LastResort::Skip);
        let options = named("retries").concurrency_max(1).on_failure(policy);
        let counted = Arc::clone(&attempts);
        let turn = tasks(move |cx, n| {
            counted.fetch_add(1, Ordering::Relaxed);
            cx.post(n + 1);
            match (n, cx.attempt()) {
                (0, 1) => bail!("once"),
                (0, 2) => panic!("twice"),
                (0, _) => Ok(()),
                _ => bail!("each time"),
            }
        });
        let scope = open(&running, options, turn);
        scope.post(0).expect("it is open");
        assert_eq!(shown(&scope.wait()), "Succeeded: 2 = 1 + 1 + 0 + 0");
        assert_eq!(attempts.load(Ordering::Relaxed), 6);
    }
    let scope =
        open(&running, named("gives up").on_failure(Retry::times(2)), tasks(|_, _| bail!("no")));
    scope.post(7).expect("it is open");
    assert_eq!(
        shown(&scope.wait()),
        "failed at Some(7): gave up after 2 attempts: no (panicked: false): 1 = 0 + 1 + 0 + 0"
    );
    running.finish().expect("nothing fails");
}

#[test]
fn a_task_that_waits_for_its_next_attempt_does_not_hold_up_a_cancellation() {
    in_time(|| {
        let running = running(2);
        let waits = Retry::times(2).backoff(Backoff::fixed(Duration::from_secs(86_400)));
        let failed = Arc::new(Barrier::new(2));
        let turn = Arc::clone(&failed);
        let scope = open(
            &running,
            named("waits").on_failure(waits),
            tasks(move |_, _| {
                turn.wait();
                bail!("try tomorrow")
            }),
        );
        scope.post(0).expect("it is open");
        failed.wait();
        scope.cancel(Canceller::ClientClosed);
        assert_eq!(scope.post(1), Err(PostError::Stopped));
        assert_eq!(shown(&scope.wait()), "Cancelled { by: ClientClosed }: 1 = 0 + 0 + 1 + 0");
        running.finish().expect("nothing fails");
    });
}

#[test]
fn never_more_tasks_than_the_cap_and_as_many_as_that() {
    const CAP: usize = 3;
    in_time(|| {
        let running = running(4);
        let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        // Nobody passes unless three are under way.
        let together = Arc::new(Barrier::new(CAP));
        let (n, max) = (Arc::clone(&now), Arc::clone(&most));
        let scope = open(
            &running,
            named("capped").concurrency_max(3),
            tasks(move |_, _| {
                max.fetch_max(1 + n.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                together.wait();
                n.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }),
        );
        scope.post_range(0..60).expect("it is open");
        (60..90).for_each(|n| scope.post(n).expect("it is open"));
        assert_eq!(shown(&scope.wait()), "Succeeded: 90 = 90 + 0 + 0 + 0");
        assert_eq!(most.load(Ordering::SeqCst), 3);
        running.finish().expect("nothing fails");
    });
}

type Told = Arc<Mutex<Vec<(u32, String)>>>;

/// Scopes within each other; the innermost has a task that ends when it is cancelled.
struct Nest {
    depth: u32,
    told: Told,
    inside: Arc<Barrier>,
}

impl Tasks for Nest {
    fn turn(&self, cx: &mut TaskContext<'_>, _: u32) -> Result {
        let Nest { depth, told, inside } = self;
        if *depth > 0 {
            let (told, inside) = (Arc::clone(told), Arc::clone(inside));
            cx.scope(named("inner"), Nest { depth: depth - 1, told, inside })?.post(0);
        } else {
            inside.wait();
            while !cx.is_cancelled() {
                std::thread::yield_now();
            }
        }
        Ok(())
    }

    fn ended(&self, _: &mut TaskContext<'_>, report: &ScopeReport) -> Result {
        self.told.lock().expect("nobody panics").push((self.depth, shown(report)));
        Ok(())
    }
}

#[test]
fn a_cancelled_scope_cancels_what_its_tasks_opened() {
    in_time(|| {
        let running = running(3);
        let (told, inside) = (Told::default(), Arc::new(Barrier::new(2)));
        let nest = Nest { depth: 3, told: Arc::clone(&told), inside: Arc::clone(&inside) };
        let scope = open(&running, named("outer"), nest);
        scope.post(0).expect("it is open");
        inside.wait();
        scope.cancel(Canceller::User);
        assert_eq!(shown(&scope.wait()), "Cancelled { by: User }: 1 = 1 + 0 + 0 + 0");
        let told = std::mem::take(&mut *told.lock().expect("nobody panics"));
        let by = |by: &str| format!("Cancelled {{ by: {by} }}: 1 = 1 + 0 + 0 + 0");
        let [parent, user] = [by("Parent"), by("User")];
        assert_eq!(told, [(0, parent.clone()), (1, parent.clone()), (2, parent), (3, user)]);
        running.finish().expect("nothing fails");
    });
}

#[test]
fn numbers_of_a_range_are_nowhere_until_they_are_admitted() {
    let running = running(2);
    for options in [named("free"), named("capped").concurrency_max(2)] {
        let found = tasks(|cx, n| {
            if n == 1_000 {
                cx.cancel_scope();
            }
            Ok(())
        });
        let scope = open(&running, options, found);
        // As many jobs would not fit into memory.
        scope.post_range(0..4_000_000_000).expect("it is open");
        let report = scope.wait();
        // How many get by before the other worker sees it, and how many of the chunk that it had in
        // hand are left, is up to the machine.
        assert!(report.balances() && (800..1_000_000_000).contains(&report.done), "{report:?}");
        let by_user = |outcome| matches!(outcome, ScopeOutcome::Cancelled { by: Canceller::User });
        assert!(by_user(report.outcome));
    }
    running.finish().expect("nothing fails");
}

#[test]
fn the_last_turn_comes_once_and_can_fail_the_scope() {
    let running = running(2);
    let n_ended = Arc::new(AtomicU32::new(0));
    let last = |end: fn(&mut TaskContext<'_>, &ScopeReport) -> Result| {
        let counted = Arc::clone(&n_ended);
        let end = move |cx: &mut TaskContext<'_>, report: &ScopeReport| {
            counted.fetch_add(1, Ordering::Relaxed);
            end(cx, report)
        };
        let scope = open(&running, named("last"), With(|_: &mut TaskContext<'_>, _| Ok(()), end));
        scope.post_range(0..200).expect("it is open");
        drop(scope.clone());
        shown(&scope.wait())
    };
    assert_eq!(last(|_, _| Ok(())), "Succeeded: 200 = 200 + 0 + 0 + 0");
    assert_eq!(
        last(|_, _| bail!("no")),
        "failed at None: no (panicked: false): 200 = 200 + 0 + 0 + 0"
    );
    assert_eq!(
        last(|_, _| panic!("no")),
        "failed at None: no (panicked: true): 200 = 200 + 0 + 0 + 0"
    );
    insta::assert_snapshot!(last(|cx, _| Ok(cx.post(1))), @"failed at None: the last turn of scope `last` posted to it, and it is over: post to the parent, or open another scope (panicked: false): 200 = 200 + 0 + 0 + 0");
    insta::assert_snapshot!(last(|cx, _| Ok(cx.post_to_parent(1))), @"failed at None: scope `last` has no parent to post to: only a scope that a task opens has one (panicked: false): 200 = 200 + 0 + 0 + 0");
    assert_eq!(n_ended.load(Ordering::Relaxed), 5);
    running.finish().expect("nothing fails");
}

#[test]
fn a_child_posts_to_its_parent_when_it_ends_and_opens_what_comes_next() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |order: &Arc<Mutex<Vec<String>>>, text: String| {
        order.lock().expect("nobody panics").push(text);
    };
    let running = running(2);
    let seen = Arc::clone(&order);
    let turn = move |cx: &mut TaskContext<'_>, n| {
        note(&seen, format!("outer {n}"));
        if n == 0 {
            let (inner, next) = (Arc::clone(&seen), Arc::clone(&seen));
            let child = With(
                move |_: &mut TaskContext<'_>, n| Ok(note(&inner, format!("inner {n}"))),
                move |cx: &mut TaskContext<'_>, report: &ScopeReport| {
                    cx.post_to_parent(u32::try_from(report.done)?);
                    let next = Arc::clone(&next);
                    let next = tasks(move |cx, n| {
                        cx.post_to_parent(9);
                        Ok(note(&next, format!("next {n}")))
                    });
                    cx.scope(named("next"), next)?.post(5);
                    Ok(())
                },
            );
            cx.scope(named("inner"), child)?.post(4);
        }
        Ok(())
    };
    let scope = open(&running, named("outer"), turn_of(turn));
    scope.post(0).expect("it is open");
    assert_eq!(shown(&scope.wait()), "Succeeded: 3 = 3 + 0 + 0 + 0");
    running.finish().expect("nothing fails");
    let mut order = std::mem::take(&mut *order.lock().expect("nobody panics"));
    assert_eq!(order.drain(..2).collect::<Vec<_>>(), ["outer 0", "inner 4"]);
    order.sort();
    assert_eq!(order, ["next 5", "outer 1", "outer 9"]);
}

fn turn_of(
    turn: impl Fn(&mut TaskContext<'_>, u32) -> Result + Send + Sync + 'static,
) -> impl Tasks {
    tasks(turn)
}

#[test]
fn who_waits_is_woken_when_the_run_fails_is_aborted_or_is_dropped() {
    for how in ["fails", "aborted", "dropped"] {
        in_time(move || {
            let fails = on("fails", |_: &mut Context<'_>, _: &Go| bail!("planted"));
            let pipeline = Pipeline::builder().processor(fails).workers(2).build();
            let running = pipeline.expect("the wiring is sound").start().expect("there is room");
            let kept = Arc::new(());
            let held = Arc::clone(&kept);
            let n_ended = Arc::new(AtomicU32::new(0));
            let counted = Arc::clone(&n_ended);
            let idle = With(
                move |_: &mut TaskContext<'_>, _| Ok(drop(Arc::clone(&held))),
                move |_: &mut TaskContext<'_>, _: &ScopeReport| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                },
            );
            let scope = open(&running, named("idle"), idle);
            let (control, other) = (scope.control(), scope.clone());
            let waits = std::thread::spawn(move || scope.wait());
            match how {
                "fails" => drop(running.submit(Go).expect("the run is open")),
                "aborted" => running.stop_handle().abort(),
                _ => drop(running),
            }
            let report = waits.join().expect("it doesn't panic");
            assert_eq!(shown(&report), "Abandoned: 0 = 0 + 0 + 0 + 0");
            assert_eq!((n_ended.load(Ordering::Relaxed), Arc::strong_count(&kept)), (0, 1));
            assert_eq!(other.post(1), Err(PostError::Stopped));
            assert!(control.report().is_some());
        });
    }
}

#[test]
fn a_stop_closes_scopes_and_lets_them_end() {
    in_time(|| {
        let running = running(2);
        let n_ended = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&n_ended);
        let last = move |_: &mut TaskContext<'_>, _: &ScopeReport| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        let turn = |cx: &mut TaskContext<'_>, n| {
            Ok(if n < 50 {
                cx.post(n + 1);
            })
        };
        let scope = open(&running, named("open"), With(turn, last));
        scope.post(0).expect("it is open");
        let submitter = running.submitter();
        running.stop().expect("nothing fails");
        assert_eq!(n_ended.load(Ordering::Relaxed), 1);
        assert_eq!(scope.post(0), Err(PostError::Stopped));
        assert_eq!(shown(&scope.wait()), "Succeeded: 51 = 51 + 0 + 0 + 0");
        let late = submitter.scope(named("late"), tasks(|_, _| Ok(())));
        let closed = |error: ScopeError| matches!(error, ScopeError::Closed { .. });
        assert!(late.is_err_and(closed));
    });
}

#[test]
fn a_run_waits_for_scopes_although_nobody_does() {
    let n_done = Arc::new(AtomicU64::new(0));
    let running = running(2);
    let counted = Arc::clone(&n_done);
    let scope = open(
        &running,
        named("alone"),
        tasks(move |cx, n| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(if n < 1_000 {
                cx.post(n + 1);
            })
        }),
    );
    scope.post(0).expect("it is open");
    drop(scope);
    running.finish().expect("nothing fails");
    assert_eq!(n_done.load(Ordering::Relaxed), 1_001);
}

#[test]
fn ten_thousand_scopes_at_once_leave_nothing_behind() {
    const N: u32 = 10_000;
    let (n_done, kept) = (Arc::new(AtomicU64::new(0)), Arc::new(()));
    let controls = Arc::new(Mutex::new(Vec::<ScopeControl>::new()));
    let (counted, held, noted) = (Arc::clone(&n_done), Arc::clone(&kept), Arc::clone(&controls));
    let running = running(2);
    let scope = open(
        &running,
        named("many"),
        tasks(move |cx, n| {
            let (counted, held) = (Arc::clone(&counted), Arc::clone(&held));
            let one = tasks(move |cx, n| {
                let _held = &held;
                counted.fetch_add(1, Ordering::Relaxed);
                Ok(if n > 0 {
                    cx.post(n - 1);
                })
            });
            let mut draft = cx.scope(named("one").concurrency_max(1 + n % 2), one)?;
            draft.post(3);
            noted.lock().expect("nobody panics").push(draft.control());
            Ok(())
        }),
    );
    scope.post_range(0..N).expect("it is open");
    assert_eq!(scope.wait().done, u64::from(N));
    let controls = std::mem::take(&mut *controls.lock().expect("nobody panics"));
    assert!(
        controls.iter().all(|control| shown(&control.wait()) == "Succeeded: 4 = 4 + 0 + 0 + 0")
    );
    running.finish().expect("nothing fails");
    assert_eq!(n_done.load(Ordering::Relaxed), u64::from(N) * 4);
    assert_eq!(Arc::strong_count(&kept), 1);
}

/// Each scope is opened by the one task of the one before.
struct Deeper(Arc<AtomicU32>);

impl Tasks for Deeper {
    fn turn(&self, cx: &mut TaskContext<'_>, n: u32) -> Result {
        self.0.fetch_add(1, Ordering::Relaxed);
        if n > 0 {
            cx.scope(named("deeper"), Deeper(Arc::clone(&self.0)))?.post(n - 1);
        }
        Ok(())
    }
}

#[test]
fn scopes_are_nested_as_deep_as_one_likes_and_cancelled_so() {
    const DEPTH: u32 = 50_000;
    let running = running(2);
    let n_done = Arc::new(AtomicU32::new(0));
    let scope = open(&running, named("deep"), Deeper(Arc::clone(&n_done)));
    scope.post(DEPTH).expect("it is open");
    assert!(scope.wait().outcome.is_success());
    assert_eq!(n_done.swap(0, Ordering::Relaxed), DEPTH + 1);
    let scope = open(&running, named("deep"), Deeper(Arc::clone(&n_done)));
    scope.post(u32::MAX - 1).expect("it is open");
    while n_done.load(Ordering::Relaxed) < DEPTH {
        std::thread::yield_now();
    }
    scope.cancel(Canceller::User);
    assert!(matches!(scope.wait().outcome, ScopeOutcome::Cancelled { .. }));
    // Given up instead, from within.
    let scope = open(&running, named("deep"), Deeper(Arc::clone(&n_done)));
    n_done.store(0, Ordering::Relaxed);
    scope.post(u32::MAX - 1).expect("it is open");
    while n_done.load(Ordering::Relaxed) < DEPTH {
        std::thread::yield_now();
    }
    running.stop_handle().abort();
    assert!(matches!(scope.wait().outcome, ScopeOutcome::Abandoned));
    assert!(running.finish().is_err());
}

#[test]
fn a_turn_that_fails_has_opened_nothing() {
    let control = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&control);
    let opens = on("opens", move |cx: &mut Context<'_>, _: &Go| {
        let mut draft = cx.scope(named("never"), tasks(|_, _| panic!("it must not begin")))?;
        draft.post(1);
        *kept.lock().expect("nobody panics") = Some(draft.control());
        bail!("planted")
    });
    let pipeline = Pipeline::builder().processor(opens.on_failure(FailurePolicy::Skip)).build();
    let pipeline = pipeline.expect("the wiring is sound");
    pipeline.submit(Go).expect("there is room");
    assert_eq!(pipeline.run().expect("it is skipped").dead, 1);
    let control = control.lock().expect("nobody panics").take().expect("the turn was taken");
    assert_eq!(shown(&control.wait()), "Abandoned: 0 = 0 + 0 + 0 + 0");
}

#[test]
fn a_task_answers_the_question_that_opened_its_scope() {
    let asked = on("asked", |cx: &mut Context<'_>, seen: &Seen| {
        let n = seen.0;
        let turn = tasks(move |cx, index| {
            assert!(cx.is_asked());
            Ok(if index == 3 { cx.reply(Seen(n + index)) } else { cx.post(index + 1) })
        });
        cx.scope(named("answers"), turn)?.post(0);
        Ok(())
    });
    let pipeline = Pipeline::builder().processor(asked).workers(2).build().expect("it is sound");
    let running = pipeline.start().expect("there is room for threads");
    let answer = running.ask::<Seen>(Seen(4)).expect("the run is open");
    assert_eq!(answer.wait().expect("it is answered").0, 7);
    running.finish().expect("nothing fails");
}

#[test]
fn listeners_are_told_of_scopes_and_tasks() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&told);
    let observer = move |facts: &[Fact]| {
        let mut told = lines.lock().expect("nobody panics");
        let of_tasks = facts.iter().filter(|fact| {
            fact.belongs_to() == Wants::TASKS || matches!(fact, Fact::Retrying { .. })
        });
        told.extend(of_tasks.map(ToString::to_string));
    };
    let pipeline = Pipeline::builder().observer(wanting(Wants::ALL, observer)).workers(1).build();
    let running = pipeline.expect("it is sound").start().expect("there is room for threads");
    let policy = Retry::times(2).then(LastResort::Skip);
    let scope = open(
        &running,
        named("told").on_failure(policy),
        tasks(|cx, n| match n {
            0 => Ok(cx.scope(named("child"), tasks(|_, _| Ok(()))).map(drop)?),
            1 if cx.attempt() > 1 => Ok(()),
            n => bail!("no {n}"),
        }),
    );
    scope.post_range(0..3).expect("it is open");
    drop(scope.wait());
    running.finish().expect("nothing fails");
    insta::assert_snapshot!(told.lock().expect("nobody panics").join("\n"), @r#"
    scope 1: begins
    scope 1: task 0 succeeded
    scope 2: begins
    told: retries selvedge::Task "told" [1] after attempt 1 failed: no 1
    scope 1: task 1 succeeded, attempt 2
    told: retries selvedge::Task "told" [2] after attempt 1 failed: no 2
    scope 1: task 2 failed: no 2, attempt 2
    scope 2: succeeded
    scope 1: succeeded
    "#);
}

#[test]
fn what_can_not_work_is_refused() {
    let nothing = || tasks(|_, _| Ok(()));
    let limits = Limits { scopes_max: 1, ..Limits::default() };
    let pipeline = Pipeline::builder().limits(limits).workers(1).build().expect("it is sound");
    let submitter = pipeline.submitter();
    let refusal = |result: std::result::Result<Scope, ScopeError>| match result {
        Ok(_) => "accepted".to_owned(),
        Err(error) => {
            let variant = match &error {
                ScopeError::Policy { .. } => "Policy",
                ScopeError::Zero { .. } => "Zero",
                ScopeError::TooMany { .. } => "TooMany",
                ScopeError::Closed { .. } => "Closed",
                _ => "?",
            };
            format!("{variant}: {error}")
        }
    };
    insta::assert_snapshot!(refusal(submitter.scope(named("early"), nothing())), @"Closed: scope `early` can't be opened from outside: the run has not begun, has failed, is stopping or is done");
    let running = pipeline.start().expect("there is room for threads");
    drop(submitter);
    let restarts = Restart::at_most(1, Duration::from_secs(1));
    insta::assert_snapshot!(refusal(running.scope(named("map").on_failure(restarts), nothing())), @"Policy: scope `map` has a failure policy that can't work for tasks: processor `map` is to be restarted, but nothing makes a new one: register it `.restarted_by(|| …)`, or give it another failure policy");
    insta::assert_snapshot!(refusal(running.scope(named("map").concurrency_max(0), nothing())), @"Zero: scope `map` has a `concurrency_max` of zero: nothing could ever happen");
    insta::assert_snapshot!(refusal(running.scope(named("map").tasks_max(0), nothing())), @"Zero: scope `map` has a `tasks_max` of zero: nothing could ever happen");
    let begun = Arc::new(Barrier::new(2));
    let turn = Arc::clone(&begun);
    let scope = open(
        &running,
        named("first").tasks_max(2),
        tasks(move |cx, n| {
            if n == 0 {
                turn.wait();
                turn.wait();
            }
            (0..n).for_each(|_| cx.post(0));
            Ok(())
        }),
    );
    insta::assert_snapshot!(refusal(running.scope(named("second"), nothing())), @"TooMany: scope `second` is one too many: 1 are open; wait for some of them to end, or raise `Limits::scopes_max`");
    scope.post(0).expect("there is room");
    begun.wait();
    scope.post(3).expect("there is room");
    let full = scope.post(0).expect_err("two are outstanding");
    assert_eq!(full, PostError::Full { limit: 2 });
    insta::assert_snapshot!(full, @"2 tasks of the scope are outstanding: post later, or raise `ScopeOptions::tasks_max`");
    begun.wait();
    insta::assert_snapshot!(shown(&scope.wait()), @"failed at Some(3): more than 2 tasks of scope `first` are outstanding: post ranges, post later, or raise `ScopeOptions::tasks_max` (panicked: false): 2 = 1 + 1 + 0 + 0");
    insta::assert_snapshot!(PostError::Stopped, @"the scope starts no further task: it failed, was cancelled, or the run is ending");
    running.finish().expect("nothing fails");
}

/// A graph whose nodes count to zero; some fail, and what depends on them is not reached.
struct Graph {
    children: Vec<Vec<u32>>,
    pending: Vec<AtomicU32>,
    fails: Vec<bool>,
    taken: Vec<AtomicBool>,
}

impl Graph {
    /// Node `n` has for parents what `seed` picks among those before it.
    fn random(n_nodes: u32, seed: u64) -> Graph {
        let mut state = seed | 1;
        let mut next = move |below: u32| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u32 % below
        };
        let n = n_nodes as usize;
        let mut children = vec![Vec::new(); n];
        let mut pending = vec![0; n];
        let mut fails = vec![false; n];
        for node in 1..n_nodes {
            let parents: BTreeSet<u32> = (0..=next(3)).map(|_| next(node)).collect();
            pending[node as usize] = u32::try_from(parents.len()).expect("they are few");
            parents.into_iter().for_each(|parent| children[parent as usize].push(node));
            fails[node as usize] = next(20) == 0;
        }
        let pending = pending.into_iter().map(AtomicU32::new).collect();
        let taken = (0..n).map(|_| AtomicBool::new(false)).collect();
        Graph { children, pending, fails, taken }
    }

    /// Which nodes are reached, one after the other.
    fn oracle(&self) -> BTreeSet<u32> {
        let count = |pending: &AtomicU32| pending.load(Ordering::Relaxed);
        let mut pending: Vec<u32> = self.pending.iter().map(count).collect();
        let (mut ready, mut reached) = (vec![0], BTreeSet::new());
        while let Some(node) = ready.pop() {
            reached.insert(node);
            if self.fails[node as usize] {
                continue;
            }
            for &child in &self.children[node as usize] {
                pending[child as usize] -= 1;
                if pending[child as usize] == 0 {
                    ready.push(child);
                }
            }
        }
        reached
    }
}

impl Tasks for Graph {
    fn turn(&self, cx: &mut TaskContext<'_>, node: u32) -> Result {
        let again = self.taken[node as usize].swap(true, Ordering::SeqCst);
        assert!(!again, "{node} is taken twice");
        if self.fails[node as usize] {
            cx.post(0);
            bail!("planted");
        }
        for &child in &self.children[node as usize] {
            if self.pending[child as usize].fetch_sub(1, Ordering::AcqRel) == 1 {
                cx.post(child);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn stress_graphs_reach_what_the_oracle_reaches(
        n_nodes in 1..400_u32, seed in any::<u64>(), workers in 1..5_usize, cap in 0..4_u32,
        n_graphs in 1..4_u64,
    ) {
        let running = running(workers);
        let options = || match cap {
            0 => named("graph").on_failure(FailurePolicy::Skip),
            cap => named("graph").on_failure(FailurePolicy::Skip).concurrency_max(cap),
        };
        let graphs: Vec<_> = (0..n_graphs)
            .map(|n| {
                let graph = Arc::new(Graph::random(n_nodes, seed.wrapping_add(n)));
                let expected = graph.oracle();
                let scope = open(&running, options(), Arc::clone(&graph));
                scope.post(0).expect("it is open");
                (graph, expected, scope)
            })
            .collect();
        for (graph, expected, scope) in graphs {
            let report = scope.wait();
            let fails = |node: &&u32| graph.fails[**node as usize];
            let n_failed = expected.iter().filter(fails).count() as u64;
            assert!(report.balances() && report.outcome.is_success(), "{report:?}");
            assert_eq!((report.posted, report.dead), (expected.len() as u64, n_failed));
            let taken = graph.taken.iter().zip(0..);
            let taken = taken.filter(|(taken, _)| taken.load(Ordering::SeqCst));
            assert_eq!(taken.map(|(_, node)| node).collect::<BTreeSet<u32>>(), expected);
        }
        running.finish().expect("nothing fails");
    }
}
