//! What an event costs: made, read, cloned and dropped, inline and shared, with a payload of one
//! word for each. The shared one differs in nothing but the permission to be copied.

use std::hint::black_box;

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use selvedge_event::{Event, Kind, Payload};

#[derive(Clone, Copy, Event)]
struct Inline(u64);

struct Shared(u64);

impl Payload for Shared {
    fn kind() -> Kind {
        Kind::literal("bench::Shared")
    }
}

struct Other;

impl Payload for Other {
    fn kind() -> Kind {
        Kind::literal("bench::Other")
    }
}

fn each<T: Payload>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    form: &str,
    make: fn(u64) -> T,
    read: fn(&T) -> u64,
) {
    let life = |number: u64| {
        let event = Event::new(make(number));
        let clone = black_box(event.clone());
        drop(event);
        clone.payload().map(read)
    };
    let event = black_box(Event::new(make(7)));
    group.bench_function(format!("make-clone-read-drop/{form}"), |b| {
        b.iter(|| black_box(life(black_box(7))));
    });
    group.bench_function(format!("make-drop/{form}"), |b| {
        b.iter(|| drop(black_box(Event::new(make(black_box(7))))));
    });
    group.bench_function(format!("clone-drop/{form}"), |b| {
        b.iter(|| drop(black_box(black_box(&event).clone())));
    });
    group.bench_function(format!("read/{form}"), |b| {
        b.iter(|| black_box(&event).payload().map(read));
    });
    group.bench_function(format!("read-as-another/{form}"), |b| {
        b.iter(|| black_box(&event).is::<Other>());
    });
    group.bench_function(format!("way/{form}"), |b| {
        b.iter(|| black_box(&event).way());
    });
}

fn events(c: &mut Criterion) {
    let mut group = c.benchmark_group("event");
    each(&mut group, "inline", Inline, |payload| payload.0);
    each(&mut group, "shared", Shared, |payload| payload.0);
    group.finish();
}

criterion_group!(benches, events);
criterion_main!(benches);
