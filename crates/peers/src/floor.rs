//! The floors: each workload written by hand for two cores, with nothing in it that the job does
//! not need.
//!
//! A floor is what the machine allows, not a design: no routing, no fairness, no failure, sizes
//! known ahead.

mod joins;
mod messages;
mod ring;

use crate::sample::Run;
use crate::workload::Workload;

/// What the floors run.
pub(crate) const WORKLOADS: &[(Workload, Run)] = &[
    (Workload::W1, messages::hop_across_cores),
    (Workload::W1i, messages::hop_inline),
    (Workload::W2, messages::fan_in),
    (Workload::W3, messages::fan_out),
    (Workload::W4, messages::chain),
    (Workload::W5, messages::crowd),
    (Workload::W6, joins::rendezvous_in_halves),
    (Workload::W6s, joins::rendezvous_on_one_thread),
    (Workload::W6j, joins::full_join_in_halves),
    (Workload::W7, messages::map),
];

/// What a thread of a floor cannot do is fail: it only computes.
const ONLY_COMPUTES: &str = "the other half only computes";
