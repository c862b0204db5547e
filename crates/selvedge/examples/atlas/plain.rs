//! The same work done plainly, one thing after the other, to compare with.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use selvedge::io::jsonl;

use crate::events::{Findings, Package, Size, Sized};
use crate::graph::{Closure, Graph, Results, Walker};

pub fn run(packages: &Path, sizes: &Path, out: &Path) -> Result<Findings> {
    let mut kib = HashMap::new();
    for size in jsonl::read::<Size>(sizes) {
        let size = size?;
        kib.insert(size.package, size.installed_size_kib);
    }
    let mut sized = Vec::new();
    for package in jsonl::read::<Package>(packages) {
        let Package(record) = package?;
        if let Some(&kib) = kib.get(&record.package) {
            sized.push(Sized { record, kib });
        }
    }
    let graph = Arc::new(Graph::resolve(&sized));
    let mut walker = Walker::new(Arc::clone(&graph));
    let mut results = Results::new(Arc::clone(&graph));
    let found: Vec<Closure> =
        (0..).take(graph.len()).map(|package| walker.closure(package)).collect();
    results.add_closures(0, &found);
    results.add_dependents(&walker.dependents);

    let mut closures = jsonl::Writer::atomic(out.join("closure.jsonl"))?;
    results.closure_lines().try_for_each(|line| closures.write(&line))?;
    closures.finish()?;
    let mut sections = jsonl::Writer::atomic(out.join("sections.jsonl"))?;
    results.section_lines().try_for_each(|line| sections.write(&line))?;
    sections.finish()?;
    Ok(results.findings())
}
