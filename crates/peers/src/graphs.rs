//! Our own graphs, on the workloads that bare processors run too: what builders, joins and
//! balanced workers cost beside them. It refuses every door that the facade doesn't open.
//!
//! A graph's artifacts are values of one type: an event of W6 is narrowed to one word, key above
//! value, as W6k's are.

mod kept;

use std::sync::mpsc::{self, Receiver};
use std::thread;

use selvedge::prelude::*;
use selvedge::reactive::balancer::{Dedupe, Options, Routing, balance};
use selvedge::reactive::rendezvous::{self, Duplicates, rendezvous};
use selvedge::reactive::{Reactive, Target, builder};

use crate::sample::{Run, Sample, timed};
use crate::scale::Scale;
use crate::selvedge::{Feed, Helping, Layout};
use crate::usage::resident_kb;
use crate::workload::Workload;
use crate::workload::chain::{self, Tally};
use crate::workload::join::{self, Join as _, Keyed, Pairs};
use crate::workload::{map, queue};

/// Two threads, one of which is the caller's, as the bare processors have them.
type Threads = Helping<2>;

/// Builders that build from every input, a join, workers in turns.
pub(crate) const GRAPH: &[(Workload, Run)] = &[
    (Workload::W4, |scale| builders(scale, &Memory::Nothing)),
    (Workload::W6, |scale| joined(scale, 1)),
    (Workload::W6m, meetings),
    (Workload::W7, |scale| balanced(scale, map::task, Routing::RoundRobin)),
    (Workload::W7u, |scale| balanced(scale, map::uneven, Routing::RoundRobin)),
];

/// Builders that leave out what they know.
pub(crate) const DEDUPED: &[(Workload, Run)] =
    &[(Workload::W4, |scale| builders(scale, &Memory::Inputs))];

/// Builders whose results outlive the run.
pub(crate) const KEPT: &[(Workload, Run)] = &[(Workload::W4p, kept::builders)];

/// What they keep, committed by nobody but the store.
pub(crate) const STORE: &[(Workload, Run)] = &[(Workload::W4p, kept::store_alone)];

/// A join in two shards.
pub(crate) const SHARDED: &[(Workload, Run)] = &[(Workload::W6, |scale| joined(scale, 2))];

/// Work that goes to whoever has least.
pub(crate) const LEAST_LOADED: &[(Workload, Run)] = &[
    (Workload::W7, |scale| balanced(scale, map::task, Routing::LeastLoaded { window: WINDOW })),
    (Workload::W7u, |scale| balanced(scale, map::uneven, Routing::LeastLoaded { window: WINDOW })),
];

/// Items that a worker has at a time: a few of 10 us pay for the way back.
const WINDOW: u32 = 8;

/// Why a graph can't be refused.
const SOUND: &str = "the graph is this crate's own";

/// What builders remember.
enum Memory {
    Nothing,
    Inputs,
    Results,
}

/// An input, six builders in between, one that is the seventh stage, and who sums.
fn build_chain(n: u64, memory: &Memory) -> (Reactive, Target<u64>, Receiver<Tally>) {
    let mut graph = Reactive::new("chain");
    let input = graph.input::<u64>("stage 0");
    let mut last: Target<u64> = input.clone();
    for stage in 1..chain::N_STAGES {
        let next = builder(format!("stage {stage}").as_str(), &last, |value: &u64| value + 1);
        last = graph.add(match memory {
            Memory::Nothing => next.every_time(),
            Memory::Inputs => next,
            Memory::Results => next.version("1").persist(),
        });
    }
    let (tallies, received) = mpsc::channel();
    let mut tally = Tally::default();
    graph.each("last", &last, move |value: &u64| {
        tally.add(value + 1);
        if tally.count == n {
            tallies.send(tally)?;
        }
        anyhow::Ok(())
    });
    (graph, input, received)
}

/// W4.
fn builders(scale: Scale, memory: &Memory) -> Sample {
    let n = chain::n_events(scale);
    let (graph, input, received) = build_chain(n, memory);
    let pipeline = Threads::open(graph.install(Pipeline::builder()).expect(SOUND), n);
    let (_, sample) = timed(n, || {
        pipeline.run(|feed| {
            (0..n).for_each(|value| Feed::submit(feed, input.made(value)));
        })
    });
    assert_eq!(received.recv(), Ok(chain::expected(n)));
    sample
}

