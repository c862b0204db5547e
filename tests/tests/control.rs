//! Control of a run that goes on: pause, drain, other limits, a stop by a deadline, the watchdog,
//! workers that are written off.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use insta::assert_snapshot;
use selvedge::prelude::*;
use selvedge::runtime::{ControlError, RunState};

use crate::failure::in_time;

#[derive(Debug, Event)]
struct Tick(u32);

/// A processor whose every turn says that it began and waits to be let go.
struct Door {
    began: mpsc::Receiver<u32>,
    go: mpsc::Sender<()>,
}

impl Door {
    fn new() -> (impl FnMut(&mut Context<'_>, &Tick) -> Result + Send + 'static, Door) {
        let (says, began) = mpsc::channel();
        let (go, let_go) = mpsc::channel();
        let let_go = Mutex::new(let_go);
        let turn = move |_: &mut Context<'_>, tick: &Tick| {
            let _ = says.send(tick.0);
            // Gone when the test is over.
            let _ = let_go.lock().expect("one turn at a time").recv();
            Ok(())
        };
        (turn, Door { began, go })
    }
}

fn start(builder: PipelineBuilder) -> Running {
    builder.build().expect("the wiring is sound").start().expect("there is room for threads")
}

#[test]
fn a_paused_run_finishes_its_turns_and_starts_none() {
    let (turn, door) = Door::new();
    let running = start(Pipeline::builder().processor(on("door", turn)).workers(2));
    let control = running.control();
    (0..3).for_each(|n| assert_eq!(running.submit(Tick(n)).expect("there is room"), 1));
    assert_eq!(door.began.recv().expect("it begins"), 0);
    control.pause();
    assert_eq!(control.state(), RunState::Pausing);
    door.go.send(()).expect("it waits");
    control.await_paused().expect("the turn comes back");
    assert_eq!(control.state(), RunState::Paused);
    running.submit(Tick(3)).expect("a paused run takes more");
    assert!(door.began.try_recv().is_err(), "no turn is under way");
    assert_eq!(running.monitor().progress()[0].turns, 1);
    (0..3).for_each(|_| door.go.send(()).expect("it will wait"));
    control.resume();
    let drained = control.drain().expect("nothing fails");
    assert!(drained.handled <= 3 && drained.dead == 0, "{drained:?}");
    assert_eq!(running.monitor().progress()[0].turns, 4, "nothing is outstanding");
    assert_eq!(control.state(), RunState::Running);
    assert_eq!(control.await_paused(), Err(ControlError::NotPaused));
    assert_eq!(running.finish().expect("nothing fails").handled, 4);
    assert_eq!(control.state(), RunState::Over);
}

#[test]
fn a_pause_before_the_run_begins_after_init_and_a_stop_ends_it() {
    #[derive(Default)]
    struct Counts(Arc<Mutex<Vec<&'static str>>>);
    #[processor(strict)]
    impl Processor for Counts {
        fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
            let heard = match event {
                Init => "init",
                Tick(_) => "tick",
                Poison { .. } => "poison",
                #[unmatched]
                _ => "another",
            };
            self.0.lock().expect("no panic").push(heard);
            Ok(())
        }
    }
    let heard = Arc::default();
    let pipeline = Pipeline::builder().processor(Counts(Arc::clone(&heard))).build();
    let pipeline = pipeline.expect("the wiring is sound");
    let control = pipeline.control();
    assert_eq!(control.state(), RunState::Waiting);
    control.pause();
    pipeline.submit(Tick(0)).expect("there is room");
    let running = pipeline.start().expect("there is room for threads");
    control.await_paused().expect("it is paused");
    assert_eq!(*heard.lock().expect("no panic"), ["init"]);
    let report = in_time(|| running.stop()).expect("nothing fails");
    assert_eq!(*heard.lock().expect("no panic"), ["init", "tick", "poison"]);
    assert_eq!(report.ending, Some(Ending::Stopped));
    control.pause();
    assert_eq!(control.state(), RunState::Over);
    assert_eq!(control.await_paused(), Err(ControlError::Over));
}

#[test]
fn a_failure_is_known_before_anybody_finishes_the_run() {
    let fails = |_: &mut Context<'_>, _: &Tick| Err(anyhow::anyhow!("no paper"));
    let running = start(Pipeline::builder().processor(on("till", fails)));
    let (control, monitor) = (running.control(), running.monitor());
    assert_eq!(monitor.failure(), None);
    running.submit(Tick(0)).expect("there is room");
    let error = control.drain().expect_err("the turn fails");
    assert_snapshot!(error, @"the run has failed: a turn of `till` failed: no paper");
    assert_eq!((monitor.state(), running.state()), (RunState::Failed, RunState::Failed));
    assert_eq!(monitor.failure().as_deref(), Some("a turn of `till` failed: no paper"));
    running.finish().expect_err("it failed");
    assert_eq!(monitor.state(), RunState::Failed);

    let running = start(Pipeline::builder().processor(on("till", fails)));
    let control = running.control();
    control.abort();
    assert_eq!(control.state(), RunState::Aborted);
    assert_eq!(control.drain(), Err(ControlError::Aborted));
    running.finish().expect_err("it was aborted");
}

