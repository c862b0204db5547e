//! Small pipelines under schedules that `shuttle` picks, at random and by priorities (S. Burckhardt
//! et al., "A randomized scheduler with probabilistic guarantees of finding bugs", 2010): whatever
//! the interleaving, the run ends, everyone in it returns, and the counts are right.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p selvedge-runtime --test shuttle --target-dir
//! target/shuttle` runs them; `SELVEDGE_SHUTTLE_ITERATIONS` says how often each.

#![cfg(shuttle)]

#[path = "shuttle/bounded.rs"]
mod bounded;
#[path = "shuttle/control.rs"]
mod control;
#[path = "shuttle/leaves.rs"]
mod leaves;
#[path = "shuttle/listeners.rs"]
mod listeners;
#[path = "shuttle/scopes.rs"]
mod scopes;
#[path = "shuttle/watchdog.rs"]
mod watchdog;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::bail;
use selvedge_event::{Ending, Event, Init, Interest, Interests, Phase, Poison};
use selvedge_runtime::{
    AskError, Configure, Context, Limits, Pipeline, PipelineBuilder, Processor, Pull, Result,
    RunError, Running, SubmitError, on, processor,
};
use selvedge_sync::Condvar;
use selvedge_sync::thread::{JoinHandle, spawn};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, MaxSteps, Runner};

#[derive(Debug, Event)]
struct Ping(u64);

#[derive(Debug, Event)]
struct Pong(u64);

/// Plays a scenario under many schedules.
fn explore(scenario: fn()) {
    const DEPTH: usize = 4;
    let n = std::env::var("SELVEDGE_SHUTTLE_ITERATIONS")
        .map_or(400, |value| value.parse().expect("SELVEDGE_SHUTTLE_ITERATIONS is a number"));
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.max_steps = MaxSteps::FailAfter(200_000);
    Runner::new(RandomScheduler::new(n), config.clone()).run(scenario);
    Runner::new(PctScheduler::new(DEPTH, n), config).run(scenario);
}

/// Limits under which everything that can wait does, and the clock decides nothing.
fn tight() -> Limits {
    let mut limits = Limits::default();
    (limits.in_flight_max, limits.lane_max, limits.pull_max) = (1, 1, 1);
    limits.batch_time_max = Duration::MAX;
    limits
}

fn build(builder: PipelineBuilder) -> Pipeline {
    builder.workers(2).build().expect("the wiring is sound")
}

fn start(pipeline: Pipeline) -> Running {
    pipeline.start().expect("there is room for threads")
}

fn thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    spawn("submits", body).expect("there is room for a thread")
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("it doesn't panic")
}

#[test]
fn ping_pong() {
    explore(|| {
        let pipeline = build(
            Pipeline::builder()
                .limits(tight())
                .processor(on("ping", |cx: &mut Context<'_>, ping: &Ping| {
                    cx.emit(Pong(ping.0));
                    Ok(())
                }))
                .processor(on("pong", |cx: &mut Context<'_>, pong: &Pong| {
                    if pong.0 > 0 {
                        cx.emit(Ping(pong.0 - 1));
                    }
                    Ok(())
                })),
        );
        pipeline.submit(Ping(2)).expect("there is room");
        pipeline.submit(Ping(1)).expect("there is room");
        let report = pipeline.run().expect("nothing fails");
        assert_eq!((report.submitted, report.handled), (2, 10));
    });
}

/// Adds up pings; when the phases begin, all of them have to be there.
struct Sum {
    sum: u64,
    expected: u64,
}

#[processor(strict)]
impl Processor for Sum {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Ping(n) => self.sum += n,
            Phase { .. } => assert_eq!(self.sum, self.expected, "a phase came too early"),
        }
        Ok(())
    }
}

#[test]
fn two_submitters_fan_in() {
    explore(|| {
        let sum = Sum { sum: 0, expected: 1 + 2 + 10 + 20 };
        let pipeline = build(Pipeline::builder().limits(tight()).processor(sum));
        let threads = [[1, 2], [10, 20]].map(|numbers| {
            let submitter = pipeline.submitter();
            thread(move || {
                for n in numbers {
                    assert_eq!(submitter.submit(Ping(n)).expect("the run is open"), 1);
                }
            })
        });
        let report = pipeline.run().expect("nothing fails");
        threads.into_iter().for_each(join);
        assert_eq!((report.submitted, report.phases, report.handled), (4, 1, 5));
    });
}

#[test]
fn the_last_submitter_leaves_while_all_are_idle() {
    explore(|| {
        let sum = Sum { sum: 0, expected: 7 };
        let running = start(build(Pipeline::builder().processor(sum)));
        let submitter = running.submitter();
        let submits = thread(move || submitter.submit(Ping(7)).is_ok());
        let report = running.finish().expect("nothing fails");
        assert!(join(submits));
        assert_eq!((report.submitted, report.handled), (1, 2));
    });
}

