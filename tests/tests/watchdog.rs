//! Turns that don't come back: what the watchdog tells of them, and how a run goes on without them.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use insta::assert_snapshot;
use selvedge::event::{Fact, Wants, Warning};
use selvedge::prelude::*;
use selvedge::runtime::{AskError, ControlError, Handler, Observer, Registration, SubmitError};

use crate::failure::in_time;

#[derive(Debug, Event)]
struct Tick(u32);

#[derive(Debug, Event)]
struct Tock(u32);

/// A turn that waits until the sender is gone, or sends.
fn door() -> (mpsc::Sender<()>, impl FnMut() + Send + 'static) {
    let (opens, opened) = mpsc::channel();
    let opened = Mutex::new(opened);
    let wait = move || {
        // Gone when the test is over.
        let _ = opened.lock().expect("one turn at a time").recv();
    };
    (opens, wait)
}

fn stuck(
    mut wait: impl FnMut() + Send + 'static,
) -> Registration<Handler<Tick, impl FnMut(&mut Context<'_>, &Tick) -> Result + Send + 'static>> {
    on("stuck", move |_: &mut Context<'_>, _: &Tick| {
        wait();
        Ok(())
    })
}

fn calm(
    name: &'static str,
) -> Registration<Handler<Tick, impl FnMut(&mut Context<'_>, &Tick) -> Result + Send + 'static>> {
    on(name, |_: &mut Context<'_>, _: &Tick| Ok(()))
}

/// Limits under which a turn of some milliseconds is not waited for.
fn hasty() -> Limits {
    let (watchdog_interval, leak_after) = (Duration::from_millis(2), Duration::from_millis(20));
    Limits { watchdog_interval, leak_after, ..Limits::default() }
}

/// Limits under which every turn is waited for.
fn patient() -> Limits {
    Limits { watchdog_interval: Duration::from_millis(2), ..Limits::default() }
}

fn start(builder: PipelineBuilder) -> Running {
    builder.build().expect("the wiring is sound").start().expect("there is room for threads")
}

/// Sends on what it is warned of.
struct Warned(Mutex<mpsc::Sender<Fact>>);

impl Observer for Warned {
    fn wants(&self) -> Wants {
        Wants::WARNINGS
    }

    fn observe(&self, facts: &[Fact]) {
        // The test may have heard enough.
        let tells = self.0.lock().expect("no panic");
        facts.iter().for_each(|fact| drop(tells.send(fact.clone())));
    }
}

fn warned() -> (Warned, mpsc::Receiver<Fact>) {
    let (tells, told) = mpsc::channel();
    (Warned(Mutex::new(tells)), told)
}

#[test]
fn a_run_goes_on_without_a_turn_that_does_not_come_back() {
    for n_workers in [1, 2] {
        let (opens, wait) = door();
        let (observer, told) = warned();
        let builder = Pipeline::builder()
            .processor(stuck(wait))
            .processors(["calm 1", "calm 2", "calm 3"].map(calm))
            .observer(observer)
            .limits(hasty())
            .workers(n_workers);
        let running = start(builder);
        (0..5).for_each(|n| assert_eq!(running.submit(Tick(n)).expect("there is room"), 4));
        let report = in_time(|| running.finish()).expect("one may be left behind");
        assert!(report.balances(), "{report}");
        assert_eq!((report.accepted, report.handled, report.abandoned), (20, 15, 5));
        assert_eq!(report.ending, Some(Ending::Completed));
        let [stuck] = &report.stuck[..] else { panic!("{report}") };
        assert_eq!((stuck.processor.as_str(), stuck.abandoned), ("stuck", 5));
        assert!(stuck.stuck_for >= Duration::from_millis(20));
        let shown = report.to_string();
        let line = shown.lines().find(|line| line.contains("stuck: ")).expect("it is shown");
        assert!(line.ends_with(": 5 abandoned"), "{line}");
        let json = serde_json::to_string(&report).expect("it is plain data");
        let back: RunReport = serde_json::from_str(&json).expect("it is its own");
        assert_eq!(back.stuck, report.stuck);
        let written_off = told.iter().find_map(|fact| match fact {
            Fact::WorkerWrittenOff { processor, .. } => Some(processor),
            _ => None,
        });
        assert_eq!(written_off.as_deref(), Some("stuck"));
        drop(opens);
    }
}

/// Says when it is dropped.
#[derive(Debug, Event)]
struct Loud(mpsc::Sender<()>);

impl Drop for Loud {
    fn drop(&mut self) {
        // Nobody may listen any more.
        let _ = self.0.send(());
    }
}

#[test]
fn what_a_turn_did_that_came_back_too_late_is_dropped_unheard() {
    let (opens, mut wait) = door();
    let (observer, told) = warned();
    let (says, dropped) = mpsc::channel();
    let late = on("late", move |cx: &mut Context<'_>, _: &Tick| {
        wait();
        cx.emit(Loud(says.clone()));
        Ok(())
    });
    let heard = Arc::new(Mutex::new(0));
    let theirs = Arc::clone(&heard);
    let hears = on("hears", move |_: &mut Context<'_>, _: &Loud| {
        *theirs.lock().expect("no panic") += 1;
        Ok(())
    });
    let builder = Pipeline::builder().processor(late).processor(hears).processor(calm("calm"));
    let running = start(builder.observer(observer).limits(hasty()).workers(2));
    running.submit(Tick(0)).expect("there is room");
    let is_lost = |fact: Fact| matches!(fact, Fact::WorkerWrittenOff { .. });
    assert!(told.iter().any(is_lost));
    opens.send(()).expect("it waits");
    dropped.recv().expect("it comes back, and what it emitted goes");
    running.submit(Tick(1)).expect("the run goes on");
    let report = in_time(|| running.finish()).expect("one may be left behind");
    assert_eq!((report.accepted, report.handled, report.abandoned), (4, 2, 2));
    assert_eq!((report.stuck[0].abandoned, *heard.lock().expect("no panic")), (2, 0));
    assert_eq!(report.processor("late").expect("it is there").turns, 0);
}

