//! The workloads: what each does, its unit, its full size, its data and its check, the same for
//! every peer.
//!
//! A peer module asks here for data and expectations and writes none of its own: that is what keeps
//! figures comparable. One child module per workload.

pub(crate) mod chain;
pub(crate) mod chains;
pub(crate) mod crowd;
pub(crate) mod fan_in;
pub(crate) mod fan_out;
pub(crate) mod hop;
pub(crate) mod join;
pub(crate) mod map;
pub(crate) mod pairs;
pub(crate) mod queue;

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, comma_separated};

/// One job. The suffix of a variant marks the same job under another condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Workload {
    /// Ping-pong: two actors pass one countdown; the unit is a hop, which is one delivery and not a
    /// round trip.
    W1,
    /// W1 on one thread, handlers called from a local queue: the floor of a runtime that never
    /// crosses a core.
    W1i,
    /// 64 pairs that play W1 at once; the unit is a hop. It shows what a second worker costs where
    /// each hop is short.
    W1p,
    /// W1p with every hop of one pair timed, while the other 63 load the pool; the unit is a hop.
    W1l,
    /// Fan-in: 8 outside threads send to one receiver; the unit is a message.
    W2,
    /// W2 with producers that are actors themselves, sending in slices of 10,000; the unit is a
    /// message.
    W2i,
    /// Fan-out: one publisher, 16 subscribers, a name looked up per publish; the unit is a
    /// delivery.
    W3,
    /// A chain of 8 stages; the unit is one event through all 8, so a hop is an eighth of it.
    W4,
    /// W4 with a hundredth of the events, the results of each stage kept on the disk; the unit is
    /// the same.
    W4p,
    /// 8 chains of 8 stages, each fed by a source of its own, so that only the run itself is timed;
    /// the unit is one event through all 8 stages of its chain.
    Scaling,
    /// 100,000 actors with 10 messages each; the unit is a message, the cost of creating the actors
    /// included.
    W5,
    /// Rendezvous of two streams by key; the unit is an input event, of which there are two per
    /// pair.
    W6,
    /// W6 on one thread without any messaging: the cost of the join's state itself.
    W6s,
    /// The full relational join of W6's streams, 39.85 M pairs at full size; the unit is an input
    /// event.
    W6j,
    /// W6 with two joining processors that share the keys; the unit is an input event.
    W6k,
    /// W6 with every key once on either side, for long: what its memory grows by after the first
    /// tenth; the unit is an input event.
    W6m,
    /// Parallel map with results in input order; the unit is a task of about 10 us.
    W7,
    /// W7 with one task in a hundred that takes a hundred times as long; the unit is a task.
    W7u,
    /// Events of 8 bytes that wait in a mailbox: what one takes; the unit is an event.
    Q8,
    /// Q8 with events of 100 bytes.
    Q100,
}

impl Workload {
    /// Every workload, in order.
    pub const ALL: &'static [Workload] = &[
        Workload::W1,
        Workload::W1i,
        Workload::W1p,
        Workload::W1l,
        Workload::W2,
        Workload::W2i,
        Workload::W3,
        Workload::W4,
        Workload::W4p,
        Workload::Scaling,
        Workload::W5,
        Workload::W6,
        Workload::W6s,
        Workload::W6j,
        Workload::W6k,
        Workload::W6m,
        Workload::W7,
        Workload::W7u,
        Workload::Q8,
        Workload::Q100,
    ];

    /// What `n`, `per_sec` and `ns_per` count.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Workload::W1 | Workload::W1i | Workload::W1p | Workload::W1l => "hop (one delivery)",
            Workload::W2 | Workload::W2i => "message",
            Workload::W3 => "delivery (events x 16 subscribers)",
            Workload::W4 | Workload::W4p | Workload::Scaling => "event through all 8 stages",
            Workload::W5 => "message, creation of the actors included",
            Workload::W6 | Workload::W6s | Workload::W6k | Workload::W6m => {
                "input event (two per pair)"
            }
            Workload::W6j => "input event (about 20 pairs each)",
            Workload::W7 => "task of about 10 us",
            Workload::W7u => "task of about 20 us on average",
            Workload::Q8 | Workload::Q100 => "event queued and handled",
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Workload::Scaling => f.write_str("scaling"),
            _ => fmt::Debug::fmt(self, f),
        }
    }
}

impl FromStr for Workload {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Workload::ALL.iter().copied().find(|workload| workload.to_string() == name).ok_or_else(
            || Error::UnknownWorkload {
                name: name.to_owned(),
                known: comma_separated(Workload::ALL),
            },
        )
    }
}

/// `0 + 1 + … + (n - 1)`.
fn sum_below(n: u64) -> u64 {
    n * (n - 1) / 2
}

/// A fixed bijection that scatters its argument (the 64-bit finaliser of MurmurHash3).
#[inline]
pub(crate) fn mix(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}
