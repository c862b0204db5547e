//! Who needs whom: dependencies resolved, and closures found. Knows nothing about events.

use std::collections::HashMap;
use std::sync::Arc;

use crate::events::{ClosureLine, Findings, PackageRecord, SectionLine, Sized};

/// Packages by number, in byte order of their names, and what each needs.
pub struct Graph {
    pub packages: Vec<Sized>,
    /// Where the needs of a package begin in `needs`; they end where the next one's begin.
    starts: Vec<usize>,
    needs: Vec<u32>,
    pub n_unresolved: usize,
}

impl Graph {
    /// Resolves all dependencies.
    pub fn resolve(mut packages: Vec<Sized>) -> Graph {
        packages.sort_unstable_by(|a, b| a.record.package.cmp(&b.record.package));
        let mut graph =
            Graph { packages: Vec::new(), starts: vec![0], needs: Vec::new(), n_unresolved: 0 };
        let names = Names::of(&packages);
        for (number, package) in (0..).zip(&packages) {
            let first = graph.needs.len();
            for group in &package.record.depends {
                match names.first_that_resolves(group) {
                    Some(needed) if needed != number => graph.needs.push(needed),
                    Some(_itself) => {}
                    None => graph.n_unresolved += 1,
                }
            }
            graph.needs[first..].sort_unstable();
            graph.dedup_needs_from(first);
            graph.starts.push(graph.needs.len());
        }
        graph.packages = packages;
        graph
    }

    fn dedup_needs_from(&mut self, first: usize) {
        let mut own = self.needs.split_off(first);
        own.dedup();
        self.needs.append(&mut own);
    }

    pub fn len(&self) -> usize {
        self.packages.len()
    }

    pub fn n_edges(&self) -> usize {
        self.needs.len()
    }

    fn needs(&self, package: u32) -> &[u32] {
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
    fn of(packages: &'a [Sized]) -> Names<'a> {
        let mut names = Names { own: HashMap::new(), provided: HashMap::new() };
        for (number, package) in (0..).zip(packages) {
            let PackageRecord { package, provides, .. } = &*package.record;
            names.own.insert(package, number);
            for name in provides {
                names.provided.entry(name).or_insert(number);
            }
        }
        names
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
    /// How many closures each package was in.
    pub dependents: Vec<u32>,
}

impl Walker {
    pub fn new(graph: Arc<Graph>) -> Walker {
        let n = graph.len();
        Walker { graph, met: vec![0; n], walk: 0, pending: Vec::new(), dependents: vec![0; n] }
    }

    pub fn closure(&mut self, package: u32) -> Closure {
        self.walk += 1;
        let mut closure = Closure::default();
        self.meet(package);
        while let Some(package) = self.pending.pop() {
            closure.packages += 1;
            closure.kib += self.graph.packages[package as usize].kib;
            self.dependents[package as usize] += 1;
            let graph = Arc::clone(&self.graph);
            for &needed in graph.needs(package) {
                self.meet(needed);
            }
        }
        self.dependents[package as usize] -= 1; // A package is not its own dependent.
        closure
    }

    fn meet(&mut self, package: u32) {
        let met = &mut self.met[package as usize];
        if *met != self.walk {
            *met = self.walk;
            self.pending.push(package);
        }
    }
}

/// All results, by package number.
pub struct Results {
    graph: Arc<Graph>,
    pub closures: Vec<Closure>,
    pub dependents: Vec<u32>,
}

impl Results {
    pub fn new(graph: Arc<Graph>) -> Results {
        let n = graph.len();
        Results { graph, closures: vec![Closure::default(); n], dependents: vec![0; n] }
    }

    /// One line per package, in byte order of the name.
    pub fn closure_lines(&self) -> impl Iterator<Item = ClosureLine> {
        let results = self.closures.iter().zip(&self.dependents);
        self.graph.packages.iter().zip(results).map(|(package, (closure, &dependents))| {
            let package = package.record.package.clone();
            let Closure { packages: closure, kib: closure_kib } = *closure;
            ClosureLine { package, closure, closure_kib, dependents }
        })
    }

    /// One line per section, in byte order of the name.
    pub fn section_lines(&self) -> impl Iterator<Item = SectionLine> {
        let mut sections = std::collections::BTreeMap::<&str, (u64, u64)>::new();
        for package in &self.graph.packages {
            let (packages, kib) = sections.entry(&package.record.section).or_default();
            *packages += 1;
            *kib += package.kib;
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
            edges: self.graph.n_edges(),
            unresolved: self.graph.n_unresolved,
            closure_sum: self.closures.iter().map(|closure| u64::from(closure.packages)).sum(),
            most_needed: self.top(|i| self.dependents[i]),
            heaviest: self.top(|i| self.closures[i].kib),
        }
    }

    /// The ten packages with the most of something; of equals the first by name.
    fn top<N: Ord + Copy>(&self, amount: impl Fn(usize) -> N) -> Vec<(String, N)> {
        let mut numbers: Vec<usize> = (0..self.graph.len()).collect();
        numbers.sort_by_key(|&i| std::cmp::Reverse(amount(i)));
        let name = |i: usize| self.graph.packages[i].record.package.clone();
        numbers.into_iter().take(10).map(|i| (name(i), amount(i))).collect()
    }
}
