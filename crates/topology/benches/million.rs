//! What a topology of a million nodes costs: ten lanes of a hundred thousand layers, two parents
//! each; defined by name, checked, ordered, walked and laid out.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use selvedge_topology::{Layout, Topology, TopologyBuilder};

const N_NODES: usize = 1_000_000;
const N_LANES: usize = 10;

fn parents(node: usize) -> Option<[usize; 2]> {
    let layer = (node / N_LANES).checked_sub(1)? * N_LANES;
    Some([layer + node % N_LANES, layer + (node + 1) % N_LANES])
}

fn by_name(names: &[String]) -> TopologyBuilder {
    let mut builder = Topology::builder("lanes");
    for (node, name) in names.iter().enumerate() {
        builder.node(name);
        for parent in parents(node).into_iter().flatten() {
            builder.edge(&names[parent], name);
        }
    }
    builder
}

fn by_number(names: &[String]) -> TopologyBuilder {
    let mut builder = Topology::builder("lanes");
    builder.reserve(N_NODES, 2 * N_NODES);
    let mut nodes = Vec::with_capacity(names.len());
    for (node, name) in names.iter().enumerate() {
        nodes.push(builder.node(name).index());
        for parent in parents(node).into_iter().flatten() {
            builder.link(nodes[parent], nodes[node]);
        }
    }
    builder
}

fn million(c: &mut Criterion) {
    let names: Vec<String> = (0..N_NODES).map(|node| format!("node-{node:07}")).collect();
    let mut group = c.benchmark_group("million");
    group.sample_size(10).throughput(Throughput::Elements(N_NODES as u64));
    group.bench_function("define-by-name", |b| b.iter(|| black_box(by_name(&names))));
    group.bench_function("define-by-number", |b| b.iter(|| black_box(by_number(&names))));
    group.bench_function("check-and-order", |b| {
        let builder = by_number(&names);
        b.iter_batched(
            || builder.clone(),
            |builder| builder.build().expect("the lanes have no cycle"),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("define-and-build", |b| {
        b.iter(|| by_number(&names).build().expect("the lanes have no cycle"));
    });
    let topology = by_number(&names).build().expect("the lanes have no cycle");
    group.bench_function("descendants", |b| {
        b.iter(|| topology.descendants(topology.roots()).into_set().n_nodes());
    });
    group.bench_function("layout", |b| b.iter(|| Layout::with_rounds(&topology, 1).width()));
    group.finish();
}

criterion_group!(benches, million);
criterion_main!(benches);