#[test]
fn what_a_batch_did_before_its_stuck_turn_counts_if_it_was_heard() {
    let (opens, mut wait) = door();
    let answers = on("answers", move |cx: &mut Context<'_>, tick: &Tick| {
        match tick.0 {
            0 => cx.reply(Tock(0)),
            _ => wait(),
        }
        Ok(())
    });
    let running = start(Pipeline::builder().processor(answers).limits(hasty()).workers(1));
    let answer = running.ask::<Tock>(Tick(0)).expect("there is room");
    running.submit(Tick(1)).expect("there is room");
    assert_eq!(answer.wait().expect("it is given").0, 0);
    let report = in_time(|| running.finish()).expect("one may be left behind");
    assert_eq!((report.handled, report.abandoned, report.stuck.len()), (1, 1, 1));
    drop(opens);
}

#[test]
fn one_more_than_may_be_left_behind_fails_the_run() {
    let (opens, wait) = door();
    let (opens_too, mut wait_too) = door();
    let also = on("also stuck", move |_: &mut Context<'_>, _: &Tick| {
        wait_too();
        Ok(())
    });
    let builder = Pipeline::builder().processor(stuck(wait)).processor(also).workers(1);
    let running = start(builder.limits(Limits { leaked_max: 1, ..hasty() }));
    running.submit(Tick(0)).expect("there is room");
    let error = in_time(|| running.finish()).expect_err("two are stuck");
    assert_snapshot!(error, @"turns of `stuck`, `also stuck` don't come back, and `Limits::leaked_max` is 1: let them give up in time, or raise `Limits::leak_after`");
    let RunError::WorkersLost { processors, report, .. } = error else { panic!("{error}") };
    assert_eq!((processors.len(), report.stuck.len(), report.abandoned), (2, 2, 2));
    assert!(report.balances());
    drop((opens, opens_too));
}

