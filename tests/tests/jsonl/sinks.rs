//! Files out: whole or not at all, or in place; what is told last is written too.

use std::path::Path;

use insta::assert_snapshot;
use selvedge::io::jsonl::{Load, Sink, Source};
use selvedge::prelude::*;
use selvedge::runtime::{Registration, StopHandle};

use super::{Folder, Row, rows, run, run_on};
use crate::failure::in_time;

/// Does something when it hears a row of this number; the sink hears that row, too.
fn at(id: u32, mut act: impl FnMut() -> Result + Send + 'static) -> Registration<impl Processor> {
    on("at", move |_: &mut Context<'_>, row: &Row| if row.id == id { act() } else { Ok(()) })
        // After the sink, which goes first among equals and so has some lines by then.
        .priority(1)
}

/// A folder with rows to read and an old file to replace.
fn folder() -> Folder {
    let folder = Folder::with_rows("in.jsonl", 1_000);
    folder.put("out.jsonl", "old\n");
    folder
}

fn source(folder: &Folder) -> Source<Row> {
    Source::new("row", folder.path("in.jsonl")).at_start()
}

fn assert_old(folder: &Folder) {
    assert_eq!(folder.text("out.jsonl"), "old\n");
    assert_eq!(folder.names(), ["in.jsonl", "out.jsonl"], "nothing is left behind");
}

#[test]
fn a_run_that_completes_replaces_the_file() {
    for workers in [1, 2, 4] {
        let folder = folder();
        let sink = Sink::<Row>::new(folder.path("out.jsonl"));
        let builder = Pipeline::builder().processor(source(&folder)).processor(sink);
        run(builder.workers(workers)).expect("nothing fails");
        assert_eq!(folder.text("out.jsonl"), rows(0..1_000));
        assert_eq!(folder.names(), ["in.jsonl", "out.jsonl"]);
    }
}

#[test]
fn a_stop_keeps_the_old_file() {
    for workers in [1, 2, 4] {
        let folder = folder();
        let (hand, stops) = std::sync::mpsc::channel::<StopHandle>();
        let pipeline = Pipeline::builder()
            .processor(source(&folder))
            .processor(Sink::<Row>::new(folder.path("out.jsonl")))
            .processor(at(500, move || {
                stops.recv()?.stop();
                Ok(())
            }))
            .workers(workers)
            .build()
            .expect("the wiring is sound");
        hand.send(pipeline.stop_handle()).expect("the turn listens");
        let report = in_time(|| pipeline.run()).expect("a stop is not a failure");
        assert_eq!(report.ending, Some(Ending::Stopped));
        assert_old(&folder);
    }
}

#[test]
fn a_failure_keeps_the_old_file() {
    for workers in [1, 2, 4] {
        let folder = folder();
        let builder = Pipeline::builder()
            .processor(source(&folder))
            .processor(Sink::<Row>::new(folder.path("out.jsonl")))
            .processor(at(500, || anyhow::bail!("no five hundred")));
        run(builder.workers(workers)).expect_err("a turn fails");
        assert_old(&folder);
    }
}

#[test]
fn a_panic_keeps_the_old_file() {
    let folder = folder();
    let builder = Pipeline::builder()
        .processor(source(&folder))
        .processor(Sink::<Row>::new(folder.path("out.jsonl")))
        .processor(at(500, || panic!("no five hundred")));
    run(builder).expect_err("a turn panics");
    assert_old(&folder);
}

#[test]
fn an_abort_keeps_the_old_file() {
    let folder = folder();
    let (reached, reach) = std::sync::mpsc::channel();
    let pipeline = Pipeline::builder()
        .processor(source(&folder))
        .processor(Sink::<Row>::new(folder.path("out.jsonl")))
        .processor(at(500, move || Ok(reached.send(())?)))
        .workers(2)
        .build()
        .expect("the wiring is sound");
    // Keeps the run from completing before it is aborted.
    let submitter = pipeline.submitter();
    let running = pipeline.start().expect("there is room for threads");
    in_time(move || reach.recv()).expect("the row is read");
    running.stop_handle().abort();
    let error = running.finish().expect_err("it was aborted");
    assert!(matches!(error, RunError::Aborted { signal: None }));
    drop(submitter);
    // Nobody waits for the workers of an aborted run. The last one to leave tidies up.
    in_time(move || {
        while folder.names().len() > 2 {
            std::thread::yield_now();
        }
        assert_old(&folder);
    });
}

#[test]
fn what_is_emitted_on_poison_is_written() {
    /// Says good-bye as a row.
    struct Last;
    #[processor(strict)]
    impl Processor for Last {
        fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Poison { .. } => cx.emit(Row { id: 7 }),
            }
            Ok(())
        }
    }
    for workers in [1, 2, 4] {
        let folder = Folder::with_rows("in.jsonl", 2);
        for name in ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst"] {
            // Before the sink as well as after it.
            let builder = Pipeline::builder()
                .processor(source(&folder))
                .processor(Last.named("first").priority(-1_000))
                .processor(Sink::<Row>::new(folder.path(name)))
                .processor(Last.named("last").priority(1_000));
            run(builder.workers(workers)).expect("nothing fails");
            let read = selvedge::io::jsonl::read::<Row>(folder.path(name));
            let ids: Vec<u32> = read.map(|row| row.expect("it is sound").id).collect();
            assert_eq!(ids, [0, 1, 7, 7], "{name}");
        }
    }
}

