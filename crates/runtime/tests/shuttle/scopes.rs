//! Scopes with handles outside: whatever the interleaving of posts, cancellations, ends and early
//! ends of the run, the last turn comes once, the counts balance and everyone returns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::bail;
use selvedge_event::{Canceller, Init};
use selvedge_runtime::{
    AlarmHandle, Context, Pipeline, Result, Running, ScopeOptions, ScopeOutcome, ScopeReport,
    TaskContext, Tasks, on, tasks,
};

use super::{Ping, build, explore, join, start, thread, tight};

/// Numbers below `until` post the next; counts turns and ends.
#[derive(Default)]
struct Chain {
    until: u32,
    n_turns: AtomicU64,
    n_ended: AtomicU64,
}

impl Tasks for Chain {
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        self.n_turns.fetch_add(1, Ordering::SeqCst);
        if index < self.until {
            cx.post(index + 1);
        }
        Ok(())
    }

    fn ended(&self, _: &mut TaskContext<'_>, report: &ScopeReport) -> Result {
        assert!(report.balances(), "{report:?}");
        self.n_ended.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn chain(until: u32) -> Arc<Chain> {
    Arc::new(Chain { until, ..Chain::default() })
}

fn n(count: &AtomicU64) -> u64 {
    count.load(Ordering::SeqCst)
}

fn started() -> Running {
    start(build(Pipeline::builder().limits(tight())))
}

fn options(cap: u32) -> ScopeOptions {
    let options = ScopeOptions::named("chain");
    if cap == 0 { options } else { options.concurrency_max(cap) }
}

#[test]
fn a_run_is_not_quiet_before_its_scopes() {
    explore(|| {
        let (outer, inner) = (chain(0), chain(2));
        let opened = Arc::clone(&inner);
        let opens = on("opens", move |cx: &mut Context<'_>, _: &Init| {
            let inner = Arc::clone(&opened);
            let outer = tasks(move |cx, index| {
                let mut child = cx.scope(options(index), Arc::clone(&inner))?;
                child.post(0);
                Ok(())
            });
            cx.scope(options(0), outer)?.post_range(0..2);
            Ok(())
        });
        let pipeline = build(Pipeline::builder().limits(tight()).processor(opens));
        pipeline.run().expect("nothing fails");
        assert_eq!((n(&inner.n_turns), n(&inner.n_ended), n(&outer.n_ended)), (6, 2, 0));
    });
}

#[test]
fn a_post_from_outside_against_the_end() {
    explore(|| {
        let (running, work) = (started(), chain(1));
        let scope = running.scope(options(1), Arc::clone(&work)).expect("the run is open");
        let other = scope.clone();
        let posts = thread(move || other.post(0));
        scope.post(1).expect("the scope is open");
        let report = scope.wait();
        join(posts).expect("its handle kept the scope open");
        assert_eq!((report.posted, report.done, n(&work.n_ended)), (3, 3, 1));
        running.finish().expect("nothing fails");
        assert_eq!(n(&work.n_turns), 3);
    });
}

fn cancelled(cap: u32) {
    let (running, work) = (started(), chain(3));
    let scope = running.scope(options(cap), Arc::clone(&work)).expect("the run is open");
    let (control, other) = (scope.control(), scope.clone());
    let cancels = thread(move || control.cancel(Canceller::User));
    let posts = thread(move || other.post_range(2..5).is_ok());
    let own = scope.post(0).is_ok();
    let report = scope.wait();
    join(cancels);
    let posted = 3 * u64::from(join(posts)) + u64::from(own);
    assert!(report.balances() && report.posted >= posted, "{report:?}");
    match report.outcome {
        ScopeOutcome::Cancelled { by: Canceller::User } => {}
        ScopeOutcome::Succeeded => assert_eq!(report.cancelled, 0),
        other => panic!("{other:?}"),
    }
    assert_eq!((n(&work.n_ended), n(&work.n_turns)), (1, report.done));
    running.finish().expect("nothing fails");
}

#[test]
fn a_cancellation_against_posts() {
    explore(|| cancelled(0));
}

#[test]
fn a_cancellation_against_posts_under_a_cap() {
    explore(|| cancelled(1));
}

#[test]
fn a_cancellation_against_children_that_begin() {
    explore(|| {
        let (running, inner) = (started(), chain(1));
        let opened = Arc::clone(&inner);
        let outer = tasks(move |cx, _| {
            cx.scope(options(0), Arc::clone(&opened))?.post(0);
            Ok(())
        });
        let scope = running.scope(options(0), outer).expect("the run is open");
        scope.post_range(0..2).expect("the scope is open");
        scope.cancel(Canceller::User);
        let report = scope.wait();
        // Every child that began has ended by then.
        assert_eq!(n(&inner.n_ended), report.done);
        running.finish().expect("nothing fails");
    });
}

