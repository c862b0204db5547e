//! W3, fan-out: every event goes to 16 subscribers as a shared pointer.
//!
//! The routing table has eight names and is looked up per publish, with the standard library's
//! hasher; only `tick` has subscribers. Each subscriber sums the values. Unit: one delivery, so
//! events times 16.

use std::collections::HashMap;
use std::sync::Arc;

use super::sum_below;
use crate::scale::Scale;

const N_EVENTS: u64 = 200_000;

const NAMES: [&str; 8] = ["alpha", "beta", "gamma", "tick", "delta", "epsilon", "zeta", "eta"];

/// Subscribers of `tick`.
pub(crate) const N_SUBSCRIBERS: u64 = 16;

/// Events that an inside publisher sends per activation.
pub(crate) const SLICE: u64 = 1_000;

/// A published event.
#[derive(Debug)]
pub(crate) struct Event {
    /// What the routing table is asked for.
    pub(crate) name: &'static str,
    /// What the subscribers sum.
    pub(crate) value: u64,
}

impl Event {
    /// A `tick` carrying `value`.
    #[inline]
    pub(crate) fn tick(value: u64) -> Arc<Self> {
        Arc::new(Event { name: "tick", value })
    }
}

/// The routing table: `subscribers` under `tick`, nobody under the other names.
pub(crate) fn routes<S>(subscribers: Vec<S>) -> HashMap<&'static str, Vec<S>> {
    let mut routes: HashMap<_, _> = NAMES.into_iter().map(|name| (name, Vec::new())).collect();
    routes.insert("tick", subscribers);
    routes
}

/// Events to publish.
pub(crate) fn n_events(scale: Scale) -> u64 {
    scale.count(N_EVENTS)
}

/// What the subscribers' sums must add up to.
pub(crate) fn expected_sum(n_events: u64) -> u64 {
    N_SUBSCRIBERS * sum_below(n_events)
}
