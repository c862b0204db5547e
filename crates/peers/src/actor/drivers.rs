//! The workloads on any [`Framework`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use super::{Framework, Handler, Message, Running};
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::usage::resident_kb;
use crate::workload::chain::Tally;
use crate::workload::fan_out::Event;
use crate::workload::join::{Join, Pairs, Rendezvous, Side};
use crate::workload::{chain, crowd, fan_in, fan_out, hop, join, map};

/// Why waiting for a result cannot fail: the senders live in handlers, and those outlive the wait.
const REPORTS: &str = "an actor reports its result before it is stopped";

/// Why reporting a result cannot fail.
const WAITED_FOR: &str = "the measuring thread waits for every result";

/// Two actors, the countdown starting from outside.
pub(super) fn hop<F: Framework>(scale: Scale) -> Sample {
    let n = hop::n_hops(scale);
    let (sender, reports) = mpsc::channel();
    let player = |other: usize| -> Handler {
        let sender = sender.clone();
        let mut n_received = 0_u64;
        Box::new(move |system, message| {
            let Message::Number(left) = message else { return };
            n_received += 1;
            if left <= 1 {
                sender.send(n_received).expect(WAITED_FOR);
            }
            if left > 0 {
                system.send(other, Message::Number(left - 1));
            }
        })
    };
    let Running { system, stop } = F::start(vec![player(1), player(0)]);
    let (n_received, sample) = timed(n, || {
        system.send(0, Message::Number(n - 1));
        reports.recv().expect(REPORTS) + reports.recv().expect(REPORTS)
    });
    stop();
    assert_eq!(n_received, n);
    sample
}

/// Eight outside threads, created inside the measured time, send to actor 0.
pub(super) fn fan_in_from_outside<F: Framework>(scale: Scale) -> Sample {
    let each = fan_in::n_messages_each(scale);
    let n = each * fan_in::N_PRODUCERS;
    let (receiver, sums) = summing(n);
    let Running { system, stop } = F::start(vec![receiver]);
    let (sum, sample) = timed(n, || {
        thread::scope(|scope| {
            for _ in 0..fan_in::N_PRODUCERS {
                scope.spawn(|| (0..each).for_each(|i| system.send(0, Message::Number(i))));
            }
        });
        sums.recv().expect(REPORTS)
    });
    stop();
    assert_eq!(sum, fan_in::expected_sum(each));
    sample
}

/// Eight actors send to actor 0, a slice per message that the measuring thread sends them.
pub(super) fn fan_in_from_inside<F: Framework>(scale: Scale) -> Sample {
    let each = fan_in::n_messages_each(scale);
    let n = each * fan_in::N_PRODUCERS;
    let (receiver, sums) = summing(n);
    let mut handlers = vec![receiver];
    for _ in 0..fan_in::N_PRODUCERS {
        handlers.push(Box::new(move |system, message| {
            let Message::Number(start) = message else { return };
            let end = (start + fan_in::SLICE).min(each);
            (start..end).for_each(|i| system.send(0, Message::Number(i)));
        }));
    }
    let Running { system, stop } = F::start(handlers);
    let (sum, sample) = timed(n, || {
        for start in (0..each).step_by(fan_in::SLICE as usize) {
            for producer in 1..=fan_in::N_PRODUCERS {
                system.send(producer as usize, Message::Number(start));
            }
        }
        sums.recv().expect(REPORTS)
    });
    stop();
    assert_eq!(sum, fan_in::expected_sum(each));
    sample
}

/// A handler that sums `n` numbers and reports the sum.
fn summing(n: u64) -> (Handler, mpsc::Receiver<u64>) {
    let (sender, sums) = mpsc::channel();
    let (mut sum, mut count) = (0_u64, 0_u64);
    let handler: Handler = Box::new(move |_, message| {
        let Message::Number(value) = message else { return };
        sum += value;
        count += 1;
        if count == n {
            sender.send(sum).expect(WAITED_FOR);
        }
    });
    (handler, sums)
}

/// Sixteen subscribers and a publisher that is an actor itself and publishes a slice per
/// activation.
pub(super) fn fan_out<F: Framework>(scale: Scale) -> Sample {
    let n_events = fan_out::n_events(scale);
    let (sender, sums) = mpsc::channel();
    let subscriber = |_| -> Handler {
        let sender = sender.clone();
        let (mut sum, mut count) = (0_u64, 0_u64);
        Box::new(move |_, message| {
            let Message::Event(event) = message else { return };
            sum += event.value;
            count += 1;
            if count == n_events {
                sender.send(sum).expect(WAITED_FOR);
            }
        })
    };
    let mut handlers: Vec<_> = (0..fan_out::N_SUBSCRIBERS).map(subscriber).collect();
    let publisher = handlers.len();
    let routes = fan_out::routes((0..publisher).collect());
    handlers.push(Box::new(move |system, message| {
        let Message::Number(start) = message else { return };
        for value in start..(start + fan_out::SLICE).min(n_events) {
            let event = Event::tick(value);
            for &subscriber in &routes[event.name] {
                system.send(subscriber, Message::Event(Arc::clone(&event)));
            }
        }
    }));
    let Running { system, stop } = F::start(handlers);
    let (sum, sample) = timed(n_events * fan_out::N_SUBSCRIBERS, || {
        for start in (0..n_events).step_by(fan_out::SLICE as usize) {
            system.send(publisher, Message::Number(start));
        }
        (0..fan_out::N_SUBSCRIBERS).map(|_| sums.recv().expect(REPORTS)).sum::<u64>()
    });
    stop();
    assert_eq!(sum, fan_out::expected_sum(n_events));
    sample
}

