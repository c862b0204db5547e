//! Where results are kept: in memory up to a limit, in a store before anybody hears of them, and
//! what becomes of records that can't be read or written.

use std::sync::Mutex;

use insta::assert_snapshot;
use selvedge::runtime::{ArchivePolicy, Durability};
use selvedge::store::{Batch, Entries, Read, RecordKey, Scan, Snapshot, StoreError};

use super::*;

/// A store in memory that says what is done to it, and fails when told to.
#[derive(Debug, Default)]
struct Told {
    memory: Memory,
    log: Arc<Mutex<Vec<String>>>,
    fails: bool,
}

/// These stores differ in how they write; they are read as the memory beneath is.
macro_rules! reads_its_memory {
    ($($store:ident),*) => {
        $(impl Read for $store {
            fn get(&self, namespace: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
                self.memory.get(namespace, key)
            }

            fn scan(&self, scan: Scan) -> Entries<'_> {
                self.memory.scan(scan)
            }

            fn namespaces(&self) -> Result<Vec<String>, StoreError> {
                self.memory.namespaces()
            }
        })*
    };
}

reads_its_memory!(Told, Slow);

impl Store for Told {
    fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        let line = format!("commit of {} {durability:?}", batch.len());
        self.log.lock().expect("nobody panics with it").push(line);
        if self.fails {
            return Err(StoreError::Conflict { at: RecordKey::new("planted", b"failure") });
        }
        self.memory.commit(batch, durability)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.memory.snapshot()
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.log.lock().expect("nobody panics with it").push("flush".to_owned());
        self.memory.flush()
    }
}

/// A store that says that it is about to commit, and commits when it is allowed to.
#[derive(Debug)]
struct Slow {
    memory: Arc<Memory>,
    commits: Mutex<std::sync::mpsc::Sender<()>>,
    may_commit: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Store for Slow {
    fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        self.commits.lock().expect("nobody panics with it").send(()).expect("somebody waits");
        self.may_commit.lock().expect("nobody panics with it").recv().expect("it is told");
        self.memory.commit(batch, durability)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.memory.snapshot()
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.memory.flush()
    }
}

/// Does as [`spell`] on a store that is told about; what was done to it and heard, in order.
fn told(cache: Cache, words: &[&str], limits: Limits) -> String {
    let log = Arc::default();
    let store = Told { log: Arc::clone(&log), ..Told::default() };
    let pipeline = Pipeline::builder()
        .processor(Speller::default().cached_with(cache))
        .processor(Hearer(Arc::clone(&log)).named("hearer"))
        .workers(1)
        .limits(limits)
        .store(Arc::new(store))
        .build()
        .expect("the wiring is sound");
    for text in words {
        pipeline.submit(word(text)).expect("there is room");
    }
    pipeline.run().expect("nothing fails");
    let log = log.lock().expect("nobody panics with it");
    let shown = log.iter().filter(|line| line.contains("Length") || !line.contains("Event"));
    shown.map(String::as_str).collect::<Vec<_>>().join("\n")
}

fn unhurried() -> Limits {
    Limits { batch_time_max: std::time::Duration::from_secs(60), ..Limits::default() }
}

