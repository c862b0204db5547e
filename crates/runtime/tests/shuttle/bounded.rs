//! Mailboxes with a capacity, whose word is only a bell, and permits that are handed on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use selvedge_runtime::{Context, Overflow, Pipeline, on};

use super::{Ping, Pong, build, explore, join, start, thread, tight};

/// Two that emit into one mailbox while its owner takes from it: whoever finds nobody told rings,
/// and what is not dropped has its turn.
fn ring_and_bell(capacity: usize, overflow: Overflow) {
    let n_heard = Arc::new(AtomicU64::new(0));
    let counts = Arc::clone(&n_heard);
    let relay = |name| {
        on(name, |cx: &mut Context<'_>, ping: &Ping| {
            cx.emit(Pong(ping.0));
            Ok(())
        })
    };
    let hear = on("hear", move |_: &mut Context<'_>, _: &Pong| {
        counts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let mut limits = tight();
    (limits.in_flight_max, limits.lane_max, limits.batch_turns_max) = (8, 8, 1);
    let pipeline = build(
        Pipeline::builder()
            .limits(limits)
            .processors([relay("one"), relay("other")])
            .processor(hear.capacity(capacity).on_overflow(overflow)),
    );
    (0..2).for_each(|n| assert_eq!(pipeline.submit(Ping(n)).expect("there is room"), 2));
    let submitter = pipeline.submitter();
    let submits = thread(move || submitter.submit(Ping(2)).expect("the run is open"));
    let report = pipeline.run().expect("nothing fails");
    assert_eq!(join(submits), 2);
    let n_heard = n_heard.load(Ordering::Relaxed);
    assert_eq!((report.abandoned, report.accepted), (0, 12));
    assert_eq!((n_heard + report.dropped, report.handled), (6, 6 + n_heard));
    assert!(capacity < 6 || report.dropped == 0);
}

#[test]
fn who_finds_nobody_told_rings() {
    explore(|| ring_and_bell(6, Overflow::FailRun));
}

#[test]
fn what_gives_way_is_counted() {
    explore(|| ring_and_bell(1, Overflow::DropOldest));
    explore(|| ring_and_bell(1, Overflow::DropNewest));
}

#[test]
fn a_full_mailbox_is_given_up_with_the_run() {
    explore(|| {
        let hear = on("hear", |_: &mut Context<'_>, ping: &Ping| {
            anyhow::ensure!(ping.0 < 2, "planted");
            Ok(())
        });
        let running = start(build(Pipeline::builder().processor(hear.capacity(9))));
        for n in 0..4 {
            // Handed back once the run has failed.
            let _ = running.submit(Ping(n));
        }
        let error = running.finish().expect_err("a turn fails");
        assert!(error.report().is_some_and(selvedge_runtime::RunReport::balances));
    });
}

#[test]
fn permits_are_handed_on_until_nobody_waits() {
    explore(|| {
        let n_inside = Arc::new(AtomicU64::new(0));
        let visit = |name| {
            let n_inside = Arc::clone(&n_inside);
            on(name, move |_: &mut Context<'_>, _: &Ping| {
                assert_eq!(n_inside.fetch_add(1, Ordering::Relaxed), 0, "two at once");
                shuttle::thread::yield_now();
                n_inside.fetch_sub(1, Ordering::Relaxed);
                Ok(())
            })
            .limited_by("room")
        };
        let mut limits = tight();
        (limits.in_flight_max, limits.batch_turns_max) = (8, 1);
        let builder = Pipeline::builder().concurrency("room", 1).limits(limits);
        let builder = builder.processors([visit("a"), visit("b"), visit("c").priority(1)]);
        let pipeline = build(builder);
        (0..2).for_each(|n| assert_eq!(pipeline.submit(Ping(n)).expect("there is room"), 3));
        let report = pipeline.run().expect("nothing fails");
        assert_eq!((report.handled, report.abandoned), (6, 0));
    });
}
