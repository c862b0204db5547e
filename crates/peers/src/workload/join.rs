//! W6, rendezvous, and W6j, full join, of two streams by key.
//!
//! Keys are `floor(100_000 * u^2)`, so the hottest has 0.3 % of the events; both streams carry the
//! same keys and the right one is shuffled. In W6 the k-th left event of a key meets the k-th right
//! one, so a run yields one pair per left event; in W6j every left event meets every right one of
//! its key. Unit: one input event.
//!
//! A run's check counts the pairs and sums their values; who met whom is left to the unit tests of
//! the state, which every peer shares.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::mix;
use crate::scale::Scale;

const N_EVENTS: u64 = 1_000_000;
const N_KEYS: u64 = 100_000;

/// An event: its key and its value.
pub(crate) type Keyed = (u64, u64);

/// A left and a right value of one key.
pub(crate) type Pair = (u64, u64);

/// Which stream an event came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The stream in order of its values.
    Left,
    /// The shuffled stream.
    Right,
}

/// Events per stream.
pub(crate) fn n_events(scale: Scale) -> u64 {
    scale.count(N_EVENTS)
}

/// Pairs of W6m.
#[cfg(feature = "graphs")]
pub(crate) fn n_meetings(scale: Scale) -> u64 {
    scale.count(5 * N_EVENTS)
}

/// The left and the right stream.
pub(crate) fn streams(scale: Scale) -> (Vec<Keyed>, Vec<Keyed>) {
    let n_keys = scale.count(N_KEYS) as f64;
    let key = |i: u64| {
        let u = (mix(i + 1) >> 11) as f64 / (1_u64 << 53) as f64;
        (u * u * n_keys) as u64
    };
    let left: Vec<Keyed> = (0..n_events(scale)).map(|i| (key(i), i)).collect();
    let mut right: Vec<Keyed> = left.iter().map(|&(key, value)| (key, value * 3 + 1)).collect();
    for i in (1..right.len()).rev() {
        let j = (mix(i as u64 ^ 0x00ab_cdef) % (i as u64 + 1)) as usize;
        right.swap(i, j);
    }
    (left, right)
}

/// What the collector of pairs keeps: how many, and the wrapping sum of both values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    /// Pairs seen.
    pub(crate) count: u64,
    /// Wrapping sum of their values.
    pub(crate) sum: u64,
}

impl Pairs {
    /// Takes in one pair.
    #[inline]
    pub(crate) fn add(&mut self, (left, right): Pair) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(left).wrapping_add(right);
    }

    /// What two collectors saw together.
    #[must_use]
    pub(crate) fn plus(self, other: Pairs) -> Pairs {
        Pairs { count: self.count + other.count, sum: self.sum.wrapping_add(other.sum) }
    }
}

/// A join's state, fed one event at a time. `emit` is called for every pair that the event
/// completes.
pub(crate) trait Join: Default + 'static {
    /// Takes in one event.
    fn feed(&mut self, side: Side, event: Keyed, emit: impl FnMut(Pair));

    /// What a run over these streams must yield, computed another way than by feeding the join.
    fn expected(left: &[Keyed], right: &[Keyed]) -> Pairs;
}

/// W6: per key a queue of unmatched values of whichever side is ahead.
///
/// A matched value is freed; a key's empty queue stays.
#[derive(Default)]
pub(crate) struct Rendezvous {
    waiting: FxHashMap<u64, (Side, VecDeque<u64>)>,
}

impl Join for Rendezvous {
    #[inline]
    fn feed(&mut self, side: Side, (key, value): Keyed, mut emit: impl FnMut(Pair)) {
        let (ahead, queue) = self.waiting.entry(key).or_insert_with(|| (side, VecDeque::new()));
        if queue.is_empty() {
            *ahead = side;
        }
        if *ahead == side {
            queue.push_back(value);
        } else {
            let other = queue.pop_front().expect("an empty queue was just given to this side");
            emit(match side {
                Side::Left => (value, other),
                Side::Right => (other, value),
            });
        }
    }

    fn expected(left: &[Keyed], right: &[Keyed]) -> Pairs {
        // Every event finds its counterpart, so the sum is that of all values, whoever met whom.
        let values = left.iter().chain(right).map(|&(_, value)| value);
        Pairs { count: left.len() as u64, sum: values.fold(0, u64::wrapping_add) }
    }
}

