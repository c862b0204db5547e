//! Which peer runs which workload. It owns names and look-up; how a peer is driven is its own
//! module's.
//!
//! A new peer is one row: a name, a sentence, and a table from workload to the function that runs
//! it.

use crate::actor::{Actix, Framework, Kameo, Ractor, TokioTasks, Xtra};
use crate::channel::{
    Channel, Crossbeam, CrossbeamBounded, Flume, Kanal, KanalBounded, MutexCondvar, StdMpsc,
};
use crate::dataflow;
use crate::error::{Error, comma_separated};
use crate::floor;
use crate::pool;
use crate::sample::{Report, Run};
use crate::scale::Scale;
use crate::selvedge::{Helping, Layout, Waiting};
use crate::workload::Workload;

/// One library driven in one way.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Peer {
    /// What `--peer` takes and the report repeats.
    pub name: &'static str,
    /// How it is driven.
    pub about: &'static str,
    /// What it runs, and how.
    pub workloads: &'static [(Workload, Run)],
}

/// The registry.
pub const PEERS: &[Peer] = &[
    Peer {
        name: "selvedge",
        about: "our own, two threads: the caller helps",
        workloads: Helping::WORKLOADS,
    },
    Peer {
        name: "selvedge_t3",
        about: "our own, two threads besides the caller",
        workloads: Waiting::WORKLOADS,
    },
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
    Peer { name: "limit", about: "by hand: what the machine allows", workloads: floor::WORKLOADS },
];

/// Looks a peer up by its exact name.
///
/// # Errors
///
/// [`Error::UnknownPeer`], which names every peer.
pub fn find_peer(name: &str) -> Result<&'static Peer, Error> {
    PEERS.iter().find(|peer| peer.name == name).ok_or_else(|| Error::UnknownPeer {
        name: name.to_owned(),
        known: comma_separated(PEERS.iter().map(|peer| peer.name)),
    })
}

impl Peer {
    /// Runs one workload once.
    ///
    /// Take one measurement per process: peak memory and processor time are the process's.
    ///
    /// # Errors
    ///
    /// [`Error::NotExpressible`] when the peer does not run this workload.
    ///
    /// # Panics
    ///
    /// When the workload's result is wrong.
    pub fn run(&self, workload: Workload, scale: Scale) -> Result<Report, Error> {
        let row = self.workloads.iter().find(|(known, _)| *known == workload);
        let (_, run) = row.ok_or_else(|| Error::NotExpressible {
            peer: self.name,
            workload,
            known: comma_separated(self.workloads.iter().map(|(known, _)| known)),
        })?;
        Ok(Report { peer: self.name, workload, sample: run(scale) })
    }
}
