//! The course of a run: init, drain, phases, poison, close; order, priorities, early ends.

use std::sync::mpsc;
use std::sync::{Arc, Barrier};

use selvedge::prelude::*;
use selvedge::runtime::BuildError;

use crate::failure::in_time;
use crate::routing::{Listener, Log};

#[derive(Debug, Event)]
struct Tick(u32);

#[derive(Debug, Event)]
struct Other;

#[test]
fn a_greeting_takes_two_turns() {
    #[derive(Event)]
    struct Start {
        who: String,
    }
    #[derive(Event)]
    struct Greet {
        who: String,
    }
    struct Greeter(Log);
    #[processor(strict)]
    impl Processor for Greeter {
        fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Start { who } => cx.emit(Greet { who: who.clone() }),
                Greet { who } => self.0.add(format!("hello {who}")),
            }
            Ok(())
        }
    }
    let log = Log::default();
    let pipeline = Pipeline::builder().processor(Greeter(log.clone())).strict().build();
    let pipeline = pipeline.expect("all is named");
    assert_eq!(pipeline.submit(Start { who: "world".into() }).expect("there is room"), 1);
    let report = pipeline.run().expect("nothing fails");
    assert_eq!(log.lines(), ["hello world"]);
    assert_eq!((report.submitted, report.accepted, report.handled), (1, 2, 2));
    assert_eq!((report.phases, report.ending), (0, Some(Ending::Completed)));
}

#[test]
fn higher_bands_start_first_and_equals_in_order_of_registration() {
    let log = Log::default();
    let listener = |name: &'static str, priority| {
        Listener::of(Interest::of::<Tick>(), &log).named(name).priority(priority)
    };
    let pipeline = Pipeline::builder()
        .processor(listener("ten", 10))
        .processor(listener("one", 1))
        .processor(listener("five a", 5))
        .processor(listener("five b", 5))
        .processor(listener("five c", 5))
        .workers(1)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Tick(0)).expect("there is room");
    pipeline.run().expect("nothing fails");
    let who: Vec<String> =
        log.lines().iter().map(|l| l[..l.find(" heard").unwrap()].into()).collect();
    assert_eq!(who, ["one", "five a", "five b", "five c", "ten"]);
}

#[test]
fn a_hundred_equals_start_in_order_of_registration() {
    let log = Log::default();
    let names: Vec<String> = (0..100).map(|i| format!("{i}")).collect();
    let listener = |name: &String| Listener::of(Interest::of::<Tick>(), &log).named(name.as_str());
    let pipeline = Pipeline::builder().processors(names.iter().map(listener)).workers(1).build();
    let pipeline = pipeline.expect("the wiring is sound");
    pipeline.submit(Tick(0)).expect("there is room");
    pipeline.submit(Tick(1)).expect("there is room");
    pipeline.run().expect("nothing fails");
    let lines = log.lines();
    let order: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    // Each takes both of its turns when it is its turn.
    let twice: Vec<&str> = names.iter().flat_map(|name| [name.as_str(); 2]).collect();
    assert_eq!(order, twice);
}

#[test]
fn a_submitter_never_waits_before_the_run() {
    let limits = Limits { backlog_max: 5_000, ..Limits::default() };
    let log = Log::default();
    let pipeline = Pipeline::builder()
        .processor(on("tick", |_: &mut Context<'_>, _: &Tick| Ok(())))
        .processor(Listener::of(Interest::of::<Phase>(), &log))
        .limits(limits)
        .build()
        .expect("the wiring is sound");
    let submitter = pipeline.submitter();
    let (submitter, error) = in_time(move || {
        for n in 0..5_000 {
            submitter.submit(Tick(n)).expect("the backlog has room");
        }
        let error = submitter.submit(Tick(5_000)).expect_err("the backlog is full");
        (submitter, error)
    });
    assert!(error.to_string().contains("backlog_max"), "{error}");
    assert!(error.into_event().is::<Tick>());
    submitter.close();
    assert_eq!(pipeline.run().expect("nothing fails").submitted, 5_000);
    assert_eq!(log.lines().len(), 1);
}

/// Logs the lifecycle; on phase n emits an event if n < `until`.
struct Phases {
    log: Log,
    until: u32,
}

#[processor(strict)]
impl Processor for Phases {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Init => self.log.add("init"),
            Phase { number } => {
                self.log.add(format!("phase {number}"));
                if *number <= self.until {
                    cx.emit(Tick(*number));
                }
            }
            Tick(n) => self.log.add(format!("tick {n}")),
            Poison { ending } => {
                self.log.add(format!("poison {ending:?}"));
                cx.emit(Tick(99));
            }
        }
        Ok(())
    }

    fn close(&mut self, ending: Ending) -> Result {
        self.log.add(format!("close {ending:?}"));
        Ok(())
    }
}