/// W6j: everything seen so far of either side, per key.
#[derive(Default)]
pub(crate) struct FullJoin {
    seen: FxHashMap<u64, (Vec<u64>, Vec<u64>)>,
}

impl Join for FullJoin {
    #[inline]
    fn feed(&mut self, side: Side, (key, value): Keyed, mut emit: impl FnMut(Pair)) {
        let (left, right) = self.seen.entry(key).or_default();
        match side {
            Side::Left => {
                right.iter().for_each(|&other| emit((value, other)));
                left.push(value);
            }
            Side::Right => {
                left.iter().for_each(|&other| emit((other, value)));
                right.push(value);
            }
        }
    }

    fn expected(left: &[Keyed], right: &[Keyed]) -> Pairs {
        /// Count and wrapping sum of one side's values of one key.
        type Total = (u64, u64);
        let mut keys: FxHashMap<u64, (Total, Total)> = FxHashMap::default();
        let add = |total: &mut Total, value: u64| {
            *total = (total.0 + 1, total.1.wrapping_add(value));
        };
        left.iter().for_each(|&(key, value)| add(&mut keys.entry(key).or_default().0, value));
        right.iter().for_each(|&(key, value)| add(&mut keys.entry(key).or_default().1, value));
        keys.into_values().fold(Pairs::default(), |pairs, (left, right)| {
            let sum = left.1.wrapping_mul(right.0).wrapping_add(right.1.wrapping_mul(left.0));
            pairs.plus(Pairs { count: left.0 * right.0, sum })
        })
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    /// Feeds `L1`, `R2`, … in order, all of one key.
    fn trace<J: Join>(events: &str) -> String {
        let mut join = J::default();
        let mut lines = String::new();
        for event in events.split(' ') {
            let (side, value) = event.split_at(1);
            let side = if side == "L" { Side::Left } else { Side::Right };
            let mut pairs = Vec::new();
            join.feed(side, (9, value.parse().expect("a number")), |pair| pairs.push(pair));
            lines += &format!("{event} {pairs:?}\n");
        }
        lines
    }

    #[test]
    fn a_rendezvous_pairs_in_order_of_arrival() {
        assert_snapshot!(trace::<Rendezvous>("L1 L2 R3 R4 R5 L6"), @r"
        L1 []
        L2 []
        R3 [(1, 3)]
        R4 [(2, 4)]
        R5 []
        L6 [(6, 5)]
        ");
    }

    #[test]
    fn a_full_join_pairs_with_everything_seen() {
        assert_snapshot!(trace::<FullJoin>("L1 L2 R3 R4"), @r"
        L1 []
        L2 []
        R3 [(1, 3), (2, 3)]
        R4 [(1, 4), (2, 4)]
        ");
    }

    fn run<J: Join>(left: &[Keyed], right: &[Keyed]) -> Pairs {
        let (mut join, mut pairs) = (J::default(), Pairs::default());
        for (&left, &right) in left.iter().zip(right) {
            join.feed(Side::Left, left, |pair| pairs.add(pair));
            join.feed(Side::Right, right, |pair| pairs.add(pair));
        }
        pairs
    }

    #[test]
    fn expectations_are_what_the_joins_yield() {
        let (left, right) = streams(Scale::new(0.002).expect("in range"));
        assert_eq!(run::<Rendezvous>(&left, &right), Rendezvous::expected(&left, &right));
        assert_eq!(run::<FullJoin>(&left, &right), FullJoin::expected(&left, &right));
    }

    #[test]
    fn full_size_streams_are_the_published_ones() {
        let (left, right) = streams(Scale::FULL);
        assert_snapshot!(format!("{:?}", &left[..3]), @"[(49624, 0), (5266, 1), (195, 2)]");
        assert_snapshot!(format!("{:?}", &right[..2]), @"[(71830, 1748092), (179, 514594)]");
        assert_snapshot!(pairs::<Rendezvous>(&left, &right), @"1000000 pairs, sum 1999999000000");
        assert_snapshot!(pairs::<FullJoin>(&left, &right), @"39852246 pairs, sum 80177817429438");
    }

    fn pairs<J: Join>(left: &[Keyed], right: &[Keyed]) -> String {
        let Pairs { count, sum } = J::expected(left, right);
        format!("{count} pairs, sum {sum}")
    }
}
