//! W2, fan-in: 8 producers send `0..n` each to one receiver, which sums.
//!
//! In W2 the producers are threads outside the system; in W2i they are actors that send a slice of
//! [`SLICE`] messages per activation. Unit: one message.

use super::sum_below;
use crate::scale::Scale;

const N_MESSAGES_EACH: u64 = 500_000;

/// Producers.
pub(crate) const N_PRODUCERS: u64 = 8;

/// Messages that an inside producer (W2i) sends per activation.
pub(crate) const SLICE: u64 = 10_000;

/// Messages per producer.
pub(crate) fn n_messages_each(scale: Scale) -> u64 {
    scale.count(N_MESSAGES_EACH)
}

/// What the receiver's sum must be.
pub(crate) fn expected_sum(n_messages_each: u64) -> u64 {
    N_PRODUCERS * sum_below(n_messages_each)
}
