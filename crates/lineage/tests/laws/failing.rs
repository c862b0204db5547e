//! Ways to fail: each error says what, where and what to do.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use insta::assert_snapshot;
use selvedge_event::Outcome;
use selvedge_lineage::{
    Filter, History, HistoryError, Options, Page, Record, Redact, Run, Timestamp, Writer,
    WriterOptions, export,
};
use selvedge_store::{Durability, Memory, Read as _, Scan, Store, StoreError};

use super::diary::inline;
use super::model::{run_id, signature, value};

fn record(read: u8, made: u8) -> Record {
    Record::new(run_id(0), "step", signature(0)).input("x", None, value(read)).output(value(made))
}

#[test]
fn a_record_over_the_limit_is_refused_and_an_error_is_cut() -> Result<(), HistoryError> {
    let history = History::in_memory();
    let large = (0..200).fold(record(0, 0), |record, _| record.output(value(1)));
    let history_of_little = || {
        let options = Options { record_bytes_max: 4_096, error_bytes_max: 10, ..inline() };
        History::open(Arc::new(Memory::new()), options, Timestamp::default())
    };
    history.append(vec![large.clone()])?;
    let little = history_of_little()?;
    let refused = little.append(vec![record(0, 1), large]).unwrap_err();
    assert_snapshot!(refused, @"a record of step `step` takes 6741 bytes, of 4096 allowed");
    assert!(little.records(&Filter::new(), &Page::default())?.items.is_empty(), "all or none");
    let error = "it is a long story, and sad".to_owned();
    little.append(vec![record(0, 1).outcome(Outcome::Failed { error, panicked: true })])?;
    let found = little.records(&Filter::new(), &Page::default())?;
    assert_snapshot!(found.items[0].record.outcome, @"panicked: it is a lo… (27 bytes)");
    Ok(())
}

#[test]
fn a_question_has_a_limit() -> Result<(), HistoryError> {
    let options = Options { compared_max: 3, ..inline() };
    let history = History::open(Arc::new(Memory::new()), options, Timestamp::default())?;
    history.append((0..9).map(|n| record(n, n + 1)).collect())?;
    let walk = history.downstream(&value(0), 9, &Filter::new(), &Page::default()).unwrap_err();
    assert_snapshot!(walk, @"a walk along values would take more than 3 records, ask for a smaller part or raise the limit");
    assert!(history.downstream(&value(0), 2, &Filter::new(), &Page::default()).is_ok());
    assert!(history.difference(run_id(0), run_id(1), &Page::default()).is_err());
    Ok(())
}

/// A store in which one byte of a record's value is another one.
fn damaged(namespace: &str, change: impl Fn(&mut Vec<u8>)) -> Result<Arc<Memory>, HistoryError> {
    let store = Arc::new(Memory::new());
    let options = Options { frozen_entries_min: 8, ..inline() };
    let history = History::open(store.clone(), options, Timestamp::default())?;
    for n in 0..9 {
        history.append(vec![record(n, n + 1)])?;
    }
    drop(history);
    for entry in store.scan(Scan::all(namespace)).collect::<Result<Vec<_>, StoreError>>()? {
        let mut value = entry.value;
        change(&mut value);
        store.put(namespace, &entry.key, &value, Durability::None)?;
    }
    Ok(store)
}

/// What a history says when it is opened and asked for everything.
fn said(store: Arc<Memory>) -> String {
    let options = Options { frozen_entries_min: 8, ..inline() };
    let asked = History::open(store, options, Timestamp::default()).and_then(|history| {
        history.of_run(run_id(0), &Filter::new(), &Page::default()).map(|found| found.items.len())
    });
    asked.map_or_else(|error| error.to_string(), |n| format!("{n} records"))
}

