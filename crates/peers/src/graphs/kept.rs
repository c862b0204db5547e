//! W4p: a chain of builders whose results outlive the run, and the store alone with the same
//! records. What the second takes is what the first can't do without.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use selvedge::prelude::*;
use selvedge::store::{Batch, Durability, Durable, Entry, Scan, Store};

use super::{Memory, SOUND, Threads, build_chain};
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::selvedge::{Feed, Layout};
use crate::usage::Usage;
use crate::workload::chain;

/// Records that a thread commits together: as many as a worker's batch has turns.
const BATCH_LEN: usize = 128;

/// Why a store can't fail.
const WRITABLE: &str = "a folder for temporary files takes a store";

/// The chain.
pub(super) fn builders(scale: Scale) -> Sample {
    let dir = Dir::new("builders");
    run(scale, &dir.store())
}

/// The store alone, committing from as many threads what the chain did.
pub(super) fn store_alone(scale: Scale) -> Sample {
    let dir = Dir::new("builders");
    let store = dir.store();
    run(scale, &store);
    let mut records = Vec::new();
    for namespace in store.namespaces().expect(WRITABLE) {
        let entries = store.scan(Scan::all(&namespace));
        records.extend(entries.map(|entry| (namespace.clone(), entry.expect(WRITABLE))));
    }
    drop(store);
    let alone = Dir::new("alone");
    let store = alone.store();
    // What it took to make the records is not the store's.
    let before = Usage::now();
    let (_, mut sample) = timed(chain::n_kept(scale), || {
        let (one, other) = records.split_at(records.len() / 2);
        thread::scope(|scope| {
            scope.spawn(|| commit(&*store, one));
            commit(&*store, other);
        });
    });
    sample.usage.cpu_secs -= before.cpu_secs;
    sample
}

fn commit(store: &dyn Store, records: &[(String, Entry)]) {
    for records in records.chunks(BATCH_LEN) {
        let put = |batch: Batch, (namespace, entry): &(String, Entry)| {
            batch.put(namespace, &entry.key, entry.value.clone())
        };
        let batch = records.iter().fold(Batch::new(), put);
        store.commit(batch, Durability::Group).expect(WRITABLE);
    }
}

fn run(scale: Scale, store: &Arc<dyn Store>) -> Sample {
    let n = chain::n_kept(scale);
    let (graph, input, received) = build_chain(n, &Memory::Results);
    let pipeline = Pipeline::builder().store(Arc::clone(store));
    let pipeline = Threads::open(graph.install(pipeline).expect(SOUND), n);
    let (_, sample) = timed(n, || {
        pipeline.run(|feed| {
            (0..n).for_each(|value| Feed::submit(feed, input.made(value)));
        })
    });
    assert_eq!(received.recv(), Ok(chain::expected(n)));
    sample
}

/// A folder that goes when it is dropped.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let name = format!("selvedge-peers-{}-{name}", std::process::id());
        Dir(std::env::temp_dir().join(name))
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(Durable::open(&self.0).expect(WRITABLE))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
