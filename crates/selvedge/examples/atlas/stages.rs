//! The processors of the atlas, in the order in which work flows through them.
//!
//! Each stage that needs all of the one before begins in a phase: a phase begins when everything
//! has drained.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use selvedge::prelude::*;

use crate::events::{
    Closures, Dependents, Orphan, Package, PackageRecord, Resolved, Size, Sized, Slice,
};
use crate::graph::{Graph, Results, Walker};

const RESOLVE: u32 = 1;
const COUNT_DEPENDENTS: u32 = 2;
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
    Size(u64),
    Both,
}

/// A name that should have been the only one of its kind.
#[derive(Debug)]
pub struct Duplicate {
    pub package: String,
    pub stream: &'static str,
}

impl std::error::Error for Duplicate {}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "package `{}` appears twice among the {}", self.package, self.stream)
    }
}

#[processor(strict)]
impl Processor for Join {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Package(record) => {
                let name = &record.package;
                match self.by_name.insert(name.clone(), Half::Package(Arc::clone(record))) {
                    None => {}
                    Some(Half::Size(kib)) => self.pair(cx, name, record, kib),
                    Some(Half::Package(_) | Half::Both) => return duplicate(name, PACKAGES),
                }
            }
            Size { package, installed_size_kib: kib } => {
                match self.by_name.insert(package.clone(), Half::Size(*kib)) {
                    None => {}
                    Some(Half::Package(record)) => self.pair(cx, package, &record, *kib),
                    Some(Half::Size(_) | Half::Both) => return duplicate(package, SIZES),
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

impl Join {
    fn pair(&mut self, cx: &mut Context<'_>, name: &str, record: &Arc<PackageRecord>, kib: u64) {
        self.by_name.insert(name.to_owned(), Half::Both);
        cx.emit(Sized { record: Arc::clone(record), kib });
    }
}

fn duplicate(package: &str, stream: &'static str) -> Result {
    Err(Duplicate { package: package.to_owned(), stream }.into())
}

/// Resolves the dependencies when all packages are known, and deals the packages out.
pub struct Resolver {
    pub n_walkers: usize,
    pub packages: Vec<Sized>,
}

#[processor(strict)]
impl Processor for Resolver {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            package @ Sized { .. } => self.packages.push(package.clone()),
            Phase { number: RESOLVE } => {
                let graph = Graph::resolve(std::mem::take(&mut self.packages));
                let n = u32::try_from(graph.len())?;
                cx.emit(Resolved(Arc::new(graph)));
                for (i, first) in (0..n).step_by(SLICE as usize).enumerate() {
                    let last = (first + SLICE).min(n);
                    cx.emit(Slice { walker: i % self.n_walkers, first, last });
                }
            }
        }
        Ok(())
    }
}

/// Finds the closures of the slices dealt to it: one of several, each with its own key.
#[derive(Default)]
pub struct Closer {
    walker: Option<Walker>,
}

#[processor(strict)]
impl Processor for Closer {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Resolved(graph) => self.walker = Some(Walker::new(Arc::clone(graph))),
            Slice { first, last, .. } => {
                if let Some(walker) = &mut self.walker {
                    let found = (*first..*last).map(|package| walker.closure(package)).collect();
                    cx.emit(Closures { first: *first, found });
                }
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

/// Puts the results together and writes them when they are complete.
#[derive(Default)]
pub struct Tally {
    results: Option<Results>,
}

#[processor(strict)]
impl Processor for Tally {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Resolved(graph) => self.results = Some(Results::new(Arc::clone(graph))),
            Closures { first, found } => {
                if let Some(results) = &mut self.results {
                    let first = *first as usize;
                    results.closures[first..first + found.len()].copy_from_slice(found);
                }
            }
            Dependents(counts) => {
                if let Some(results) = &mut self.results {
                    results.dependents.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
                }
            }
            Phase { number: WRITE } => {
                if let Some(results) = self.results.take() {
                    results.closure_lines().for_each(|line| cx.emit(line));
                    results.section_lines().for_each(|line| cx.emit(line));
                    cx.emit(results.findings());
                }
            }
        }
        Ok(())
    }
}
