//! Alarms of scopes: armed and cancelled at once, waited for, gone with their scope, never counted
//! before they are due.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::bail;
use insta::assert_snapshot;
use selvedge::prelude::*;
use selvedge::runtime::{
    AlarmHandle, LastResort, Retry, Scope, ScopeOptions, ScopeReport, TaskContext, Tasks, tasks,
};
use selvedge_event::Canceller;

use super::{With, named, open, running, shown};
use crate::failure::in_time;

const HOUR: Duration = Duration::from_secs(3_600);
const SOON: Duration = Duration::from_millis(1);

/// Alarms that turns leave to one another.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<AlarmHandle>>>);

impl Kept {
    fn put(&self, alarm: AlarmHandle) {
        self.0.lock().expect("nobody panics").push(alarm);
    }

    fn all(&self) -> Vec<AlarmHandle> {
        self.0.lock().expect("nobody panics").clone()
    }
}

/// How a scope of these options ends after its task 0 was posted.
fn trace(options: ScopeOptions, work: impl Tasks) -> String {
    let running = running(2);
    let scope = open(&running, options, work);
    scope.post(0).expect("it is open");
    let report = in_time(move || scope.wait());
    running.finish().expect("no scope fails the run");
    shown(&report)
}

#[test]
fn an_alarm_posts_its_task_when_it_is_due() {
    let turn = |cx: &mut TaskContext<'_>, n| {
        if n < 5 {
            let _ = cx.alarm(SOON, n + 1);
        }
        Ok(())
    };
    assert_eq!(trace(named("free"), tasks(turn)), "Succeeded: 6 = 6 + 0 + 0 + 0");
    let capped = named("capped").concurrency_max(1);
    assert_eq!(trace(capped, tasks(turn)), "Succeeded: 6 = 6 + 0 + 0 + 0");
}

#[test]
fn a_cancelled_alarm_keeps_nobody_waiting() {
    let kept = Kept::default();
    let work = tasks(move |cx: &mut TaskContext<'_>, n| {
        match n {
            0 => {
                kept.put(cx.alarm(HOUR, 9));
                cx.post(1);
            }
            _ => {
                let [alarm] = kept.all()[..] else { panic!("there is one") };
                assert!(cx.cancel_alarm(alarm));
                assert!(!cx.cancel_alarm(alarm), "once is enough");
            }
        }
        Ok(())
    });
    assert_eq!(trace(named("cancels"), work), "Succeeded: 2 = 2 + 0 + 0 + 0");
}

#[test]
fn alarms_are_armed_and_cancelled_whether_or_not_the_turn_succeeds() {
    let kept = Kept::default();
    let work = tasks(move |cx: &mut TaskContext<'_>, n| match n {
        0 => {
            kept.put(cx.alarm(SOON, 2));
            kept.put(cx.alarm(HOUR, 9));
            cx.post(7);
            bail!("planted")
        }
        1 => bail!("not reached"),
        _ => {
            let alarms = kept.all();
            // Its own is due; the other one it takes back, and fails.
            assert!(!cx.cancel_alarm(alarms[0]) && cx.cancel_alarm(alarms[1]));
            bail!("planted")
        }
    });
    let skips = named("fails").on_failure(FailurePolicy::Skip);
    assert_eq!(trace(skips, work), "Succeeded: 2 = 0 + 2 + 0 + 0");
}

#[test]
fn a_scope_that_is_stopped_takes_its_alarms_along() {
    let work = |fails: bool| {
        tasks(move |cx: &mut TaskContext<'_>, n| {
            let _ = cx.alarm(HOUR, 9);
            match (n, fails) {
                (0..3, _) => cx.post(n + 1),
                (_, true) => bail!("planted"),
                (_, false) => cx.cancel_scope(),
            }
            Ok(())
        })
    };
    assert_eq!(trace(named("cancelled"), work(false)), "Cancelled { by: User }: 4 = 4 + 0 + 0 + 0");
    assert_eq!(
        trace(named("failed"), work(true)),
        "failed at Some(3): planted (panicked: false): 4 = 3 + 1 + 0 + 0"
    );
    // By who has a handle, while it has nothing else; and a child with its parent.
    let armed = Arc::new(std::sync::Barrier::new(2));
    let arms = Arc::clone(&armed);
    let outer = tasks(move |cx: &mut TaskContext<'_>, _| {
        let arms = Arc::clone(&arms);
        let _ = cx.alarm(HOUR, 9);
        let inner = tasks(move |cx: &mut TaskContext<'_>, _| {
            let _ = cx.alarm(HOUR, 9);
            arms.wait();
            Ok(())
        });
        cx.scope(named("inner"), inner)?.post(0);
        Ok(())
    });
    let running = running(2);
    let scope = open(&running, named("outer"), outer);
    scope.post(0).expect("it is open");
    armed.wait();
    scope.cancel(Canceller::User);
    assert_eq!(in_time(|| shown(&scope.wait())), "Cancelled { by: User }: 1 = 1 + 0 + 0 + 0");
    in_time(|| running.finish()).expect("nothing fails");
}

