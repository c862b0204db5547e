//! The rules of the house that a machine can check: `path:line: error: …, use Y`.
//!
//! Reads files as text; knows enough of Rust to tell code from comments and strings, and no more.
//! What clippy checks (function length, missing docs, `unwrap`) is left to clippy.

mod bans;
mod door;
mod drawing;
mod exempt;
mod listed;
mod marks;
mod modules;
mod shape;
mod source;
mod tree;
mod variants;

#[cfg(test)]
mod tests;

use std::fmt;

use anyhow::{Result, bail};
use clap::Args;

use crate::invocation::Sink;
use crate::layers;
use crate::workspace::{self, Workspace};
use source::Source;
use tree::Tree;

/// Options of `cargo xtask tidy`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rewrite the diagram of layers in docs/architecture.md first.
    #[arg(long)]
    bless: bool,
}

/// The rules, as [`exempt::EXEMPT`] names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Ban,
    Columns,
    Dependencies,
    Diagram,
    Door,
    Header,
    Layers,
    Length,
    MachinePath,
    Marks,
    Name,
    Orphan,
    Variant,
}

/// One place that breaks one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    rule: Rule,
    what: String,
    instead: String,
}

impl Finding {
    fn new(rule: Rule, path: &str, line: usize, what: impl Into<String>, instead: &str) -> Self {
        let (path, instead) = (path.to_owned(), instead.to_owned());
        Self { path, line, rule, what: what.into(), instead }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, what, instead, .. } = self;
        write!(f, "{path}:{line}: error: {what}, {instead}")
    }
}

/// Runs the checks over the real tree, after rewriting the diagram if asked to.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.bless && drawing::bless(&workspace::root(), &workspace::load()?)? {
        println!("tidy: rewrote the diagram in {}", drawing::PATH);
    }
    report(Sink::Stdout)
}

/// Runs the checks over the real tree and prints each finding.
pub(crate) fn report(sink: Sink) -> Result<()> {
    let tree = Tree::read(&workspace::root())?;
    let findings = exempt::sift(findings(&tree, &workspace::load()?), &exempt::EXEMPT);
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings", findings.len());
    }
    let line = format!("tidy: {} files are clean", tree.files.len());
    match sink {
        Sink::Stdout => println!("{line}"),
        Sink::Stderr => eprintln!("{line}"),
    }
    Ok(())
}

/// Every finding in the tree, by path and line.
fn findings(tree: &Tree, workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut sources: Vec<Source> = Vec::new();
    for file in &tree.files {
        bans::machine_paths(file, &mut findings);
        if file.path.ends_with(".rs") {
            sources.push(Source::new(&file.path, &file.text));
        }
    }
    modules::mark_tests_and_orphans(&mut sources, workspace, &mut findings);
    for source in &sources {
        shape::check(source, &mut findings);
        bans::check(source, &mut findings);
        door::check(source, &mut findings);
    }
    variants::check(&sources, &mut findings);
    marks::check(&sources, &mut findings);
    listed::check(tree, &mut findings);
    drawing::check(tree, workspace, &mut findings);
    check_layers(tree, workspace, &mut findings);
    findings.sort_by(|a, b| (&a.path, a.line, &a.what).cmp(&(&b.path, b.line, &b.what)));
    findings
}

/// Gives each breach of the table of layers the line of the manifest that causes it.
fn check_layers(tree: &Tree, workspace: &Workspace, findings: &mut Vec<Finding>) {
    for breach in layers::breaches(workspace) {
        let path = format!("{}/Cargo.toml", breach.dir);
        let manifest = tree.text(&path).unwrap_or_default();
        let needle = breach.needle.as_deref();
        let named = |line: &str| {
            let rest = needle.and_then(|needle| line.trim_start().strip_prefix(needle));
            rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        };
        let line = manifest.lines().position(named).map_or(1, |index| index + 1);
        findings.push(Finding::new(Rule::Layers, &path, line, breach.what, &breach.instead));
    }
}
