//! What a digest costs: a small struct, which is mostly hashing, and a megabyte of JSON, which is
//! mostly walking. The reader and the byte form stand beside it for comparison.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use selvedge_event::{Digest, digest};
use serde::Serialize;

#[derive(Serialize)]
struct Order {
    id: u64,
    customer: &'static str,
    quantity: u32,
    price: f64,
    paid: bool,
}

/// Rows such as a package index has, about a megabyte as JSON text.
fn tree() -> serde_json::Value {
    let row = |i: u32| {
        serde_json::json!({
            "id": i,
            "name": format!("package-{i}"),
            "version": "5.36.0-7+deb12u4",
            "description": "a string of some length, as a record has one somewhere, and more than \
                an entry can hold inline",
            "depends": [["perl-base"], ["libc6", "libc"]],
            "size": f64::from(i) * 1.5,
            "essential": i.is_multiple_of(7),
            "extra": { "a": null, "b": [1, 2, 3, 4] },
        })
    };
    (0..3300).map(row).collect()
}

fn benches(criterion: &mut Criterion) {
    let order = Order { id: 7, customer: "Ada Lovelace", quantity: 3, price: 9.75, paid: true };
    let mut group = criterion.benchmark_group("digest/struct of 5");
    group.bench_function("digest", |b| b.iter(|| Digest::of(black_box(&order))));
    group.bench_function("encode", |b| b.iter(|| digest::encode(black_box(&order))));
    group.finish();

    let tree = tree();
    let encoding = digest::encode(&tree).expect("JSON has an encoding");
    let mut group = criterion.benchmark_group("digest/1 MB tree");
    group.throughput(Throughput::Bytes(tree.to_string().len() as u64));
    group.bench_function("digest", |b| b.iter(|| Digest::of(black_box(&tree))));
    group.bench_function("encode", |b| b.iter(|| digest::encode(black_box(&tree))));
    group.bench_function("decode", |b| b.iter(|| digest::decode(black_box(&encoding))));
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
