//! The diagram of layers in `docs/architecture.md`: drawn from the table, never by hand.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};

use super::tree::Tree;
use super::{Finding, Rule};
use crate::layers;
use crate::workspace::Workspace;

/// The page that holds the diagram.
pub(super) const PATH: &str = "docs/architecture.md";

const BEGIN: &str = "<!-- layers:begin -->\n";
const END: &str = "<!-- layers:end -->";

pub(super) fn check(tree: &Tree, workspace: &Workspace, findings: &mut Vec<Finding>) {
    let page = tree.text(PATH).unwrap_or_default();
    let (line, what, instead) = match between_markers(page) {
        Some(range) if page[range.clone()] == layers::mermaid(workspace) => return,
        Some(range) => (
            page[..range.start].lines().count(),
            "the diagram differs from the layers and dependencies",
            "use `cargo xtask tidy --bless`",
        ),
        None => (
            1,
            "the diagram of layers has no place",
            "use the lines `<!-- layers:begin -->` and `<!-- layers:end -->`",
        ),
    };
    findings.push(Finding::new(Rule::Diagram, PATH, line, what, instead));
}

/// Rewrites the diagram; says whether it differed.
pub(super) fn bless(root: &Path, workspace: &Workspace) -> Result<bool> {
    let path = root.join(PATH);
    let page = fs::read_to_string(&path).with_context(|| format!("failed to read {PATH}"))?;
    let blessed = blessed(&page, workspace)
        .with_context(|| format!("{PATH} has no markers {} and {END}", BEGIN.trim_end()))?;
    if blessed == page {
        return Ok(false);
    }
    fs::write(&path, blessed).with_context(|| format!("failed to write {PATH}"))?;
    Ok(true)
}

/// The page with the diagram that belongs there.
pub(super) fn blessed(page: &str, workspace: &Workspace) -> Option<String> {
    let range = between_markers(page)?;
    Some(format!("{}{}{}", &page[..range.start], layers::mermaid(workspace), &page[range.end..]))
}

fn between_markers(page: &str) -> Option<Range<usize>> {
    let start = page.find(BEGIN)? + BEGIN.len();
    let length = page[start..].find(END)?;
    Some(start..start + length)
}