#[test]
fn phases_go_on_while_they_cause_events() {
    let log = Log::default();
    let pipeline = Pipeline::builder().processor(Phases { log: log.clone(), until: 3 }).build();
    let pipeline = pipeline.expect("the wiring is sound");
    pipeline.submit(Tick(0)).expect("there is room");
    let report = pipeline.run().expect("nothing fails");
    let expected = [
        "init",
        "tick 0",
        "phase 1",
        "tick 1",
        "phase 2",
        "tick 2",
        "phase 3",
        "tick 3",
        "phase 4",
        "poison Completed",
        "tick 99",
        "close Completed",
    ];
    assert_eq!(log.lines(), expected);
    assert_eq!(report.phases, 4);
}

#[test]
fn without_a_phase_listener_one_drain_is_all() {
    let log = Log::default();
    let pipeline = Pipeline::builder().processor(Listener::of(Interest::of::<Tick>(), &log));
    let pipeline = pipeline.build().expect("the wiring is sound");
    pipeline.submit(Tick(0)).expect("there is room");
    let report = pipeline.run().expect("nothing fails");
    assert_eq!((report.phases, report.handled), (0, 1));
}

#[test]
fn phases_that_never_end_are_an_error() {
    let limits = Limits { phase_max: 5, ..Limits::default() };
    let phases = Phases { log: Log::default(), until: u32::MAX };
    let pipeline = Pipeline::builder().processor(phases).limits(limits).build();
    let error = pipeline.expect("the wiring is sound").run().expect_err("it never settles");
    assert!(
        matches!(&error, RunError::NeverSettled { phase_max: 5, report } if report.phases == 5)
    );
}

#[test]
fn everyone_inits_in_order_before_anything_else() {
    struct First(Log);
    #[processor(strict)]
    impl Processor for First {
        fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Init => {
                    self.0.add("first inits");
                    cx.emit(Tick(1));
                }
            }
            Ok(())
        }
    }
    struct Second(Log);
    #[processor(strict)]
    impl Processor for Second {
        fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Init => self.0.add("second inits"),
                Tick(n) => self.0.add(format!("second hears {n}")),
            }
            Ok(())
        }
    }
    let log = Log::default();
    let pipeline = Pipeline::builder()
        .processor(First(log.clone()).priority(5))
        .processor(Second(log.clone()))
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Tick(0)).expect("there is room");
    pipeline.run().expect("nothing fails");
    let lines = log.lines();
    assert_eq!(lines[..2], ["first inits", "second inits"]);
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[test]
fn outside_threads_keep_the_drain_open_until_the_last_is_gone() {
    const N_THREADS: u32 = 50;
    const N_EACH: u32 = 1_000;
    struct Sum {
        log: Log,
        seen: Vec<u32>,
    }
    #[processor(strict)]
    impl Processor for Sum {
        fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Tick(n) => self.seen.push(*n),
                Phase { .. } => {
                    let in_order = (0..N_THREADS).all(|thread| {
                        let theirs = self.seen.iter().filter(|&&n| n / N_EACH == thread);
                        theirs.is_sorted()
                    });
                    self.seen.sort_unstable();
                    let complete = self.seen.iter().copied().eq(0..N_THREADS * N_EACH);
                    self.log.add(format!("complete {complete}, in order {in_order}"));
                }
            }
            Ok(())
        }
    }
    for n_workers in [1, 2, 4] {
        let log = Log::default();
        let sum = Sum { log: log.clone(), seen: Vec::new() };
        let pipeline = Pipeline::builder().processor(sum).workers(n_workers).build();
        let pipeline = pipeline.expect("the wiring is sound");
        let submitters: Vec<Submitter> = (0..N_THREADS).map(|_| pipeline.submitter()).collect();
        let threads: Vec<_> = submitters
            .into_iter()
            .zip(0..)
            .map(|(submitter, thread)| {
                std::thread::spawn(move || {
                    for n in 0..N_EACH {
                        submitter.submit(Tick(thread * N_EACH + n)).expect("the run is open");
                    }
                })
            })
            .collect();
        let report = pipeline.run().expect("nothing fails");
        threads.into_iter().for_each(|thread| thread.join().expect("no submitter panics"));
        assert_eq!(log.lines(), ["complete true, in order true"]);
        assert_eq!(report.submitted, u64::from(N_THREADS * N_EACH));
        assert_eq!(report.phases, 1);
    }
}

