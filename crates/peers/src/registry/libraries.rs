//! The libraries that ours is held against. Left out of a build without the feature `libraries`,
//! which measures our own runtime and nothing else.

use super::Peer;
use crate::actor::{Actix, Framework, Kameo, Ractor, TokioTasks, Xtra};
use crate::channel::{
    Channel, Crossbeam, CrossbeamBounded, Flume, Kanal, KanalBounded, MutexCondvar, StdMpsc,
};
use crate::dataflow;
use crate::pool;

/// One row each.
pub(super) const LIBRARIES: &[Peer] = &[
    Peer {
        name: "crossbeam",
        about: "crossbeam-channel, unbounded",
        workloads: Crossbeam::WORKLOADS,
    },
    Peer {
        name: "crossbeam_b1024",
        about: "crossbeam-channel, bounded to 1024",
        workloads: CrossbeamBounded::WORKLOADS,
    },
    Peer { name: "kanal", about: "kanal, unbounded", workloads: Kanal::WORKLOADS },
    Peer {
        name: "kanal_b1024",
        about: "kanal, bounded to 1024",
        workloads: KanalBounded::WORKLOADS,
    },
    Peer { name: "std_mpsc", about: "std::sync::mpsc, unbounded", workloads: StdMpsc::WORKLOADS },
    Peer { name: "flume", about: "flume, unbounded", workloads: Flume::WORKLOADS },
    Peer {
        name: "mutex_condvar",
        about: "Mutex<VecDeque> and Condvar, unbounded",
        workloads: MutexCondvar::WORKLOADS,
    },
    Peer {
        name: "crossbeam_shared_mpmc",
        about: "two threads on one bounded queue",
        workloads: pool::SHARED_MPMC,
    },
    Peer { name: "rayon", about: "a parallel iterator", workloads: pool::RAYON },
    Peer {
        name: "actix_1arb",
        about: "actix actors on one arbiter",
        workloads: Actix::<1>::WORKLOADS,
    },
    Peer {
        name: "actix_2arb",
        about: "actix actors dealt to two arbiters",
        workloads: Actix::<2>::WORKLOADS,
    },
    Peer {
        name: "tokio_mpsc",
        about: "tokio tasks, two workers",
        workloads: TokioTasks::<2>::WORKLOADS,
    },
    Peer {
        name: "tokio_mpsc_ct",
        about: "tokio tasks, current-thread runtime",
        workloads: TokioTasks::<1>::WORKLOADS,
    },
    Peer { name: "ractor", about: "ractor actors, two workers", workloads: Ractor::<2>::WORKLOADS },
    Peer {
        name: "ractor_ct",
        about: "ractor actors, current-thread runtime",
        workloads: Ractor::<1>::WORKLOADS,
    },
    Peer { name: "kameo", about: "kameo actors, two workers", workloads: Kameo::<2>::WORKLOADS },
    Peer {
        name: "kameo_ct",
        about: "kameo actors, current-thread runtime",
        workloads: Kameo::<1>::WORKLOADS,
    },
    Peer { name: "xtra", about: "xtra actors, two workers", workloads: Xtra::<2>::WORKLOADS },
    Peer {
        name: "xtra_ct",
        about: "xtra actors, current-thread runtime",
        workloads: Xtra::<1>::WORKLOADS,
    },
    Peer { name: "timely_1w", about: "timely, one worker", workloads: dataflow::ONE_WORKER },
    Peer { name: "timely_2w", about: "timely, two workers", workloads: dataflow::TWO_WORKERS },
];