/// An event in one word.
fn narrow((key, value): Keyed) -> u64 {
    key << 32 | value
}

const VALUE: u64 = u32::MAX as u64;

/// W6: two outside threads feed the streams.
fn joined(scale: Scale, n_shards: usize) -> Sample {
    let (lefts, rights) = join::streams(scale);
    let expected = join::Rendezvous::expected(&lefts, &rights);
    let mut graph = Reactive::new("join");
    let (left, right) = (graph.input::<u64>("left"), graph.input::<u64>("right"));
    let key = |event: &u64| anyhow::Ok(event >> 32);
    let pairs = rendezvous("pairs", ((&left, key), (&right, key)))
        .options(rendezvous::Options::new().duplicates(Duplicates::Queue))
        .shards(n_shards)
        .expect(SOUND);
    let pairs = graph.add(pairs);
    let (reports, received) = mpsc::channel();
    let mut sum = Pairs::default();
    graph.each("sum", &pairs, move |(left, right): &(u64, u64)| {
        sum.add((left & VALUE, right & VALUE));
        if sum.count == expected.count {
            reports.send(sum)?;
        }
        anyhow::Ok(())
    });
    let pipeline = Threads::open(graph.install(Pipeline::builder()).expect(SOUND), 0);
    let (_, sample) = timed(2 * join::n_events(scale), || {
        thread::scope(|scope| {
            for (target, events) in [(left, lefts), (right, rights)] {
                let submitter = pipeline.submitter();
                scope.spawn(move || {
                    for event in events {
                        submitter.submit(target.made(narrow(event))).expect("it is open");
                    }
                });
            }
            pipeline.run(|_| ())
        })
    });
    assert_eq!(received.recv(), Ok(expected));
    sample
}

/// W6m: two sources bring every key once, and whoever takes the pairs looks at the memory.
fn meetings(scale: Scale) -> Sample {
    let n = join::n_meetings(scale);
    let mut graph = Reactive::new("meetings");
    let (left, right) = (graph.source("left", 0..n), graph.source("right", 0..n));
    let key = |number: &u64| anyhow::Ok(*number);
    let pairs = graph.add(rendezvous("pairs", ((&left, key), (&right, key))));
    let (grown_sender, grown_kb) = mpsc::channel();
    let (mut count, mut before_kb) = (0, 0);
    graph.each("count", &pairs, move |(left, right): &(u64, u64)| {
        assert_eq!(left, right, "those of one key meet");
        count += 1;
        if count == n / 10 {
            before_kb = resident_kb();
        } else if count == n {
            grown_sender.send(resident_kb().saturating_sub(before_kb))?;
        }
        anyhow::Ok(())
    });
    let pipeline = Threads::open(graph.install(Pipeline::builder()).expect(SOUND), 0);
    let (_, sample) = timed(2 * n, || pipeline.run(|_| ()));
    queue::with_growth(sample, grown_kb.recv().expect("all keys have met"))
}

/// W7: four workers, results in the order of the tasks.
fn balanced(scale: Scale, task: fn(u64) -> map::Done, routing: Routing) -> Sample {
    let n = map::n_tasks(scale);
    let mut graph = Reactive::new("map");
    let tasks = graph.input::<u64>("tasks");
    let options = Options::new(4).dedupe(Dedupe::Off).routing(routing);
    let work = |_| move |input: &u64| anyhow::Ok([task(*input)]);
    let done = balance(&mut graph, "done", &tasks, options, work).expect(SOUND).target;
    let (results, received) = mpsc::channel();
    let mut slots = Vec::new();
    graph.each("slots", &done, move |done: &map::Done| {
        slots.push(*done);
        if slots.len() as u64 == n {
            results.send(std::mem::take(&mut slots))?;
        }
        anyhow::Ok(())
    });
    let pipeline = Threads::open(graph.install(Pipeline::builder()).expect(SOUND), n);
    let (_, sample) = timed(n, || {
        pipeline.run(|feed| {
            (0..n).for_each(|input| Feed::submit(feed, tasks.made(input)));
        })
    });
    let slots = received.recv().expect("every task has a result");
    map::check_of(&slots, n, task);
    sample
}
