//! Reading and writing JSON Lines, in bytes of JSON per second.
//! `cargo bench -p selvedge-io --bench jsonl`

use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use selvedge_io::jsonl::{self, Writer};
use serde::{Deserialize, Serialize};

/// A record of ordinary size: about 150 bytes as JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    id: u64,
    customer: String,
    price: f64,
    quantity: u32,
    tags: Vec<String>,
    note: Option<String>,
}

fn order(id: u64) -> Order {
    Order {
        id,
        customer: format!("customer-{:06}", id * 7919 % 1_000_000),
        price: (id % 10_000) as f64 * 0.37,
        quantity: (id % 17) as u32,
        tags: vec!["retail".to_owned(), format!("region-{}", id % 50)],
        note: id.is_multiple_of(3).then(|| "leave at the door".to_owned()),
    }
}

fn write(path: &Path, orders: &[Order]) -> u64 {
    let mut writer = Writer::atomic(path).expect("the folder is ours");
    for order in orders {
        writer.write(order).expect("there is room");
    }
    writer.finish().expect("there is room").bytes
}

fn jsonl(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let orders: Vec<Order> = (0..100_000).map(order).collect();
    for name in ["orders.jsonl", "orders.jsonl.gz", "orders.jsonl.zst"] {
        let path = folder.path().join(name);
        let mut group = c.benchmark_group(name);
        group.sample_size(10);
        group.throughput(Throughput::Bytes(write(&path, &orders)));
        group.bench_function("read typed", |b| {
            b.iter(|| {
                for order in jsonl::read::<Order>(&path) {
                    black_box(order.expect("it was just written"));
                }
            });
        });
        group.bench_function("write", |b| b.iter(|| write(&path, &orders)));
        if name == "orders.jsonl" {
            // What reading can't be faster than: the same decoding over a file in memory.
            let whole = fs::read_to_string(&path).expect("it was just written");
            group.bench_function("decode only", |b| {
                b.iter(|| {
                    for line in whole.lines() {
                        black_box(serde_json::from_str::<Order>(line).expect("an order"));
                    }
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, jsonl);
criterion_main!(benches);
