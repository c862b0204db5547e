//! The processors of the atlas, in the order in which work flows through them.
//!
//! A stage that needs all of what comes before it begins in a phase: a phase begins when everything
//! has drained. No processor knows another, and none has a lock: what one knows and another needs
//! travels as an event.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

use anyhow::Context as _;
use selvedge::prelude::*;

use crate::events::{
    Closures, Dependents, Orphan, Package, PackageRecord, Resolved, Size, Sized, Slice,
};
use crate::graph::{Graph, Results, Walker};

const RESOLVE: u32 = 1;
pub const COUNT_DEPENDENTS: u32 = 2;
const WRITE: u32 = 3;

/// How many packages a walker takes at a time.
const SLICE: u32 = 256;

pub const PACKAGES: &str = "packages";
pub const SIZES: &str = "sizes";

/// Joins the two streams by the package's name.
#[derive(Default)]
pub struct Join {
    by_name: HashMap<String, Half>,
}

/// What is known of a package so far.
enum Half {
    Package(Arc<PackageRecord>),
    Size(u32),
    Both,
}

#[processor(strict)]
impl Processor for Join {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Package(record) => match self.by_name.entry(record.package.clone()) {
                Entry::Vacant(entry) => {
                    entry.insert(Half::Package(Arc::clone(record)));
                }
                Entry::Occupied(mut entry) => match entry.insert(Half::Both) {
                    Half::Size(kib) => cx.emit(Sized { record: Arc::clone(record), kib }),
                    Half::Package(_) | Half::Both => return duplicate(&record.package, PACKAGES),
                },
            },
            Size { package, installed_size_kib: kib } => {
                match self.by_name.entry(package.clone()) {
                    Entry::Vacant(entry) => {
                        entry.insert(Half::Size(*kib));
                    }
                    Entry::Occupied(mut entry) => match entry.insert(Half::Both) {
                        Half::Package(record) => cx.emit(Sized { record, kib: *kib }),
                        Half::Size(_) | Half::Both => return duplicate(package, SIZES),
                    },
                }
            }
            Phase { number: RESOLVE } => {
                for (package, half) in self.by_name.drain() {
                    match half {
                        Half::Both => {}
                        Half::Package(_) => cx.emit(Orphan { package, missing_in: SIZES }),
                        Half::Size(_) => cx.emit(Orphan { package, missing_in: PACKAGES }),
                    }
                }
            }
        }
        Ok(())
    }
}

/// A name that should have been the only one of its kind.
#[derive(Debug)]
pub struct Duplicate {
    pub package: String,
    pub stream: &'static str,
}

fn duplicate(package: &str, stream: &'static str) -> Result {
    Err(Duplicate { package: package.to_owned(), stream }.into())
}

impl std::error::Error for Duplicate {}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "package `{}` appears twice among the {}", self.package, self.stream)
    }
}

/// Resolves the dependencies when all packages are known, and deals the packages out.
pub struct Resolve {
    /// Nothing is dealt out if there are none.
    n_walkers: usize,
    packages: Vec<Sized>,
}

impl Resolve {
    pub fn for_walkers(n_walkers: usize) -> Resolve {
        Resolve { n_walkers, packages: Vec::new() }
    }
}

#[processor(strict)]
impl Processor for Resolve {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            package @ Sized { .. } => self.packages.push(package.clone()),
            Phase { number: RESOLVE } => {
                let graph = Graph::resolve(&self.packages);
                let n = u32::try_from(graph.len())?;
                cx.emit(Resolved(Arc::new(graph)));
                let n_dealt = if self.n_walkers == 0 { 0 } else { n };
                for (i, first) in (0..n_dealt).step_by(SLICE as usize).enumerate() {
                    let last = n.min(first.saturating_add(SLICE));
                    cx.emit(Slice { walker: i % self.n_walkers, first, last });
                }
            }
            // The graph has copied what it needs of the records. Freeing them takes a while, in
            // which the sinks can write.
            Phase { number: WRITE } => self.packages = Vec::new(),
        }
        Ok(())
    }
}

/// Walks the slices dealt to it: one of several such processors, each with its own key.
#[derive(Default)]
pub struct Walk {
    walker: Option<Walker>,
}

#[processor(strict)]
impl Processor for Walk {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Resolved(graph) => self.walker = Some(Walker::new(Arc::clone(graph))),
            Slice { first, last, .. } => {
                let walker = self.walker.as_mut().context("a slice came before its graph")?;
                let found = (*first..*last).map(|package| walker.closure(package)).collect();
                cx.emit(Closures { first: *first, found });
            }
            Phase { number: COUNT_DEPENDENTS } => {
                if let Some(walker) = self.walker.take() {
                    cx.emit(Dependents(walker.dependents));
                }
            }
        }
        Ok(())
    }
}

/// Puts the results together, and tells them when they are complete.
#[derive(Default)]
pub struct Tally {
    results: Option<Results>,
}

#[processor(strict)]
impl Processor for Tally {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        let early = "a result came before its graph";
        match event {
            Resolved(graph) => self.results = Some(Results::new(Arc::clone(graph))),
            Closures { first, found } => {
                self.results.as_mut().context(early)?.add_closures(*first, found);
            }
            Dependents(counts) => self.results.as_mut().context(early)?.add_dependents(counts),
            Phase { number: WRITE } => {
                tell(&self.results.take().context(early)?, cx);
            }
        }
        Ok(())
    }
}

/// Emits all results.
pub fn tell(results: &Results, cx: &mut Context<'_>) {
    results.closure_lines().for_each(|line| cx.emit(line));
    results.section_lines().for_each(|line| cx.emit(line));
    cx.emit(results.findings());
}