#[test]
fn damage_and_newer_formats_are_named() -> Result<(), HistoryError> {
    let newer = |value: &mut Vec<u8>| value[0] = 9;
    let cut = |value: &mut Vec<u8>| value.truncate(value.len() - 1);
    assert_snapshot!(said(damaged("lineage.blocks", |_| {})?), @"9 records");
    assert_snapshot!(said(damaged("lineage.blocks", newer)?), @"the history has format 9 and this version knows 1: update the program");
    assert_snapshot!(said(damaged("lineage.blocks", cut)?), @"the block of records at 8, 0 bytes before its end is damaged: expected a byte; verify the store, and restore it if need be");
    assert_snapshot!(said(damaged("lineage.index", cut)?), @"the directory of the index's run 4 is damaged: expected a byte; verify the store, and restore it if need be");
    assert_snapshot!(said(damaged("lineage.meta", newer)?), @"the history has format 9 and this version knows 1: update the program");
    assert_snapshot!(said(damaged("lineage.meta", cut)?), @"the manifest of the history's index is damaged: expected a byte; verify the store, and restore it if need be");
    Ok(())
}

/// A store that takes no batch once it is full.
#[derive(Debug, Default)]
struct Filling {
    store: Memory,
    is_full: AtomicBool,
}

impl selvedge_store::Read for Filling {
    fn get(&self, namespace: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(namespace, key)
    }
    fn scan(&self, scan: Scan) -> selvedge_store::Entries<'_> {
        self.store.scan(scan)
    }
    fn namespaces(&self) -> Result<Vec<String>, StoreError> {
        self.store.namespaces()
    }
}

impl Store for Filling {
    fn commit(
        &self,
        batch: selvedge_store::Batch,
        durability: Durability,
    ) -> Result<(), StoreError> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(StoreError::BadNamespace { namespace: "full".to_owned() });
        }
        self.store.commit(batch, durability)
    }
    fn snapshot(&self) -> Result<Box<dyn selvedge_store::Snapshot>, StoreError> {
        self.store.snapshot()
    }
    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[test]
fn a_writer_that_failed_says_so_to_all() -> Result<(), HistoryError> {
    let store = Arc::new(Filling::default());
    let history = History::open(store.clone(), inline(), Timestamp::default())?;
    let writer = Writer::start(history.clone(), WriterOptions::default())?;
    history.begin_run(Run::new(run_id(0), "shop", Timestamp::default()))?;
    store.is_full.store(true, Ordering::Relaxed);
    writer.record(record(0, 1))?;
    // A run doesn't end before what it did is known.
    let ended = writer.end_run(run_id(0), Outcome::Succeeded, Timestamp::default());
    assert!(matches!(ended, Err(HistoryError::WriterStopped { .. })), "{ended:?}");
    let stopped = writer.flush().unwrap_err();
    assert_snapshot!(stopped, @"the writer stopped and takes no more records: the history's store: `full` can't be a namespace, use 1 to 255 bytes");
    assert!(matches!(writer.record(record(0, 1)), Err(HistoryError::WriterStopped { .. })));
    Ok(())
}

/// A hook with a bug.
#[derive(Debug)]
struct Hasty;

impl Redact for Hasty {
    fn record(&self, _: &mut Record) {
        panic!("no such field");
    }
    fn run(&self, _: &mut Run) {}
}

#[test]
fn nobody_waits_for_a_writer_whose_hook_panicked() -> Result<(), HistoryError> {
    let options = Options { redact: Arc::new(Hasty), ..inline() };
    let history = History::open(Arc::new(Memory::new()), options, Timestamp::default())?;
    let writer = Writer::start(
        history,
        WriterOptions { buffered_max: 1, group_max: 1, ..WriterOptions::default() },
    )?;
    writer.record(record(0, 1))?;
    let stopped = writer.flush().unwrap_err();
    assert_snapshot!(stopped, @"the writer stopped and takes no more records: its thread panicked, see what it reported");
    assert!(writer.record(record(0, 1)).is_err());
    Ok(())
}

#[test]
fn an_export_that_cannot_be_written_says_so() {
    struct Closed;
    impl io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::BrokenPipe))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = export::edges(&History::in_memory(), &Filter::new(), Closed).unwrap_err();
    assert_snapshot!(error, @"the export could not be written: broken pipe");
}

#[test]
fn errors_of_the_system_are_passed_on() {
    let error = HistoryError::Thread(io::Error::from(io::ErrorKind::WouldBlock));
    assert_snapshot!(error, @"the history's thread could not be started: operation would block");
}
