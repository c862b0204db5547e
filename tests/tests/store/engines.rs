//! An engine of one's own: a map in memory that damages records, panics or fails when told to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use insta::assert_snapshot;
use selvedge_store::{
    Backend, Batch, Damage, Durability, Durable, Engine, EngineError, EngineWrite, KeyRange,
    Options, Order, Pairs, Read, Scan, Store,
};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Clones are one engine.
#[derive(Clone, Debug, Default)]
struct Tampered {
    records: Arc<Mutex<Map>>,
    panics_at: Option<&'static str>,
    fails_to_write: Arc<Mutex<bool>>,
}

impl Backend for Tampered {
    fn name(&self) -> &'static str {
        "tampered"
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Engine>, EngineError> {
        assert!(self.panics_at != Some("open"), "can't be opened");
        if !dir.exists() {
            // It was removed, to be made anew.
            self.records.lock().expect("nobody panics").clear();
            std::fs::create_dir(dir)?;
        }
        Ok(Box::new(self.clone()))
    }
}

impl Engine for Tampered {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        assert!(self.panics_at != Some("get") || key.len() == 1, "can't be read");
        Ok(self.records.lock().expect("nobody panics").get(key).cloned())
    }

    fn page(&self, range: KeyRange<'_>, order: Order, n: usize) -> Result<Pairs, EngineError> {
        let records = self.records.lock().expect("nobody panics");
        let range = records.range::<[u8], _>(range);
        let pair = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
        Ok(match order {
            Order::Ascending => range.take(n).map(pair).collect(),
            Order::Descending => range.rev().take(n).map(pair).collect(),
        })
    }

    fn apply(&self, writes: Vec<EngineWrite>) -> Result<(), EngineError> {
        if *self.fails_to_write.lock().expect("nobody panics") {
            return Err("no more room".into());
        }
        let mut records = self.records.lock().expect("nobody panics");
        for (key, value) in writes {
            match value {
                Some(value) => records.insert(key, value),
                None => records.remove(&key),
            };
        }
        Ok(())
    }

    fn hand_over(&self) -> Result<(), EngineError> {
        Ok(())
    }
}

fn filled(engine: &Tampered, dir: &Path) -> Durable {
    let store = Options::new().open(dir, engine).expect("the directory is fine");
    let batch = Batch::new().put("n", b"a", "1").put("n", b"b", "2").put("n", b"c", "3");
    store.commit(batch, Durability::Sync).expect("it is within the limits");
    store
}

#[test]
fn an_engine_of_ones_own_keeps_the_laws() {
    let engine = Mutex::new(BTreeMap::<std::path::PathBuf, Tampered>::new());
    selvedge_testkit::store_laws(|dir| {
        let engine =
            engine.lock().expect("nobody panics").entry(dir.to_owned()).or_default().clone();
        Options::new().open(dir, &engine).expect("the directory is fine")
    });
}

#[test]
fn a_damaged_record_is_named_and_the_rest_stays() {
    let (engine, dir) = (Tampered::default(), tempfile::tempdir().expect("a directory"));
    let store = filled(&engine, dir.path());
    engine.records.lock().expect("nobody panics").get_mut(&b"\x01nb"[..]).expect("it's there")
        [0] ^= 1;
    let error = store.get("n", b"b").expect_err("it is damaged");
    assert_snapshot!(
        error,
        @"n/b isn't what was written; `verify` lists what else isn't, opening again mends it"
    );
    let found: Vec<String> = store
        .scan(Scan::all("n"))
        .map(|entry| match entry {
            Ok(entry) => String::from_utf8_lossy(&entry.value).into_owned(),
            Err(error) => format!("{error}").chars().take(5).collect(),
        })
        .collect();
    assert_eq!(found, ["1", "n/b i", "3"]);
    let damages = store.verify().expect("all can be read");
    assert!(matches!(&damages[..], [Damage::Record { at }] if at.to_string() == "n/b"));
    drop(store);
    let store = Options::new().open(dir.path(), &engine).expect("the directory is fine");
    assert!(store.opened().is_rebuilt);
    assert_eq!(store.get("n", b"b").expect("it is mended"), Some(b"2".to_vec()));
}

#[test]
fn panics_of_an_engine_are_errors() {
    let (mut engine, dir) = (Tampered::default(), tempfile::tempdir().expect("a directory"));
    drop(filled(&engine, dir.path()));
    engine.panics_at = Some("get");
    let store = Options::new().open(dir.path(), &engine).expect("it can be opened");
    let error = store.get("n", b"a").expect_err("it panics").to_string();
    let (told, hint) = error.split_once("; ").expect("it says what to do");
    assert_snapshot!(told, @"tampered failed to read: it panicked: can't be read");
    assert_snapshot!(hint, @"open the store again to have it made anew");
    drop(store);
    engine.panics_at = Some("open");
    let error = Options::new().open(dir.path(), &engine).expect_err("it panics every time");
    let told = error.to_string();
    let told = told.split("; ").next().unwrap_or_default();
    assert_snapshot!(told, @"tampered failed to open: it panicked: can't be opened");
}

#[test]
fn an_engine_that_fails_ends_writing_and_is_made_anew() {
    let (engine, dir) = (Tampered::default(), tempfile::tempdir().expect("a directory"));
    let store = filled(&engine, dir.path());
    *engine.fails_to_write.lock().expect("nobody panics") = true;
    let put = |store: &Durable| store.put("n", b"d", b"4", Durability::Sync);
    let told = [put(&store), put(&store)].map(|put| put.expect_err("it fails").to_string());
    assert_eq!(told[0], told[1]);
    assert_snapshot!(told[0].replace("; ", "\n"), @r"
    the store is read only: tampered failed to write: no more room
    open the store again to have it made anew
    once that is mended, open it again
    ");
    assert_eq!(store.get("n", b"a").expect("reading goes on"), Some(b"1".to_vec()));
    drop(store);
    *engine.fails_to_write.lock().expect("nobody panics") = false;
    let store = Options::new().open(dir.path(), &engine).expect("it is mended");
    assert!(store.opened().is_rebuilt);
    put(&store).expect("it is mended");
}

#[test]
fn a_snapshot_over_its_limit_is_too_old() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options::new().snapshot_bytes_max(100);
    let store = options.open(dir.path(), &Tampered::default()).expect("the directory is fine");
    let put = |value: u8| store.put("n", b"k", &[value; 60], Durability::None);
    put(1).expect("there is room");
    let snapshot = store.snapshot().expect("it can be read");
    put(2).expect("there is room");
    put(3).expect("there is room");
    assert_eq!(snapshot.get("n", b"k").expect("one is kept aside"), Some(vec![1; 60]));
    store.put("n", b"other", &[0; 99], Durability::None).expect("there is room");
    store.delete("n", b"other", Durability::None).expect("there is room");
    for n in 0..30 {
        store.put("n", &[n], b"new keys are kept aside too", Durability::None).expect("room");
    }
    assert_snapshot!(
        snapshot.get("n", b"k").expect_err("too much was replaced"),
        @"the snapshot is too old: over 100 bytes were replaced since; take a new one"
    );
}