/// Pulled often, one event at a time; hears pongs meanwhile. (Not without end: a schedule by
/// priorities may never let the others have their say.)
struct Source {
    n_pulls: u64,
    n_pongs: Arc<AtomicU64>,
}

impl Source {
    const PULLS_MAX: u64 = 15;
}

#[processor(strict)]
impl Processor for Source {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Init => cx.start_pulling(),
            Pong(_) => drop(self.n_pongs.fetch_add(1, Ordering::Relaxed)),
        }
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        assert_eq!(cx.room(), 1);
        cx.emit(Ping(0));
        self.n_pulls += 1;
        Ok(if self.n_pulls == Source::PULLS_MAX { Pull::Done } else { Pull::More })
    }
}

#[test]
fn a_source_is_stopped_while_it_waits_for_room() {
    explore(|| {
        let n_pongs = Arc::new(AtomicU64::new(0));
        let source = Source { n_pulls: 0, n_pongs: Arc::clone(&n_pongs) };
        let two = |cx: &mut Context<'_>, ping: &Ping| {
            (0..2).for_each(|n| cx.emit(Pong(ping.0 + n)));
            Ok(())
        };
        let builder = Pipeline::builder().limits(tight()).processor(source);
        let pipeline = build(builder.processor(on("two", two)));
        let stop = pipeline.stop_handle();
        let stops = thread(move || stop.stop());
        let report = pipeline.run().expect("a stop is not a failure");
        join(stops);
        let emitted = report.processors[0].emitted;
        let stopped = report.ending == Some(Ending::Stopped);
        assert!(stopped || emitted == Source::PULLS_MAX, "{report}");
        assert_eq!(report.handled, 1 + 3 * emitted);
        assert_eq!(n_pongs.load(Ordering::Relaxed), 2 * emitted);
    });
}

/// Three pulls, each of which causes mail for the source while another thread may pull it.
struct Brief(u64);

#[processor(strict)]
impl Processor for Brief {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Init => cx.start_pulling(),
            Pong(_) => (),
        }
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        self.0 += 1;
        cx.emit(Ping(self.0));
        Ok(if self.0 == 3 { Pull::Done } else { Pull::More })
    }
}

#[test]
fn mail_overtakes_a_pull() {
    explore(|| {
        let mut limits = tight();
        limits.in_flight_max = 2;
        let answer = |name| {
            on(name, |cx: &mut Context<'_>, ping: &Ping| {
                cx.emit(Pong(ping.0));
                Ok(())
            })
        };
        let builder = Pipeline::builder().limits(limits).processor(Brief(0));
        let pipeline = build(builder.processor(answer("this")).processor(answer("that")));
        let report = pipeline.run().expect("nothing fails");
        assert_eq!((report.processors[0].pulls, report.handled), (3, 1 + 6 + 6));
    });
}

#[test]
fn a_failure_hands_blocked_submitters_their_events_back() {
    explore(|| {
        let fails = |_: &mut Context<'_>, ping: &Ping| match ping.0 {
            1 => bail!("planted"),
            _ => Ok(()),
        };
        let pipeline = build(Pipeline::builder().limits(tight()).processor(on("fails", fails)));
        let threads = [(); 2].map(|()| {
            let submitter = pipeline.submitter();
            thread(move || {
                for n in 0..5 {
                    match submitter.submit(Ping(n)) {
                        Ok(_) => (),
                        Err(SubmitError::Closed { event }) => {
                            assert_eq!(event.payload::<Ping>().map(|ping| ping.0), Some(n));
                            return n;
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
                5
            })
        });
        let error = pipeline.run().expect_err("a turn fails");
        let n_accepted: u64 = threads.map(join).iter().sum();
        let report = error.report().expect("a failed run has a report");
        assert_eq!((report.submitted, report.accepted), (n_accepted, n_accepted));
        assert!((1..=2).contains(&report.dead), "{report}");
    });
}

#[test]
fn questions_are_answered_or_told_that_nobody_will() {
    explore(|| {
        let builder = Pipeline::builder().limits(tight());
        let running =
            start(build(builder.processor(on("answers", |cx: &mut Context<'_>, ping: &Ping| {
                if ping.0 == 1 {
                    bail!("planted");
                }
                cx.reply(Pong(ping.0 + 1));
                Ok(())
            }))));
        let submitter = running.submitter();
        let asks = thread(move || match submitter.ask::<Pong>(Ping(0)) {
            Ok(answer) => match answer.wait() {
                Ok(pong) => assert_eq!(pong.0, 1),
                Err(error) => assert!(matches!(error, AskError::NoReply { .. }), "{error}"),
            },
            Err(error) => assert!(matches!(error, SubmitError::Closed { .. }), "{error}"),
        });
        running.submit(Ping(1)).expect("nothing has failed yet");
        join(asks);
        running.finish().expect_err("a turn failed");
    });
}

/// Notes what it is told of the end.
struct Endings(Arc<Mutex<Vec<Ending>>>);

#[processor(strict)]
impl Processor for Endings {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Ping(_) => (),
            Poison { ending } => self.0.lock().expect("no panic").push(*ending),
        }
        Ok(())
    }

    fn close(&mut self, ending: Ending) -> Result {
        self.0.lock().expect("no panic").push(ending);
        Ok(())
    }
}

