//! User code at its worst: it panics where nobody looks, calls back in, keeps handles, never
//! returns. The run still ends, and whoever waits for it is told.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use anyhow::{anyhow, bail};
use selvedge::event::Fact;
use selvedge::prelude::*;
use selvedge::runtime::{Answer, AskError, StopHandle, SubmitError};

use crate::failure::in_time;

#[derive(Debug, Event)]
struct Tick(u32);

#[derive(Debug, Event)]
struct Question;

/// A turn on a tick says that it has begun, waits to be let go, and fails.
fn gate() -> (Turn, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (enter, entered) = mpsc::channel();
    let (let_go, go) = mpsc::channel();
    (Box::new(move |_, _| fail_at_gate(&enter, &go)), entered, let_go)
}

type Turn = Box<dyn FnMut(&mut Context<'_>, &Tick) -> Result + Send>;

fn fail_at_gate(enter: &mpsc::Sender<()>, go: &mpsc::Receiver<()>) -> Result {
    enter.send(())?;
    go.recv()?;
    bail!("planted")
}

fn on_question(_: &mut Context<'_>, _: &Question) -> Result {
    Ok(())
}

/// A run of one worker in the middle of a turn, with a question in a mailbox and one in a lane.
struct Stuck {
    running: Running,
    let_go: mpsc::Sender<()>,
    answers: [Answer<Tick>; 2],
}

impl Stuck {
    fn new() -> Stuck {
        let (turn, entered, let_go) = gate();
        let pipeline = Pipeline::builder()
            .processor(on("gate", turn))
            .processor(on("asked", on_question))
            .workers(1)
            .build()
            .expect("the wiring is sound");
        pipeline.submit(Tick(0)).expect("there is room");
        let in_mailbox = pipeline.ask(Question).expect("there is room");
        let running = pipeline.start().expect("there is room for a thread");
        entered.recv().expect("the turn begins");
        let in_lane = running.ask(Question).expect("the run is open");
        Stuck { running, let_go, answers: [in_mailbox, in_lane] }
    }
}

#[test]
fn who_asks_a_run_that_fails_is_told_before_it_is_finished() {
    in_time(|| {
        let Stuck { running, let_go, answers } = Stuck::new();
        let_go.send(()).expect("the turn waits");
        for answer in answers {
            assert!(matches!(answer.wait(), Err(AskError::NoReply { .. })));
        }
        let error = running.finish().expect_err("a turn failed");
        let report = error.report().expect("a failed run has a report");
        assert_eq!((report.accepted, report.dead, report.abandoned), (3, 1, 2));
    });
}

#[test]
fn who_asks_a_run_that_is_aborted_is_told() {
    in_time(|| {
        let Stuck { running, let_go, answers } = Stuck::new();
        running.stop_handle().abort();
        for answer in answers {
            assert!(matches!(answer.wait(), Err(AskError::NoReply { .. })));
        }
        assert!(matches!(running.finish(), Err(RunError::Aborted { signal: None })));
        let_go.send(()).expect("the turn waits");
    });
}

#[test]
fn a_pipeline_that_never_runs_lets_everyone_go() {
    let pipeline = Pipeline::builder().processor(on("asked", on_question)).build();
    let pipeline = pipeline.expect("the wiring is sound");
    let answer = pipeline.ask::<Tick>(Question).expect("there is room");
    let submitter = pipeline.submitter();
    in_time(move || {
        let waits = std::thread::spawn(move || answer.wait().map(drop));
        drop(pipeline);
        let nobody = waits.join().expect("no panic").expect_err("there will never be a reply");
        assert!(matches!(nobody, AskError::NoReply { .. }));
        let refusal = submitter.submit(Question).expect_err("there will never be a run");
        assert!(matches!(&refusal, SubmitError::Closed { .. }));
        assert!(refusal.into_event().is::<Question>());
    });
}

#[test]
fn handles_keep_no_processor_alive_when_the_run_is_over() {
    for fails in [false, true] {
        let token = Arc::new(());
        let held = Arc::clone(&token);
        let pipeline = Pipeline::builder()
            .processor(on("holds", move |_: &mut Context<'_>, _: &Tick| {
                assert!(Arc::strong_count(&held) > 0);
                if fails {
                    bail!("planted");
                }
                Ok(())
            }))
            .build()
            .expect("the wiring is sound");
        let (monitor, stop) = (pipeline.monitor(), pipeline.stop_handle());
        pipeline.submit(Tick(0)).expect("there is room");
        assert_eq!(pipeline.run().is_err(), fails);
        assert_eq!(Arc::strong_count(&token), 1);
        assert_eq!(monitor.progress()[0].turns, 1);
        stop.stop();
    }
}