/// An actor per stage, fed from outside.
pub(super) fn chain<F: Framework>(scale: Scale) -> Sample {
    let n = chain::n_events(scale);
    let (sender, tallies) = mpsc::channel();
    let stage = |idx: u64| -> Handler {
        let next = idx as usize + 1;
        Box::new(move |system, message| {
            let Message::Number(value) = message else { return };
            system.send(next, Message::Number(value + 1));
        })
    };
    let mut handlers: Vec<_> = (0..chain::N_STAGES - 1).map(stage).collect();
    let mut tally = Tally::default();
    handlers.push(Box::new(move |_, message| {
        let Message::Number(value) = message else { return };
        tally.add(value + 1);
        if tally.count == n {
            sender.send(tally).expect(WAITED_FOR);
        }
    }));
    let Running { system, stop } = F::start(handlers);
    let (tally, sample) = timed(n, || {
        (0..n).for_each(|value| system.send(0, Message::Number(value)));
        tallies.recv().expect(REPORTS)
    });
    stop();
    assert_eq!(tally, chain::expected(n));
    sample
}

/// A hundred thousand actors, created and then sent to from outside.
pub(super) fn crowd<F: Framework>(scale: Scale) -> Sample {
    /// What the actors finish into: their sums, and how many of them are not finished.
    ///
    /// The sum is added before the count goes down (release), so who takes the count to zero
    /// (acquire) reads it all.
    struct Total {
        sum: AtomicU64,
        n_unfinished: AtomicU64,
    }
    let n_actors = crowd::n_actors(scale);
    let (sender, sums) = mpsc::channel();
    let total = Arc::new(Total { sum: AtomicU64::new(0), n_unfinished: AtomicU64::new(n_actors) });
    let actor = |_| -> Handler {
        let (total, sender) = (Arc::clone(&total), sender.clone());
        let (mut sum, mut count) = (0_u64, 0_u64);
        Box::new(move |_, message| {
            let Message::Number(value) = message else { return };
            sum += value;
            count += 1;
            if count == crowd::N_MESSAGES_EACH {
                total.sum.fetch_add(sum, Ordering::Relaxed);
                if total.n_unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
                    sender.send(total.sum.load(Ordering::Relaxed)).expect(WAITED_FOR);
                }
            }
        })
    };
    let before_kb = resident_kb();
    let (Running { system, stop }, spawn) =
        timed(n_actors, || F::start((0..n_actors).map(actor).collect()));
    let grown_kb = resident_kb().saturating_sub(before_kb);
    let (sum, run) = timed(n_actors * crowd::N_MESSAGES_EACH, || {
        for value in 0..crowd::N_MESSAGES_EACH {
            (0..n_actors).for_each(|idx| system.send(idx as usize, Message::Number(value)));
        }
        sums.recv().expect(REPORTS)
    });
    stop();
    assert_eq!(sum, crowd::expected_sum(n_actors));
    crowd::with_creation(run, &spawn, grown_kb, n_actors)
}

/// One joining actor and one that collects the pairs; two outside threads feed the streams.
pub(super) fn join<F: Framework>(scale: Scale) -> Sample {
    const JOINER: usize = 0;
    const COLLECTOR: usize = 1;
    let (left, right) = join::streams(scale);
    let expected = Rendezvous::expected(&left, &right);
    let (sender, reports) = mpsc::channel();
    let mut state = Rendezvous::default();
    let joiner: Handler = Box::new(move |system, message| {
        let (side, event) = match message {
            Message::Left(event) => (Side::Left, event),
            Message::Right(event) => (Side::Right, event),
            _ => return,
        };
        state.feed(side, event, |pair| system.send(COLLECTOR, Message::Pair(pair)));
    });
    let mut pairs = Pairs::default();
    let collector: Handler = Box::new(move |_, message| {
        let Message::Pair(pair) = message else { return };
        pairs.add(pair);
        if pairs.count == expected.count {
            sender.send(pairs).expect(WAITED_FOR);
        }
    });
    let Running { system, stop } = F::start(vec![joiner, collector]);
    let (pairs, sample) = timed(2 * join::n_events(scale), || {
        thread::scope(|scope| {
            let system = &system;
            for (side, events) in [(Side::Left, left), (Side::Right, right)] {
                let feed = move |event| system.send(JOINER, Message::keyed(side, event));
                scope.spawn(move || events.into_iter().for_each(feed));
            }
        });
        reports.recv().expect(REPORTS)
    });
    stop();
    assert_eq!(pairs, expected);
    sample
}

/// Four workers fed round-robin from outside, and one actor that puts results in their slots.
pub(super) fn map<F: Framework>(scale: Scale) -> Sample {
    const N_WORKERS: u64 = 4;
    const COLLECTOR: usize = N_WORKERS as usize;
    let n = map::n_tasks(scale);
    let (sender, results) = mpsc::channel();
    let worker = |_| -> Handler {
        Box::new(move |system, message| {
            let Message::Number(input) = message else { return };
            system.send(COLLECTOR, Message::Done(map::task(input)));
        })
    };
    let mut handlers: Vec<_> = (0..N_WORKERS).map(worker).collect();
    let (mut slots, mut count) = (map::slots(n), 0_u64);
    handlers.push(Box::new(move |_, message| {
        let Message::Done(result) = message else { return };
        slots[result.0 as usize] = result;
        count += 1;
        if count == n {
            sender.send(std::mem::take(&mut slots)).expect(WAITED_FOR);
        }
    }));
    let Running { system, stop } = F::start(handlers);
    let (results, sample) = timed(n, || {
        (0..n).for_each(|input| system.send((input % N_WORKERS) as usize, Message::Number(input)));
        results.recv().expect(REPORTS)
    });
    stop();
    map::check(&results, n);
    sample
}
