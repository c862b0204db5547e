//! What a turn, a pull or a close that fails does to the run, and to everyone who waits for it.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use insta::assert_snapshot;
use selvedge::event::{Fact, Wants};
use selvedge::prelude::*;
use selvedge::runtime::{SubmitError, wanting};

use crate::routing::{Listener, Log};

#[derive(Debug, Event)]
struct Tick(u32);

#[derive(Debug, Event)]
struct Echo(u32);

/// Fails the test, instead of the whole suite's patience, when something hangs.
pub(crate) fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    const PATIENCE: Duration = Duration::from_secs(60);
    let (done, result) = mpsc::channel();
    let thread = std::thread::spawn(move || done.send(work()));
    match result.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(_) => unreachable!("the result is sent before the thread ends"),
        },
    }
}

/// Echoes ticks; emits, then fails on one of them.
fn echo_but(bad: u32) -> impl FnMut(&mut Context<'_>, &Tick) -> Result + Send {
    move |cx, tick| {
        cx.emit(Echo(tick.0));
        if tick.0 == bad {
            return Err(anyhow!("no thirteen here").context("could not echo"));
        }
        Ok(())
    }
}

fn on_echo(log: &Log) -> impl FnMut(&mut Context<'_>, &Echo) -> Result + Send + 'static {
    let log = log.clone();
    move |_, echo| {
        log.add(echo.0.to_string());
        Ok(())
    }
}

#[test]
fn a_failing_turn_fails_the_run_and_what_it_emitted_reaches_nobody() {
    for n_workers in [1, 2, 4] {
        let log = Log::default();
        let pipeline = Pipeline::builder()
            .processor(on("echo", echo_but(13)))
            .processor(on("hear", on_echo(&log)))
            .workers(n_workers)
            .build()
            .expect("the wiring is sound");
        (0..100).for_each(|n| assert_eq!(pipeline.submit(Tick(n)).expect("there is room"), 1));
        let error = in_time(|| pipeline.run()).expect_err("a turn fails");
        let shown = error.to_string();
        let RunError::Turn { processor, event, cause, panicked, report } = error else {
            panic!("a turn failed, not {error}");
        };
        assert_eq!((processor.as_str(), panicked), ("echo", false));
        assert_eq!(event.payload::<Tick>().map(|tick| tick.0), Some(13));
        assert_eq!(cause.root_cause().to_string(), "no thirteen here");
        let expected =
            format!("processor `echo` failed on {event}: could not echo: no thirteen here");
        assert_eq!(shown, expected);
        let heard = log.lines();
        assert!(!heard.contains(&"13".to_owned()), "{heard:?}");
        let echo = report.processor("echo").expect("it took turns");
        assert_eq!((echo.turns, echo.failures, echo.emitted), (14, 1, 13), "no turn after it");
        assert_eq!((report.accepted, report.dead), (100 + 13, 1));
        assert_eq!(report.handled, 13 + heard.len() as u64);
        assert_eq!(report.abandoned, report.accepted - report.handled - report.dead);
        assert_eq!(report.ending, None);
    }
}

#[test]
fn a_panic_is_a_failure_that_keeps_its_message() {
    let messages: [(fn(), &str); 3] = [
        (|| panic!("a literal"), "a literal"),
        (|| panic!("number {}", std::hint::black_box(7)), "number 7"),
        (|| std::panic::panic_any(7_u8), "a panic without a message"),
    ];
    for (panic, message) in messages {
        let log = Log::default();
        let pipeline = Pipeline::builder()
            .processor(on("panics", move |cx: &mut Context<'_>, _: &Tick| {
                cx.emit(Echo(1));
                panic();
                Ok(())
            }))
            .processor(on("hear", on_echo(&log)))
            .build()
            .expect("the wiring is sound");
        pipeline.submit(Tick(0)).expect("there is room");
        let error = in_time(|| pipeline.run()).expect_err("a turn panics");
        let RunError::Turn { processor, event, cause, panicked: true, report } = error else {
            panic!("a turn panicked, not {error}");
        };
        assert_eq!((processor.as_str(), event.is::<Tick>()), ("panics", true));
        assert_eq!(cause.to_string(), message);
        assert_eq!((report.accepted, report.dead), (1, 1));
        assert!(log.lines().is_empty());
    }
}