#[test]
fn the_records_of_a_batch_are_written_at_once_before_anybody_hears_of_them() {
    let words = ["a", "b", "a", "c"];
    assert_snapshot!(told(Cache::new(), &words, unhurried()), @r#"
    commit of 3 Sync
    Event(selvedge-tests::Length "a" 1)
    Event(selvedge-tests::Length "b" 1)
    Event(selvedge-tests::Length "a" 1)
    Event(selvedge-tests::Length "c" 1)
    "#);
    let one_by_one = Limits { batch_turns_max: 1, ..unhurried() };
    let group = Cache::new().durability(Durability::Group);
    assert_snapshot!(told(group, &words, one_by_one), @r#"
    commit of 1 Group
    commit of 1 Group
    commit of 1 Group
    Event(selvedge-tests::Length "a" 1)
    Event(selvedge-tests::Length "b" 1)
    Event(selvedge-tests::Length "a" 1)
    Event(selvedge-tests::Length "c" 1)
    "#);
}

#[test]
fn no_record_is_lost_that_somebody_heard_of() {
    let store = Arc::new(Memory::new());
    let kept = Arc::clone(&store);
    let (commit, may_commit) = std::sync::mpsc::channel();
    let (commits, about_to_commit) = std::sync::mpsc::channel();
    let (commits, may_commit) = (Mutex::new(commits), Mutex::new(may_commit));
    let slow = Slow { memory: kept, commits, may_commit };
    let (hear, heard) = std::sync::mpsc::channel();
    let pipeline = Pipeline::builder()
        .processor(Speller::default().cached())
        .processor(on("hearer", move |_: &mut Context<'_>, length: &Length| match length.0 {
            // Whatever is posted by then is found when this turn ends.
            0 => Ok(about_to_commit.recv()?),
            _ => Ok(hear.send(())?),
        }))
        .workers(2)
        .store(Arc::new(slow))
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Length(0)).expect("there is room");
    pipeline.submit(word("a")).expect("there is room");
    let running = pipeline.start().expect("threads can be started");
    // Gone before the run is, so that a failure doesn't leave that waiting.
    let commit = commit;
    // Whoever hears too early hears now: the commit waits for this thread, as long as it takes.
    let early = heard.recv_timeout(std::time::Duration::from_millis(200));
    assert!(early.is_err(), "it is heard of before it is kept");
    assert_eq!(store.namespaces().expect("memory doesn't fail").len(), 0);
    commit.send(()).expect("the commit waits");
    heard.recv().expect("it is heard of now");
    assert_eq!(store.namespaces().expect("memory doesn't fail").len(), 1);
    running.finish().expect("nothing fails");
}

#[test]
fn what_need_not_be_durable_is_flushed_at_the_end() {
    assert_snapshot!(told(Cache::new().durability(Durability::None), &["a"], unhurried()), @r#"
    commit of 1 None
    Event(selvedge-tests::Length "a" 1)
    flush
    "#);
}

#[test]
fn a_record_that_can_t_be_read_is_computed_again_and_told() {
    let damage = |bytes: &[u8]| {
        let (store, calls) = (Arc::new(Memory::new()), Calls::default());
        let speller = || Speller { upper: false, calls: calls.clone() }.cached();
        let (first, _) = spell(speller(), Some(store.clone()), &["a"]);
        let namespace = namespace_of(&store);
        let records = store.scan(Scan::all(&namespace)).collect::<Result<Vec<_>, _>>();
        let record = records.expect("memory doesn't fail").remove(0);
        store.put(&namespace, &record.key, bytes, Durability::Sync).expect("there is room");

        let failing = Speller::default().cached_with(Cache::new().on_failure(ArchivePolicy::Fail));
        let pipeline = Pipeline::builder().processor(failing).store(store.clone()).build();
        let pipeline = pipeline.expect("the wiring is sound");
        pipeline.submit(word("a")).expect("there is room");
        let error = pipeline.run().expect_err("the record can't be read").to_string();
        assert!(error.contains("memo/b3:") && error.contains("can't be read"), "{error}");

        let (second, report) = spell(speller(), Some(store.clone()), &["a"]);
        assert_eq!((calls.n(), second), (2, first));
        let warning = report.warnings.last().expect("it is told").clone();
        // Mended by that.
        let (_, report) = spell(speller(), Some(store), &["a"]);
        assert_eq!((calls.n(), n_replayed(&report)), (2, 1));
        let (before, after) = warning.split_once(" memo/").expect("it names the record");
        let why = after.split_once(' ').expect("it says why").1;
        format!("{before} … {why}")
    };
    assert_snapshot!(damage(b"nonsense"), @"cache of `speller`: computed again, since record … can't be read: it is no record: expected ident at line 1 column 2");
    assert_snapshot!(damage(br#"{"format":3}"#), @"cache of `speller`: computed again, since record … can't be read: it is written in format 3, and this version reads formats up to 2");
    let emission = |kind: &str, version: u32, value: &str| {
        let digest = Digest::of(&Length(1)).expect("it has one");
        damage(
            format!(
                r#"{{"format":1,"emissions":[{{"kind":"selvedge-tests::{kind}","version":{version},
                "digest":"{digest}","value":{value}}}]}}"#
            )
            .as_bytes(),
        )
    };
    assert_snapshot!(emission("Length", 1, "2"), @"cache of `speller`: computed again, since record … can't be read: `selvedge-tests::Length` comes back as b3:642aaa5268ce422ff4f35da8ce5d7b38b72580179dff0d8481b485b448f4b8fe, but was written as b3:98273be6c3543b72891e87559c3effaa582d9192631a3ef05339ff5a5821a13c: the bytes are damaged, or the type doesn't read what it writes");
    assert_snapshot!(emission("Length", 2, "1"), @"cache of `speller`: computed again, since record … can't be read: `selvedge-tests::Length` is written in version 2, and the program has version 1");
    assert_snapshot!(emission("Height", 1, "1"), @"cache of `speller`: computed again, since record … can't be read: selvedge-tests::Height is of a type that was not declared: add it to what is emitted, which is `selvedge-tests::Letter`, `selvedge-tests::Length`");
}