#[test]
fn a_scope_that_is_stopped_arms_nothing() {
    let work = tasks(|cx: &mut TaskContext<'_>, _| {
        let handle = cx.handle();
        handle.cancel(Canceller::User);
        let alarm = cx.alarm(HOUR, 9);
        assert!(!cx.cancel_alarm(alarm));
        Ok(())
    });
    assert_eq!(trace(named("stopped"), work), "Cancelled { by: User }: 1 = 1 + 0 + 0 + 0");
}

#[test]
fn alarms_of_another_scope_stay() {
    let kept = Kept::default();
    let (arms, takes) = (kept.clone(), kept);
    let running = running(1);
    let armed = tasks(move |cx: &mut TaskContext<'_>, n| {
        if n == 0 {
            arms.put(cx.alarm(SOON, 1));
        }
        Ok(())
    });
    let first = open(&running, named("first"), armed);
    first.post(0).expect("it is open");
    assert_eq!(shown(&in_time(|| first.wait())), "Succeeded: 2 = 2 + 0 + 0 + 0");
    let other = tasks(move |cx: &mut TaskContext<'_>, _| {
        assert!(!cx.cancel_alarm(takes.all()[0]));
        Ok(())
    });
    let second = open(&running, named("second"), other);
    second.post(0).expect("it is open");
    assert_eq!(shown(&second.wait()), "Succeeded: 1 = 1 + 0 + 0 + 0");
    running.finish().expect("nothing fails");
}

#[test]
fn there_are_no_more_alarms_than_timers_and_tasks() {
    let arms = |n: u32| {
        tasks(move |cx: &mut TaskContext<'_>, _| {
            let all: Vec<_> = (0..n).map(|_| cx.alarm(HOUR, 9)).collect();
            for alarm in all {
                let _ = cx.cancel_alarm(alarm);
            }
            Ok(())
        })
    };
    let few = Limits { timers_max: 2, ..Limits::default() };
    let pipeline = Pipeline::builder().limits(few).workers(1).build().expect("it is sound");
    let running = pipeline.start().expect("there is room for threads");
    let run = |options: ScopeOptions, n| {
        let scope = open(&running, options, arms(n));
        scope.post(0).expect("it is open");
        shown(&scope.wait())
    };
    assert_snapshot!(run(named("map"), 2), @"Succeeded: 1 = 1 + 0 + 0 + 0");
    assert_snapshot!(run(named("map"), 3), @"failed at Some(0): scope `map` armed an alarm, and there are as many timers as there may be: cancel those that are not needed, or raise `Limits::timers_max` (panicked: false): 1 = 0 + 1 + 0 + 0");
    assert_snapshot!(run(named("map").tasks_max(2), 3), @"failed at Some(0): more than 2 tasks of scope `map` are outstanding: post ranges, post later, or raise `ScopeOptions::tasks_max` (panicked: false): 1 = 0 + 1 + 0 + 0");
    let last = |cx: &mut TaskContext<'_>, _: &ScopeReport| {
        let _ = cx.alarm(SOON, 1);
        Ok(())
    };
    let scope = open(&running, named("map"), With(|_: &mut TaskContext<'_>, _| Ok(()), last));
    assert_snapshot!(shown(&scope.wait()), @"failed at None: the last turn of scope `map` posted to it, and it is over: post to the parent, or open another scope (panicked: false): 0 = 0 + 0 + 0 + 0");
    running.finish().expect("nothing fails");
}

#[test]
fn a_run_that_is_stopped_lets_alarms_come() {
    let n_due = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&n_due);
    let armed = Arc::new(std::sync::Barrier::new(2));
    let arms = Arc::clone(&armed);
    let running = running(2);
    let work = tasks(move |cx: &mut TaskContext<'_>, n| {
        if n == 0 {
            let _ = cx.alarm(Duration::from_millis(20), 1);
            arms.wait();
        } else {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    });
    let scope = open(&running, named("stopped"), work);
    scope.post(0).expect("it is open");
    armed.wait();
    in_time(|| running.stop()).expect("nothing fails");
    assert_eq!(n_due.load(Ordering::Relaxed), 1);
    assert_eq!(shown(&scope.wait()), "Succeeded: 2 = 2 + 0 + 0 + 0");
}

#[test]
fn a_run_that_is_aborted_waits_for_no_alarm() {
    let armed = Arc::new(std::sync::Barrier::new(2));
    let arms = Arc::clone(&armed);
    let running = running(2);
    let work = tasks(move |cx: &mut TaskContext<'_>, _| {
        let _ = cx.alarm(HOUR, 1);
        arms.wait();
        Ok(())
    });
    let scope: Scope = open(&running, named("aborted"), work);
    scope.post(0).expect("it is open");
    armed.wait();
    running.stop_handle().abort();
    assert!(in_time(|| running.finish()).is_err());
    let report = scope.wait();
    assert!(report.balances(), "{report:?}");
}

#[test]
fn each_attempt_arms_an_alarm_of_its_own() {
    let retries = named("retries").on_failure(Retry::times(3).then(LastResort::Skip));
    let work = tasks(|cx: &mut TaskContext<'_>, n| match n {
        0 => {
            let _ = cx.alarm(SOON, 1);
            bail!("planted")
        }
        _ => Ok(()),
    });
    assert_eq!(trace(retries, work), "Succeeded: 4 = 3 + 1 + 0 + 0");
}
