//! Owns `Network`: what a checked graph is, to be drawn and asked. Refuses to build anything.

use std::fmt;
use std::sync::Arc;

use selvedge_topology::Topology;

/// A graph that was checked.
#[derive(Clone)]
pub struct Network {
    pub(crate) topology: Arc<Topology>,
}

impl Network {
    /// Its nodes and edges: targets and whoever provides them, requirements.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.topology.fmt(f)
    }
}