#[test]
fn who_waits_for_room_or_a_reply_is_told_when_the_last_worker_is_not_replaced() {
    let (opens, wait) = door();
    let limits = Limits { leaked_max: 0, in_flight_max: 1, lane_max: 1, ..hasty() };
    let running = start(Pipeline::builder().processor(stuck(wait)).limits(limits).workers(1));
    running.submit(Tick(0)).expect("there is room");
    let answer = running.ask::<Tock>(Tick(1)).expect("there is room");
    let submitter = running.submitter();
    let refused = in_time(move || (2..).find_map(|n| submitter.submit(Tick(n)).err()));
    assert!(matches!(refused, Some(SubmitError::Closed { .. })));
    assert!(matches!(in_time(|| answer.wait()), Err(AskError::NoReply { .. })));
    let error = in_time(|| running.finish()).expect_err("nobody may be left behind");
    assert!(matches!(error, RunError::WorkersLost { .. }), "{error}");
    drop(opens);
}

#[test]
fn a_dead_letter_of_a_stuck_batch_and_attempts_that_were_put_off_are_counted_once() {
    let (opens, mut wait) = door();
    let batch = on("batch", move |_: &mut Context<'_>, tick: &Tick| match tick.0 {
        0 => anyhow::bail!("not that one"),
        _ => {
            wait();
            Ok(())
        }
    });
    let flaky = on("flaky", |cx: &mut Context<'_>, _: &Tick| {
        anyhow::ensure!(cx.attempt() > 2, "not yet");
        Ok(())
    });
    let retry = Retry::times(3).backoff(Backoff::fixed(Duration::from_millis(1)));
    let limits = Limits { batch_time_max: Duration::MAX, ..hasty() };
    let pipeline = Pipeline::builder()
        .processor(batch.on_failure(FailurePolicy::Skip))
        .processor(flaky.stateless().on_failure(retry))
        .limits(limits)
        .workers(1)
        .build()
        .expect("the wiring is sound");
    (0..2).for_each(|n| assert_eq!(pipeline.submit(Tick(n)).expect("there is room"), 2));
    let monitor = pipeline.monitor();
    let running = pipeline.start().expect("there is room for threads");
    let report = in_time(|| running.finish()).expect("one may be left behind");
    assert_eq!((report.dead, report.dead_letters.len()), (1, 1));
    assert_eq!((report.accepted, report.handled, report.abandoned), (4, 2, 1));
    assert_eq!((report.stuck[0].abandoned, monitor.progress()[1].waiting), (1, 0));
    drop(opens);
}

#[test]
fn a_permit_goes_on_without_the_turn_that_had_it() {
    let (opens, mut wait) = door();
    let holds = on("holds", move |_: &mut Context<'_>, _: &Tick| {
        wait();
        Ok(())
    });
    let builder = Pipeline::builder()
        .concurrency("key", 1)
        .processor(holds.limited_by("key").priority(-1))
        .processor(calm("waits").limited_by("key"))
        .limits(hasty())
        .workers(2);
    let running = start(builder);
    running.submit(Tick(0)).expect("there is room");
    let report = in_time(|| running.finish()).expect("one may be left behind");
    assert_eq!((report.handled, report.abandoned), (1, 1));
    drop(opens);
}

#[test]
fn what_is_stuck_takes_no_room_from_others() {
    let (opens, wait) = door();
    let builder = Pipeline::builder().processor(stuck(wait)).processor(calm("calm"));
    let limits = Limits { in_flight_max: 1, ..hasty() };
    let running = start(builder.limits(limits).workers(2));
    (0..50).for_each(|n| assert_eq!(running.submit(Tick(n)).expect("there is room"), 2));
    let report = in_time(|| running.finish()).expect("one may be left behind");
    assert_eq!((report.handled, report.abandoned), (50, 50));
    drop(opens);
}

/// A source whose pull waits, which keeps the run from coming to rest.
struct Slow<W>(W);

#[processor(strict)]
impl<W: FnMut() + Send + 'static> Processor for Slow<W> {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Init => cx.start_pulling(),
        }
        Ok(())
    }

    fn pull(&mut self, _: &mut Context<'_>) -> Result<Pull> {
        (self.0)();
        Ok(Pull::Done)
    }
}

