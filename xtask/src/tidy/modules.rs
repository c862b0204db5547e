//! Which files are compiled, and which of them only for tests: follows `mod` from the first file of
//! each target.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, leading_word, matching};
use super::{Finding, Rule};
use crate::workspace::Workspace;

/// Folders whose Rust files are data for a test.
const DATA: [&str; 4] = ["ui", "compile_fail", "fixtures", "fuzz"];

/// A module that lies in a file of its own.
#[derive(Debug)]
struct Declared {
    /// The files it may lie in.
    paths: [String; 2],
    test: bool,
}

/// Marks the files that only tests compile and reports those that nobody compiles.
pub(super) fn mark_tests_and_orphans(
    sources: &mut [Source],
    workspace: &Workspace,
    findings: &mut Vec<Finding>,
) {
    let index: BTreeMap<String, usize> =
        sources.iter().enumerate().map(|(at, source)| (source.path.clone(), at)).collect();
    let roots: BTreeSet<&str> =
        workspace.members.iter().flat_map(|member| &member.roots).map(String::as_str).collect();
    let mut todo: Vec<usize> = roots.iter().filter_map(|root| index.get(*root).copied()).collect();
    let mut reached: BTreeSet<usize> = todo.iter().copied().collect();
    while let Some(at) = todo.pop() {
        let source = &sources[at];
        for declared in declared(source, roots.contains(source.path.as_str())) {
            let Some(&child) = declared.paths.iter().find_map(|path| index.get(path)) else {
                continue;
            };
            sources[child].test_only |= declared.test;
            if reached.insert(child) {
                todo.push(child);
            }
        }
    }
    for (at, source) in sources.iter().enumerate() {
        let member = workspace.members.iter().find(|member| {
            source.path.strip_prefix(&member.dir).is_some_and(|rest| rest.starts_with('/'))
        });
        let data = source.path.split('/').any(|part| DATA.contains(&part));
        if member.is_some() && !data && !reached.contains(&at) {
            let what = "no `mod` reaches this file";
            let instead = "use a `mod` line, or delete it";
            findings.push(Finding::new(Rule::Orphan, &source.path, 1, what, instead));
        }
    }
}

fn declared(source: &Source, is_root: bool) -> Vec<Declared> {
    let (dir, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let home = if is_root || stem == "mod" { dir.to_owned() } else { format!("{dir}/{stem}") };
    let mut inline: Vec<(std::ops::Range<usize>, &str)> = Vec::new();
    let mut declared = Vec::new();
    for offset in source.words("mod") {
        let after = source.code[offset + 3..].trim_start();
        let name = leading_word(after.strip_prefix("r#").unwrap_or(after));
        let end = source.code.len() - after.len() + (after.find(name).unwrap_or(0)) + name.len();
        let tail = source.code[end..].trim_start();
        if tail.starts_with('{') {
            let open = source.code.len() - tail.len();
            inline.push((open..matching(&source.code, open), name));
        } else if tail.starts_with(';') && !name.is_empty() {
            let mut base = home.clone();
            for (_, outer) in inline.iter().filter(|(range, _)| range.contains(&offset)) {
                base = format!("{base}/{outer}");
            }
            let paths = match path_attribute(source, offset) {
                Some(path) => [format!("{dir}/{path}"), format!("{base}/{path}")],
                None => [format!("{base}/{name}.rs"), format!("{base}/{name}/mod.rs")],
            };
            declared.push(Declared { paths, test: source.is_test(offset) });
        }
    }
    declared
}

/// The file named by a `path = "…"` in the attributes before this offset.
fn path_attribute(source: &Source, offset: usize) -> Option<String> {
    let start = source.code[..offset].rfind([';', '{', '}']).map_or(0, |at| at + 1);
    let attributes = &source.uncommented[start..offset];
    let (_, value) = attributes.split_once("path = \"")?;
    Some(value.split('"').next().unwrap_or(value).to_owned())
}