/// Who waits comes back, whatever ends the run.
fn waits(end: fn(Running)) {
    let fails = on("fails", |_: &mut Context<'_>, _: &Ping| bail!("planted"));
    let running = start(build(Pipeline::builder().limits(tight()).processor(fails)));
    let work = chain(2);
    let scope = running.scope(options(0), Arc::clone(&work)).expect("the run is open");
    let other = scope.clone();
    let waits = thread(move || {
        let _ = scope.post(0);
        scope.wait()
    });
    end(running);
    drop(other);
    let report = join(waits);
    assert!(report.balances(), "{report:?}");
    assert!(n(&work.n_ended) <= 1);
}

#[test]
fn who_waits_comes_back_when_the_run_fails() {
    explore(|| {
        waits(|running| {
            running.submit(Ping(1)).expect("the run is open");
            drop(running.finish().expect_err("the turn fails"));
        });
    });
}

#[test]
fn who_waits_comes_back_when_the_run_is_aborted() {
    explore(|| {
        waits(|running| {
            running.stop_handle().abort();
            drop(running.finish().expect_err("it is aborted"));
        });
    });
}

#[test]
fn who_waits_comes_back_when_the_run_is_stopped() {
    explore(|| waits(|running| drop(running.stop().expect("nothing fails"))));
}

const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);
const NOW: std::time::Duration = std::time::Duration::ZERO;

/// Task 0 arms an alarm that is due at once and one that never is; 1, which the first posts, and 2
/// take both back.
#[derive(Default)]
struct Alarmed {
    armed: selvedge_sync::Mutex<Vec<AlarmHandle>>,
    n_in_time: AtomicU64,
    n_ended: AtomicU64,
}

impl Tasks for Alarmed {
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        if index == 0 {
            let alarms = [cx.alarm(NOW, 1), cx.alarm(HOUR, 3)];
            self.armed.lock().extend(alarms);
            cx.post(2);
        } else {
            let alarms = std::mem::take(&mut *self.armed.lock());
            let in_time = alarms.into_iter().filter(|alarm| cx.cancel_alarm(*alarm)).count();
            self.n_in_time.fetch_add(in_time as u64, Ordering::SeqCst);
        }
        Ok(())
    }

    fn ended(&self, _: &mut TaskContext<'_>, report: &ScopeReport) -> Result {
        assert!(report.balances(), "{report:?}");
        self.n_ended.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn an_alarm_that_is_due_against_its_cancellation() {
    explore(|| {
        let (running, work) = (started(), Arc::new(Alarmed::default()));
        let scope = running.scope(options(0), Arc::clone(&work)).expect("the run is open");
        scope.post(0).expect("the scope is open");
        let report = scope.wait();
        // The one that never is due was taken back, or the run would not end; the other one came,
        // or was.
        let n_due = 2 - n(&work.n_in_time);
        assert_eq!((report.done, n(&work.n_ended)), (2 + n_due, 1));
        running.finish().expect("nothing fails");
    });
}

#[test]
fn alarms_against_the_cancellation_of_their_scope() {
    explore(|| {
        let (running, work) = (started(), Arc::new(Alarmed::default()));
        let scope = running.scope(options(1), Arc::clone(&work)).expect("the run is open");
        let control = scope.control();
        let cancels = thread(move || control.cancel(Canceller::User));
        let _ = scope.post(0);
        assert!(scope.wait().balances());
        join(cancels);
        assert_eq!(n(&work.n_ended), 1);
        running.finish().expect("nothing fails");
    });
}

/// Task 0 takes a handle, with which another thread posts 1.
struct Elsewhere {
    desk: selvedge_sync::Mutex<Vec<selvedge_sync::thread::JoinHandle<bool>>>,
    n_back: AtomicU64,
}

fn elsewhere() -> Arc<Elsewhere> {
    Arc::new(Elsewhere { desk: selvedge_sync::Mutex::new(Vec::new()), n_back: AtomicU64::new(0) })
}

impl Tasks for Elsewhere {
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        if index == 0 {
            let scope = cx.handle();
            self.desk.lock().push(thread(move || scope.post(1).is_ok()));
        } else {
            self.n_back.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn ended(&self, _: &mut TaskContext<'_>, report: &ScopeReport) -> Result {
        assert!(report.balances(), "{report:?}");
        Ok(())
    }
}

/// A run of which nobody but turns has a handle, ended in this way; whether what was posted from
/// elsewhere was accepted, and how much of it came back.
fn goes_elsewhere(end: fn(Running)) -> (u64, u64) {
    let work = elsewhere();
    let opened = Arc::clone(&work);
    let opens = on("opens", move |cx: &mut Context<'_>, _: &Init| {
        cx.scope(options(0), Arc::clone(&opened))?.post(0);
        Ok(())
    });
    let running = start(build(Pipeline::builder().limits(tight()).processor(opens)));
    end(running);
    let threads = std::mem::take(&mut *work.desk.lock());
    let accepted = threads.into_iter().map(|posts| u64::from(join(posts))).sum();
    (accepted, n(&work.n_back))
}

#[test]
fn a_run_waits_for_what_its_turns_sent_elsewhere() {
    explore(|| {
        let ended = goes_elsewhere(|running| drop(running.finish().expect("nothing fails")));
        assert_eq!(ended, (1, 1));
    });
}

#[test]
fn a_stop_against_what_its_turns_sent_elsewhere() {
    explore(|| {
        let (accepted, back) =
            goes_elsewhere(|running| drop(running.stop().expect("nothing fails")));
        assert_eq!(accepted, back);
    });
}

#[test]
fn an_abort_against_what_its_turns_sent_elsewhere() {
    explore(|| {
        let (accepted, back) = goes_elsewhere(|running| {
            running.stop_handle().abort();
            drop(running.finish().expect_err("it is aborted"));
        });
        assert!(back <= accepted);
    });
}