#[test]
fn whoever_submits_to_a_failed_run_gets_the_event_back() {
    const N_SUBMITTERS: usize = 20;
    for round in 0..30 {
        let (open, gate) = mpsc::channel::<()>();
        let mut limits = Limits::default();
        (limits.lane_max, limits.in_flight_max) = (1, 1);
        let pipeline = Pipeline::builder()
            .processor(on("gate", move |_: &mut Context<'_>, _: &Tick| {
                gate.recv()?;
                bail!("planted")
            }))
            .limits(limits)
            .workers(1 + round % 3)
            .build()
            .expect("the wiring is sound");
        let (accepted, accepts) = mpsc::channel();
        let submitters: Vec<_> = (0..N_SUBMITTERS)
            .map(|_| {
                let (submitter, accepted) = (pipeline.submitter(), accepted.clone());
                std::thread::spawn(move || {
                    let mut n_accepted = 0;
                    loop {
                        match submitter.submit(Tick(n_accepted)) {
                            Ok(_) => n_accepted += 1,
                            Err(SubmitError::Closed { event }) => {
                                let back = event.payload::<Tick>().map(|tick| tick.0);
                                assert_eq!(back, Some(n_accepted), "its own event");
                                return u64::from(n_accepted);
                            }
                            Err(error) => panic!("{error}"),
                        }
                        accepted.send(()).expect("the test listens to the end");
                    }
                })
            })
            .collect();
        let error = in_time(move || {
            let running = pipeline.start().expect("there is room for threads");
            // One is under way and every lane has one: whoever comes now has to wait.
            (0..17).for_each(|_| accepts.recv().expect("they submit"));
            open.send(()).expect("the gate waits");
            let counts = submitters.into_iter().map(|thread| thread.join().expect("no panic"));
            (counts.sum::<u64>(), running.finish().expect_err("a turn failed"))
        });
        let (n_accepted, error) = error;
        let report = error.report().expect("a failed run has a report");
        assert_eq!(report.submitted, n_accepted);
        assert_eq!((report.accepted, report.dead), (n_accepted, 1));
        assert_eq!(report.abandoned, n_accepted - 1);
    }
}

/// Counts its turns; fails on tick 1 after counting and emitting.
#[derive(Clone)]
struct Flaky {
    n_turns: u32,
    panics: bool,
}

impl Processor for Flaky {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        self.n_turns += 1;
        cx.emit(Echo(self.n_turns));
        match event.payload::<Tick>() {
            Some(Tick(1)) if self.panics => panic!("planted"),
            Some(Tick(1)) => bail!("planted"),
            _ => Ok(()),
        }
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Tick>()])
    }
}

/// What to do about it.
const HINT: &str = "panicked, and its state can't be trusted any more: register it `.stateless()` \
                    or `.restored_by_clone()` to go on after a panic";

fn outcome(policy: &FailurePolicy, panics: bool, kept: &str) -> String {
    let flaky = Flaky { n_turns: 0, panics }.named("flaky").on_failure(policy.clone());
    let flaky = match kept {
        "stateless" => flaky.stateless(),
        "restored" => flaky.restored_by_clone(),
        _ => flaky,
    };
    let log = Log::default();
    let pipeline = Pipeline::builder().processor(flaky).processor(on("hear", on_echo(&log)));
    let pipeline = pipeline.workers(1).build().expect("the wiring is sound");
    (0..4).for_each(|n| assert_eq!(pipeline.submit(Tick(n)).expect("there is room"), 1));
    let shown = match pipeline.run() {
        Ok(report) => {
            let letter = &report.dead_letters[0];
            format!("dead {}: {}", report.dead, letter.error)
        }
        Err(RunError::Turn { cause, panicked, report, .. }) => {
            format!("failed, {} abandoned, panicked {panicked}: {cause:#}", report.abandoned)
        }
        Err(error) => format!("unexpected: {error}"),
    };
    let failure = if panics { "panic" } else { "error" };
    format!("{policy:?} {failure} {kept}: heard {:?}, {shown}\n", log.lines())
}