#[test]
fn limits_change_while_submitters_wait_for_them() {
    let limits = Limits { lane_max: 1, ..Limits::default() };
    let hears = on("hears", |_: &mut Context<'_>, _: &Tick| Ok(()));
    let running = start(Pipeline::builder().processor(hears).limits(limits));
    let control = running.control();
    // Nothing leaves the lane.
    control.pause();
    control.await_paused().expect("it is paused");
    running.submit(Tick(1)).expect("there is room");
    running.try_submit(Tick(2)).expect_err("the lane is full");
    // Of 16 lanes each has a submitter now, so one of them waits.
    let submitters: Vec<Submitter> = (0..16).map(|_| running.submitter()).collect();
    let waits = std::thread::spawn(move || {
        submitters.iter().all(|submitter| submitter.submit(Tick(2)).is_ok())
    });
    for zero in [
        |limits: &mut Limits| limits.lane_max = 0,
        |limits: &mut Limits| (limits.lane_max, limits.batch_turns_max) = (9, 0),
    ] {
        assert!(matches!(control.reconfigure(zero), Err(ControlError::Refused { .. })));
    }
    let zero = control.reconfigure(|limits| limits.in_flight_max = 0).expect_err("it is refused");
    assert_snapshot!(zero, @"the limits are left as they were: limit `in_flight_max` is zero: nothing could ever happen");
    let fixed = control.reconfigure(|limits| (limits.lane_max, limits.phase_max) = (9, 9));
    assert_eq!(fixed, Err(ControlError::FixedLimit));
    assert_eq!(control.limits().lane_max, 1, "nothing is changed");
    control.reconfigure(|limits| limits.lane_max = 2).expect("it can be changed");
    assert_eq!(control.limits().lane_max, 2);
    assert!(in_time(move || waits.join().expect("no panic")), "there is room now");
    control.resume();
    assert_eq!(running.finish().expect("nothing fails").handled, 17);
}

#[test]
fn a_stop_that_has_time_enough_is_a_stop() {
    let running =
        start(Pipeline::builder().processor(on("hears", |_: &mut Context<'_>, _: &Tick| Ok(()))));
    running.submit(Tick(0)).expect("there is room");
    let report = in_time(|| running.stop_within(Duration::from_secs(3_600)));
    assert_eq!(report.expect("it has time").ending, Some(Ending::Stopped));
}

#[test]
fn a_stop_at_its_deadline_says_what_it_abandoned() {
    let (turn, door) = Door::new();
    let builder = Pipeline::builder().processor(on("door", turn)).workers(2);
    let pipeline = builder.build().expect("the wiring is sound");
    (0..5).for_each(|n| assert_eq!(pipeline.submit(Tick(n)).expect("there is room"), 1));
    let running = pipeline.start().expect("there is room for threads");
    assert_eq!(door.began.recv().expect("it begins"), 0);
    let (error, door) = in_time(move || {
        (running.stop_within(Duration::ZERO).expect_err("a turn is under way"), door)
    });
    assert_snapshot!(error, @"stopped at the deadline: 5 of 5 abandoned, 5 of them for `door`; a turn of `door` was under way");
    let RunError::StoppedHard { report, abandoned, stuck } = error else { panic!("{error}") };
    assert!(report.balances());
    assert_eq!((report.ending, abandoned[0].events, stuck.len()), (None, 5, 1));
    drop(door);
}

#[test]
fn a_handle_stops_a_run_by_its_deadline() {
    let (turn, door) = Door::new();
    let pipeline = Pipeline::builder().processor(on("door", turn)).workers(1).build();
    let running = pipeline.expect("sound").start().expect("there is room for threads");
    running.submit(Tick(0)).expect("there is room");
    door.began.recv().expect("it begins");
    let control = running.control();
    let finishes = std::thread::spawn(move || running.finish());
    let (finished, _door) = in_time(move || {
        control.stop_within(Duration::ZERO);
        (finishes.join().expect("no panic"), door)
    });
    let error = finished.expect_err("a turn is under way");
    assert!(matches!(error, RunError::StoppedHard { .. }), "{error}");
}

/// Names of the process's threads that begin like this. (Linux keeps 15 characters.)
#[cfg(target_os = "linux")]
fn threads_named(prefix: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has it").flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with(prefix)).count()
}

#[test]
#[cfg(target_os = "linux")]
fn a_dropped_run_leaves_no_thread() {
    let (says, named) = mpsc::channel();
    let hook = move |id: usize| {
        // The thread's own name: other tests have workers too.
        let name = format!("dropped-{id}");
        std::fs::write("/proc/thread-self/comm", name).expect("Linux lets a thread be renamed");
        says.send(()).expect("the test waits for it");
    };
    let hears = on("hears", |_: &mut Context<'_>, _: &Tick| Ok(()));
    let running = start(Pipeline::builder().processor(hears).workers(3).on_worker_start(hook));
    (0..3).for_each(|_| named.recv().expect("each worker says so"));
    assert_eq!(threads_named("dropped-"), 3);
    running.pause();
    drop(running);
    // A thread that was joined may be listed until the system has cleaned it up.
    in_time(|| {
        while threads_named("dropped-") > 0 {
            std::thread::yield_now();
        }
    });
}