/// Meets its like on another thread; then fails on the thread that leads, is stuck on the other.
fn part_ways(
    meet: &Arc<Barrier>,
    go: &Arc<Mutex<mpsc::Receiver<()>>>,
) -> impl FnMut(&mut Context<'_>, &Tick) -> Result + Send + 'static {
    let (meet, go) = (Arc::clone(meet), Arc::clone(go));
    move |_, _| {
        meet.wait();
        if std::thread::current().name() == Some("leads") {
            bail!("planted");
        }
        Ok(go.lock().expect("only one is stuck").recv()?)
    }
}

#[test]
fn an_abort_ends_the_wait_for_turns_under_way_after_a_failure() {
    for _ in 0..20 {
        let (let_go, go) = mpsc::channel::<()>();
        let (meet, go) = (Arc::new(Barrier::new(2)), Arc::new(Mutex::new(go)));
        let pipeline = Pipeline::builder()
            .processor(on("this", part_ways(&meet, &go)))
            .processor(on("that", part_ways(&meet, &go)))
            .workers(2)
            .build()
            .expect("the wiring is sound");
        pipeline.submit(Tick(0)).expect("there is room");
        in_time(move || {
            let (submitter, stop) = (pipeline.submitter(), pipeline.stop_handle());
            let leads = std::thread::Builder::new().name("leads".to_owned());
            let run = leads.spawn(move || pipeline.run()).expect("there is room for a thread");
            while submitter.try_submit(Question).is_ok() {
                std::thread::yield_now();
            }
            // It has failed, and waits for the turn that is stuck.
            (0..1_000).for_each(|_| std::thread::yield_now());
            stop.abort();
            let end = run.join().expect("no panic");
            assert!(matches!(end, Err(RunError::Aborted { .. })), "{end:?}");
            let_go.send(()).expect("the turn waits");
        });
    }
}

#[test]
fn limits_may_be_as_large_as_they_go() {
    let limits = Limits {
        in_flight_max: usize::MAX,
        in_flight_bytes_max: usize::MAX,
        lane_max: usize::MAX,
        lane_bytes_max: usize::MAX,
        backlog_max: usize::MAX,
        pull_max: usize::MAX,
        emissions_per_turn_max: usize::MAX,
        pipeline_events_max: usize::MAX,
        pipeline_bytes_max: usize::MAX,
        batch_turns_max: usize::MAX,
        batch_time_max: Duration::MAX,
        phase_max: u32::MAX,
        dead_letters_max: usize::MAX,
        dead_letters_bytes_max: usize::MAX,
        collected_max: usize::MAX,
        collected_bytes_max: usize::MAX,
        observer_facts_max: usize::MAX,
        recorder_facts_max: usize::MAX,
        observer_drain_max: Duration::MAX,
        timers_max: usize::MAX,
        memo_max: usize::MAX,
        memo_bytes_max: usize::MAX,
        scopes_max: usize::MAX,
        watchdog_interval: Duration::MAX,
        leak_after: Duration::MAX,
        leaked_max: usize::MAX,
    };
    let builder = Pipeline::builder().observer(|_: &[Fact]| ()).recorder(|_: &[Fact]| Ok(()));
    let mut pipeline = builder.limits(limits).build().expect("they are legal");
    let ticks = pipeline.collect::<Tick>();
    (0..10).for_each(|n| assert_eq!(pipeline.submit(Tick(n)).expect("there is room"), 1));
    pipeline.run().expect("nothing fails");
    assert_eq!(ticks.len(), 10);
}

/// Panics when dropped, on a worker and outside of any turn.
#[derive(Event)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("the bomb went off");
        }
    }
}