#[test]
fn what_waited_for_a_stuck_turn_makes_room_once() {
    let ((opens, mut wait), (ends, waits)) = (door(), door());
    let (observer, told) = warned();
    let (says, said) = mpsc::channel();
    let stuck = on("stuck", move |_: &mut Context<'_>, _: &Tick| {
        says.send(())?;
        wait();
        Ok(())
    });
    let never = on("never", |_: &mut Context<'_>, _: &Tock| anyhow::bail!("not yet"));
    let in_an_hour = Backoff::fixed(Duration::from_secs(3_600));
    let retry = Retry::times(2).backoff(in_an_hour).then(LastResort::Skip);
    let limits = Limits { in_flight_max: 8, lane_max: 1, ..hasty() };
    let builder = Pipeline::builder()
        .processor(Slow(waits))
        .processor(stuck)
        .processor(never.stateless().on_failure(retry))
        .observer(observer)
        .limits(limits);
    let running = start(builder.workers(3));
    running.submit(Tick(0)).expect("there is room");
    said.recv().expect("it begins");
    (1..4).for_each(|n| assert_eq!(running.submit(Tick(n)).expect("there is room"), 1));
    let is_lost = |fact: Fact| matches!(fact, Fact::WorkerWrittenOff { .. });
    assert!(told.iter().any(is_lost));
    let submitter = running.submitter();
    let submits = std::thread::spawn(move || (0..).all(|n| submitter.submit(Tock(n)).is_ok()));
    let is_full =
        |fact: Fact| matches!(fact, Fact::Warned { warning: Warning::CreditsHeld { .. } });
    assert!(told.iter().any(is_full));
    let waiting = running.monitor().progress()[2].waiting;
    // First: were this to fail, the run would wait for the source.
    drop(ends);
    // To within what the two workers take from their lanes at the same time; what waited for the
    // stuck turn, counted twice, would make it 11.
    assert!((8..=10).contains(&waiting), "{waiting} instead of 8, as if nothing were stuck");
    let report = in_time(|| running.stop_within(Duration::from_secs(30)));
    assert_eq!(report.expect("one may be left behind").stuck[0].abandoned, 4);
    assert!(!submits.join().expect("no panic"));
    drop(opens);
}

#[test]
fn the_caller_s_own_turn_is_warned_of_and_waited_for() {
    let (opens, wait) = door();
    let (observer, told) = warned();
    let pipeline = Pipeline::builder()
        .processor(stuck(wait).time_budget(Duration::from_millis(1)))
        .observer(observer)
        .limits(hasty())
        .workers(1)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Tick(0)).expect("there is room");
    let opens = std::thread::spawn(move || {
        let warned = told.recv().expect("the watchdog sees it");
        opens.send(()).expect("it waits");
        (warned, told)
    });
    let report = in_time(|| pipeline.run()).expect("it comes back");
    let (warned, _told) = opens.join().expect("no panic");
    let warned = warned.to_string();
    assert!(warned.starts_with("warning: a turn of `stuck` has kept worker 0 for "), "{warned}");
    assert!(report.warnings[0].starts_with("a turn of `stuck`"), "{report}");
    assert_eq!((report.handled, report.stuck.len()), (1, 0));
}

#[test]
fn a_stop_by_a_deadline_names_what_was_written_off_too() {
    let (opens, wait) = door();
    let (observer, told) = warned();
    let builder = Pipeline::builder().processor(stuck(wait)).observer(observer);
    let running = start(builder.limits(hasty()).workers(1));
    running.submit(Tick(0)).expect("there is room");
    let is_lost = |fact: Fact| matches!(fact, Fact::WorkerWrittenOff { .. });
    assert!(told.iter().any(is_lost));
    let report = in_time(|| running.stop_within(Duration::from_secs(30)));
    let report = report.expect("nothing is left to be waited for");
    assert_eq!((report.ending, report.stuck.len()), (Some(Ending::Stopped), 1));
    drop(opens);
}