#[test]
fn a_stop_handles_what_was_accepted_and_skips_the_phases() {
    struct Stopper {
        log: Log,
        stop: Option<selvedge::runtime::StopHandle>,
    }
    #[processor(strict)]
    impl Processor for Stopper {
        fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Tick(n) => {
                    if let Some(stop) = self.stop.take() {
                        stop.stop();
                    }
                    self.log.add(format!("tick {n}"));
                }
                Phase { .. } => self.log.add("phase"),
                Poison { ending } => self.log.add(format!("poison {ending:?}")),
            }
            Ok(())
        }
    }
    let log = Log::default();
    let (sender, stops) = mpsc::channel();
    let pipeline = Pipeline::builder()
        .processor(on("hand", move |_: &mut Context<'_>, _: &Other| {
            let stop: selvedge::runtime::StopHandle = stops.recv()?;
            stop.stop();
            Ok(())
        }))
        .processor(Stopper { log: log.clone(), stop: None })
        .workers(1)
        .build()
        .expect("the wiring is sound");
    sender.send(pipeline.stop_handle()).expect("the pipeline has the other end");
    let submitter = pipeline.submitter();
    pipeline.submit(Other).expect("there is room");
    pipeline.submit(Tick(1)).expect("there is room");
    let report = pipeline.run().expect("a stop is not a failure");
    assert_eq!(report.ending, Some(Ending::Stopped));
    assert_eq!(log.lines(), ["tick 1", "poison Stopped"]);
    let error = submitter.submit(Tick(2)).expect_err("the run is over");
    assert!(error.into_event().is::<Tick>());
}

#[test]
fn a_pipeline_lives_on_until_it_is_told_to_finish() {
    let log = Log::default();
    let pipeline = Pipeline::builder()
        .processor(on("double", |cx: &mut Context<'_>, tick: &Tick| {
            cx.reply(Tick(tick.0 * 2));
            Ok(())
        }))
        .processor(Listener::of(Interest::of::<Phase>(), &log))
        .build()
        .expect("the wiring is sound");
    let running = pipeline.start().expect("there is room for threads");
    for n in 0..100 {
        let answer = running.ask::<Tick>(Tick(n)).expect("the run is open").wait();
        assert_eq!(answer.expect("it replies").0, n * 2);
        assert!(log.lines().is_empty(), "phases wait for the end");
    }
    let report = running.finish().expect("nothing fails");
    assert_eq!(report.submitted, 100);
    assert_eq!(log.lines().len(), 1);
}

#[test]
fn a_question_nobody_answers_is_told_so() {
    let log = Log::default();
    let pipeline = Pipeline::builder()
        .processor(on("relay", |cx: &mut Context<'_>, _: &Tick| {
            cx.emit(Other);
            Ok(())
        }))
        .processor(Listener::of(Interest::of::<Other>(), &log))
        .build()
        .expect("the wiring is sound");
    let heard_by_none = pipeline.ask::<Tick>(Phase { number: 9 }).expect("there is room");
    let running = pipeline.start().expect("there is room for threads");
    let answer = running.ask::<Tick>(Tick(1)).expect("the run is open");
    assert!(answer.wait().expect_err("nobody replies").to_string().contains("nobody replied"));
    assert!(heard_by_none.wait().is_err());
    running.finish().expect("nothing fails");
}