#[test]
fn a_stop_at_the_last_moment_tells_everyone_the_same() {
    explore(|| {
        let told = Arc::default();
        let pipeline = build(Pipeline::builder().processor(Endings(Arc::clone(&told))));
        pipeline.submit(Ping(0)).expect("there is room");
        let stop = pipeline.stop_handle();
        let stops = thread(move || stop.stop());
        let report = pipeline.run().expect("a stop is not a failure");
        join(stops);
        let ending = report.ending.expect("it came to an end");
        assert_eq!(*told.lock().expect("no panic"), [ending, ending]);
        assert_eq!(report.handled, 2);
    });
}

/// Hears nothing after the poison.
struct Last(bool);

#[processor(strict)]
impl Processor for Last {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Ping(_) => assert!(!self.0, "an event came after the poison"),
            Poison { .. } => self.0 = true,
        }
        Ok(())
    }
}

#[test]
fn a_stop_ends_a_run_whose_submitters_stay() {
    explore(|| {
        let pipeline = build(Pipeline::builder().limits(tight()).processor(Last(false)));
        let (submitter, stop) = (pipeline.submitter(), pipeline.stop_handle());
        let stays = thread(move || {
            let n_accepted = (0..3).filter(|_| submitter.submit(Ping(1)).is_ok()).count();
            (n_accepted as u64, submitter)
        });
        let stops = thread(move || stop.stop());
        let report = pipeline.run().expect("a stop is not a failure");
        let (n_accepted, submitter) = join(stays);
        join(stops);
        assert_eq!((report.handled, report.submitted), (n_accepted + 1, n_accepted));
        drop(submitter);
    });
}

#[test]
fn order_survives_lanes_and_relays() {
    explore(|| {
        let mut limits = tight();
        (limits.in_flight_max, limits.lane_max, limits.batch_turns_max) = (2, 2, 1);
        let relay = |cx: &mut Context<'_>, ping: &Ping| {
            cx.emit(Pong(ping.0));
            Ok(())
        };
        let mut next = 0;
        let in_order = move |_: &mut Context<'_>, pong: &Pong| {
            assert_eq!(std::mem::replace(&mut next, pong.0 + 1), pong.0);
            Ok(())
        };
        let builder = Pipeline::builder().limits(limits).processor(on("relay", relay));
        let pipeline = build(builder.processor(on("in order", in_order)));
        let submitter = pipeline.submitter();
        let submits = thread(move || (0..5).all(|n| submitter.submit(Ping(n)).is_ok()));
        let report = pipeline.run().expect("nothing fails");
        assert!(join(submits));
        assert_eq!(report.handled, 10);
    });
}

#[test]
fn an_abort_lets_everyone_go() {
    explore(|| {
        let relay = |cx: &mut Context<'_>, ping: &Ping| {
            (0..ping.0).for_each(|n| cx.emit(Ping(n)));
            Ok(())
        };
        let pipeline = build(Pipeline::builder().limits(tight()).processor(on("relay", relay)));
        let (submitter, stop) = (pipeline.submitter(), pipeline.stop_handle());
        let submits = thread(move || (0..5).all(|_| submitter.submit(Ping(3)).is_ok()));
        let aborts = thread(move || stop.abort());
        match pipeline.run() {
            Ok(report) => assert_eq!(report.handled, 5 * 8),
            Err(error) => assert!(matches!(error, RunError::Aborted { signal: None }), "{error}"),
        }
        join(submits);
        join(aborts);
    });
}

#[test]
fn a_dropped_run_lets_everyone_go() {
    explore(|| {
        let token = Arc::new(());
        let held = Arc::clone(&token);
        let running = start(build(Pipeline::builder().limits(tight()).processor(on(
            "holds",
            move |_: &mut Context<'_>, _: &Ping| {
                assert!(Arc::strong_count(&held) > 1);
                Ok(())
            },
        ))));
        let submitter = running.submitter();
        let submits = thread(move || {
            // Not until it fails: by priorities, nobody else might ever have a turn.
            let _ = (0..5).all(|_| submitter.submit(Ping(0)).is_ok());
            submitter
        });
        running.submit(Ping(0)).expect("the run is open");
        drop(running);
        assert_eq!(Arc::strong_count(&token), 1, "no thread is left");
        drop(join(submits));
    });
}

