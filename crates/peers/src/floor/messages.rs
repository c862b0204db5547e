//! The floors of everything but the joins.

use std::cell::Cell;
use std::collections::VecDeque;
use std::hint::{black_box, spin_loop};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::ONLY_COMPUTES;
use super::ring::{Batch, Ring};
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::usage::resident_kb;
use crate::workload::chain::Tally;
use crate::workload::fan_out::Event;
use crate::workload::{chain, crowd, fan_in, fan_out, hop, map};

/// Two threads spin on one cache line: what crossing cores costs.
pub(super) fn hop_across_cores(scale: Scale) -> Sample {
    let n = hop::n_hops(scale);
    // Whose turn it is, and what was handed over: release to pass the turn, acquire to take it.
    let line = AtomicU64::new(0);
    let play = |first: u64| {
        for turn in (first..n).step_by(2) {
            while line.load(Ordering::Acquire) != turn {
                spin_loop();
            }
            line.store(turn + 1, Ordering::Release);
        }
    };
    let ((), sample) = timed(n, || {
        thread::scope(|scope| {
            scope.spawn(|| play(1));
            play(0);
        });
    });
    assert_eq!(line.into_inner(), n);
    sample
}

/// Run to completion on one thread: boxed handlers and a queue of (actor, message).
pub(super) fn hop_inline(scale: Scale) -> Sample {
    type Queue = VecDeque<(usize, u64)>;
    type Handler = Box<dyn FnMut(&mut Queue, u64)>;
    let n = hop::n_hops(scale);
    let counts: Rc<[Cell<u64>; 2]> = Rc::default();
    let player = |me: usize| -> Handler {
        let counts = Rc::clone(&counts);
        Box::new(move |queue, left| {
            counts[me].set(counts[me].get() + 1);
            if left > 0 {
                queue.push_back((1 - me, left - 1));
            }
        })
    };
    let mut handlers = vec![player(0), player(1)];
    let ((), sample) = timed(n, || {
        let mut queue = Queue::from([(0, n - 1)]);
        while let Some((actor, left)) = queue.pop_front() {
            black_box(&mut handlers)[actor](&mut queue, left);
        }
    });
    assert_eq!(counts[0].get() + counts[1].get(), n);
    sample
}

/// A ring per producer, filled in batches and drained in turn.
pub(super) fn fan_in(scale: Scale) -> Sample {
    const CAPACITY: usize = 4096;
    let each = fan_in::n_messages_each(scale);
    let n = each * fan_in::N_PRODUCERS;
    let rings: Vec<_> = (0..fan_in::N_PRODUCERS).map(|_| Ring::new(CAPACITY)).collect();
    let produce = |ring: &Ring| {
        let mut batch = Batch::new(ring);
        (0..each).for_each(|i| batch.push(i));
        batch.flush();
    };
    let (sum, sample) = timed(n, || {
        thread::scope(|scope| {
            for ring in &rings {
                scope.spawn(|| produce(ring));
            }
            let (mut sum, mut n_received) = (0, 0);
            while n_received < n {
                let n_drained: u64 = rings.iter().map(|ring| ring.drain(|item| sum += item)).sum();
                n_received += n_drained;
                if n_drained == 0 {
                    thread::yield_now();
                }
            }
            sum
        })
    });
    assert_eq!(sum, fan_in::expected_sum(each));
    sample
}

/// The look-up and one boxed call per subscriber, all on the publishing thread.
pub(super) fn fan_out(scale: Scale) -> Sample {
    type Subscriber = Box<dyn FnMut(&Arc<Event>) -> u64>;
    let n_events = fan_out::n_events(scale);
    let subscriber = |_| -> Subscriber {
        let mut sum = 0;
        Box::new(move |event| {
            sum += event.value;
            sum
        })
    };
    let mut routes = fan_out::routes((0..fan_out::N_SUBSCRIBERS).map(subscriber).collect());
    let mut sums = [0_u64; fan_out::N_SUBSCRIBERS as usize];
    let ((), sample) = timed(n_events * fan_out::N_SUBSCRIBERS, || {
        for value in 0..n_events {
            let event = Event::tick(value);
            let subscribers = routes.get_mut(event.name).expect("`tick` has a row");
            for (sum, subscriber) in sums.iter_mut().zip(subscribers) {
                *sum = subscriber(&event);
            }
        }
    });
    assert_eq!(sums.iter().sum::<u64>(), fan_out::expected_sum(n_events));
    sample
}

