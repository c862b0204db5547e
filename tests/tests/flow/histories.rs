//! What runs leave in histories: the same in memory, on sled and in SQLite, and what becomes of a
//! run that can't be written down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use selvedge::Workspace;
use selvedge::flow::{
    Flow, Journal, JournalError, JournalPolicy, Request, RunError, RunResult, map,
};
use selvedge::lineage::{Filter, HeldValues, History, Page, Record, RunId, Status, Timestamp};
use selvedge_store::{
    Batch, ContentStore, Durability, Entries, Memory, OsDisk, Read, Scan, Snapshot, Store,
    StoreError,
};
use selvedge_testkit::explore;

use super::story;

/// A journal of each kind, by name; those on the disk are in the folder.
fn journals(dir: &std::path::Path) -> [(&'static str, Journal); 3] {
    let sled = Workspace::open(dir.join("sled")).unwrap().journal().unwrap();
    let store = Arc::new(Memory::new());
    let tables = dir.join("history.sqlite");
    let tables =
        selvedge_lineage::History::open_sqlite(tables, Default::default(), Timestamp::default());
    let sqlite = Journal::new(tables.unwrap(), store.clone(), values(dir, store)).unwrap();
    [("memory", Journal::in_memory().unwrap()), ("sled", sled), ("SQLite", sqlite)]
}

fn values(dir: &std::path::Path, store: Arc<dyn Store>) -> Arc<HeldValues> {
    let disk = Arc::new(OsDisk::new(&dir.join("values")).unwrap());
    Arc::new(HeldValues::new(Arc::new(ContentStore::new(store.clone(), disk)), store))
}

/// What records say, but for which run it was and when, in an order of their own.
fn shown(records: impl IntoIterator<Item = Record>) -> String {
    let mut lines: Vec<String> = records
        .into_iter()
        .map(|record| {
            let Record { step, kind, signature, inputs, outputs, outcome, attempt, .. } = record;
            format!("{step} {kind:?} {signature} {inputs:?} {outputs:?} {outcome} {attempt}")
        })
        .collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn written(journal: &Journal, run: RunId) -> String {
    let (mut records, mut page) = (Vec::new(), Page::first(100));
    loop {
        let found = journal.history().of_run(run, &Filter::new(), &page).unwrap();
        records.extend(found.items.into_iter().map(|found| found.record));
        match found.next {
            Some(next) => page = Page::first(100).after(next),
            None => return shown(records),
        }
    }
}

/// Panics unless runs of the flow in every kind of journal come to what this one came to and leave
/// its records.
pub(super) fn check(flow: &Flow, request: &Request, result: &RunResult) {
    let dir = tempfile::tempdir().unwrap();
    let records = shown(result.records().to_vec());
    for (name, journal) in journals(dir.path()) {
        let journaled = flow.clone().in_journal(journal.clone());
        let told = journaled.run(request.clone()).unwrap();
        assert_eq!(story(&told), story(result), "{name}");
        assert_eq!(written(&journal, told.run()), records, "{name}");
        let status = journal.history().run(told.run()).unwrap().unwrap().status();
        assert_eq!(status == Status::Succeeded, result.succeeded(), "{name}: {status:?}");
    }
}

#[test]
fn journals_are_written_under_the_simulator_too() {
    use selvedge::prelude::*;

    let mut flow = Flow::builder("journaled");
    let list = flow.parameter_or("list", (0..5).collect::<Vec<i64>>());
    let halves = map(list, (), |n: &i64| match n % 2 {
        0 => Ok(n / 2),
        _ => anyhow::bail!("{n} is odd"),
    });
    let halves = flow.add("halves", halves.optional());
    flow.node("sum", (halves,), |all: &Vec<i64>| Ok(all.iter().sum::<i64>()));
    let flow = flow.build().unwrap();
    let records = shown(flow.run(Request::new()).unwrap().records().to_vec());
    let journal = Journal::in_memory().unwrap();
    let flow = flow.in_journal(journal.clone());
    let n = AtomicU64::new(0);
    explore(super::SEEDS, |sim| {
        // A replay of a seed is a run of its own.
        let run = RunId::named(&n.fetch_add(1, Ordering::Relaxed).to_string());
        let opens = {
            let flow = flow.clone();
            move |cx: &mut Context<'_>, _: &Init| {
                flow.begin(cx, Request::new().run_id(run))?;
                Ok(())
            }
        };
        let pipeline = sim.build(Pipeline::builder().processor(on("opens", opens))).unwrap();
        let simulated = sim.run(pipeline);
        assert_eq!(written(&journal, run), records);
        simulated
    });
}

/// A store that takes no batch once it is full.
#[derive(Debug, Default)]
struct Filling {
    store: Memory,
    is_full: AtomicBool,
}

impl Read for Filling {
    fn get(&self, namespace: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(namespace, key)
    }

    fn scan(&self, scan: Scan) -> Entries<'_> {
        self.store.scan(scan)
    }

    fn namespaces(&self) -> Result<Vec<String>, StoreError> {
        self.store.namespaces()
    }
}

impl Store for Filling {
    fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        if self.is_full.load(Ordering::Relaxed) {
            let reason = "no space left on device".to_owned();
            return Err(StoreError::ReadOnly { reason });
        }
        self.store.commit(batch, durability)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.store.snapshot()
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.store.flush()
    }
}

/// What a run tells whose store is full when its first node is done, or when it begins.
fn filled(policy: JournalPolicy, before: bool) -> Result<RunResult, RunError> {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Filling::default());
    let history = History::open(store.clone(), Default::default(), Timestamp::default()).unwrap();
    let journal = Journal::new(history, store.clone(), values(dir.path(), store.clone())).unwrap();
    let mut flow = Flow::builder("filled");
    let first = {
        let store = Arc::clone(&store);
        flow.node("first", (), move || {
            store.is_full.store(true, Ordering::Relaxed);
            Ok(())
        })
    };
    flow.node("second", (first,), |(): &()| Ok(2));
    let flow = flow.build().unwrap().in_journal(journal.policy(policy));
    store.is_full.store(before, Ordering::Relaxed);
    flow.run(Request::new())
}

#[test]
fn a_history_that_can_not_be_written_loses_no_result() {
    let failed = filled(JournalPolicy::Fail, false).unwrap();
    insta::assert_snapshot!(story(&failed), @r"
    first: succeeded
    second: succeeded
    run failed: the run could not be written down: the journal's store failed: the store is read only: no space left on device; once that is mended, open it again
    ");
    let warned = filled(JournalPolicy::Warn, false).unwrap();
    assert!(warned.succeeded(), "{warned}");
    insta::assert_snapshot!(warned.warning().unwrap(), @"the journal's store failed: the store is read only: no space left on device; once that is mended, open it again");
    // Without a beginning there would be nothing to ask about.
    let refused = filled(JournalPolicy::Fail, true).unwrap_err();
    let RunError::Journal { source: JournalError::History(source), .. } = &refused else {
        panic!("{refused}")
    };
    insta::assert_snapshot!(format!("{refused}: {source}"), @"the journal of flow `filled` failed: the history's store: the store is read only: no space left on device; once that is mended, open it again");
}