#[test]
fn appended_lines_stay_however_the_run_ends() {
    let folder = folder();
    let append = |id| {
        Pipeline::builder()
            .processor(Sink::<Row>::new(folder.path("out.jsonl")).append())
            .processor(at(id, || anyhow::bail!("no")))
            .workers(1)
    };
    run_on(append(9), [Row { id: 1 }]).expect("nothing fails");
    run_on(append(2), [Row { id: 2 }]).expect_err("a turn fails");
    run_on(append(9), [Row { id: 3 }]).expect("nothing fails");
    assert_eq!(folder.text("out.jsonl"), format!("old\n{}", rows([1, 2, 3])));
    assert_eq!(folder.names(), ["in.jsonl", "out.jsonl"]);
}

#[test]
fn a_truncated_file_has_the_last_run_only() {
    let folder = folder();
    let truncate =
        || Pipeline::builder().processor(Sink::<Row>::new(folder.path("out.jsonl")).truncate());
    run_on(truncate(), [Row { id: 1 }, Row { id: 2 }]).expect("nothing fails");
    assert_eq!(folder.text("out.jsonl"), rows([1, 2]));
    run_on(truncate(), [Row { id: 3 }]).expect("nothing fails");
    assert_eq!(folder.text("out.jsonl"), rows([3]));
}

#[test]
fn a_sink_may_hear_one_name_only() {
    let folder = folder();
    let sink =
        |name: &str, hears: &str| Sink::<Row>::new(folder.path(name)).hears_only(hears).named(name);
    let builder =
        Pipeline::builder().processor(sink("a.jsonl", "a")).processor(sink("b.jsonl", "b"));
    let row = |name: &'static str, id| Named(name, Row { id });
    run_on(builder, [row("a", 1), row("b", 2), row("a", 3), row("c", 4)]).expect("nothing fails");
    assert_eq!(folder.text("a.jsonl"), rows([1, 3]));
    assert_eq!(folder.text("b.jsonl"), rows([2]));
}

#[test]
fn a_disk_that_is_full_fails_the_run_before_any_file_is_replaced() {
    if !Path::new("/dev/full").exists() {
        eprintln!("*** SKIPPED: there is no /dev/full here ***");
        return;
    }
    let folder = folder();
    let builder = Pipeline::builder()
        .processor(source(&folder))
        .processor(Sink::<Row>::new(folder.path("out.jsonl")).named("good"))
        .processor(
            Sink::<Row>::new("/dev/full")
                .truncate()
                .flush(selvedge::io::jsonl::Flush::AtClose)
                .named("full"),
        );
    let error = run(builder.workers(1)).expect_err("the disk is full");
    assert_snapshot!(folder.told(&error), @"processor `full` failed on selvedge::Poison: can't write `/dev/full`: No space left on device (os error 28); free space and run again; the file may end in half a line");
    assert_old(&folder);
}

#[test]
fn a_sink_that_cannot_write_says_so_before_anything_is_read() {
    let folder = folder();
    let builder = Pipeline::builder()
        .processor(Source::<Row>::new("row", folder.path("in.jsonl")))
        .processor(Sink::<Row>::new(folder.path("missing/out.jsonl")));
    let error = run_on(builder.workers(1), [Load::all("row")]).expect_err("there is no folder");
    assert_snapshot!(folder.told(&error), @"processor `Sink` failed on selvedge::Init: can't create `missing/out.jsonl`: No such file or directory (os error 2); check the path; nothing was replaced");
    assert_eq!(error.report().expect("it had begun").processors[0].pulls, 0);
}
