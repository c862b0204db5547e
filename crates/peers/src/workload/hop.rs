//! W1, ping-pong: two actors pass a countdown back and forth.
//!
//! The first message carries `n - 1`; who receives `x > 0` sends `x - 1` to the other. So `n`
//! messages are delivered in all. Unit: one hop, which is one delivery.

use crate::scale::Scale;

const N_HOPS: u64 = 1_000_000;

/// Deliveries in a run.
pub(crate) fn n_hops(scale: Scale) -> u64 {
    scale.count(N_HOPS)
}
