//! The life of runs: begun, ended, resumed, found abandoned; and what a difference says of two.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;
use selvedge_event::{Canceller, Outcome};
use selvedge_lineage::{
    Filter, History, HistoryError, Merging, Options, Page, Record, Run, RunId, Status, Timestamp,
    Writer, WriterOptions,
};
use selvedge_store::{Memory, Store};

use super::model::{run_id, signature, value};

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

pub(crate) fn inline() -> Options {
    Options { merging: Merging::Inline, ..Options::default() }
}

#[test]
fn a_run_whose_process_died_is_found_abandoned() -> Result<(), HistoryError> {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let history = History::open(Arc::clone(&store), inline(), at(0))?;
    history.begin_run(Run::new(run_id(0), "shop", at(1)).parameter("day", value(3)))?;
    history.begin_run(Run::new(run_id(1), "shop", at(2)))?;
    history.end_run(run_id(1), Outcome::Suspended, at(3))?;
    drop(history);
    let history = History::open(store, inline(), at(9))?;
    let abandoned = history.run(run_id(0))?.expect("it was begun");
    assert_eq!(
        (abandoned.status(), abandoned.end.map(|end| end.at)),
        (Status::Abandoned, Some(at(9)))
    );
    assert_eq!(abandoned.parameters["day"], value(3));
    assert_eq!(history.run(run_id(1))?.map(|run| run.status()), Some(Status::Suspended));
    history.resume_run(run_id(0))?;
    history.end_run(run_id(0), Outcome::Cancelled { by: Canceller::User }, at(10))?;
    let cancelled = history.runs(&Filter::new().status(Status::Cancelled), &Page::default())?;
    assert_eq!(cancelled.items.len(), 1);
    Ok(())
}

#[test]
fn a_run_goes_from_state_to_state_as_it_may() -> Result<(), HistoryError> {
    let history = History::in_memory();
    history.begin_run(Run::new(run_id(0), "shop", at(1)))?;
    let again = history.begin_run(Run::new(run_id(0), "shop", at(1))).unwrap_err();
    assert_snapshot!(again, @"run 1cecb142-2017-864d-9ee4-c356495af926 is in the history already, use another id");
    let skipped = Outcome::Skipped { reason: "no tea".to_owned() };
    let skipped = history.end_run(run_id(0), skipped, at(2)).unwrap_err();
    assert_snapshot!(skipped, @"run 1cecb142-2017-864d-9ee4-c356495af926 is Skipped, so it can't be the end of a run");
    let resumed = history.resume_run(run_id(0)).unwrap_err();
    assert_snapshot!(resumed, @"run 1cecb142-2017-864d-9ee4-c356495af926 is Running, so it can't be resumed");
    history.end_run(run_id(0), Outcome::Succeeded, at(2))?;
    let ended = history.end_run(run_id(0), Outcome::TimedOut, at(3)).unwrap_err();
    assert_snapshot!(ended, @"run 1cecb142-2017-864d-9ee4-c356495af926 is Succeeded, so it can't end");
    let unknown = history.tag_run(run_id(1), "a", "b").unwrap_err();
    assert_snapshot!(unknown, @"run e59149a2-5574-8cb2-83d3-1d1216a8b7e0 is not in the history; it may have been removed");
    Ok(())
}

#[test]
fn a_run_id_is_written_as_it_is_read() {
    let id = run_id(0);
    assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
    for text in [
        "",
        "monday",
        "3f0f6ff3-0e3d-8ba6-af63-3be2bf2dc4e",
        "3f0f6ff30e3d-8ba6-af63-3be2bf2dc4e99-",
    ] {
        assert!(text.parse::<RunId>().is_err(), "{text}");
    }
    let error = "monday".parse::<RunId>().unwrap_err();
    assert_snapshot!(error, @"`monday` is no run's id: expected a UUID, 32 hex digits in groups of 8-4-4-4-12");
}

/// Records that say what a step does in a run.
fn record(run: u8, step: &str, version: u8, read: u8, made: u8, micros: u64) -> Record {
    Record::new(run_id(run), step, signature(version))
        .input("x", None, value(read))
        .output(value(made))
        .at(at(5), Duration::from_micros(micros))
}

