//! What travels through the atlas.

use std::sync::Arc;

use selvedge::prelude::*;
use serde::{Deserialize, Serialize};

use crate::graph::{Closure, Graph};

/// A line of `packages.jsonl`. Shared: whoever hears of it may keep it.
#[derive(Clone, Event, Deserialize)]
pub struct Package(pub Arc<PackageRecord>);

/// What the atlas reads of a package; other fields are ignored.
#[derive(Deserialize)]
pub struct PackageRecord {
    pub package: String,
    pub section: String,
    /// Groups of alternatives: of each group one is needed.
    pub depends: Vec<Vec<String>>,
    /// Other names it answers to.
    pub provides: Vec<String>,
}

/// A line of `sizes.jsonl`.
#[derive(Event, Deserialize)]
pub struct Size {
    pub package: String,
    /// At most 4 TiB, so that no sum of sizes overflows.
    pub installed_size_kib: u32,
}

/// A package whose size is known.
#[derive(Clone, Event)]
pub struct Sized {
    pub record: Arc<PackageRecord>,
    pub kib: u32,
}

/// A package that one stream has and the other has not.
#[derive(Event, Serialize)]
pub struct Orphan {
    pub package: String,
    pub missing_in: &'static str,
}

/// All dependencies, resolved.
#[derive(Event)]
pub struct Resolved(pub Arc<Graph>);

/// A share of the packages, for one of the walkers.
#[derive(Event)]
pub struct Slice {
    #[key]
    pub walker: usize,
    pub first: u32,
    pub last: u32,
}

/// The closures of a slice.
#[derive(Event)]
pub struct Closures {
    pub first: u32,
    pub found: Vec<Closure>,
}

/// How many closures each package was found in, by one walker.
#[derive(Event)]
pub struct Dependents(pub Vec<u32>);

/// A line of `closure.jsonl`.
#[derive(Event, Serialize)]
pub struct ClosureLine {
    pub package: String,
    pub closure: u32,
    pub closure_kib: u64,
    pub dependents: u32,
}

/// A line of `sections.jsonl`.
#[derive(Event, Serialize)]
pub struct SectionLine {
    pub section: String,
    pub packages: u64,
    pub installed_kib: u64,
}

/// What there is to say about all of it.
#[derive(Clone, Debug, PartialEq, Event, Serialize)]
pub struct Findings {
    pub packages: usize,
    pub edges: usize,
    pub unresolved: usize,
    pub closure_sum: u64,
    /// The packages that most others need, with how many.
    pub most_needed: Vec<(String, u32)>,
    /// The packages that bring the most along, with how many KiB.
    pub heaviest: Vec<(String, u64)>,
}
