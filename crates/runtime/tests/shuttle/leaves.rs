//! Tasks on leave: whatever the interleaving of leaves that end, turns that go on, cancellations
//! and ends of the run, each comes back once or not at all, and everyone returns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use selvedge_event::Canceller;
use selvedge_runtime::{Pipeline, Result, ScopeOptions, ScopeReport, TaskContext, Tasks};
use selvedge_sync::Mutex;
use selvedge_sync::thread::JoinHandle;

use super::{build, explore, join, start, thread, tight};

/// Each task takes leave once, which another thread ends.
#[derive(Default)]
struct Away {
    threads: Mutex<Vec<JoinHandle<bool>>>,
    n_turns: AtomicU64,
    left: AtomicU64,
}

impl Tasks for Away {
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        self.n_turns.fetch_add(1, Ordering::SeqCst);
        if self.left.fetch_or(1 << index, Ordering::SeqCst) & (1 << index) == 0 {
            let leave = cx.leave();
            self.threads.lock().push(thread(move || leave.back()));
        }
        Ok(())
    }

    fn ended(&self, _: &mut TaskContext<'_>, report: &ScopeReport) -> Result {
        Ok(assert!(report.balances(), "{report:?}"))
    }
}

impl Away {
    /// How many came back in time.
    fn back(&self) -> u64 {
        let threads = std::mem::take(&mut *self.threads.lock());
        threads.into_iter().map(|thread| u64::from(join(thread))).sum()
    }
}

fn options(cap: u32) -> ScopeOptions {
    let options = ScopeOptions::named("away");
    if cap == 0 { options } else { options.concurrency_max(cap) }
}

fn comes_back(cap: u32) {
    let running = start(build(Pipeline::builder().limits(tight())));
    let work = Arc::new(Away::default());
    let scope = running.scope(options(cap), Arc::clone(&work)).expect("the run is open");
    scope.post_range(0..2).expect("the scope is open");
    let report = scope.wait();
    running.finish().expect("nothing fails");
    let n_turns = work.n_turns.load(Ordering::SeqCst);
    assert_eq!((report.done, n_turns, work.back()), (2, 4, 2));
}

#[test]
fn leaves_that_end_against_the_turns_that_took_them() {
    explore(|| comes_back(0));
}

#[test]
fn leaves_that_end_under_a_cap() {
    explore(|| comes_back(1));
}

#[test]
fn a_cancellation_against_leaves() {
    explore(|| {
        let running = start(build(Pipeline::builder().limits(tight())));
        let work = Arc::new(Away::default());
        let scope = running.scope(options(0), Arc::clone(&work)).expect("the run is open");
        scope.post_range(0..2).expect("the scope is open");
        let control = scope.control();
        let cancels = thread(move || control.cancel(Canceller::User));
        let report = scope.wait();
        join(cancels);
        assert!(report.balances() && report.done <= work.back(), "{report:?}");
        running.finish().expect("nothing fails");
    });
}

#[test]
fn a_stop_against_leaves() {
    explore(|| {
        let running = start(build(Pipeline::builder().limits(tight())));
        let work = Arc::new(Away::default());
        let scope = running.scope(options(1), Arc::clone(&work)).expect("the run is open");
        scope.post_range(0..2).expect("the scope is open");
        drop(scope);
        drop(running.stop().expect("nothing fails"));
        let n_turns = work.n_turns.load(Ordering::SeqCst);
        assert!(n_turns <= 2 + work.back());
    });
}