/// Two threads with four boxed stages each and a ring between them.
pub(super) fn chain(scale: Scale) -> Sample {
    const CAPACITY: usize = 1 << 14;
    type Stage = Box<dyn FnMut(u64) -> u64 + Send>;
    let n = chain::n_events(scale);
    let half = || -> Vec<Stage> {
        (0..chain::N_STAGES / 2)
            .map(|_| Box::new(|value: u64| black_box(value) + 1) as Stage)
            .collect()
    };
    let through = |stages: &mut [Stage], value| stages.iter_mut().fold(value, |v, stage| stage(v));
    let ring = Ring::new(CAPACITY);
    let (mut front, mut back) = (half(), half());
    let (tally, sample) = timed(n, || {
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut batch = Batch::new(&ring);
                (0..n).for_each(|value| batch.push(through(&mut front, value)));
                batch.flush();
            });
            let mut tally = Tally::default();
            while tally.count < n {
                if ring.drain(|value| tally.add(through(&mut back, value))) == 0 {
                    spin_loop();
                }
            }
            tally
        })
    });
    assert_eq!(tally, chain::expected(n));
    sample
}

/// Actors that are one boxed closure, swept round by round by two threads, each with half of them.
pub(super) fn crowd(scale: Scale) -> Sample {
    type Actor = Box<dyn FnMut(u64) -> u64 + Send>;
    /// Sends every message to every actor; adds up what they answer.
    fn sweep(actors: &mut [Actor]) -> u64 {
        let mut total = 0;
        for value in 0..crowd::N_MESSAGES_EACH {
            for actor in actors.iter_mut() {
                total += actor(value);
            }
        }
        total
    }
    let n_actors = crowd::n_actors(scale);
    // Answers its sum to its last message and nothing before.
    let actor = |_| -> Actor {
        let (mut sum, mut count) = (0, 0);
        Box::new(move |value| {
            sum += value;
            count += 1;
            if count == crowd::N_MESSAGES_EACH { sum } else { 0 }
        })
    };
    let before_kb = resident_kb();
    let (mut actors, spawn) = timed(n_actors, || (0..n_actors).map(actor).collect::<Vec<Actor>>());
    let grown_kb = resident_kb().saturating_sub(before_kb);
    let (total, run) = timed(n_actors * crowd::N_MESSAGES_EACH, || {
        let (first, second) = actors.split_at_mut(n_actors as usize / 2);
        thread::scope(|scope| {
            let other = scope.spawn(|| sweep(first));
            sweep(second) + other.join().expect(ONLY_COMPUTES)
        })
    });
    assert_eq!(total, crowd::expected_sum(n_actors));
    crowd::with_creation(run, &spawn, grown_kb, n_actors)
}

/// Two threads with half of the tasks each, writing straight into the result's slots.
pub(super) fn map(scale: Scale) -> Sample {
    /// Does the tasks that belong into `slots`, whose first is the task `first`.
    fn fill(slots: &mut [map::Done], first: u64) {
        for (slot, input) in slots.iter_mut().zip(first..) {
            *slot = map::task(input);
        }
    }
    let n = map::n_tasks(scale);
    let mut slots = map::slots(n);
    let ((), sample) = timed(n, || {
        let (low, high) = slots.split_at_mut(n as usize / 2);
        let n_low = low.len() as u64;
        thread::scope(|scope| {
            scope.spawn(|| fill(low, 0));
            fill(high, n_low);
        });
    });
    map::check(&slots, n);
    sample
}
