//! Group commits under schedules that `shuttle` picks: whoever commits returns, and finds what it
//! committed, whoever led.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p selvedge-store --test shuttle --target-dir
//! target/shuttle` runs it; `SELVEDGE_SHUTTLE_ITERATIONS` says how often.

#![cfg(shuttle)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use selvedge_store::{
    Backend, Batch, Durability, Engine, EngineError, EngineWrite, KeyRange, Options, Order, Pairs,
    Read, Store, StoreError,
};
use selvedge_sync::thread::spawn;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// A map; nothing in it waits, so the schedule is all about the store's own locks.
#[derive(Debug, Default)]
struct Map(Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>);

impl Backend for Map {
    fn name(&self) -> &'static str {
        "map"
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Engine>, EngineError> {
        std::fs::create_dir_all(dir)?;
        Ok(Box::new(Map(Arc::clone(&self.0))))
    }
}

impl Engine for Map {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.0.lock().expect("nobody panics").get(key).cloned())
    }

    fn page(&self, range: KeyRange<'_>, _: Order, n_max: usize) -> Result<Pairs, EngineError> {
        let records = self.0.lock().expect("nobody panics");
        let range = records.range::<[u8], _>(range).take(n_max);
        Ok(range.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn apply(&self, writes: Vec<EngineWrite>) -> Result<(), EngineError> {
        let mut records = self.0.lock().expect("nobody panics");
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

/// Writers of each durability, and one that compares and sets against another.
fn groups() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    // Time stands still: nobody may wait for it. Segments end, so that bases are written.
    let options = Options::new().group_wait(Duration::ZERO).segment_bytes(200);
    let store = Arc::new(options.open(dir.path(), &Map::default()).expect("it is empty"));
    let durabilities = [Durability::Sync, Durability::Group, Durability::None];
    let writers: Vec<_> = (0u8..3)
        .zip(durabilities)
        .map(|(writer, durability)| {
            let store = Arc::clone(&store);
            let write = move || {
                for n in 0..2 {
                    let batch = Batch::new().put("a", &[writer], [n]).put("b", &[writer], [n]);
                    store.commit(batch, durability).expect("it is in order");
                    assert_eq!(store.get("a", &[writer]).expect("it is in order"), Some(vec![n]));
                }
                let won = store.compare_and_set("c", b"k", None, Some(&[writer]), durability);
                assert!(matches!(won, Ok(()) | Err(StoreError::Conflict { .. })), "{won:?}");
                won.is_ok()
            };
            spawn("writer", write).expect("there is room for a thread")
        })
        .collect();
    let snapshot = store.snapshot().expect("it is in order");
    for writer in 0u8..3 {
        let get = |namespace| snapshot.get(namespace, &[writer]).expect("it is in order");
        assert_eq!(get("a"), get("b"), "nobody sees half of a batch");
    }
    drop(snapshot);
    let n_won = writers.into_iter().filter_map(|writer| writer.join().ok()).filter(|won| *won);
    assert_eq!(n_won.count(), 1, "one of them was the first");
}

#[test]
fn who_commits_returns() {
    const DEPTH: usize = 4;
    let n = std::env::var("SELVEDGE_SHUTTLE_ITERATIONS")
        .map_or(50, |value| value.parse().expect("SELVEDGE_SHUTTLE_ITERATIONS is a number"));
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    Runner::new(RandomScheduler::new(n), config.clone()).run(groups);
    Runner::new(PctScheduler::new(DEPTH, n), config).run(groups);
}