#[test]
fn policy_by_failure_by_how_the_state_is_kept() {
    let mut table = String::new();
    for policy in [FailurePolicy::Fail, FailurePolicy::Skip] {
        for panics in [false, true] {
            for kept in ["as is", "stateless", "restored"] {
                table += &outcome(&policy, panics, kept);
            }
        }
    }
    assert!(table.contains(HINT));
    assert_snapshot!(table.replace(HINT, "(hint)"), @r#"
    Fail error as is: heard [], failed, 3 abandoned, panicked false: planted
    Fail error stateless: heard [], failed, 3 abandoned, panicked false: planted
    Fail error restored: heard [], failed, 3 abandoned, panicked false: planted
    Fail panic as is: heard [], failed, 3 abandoned, panicked true: planted
    Fail panic stateless: heard [], failed, 3 abandoned, panicked true: planted
    Fail panic restored: heard [], failed, 3 abandoned, panicked true: planted
    Skip error as is: heard ["1", "3", "4"], dead 1: planted
    Skip error stateless: heard ["1", "3", "4"], dead 1: planted
    Skip error restored: heard ["1", "3", "4"], dead 1: planted
    Skip panic as is: heard [], failed, 3 abandoned, panicked true: (hint): planted
    Skip panic stateless: heard ["1", "3", "4"], dead 1: planted
    Skip panic restored: heard ["1", "2", "3"], dead 1: planted
    "#);
}

#[test]
fn a_dead_letter_says_what_happened() {
    let pipeline = Pipeline::builder()
        .processor(on("echo", echo_but(13)).on_failure(FailurePolicy::Skip))
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Named("unlucky", Tick(13))).expect("there is room");
    let unheard = pipeline.submit(Named("lucky", Tick(3))).expect("there is room");
    let report = pipeline.run().expect("failures are skipped");
    let [letter] = &report.dead_letters[..] else { panic!("one failed") };
    assert_eq!(letter.processor.as_str(), "echo");
    assert_eq!(letter.topic.name.as_str(), "unlucky");
    assert_eq!(letter.event.as_ref().and_then(|e| e.payload::<Tick>()).map(|t| t.0), Some(13));
    assert_eq!(letter.error, "could not echo: no thirteen here");
    assert_eq!((letter.panicked, letter.attempts), (false, 1));
    assert_eq!((report.handled, report.dead, unheard), (1, 1, 1));
    assert!(report.to_string().contains("dead: "), "{report}");
}

#[test]
fn dead_letters_above_the_limit_are_counted_and_not_kept() {
    let limits = Limits { dead_letters_max: 3, ..Limits::default() };
    let pipeline = Pipeline::builder()
        .processor(
            on("no", |_: &mut Context<'_>, _: &Tick| bail!("no")).on_failure(FailurePolicy::Skip),
        )
        .limits(limits)
        .build()
        .expect("the wiring is sound");
    (0..10).for_each(|n| assert_eq!(pipeline.submit(Tick(n)).expect("there is room"), 1));
    let report = pipeline.run().expect("failures are skipped");
    assert_eq!((report.dead, report.dead_letters.len()), (10, 3));
}

#[test]
fn failed_turns_leave_no_gap_and_no_trace_among_the_others_of_their_batch() {
    let log = Log::default();
    let pipeline = Pipeline::builder()
        .processor(
            on("odd ones fail", |cx: &mut Context<'_>, tick: &Tick| {
                (0..tick.0 % 4).for_each(|_| cx.emit(Echo(tick.0)));
                if tick.0 % 2 == 1 {
                    bail!("odd");
                }
                Ok(())
            })
            .on_failure(FailurePolicy::Skip),
        )
        .processor(on("hear", on_echo(&log)))
        .build()
        .expect("the wiring is sound");
    (0..4_000).for_each(|n| assert_eq!(pipeline.submit(Tick(n)).expect("there is room"), 1));
    let report = pipeline.run().expect("failures are skipped");
    assert_eq!((report.handled, report.dead), (2_000 + 2_000, 2_000));
    let expected: Vec<String> =
        (0..4_000).filter(|n| n % 4 == 2).flat_map(|n| [n.to_string(), n.to_string()]).collect();
    assert_eq!(log.lines(), expected);
}

