//! Turns that are written off while they end, while others work, and while the run ends.

use std::sync::Arc;
use std::time::Duration;

use selvedge_runtime::{Limits, Pipeline, RunReport, Running, on};
use selvedge_sync::atomic::{AtomicBool, Ordering};
use selvedge_sync::thread::yield_now;
use selvedge_sync::{Condvar, Mutex};

use super::{Context, Ping, Pong, build, explore, join, start, thread};

/// A turn that was seen twice is written off.
fn hasty() -> Limits {
    let batch_time_max = Duration::MAX;
    Limits { leak_after: Duration::from_nanos(1), batch_time_max, ..Limits::default() }
}

/// Whatever was written off, nothing is lost and nothing is heard of it.
fn check(report: &RunReport) {
    assert!(report.balances(), "{report:?}");
    let turns = |name: &str| report.processor(name).expect("it is there").turns;
    let is_stuck = |name: &str| report.stuck.iter().any(|stuck| stuck.processor.as_str() == name);
    assert!(turns("hears") == turns("slow") || is_stuck("hears"), "{report:?}");
    let abandoned: u64 = report.stuck.iter().map(|stuck| stuck.abandoned).sum();
    assert_eq!(report.abandoned, abandoned, "{report:?}");
    assert_eq!(report.handled, turns("hears") + turns("slow") + turns("other"));
}

fn relay(mut takes_time: impl FnMut() + Send + 'static) -> Running {
    let slow = move |cx: &mut Context<'_>, ping: &Ping| {
        takes_time();
        cx.emit(Pong(ping.0));
        Ok(())
    };
    let builder = Pipeline::builder()
        .concurrency("key", 1)
        .limits(hasty())
        .processor(on("slow", slow).limited_by("key"))
        .processor(on("hears", |_: &mut Context<'_>, _: &Pong| Ok(())))
        .processor(on("other", |_: &mut Context<'_>, _: &Ping| Ok(())).limited_by("key"));
    start(build(builder))
}

#[test]
fn a_turn_ends_while_it_is_written_off() {
    explore(|| {
        let running = relay(yield_now);
        let look = running.watchdog_by_hand();
        let looks = thread(move || (0..4).for_each(|_| look()));
        (0..2).for_each(|n| assert_eq!(running.submit(Ping(n)).expect("it is open"), 2));
        let report = running.finish().expect("four may be replaced");
        join(looks);
        check(&report);
        assert_eq!(report.accepted - report.processor("slow").expect("it is there").turns, 4);
    });
}

#[test]
fn a_run_gets_quiet_by_a_turn_that_is_written_off() {
    explore(|| {
        let door = Arc::new((Mutex::new(false), Condvar::new()));
        let theirs = Arc::clone(&door);
        let running = relay(move || drop(theirs.1.wait_while(theirs.0.lock(), |open| !*open)));
        let (look, over) = (running.watchdog_by_hand(), Arc::new(AtomicBool::new(false)));
        running.submit(Ping(0)).expect("it is open");
        let is_over = Arc::clone(&over);
        let looks = thread(move || {
            while !is_over.load(Ordering::Relaxed) {
                look();
                yield_now();
            }
        });
        let report = running.finish().expect("four may be replaced");
        over.store(true, Ordering::Relaxed);
        join(looks);
        check(&report);
        assert_eq!(report.processor("slow").expect("it is there").turns, 0, "nobody let it go");
        assert_eq!(report.accepted, 2);
        *door.0.lock() = true;
        door.1.notify_all();
    });
}
