//! W1p and W1l: 64 pairs, each of which passes a countdown of its own back and forth.
//!
//! A pair's part follows W1's rule. In W1l the hops of one pair are timed, from the emission in one
//! turn to the beginning of the next; the other pairs are the load. Unit: one hop, of any pair.

use crate::sample::Latency;
use crate::scale::Scale;

const N_HOPS_EACH: u64 = 50_000;

/// Pairs.
pub(crate) const N_PAIRS: u64 = 64;

/// Deliveries per pair.
pub(crate) fn n_hops_each(scale: Scale) -> u64 {
    scale.count(N_HOPS_EACH)
}

/// The percentiles of times in nanoseconds; all zero if there are none.
pub(crate) fn latency(mut times_ns: Vec<u64>) -> Latency {
    times_ns.sort_unstable();
    let at = |per_mille: usize| {
        let rank = (times_ns.len() * per_mille).div_ceil(1_000).max(1);
        times_ns.get(rank - 1).copied().unwrap_or(0)
    };
    Latency { p50_ns: at(500), p99_ns: at(990), p999_ns: at(999) }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::latency;

    fn check(times_ns: impl Iterator<Item = u64>) -> String {
        let latency = latency(times_ns.collect());
        format!("{} {} {}", latency.p50_ns, latency.p99_ns, latency.p999_ns)
    }

    #[test]
    fn a_percentile_is_a_time_that_so_many_did_not_exceed() {
        assert_snapshot!(check((1..=1_000).rev()), @"500 990 999");
        assert_snapshot!(check(1..=100), @"50 99 100");
        assert_snapshot!(check(1..=3), @"2 3 3");
        assert_snapshot!(check(7..8), @"7 7 7");
        assert_snapshot!(check(0..0), @"0 0 0");
    }
}
