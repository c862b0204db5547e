//! Leaves that tasks take: they come back as the same attempt, under their cap, and are not waited
//! for when all is stopped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use anyhow::{bail, ensure};
use selvedge::event::Canceller;
use selvedge::prelude::*;
use selvedge::runtime::{Handling, Leave, TaskContext, TaskFailure, Tasks, tasks};

use super::{named, open, running, shown};
use crate::failure::in_time;

/// Tasks that send their leave away, and note when they are back.
struct Away {
    sender: mpsc::Sender<Leave>,
    /// By task: attempts that were begun.
    begun: Mutex<HashMap<u32, u32>>,
    /// Attempts that fail when they are back.
    failing: u32,
    n_away: AtomicU32,
    n_away_max: AtomicU32,
}

impl Away {
    fn new(failing: u32) -> (Arc<Away>, mpsc::Receiver<Leave>) {
        let (sender, leaves) = mpsc::channel();
        let (begun, n_away, n_away_max) = Default::default();
        (Arc::new(Away { sender, begun, failing, n_away, n_away_max }), leaves)
    }
}

impl Tasks for Away {
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        let before = self.begun.lock().unwrap().insert(index, cx.attempt());
        if before != Some(cx.attempt()) {
            let n = 1 + self.n_away.fetch_add(1, Ordering::SeqCst);
            self.n_away_max.fetch_max(n, Ordering::SeqCst);
            self.sender.send(cx.leave())?;
            return Ok(());
        }
        self.n_away.fetch_sub(1, Ordering::SeqCst);
        ensure!(cx.attempt() > self.failing, "not yet");
        Ok(())
    }
}

/// Has whoever is away come back.
fn bring_back(leaves: mpsc::Receiver<Leave>) -> std::thread::JoinHandle<u32> {
    std::thread::spawn(move || leaves.into_iter().map(|leave| u32::from(leave.back())).sum())
}

#[test]
fn who_is_back_goes_on_and_its_cap_counts_who_is_away() {
    for cap in [None, Some(1), Some(3)] {
        let (work, leaves) = Away::new(0);
        let brings = bring_back(leaves);
        let running = running(2);
        let options = cap.map_or(named("free"), |cap| named("capped").concurrency_max(cap));
        let scope = open(&running, options, Arc::clone(&work));
        scope.post_range(0..50).expect("it is open");
        let report = in_time(move || scope.wait());
        running.finish().expect("nothing fails");
        assert_eq!(shown(&report), "Succeeded: 50 = 50 + 0 + 0 + 0");
        let n_max = work.n_away_max.load(Ordering::SeqCst);
        assert!(cap.is_none_or(|cap| n_max <= cap), "{n_max} away of {cap:?}");
        drop(work);
        assert_eq!(brings.join().unwrap(), 50);
    }
}

#[test]
fn what_fails_when_it_is_back_is_attempted_again() {
    for (attempts, told) in
        [(3, "Succeeded: 10 = 10 + 0 + 0 + 0"), (2, "Succeeded: 10 = 0 + 10 + 0 + 0")]
    {
        let (work, leaves) = Away::new(2);
        let brings = bring_back(leaves);
        let running = running(2);
        let second = std::time::Duration::from_millis(1);
        let retry = Retry::times(attempts).backoff(Backoff::fixed(second)).then(LastResort::Skip);
        let scope = open(&running, named("again").on_failure(retry), Arc::clone(&work));
        scope.post_range(0..10).expect("it is open");
        let report = in_time(move || scope.wait());
        running.finish().expect("nothing fails");
        assert_eq!(shown(&report), told);
        assert!(work.begun.lock().unwrap().values().all(|&attempt| attempt == attempts));
        drop(work);
        assert_eq!(brings.join().unwrap(), 10 * attempts);
    }
}

#[test]
fn who_is_away_is_not_waited_for_when_all_is_stopped() {
    for (way, cap) in [("cancel", None), ("cancel", Some(2)), ("stop", None), ("stop", Some(2))] {
        let (work, leaves) = Away::new(0);
        let running = running(2);
        let options = cap.map_or(named("free"), |cap| named("capped").concurrency_max(cap));
        let scope = open(&running, options, work);
        scope.post_range(0..2).expect("it is open");
        let away: Vec<Leave> = leaves.iter().take(2).collect();
        let scope = if way == "cancel" {
            scope.cancel(Canceller::User);
            let report = in_time(move || scope.wait());
            assert_eq!(shown(&report), "Cancelled { by: User }: 2 = 0 + 0 + 2 + 0");
            None
        } else {
            Some(scope)
        };
        let mut away = away.into_iter();
        if way == "stop" {
            let report = in_time(move || running.stop()).expect("nothing fails");
            drop((scope, report));
            assert!(away.all(|leave| !leave.back()));
        } else {
            assert!(away.all(|leave| !leave.back()));
            running.finish().expect("nothing fails");
        }
    }
}

#[test]
fn what_a_turn_did_before_it_left_takes_effect() {
    let running = running(2);
    let order = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&order);
    let left = AtomicU32::new(0);
    let work = tasks(move |cx: &mut TaskContext<'_>, index| {
        seen.lock().unwrap().push(index);
        if index == 0 && left.fetch_add(1, Ordering::SeqCst) == 0 {
            cx.post(1);
            drop(cx.leave()); // Back before the turn is over.
        }
        Ok(())
    });
    let scope = open(&running, named("posts"), work);
    scope.post(0).expect("it is open");
    let report = in_time(move || scope.wait());
    running.finish().expect("nothing fails");
    assert_eq!(shown(&report), "Succeeded: 2 = 2 + 0 + 0 + 0");
    let mut order = order.lock().unwrap().clone();
    order.sort_unstable();
    assert_eq!(order, [0, 0, 1]);
}

/// Takes a leave in each way that it may not.
struct Improper;

impl Tasks for Improper {
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        let _leave = cx.leave();
        match index {
            0 => drop(cx.leave()),
            _ => bail!("planted"),
        }
        Ok(())
    }

    fn failed(
        &self,
        cx: &mut TaskContext<'_>,
        index: u32,
        failure: &TaskFailure,
    ) -> Result<Handling> {
        let told = failure.cause.to_string();
        match index {
            0 => assert!(told.contains("took leave that may not"), "{told}"),
            1 => assert_eq!(told, "planted"),
            _ => drop(cx.leave()),
        }
        Ok(Handling::Handled)
    }
}

#[test]
fn a_turn_takes_one_leave_at_most_and_succeeds() {
    let running = running(1);
    let scope = open(&running, named("improper"), Improper);
    scope.post_range(0..2).expect("it is open");
    let report = in_time(move || scope.wait());
    assert_eq!(shown(&report), "Succeeded: 2 = 0 + 2 + 0 + 0");
    let scope = open(&running, named("improper"), Improper);
    scope.post(2).expect("it is open");
    let report = in_time(move || scope.wait());
    assert!(!report.outcome.is_success(), "{report:?}");
    running.finish().expect("nothing fails");
}
