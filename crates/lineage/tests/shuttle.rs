//! The writer and the merger under schedules that `shuttle` picks: whoever flushes returns and
//! finds what it recorded, whoever waits for room gets it, and closing ends both threads.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p selvedge-lineage --test shuttle --target-dir
//! target/shuttle` runs it; `SELVEDGE_SHUTTLE_ITERATIONS` says how often.

#![cfg(shuttle)]

use std::sync::Arc;

use selvedge_event::{Digest, Outcome, Signature};
use selvedge_lineage::{
    Filter, History, Options, Page, Record, Run, RunId, Status, Timestamp, Writer, WriterOptions,
};
use selvedge_store::Memory;
use selvedge_sync::thread::spawn;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

fn value(thread: u32, n: u32) -> Digest {
    Digest::of(&(thread, n)).expect("numbers have digests")
}

fn record(thread: u32, n: u32) -> Record {
    let signature = Signature::of_version("shuttle", "1");
    Record::new(RunId::named("a run"), "step", signature).output(value(thread, n))
}

/// Room for next to nothing, so that everybody waits for everybody.
fn open(store: &Arc<Memory>) -> History {
    let options = Options { frozen_entries_min: 4, frozen_max: 1, ..Options::default() };
    let store: Arc<Memory> = Arc::clone(store);
    History::open(store, options, Timestamp::default()).expect("memory doesn't fail")
}

fn finds(history: &History, thread: u32, n: u32) {
    let found = history.producers(&value(thread, n), &Filter::new(), &Page::default());
    assert_eq!(found.expect("memory doesn't fail").items.len(), 1, "{n} of thread {thread}");
}

/// Two threads record through a writer and a third past it, while runs are written and merged.
fn recording() {
    const N: u32 = 3;
    let store = Arc::new(Memory::new());
    let history = open(&store);
    let run = RunId::named("a run");
    history.begin_run(Run::new(run, "shuttle", Timestamp::default())).expect("it is new");
    let options = WriterOptions { buffered_max: 1, group_max: 2, ..WriterOptions::default() };
    let writer = Writer::start(history.clone(), options).expect("there is room for a thread");
    let threads: Vec<_> = (0..3)
        .map(|thread| {
            let (history, writer) = (history.clone(), writer.clone());
            let work = move || {
                for n in 0..N {
                    if thread == 2 {
                        history.append(vec![record(thread, n)]).expect("memory doesn't fail");
                    } else {
                        writer.record_all(vec![record(thread, n)]).expect("memory doesn't fail");
                        writer.flush().expect("memory doesn't fail");
                    }
                    finds(&history, thread, n);
                }
            };
            spawn("recorder", work).expect("there is room for a thread")
        })
        .collect();
    for thread in threads {
        thread.join().expect("nobody panics");
    }
    writer.end_run(run, Outcome::Succeeded, Timestamp::default()).expect("it runs");
    drop(writer);
    drop(history);
    // Whatever the merger was at: the next one finds all of it.
    let history = open(&store);
    (0..3).for_each(|thread| (0..N).for_each(|n| finds(&history, thread, n)));
    let run = history.run(run).expect("memory doesn't fail").expect("it is known");
    assert_eq!(run.status(), Status::Succeeded);
}

#[test]
fn who_records_returns_and_finds_it() {
    const DEPTH: usize = 4;
    let n = std::env::var("SELVEDGE_SHUTTLE_ITERATIONS")
        .map_or(50, |value| value.parse().expect("SELVEDGE_SHUTTLE_ITERATIONS is a number"));
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    Runner::new(RandomScheduler::new(n), config.clone()).run(recording);
    Runner::new(PctScheduler::new(DEPTH, n), config).run(recording);
}