#[test]
fn a_record_of_before_they_named_their_run_is_replayed() {
    let store: Arc<Memory> = Arc::new(Memory::new());
    let calls = Calls::default();
    let speller = || Speller { upper: false, calls: calls.clone() }.cached().named("speller");
    let (first, _) = spell(speller(), Some(store.clone()), &["a"]);
    let namespace = namespace_of(&store);
    let record = store.scan(Scan::all(&namespace)).next().expect("it was written");
    let record = record.expect("memory doesn't fail");
    let text = String::from_utf8(record.value).expect("it is JSON");
    let old = text.replace(r#"{"format":2,"#, r#"{"format":1,"#);
    assert_ne!(old, text);
    store.put(&namespace, &record.key, old.as_bytes(), Durability::Sync).expect("there is room");
    let (second, report) = spell(speller(), Some(store), &["a"]);
    assert_eq!((calls.n(), n_replayed(&report), second), (1, 1, first));
}

/// The one there is.
fn namespace_of(store: &Memory) -> String {
    store.namespaces().expect("memory doesn't fail").remove(0)
}

#[test]
fn a_store_that_takes_no_records_is_done_without_or_fails_the_run() {
    let run = |policy| {
        let store = Told { fails: true, ..Told::default() };
        let log = Arc::clone(&store.log);
        let speller = Speller::default();
        let cached = speller.clone().cached_with(Cache::new().on_failure(policy));
        let pipeline = Pipeline::builder()
            .processor(cached)
            .limits(Limits { batch_turns_max: 1, ..unhurried() })
            .store(Arc::new(store))
            .build()
            .expect("the wiring is sound");
        for text in ["a", "b", "a"] {
            pipeline.submit(word(text)).expect("there is room");
        }
        let end = pipeline.run();
        (end, speller.calls.n(), log.lock().expect("nobody panics with it").len())
    };
    let (end, n_calls, n_commits) = run(ArchivePolicy::Warn);
    let report = end.expect("it goes on");
    assert_eq!((n_calls, n_commits, report.processors[0].replayed), (2, 1, 1));
    assert_snapshot!(report.warnings.last().expect("it is told"), @"cache of `Speller`: results are kept in memory only from here on: planted/failure isn't what the batch requires, nothing was written; read it again and retry");

    let (end, n_calls, _) = run(ArchivePolicy::Fail);
    let error = end.expect_err("the run fails");
    assert!(matches!(error, RunError::Archive { .. }));
    assert_eq!(n_calls, 1, "no further turn starts");
    assert_snapshot!(error, @"what `Speller` emitted could not be recorded: planted/failure isn't what the batch requires, nothing was written; read it again and retry; to go on without, cache it with `ArchivePolicy::Warn`");
}

#[test]
fn in_memory_the_oldest_make_room_and_that_is_told() {
    let run = |store: Option<Arc<dyn Store>>, memo_max| {
        let speller = Speller::default();
        let builder = Pipeline::builder()
            .processor(speller.clone().cached().named("speller"))
            .limits(Limits { memo_max, batch_turns_max: 1, ..unhurried() })
            .workers(1);
        let builder = match store {
            Some(store) => builder.store(store),
            None => builder,
        };
        let pipeline = builder.build().expect("the wiring is sound");
        for text in ["a", "b", "c", "a", "c", "a"] {
            pipeline.submit(word(text)).expect("there is room");
        }
        let report = pipeline.run().expect("nothing fails");
        let told = report.warnings.iter().filter(|warning| warning.contains("cache")).cloned();
        (speller.calls.n(), told.collect::<Vec<_>>().join("\n"))
    };
    let (n_calls, told) = run(None, 2);
    assert_eq!(n_calls, 4);
    assert_snapshot!(told, @"cache of `speller`: 2 results were forgotten to make room: give the pipeline a store, or raise `Limits::memo_max` and `memo_bytes_max`");
    assert_eq!(run(None, 3), (3, String::new()));
    assert_eq!(run(None, 0).0, 6);
    // What had to go is in the store.
    assert_eq!(run(Some(memory()), 1), (3, String::new()));
}