#[test]
fn a_reply_of_a_failed_turn_is_not_given() {
    let pipeline = Pipeline::builder()
        .processor(
            on("reply", |cx: &mut Context<'_>, tick: &Tick| {
                cx.reply(Echo(tick.0));
                if tick.0 == 1 {
                    bail!("on second thought");
                }
                Ok(())
            })
            .on_failure(FailurePolicy::Skip),
        )
        .build()
        .expect("the wiring is sound");
    let answers = [0, 1, 2].map(|n| pipeline.ask::<Echo>(Tick(n)).expect("there is room"));
    pipeline.run().expect("failures are skipped");
    let replies = answers.map(|answer| answer.wait().ok().map(|echo| echo.0));
    assert_eq!(replies, [Some(0), None, Some(2)]);
}

#[test]
fn a_turn_that_emits_too_much_fails() {
    let limits = Limits { emissions_per_turn_max: 5, ..Limits::default() };
    let log = Log::default();
    let pipeline = Pipeline::builder()
        .processor(
            on("burst", |cx: &mut Context<'_>, tick: &Tick| {
                (0..tick.0).for_each(|n| cx.emit(Echo(n)));
                Ok(())
            })
            .on_failure(FailurePolicy::Skip),
        )
        .processor(on("hear", on_echo(&log)))
        .limits(limits)
        .workers(1)
        .build()
        .expect("the wiring is sound");
    for n in [5, 6, 1_000, 1] {
        pipeline.submit(Tick(n)).expect("there is room");
    }
    let report = pipeline.run().expect("failures are skipped");
    assert_eq!(report.dead, 2);
    assert!(report.dead_letters[0].error.contains("more than 5"), "{report}");
    assert!(report.dead_letters[0].error.contains("emissions_per_turn_max"), "{report}");
    assert_eq!(log.lines(), ["0", "1", "2", "3", "4", "0"]);
}

#[test]
fn too_many_events_fail_the_run_and_the_fullest_mailboxes_are_named() {
    for n_workers in [1, 2] {
        let limits = Limits { pipeline_events_max: 10_000, ..Limits::default() };
        let log = Log::default();
        let pipeline = Pipeline::builder()
            .processor(on("rabbits", |cx: &mut Context<'_>, tick: &Tick| {
                cx.emit(Tick(tick.0 + 1));
                cx.emit(Tick(tick.0 + 1));
                Ok(())
            }))
            .processor(Listener::of(Interest::of::<Init>(), &log).named("bystander"))
            .limits(limits)
            .workers(n_workers)
            .build()
            .expect("the wiring is sound");
        pipeline.submit(Tick(0)).expect("there is room");
        let error = in_time(|| pipeline.run()).expect_err("they never stop");
        let RunError::TooManyEvents { limit: 10_000, fullest, report } = &error else {
            panic!("there are too many, not {error}");
        };
        let [(name, n)] = &fullest[..] else { panic!("one has mail: {fullest:?}") };
        assert_eq!((name.as_str(), *n as u64), ("rabbits", report.abandoned));
        let most = 10_000 + 512 + 2 * 128;
        assert!((10_000..=most).contains(n), "within a batch of the limit: {n}");
        assert!(error.to_string().contains("`rabbits`"), "{error}");
    }
}