#[test]
fn who_holds_a_key_for_long_is_named_with_who_waits_for_it() {
    let (opens, mut wait) = door();
    let (observer, told) = warned();
    let holds = on("holds", move |_: &mut Context<'_>, _: &Tick| {
        wait();
        Ok(())
    });
    let builder = Pipeline::builder()
        .concurrency("key", 1)
        .processor(holds.limited_by("key").priority(-1))
        .processor(calm("waits").limited_by("key"))
        .observer(observer)
        .limits(patient())
        .workers(2);
    let running = start(builder);
    running.submit(Tick(0)).expect("there is room");
    let Ok(Fact::Warned { warning: Warning::KeyedLimitHeld { limit, holder, waiter, .. } }) =
        told.recv()
    else {
        panic!("nobody tells")
    };
    assert_eq!([limit.as_str(), holder.as_str(), waiter.as_str()], ["key", "holds", "waits"]);
    opens.send(()).expect("it waits");
    assert_eq!(running.finish().expect("nothing fails").handled, 2);
}

#[test]
fn credits_that_are_held_are_told_of_with_whose_mailbox_is_full() {
    let (opens, wait) = door();
    let (observer, told) = warned();
    let limits = Limits { in_flight_max: 1, lane_max: 1, ..patient() };
    let builder = Pipeline::builder().processor(stuck(wait)).observer(observer);
    let running = start(builder.limits(limits).workers(2));
    let submitter = running.submitter();
    let submits = std::thread::spawn(move || (0..20).all(|n| submitter.submit(Tick(n)).is_ok()));
    let Ok(Fact::Warned { warning: Warning::CreditsHeld { limit, fullest, .. } }) = told.recv()
    else {
        panic!("nobody tells")
    };
    assert_eq!((limit, fullest.as_str()), (1, "stuck"));
    drop(opens);
    assert!(submits.join().expect("no panic"), "there is room again");
    assert_eq!(running.finish().expect("nothing fails").handled, 20);
}

#[test]
fn a_pause_with_work_is_told_of() {
    let (observer, told) = warned();
    let builder = Pipeline::builder().processor(calm("calm")).observer(observer);
    let running = start(builder.limits(patient()));
    running.pause();
    running.submit(Tick(0)).expect("there is room");
    let Ok(Fact::Warned { warning: Warning::PausedWithWork { waiting, .. } }) = told.recv() else {
        panic!("nobody tells")
    };
    assert_eq!(waiting, 1);
    running.resume();
    assert_eq!(running.finish().expect("nothing fails").handled, 1);
}

#[test]
fn a_key_s_number_changes_while_the_run_goes_on() {
    let (opens, mut wait) = door();
    let (says, said) = mpsc::channel();
    let first = on("first", move |_: &mut Context<'_>, _: &Tick| {
        wait();
        Ok(())
    });
    let second = on("second", move |_: &mut Context<'_>, _: &Tick| Ok(says.send(())?));
    let pipeline = Pipeline::builder()
        .concurrency("key", 1)
        .processor(first.limited_by("key").priority(-1))
        .processor(second.limited_by("key"))
        .workers(2)
        .build()
        .expect("the wiring is sound");
    let control = pipeline.control();
    let error = control.set_concurrency("key", 2).expect_err("it has not begun");
    assert_snapshot!(error, @"the run has not begun: declare what it begins with when it is built");
    pipeline.submit(Tick(0)).expect("there is room");
    let running = pipeline.start().expect("there is room for threads");
    let error = control.set_concurrency("lock", 2).expect_err("nobody declared it");
    assert_snapshot!(error, @"no turns are limited by `lock`: declare it with `PipelineBuilder::concurrency`");
    assert!(matches!(control.set_concurrency("key", 0), Err(ControlError::Refused { .. })));
    control.set_concurrency("key", 2).expect("it is declared");
    // The first turn ends after the second has begun: with one permit neither would.
    said.recv().expect("it is let in");
    opens.send(()).expect("it waits");
    assert_eq!(running.finish().expect("nothing fails").handled, 2);
}
