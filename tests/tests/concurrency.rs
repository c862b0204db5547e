//! Turns in flight under a key: never more than declared, as many as declared, and nobody is
//! forgotten.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use insta::assert_snapshot;
use selvedge::prelude::*;
use selvedge::runtime::{BuildError, Registration};

use crate::failure::in_time;

#[derive(Debug, Event)]
struct Job(#[expect(dead_code, reason = "it tells jobs apart in a report")] u32);

/// Counts who is inside.
#[derive(Default)]
struct Room {
    n_inside: AtomicUsize,
    max: AtomicUsize,
}

impl Room {
    fn visit(&self) {
        let n = self.n_inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.max.fetch_max(n, Ordering::SeqCst);
        std::thread::yield_now();
        self.n_inside.fetch_sub(1, Ordering::SeqCst);
    }
}

fn visitors(
    n: usize,
    room: &Arc<Room>,
) -> impl Iterator<Item = Registration<impl Processor + use<>>> {
    let room = Arc::clone(room);
    (0..n).map(move |who| {
        let room = Arc::clone(&room);
        on(&format!("visitor {who}"), move |_: &mut Context<'_>, _: &Job| {
            room.visit();
            Ok(())
        })
    })
}

#[test]
fn no_more_turns_at_once_than_the_key_allows_and_all_are_taken() {
    for (n_workers, cap) in [(1, 1), (2, 1), (4, 1), (4, 2), (4, 8)] {
        let room = Arc::new(Room::default());
        let pipeline = Pipeline::builder()
            .concurrency("room", cap)
            .processors(visitors(9, &room).map(|visitor| visitor.limited_by("room")))
            .processor(on("free", |_: &mut Context<'_>, _: &Job| Ok(())))
            .limits(Limits { batch_turns_max: 7, ..Limits::default() })
            .workers(n_workers)
            .build()
            .expect("the wiring is sound");
        (0..500).for_each(|n| assert!(pipeline.submit(Job(n)).is_ok(), "there is room"));
        let report = in_time(|| pipeline.run()).expect("nothing fails");
        assert_eq!(report.handled, 5_000);
        let max = room.max.load(Ordering::SeqCst);
        assert!(max <= cap, "{max} at once under {cap}");
    }
}

#[test]
fn as_many_turns_at_once_as_the_key_allows() {
    // Two turns that wait for each other: with a permit less this would never end.
    let both = Arc::new(Barrier::new(2));
    let waits = |name: &str| {
        let both = Arc::clone(&both);
        on(name, move |_: &mut Context<'_>, _: &Job| {
            both.wait();
            Ok(())
        })
        .limited_by("pair")
    };
    let pipeline = Pipeline::builder()
        .concurrency("pair", 2)
        .processors([waits("one"), waits("other")])
        .workers(3)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Job(0)).expect("there is room");
    let report = in_time(|| pipeline.run()).expect("nothing fails");
    assert_eq!(report.handled, 2);
}

#[test]
fn a_job_that_waits_for_a_permit_keeps_no_worker() {
    let (go_on, gate) = mpsc::channel::<()>();
    let holder = on("holder", move |_: &mut Context<'_>, _: &Job| {
        gate.recv().expect("the other worker says when");
        Ok(())
    });
    let waiter = on("waiter", |_: &mut Context<'_>, _: &Job| Ok(()));
    // Last in order: were the second worker to wait for the permit, it would not come to this.
    let opener = on("opener", move |_: &mut Context<'_>, _: &Job| {
        go_on.send(()).expect("the holder waits for it");
        Ok(())
    });
    let pipeline = Pipeline::builder()
        .concurrency("key", 1)
        .processor(holder.limited_by("key"))
        .processor(waiter.limited_by("key"))
        .processor(opener)
        .workers(2)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Job(0)).expect("there is room");
    assert_eq!(in_time(|| pipeline.run()).expect("nothing fails").handled, 3);
}

