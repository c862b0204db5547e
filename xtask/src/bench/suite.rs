//! What the suite runs: per workload our own layouts, and the peers that could be the best at it.
//!
//! Who could be is known from a run of all of them on the machine that the workloads were sized on;
//! the others were behind by half and more. `--peers` asks again.

/// A workload and who runs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contest {
    pub(super) workload: &'static str,
    /// Our own.
    pub(super) candidates: &'static [&'static str],
    /// What they are held against.
    pub(super) peers: Peers,
}

/// What candidates are held against.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peers {
    /// Other people's libraries.
    Libraries {
        /// In a full run.
        full: &'static [&'static str],
        /// In a quick one.
        quick: &'static [&'static str],
    },
    /// Our own runtime in another layout, whatever `--peers` says.
    Ours(&'static [&'static str]),
}

/// Both layouts in which two threads take turns.
const LAYOUTS: &[&str] = &["selvedge", "selvedge_t3"];

/// The layouts, and the first one with an observer that asks for nothing, or for everything.
const OBSERVED: &[&str] = &["selvedge", "selvedge_t3", "selvedge_obs", "selvedge_obs_full"];

/// In order of running.
pub(super) const CONTESTS: &[Contest] = &[
    Contest {
        workload: "W1",
        candidates: OBSERVED,
        peers: Peers::Libraries {
            full: &["actix_1arb", "tokio_mpsc_ct", "tokio_mpsc"],
            quick: &["actix_1arb", "tokio_mpsc_ct"],
        },
    },
    Contest {
        workload: "W2",
        candidates: LAYOUTS,
        peers: Peers::Libraries {
            full: &["crossbeam", "crossbeam_b1024", "kanal"],
            quick: &["crossbeam"],
        },
    },
    Contest {
        workload: "W2i",
        candidates: LAYOUTS,
        peers: Peers::Libraries {
            full: &["tokio_mpsc_ct", "actix_1arb", "tokio_mpsc"],
            quick: &["tokio_mpsc_ct"],
        },
    },
    Contest {
        workload: "W3",
        candidates: OBSERVED,
        peers: Peers::Libraries {
            full: &["tokio_mpsc_ct", "actix_1arb", "tokio_mpsc", "crossbeam", "kanal"],
            quick: &["tokio_mpsc_ct", "tokio_mpsc"],
        },
    },
    Contest {
        workload: "W4",
        candidates: OBSERVED,
        peers: Peers::Libraries {
            full: &[
                "tokio_mpsc",
                "tokio_mpsc_ct",
                "actix_1arb",
                "kanal",
                "crossbeam_b1024",
                "crossbeam",
            ],
            quick: &["tokio_mpsc", "tokio_mpsc_ct", "kanal", "crossbeam_b1024"],
        },
    },
    Contest {
        workload: "W5",
        candidates: LAYOUTS,
        peers: Peers::Libraries {
            full: &["actix_1arb", "tokio_mpsc", "xtra"],
            quick: &["actix_1arb", "tokio_mpsc"],
        },
    },
    Contest {
        workload: "W6",
        candidates: LAYOUTS,
        peers: Peers::Libraries {
            full: &["tokio_mpsc_ct", "tokio_mpsc", "actix_1arb", "kanal"],
            quick: &["tokio_mpsc_ct", "tokio_mpsc"],
        },
    },
    Contest {
        workload: "W7",
        candidates: LAYOUTS,
        peers: Peers::Libraries { full: &["rayon"], quick: &["rayon"] },
    },
    Contest { workload: "W1p", candidates: &["selvedge"], peers: Peers::Ours(&["selvedge_w1"]) },
    Contest {
        workload: "scaling",
        candidates: &["selvedge"],
        peers: Peers::Ours(&["selvedge_w1"]),
    },
    Contest { workload: "W6k", candidates: LAYOUTS, peers: Peers::Ours(&[]) },
    Contest { workload: "W1l", candidates: LAYOUTS, peers: Peers::Ours(&[]) },
    Contest { workload: "Q8", candidates: &["selvedge"], peers: Peers::Ours(&[]) },
    Contest { workload: "Q100", candidates: &["selvedge"], peers: Peers::Ours(&[]) },
];

/// What the graphs run. Those that they are held against differ: the bare processors, libraries.
pub(super) const GRAPHS: &[Contest] = &[
    Contest {
        workload: "W4",
        candidates: &["graph", "graph_dedupe"],
        peers: Peers::Ours(&["selvedge"]),
    },
    Contest { workload: "W4p", candidates: &["graph_persist"], peers: Peers::Ours(&["store"]) },
    Contest {
        workload: "W6",
        candidates: &["graph", "graph_shards"],
        peers: Peers::Ours(&["selvedge", "timely_2w"]),
    },
    Contest { workload: "W6m", candidates: &["graph"], peers: Peers::Ours(&[]) },
    Contest {
        workload: "W7",
        candidates: &["graph", "graph_least"],
        peers: Peers::Libraries { full: &["rayon"], quick: &["rayon"] },
    },
    Contest {
        workload: "W7u",
        candidates: &["graph", "graph_least"],
        peers: Peers::Libraries { full: &["rayon"], quick: &["rayon"] },
    },
];

/// What a library is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// It runs handlers by address.
    Actors,
    /// It passes items between threads that its user starts.
    Channels,
    /// Neither, or ours.
    Other,
}

/// What the peer of this name is.
pub(super) fn family(peer: &str) -> Family {
    const ACTORS: [&str; 5] = ["actix_", "tokio_", "ractor", "kameo", "xtra"];
    const CHANNELS: [&str; 5] = ["crossbeam", "kanal", "flume", "std_mpsc", "mutex_condvar"];
    // Two threads on one queue are a pool.
    if peer == "crossbeam_shared_mpmc" {
        return Family::Other;
    }
    let is = |names: [&str; 5]| names.iter().any(|name| peer.starts_with(name));
    match (is(ACTORS), is(CHANNELS)) {
        (true, _) => Family::Actors,
        (_, true) => Family::Channels,
        _ => Family::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{CONTESTS, Peers, family};

    #[test]
    fn libraries_by_family() {
        let line = |peer: &str| format!("{peer} {:?}\n", family(peer));
        let mut peers = vec!["ractor_ct", "kameo", "flume", "crossbeam_shared_mpmc", "timely_1w"];
        for contest in CONTESTS {
            if let Peers::Libraries { full, quick } = contest.peers {
                assert!(quick.iter().all(|peer| full.contains(peer)), "{}", contest.workload);
                peers.extend(full);
            }
        }
        peers.sort_unstable();
        peers.dedup();
        insta::assert_snapshot!(peers.into_iter().map(line).collect::<String>(), @r"
        actix_1arb Actors
        crossbeam Channels
        crossbeam_b1024 Channels
        crossbeam_shared_mpmc Other
        flume Channels
        kameo Actors
        kanal Channels
        ractor_ct Actors
        rayon Other
        timely_1w Other
        tokio_mpsc Actors
        tokio_mpsc_ct Actors
        xtra Actors
        ");
    }
}