#[test]
fn a_difference_says_what_came_went_and_changed() -> Result<(), HistoryError> {
    let history = History::in_memory();
    history.append(vec![
        record(0, "gone", 1, 1, 2, 10),
        record(0, "input", 1, 1, 2, 10),
        record(0, "code", 1, 1, 2, 10),
        record(0, "slower", 1, 1, 2, 10),
        record(0, "items", 1, 1, 2, 10),
        record(0, "items", 1, 2, 3, 10),
        record(0, "items", 1, 3, 4, 10),
    ])?;
    let failed = Outcome::Failed { error: "no tea".to_owned(), panicked: false };
    history.append(vec![
        record(1, "items", 1, 3, 4, 10),
        record(1, "items", 1, 1, 2, 10),
        record(1, "items", 1, 6, 3, 10),
        record(1, "input", 1, 5, 6, 10),
        record(1, "code", 2, 1, 2, 10),
        record(1, "slower", 1, 1, 2, 30),
        record(1, "added", 1, 1, 2, 10).outcome(failed),
    ])?;
    let difference = history.difference(run_id(0), run_id(1), &Page::default())?;
    let lines: BTreeMap<_, _> = difference
        .changed
        .items
        .iter()
        .map(|pair| (pair.step.to_string(), format!("{:?}", pair.changes())))
        .collect();
    assert_snapshot!(format!("{lines:#?}\n{} same, {:?}", difference.n_same, difference.own_durations), @r#"
        {
            "added": "[Added]",
            "code": "[Code]",
            "gone": "[Gone]",
            "input": "[Inputs([\"x\"]), Output]",
            "items": "[Inputs([\"x\"])]",
        }
        3 same, (70µs, 90µs)
        "#);
    Ok(())
}

#[test]
fn many_threads_record_through_one_writer() -> Result<(), HistoryError> {
    let history = History::in_memory();
    let options = WriterOptions { buffered_max: 8, group_max: 3, ..WriterOptions::default() };
    let writer = Writer::start(history.clone(), options)?;
    history.begin_run(Run::new(run_id(0), "shop", at(1)))?;
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let writer = writer.clone();
            let body =
                move || (0..100).try_for_each(|_| writer.record(record(0, "step", n, 1, n, 1)));
            selvedge_sync::thread::spawn("recorder", body).expect("there is room for a thread")
        })
        .collect();
    for thread in threads {
        thread.join().expect("no thread panics")?;
    }
    writer.end_run(run_id(0), Outcome::Succeeded, at(2))?;
    let found = history.of_run(run_id(0), &Filter::new(), &Page::first(1_000))?;
    assert_eq!(found.items.len(), 400);
    Ok(())
}

#[test]
fn a_record_waits_for_others_unless_somebody_waits_for_it() -> Result<(), HistoryError> {
    let history = History::in_memory();
    let found = |history: &History| -> Result<usize, HistoryError> {
        Ok(history.of_step("step", &Filter::new(), &Page::first(1_000))?.items.len())
    };
    // Nobody comes, and nobody would wait for an hour: whoever flushes doesn't.
    let hour = Duration::from_secs(3_600);
    let options = WriterOptions { group_max: 3, group_wait: hour, ..WriterOptions::default() };
    let writer = Writer::start(history.clone(), options)?;
    writer.record(record(0, "step", 1, 1, 1, 1))?;
    assert_eq!(found(&history)?, 0);
    writer.flush()?;
    assert_eq!(found(&history)?, 1);
    // A group is enough, and so is the end.
    writer.record_all((2..5).map(|n| record(0, "step", n, 1, n, 1)).collect())?;
    writer.record(record(0, "step", 5, 1, 5, 1))?;
    drop(writer);
    assert_eq!(found(&history)?, 5);
    Ok(())
}

#[test]
fn records_that_were_written_are_filled_in_anew() -> Result<(), HistoryError> {
    let history = History::in_memory();
    let writer = Writer::start(history.clone(), WriterOptions::default())?;
    let (mut list, mut n_anew) = (Vec::new(), 0);
    for n in 0..50 {
        n_anew += usize::from(!list.is_empty());
        list.clear();
        list.extend([record(0, "step", n, 1, n, 1), record(0, "step", n, 2, n, 2)]);
        writer.exchange(&mut list)?;
        assert!(list.len() <= 2, "as many as were taken in at most");
        writer.flush()?;
    }
    assert!(n_anew > 0, "nothing was given back");
    let found = history.of_step("step", &Filter::new(), &Page::first(1_000))?;
    assert_eq!(found.items.len(), 100);
    Ok(())
}
