//! Who needs whom: dependencies resolved, and closures found. Knows nothing about events.

#[cfg(feature = "workspace")]
mod merkle;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::Arc;

use crate::events::{ClosureLine, Findings, SectionLine, Sized};

/// Packages by number, in byte order of their names, and what each needs.
pub struct Graph {
    packages: Vec<Node>,
    /// Where the needs of a package begin in `needs`; they end where the next one's begin.
    starts: Vec<usize>,
    needs: Vec<u32>,
    n_unresolved: usize,
}

/// What the results say about a package besides its place in the graph.
struct Node {
    name: String,
    section: String,
    kib: u32,
}

impl Graph {
    /// Resolves all dependencies.
    pub fn resolve(packages: &[Sized]) -> Graph {
        let mut in_order: Vec<(&str, &Sized)> =
            packages.iter().map(|package| (package.record.package.as_str(), package)).collect();
        in_order.sort_unstable_by_key(|(name, _)| *name);
        let names = Names::of(&in_order);

        let mut graph =
            Graph { packages: Vec::new(), starts: vec![0], needs: Vec::new(), n_unresolved: 0 };
        for (number, (name, Sized { record, kib })) in (0..).zip(in_order) {
            let mut needs = Vec::new();
            for group in &record.depends {
                match names.first_that_resolves(group) {
                    Some(needed) if needed != number => needs.push(needed),
                    Some(_itself) => {}
                    None => graph.n_unresolved += 1,
                }
            }
            needs.sort_unstable();
            needs.dedup();
            graph.needs.append(&mut needs);
            graph.starts.push(graph.needs.len());
            let section = record.section.clone();
            graph.packages.push(Node { name: name.to_owned(), section, kib: *kib });
        }
        graph
    }

    pub fn len(&self) -> usize {
        self.packages.len()
    }

    pub fn needs(&self, package: u32) -> &[u32] {
        let package = package as usize;
        &self.needs[self.starts[package]..self.starts[package + 1]]
    }
}

/// Numbers of packages by their own names and by those they provide.
struct Names<'a> {
    own: HashMap<&'a str, u32>,
    provided: HashMap<&'a str, u32>,
}

impl<'a> Names<'a> {
    /// `packages` are in byte order, so the first provider of a name is the one that counts.
    fn of(packages: &[(&'a str, &'a Sized)]) -> Names<'a> {
        let own = (0..).zip(packages).map(|(number, (name, _))| (*name, number)).collect();
        let mut provided = HashMap::new();
        for (number, (_, package)) in (0..).zip(packages) {
            for name in &package.record.provides {
                provided.entry(name.as_str()).or_insert(number);
            }
        }
        Names { own, provided }
    }

    fn first_that_resolves(&self, group: &[String]) -> Option<u32> {
        let resolve = |name: &str| self.own.get(name).or_else(|| self.provided.get(name)).copied();
        group.iter().find_map(|name| resolve(name))
    }
}

/// A package and all that it needs, directly or not.
#[derive(Clone, Copy, Default)]
pub struct Closure {
    pub packages: u32,
    pub kib: u64,
}

/// Walks the graph from one package at a time and keeps count of whom it met.
pub struct Walker {
    graph: Arc<Graph>,
    /// The last walk that met each package.
    met: Vec<u32>,
    walk: u32,
    pending: Vec<u32>,
    /// How many closures of other packages each package was in.
    pub dependents: Vec<u32>,
}

impl Walker {
    pub fn new(graph: Arc<Graph>) -> Walker {
        let n = graph.len();
        Walker { graph, met: vec![0; n], walk: 0, pending: Vec::new(), dependents: vec![0; n] }
    }

    pub fn closure(&mut self, package: u32) -> Closure {
        let Walker { graph, met, walk, pending, dependents } = self;
        *walk += 1;
        let mut meets_first =
            |package: u32| mem::replace(&mut met[package as usize], *walk) != *walk;
        let mut closure = Closure::default();
        meets_first(package);
        pending.push(package);
        while let Some(package) = pending.pop() {
            closure.packages += 1;
            closure.kib += u64::from(graph.packages[package as usize].kib);
            dependents[package as usize] += 1;
            pending.extend(graph.needs(package).iter().filter(|&&needed| meets_first(needed)));
        }
        dependents[package as usize] -= 1; // A package is not its own dependent.
        closure
    }
}

/// All results, by package number.
pub struct Results {
    graph: Arc<Graph>,
    closures: Vec<Closure>,
    dependents: Vec<u32>,
}

impl Results {
    pub fn new(graph: Arc<Graph>) -> Results {
        let n = graph.len();
        Results { graph, closures: vec![Closure::default(); n], dependents: vec![0; n] }
    }

    /// Adds the closures of some packages that follow each other, from the number `first` on.
    pub fn add_closures(&mut self, first: u32, found: &[Closure]) {
        let first = first as usize;
        self.closures[first..first + found.len()].copy_from_slice(found);
    }

    /// Adds what one walker counted.
    pub fn add_dependents(&mut self, counts: &[u32]) {
        self.dependents.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
    }

    /// Adds what was found about one package, unless there is none of that name.
    #[cfg(feature = "workspace")]
    pub fn add_row(&mut self, name: &str, packages: u32, kib: u64, dependents: u32) -> Option<()> {
        let package = self.graph.number_of(name)?;
        self.closures[package] = Closure { packages, kib };
        self.dependents[package] = dependents;
        Some(())
    }

    /// One line per package, in byte order of the name.
    pub fn closure_lines(&self) -> impl Iterator<Item = ClosureLine> {
        let results = self.closures.iter().zip(&self.dependents);
        self.graph.packages.iter().zip(results).map(|(package, (closure, &dependents))| {
            let Closure { packages: closure, kib: closure_kib } = *closure;
            ClosureLine { package: package.name.clone(), closure, closure_kib, dependents }
        })
    }

    /// One line per section, in byte order of the name.
    pub fn section_lines(&self) -> impl Iterator<Item = SectionLine> {
        let mut sections = BTreeMap::<&str, (u64, u64)>::new();
        for package in &self.graph.packages {
            let (packages, kib) = sections.entry(&package.section).or_default();
            *packages += 1;
            *kib += u64::from(package.kib);
        }
        sections.into_iter().map(|(section, (packages, installed_kib))| SectionLine {
            section: section.to_owned(),
            packages,
            installed_kib,
        })
    }

    pub fn findings(&self) -> Findings {
        Findings {
            packages: self.graph.len(),
            edges: self.graph.needs.len(),
            unresolved: self.graph.n_unresolved,
            closure_sum: self.closures.iter().map(|closure| u64::from(closure.packages)).sum(),
            most_needed: self.top(|i| self.dependents[i]),
            heaviest: self.top(|i| self.closures[i].kib),
        }
    }

    /// The ten packages with the most of something; of equals the first by name.
    fn top<N: Ord + Copy>(&self, amount: impl Fn(usize) -> N) -> Vec<(String, N)> {
        let mut numbers: Vec<usize> = (0..self.graph.len()).collect();
        numbers.sort_by_key(|&i| Reverse(amount(i)));
        let name = |i: usize| self.graph.packages[i].name.clone();
        numbers.into_iter().take(10).map(|i| (name(i), amount(i))).collect()
    }
}
