//! What the failure policies do in a run: attempts, restarts, dead letters, refusals at build.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::bail;
use insta::assert_snapshot;
use selvedge::prelude::*;
use selvedge::runtime::{BuildError, Registration};
use selvedge_testkit::Solo;

use crate::failure::in_time;
use crate::routing::Log;

#[derive(Debug, Event)]
struct Tick(u32);

#[derive(Debug, Event)]
struct Echo(String);

const HOUR: Duration = Duration::from_secs(3_600);

/// Counts what it did, fails a tick for as many attempts as the tick says, and echoes what it
/// counted. Above 100 it panics instead.
#[derive(Clone)]
struct Flaky {
    n_attempts: u32,
}

impl Processor for Flaky {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        let Some(Tick(n_failures)) = event.payload() else { return Ok(()) };
        self.n_attempts += 1;
        let attempt = cx.attempt();
        cx.emit(Echo(format!("{n_failures} at {attempt}, {} counted", self.n_attempts)));
        match *n_failures {
            n if n > 100 && attempt <= n - 100 => panic!("planted at {attempt}"),
            n if n <= 100 && attempt <= n => bail!("planted at {attempt}"),
            _ => Ok(()),
        }
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Tick>()])
    }
}

/// What is heard of a flaky processor under this policy, and how its run ends.
fn outcome(policy: impl Into<FailurePolicy>, kept: &str, ticks: &[u32]) -> String {
    let flaky = Flaky { n_attempts: 0 }.named("flaky").on_failure(policy);
    let flaky = if kept.contains("restored") { flaky.restored_by_clone() } else { flaky };
    let flaky = if kept.contains("stateless") { flaky.stateless() } else { flaky };
    let flaky = if kept.contains("made anew") { flaky.restarted_by_clone() } else { flaky };
    let log = Log::default();
    let heard = log.clone();
    let pipeline = Pipeline::builder()
        .processor(flaky)
        .processor(on("hear", move |_: &mut Context<'_>, echo: &Echo| {
            heard.add(echo.0.clone());
            Ok(())
        }))
        .workers(1)
        .build()
        .expect("the wiring is sound");
    for &n in ticks {
        assert_eq!(pipeline.submit(Tick(n)).expect("there is room"), 1);
    }
    let mut text = String::new();
    let report = match in_time(|| pipeline.run()) {
        Ok(report) => report,
        Err(error) => {
            text = format!("\n{error}");
            error.report().expect("a failed run has a report").clone()
        }
    };
    assert!(report.balances());
    for letter in &report.dead_letters {
        let (topic, error, attempts) = (&letter.topic.kind, &letter.error, letter.attempts);
        text += &format!("\ndead {topic} after {attempts}: {error}");
    }
    let RunReport { handled, dead, abandoned, .. } = report;
    let counts = format!("{handled} handled, {dead} dead, {abandoned} abandoned");
    format!("{}\n{counts}{text}", log.lines().join("\n"))
}

