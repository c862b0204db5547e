//! Which peer runs which workload. It owns names and look-up; how a peer is driven is its own
//! module's.
//!
//! A new peer is one row: a name, a sentence, and a table from workload to the function that runs
//! it.

#[cfg(feature = "graphs")]
mod graphs;
#[cfg(feature = "libraries")]
mod libraries;

use crate::error::{Error, comma_separated};
use crate::floor;
use crate::sample::{Report, Run};
use crate::scale::Scale;
use crate::selvedge::{Helping, Layout, Observed, Waiting};
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

/// Our own, and the floor.
const OWN: &[Peer] = &[
    Peer {
        name: "selvedge",
        about: "our own, two threads: the caller helps",
        workloads: Helping::<2>::WORKLOADS,
    },
    Peer {
        name: "selvedge_t3",
        about: "our own, two threads besides the caller",
        workloads: Waiting::WORKLOADS,
    },
    Peer {
        name: "selvedge_w1",
        about: "our own, the caller alone",
        workloads: Helping::<1>::WORKLOADS,
    },
    Peer {
        name: "selvedge_obs",
        about: "selvedge with an idle observer",
        workloads: Observed::<false>::WORKLOADS,
    },
    Peer {
        name: "selvedge_obs_full",
        about: "the same, told of every turn",
        workloads: Observed::<true>::WORKLOADS,
    },
    Peer { name: "limit", about: "by hand: what the machine allows", workloads: floor::WORKLOADS },
];

/// Every peer: our own first, then the floor, our graphs, then the libraries.
pub fn peers() -> impl Iterator<Item = &'static Peer> {
    #[cfg(feature = "libraries")]
    let libraries = libraries::LIBRARIES;
    #[cfg(not(feature = "libraries"))]
    let libraries: &[Peer] = &[];
    #[cfg(feature = "graphs")]
    let graphs = graphs::GRAPHS;
    #[cfg(not(feature = "graphs"))]
    let graphs: &[Peer] = &[];
    OWN.iter().chain(graphs).chain(libraries)
}

/// Looks a peer up by its exact name.
///
/// # Errors
///
/// [`Error::UnknownPeer`], which names every peer.
pub fn find_peer(name: &str) -> Result<&'static Peer, Error> {
    peers().find(|peer| peer.name == name).ok_or_else(|| Error::UnknownPeer {
        name: name.to_owned(),
        known: comma_separated(peers().map(|peer| peer.name)),
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
