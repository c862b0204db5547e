//! Owns the same for a history: threads that record, through one writer and past it, begin runs and
//! end them; and the process that asks what is left.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use selvedge::event::{Outcome, Signature};
use selvedge::lineage::{
    Filter, History, Options, Page, Record, Run, RunId, Status, Timestamp, Writer, WriterOptions,
};
use selvedge::{Digest, event};
use selvedge_store::Durable;

use crate::check::Found;
use crate::workload::{self, N_THREADS};
use crate::{Backend, READY};

/// Records after which a thread waits until they are durable.
const N_UNTOLD: u64 = 7;
/// Records after which a thread begins another run.
const N_PER_RUN: u64 = 40;
/// Every so manyth value is asked for.
const N_BETWEEN: u64 = 53;

/// Runs of the index are short, so that some are written and merged all the time.
fn open(backend: Backend, dir: &Path) -> Result<(Arc<Durable>, History)> {
    let store = Arc::new(workload::open(backend, dir)?);
    let options = Options { frozen_entries_min: 2_000, ..Options::default() };
    let history = History::open(store.clone(), options, Timestamp::from_nanos(1))?;
    Ok((store, history))
}

fn step(thread: u64) -> String {
    format!("thread {thread}")
}

fn value(thread: u64, n: u64) -> Result<Digest, event::DigestError> {
    Digest::of(&(thread, n))
}

/// The nth of a thread's chain.
fn link(run: RunId, thread: u64, n: u64) -> Result<Record> {
    let signature = Signature::of_version("crash::link", "1");
    let record = Record::new(run, step(thread), signature);
    Ok(record.input("before", None, value(thread, n - 1)?).output(value(thread, n)?))
}

fn tell(line: &str) -> Result<()> {
    std::io::stdout().lock().write_all(line.as_bytes()).context("nobody listens")
}

/// Never returns but by an error.
pub(crate) fn write(backend: Backend, dir: &Path, seed: u64) -> Result<()> {
    let (_, history) = open(backend, dir)?;
    let writer = Writer::start(history.clone(), WriterOptions::default())?;
    println!("{READY}");
    std::thread::scope(|scope| {
        let (history, writer) = (&history, &writer);
        let record = |thread| move || chain(history, writer, thread, seed);
        let threads: Vec<_> = (0..N_THREADS).map(|thread| scope.spawn(record(thread))).collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a writer panicked"))??;
        }
        Ok(())
    })
}

fn chain(history: &History, writer: &Writer, thread: u64, seed: u64) -> Result<()> {
    let mut n = length(history, thread)?.0;
    loop {
        let run = RunId::named(&format!("{seed} {thread} {n}"));
        history.begin_run(Run::new(run, "crash", Timestamp::from_nanos(1)))?;
        tell(&format!("run {run} begun\n"))?;
        for _ in 0..N_PER_RUN {
            n += 1;
            let record = link(run, thread, n)?;
            if thread == 0 {
                // Past the writer: durable when this returns.
                history.append(vec![record])?;
                tell(&format!("{thread} {n} 0\n"))?;
                continue;
            }
            writer.record(record)?;
            if n.is_multiple_of(N_UNTOLD) {
                writer.flush()?;
                tell(&format!("{thread} {n} 0\n"))?;
            }
        }
        writer.end_run(run, Outcome::Succeeded, Timestamp::from_nanos(2))?;
        tell(&format!("{thread} {n} 0\nrun {run} ended\n"))?;
    }
}

/// How many links a thread's chain has, and how many records are not the link they should be.
fn length(history: &History, thread: u64) -> Result<(u64, u64)> {
    let (mut n, mut n_wrong) = (0, 0);
    let mut page = Page::first(Page::N_MAX);
    loop {
        let found = history.of_step(&step(thread), &Filter::new(), &page)?;
        for found in found.items {
            n += 1;
            let expected = link(found.record.run, thread, n)?;
            n_wrong += u64::from(found.record != expected);
        }
        match found.next {
            Some(cursor) => page = page.after(cursor),
            None => return Ok((n, n_wrong)),
        }
    }
}

pub(crate) fn check(backend: Backend, dir: &Path, seed: u64) -> Result<()> {
    let began = Instant::now();
    let (store, history) = open(backend, dir)?;
    let mut found = Found {
        open_ms: began.elapsed().as_secs_f64() * 1e3,
        is_rebuilt: store.opened().is_rebuilt,
        ..Found::default()
    };
    for thread in 0..N_THREADS {
        let (n, n_wrong) = length(&history, thread)?;
        found.heads.insert(thread, n);
        found.n_records += n;
        found.n_wrong += n_wrong;
        // What the index finds by value is what the steps have.
        for n in (1..=n).filter(|&at| at == n || at.is_multiple_of(N_BETWEEN)) {
            let made = history.producers(&value(thread, n)?, &Filter::new(), &Page::default())?;
            found.n_torn += u64::from(made.items.len() != 1);
        }
    }
    found.runs = runs(&history)?;
    found.n_wrong += store.verify()?.len() as u64;
    println!("{}", serde_json::to_string(&found)?);
    if !seed.is_multiple_of(3) {
        // As if it was killed: nothing is closed.
        std::process::exit(0);
    }
    Ok(())
}

/// How all runs ended. None goes on: nobody else has the history.
fn runs(history: &History) -> Result<BTreeMap<String, String>> {
    let mut runs = BTreeMap::new();
    let mut page = Page::first(Page::N_MAX);
    loop {
        let found = history.runs(&Filter::new(), &page)?;
        for run in found.items {
            ensure!(run.status() != Status::Running, "run {} goes on without a process", run.id);
            runs.insert(run.id.to_string(), run.status().as_str().to_owned());
        }
        match found.next {
            Some(cursor) => page = page.after(cursor),
            None => return Ok(runs),
        }
    }
}
