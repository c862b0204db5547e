//! The workloads on any [`Channel`].

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::Channel;
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::workload::chain::Tally;
use crate::workload::fan_out::Event;
use crate::workload::join::{Join, Pairs, Rendezvous, Side};
use crate::workload::{chain, fan_in, fan_out, hop, join, map};

/// Two threads, one channel each way; the measuring thread is one of the two.
pub(super) fn hop<C: Channel>(scale: Scale) -> Sample {
    let n = hop::n_hops(scale);
    let (ping_sender, ping_receiver) = C::channel();
    let (pong_sender, pong_receiver) = C::channel();
    let other = thread::spawn(move || answer::<C>(&ping_receiver, &pong_sender));
    let (n_received, sample) = timed(n, || {
        C::send(&ping_sender, n - 1);
        answer::<C>(&pong_receiver, &ping_sender) + joined(other)
    });
    assert_eq!(n_received, n);
    sample
}

/// Counts the countdown down with whoever holds the other ends; returns how many messages arrived
/// here.
fn answer<C: Channel>(receiver: &C::Receiver<u64>, sender: &C::Sender<u64>) -> u64 {
    let mut n_received = 0;
    while let Some(left) = C::recv(receiver) {
        n_received += 1;
        if left == 0 {
            break;
        }
        C::send(sender, left - 1);
        if left == 1 {
            break;
        }
    }
    n_received
}

/// Eight producer threads, created inside the measured time; the measuring thread receives.
pub(super) fn fan_in<C: Channel>(scale: Scale) -> Sample {
    let each = fan_in::n_messages_each(scale);
    let n = each * fan_in::N_PRODUCERS;
    let (sender, receiver) = C::channel::<u64>();
    let (sum, sample) = timed(n, || {
        let produce = |_| {
            let sender = sender.clone();
            thread::spawn(move || (0..each).for_each(|i| C::send(&sender, i)))
        };
        let producers: Vec<_> = (0..fan_in::N_PRODUCERS).map(produce).collect();
        let received = (0..n).map(|_| C::recv(&receiver).expect("`n` messages are sent"));
        let sum: u64 = received.sum();
        producers.into_iter().for_each(joined);
        sum
    });
    assert_eq!(sum, fan_in::expected_sum(each));
    sample
}

/// Sixteen subscriber threads; the measuring thread publishes.
pub(super) fn fan_out<C: Channel>(scale: Scale) -> Sample {
    let n_events = fan_out::n_events(scale);
    let mut senders = Vec::new();
    let mut subscribers = Vec::new();
    for _ in 0..fan_out::N_SUBSCRIBERS {
        let (sender, receiver) = C::channel::<Arc<Event>>();
        senders.push(sender);
        subscribers.push(thread::spawn(move || {
            let mut sum = 0;
            while let Some(event) = C::recv(&receiver) {
                sum += event.value;
            }
            sum
        }));
    }
    let routes = fan_out::routes(senders);
    let (sum, sample) = timed(n_events * fan_out::N_SUBSCRIBERS, || {
        for value in 0..n_events {
            let event = Event::tick(value);
            for sender in &routes[event.name] {
                C::send(sender, Arc::clone(&event));
            }
        }
        drop(routes);
        subscribers.into_iter().map(joined).sum::<u64>()
    });
    assert_eq!(sum, fan_out::expected_sum(n_events));
    sample
}

/// A thread per stage; the measuring thread feeds the first.
pub(super) fn chain<C: Channel>(scale: Scale) -> Sample {
    let n = chain::n_events(scale);
    let (head, mut upstream) = C::channel::<u64>();
    let mut stages = Vec::new();
    for _ in 0..chain::N_STAGES - 1 {
        let (sender, downstream) = C::channel::<u64>();
        let receiver = std::mem::replace(&mut upstream, downstream);
        stages.push(thread::spawn(move || {
            while let Some(value) = C::recv(&receiver) {
                C::send(&sender, value + 1);
            }
        }));
    }
    let last = thread::spawn(move || {
        let mut tally = Tally::default();
        while let Some(value) = C::recv(&upstream) {
            tally.add(value + 1);
        }
        tally
    });
    let (tally, sample) = timed(n, || {
        (0..n).for_each(|value| C::send(&head, value));
        drop(head);
        let tally = joined(last);
        stages.into_iter().for_each(joined);
        tally
    });
    assert_eq!(tally, chain::expected(n));
    sample
}

/// Two producer threads, one joining thread; the measuring thread collects the pairs.
pub(super) fn join<C: Channel>(scale: Scale) -> Sample {
    let (left, right) = join::streams(scale);
    let expected = Rendezvous::expected(&left, &right);
    let (left_sender, receiver) = C::channel();
    let (pair_sender, pair_receiver) = C::channel();
    let (pairs, sample) = timed(2 * join::n_events(scale), || {
        let right_sender = left_sender.clone();
        let produce = |side: Side, events: Vec<join::Keyed>, sender: C::Sender<_>| {
            thread::spawn(move || {
                events.into_iter().for_each(|event| C::send(&sender, (side, event)));
            })
        };
        let lefts = produce(Side::Left, left, left_sender);
        let rights = produce(Side::Right, right, right_sender);
        let joiner = thread::spawn(move || {
            let mut state = Rendezvous::default();
            while let Some((side, event)) = C::recv(&receiver) {
                state.feed(side, event, |pair| C::send(&pair_sender, pair));
            }
        });
        let mut pairs = Pairs::default();
        while let Some(pair) = C::recv(&pair_receiver) {
            pairs.add(pair);
        }
        [lefts, rights, joiner].into_iter().for_each(joined);
        pairs
    });
    assert_eq!(pairs, expected);
    sample
}

/// Two worker threads with a channel each, fed round-robin; the measuring thread puts results in
/// their slots.
///
/// Feeding has a thread of its own: one thread that feeds bounded channels and drains their results
/// deadlocks.
pub(super) fn map<C: Channel>(scale: Scale) -> Sample {
    const N_WORKERS: u64 = 2;
    let n = map::n_tasks(scale);
    let (result_sender, result_receiver) = C::channel::<map::Done>();
    let mut inputs = Vec::new();
    let mut workers = Vec::new();
    for _ in 0..N_WORKERS {
        let (sender, receiver) = C::channel::<u64>();
        let results = result_sender.clone();
        inputs.push(sender);
        workers.push(thread::spawn(move || {
            while let Some(input) = C::recv(&receiver) {
                C::send(&results, map::task(input));
            }
        }));
    }
    drop(result_sender);
    let (results, sample) = timed(n, || {
        let feeder = thread::spawn(move || {
            (0..n).for_each(|input| C::send(&inputs[(input % N_WORKERS) as usize], input));
        });
        let mut slots = map::slots(n);
        while let Some(result) = C::recv(&result_receiver) {
            slots[result.0 as usize] = result;
        }
        workers.into_iter().for_each(joined);
        joined(feeder);
        slots
    });
    map::check(&results, n);
    sample
}

/// What a thread returned. Its panic is the run's.
fn joined<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
