//! What a commit, a read and a scan cost, on the default engine. Beside plain engines:
//! `cargo xtask bench store`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use selvedge_store::{Batch, Durability, Durable, Read, Scan, Store};

const N_RECORDS: u64 = 20_000;

fn store() -> (tempfile::TempDir, Durable) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Durable::open(dir.path()).expect("the directory is fine");
    let put = |batch: Batch, n: u64| batch.put("n", &n.to_be_bytes(), [7; 256]);
    for begin in (0..N_RECORDS).step_by(1000) {
        let batch = (begin..begin + 1000).fold(Batch::new(), put);
        store.commit(batch, Durability::None).expect("there is room");
    }
    (dir, store)
}

fn benches(criterion: &mut Criterion) {
    let (_dir, store) = store();
    let mut n = 0u64;
    let mut key = || {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((n >> 33) % N_RECORDS).to_be_bytes()
    };
    for durability in [Durability::Sync, Durability::None] {
        criterion.bench_function(&format!("put, {durability:?}"), |bencher| {
            bencher.iter(|| store.put("n", &key(), &[8; 256], durability));
        });
    }
    criterion.bench_function("batch of 100, Sync", |bencher| {
        let batch = || (0..100).fold(Batch::new(), |batch, _| batch.put("n", &key(), [8; 256]));
        let commit = |batch| store.commit(batch, Durability::Sync);
        let mut batch = batch;
        bencher.iter_batched(&mut batch, commit, BatchSize::SmallInput);
    });
    criterion.bench_function("get", |bencher| {
        bencher.iter(|| black_box(store.get("n", &key())));
    });
    criterion.bench_function("scan of 1000", |bencher| {
        bencher.iter(|| black_box(store.scan(Scan::all("n")).take(1000).count()));
    });
}

criterion_group!(group, benches);
criterion_main!(group);
