//! Sets of packages that all need each other, in an order in which each can be given a digest of
//! all that it needs.

use super::{Graph, Node};

/// Sets of packages that all need each other; most are of one package.
pub struct Components {
    /// A set comes after those that it needs. In byte order of the names.
    pub sets: Vec<Vec<u32>>,
    /// The set of each package.
    pub of: Vec<u32>,
}

impl Graph {
    /// The same packages, each needing those that need it here.
    pub fn reversed(&self) -> Graph {
        let mut pairs: Vec<(u32, u32)> = (0..)
            .take(self.len())
            .flat_map(|package| self.needs(package).iter().map(move |&needed| (needed, package)))
            .collect();
        pairs.sort_unstable();
        let starts = (0..=self.len()).map(|n| pairs.partition_point(|pair| (pair.0 as usize) < n));
        let copy = |node: &Node| Node {
            name: node.name.clone(),
            section: node.section.clone(),
            kib: node.kib,
        };
        Graph {
            packages: self.packages.iter().map(copy).collect(),
            starts: starts.collect(),
            needs: pairs.into_iter().map(|pair| pair.1).collect(),
            n_unresolved: 0,
        }
    }

    pub fn name(&self, package: u32) -> &str {
        &self.packages[package as usize].name
    }

    pub fn kib(&self, package: u32) -> u32 {
        self.packages[package as usize].kib
    }

    pub fn number_of(&self, name: &str) -> Option<usize> {
        self.packages.binary_search_by(|node| node.name.as_str().cmp(name)).ok()
    }

    /// R. Tarjan, "Depth-first search and linear graph algorithms", 1972; without recursion.
    pub fn components(&self) -> Components {
        let n = self.len();
        let components = Components { sets: Vec::new(), of: vec![NONE; n] };
        let (found, lowest) = (vec![NONE; n], vec![NONE; n]);
        let mut search = Search {
            graph: self,
            n_found: 0,
            found,
            lowest,
            path: Vec::new(),
            open: Vec::new(),
            components,
        };
        for package in (0..).take(n) {
            if search.found[package as usize] == NONE {
                search.from(package);
            }
        }
        search.components
    }
}

const NONE: u32 = u32::MAX;

struct Search<'g> {
    graph: &'g Graph,
    n_found: u32,
    /// When each package was found.
    found: Vec<u32>,
    /// The package found first of those known to be in a set with each.
    lowest: Vec<u32>,
    /// The packages on the way here, and how many of their needs were looked at.
    path: Vec<(u32, usize)>,
    /// The packages found whose set is not complete.
    open: Vec<u32>,
    components: Components,
}

impl Search<'_> {
    fn from(&mut self, root: u32) {
        self.enter(root);
        while let Some((package, n_seen)) = self.path.last_mut() {
            let package = *package;
            let Some(&needed) = self.graph.needs(package).get(*n_seen) else {
                self.leave(package);
                continue;
            };
            *n_seen += 1;
            if self.found[needed as usize] == NONE {
                self.enter(needed);
            } else if self.components.of[needed as usize] == NONE {
                self.lower(package, self.found[needed as usize]);
            }
        }
    }

    fn enter(&mut self, package: u32) {
        self.found[package as usize] = self.n_found;
        self.lowest[package as usize] = self.n_found;
        self.n_found += 1;
        self.path.push((package, 0));
        self.open.push(package);
    }

    fn leave(&mut self, package: u32) {
        self.path.pop();
        let lowest = self.lowest[package as usize];
        if let Some(&(parent, _)) = self.path.last() {
            self.lower(parent, lowest);
        }
        let found = self.found[package as usize];
        if lowest == found {
            // It was found first of its set, and the others are open since.
            let start = self.open.iter().rposition(|&open| open == package).unwrap_or(0);
            let mut set = self.open.split_off(start);
            set.sort_unstable();
            for &member in &set {
                self.components.of[member as usize] = self.components.sets.len() as u32;
            }
            self.components.sets.push(set);
        }
    }

    fn lower(&mut self, package: u32, lowest: u32) {
        let known = &mut self.lowest[package as usize];
        *known = lowest.min(*known);
    }
}
