//! Handles that turns take: work that goes elsewhere and comes back, and what the end of the run
//! makes of it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};

use anyhow::bail;
use selvedge::prelude::*;
use selvedge::runtime::{PostError, Scope, ScopeReport, TaskContext, tasks};

use super::{With, named, open, running, shown};
use crate::failure::in_time;

#[test]
fn what_goes_to_another_thread_comes_back() {
    for cap in [None, Some(1)] {
        const N: u32 = 50;
        let (sender, jobs) = mpsc::channel::<(Scope, u32)>();
        let thread = std::thread::spawn(move || {
            let posts = |(scope, n): (Scope, u32)| scope.post(n + N).expect("it is open");
            jobs.into_iter().for_each(posts);
        });
        let running = running(2);
        let work = tasks(move |cx: &mut TaskContext<'_>, n| {
            if n < N {
                sender.send((cx.handle(), n)).expect("the thread is there");
            }
            Ok(())
        });
        let options = cap.map_or(named("free"), |cap| named("capped").concurrency_max(cap));
        let scope = open(&running, options, work);
        scope.post_range(0..N).expect("it is open");
        // Nobody outside keeps it open from here on but the handles that turns take.
        drop(scope.control());
        let report = in_time(move || scope.wait());
        running.finish().expect("nothing fails");
        assert_eq!(shown(&report), "Succeeded: 100 = 100 + 0 + 0 + 0");
        thread.join().expect("it does not panic");
    }
}

#[test]
fn a_run_waits_for_handles_whose_turn_failed_or_whose_scope_nobody_watches() {
    let (sender, handles) = mpsc::channel::<Scope>();
    let n_done = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&n_done);
    let opens = on("opens", move |cx: &mut Context<'_>, _: &Init| {
        let (sender, counted) = (sender.clone(), Arc::clone(&counted));
        let work = tasks(move |cx: &mut TaskContext<'_>, n| {
            if n == 0 {
                sender.send(cx.handle())?;
                bail!("planted");
            }
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        cx.scope(named("elsewhere").on_failure(FailurePolicy::Skip), work)?.post(0);
        Ok(())
    });
    let pipeline = Pipeline::builder().processor(opens).workers(2).build().expect("it is sound");
    let thread = std::thread::spawn(move || {
        let handle = handles.recv().expect("the turn sends one");
        let other = handle.clone();
        drop(handle);
        other.post(1)
    });
    in_time(|| pipeline.run()).expect("it is skipped");
    assert_eq!(thread.join().expect("it does not panic"), Ok(()));
    assert_eq!(n_done.load(Ordering::Relaxed), 1);
}

#[test]
fn a_stop_closes_handles_that_turns_took_and_an_abort_gives_their_scopes_up() {
    for aborts in [false, true] {
        let kept: Arc<Mutex<Option<Scope>>> = Arc::default();
        let taken = Arc::new(Barrier::new(2));
        let (keeps, takes) = (Arc::clone(&kept), Arc::clone(&taken));
        let running = running(2);
        let work = tasks(move |cx: &mut TaskContext<'_>, _| {
            *keeps.lock().expect("nobody panics") = Some(cx.handle());
            takes.wait();
            Ok(())
        });
        let scope = open(&running, named("elsewhere"), work);
        scope.post(0).expect("it is open");
        taken.wait();
        let result = match aborts {
            false => in_time(|| running.stop()).is_ok(),
            true => {
                running.stop_handle().abort();
                in_time(|| running.finish()).is_ok()
            }
        };
        assert_eq!(result, !aborts);
        let late = kept.lock().expect("nobody panics").take().expect("the turn put it there");
        assert_eq!(late.post(1), Err(PostError::Stopped));
        drop(late);
        let report = scope.wait();
        assert!(report.balances(), "{report:?}");
        assert_eq!(report.outcome.is_success(), !aborts);
    }
}

#[test]
fn a_handle_of_the_last_turn_or_of_a_run_that_ends_is_closed() {
    let kept: Arc<Mutex<Vec<Scope>>> = Arc::default();
    let keeps = Arc::clone(&kept);
    let running = running(1);
    let last = move |cx: &mut TaskContext<'_>, _: &ScopeReport| {
        let handle = cx.handle();
        assert_eq!(handle.post(1), Err(PostError::Stopped));
        keeps.lock().expect("nobody panics").push(handle);
        Ok(())
    };
    let scope = open(&running, named("last"), With(|_: &mut TaskContext<'_>, _| Ok(()), last));
    scope.post(0).expect("it is open");
    assert_eq!(in_time(|| shown(&scope.wait())), "Succeeded: 1 = 1 + 0 + 0 + 0");
    kept.lock().expect("nobody panics").clear();
    // A scope that begins while the run is stopped.
    let begun = Arc::new(Barrier::new(2));
    let (begins, keeps) = (Arc::clone(&begun), Arc::clone(&kept));
    let work = tasks(move |cx: &mut TaskContext<'_>, _| {
        begins.wait();
        begins.wait();
        let keeps = Arc::clone(&keeps);
        let inner = tasks(move |cx: &mut TaskContext<'_>, _| {
            keeps.lock().expect("nobody panics").push(cx.handle());
            Ok(())
        });
        cx.scope(named("inner"), inner)?.post(0);
        Ok(())
    });
    let scope = open(&running, named("outer"), work);
    scope.post(0).expect("it is open");
    begun.wait();
    running.stop_handle().stop();
    begun.wait();
    in_time(|| running.finish()).expect("it ends early, and well");
    assert_eq!(shown(&scope.wait()), "Succeeded: 1 = 1 + 0 + 0 + 0");
    let late = kept.lock().expect("nobody panics").pop().expect("the child was worked on");
    assert_eq!(late.post(1), Err(PostError::Stopped));
}
