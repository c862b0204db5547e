//! W6 and W6j: one binary operator, both inputs exchanged by the hash of the key, state per worker.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Input;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::{InputHandle, ProbeHandle, StreamVec};
use timely::worker::Worker;

use super::{EPOCH, execute, sink};
use crate::sample::{Extra, Sample, timed};
use crate::scale::Scale;
use crate::workload::join::{Join, Keyed, Pair, Pairs, Side, n_events, streams};
use crate::workload::mix;

/// Every worker feeds its share of both streams, joins its share of the keys and sums the pairs.
pub(super) fn run<J: Join, const WORKERS: usize>(scale: Scale) -> Sample {
    let (left, right) = streams(scale);
    let expected = J::expected(&left, &right);
    let (left, right) = (Arc::new(left), Arc::new(right));
    let (pairs, sample) = timed(2 * n_events(scale), || {
        execute(WORKERS, move |worker| work::<J>(worker, &left, &right))
    });
    let pairs = pairs.into_iter().fold(Pairs::default(), Pairs::plus);
    assert_eq!(pairs, expected);
    sample.with(Extra::Pairs(pairs.count))
}

fn work<J: Join>(worker: &mut Worker, left: &[Keyed], right: &[Keyed]) -> Pairs {
    let (mut left_input, mut right_input) = (InputHandle::new(), InputHandle::new());
    let probe = ProbeHandle::new();
    let pairs = Rc::new(RefCell::new(Pairs::default()));
    worker.dataflow::<u64, _, _>(|scope| {
        let lefts = scope.input_from(&mut left_input);
        let rights = scope.input_from(&mut right_input);
        sink(joined::<J>(lefts, rights), &probe, &pairs, Pairs::add);
    });
    let (mut next, n_workers) = (worker.index(), worker.peers());
    let mut epoch = 0;
    while next < left.len() {
        for idx in (next..left.len()).step_by(n_workers).take(EPOCH) {
            left_input.send(left[idx]);
            right_input.send(right[idx]);
        }
        next += n_workers * EPOCH;
        epoch += 1;
        left_input.advance_to(epoch);
        right_input.advance_to(epoch);
        while probe.less_than(left_input.time()) {
            worker.step();
        }
    }
    left_input.close();
    right_input.close();
    while worker.step() {}
    pairs.take()
}

/// The pairs of two streams.
fn joined<'scope, J: Join>(
    lefts: StreamVec<'scope, u64, Keyed>,
    rights: StreamVec<'scope, u64, Keyed>,
) -> StreamVec<'scope, u64, Pair> {
    let by_key = || Exchange::new(|&(key, _): &Keyed| mix(key));
    lefts.binary::<_, CapacityContainerBuilder<Vec<Pair>>, _, _, _, _>(
        rights,
        by_key(),
        by_key(),
        "Join",
        |_, _| {
            let mut state = J::default();
            move |lefts, rights, output| {
                lefts.for_each_time(|time, batches| {
                    let mut session = output.session(&time);
                    for event in batches.flat_map(|batch| batch.drain(..)) {
                        state.feed(Side::Left, event, |pair| session.give(pair));
                    }
                });
                rights.for_each_time(|time, batches| {
                    let mut session = output.session(&time);
                    for event in batches.flat_map(|batch| batch.drain(..)) {
                        state.feed(Side::Right, event, |pair| session.give(pair));
                    }
                });
            }
        },
    )
}