#[test]
fn each_attempt_begins_where_the_turn_began() {
    assert_snapshot!(outcome(Retry::times(3), "restored", &[0, 2, 101, 0]), @r"
    0 at 1, 1 counted
    2 at 3, 2 counted
    101 at 2, 3 counted
    0 at 1, 4 counted
    8 handled, 0 dead, 0 abandoned
    ");
    assert_snapshot!(outcome(Retry::times(3), "stateless", &[0, 2, 101, 0]), @r"
    0 at 1, 1 counted
    2 at 3, 4 counted
    101 at 2, 6 counted
    0 at 1, 7 counted
    8 handled, 0 dead, 0 abandoned
    ");
}

#[test]
fn when_attempts_are_used_up_the_last_resort_comes() {
    assert_snapshot!(outcome(Retry::times(3), "restored", &[2, 3, 0]), @r"
    1 handled, 1 dead, 2 abandoned
    processor `flaky` failed on selvedge-tests::Tick: gave up after 3 attempts: planted at 3
    ");
    let skipping = Retry::times(2).then(LastResort::Skip);
    assert_snapshot!(outcome(skipping.clone(), "restored", &[0, 9, 109, 1]), @r"
    0 at 1, 1 counted
    1 at 2, 2 counted
    4 handled, 2 dead, 0 abandoned
    dead selvedge-tests::Tick after 2: planted at 2
    dead selvedge-tests::Tick after 2: planted at 2
    ");
    let choosy = skipping.retry_if(|error| !error.to_string().contains("at 1"));
    assert_snapshot!(outcome(choosy, "restored", &[0, 9, 0]), @r"
    0 at 1, 1 counted
    0 at 1, 2 counted
    4 handled, 1 dead, 0 abandoned
    dead selvedge-tests::Tick after 1: planted at 1
    ");
    let undecided = Retry::times(2).retry_if(|_| panic!("who knows"));
    assert_snapshot!(outcome(undecided, "restored", &[0, 9, 0]), @r"
    1 handled, 1 dead, 2 abandoned
    processor `flaky` failed on selvedge-tests::Tick: planted at 1
    ");
    let restarting = Retry::times(2).then(Restart::at_most(1, HOUR));
    assert_snapshot!(outcome(restarting, "restored, made anew", &[0, 1, 9, 0, 9, 0]), @r"
    3 handled, 2 dead, 4 abandoned
    processor `flaky` failed on selvedge-tests::Tick: needs more than 1 restarts within 3600s: mend what fails, or allow more with `Restart::at_most`: gave up after 2 attempts: planted at 2
    dead selvedge-tests::Tick after 2: planted at 2
    ");
}

#[test]
fn a_restart_begins_anew_and_is_bounded() {
    let restart = Restart::at_most(2, HOUR);
    assert_snapshot!(outcome(restart, "made anew", &[0, 0, 9, 0, 109, 0]), @r"
    0 at 1, 1 counted
    0 at 1, 2 counted
    0 at 1, 1 counted
    0 at 1, 1 counted
    8 handled, 2 dead, 0 abandoned
    dead selvedge-tests::Tick after 1: planted at 1
    dead selvedge-tests::Tick after 1: planted at 1
    ");
    assert_snapshot!(outcome(restart, "made anew", &[9, 109, 0, 9, 0]), @r"
    1 handled, 3 dead, 2 abandoned
    processor `flaky` failed on selvedge-tests::Tick: needs more than 2 restarts within 3600s: mend what fails, or allow more with `Restart::at_most`: planted at 1
    dead selvedge-tests::Tick after 1: planted at 1
    dead selvedge-tests::Tick after 1: planted at 1
    ");
}

#[test]
fn after_a_panic_a_skipping_processor_is_made_anew_if_it_can_be() {
    assert_snapshot!(outcome(FailurePolicy::Skip, "made anew", &[0, 9, 0, 109, 0]), @r"
    0 at 1, 1 counted
    0 at 1, 3 counted
    0 at 1, 1 counted
    6 handled, 2 dead, 0 abandoned
    dead selvedge-tests::Tick after 1: planted at 1
    dead selvedge-tests::Tick after 1: planted at 1
    ");
}

#[test]
fn a_factory_that_panics_fails_the_run() {
    let flaky = Flaky { n_attempts: 0 }
        .restarted_by(|| panic!("no more of them"))
        .on_failure(Restart::at_most(1, HOUR));
    let pipeline = Pipeline::builder().processor(flaky).build().expect("the wiring is sound");
    pipeline.submit(Tick(1)).expect("there is room");
    let error = in_time(|| pipeline.run()).expect_err("nothing takes its place");
    assert_snapshot!(error, @"processor `Flaky` failed on selvedge-tests::Tick: can't be restarted, because its factory, or its destructor, panicked (no more of them): planted at 1");
}

/// Brings in one event per pull, for ever.
struct Spring;

impl Processor for Spring {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event.payload() {
            Some(Tick(_)) => bail!("no ticks here"),
            None => cx.start_pulling(),
        }
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Init>(), Interest::of::<Tick>()])
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        cx.emit(Tick(0));
        Ok(Pull::More)
    }
}

#[test]
fn a_source_made_anew_is_not_pulled_from_until_it_asks() {
    let spring = Spring.restarted_by(|| Spring).on_failure(Restart::at_most(1, HOUR));
    let pipeline = Pipeline::builder().processor(spring).build().expect("the wiring is sound");
    let report = in_time(|| pipeline.run()).expect("one restart is allowed");
    assert_eq!((report.dead, report.processors[0].turns), (1, 2));
}

#[test]
fn nothing_is_cloned_for_a_run_that_fails_anyway() {
    struct Counted(Arc<AtomicU32>);
    impl Clone for Counted {
        fn clone(&self) -> Counted {
            self.0.fetch_add(1, Ordering::Relaxed);
            Counted(Arc::clone(&self.0))
        }
    }
    impl Processor for Counted {
        fn process(&mut self, _: &mut Context<'_>, _: &Event) -> Result {
            Ok(())
        }
    }
    let n_clones = |policy: FailurePolicy| {
        let count = Arc::new(AtomicU32::new(0));
        let counted = Counted(Arc::clone(&count)).restored_by_clone().on_failure(policy);
        let mut solo = Solo::new(counted);
        (0..5).for_each(|n| assert!(solo.turn(Tick(n)).result.is_ok()));
        count.load(Ordering::Relaxed)
    };
    assert_eq!(n_clones(FailurePolicy::Fail), 0);
    assert_eq!(n_clones(FailurePolicy::Skip), 5);
    assert_eq!(n_clones(Retry::times(2).into()), 5);
}

fn refusal(registration: impl selvedge::runtime::IntoRegistration) -> BuildError {
    Pipeline::builder().processor(registration).build().expect_err("it is refused")
}

#[test]
fn policies_that_cannot_work_are_refused_at_build() {
    let flaky = || Flaky { n_attempts: 0 }.named("flaky");
    let restart = Restart::at_most(1, HOUR);
    assert_snapshot!(refusal(flaky().on_failure(Retry::times(3))), @"processor `flaky` is to be retried, but its state of before the turn can't be had back: register it `.restored_by_clone()` or `.stateless()`, or give it another failure policy");
    assert_snapshot!(refusal(flaky().on_failure(restart)), @"processor `flaky` is to be restarted, but nothing makes a new one: register it `.restarted_by(|| …)`, or give it another failure policy");
    assert_snapshot!(refusal(flaky().stateless().on_failure(Retry::times(3).then(restart))), @"processor `flaky` is to be restarted, but nothing makes a new one: register it `.restarted_by(|| …)`, or give it another failure policy");
    assert_snapshot!(refusal(flaky().stateless().on_failure(Retry::times(0))), @"processor `flaky` is registered with zero attempts: give it more, or leave it out");
    let shrinking = Backoff::exponential(HOUR, 0.5, HOUR);
    let retry = Retry::times(3).backoff(shrinking);
    assert_snapshot!(refusal(flaky().stateless().on_failure(retry)), @"processor `flaky` backs off by a factor of 0.5: give it a finite one of at least 1");
    assert_snapshot!(refusal(flaky().time_budget(Duration::ZERO)), @"processor `flaky` is registered with a time budget of zero: give it more, or leave it out");
}

#[test]
fn a_solo_turn_has_its_attempts_too() {
    let flaky = Flaky { n_attempts: 0 }.restored_by_clone().on_failure(Retry::times(3));
    let mut solo = Solo::new(flaky);
    let turn = solo.turn(Tick(2));
    assert!(turn.result.is_ok());
    assert_eq!(turn.payloads::<Echo>()[0].0, "2 at 3, 1 counted");
    let turn = solo.turn(Tick(3));
    assert_eq!(turn.result.expect_err("three are not enough").to_string(), "planted at 3");
    assert!(turn.emitted.is_empty());
    assert_eq!(solo.turn(Tick(0)).payloads::<Echo>()[0].0, "0 at 1, 2 counted");
}

/// Says that it restarts itself, and does not.
struct Stubborn;

impl Processor for Stubborn {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        anyhow::bail!("{event} is too much")
    }
    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Tick>()])
    }
    fn about(&self, event: &Event) -> Option<String> {
        Some(format!("about {event}"))
    }
}

#[test]
fn who_was_to_restart_itself_and_does_not_fails_the_run() {
    let restart = Restart::at_most(3, Duration::from_secs(60));
    let stubborn = Registration::new(Stubborn).restarting_itself().on_failure(restart);
    let pipeline = Pipeline::builder().processor(stubborn).build().expect("it says it can");
    pipeline.submit(Tick(1)).expect("there is room");
    let error = pipeline.run().expect_err("it doesn't");
    let told = format!("{:#}", anyhow::Error::from(error));
    assert_snapshot!(told, @"processor `Stubborn` failed on selvedge-tests::Tick: can't be restarted, because `Processor::restart` says that it can't: selvedge-tests::Tick is too much");
}