#[test]
fn a_worker_that_panics_outside_of_turns_takes_the_run_along_and_nobody_hangs() {
    for n_workers in [1, 2, 4] {
        for started in [false, true] {
            let mut limits = Limits::default();
            (limits.lane_max, limits.in_flight_max) = (1, 1);
            let pipeline = Pipeline::builder()
                .processor(on("bombed", |_: &mut Context<'_>, _: &Bomb| Ok(())))
                .processor(on("asked", on_question))
                .limits(limits)
                .workers(n_workers)
                .build()
                .expect("the wiring is sound");
            let submitter = pipeline.submitter();
            let busy = std::thread::spawn(move || {
                while submitter.submit(Question).is_ok() {}
                submitter
            });
            pipeline.submit(Bomb).expect("there is room");
            let panic = in_time(move || {
                let run = AssertUnwindSafe(|| match started {
                    true => pipeline.start().expect("there is room for threads").finish(),
                    false => pipeline.run(),
                });
                let panic = catch_unwind(run).expect_err("a worker panics");
                busy.join().expect("its event is handed back");
                panic.downcast_ref::<&str>().map(|text| (*text).to_owned())
            });
            assert_eq!(panic.as_deref(), Some("the bomb went off"));
        }
    }
}

/// An error that acts up when it is formatted.
#[derive(Clone, Debug)]
enum Rude {
    Panics,
    Stops(StopHandle),
}

impl fmt::Display for Rude {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rude::Panics => panic!("rude"),
            Rude::Stops(stop) => stop.stop(),
        }
        f.write_str("rude")
    }
}

impl std::error::Error for Rude {}

#[test]
fn errors_may_act_up_when_they_are_formatted() {
    let (say, rude) = mpsc::channel::<Rude>();
    let pipeline = Pipeline::builder()
        .processor(
            on("rude", move |_: &mut Context<'_>, _: &Tick| Err(anyhow!(rude.recv()?)))
                .on_failure(FailurePolicy::Skip),
        )
        .build()
        .expect("the wiring is sound");
    say.send(Rude::Panics).expect("the turn listens");
    say.send(Rude::Stops(pipeline.stop_handle())).expect("the turn listens");
    pipeline.submit(Tick(0)).expect("there is room");
    pipeline.submit(Tick(1)).expect("there is room");
    let report = in_time(|| pipeline.run()).expect("failures are skipped");
    let errors: Vec<&str> = report.dead_letters.iter().map(|l| l.error.as_str()).collect();
    assert_eq!(errors, ["an error that panics when it is formatted", "rude"]);
    assert_eq!(report.ending, Some(Ending::Stopped));
}

/// Can be cloned a few times only.
struct Shy(Arc<AtomicU32>);

impl Clone for Shy {
    fn clone(&self) -> Shy {
        assert!(self.0.fetch_sub(1, Ordering::Relaxed) > 0, "no more clones");
        Shy(Arc::clone(&self.0))
    }
}

impl Processor for Shy {
    fn process(&mut self, _: &mut Context<'_>, _: &Event) -> Result {
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Tick>()])
    }
}

#[test]
fn a_clone_that_panics_is_a_turn_that_panics() {
    let shy = Shy(Arc::new(AtomicU32::new(2)));
    let pipeline = Pipeline::builder()
        .processor(shy.restored_by_clone().on_failure(FailurePolicy::Skip))
        .workers(1)
        .build()
        .expect("the wiring is sound");
    (0..5).for_each(|n| assert_eq!(pipeline.submit(Tick(n)).expect("there is room"), 1));
    let error = in_time(|| pipeline.run()).expect_err("what it was before is not known");
    let RunError::Turn { event, panicked: true, report, .. } = &error else { panic!("{error}") };
    assert_eq!(event.payload::<Tick>().map(|tick| tick.0), Some(2));
    assert!(error.to_string().contains("no more clones"), "{error}");
    assert_eq!((report.handled, report.dead, report.abandoned), (2, 1, 2));
}

/// Calls back into the pipeline when it is dropped.
#[derive(Event)]
struct Clingy(StopHandle);

impl Drop for Clingy {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[test]
fn events_may_call_back_in_when_they_are_dropped() {
    let limits = Limits { in_flight_max: 3, ..Limits::default() };
    let pipeline = Pipeline::builder()
        .processor(on("fails", |_: &mut Context<'_>, _: &Tick| bail!("planted")))
        .processor(on("clung to", |_: &mut Context<'_>, _: &Clingy| Ok(())).priority(1))
        .limits(limits)
        .workers(1)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Tick(0)).expect("there is room");
    for _ in 0..10 {
        pipeline.submit(Clingy(pipeline.stop_handle())).expect("there is room");
    }
    let error = in_time(|| pipeline.run()).expect_err("a turn fails");
    assert_eq!(error.report().map(|report| report.abandoned), Some(10));
}