#[test]
fn a_reply_may_come_from_further_down() {
    let pipeline = Pipeline::builder()
        .processor(on("relay", |cx: &mut Context<'_>, tick: &Tick| {
            cx.emit(Named("relayed", Phase { number: tick.0 }));
            Ok(())
        }))
        .processor(on("answer", |cx: &mut Context<'_>, phase: &Phase| {
            cx.reply(Tick(phase.number + 1));
            cx.reply(Tick(0));
            Ok(())
        }))
        .build()
        .expect("the wiring is sound");
    let answer = pipeline.ask::<Tick>(Tick(41)).expect("there is room");
    let wrong = pipeline.ask::<Other>(Tick(41)).expect("there is room");
    assert!(answer.now().is_none());
    pipeline.run().expect("nothing fails");
    assert_eq!(answer.wait().expect("it replied").0, 42);
    let error = wrong.wait().expect_err("the reply is a tick");
    assert!(error.to_string().contains("Tick"), "{error}");
}

#[test]
fn a_reply_does_not_wait_for_the_next_turn_of_its_batch() {
    let (answered, answer_seen) = mpsc::channel();
    let pipeline = Pipeline::builder()
        .processor(on("one at a time", move |cx: &mut Context<'_>, tick: &Tick| {
            match tick.0 {
                0 => cx.reply(Other),
                _ => answer_seen.recv()?,
            }
            Ok(())
        }))
        .workers(1)
        .build()
        .expect("the wiring is sound");
    // Both are there before the run, so one batch holds both turns.
    let answer = pipeline.ask::<Other>(Tick(0)).expect("there is room");
    pipeline.submit(Tick(1)).expect("there is room");
    in_time(move || {
        let running = pipeline.start().expect("there is room for a thread");
        answer.wait().expect("it replies");
        answered.send(()).expect("the second turn waits");
        running.finish().expect("nothing fails");
    });
}

#[test]
fn a_pipeline_dropped_while_it_runs_leaves_no_thread_behind() {
    struct Guard(Arc<()>);
    impl Processor for Guard {
        fn process(&mut self, _: &mut Context<'_>, _: &Event) -> Result {
            assert!(Arc::strong_count(&self.0) > 0);
            Ok(())
        }
    }
    let token = Arc::new(());
    let pipeline = Pipeline::builder().processor(Guard(Arc::clone(&token))).workers(4).build();
    let running = pipeline.expect("the wiring is sound").start().expect("there is room");
    running.submit(Tick(1)).expect("the run is open");
    drop(running);
    assert_eq!(Arc::strong_count(&token), 1, "the processor, and all threads, are gone");
}

#[test]
fn an_abort_waits_for_nobody() {
    let (entered, leave) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (entered2, leave2) = (Arc::clone(&entered), Arc::clone(&leave));
    let pipeline = Pipeline::builder()
        .processor(on("stuck", move |_: &mut Context<'_>, _: &Tick| {
            entered2.wait();
            leave2.wait();
            Ok(())
        }))
        .workers(1)
        .build()
        .expect("the wiring is sound");
    let running = pipeline.start().expect("there is room for a thread");
    running.submit(Tick(1)).expect("the run is open");
    entered.wait();
    running.stop_handle().abort();
    let error = running.finish().expect_err("it was aborted");
    assert!(matches!(error, RunError::Aborted { signal: None }));
    leave.wait();
}

#[test]
fn impossible_settings_are_refused() {
    let no_workers = Pipeline::builder().workers(0).build();
    assert!(matches!(no_workers, Err(BuildError::NoWorkers)));
    let limits = Limits { pull_max: 0, ..Limits::default() };
    let zero = Pipeline::builder().limits(limits).build();
    assert!(matches!(zero, Err(BuildError::ZeroLimit { limit: "pull_max" })));
}

#[test]
fn threads_are_named_and_introduce_themselves() {
    let log = Log::default();
    let started = log.clone();
    let pipeline = Pipeline::builder()
        .processor(on("tick", |_: &mut Context<'_>, _: &Tick| Ok(())))
        .workers(3)
        .on_worker_start(move |worker| {
            let name = std::thread::current().name().map(str::to_owned);
            started.add(format!("{worker} is {}", name.unwrap_or_default()));
        })
        .build()
        .expect("the wiring is sound");
    pipeline.start().expect("there is room for threads").finish().expect("nothing fails");
    let mut lines = log.lines();
    lines.sort();
    let expected = ["0 is selvedge-worker-0", "1 is selvedge-worker-1", "2 is selvedge-worker-2"];
    assert_eq!(lines, expected);
}
