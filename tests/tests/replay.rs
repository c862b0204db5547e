//! Dead letters go back to where they came from, and to nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use insta::assert_snapshot;
use selvedge::prelude::*;
use selvedge::runtime::{DeadLetter, ReplayError, Running, SubmitError};

use crate::failure::in_time;
use crate::routing::Log;

#[derive(Debug, Event)]
struct Sold(u32);

/// Two that hear the same; the till fails while it has no paper. One that hears nothing of it.
fn shop(has_paper: &Arc<AtomicBool>, log: &Log) -> Pipeline {
    let has_paper = Arc::clone(has_paper);
    let (tills, stocks) = (log.clone(), log.clone());
    let till = on("till", move |cx: &mut Context<'_>, sold: &Sold| {
        tills.add(format!("till {} attempt {}", sold.0, cx.attempt()));
        anyhow::ensure!(has_paper.load(Ordering::SeqCst), "no paper");
        Ok(())
    });
    let stock = on("stock", move |_: &mut Context<'_>, sold: &Sold| {
        stocks.add(format!("stock {}", sold.0));
        Ok(())
    });
    let retry = Retry::times(2).then(LastResort::Skip);
    Pipeline::builder()
        .processor(till.stateless().on_failure(retry))
        .processor(stock)
        .workers(1)
        .build()
        .expect("the wiring is sound")
}

fn letters(log: &Log) -> Vec<DeadLetter> {
    let pipeline = shop(&Arc::default(), log);
    (1..=2).for_each(|n| assert!(pipeline.submit(Sold(n)).is_ok(), "there is room"));
    let report = in_time(|| pipeline.run()).expect("the till skips");
    assert_eq!((report.dead, report.handled), (2, 2));
    report.dead_letters
}

#[test]
fn letters_go_back_to_their_processor_in_order_and_to_nobody_else() {
    let letters = letters(&Log::default());
    let log = Log::default();
    let pipeline = shop(&Arc::new(AtomicBool::new(true)), &log);
    assert_eq!(pipeline.replay(letters).expect("the till is there"), 2);
    let report = in_time(|| pipeline.run()).expect("there is paper");
    assert_snapshot!(log.lines().join(", "), @"till 1 attempt 1, till 2 attempt 1");
    assert_eq!((report.submitted, report.accepted, report.handled), (2, 2, 2));
    assert!(report.balances());
}

#[test]
fn what_fails_again_is_a_dead_letter_again_and_no_loop() {
    let first = letters(&Log::default());
    let log = Log::default();
    let pipeline = shop(&Arc::default(), &log);
    pipeline.replay(first).expect("the till is there");
    let report = in_time(|| pipeline.run()).expect("the till skips");
    assert_eq!((report.accepted, report.dead, report.handled), (2, 2, 0));
    let shown: Vec<_> = report.dead_letters.iter().map(ToString::to_string).collect();
    assert_snapshot!(shown.join("\n"), @r"
    selvedge-tests::Sold at `till` after 2 attempts: no paper
    selvedge-tests::Sold at `till` after 2 attempts: no paper
    ");
    assert_eq!(log.lines().len(), 4, "two attempts each");
}

#[test]
fn letters_go_back_during_a_run_too() {
    let letters = letters(&Log::default());
    let (log, has_paper) = (Log::default(), Arc::new(AtomicBool::new(true)));
    let running: Running = shop(&has_paper, &log).start().expect("there is room for threads");
    let submitter = running.submitter();
    let mut letters = letters.into_iter();
    submitter.replay(letters.next().expect("there are two")).expect("the till is there");
    drop(submitter);
    running.submit(Sold(7)).expect("the run goes on");
    running.replay(letters.next().expect("there are two")).expect("the till is there");
    let report = in_time(move || running.finish()).expect("there is paper");
    assert_eq!((report.submitted, report.accepted, report.handled), (3, 4, 4));
    let lines = log.lines();
    let heard_by = |who: &str| lines.iter().filter(|line| line.starts_with(who)).count();
    assert_eq!((heard_by("till"), heard_by("stock")), (3, 1), "{lines:?}");
}

#[test]
fn a_collector_that_came_later_does_not_hear_what_goes_back() {
    let letters = letters(&Log::default());
    let mut pipeline = shop(&Arc::new(AtomicBool::new(true)), &Log::default());
    let collected = pipeline.collect::<Sold>();
    pipeline.replay(letters).expect("the till is there");
    in_time(|| pipeline.run()).expect("there is paper");
    assert!(collected.is_empty());
}

#[test]
fn what_was_submitted_before_a_collector_came_is_heard_by_it_as_well() {
    let mut pipeline = shop(&Arc::new(AtomicBool::new(true)), &Log::default());
    pipeline.submit(Sold(1)).expect("there is room");
    let collected = pipeline.collect::<Sold>();
    pipeline.submit(Sold(2)).expect("there is room");
    let report = in_time(|| pipeline.run()).expect("there is paper");
    let heard: Vec<_> = collected.take().iter().map(|sold| sold.0).collect();
    assert_eq!(heard, [1, 2]);
    assert_eq!(report.handled, 6);
}

#[test]
fn letters_that_can_t_go_back_are_handed_back() {
    let mut letters = letters(&Log::default());
    let pipeline = Pipeline::builder()
        .processor(on("till", |_: &mut Context<'_>, _: &Sold| Ok(())))
        .limits(Limits { backlog_max: 1, ..Limits::default() })
        .build()
        .expect("the wiring is sound");
    let second = letters.remove(1);
    let read_back: DeadLetter =
        serde_json::from_value(serde_json::to_value(&second).expect("it is plain data"))
            .expect("it is its own");
    let error = pipeline.replay([read_back]).expect_err("it holds no event");
    assert!(matches!(error, ReplayError::NoEvent { .. }));
    assert_snapshot!(error, @"the dead letter selvedge-tests::Sold of `till` holds no event: one that was written out and read back has only the event's value");

    letters.push(second);
    let mut letters = letters.into_iter();
    let error = pipeline.replay(letters.by_ref()).expect_err("there is room for one");
    assert_snapshot!(error, @"the dead letter selvedge-tests::Sold of `till` does not go back: the pipeline holds 1 submitted events already: submit during the run through a `Submitter`, which waits, use a source, or raise `Limits::backlog_max`");
    let refused = matches!(&error, ReplayError::NotAccepted { refusal, .. }
        if matches!(refusal, SubmitError::Full { .. }));
    assert!(refused);
    let letter = error.into_letter();
    let number = letter.event.as_ref().and_then(|event| event.payload::<Sold>());
    assert_eq!(number.map(|sold| sold.0), Some(2), "with its event");

    let other = Pipeline::builder().build().expect("the wiring is sound");
    let error = other.replay([letter]).expect_err("there is no till");
    assert!(matches!(error, ReplayError::UnknownProcessor { .. }));
    assert!(error.into_letter().event.is_some());
}
