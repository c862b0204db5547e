//! What a task costs: a graph of a hundred thousand nodes that count to zero, and a map over a
//! range, on one thread. `SELVEDGE_SCOPES_ONCE=dag`, `=map` or `=window` runs one of them a single
//! time, to be counted by callgrind or looked at from outside.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use selvedge_event::Init;
use selvedge_runtime::{Context, Pipeline, Result, ScopeOptions, TaskContext, Tasks, on, tasks};
use selvedge_sync::Clock;
use selvedge_sync::atomic::{AtomicU32, AtomicU64, Ordering};

const N_NODES: u32 = 100_000;
const N_ITEMS: u32 = 1_000_000;

/// A grid: a node waits for the one to the left and the one above.
struct Dag {
    width: u32,
    pending: Vec<AtomicU32>,
    n_done: AtomicU64,
}

impl Dag {
    fn new(n_nodes: u32) -> Dag {
        let width = n_nodes.isqrt();
        let pending = (0..n_nodes).map(|node| AtomicU32::new(Dag::parents(node, width)));
        Dag { width, pending: pending.collect(), n_done: AtomicU64::new(0) }
    }

    fn parents(node: u32, width: u32) -> u32 {
        u32::from(!node.is_multiple_of(width)) + u32::from(node >= width)
    }
}

impl Tasks for Dag {
    fn turn(&self, cx: &mut TaskContext<'_>, node: u32) -> Result {
        let right = (!(node + 1).is_multiple_of(self.width)).then_some(node + 1);
        for child in right.into_iter().chain([node + self.width]) {
            if let Some(pending) = self.pending.get(child as usize)
                && pending.fetch_sub(1, Ordering::AcqRel) == 1
            {
                cx.post(child);
            }
        }
        self.n_done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn run(workers: usize, options: ScopeOptions, n: u32, work: &Arc<impl Tasks>) -> Duration {
    let (work, options) = (Arc::clone(work), options);
    let pipeline = Pipeline::builder()
        .processor(on("opens", move |cx: &mut Context<'_>, _: &Init| {
            cx.scope(options.clone(), Arc::clone(&work))?.post_range(0..n);
            Ok(())
        }))
        .workers(workers)
        .build()
        .expect("the wiring is sound");
    let clock = Clock::real();
    pipeline.run().expect("nothing fails");
    clock.now()
}

fn dag(workers: usize) -> Duration {
    let dag = Arc::new(Dag::new(N_NODES));
    let took = run(workers, ScopeOptions::named("dag"), 1, &dag);
    assert_eq!(dag.n_done.load(Ordering::Relaxed), u64::from(N_NODES));
    took
}

fn map(workers: usize, options: ScopeOptions) -> Duration {
    let n_done = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&n_done);
    let work = tasks(move |_: &mut TaskContext<'_>, item| {
        black_box(item);
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let took = run(workers, options, N_ITEMS, &Arc::new(work));
    assert_eq!(n_done.load(Ordering::Relaxed), u64::from(N_ITEMS));
    took
}

/// So many scopes of one task each, open at once.
fn scopes(n: u32) -> Duration {
    let pipeline = Pipeline::builder()
        .processor(on("opens", move |cx: &mut Context<'_>, _: &Init| {
            for _ in 0..n {
                cx.scope(ScopeOptions::named("one"), tasks(|_, _| Ok(())))?.post(0);
            }
            Ok(())
        }))
        .workers(1)
        .build()
        .expect("the wiring is sound");
    let clock = Clock::real();
    pipeline.run().expect("nothing fails");
    clock.now()
}

fn bench(criterion: &mut Criterion) {
    match std::env::var("SELVEDGE_SCOPES_ONCE").as_deref() {
        Ok("dag") => return println!("{:?}", dag(1)),
        Ok("map") => return println!("{:?}", map(1, ScopeOptions::named("map"))),
        Ok("window") => {
            return println!("{:?}", map(1, ScopeOptions::named("map").concurrency_max(64)));
        }
        _ => {}
    }
    let mut group = criterion.benchmark_group("scopes");
    group.sample_size(20);
    group.throughput(Throughput::Elements(u64::from(N_NODES)));
    for workers in [1, 2] {
        group.bench_function(format!("dag/{workers}"), |bencher| {
            bencher.iter_custom(|n| (0..n).map(|_| dag(workers)).sum());
        });
    }
    group.sample_size(10);
    group.throughput(Throughput::Elements(u64::from(N_ITEMS)));
    let capped = || ScopeOptions::named("map").concurrency_max(64);
    group.bench_function("map", |bencher| {
        bencher.iter_custom(|n| (0..n).map(|_| map(1, ScopeOptions::named("map"))).sum());
    });
    group.bench_function("map/window", |bencher| {
        bencher.iter_custom(|n| (0..n).map(|_| map(1, capped())).sum());
    });
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("scopes", |bencher| {
        bencher.iter_custom(|n| (0..n).map(|_| scopes(10_000)).sum());
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