#[test]
fn two_failures_at_once_are_one() {
    explore(|| {
        let fails = |name| on(name, |_: &mut Context<'_>, _: &Ping| bail!("planted"));
        let pipeline = build(Pipeline::builder().processor(fails("this")).processor(fails("that")));
        pipeline.submit(Ping(0)).expect("there is room");
        let error = pipeline.run().expect_err("both fail");
        let report = error.report().expect("a failed run has a report");
        assert_eq!((report.accepted, report.dead + report.abandoned), (2, 2));
    });
}

/// Hears pings by hand-written interests.
struct Counted(Arc<AtomicU64>);

impl Processor for Counted {
    fn process(&mut self, _: &mut Context<'_>, _: &Event) -> Result {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Ping>()])
    }
}

#[test]
fn phases_wake_those_who_went_idle() {
    explore(|| {
        let n_heard = Arc::new(AtomicU64::new(0));
        let pipeline = build(
            Pipeline::builder()
                .processor(Counted(Arc::clone(&n_heard)).named("counted").priority(-1))
                .processor(on("flush", |cx: &mut Context<'_>, phase: &Phase| {
                    (phase.number..3).for_each(|n| cx.emit(Ping(u64::from(n))));
                    Ok(())
                })),
        );
        let running = start(pipeline);
        running.submit(Ping(0)).expect("the run is open");
        let report = running.finish().expect("nothing fails");
        assert_eq!((report.phases, n_heard.load(Ordering::Relaxed)), (3, 4));
    });
}

#[test]
fn who_sleeps_is_woken_for_what_another_does_not_take() {
    explore(|| {
        let done = Arc::new((selvedge_sync::Mutex::new(false), Condvar::new()));
        let theirs = Arc::clone(&done);
        let pipeline = build(
            Pipeline::builder()
                .processor(on("waits", move |_: &mut Context<'_>, _: &Pong| {
                    drop(done.1.wait_while(done.0.lock(), |done| !*done));
                    Ok(())
                }))
                .processor(on("is waited for", move |_: &mut Context<'_>, _: &Pong| {
                    *theirs.0.lock() = true;
                    theirs.1.notify_all();
                    Ok(())
                }))
                .processor(on("both", |cx: &mut Context<'_>, ping: &Ping| {
                    cx.emit(Pong(ping.0));
                    Ok(())
                })),
        );
        pipeline.submit(Ping(0)).expect("there is room");
        assert_eq!(pipeline.run().expect("nothing fails").handled, 3);
    });
}

#[test]
fn a_lane_that_two_workers_empty_keeps_its_order() {
    explore(|| {
        let mut limits = tight();
        limits.in_flight_max = 100;
        // Many hear it: while one worker posts to all of them, another may come in between.
        let in_order = (0..8).map(|n| {
            let mut next = 0;
            let check = move |_: &mut Context<'_>, ping: &Ping| {
                assert_eq!(std::mem::replace(&mut next, ping.0 + 1), ping.0);
                Ok(())
            };
            on(&format!("in order {n}"), check)
        });
        let pipeline = build(Pipeline::builder().limits(limits).processors(in_order));
        let submitter = pipeline.submitter();
        let submits = thread(move || (0..3).all(|n| submitter.submit(Ping(n)).is_ok()));
        let report = pipeline.run().expect("nothing fails");
        assert!(join(submits));
        assert_eq!(report.handled, 3 * 8);
    });
}

/// A worker that puts a question off, and never has to do with it again, must not keep it.
#[test]
fn a_question_that_is_put_off_is_kept_by_nobody() {
    explore(|| {
        let mut limits = tight();
        (limits.in_flight_max, limits.lane_max, limits.batch_turns_max) = (4, 4, 1);
        let hears = on("hears", |_: &mut Context<'_>, _: &Ping| Ok(()));
        let running = start(build(Pipeline::builder().limits(limits).processor(hears)));
        let submitter = running.submitter();
        let asks = thread(move || {
            submitter.submit(Ping(0)).expect("the run is open");
            let answer = submitter.ask::<Pong>(Ping(1)).expect("the run is open");
            // The run goes on until it is told: whoever kept the question would not be asked.
            assert!(matches!(answer.wait(), Err(AskError::NoReply { .. })));
        });
        // What comes in on another lane calls the worker away.
        let submitter = running.submitter();
        let submits = thread(move || (0..2).all(|_| submitter.submit(Ping(2)).is_ok()));
        join(asks);
        assert!(join(submits));
        running.finish().expect("nothing fails");
    });
}