#[test]
fn collecting_too_much_fails_the_run() {
    let limits = Limits { collected_max: 3, ..Limits::default() };
    let mut pipeline = Pipeline::builder().limits(limits).build().expect("it may be empty");
    let ticks = pipeline.collect::<Tick>();
    (0..5).for_each(|n| assert_eq!(pipeline.submit(Tick(n)).expect("there is room"), 1));
    let error = pipeline.run().expect_err("five are more than three");
    assert!(error.to_string().contains("collected_max"), "{error}");
    assert_eq!(ticks.take().iter().map(|tick| tick.0).collect::<Vec<_>>(), [0, 1, 2]);
}

/// Logs its course of life and fails at one stage of it.
struct Mortal {
    log: Log,
    fails_at: &'static str,
    panics: bool,
}

impl Mortal {
    fn reach(&self, stage: &str) -> Result {
        self.log.add(stage);
        match self.fails_at == stage {
            true if self.panics => panic!("planted"),
            true => bail!("planted"),
            false => Ok(()),
        }
    }
}

#[processor(strict)]
impl Processor for Mortal {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Init => self.reach("init")?,
            Tick(_) => self.reach("tick")?,
            Phase { .. } => self.reach("phase")?,
            Poison { .. } => self.reach("poison")?,
        }
        Ok(())
    }

    fn close(&mut self, _: Ending) -> Result {
        self.reach("close")
    }
}

#[test]
fn failing_at_every_stage_of_life() {
    let mut table = String::new();
    for fails_at in ["init", "tick", "phase", "poison", "close"] {
        for panics in [false, true] {
            let log = Log::default();
            let mortal = Mortal { log: log.clone(), fails_at, panics };
            let other = Mortal { log: log.clone(), fails_at: "never", panics };
            let pipeline = Pipeline::builder()
                .processor(mortal.named("mortal"))
                .processor(other.named("other"))
                .workers(1)
                .build()
                .expect("the wiring is sound");
            pipeline.submit(Tick(0)).expect("there is room");
            let error = in_time(|| pipeline.run()).expect_err("it fails at some stage");
            let report = error.report().expect("a failed run has a report");
            let (handled, dead, abandoned) = (report.handled, report.dead, report.abandoned);
            let counts = format!("{handled} handled, {dead} dead, {abandoned} abandoned");
            table += &format!("{error}\n  {counts}: {}\n", log.lines().join(" "));
        }
    }
    assert_snapshot!(table, @r"
    processor `mortal` failed on selvedge::Init: planted
      0 handled, 1 dead, 3 abandoned: init
    processor `mortal` panicked on selvedge::Init: planted
      0 handled, 1 dead, 3 abandoned: init
    processor `mortal` failed on selvedge-tests::Tick: planted
      2 handled, 1 dead, 1 abandoned: init init tick
    processor `mortal` panicked on selvedge-tests::Tick: planted
      2 handled, 1 dead, 1 abandoned: init init tick
    processor `mortal` failed on selvedge::Phase: planted
      4 handled, 1 dead, 1 abandoned: init init tick tick phase
    processor `mortal` panicked on selvedge::Phase: planted
      4 handled, 1 dead, 1 abandoned: init init tick tick phase
    processor `mortal` failed on selvedge::Poison: planted
      6 handled, 1 dead, 1 abandoned: init init tick tick phase phase poison
    processor `mortal` panicked on selvedge::Poison: planted
      6 handled, 1 dead, 1 abandoned: init init tick tick phase phase poison
    processor `mortal` failed to close: planted
      8 handled, 0 dead, 0 abandoned: init init tick tick phase phase poison poison close
    processor `mortal` failed to close: panicked: planted
      8 handled, 0 dead, 0 abandoned: init init tick tick phase phase poison poison close
    ");
}

#[test]
fn observers_hear_what_happened_and_may_panic() {
    let facts = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&facts);
    let told = Arc::new(Mutex::new(0));
    let count = Arc::clone(&told);
    let pipeline = Pipeline::builder()
        .processor(on("echo", echo_but(13)).on_failure(FailurePolicy::Skip))
        .processor(on("hear", on_echo(&Log::default())))
        .observer(move |_: &[Fact]| {
            *count.lock().expect("it panics after this") += 1;
            panic!("planted");
        })
        .observer(wanting(Wants::ALL, move |batch: &[Fact]| {
            note.lock().expect("nobody panics with it in hand").extend_from_slice(batch);
        }))
        .workers(1)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Tick(1)).expect("there is room");
    pipeline.submit(Tick(13)).expect("there is room");
    pipeline.run().expect("failures are skipped, and observers are guests");
    assert_eq!(told.lock().ok().map(|told| *told), Some(1), "it is not told again");
    let facts = std::mem::take(&mut *facts.lock().expect("nobody panics with it in hand"));
    let shown: Vec<String> = facts.iter().map(show).collect();
    assert_snapshot!(shown.join("\n"), @r"
    started 1 2
    echo <- selvedge-tests::Tick
    echo -> selvedge-tests::Echo to 1
    echo succeeded, 1 emitted
    echo <- selvedge-tests::Tick
    echo failed: could not echo: no thirteen here, 0 emitted
    echo buried selvedge-tests::Tick: could not echo: no thirteen here
    hear <- selvedge-tests::Echo
    hear succeeded, 0 emitted
    finished Some(Completed)
    ");
}

