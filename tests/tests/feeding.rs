//! A run that is fed by the thread that runs it.

use std::sync::{Arc, Mutex};

use anyhow::{bail, ensure};
use selvedge::prelude::*;
use selvedge::runtime::{Limits, PipelineBuilder, RunError, SubmitError};

#[derive(Clone, Copy, Debug, Event)]
struct Number(u64);

#[derive(Clone, Copy, Debug, Event)]
struct Double(u64);

#[derive(Clone, Debug, Event)]
struct Unheard;

type Heard = Arc<Mutex<Vec<u64>>>;

fn pipeline(heard: &Heard) -> PipelineBuilder {
    let heard = Arc::clone(heard);
    Pipeline::builder()
        .processor(on("doubles", |cx: &mut Context<'_>, number: &Number| {
            ensure!(number.0 != 13, "no thirteen here");
            cx.emit(Double(2 * number.0));
            Ok(())
        }))
        .processor(on("hears", move |_: &mut Context<'_>, double: &Double| {
            heard.lock().expect("nobody panics with it in hand").push(double.0);
            Ok(())
        }))
}

/// Little room, so that whoever feeds has to help, all the time.
fn tight() -> Limits {
    Limits { in_flight_max: 2, batch_turns_max: 1, ..Limits::default() }
}

#[test]
fn everything_fed_is_handled_in_order_whoever_helps() {
    for (workers, limits) in [(1, tight()), (2, tight()), (1, Limits::default())] {
        let heard = Heard::default();
        let pipeline = pipeline(&heard).workers(workers).limits(limits).build();
        let pipeline = pipeline.expect("the wiring is sound");
        let report = pipeline.run_with(|feeder| {
            for n in 100..1_100 {
                assert_eq!(feeder.submit(Number(n))?, 1);
            }
            assert_eq!(feeder.submit(Unheard)?, 0);
            Ok(())
        });
        let report = report.expect("nothing fails");
        let doubled: Vec<u64> = (100..1_100).map(|n| 2 * n).collect();
        assert_eq!(*heard.lock().expect("nobody panics with it in hand"), doubled);
        let counts = (report.submitted, report.handled, report.unrouted, report.ending);
        assert_eq!(counts, (1_001, 2_000, 1, Some(Ending::Completed)));
    }
}

#[test]
fn other_submitters_are_waited_for_too() {
    let heard = Heard::default();
    let pipeline = pipeline(&heard).workers(1).build().expect("the wiring is sound");
    let submitter = pipeline.submitter();
    let submits = std::thread::spawn(move || submitter.submit(Number(100)).is_ok());
    let report = pipeline.run_with(|feeder| {
        feeder.submit(Number(101))?;
        Ok(())
    });
    assert!(submits.join().expect("it doesn't panic"));
    assert_eq!(report.expect("nothing fails").submitted, 2);
    assert_eq!(heard.lock().expect("nobody panics with it in hand").len(), 2);
}

#[test]
fn a_run_that_fails_hands_back_what_is_fed_later() {
    let heard = Heard::default();
    let pipeline = pipeline(&heard).workers(1).limits(tight()).build();
    let mut refused = None;
    let run = pipeline.expect("the wiring is sound").run_with(|feeder| {
        for n in 10..1_000 {
            if let Err(error) = feeder.submit(Number(n)) {
                refused = Some(error);
                break;
            }
        }
        Ok(())
    });
    assert!(matches!(run, Err(RunError::Turn { .. })), "{run:?}");
    assert!(matches!(refused, Some(SubmitError::Closed { .. })), "{refused:?}");
}

#[test]
fn whoever_feeds_may_fail() {
    let run = |panics: bool| {
        let heard = Heard::default();
        let pipeline = pipeline(&heard).build().expect("the wiring is sound");
        let run = pipeline.run_with(|feeder| {
            feeder.submit(Number(1))?;
            if panics {
                panic!("planted");
            }
            bail!("the file ends in the middle of a line")
        });
        let error = run.expect_err("feeding failed");
        assert!(error.report().is_some_and(RunReport::balances), "{error:?}");
        error.to_string()
    };
    assert_eq!(run(false), "feeding the run failed: the file ends in the middle of a line");
    assert_eq!(run(true), "feeding the run panicked: panicked: planted");
}
