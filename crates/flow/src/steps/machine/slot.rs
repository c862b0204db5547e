//! Owns what is known of a step under way.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A step under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Slot {
    pub(crate) step: u32,
    /// Its number among all starts of the run, from 1.
    pub(crate) invocation: u64,
    pub(crate) attempt: u32,
    /// The slot of the map that this is an item of.
    pub(crate) owner: Option<u32>,
    pub(crate) item: u32,
    /// Its body has returned and something else is at it.
    pub(super) opened: bool,
    pub(super) items: Option<Box<Items>>,
}

/// How far a map is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Items {
    pub(super) total: u32,
    pub(super) next: u32,
    pub(super) n_active: u32,
    pub(super) cap: u32,
    /// The first that has not ended.
    pub(super) frontier: u32,
    /// Those after it that have.
    pub(super) ahead: BTreeSet<u32>,
    pub(super) failed: Option<u32>,
}
