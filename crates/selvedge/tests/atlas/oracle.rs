//! The atlas against a second, naive implementation of its rules, on random packages.

use std::collections::BTreeMap;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::program::Fixture;

#[derive(Debug)]
struct Package {
    name: String,
    section: String,
    depends: Vec<Vec<String>>,
    provides: Vec<String>,
    kib: u64,
}

/// Random packages over few names, so that names meet: as packages, as provided, or not at all.
struct Draw(Xoshiro256PlusPlus);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    fn names(&mut self, n_max: u64, pool: u64) -> Vec<String> {
        (0..self.below(n_max + 1)).map(|_| format!("n{}", self.below(pool))).collect()
    }

    fn packages(&mut self, n: u64) -> Vec<Package> {
        let pool = n + n / 4 + 3;
        let mut numbers: Vec<u64> = (0..pool).collect();
        let mut package = |number| Package {
            name: format!("n{number}"),
            section: format!("s{}", self.below(4)),
            depends: (0..self.below(4)).map(|_| self.names(3, pool)).collect(),
            provides: self.names(2, pool),
            kib: self.below(1 << 20),
        };
        let mut packages = Vec::new();
        while packages.len() < n as usize && !numbers.is_empty() {
            packages.push(package(numbers.swap_remove(packages.len() % numbers.len())));
        }
        packages
    }
}

/// The rules as they are written down, one after the other.
fn expected(packages: &[Package]) -> (String, String, [u64; 4]) {
    let mut packages: Vec<&Package> = packages.iter().collect();
    packages.sort_by_key(|package| package.name.as_bytes());
    let n = packages.len();
    let resolve = |name: &String| {
        let own = packages.iter().position(|package| package.name == *name);
        own.or_else(|| packages.iter().position(|package| package.provides.contains(name)))
    };
    let mut reaches = vec![vec![false; n]; n];
    let (mut edges, mut unresolved) = (0, 0);
    for (i, package) in packages.iter().enumerate() {
        for group in &package.depends {
            match group.iter().find_map(resolve) {
                Some(needed) => {
                    edges += u64::from(needed != i && !reaches[i][needed]);
                    reaches[i][needed] = true;
                }
                None => unresolved += 1,
            }
        }
    }
    for (i, row) in reaches.iter_mut().enumerate() {
        row[i] = true;
    }
    // S. Warshall, "A theorem on Boolean matrices", 1962.
    for via in 0..n {
        let from_there = reaches[via].clone();
        for row in reaches.iter_mut().filter(|row| row[via]) {
            row.iter_mut().zip(&from_there).for_each(|(reached, there)| *reached |= there);
        }
    }
    let (mut closures, mut sum) = (String::new(), 0);
    let mut sections = BTreeMap::<&str, (u64, u64)>::new();
    for (i, package) in packages.iter().enumerate() {
        let closure = reaches[i].iter().filter(|reached| **reached).count();
        let kib: u64 = (0..n).filter(|&j| reaches[i][j]).map(|j| packages[j].kib).sum();
        let dependents = reaches.iter().filter(|row| row[i]).count() - 1;
        closures += &format!(
            "{{\"package\":\"{}\",\"closure\":{closure},\"closure_kib\":{kib},",
            package.name
        );
        closures += &format!("\"dependents\":{dependents}}}\n");
        sum += closure as u64;
        let section = sections.entry(&package.section).or_default();
        *section = (section.0 + 1, section.1 + package.kib);
    }
    let section = |(section, (packages, kib)): (&str, (u64, u64))| {
        format!("{{\"section\":\"{section}\",\"packages\":{packages},\"installed_kib\":{kib}}}\n")
    };
    let sections = sections.into_iter().map(section).collect();
    (closures, sections, [n as u64, edges, unresolved, sum])
}

fn check(seed: u64, n: u64) {
    let mut draw = Draw(Xoshiro256PlusPlus::seed_from_u64(seed));
    let mut packages = draw.packages(n);
    let (mut package_lines, mut size_lines, mut orphans) =
        (String::new(), String::new(), Vec::new());
    packages.retain(|package| {
        let Package { name, section, depends, provides, kib } = package;
        let in_both = draw.below(8);
        if in_both != 0 {
            let about = json!({"depends": depends, "provides": provides, "section": section});
            let about = about.to_string();
            package_lines += &format!("{{\"package\":\"{name}\",{}\n", &about[1..]);
        } else {
            orphans.push((name.clone(), "packages"));
        }
        if in_both != 1 {
            size_lines += &format!("{}\n", json!({"package": name, "installed_size_kib": kib}));
        } else {
            orphans.push((name.clone(), "sizes"));
        }
        in_both > 1
    });
    orphans.sort();
    let fixture = Fixture::with(package_lines, size_lines);
    let workers = ["1", "2", "3"][seed as usize % 3];
    let report = fixture.run(&["--json", "--workers", workers]).json();
    let (closures, sections, figures) = expected(&packages);
    assert_eq!(fixture.result("closure.jsonl"), closures, "seed {seed}: {packages:#?}");
    assert_eq!(fixture.result("sections.jsonl"), sections, "seed {seed}");
    let keys = ["packages", "edges", "unresolved", "closure_sum"];
    assert_eq!(keys.map(|key| &report[key]), figures.map(Value::from).each_ref(), "seed {seed}");
    let told: Vec<Value> = orphans
        .iter()
        .map(|(package, missing_in)| json!({"package": package, "missing_in": missing_in}))
        .collect();
    assert_eq!(report["orphans"], Value::from(told), "seed {seed}");
}

#[test]
fn small_distributions_come_to_what_the_rules_say() {
    for seed in 0..60 {
        check(seed, seed % 30);
    }
}

#[test]
fn a_distribution_of_several_slices_comes_to_what_the_rules_say() {
    for seed in 100..103 {
        check(seed, 700);
    }
}
