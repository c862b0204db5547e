//! Our own graphs, held against our own processors and against libraries. Left out of a build
//! without the feature `graphs`.

use super::Peer;
use crate::graphs;

/// One row each.
pub(super) const GRAPHS: &[Peer] = &[
    Peer {
        name: "graph",
        about: "our graphs: every input is built from",
        workloads: graphs::GRAPH,
    },
    Peer {
        name: "graph_dedupe",
        about: "our graphs, inputs remembered in memory",
        workloads: graphs::DEDUPED,
    },
    Peer {
        name: "graph_persist",
        about: "our graphs, results kept on the disk",
        workloads: graphs::KEPT,
    },
    Peer { name: "store", about: "the store alone, the same records", workloads: graphs::STORE },
    Peer {
        name: "graph_shards",
        about: "our graphs, a join in two shards",
        workloads: graphs::SHARDED,
    },
    Peer {
        name: "graph_least",
        about: "our graphs, work to whoever has least",
        workloads: graphs::LEAST_LOADED,
    },
];
