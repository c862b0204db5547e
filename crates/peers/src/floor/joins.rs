//! The floors of the joins: no exchange at all, every thread scans both streams for its share of
//! the keys.

use std::thread;

use super::ONLY_COMPUTES;
use crate::sample::{Extra, Sample, timed};
use crate::scale::Scale;
use crate::workload::join::{FullJoin, Join, Keyed, Pairs, Rendezvous, Side, n_events, streams};
use crate::workload::mix;

/// W6 on two threads, each with half of the keys.
pub(super) fn rendezvous_in_halves(scale: Scale) -> Sample {
    in_halves::<Rendezvous>(scale).1
}

/// W6j on two threads, each with half of the keys; pairs are summed as they appear and stored
/// nowhere.
pub(super) fn full_join_in_halves(scale: Scale) -> Sample {
    let (pairs, sample) = in_halves::<FullJoin>(scale);
    sample.with(Extra::Pairs(pairs.count))
}

/// W6 on this thread: the cost of the state.
pub(super) fn rendezvous_on_one_thread(scale: Scale) -> Sample {
    let (left, right) = streams(scale);
    let (pairs, sample) =
        timed(2 * n_events(scale), || share::<Rendezvous>(&left, &right, |_| true));
    assert_eq!(pairs, Rendezvous::expected(&left, &right));
    sample
}

fn in_halves<J: Join>(scale: Scale) -> (Pairs, Sample) {
    let (left, right) = streams(scale);
    let expected = J::expected(&left, &right);
    let half = |parity: u64| share::<J>(&left, &right, |key| mix(key) & 1 == parity);
    let (pairs, sample) = timed(2 * n_events(scale), || {
        thread::scope(|scope| {
            let odd = scope.spawn(|| half(1));
            half(0).plus(odd.join().expect(ONLY_COMPUTES))
        })
    });
    assert_eq!(pairs, expected);
    (pairs, sample)
}

/// Joins the events whose key is admitted, left and right in turn.
#[inline]
fn share<J: Join>(left: &[Keyed], right: &[Keyed], admits: impl Fn(u64) -> bool) -> Pairs {
    let (mut state, mut pairs) = (J::default(), Pairs::default());
    for (&left, &right) in left.iter().zip(right) {
        for (side, event) in [(Side::Left, left), (Side::Right, right)] {
            if admits(event.0) {
                state.feed(side, event, |pair| pairs.add(pair));
            }
        }
    }
    pairs
}
