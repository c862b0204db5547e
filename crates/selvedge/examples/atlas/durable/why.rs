//! Tells from the history alone what the row of a package came from.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use anyhow::{bail, ensure};
use selvedge::lineage::{Filter, Found, History, Page, RunId, Timestamp};
use selvedge::prelude::*;
use serde::Serialize;

use super::trace::{ROW_STEP, row_step, signature};

/// How many versions of what a row depends on are looked at, the latest first.
const VERSIONS_MAX: usize = 100;
/// How many steps back the lines are looked for, and how many steps are gone through.
const DEPTH_MAX: usize = 1_000;
const STEPS_MAX: usize = 2_000;
/// How many lines people are told.
const LINES_SHOWN: usize = 20;

/// What the row of a package came from.
#[derive(Serialize)]
pub struct Why {
    package: String,
    row: Vec<Digest>,
    run: RunId,
    at: Timestamp,
    /// The run that found the row, if it was reused.
    reused_from: Option<RunId>,
    /// The code that led to it, by step.
    code: Vec<Code>,
    needs: Lines,
    needed_by: Lines,
}

#[derive(Serialize)]
struct Code {
    step: String,
    signature: String,
}

/// Input lines, the nearest first.
#[derive(Serialize)]
struct Lines {
    lines: Vec<String>,
    /// Whether all were found.
    complete: bool,
}

pub fn why(dir: &Path, package: &str) -> anyhow::Result<Why> {
    let shown = dir.display();
    let first = format!("run the atlas with `--workspace {shown}` and without `--why` first");
    ensure!(dir.join("store").is_dir(), "there is no workspace in `{shown}`: {first}");
    let workspace = super::open(dir)?;
    let history = workspace.history();
    let Some((row, walk)) = latest(history, package)? else {
        let nearest = nearest(history, package)?;
        let Some(nearest) = nearest else {
            bail!("no run in `{shown}` got as far as a row: {first}")
        };
        bail!("no run in `{shown}` found a row of `{package}`; did you mean `{nearest}`?");
    };
    let code = [&walk, &row].map(|found| Code {
        step: found.record.step.to_string(),
        signature: found.record.signature.to_string(),
    });
    let lines = |what: &str| {
        let input = row.record.inputs.iter().find(|input| input.name.as_str() == what);
        input.map_or(Ok(Lines { lines: Vec::new(), complete: true }), |input| {
            lines_of(history, &input.digest)
        })
    };
    Ok(Why {
        package: package.to_owned(),
        row: walk.record.outputs.clone(),
        run: walk.record.run,
        at: walk.record.started_at,
        reused_from: walk.record.reused_from,
        code: code.into(),
        needs: lines("needs")?,
        needed_by: lines("needed by")?,
    })
}

/// The latest walk from a package, after the step that says what its row depends on.
fn latest(history: &History, package: &str) -> anyhow::Result<Option<(Found, Found)>> {
    let newest = |n| Page::first(n).newest_first();
    let mut latest: Option<(Found, Found)> = None;
    let rows = history.of_step(&row_step(package), &Filter::new(), &newest(VERSIONS_MAX))?;
    for row in rows.items {
        let Some(depends_on) = row.record.outputs.first() else { continue };
        let walks = history.consumers(depends_on, &Filter::new(), &newest(1))?;
        for walk in walks.items {
            if latest.as_ref().is_none_or(|(_, known)| known.id < walk.id) {
                latest = Some((row.clone(), walk));
            }
        }
    }
    Ok(latest)
}

/// The lines that a digest was made of.
fn lines_of(history: &History, digest: &Digest) -> anyhow::Result<Lines> {
    let page = Page::first(STEPS_MAX);
    let steps = history.upstream(digest, DEPTH_MAX, &Filter::new(), &page)?;
    let mut known = BTreeSet::new();
    let mut lines = Vec::new();
    for input in steps.items.iter().flat_map(|step| &step.record.inputs) {
        if input.step.is_none() && known.insert(&input.name) {
            lines.push(input.name.to_string());
        }
    }
    Ok(Lines { lines, complete: steps.next.is_none() })
}

/// The package with a row whose name is most like this; none if no package has a row.
fn nearest(history: &History, package: &str) -> anyhow::Result<Option<String>> {
    let mut nearest: Option<(usize, String)> = None;
    let mut page = Page::first(Page::N_MAX);
    loop {
        let found = history.of_signature(&signature(), &Filter::new(), &page)?;
        let names = found.items.iter().filter_map(|found| found.record.step.strip_prefix(ROW_STEP));
        let by_distance = names.map(|name| (strsim::osa_distance(name, package), name));
        if let Some((distance, name)) = by_distance.min()
            && nearest.as_ref().is_none_or(|(known, _)| distance < *known)
        {
            nearest = Some((distance, name.to_owned()));
        }
        match found.next {
            Some(cursor) => page = page.after(cursor),
            None => return Ok(nearest.map(|(_, name)| name)),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Why { package, run, at, .. } = self;
        writeln!(f, "the row of {package}, in run {run} at {at}")?;
        if let Some(earlier) = self.reused_from {
            writeln!(f, "reused from run {earlier}")?;
        }
        writeln!(f, "\ncode")?;
        for Code { step, signature } in &self.code {
            writeln!(f, "  {step}: {signature}")?;
        }
        writeln!(f, "\nlines about what it needs")?;
        write!(f, "{}", self.needs)?;
        writeln!(f, "\nlines about what needs it")?;
        write!(f, "{}", self.needed_by)
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.lines.iter().take(LINES_SHOWN) {
            writeln!(f, "  {line}")?;
        }
        let at_least = if self.complete { "" } else { "at least " };
        match self.lines.len().saturating_sub(LINES_SHOWN) {
            0 if self.complete => Ok(()),
            more => writeln!(f, "  and {at_least}{more} more"),
        }
    }
}
