//! Every dependency says why it is there: the root manifest and `docs/dependencies.md` name the
//! same crates.

use std::collections::BTreeMap;

use super::tree::Tree;
use super::{Finding, Rule};

const MANIFEST: &str = "Cargo.toml";
const LIST: &str = "docs/dependencies.md";

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let Some(manifest) = tree.text(MANIFEST) else { return };
    let Some(list) = tree.text(LIST) else {
        let instead = "use a table `| crate | who uses it | why, and what it replaces |`";
        findings.push(Finding::new(Rule::Dependencies, LIST, 1, "there is no such file", instead));
        return;
    };
    let (used, listed) = (used(manifest), listed(list));
    for (name, line) in &used {
        if !listed.contains_key(name) {
            let what = format!("{name} has no line in {LIST}");
            let instead = "use `| crate | who uses it | why, and what it replaces |`";
            findings.push(Finding::new(Rule::Dependencies, MANIFEST, *line, what, instead));
        }
    }
    for (name, line) in &listed {
        if !used.contains_key(name) {
            let what = format!("{name} is no dependency any more");
            findings.push(Finding::new(Rule::Dependencies, LIST, *line, what, "remove the line"));
        }
    }
}

/// What `[workspace.dependencies]` takes from elsewhere, with the line.
fn used(manifest: &str) -> BTreeMap<&str, usize> {
    let lines =
        manifest.lines().enumerate().skip_while(|(_, line)| *line != "[workspace.dependencies]");
    lines
        .skip(1)
        .take_while(|(_, line)| !line.starts_with('['))
        .filter(|(_, line)| !line.starts_with('#') && !line.contains("path = "))
        .filter_map(|(index, line)| {
            let (name, _) = line.split_once('=')?;
            Some((name.split('.').next()?.trim(), index + 1))
        })
        .collect()
}

/// The first cells of the tables in a page, but for the heads, with the line.
fn listed(page: &str) -> BTreeMap<&str, usize> {
    let lines: Vec<&str> = page.lines().collect();
    let is_rule =
        |line: &&str| line.starts_with("|-") || line.starts_with("| -") || line.starts_with("|:");
    let rows = lines.iter().enumerate().filter(|(index, line)| {
        let is_head = lines.get(index + 1).is_some_and(is_rule);
        line.starts_with('|') && !is_rule(line) && !is_head
    });
    rows.filter_map(|(index, line)| {
        let name = line.split('|').nth(1)?.trim().trim_matches('`');
        Some((name, index + 1))
    })
    .collect()
}