fn show(fact: &Fact) -> String {
    match fact {
        Fact::DeadLettered { processor, topic, error, .. } => {
            format!("{processor} buried {topic}: {error}")
        }
        Fact::RunStarted { workers, processors } => format!("started {workers} {processors}"),
        Fact::TurnStarted { processor, topic } => format!("{processor} <- {topic}"),
        Fact::Emitted { processor, topic, recipients } => {
            format!("{processor} -> {topic} to {recipients}")
        }
        Fact::TurnFinished { processor, outcome, emitted, .. } => {
            format!("{processor} {outcome}, {emitted} emitted")
        }
        Fact::RunFinished { ending, .. } => format!("finished {ending:?}"),
        other => format!("{other:?}"),
    }
}

/// Emits one event per pull; fails on the third.
struct Spring {
    n_pulls: u32,
    panics: bool,
}

#[processor(strict)]
impl Processor for Spring {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Init => cx.start_pulling(),
        }
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        self.n_pulls += 1;
        cx.emit(Echo(self.n_pulls));
        match self.n_pulls {
            3 if self.panics => panic!("planted"),
            3 => Err(std::io::Error::other("planted")).context("could not read"),
            _ => Ok(Pull::More),
        }
    }
}

#[test]
fn a_failing_pull_fails_the_run_whatever_the_policy() {
    let mut table = String::new();
    for (policy, panics) in [
        (FailurePolicy::Fail, false),
        (FailurePolicy::Fail, true),
        (FailurePolicy::Skip, false),
        (FailurePolicy::Skip, true),
    ] {
        let log = Log::default();
        let pipeline = Pipeline::builder()
            .processor(Spring { n_pulls: 0, panics }.named("spring").on_failure(policy.clone()))
            .processor(on("hear", on_echo(&log)))
            .workers(1)
            .build()
            .expect("the wiring is sound");
        let error = in_time(|| pipeline.run()).expect_err("not all was brought in");
        table += &format!("{policy:?} panic {panics}: heard {:?}, {error}\n", log.lines());
    }
    assert_snapshot!(table, @r#"
    Fail panic false: heard ["1", "2"], source `spring` failed: could not read: planted
    Fail panic true: heard ["1", "2"], source `spring` panicked: planted
    Skip panic false: heard ["1", "2"], source `spring` failed: could not read: planted
    Skip panic true: heard ["1", "2"], source `spring` panicked: planted
    "#);
}
