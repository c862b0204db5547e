//! What the atlas prints: for people, and as one JSON object.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use selvedge::prelude::*;
use serde::Serialize;

use crate::events::{Findings, Orphan};
use crate::inputs::Inputs;
use crate::plain;

/// How many packages that were left out people are told by name.
const ORPHANS_SHOWN: usize = 20;

#[derive(Serialize)]
pub struct Report<'a> {
    #[serde(flatten)]
    findings: &'a Findings,
    /// In byte order of the name.
    orphans: Vec<&'a Orphan>,
    seconds: f64,
    stages: Vec<Stage>,
    /// Deliveries.
    events: u64,
    peak_rss_bytes: Option<u64>,
    workers: usize,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Steps>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// The processors whose names begin alike, together.
#[derive(Serialize)]
struct Stage {
    stage: &'static str,
    events: u64,
    /// Added up over the stage's processors.
    busy_seconds: f64,
}

/// How many rows were found anew, and how many taken from earlier runs in the workspace.
#[derive(Serialize)]
pub struct Steps {
    steps_run: u64,
    steps_reused: u64,
}

impl Steps {
    pub fn of(run: &RunReport) -> Steps {
        let mut steps = Steps { steps_run: 0, steps_reused: 0 };
        for walk in run.processors.iter().filter(|p| p.name.starts_with("walk")) {
            steps.steps_run += walk.turns - walk.replayed;
            steps.steps_reused += walk.replayed;
        }
        steps
    }
}

/// How long the plain way took.
#[derive(Serialize)]
pub struct Comparison {
    plain_seconds: f64,
    /// The pipeline's time by the plain one's.
    ratio: f64,
}

impl Comparison {
    pub fn of(
        findings: &Findings,
        inputs: &Inputs,
        out: &Path,
        seconds: f64,
    ) -> anyhow::Result<Comparison> {
        // Beside the results, to be on the same disk; gone again when this is over.
        let folder = tempfile::tempdir_in(out)
            .with_context(|| format!("cannot make a folder in `{}`", out.display()))?;
        let began = Instant::now();
        let plain = plain::run(&inputs.packages, &inputs.sizes, folder.path())?;
        let plain_seconds = began.elapsed().as_secs_f64();
        ensure!(plain == *findings, "the plain way finds something else: {plain:?}");
        for name in ["closure.jsonl", "sections.jsonl"] {
            let same = std::fs::read(folder.path().join(name))? == std::fs::read(out.join(name))?;
            ensure!(same, "the plain way writes another {name}");
        }
        Ok(Comparison { plain_seconds, ratio: seconds / plain_seconds })
    }
}

impl<'a> Report<'a> {
    pub fn new(
        findings: &'a Findings,
        orphans: &'a [Typed<Orphan>],
        run: &RunReport,
        workers: usize,
        seconds: f64,
    ) -> Report<'a> {
        let mut orphans: Vec<&Orphan> = orphans.iter().map(|orphan| &**orphan).collect();
        orphans.sort_unstable_by_key(|orphan| &orphan.package);
        let stages = ["read", "join", "resolve", "walk", "tally", "write"];
        Report {
            findings,
            orphans,
            seconds,
            stages: stages.map(|stage| Stage::of(stage, run)).into(),
            events: run.accepted,
            peak_rss_bytes: peak_rss_bytes(),
            workers,
            steps: None,
            comparison: None,
        }
    }
}

impl Stage {
    fn of(stage: &'static str, run: &RunReport) -> Stage {
        let mut sum = Stage { stage, events: 0, busy_seconds: 0.0 };
        for processor in run.processors.iter().filter(|p| p.name.starts_with(stage)) {
            // A source takes a turn to begin with; what it does is to emit.
            sum.events += if stage == "read" { processor.emitted } else { processor.turns };
            sum.busy_seconds += processor.busy.as_secs_f64();
        }
        sum
    }
}

/// The most memory that this process ever had resident; known on Linux only.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// How a run that did not complete ended.
pub fn ending(run: &RunReport) -> &'static str {
    match run.ending {
        Some(Ending::Interrupted) => "interrupted",
        Some(Ending::Stopped) => "stopped",
        _ => "ended early",
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Findings { packages, edges, unresolved, closure_sum, most_needed, heaviest } =
            self.findings;
        writeln!(f, "{packages} packages, {edges} dependencies, {unresolved} unresolved")?;
        writeln!(f, "{closure_sum} packages in all closures together")?;
        for Orphan { package, missing_in } in self.orphans.iter().take(ORPHANS_SHOWN) {
            writeln!(f, "left out: {package} is missing in {missing_in}")?;
        }
        if let more @ 1.. = self.orphans.len().saturating_sub(ORPHANS_SHOWN) {
            writeln!(f, "left out: {more} more (--json lists them)")?;
        }
        writeln!(f, "\nmost depended upon")?;
        for (package, dependents) in most_needed {
            writeln!(f, "  {package:<32} {dependents:>8} packages")?;
        }
        writeln!(f, "\nheaviest closures")?;
        for (package, kib) in heaviest {
            writeln!(f, "  {package:<32} {:>8.1} MiB", *kib as f64 / 1024.0)?;
        }
        writeln!(f, "\nstage           events    busy s    events/s")?;
        for Stage { stage, events, busy_seconds } in &self.stages {
            let rate = *events as f64 / busy_seconds.max(1e-9);
            writeln!(f, "{stage:<10} {events:>11} {busy_seconds:>9.3} {rate:>11.0}")?;
        }
        let rate = self.events as f64 / self.seconds;
        write!(f, "\n{:.3} s on {} workers, {rate:.0} events/s", self.seconds, self.workers)?;
        if let Some(bytes) = self.peak_rss_bytes {
            write!(f, ", {:.1} MiB at most", bytes as f64 / (1024.0 * 1024.0))?;
        }
        if let Some(Steps { steps_run, steps_reused }) = &self.steps {
            write!(f, "\n{steps_reused} steps reused, {steps_run} steps run")?;
        }
        if let Some(Comparison { plain_seconds, ratio }) = &self.comparison {
            write!(f, "\nplainly: {plain_seconds:.3} s; ratio {ratio:.2}")?;
        }
        writeln!(f)
    }
}