#[test]
fn a_permit_goes_to_the_lower_band_first() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str, priority: i32| {
        let order = Arc::clone(&order);
        on(name, move |_: &mut Context<'_>, _: &Job| {
            order.lock().expect("nobody panics with it in hand").push(name);
            Ok(())
        })
        .priority(priority)
        .limited_by("key")
    };
    let pipeline = Pipeline::builder()
        .concurrency("key", 1)
        .processors([note("late", 2), note("early", 1), note("late too", 2)])
        .workers(1)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Job(0)).expect("there is room");
    in_time(|| pipeline.run()).expect("nothing fails");
    let order = order.lock().expect("nobody panics with it in hand").join(", ");
    assert_snapshot!(order, @"early, late, late too");
}

#[test]
fn no_permit_is_held_while_a_turn_waits_for_its_next_attempt() {
    // The second processor's turn is what lets the first one's next attempt succeed.
    let done = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&done);
    let flaky = on("flaky", move |_: &mut Context<'_>, _: &Job| {
        anyhow::ensure!(seen.load(Ordering::SeqCst) > 0, "not yet");
        Ok(())
    });
    let other = on("other", move |_: &mut Context<'_>, _: &Job| {
        done.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let retry = Retry::times(1_000).backoff(Backoff::fixed(Duration::from_millis(1)));
    let pipeline = Pipeline::builder()
        .concurrency("key", 1)
        .processor(flaky.stateless().on_failure(retry).limited_by("key"))
        .processor(other.limited_by("key").priority(1))
        .workers(1)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Job(0)).expect("there is room");
    let report = in_time(|| pipeline.run()).expect("a later attempt succeeds");
    assert_eq!((report.handled, report.dead), (2, 0));
}

#[test]
fn a_run_that_fails_leaves_nobody_waiting_for_a_permit() {
    let planted = on("planted", |_: &mut Context<'_>, _: &Job| anyhow::bail!("planted"));
    let room = Arc::new(Room::default());
    let pipeline = Pipeline::builder()
        .concurrency("key", 1)
        .processor(planted.limited_by("key"))
        .processors(visitors(3, &room).map(|visitor| visitor.limited_by("key")))
        .workers(4)
        .build()
        .expect("the wiring is sound");
    (0..10).for_each(|n| assert!(pipeline.submit(Job(n)).is_ok(), "there is room"));
    let error = in_time(|| pipeline.run()).expect_err("a turn fails");
    let report = error.report().expect("there is one");
    assert!(report.balances() && report.dead == 1, "{report}");
}

#[test]
fn keys_are_declared_once_with_a_permit_at_least() {
    let job = || on("job", |_: &mut Context<'_>, _: &Job| Ok(())).limited_by("db");
    let refused = |builder: selvedge::runtime::PipelineBuilder| builder.build().expect_err("wrong");
    let none = refused(Pipeline::builder().processor(job()));
    assert_snapshot!(none, @r#"processor `job` is limited by `db`, but no such limit is declared: declare it with `.concurrency("db", …)`"#);
    let others = Pipeline::builder().concurrency("disk", 1).concurrency("net", 2);
    let error = refused(others.processor(job()));
    assert_snapshot!(error, @r#"processor `job` is limited by `db`, but the only ones declared are `disk`, `net`: declare it with `.concurrency("db", …)`"#);
    assert!(matches!(error, BuildError::UnknownConcurrency { .. }));
    let zero = refused(Pipeline::builder().concurrency("db", 0));
    assert_snapshot!(zero, @"concurrency `db` is limited to zero turns in flight: none could ever begin");
    assert!(matches!(zero, BuildError::ZeroConcurrency { .. }));
    let twice = refused(Pipeline::builder().concurrency("db", 1).concurrency("db", 2));
    assert_snapshot!(twice, @"concurrency `db` is declared twice: say how many turns once");
    assert!(matches!(twice, BuildError::DuplicateConcurrency { .. }));
}
