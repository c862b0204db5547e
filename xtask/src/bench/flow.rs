//! `cargo xtask bench flow`: dataflow graphs, beside libraries from PyPI in the same session, held
//! against our goals. One process per measurement of ours; the libraries measure themselves.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::figures::spread;
use super::machine::{self, Quiet, Sample};
use crate::invocation::{Invocation, Sink};
use crate::workspace;

/// Options of `cargo xtask bench flow`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Print one JSON object per line: a measurement each, then a goal each.
    #[arg(long)]
    json: bool,
    /// Fewer runs: whether it all works, not how fast it is. Never fails for a goal.
    #[arg(long)]
    quick: bool,
    /// How often each figure of ours is measured [default: 5, quick: 1].
    #[arg(long)]
    rounds: Option<usize>,
    /// Without the libraries from PyPI.
    #[arg(long)]
    ours_alone: bool,
    /// Write the figures between the markers of this page, as in `docs/performance.md`.
    #[arg(long, value_name = "PAGE")]
    write: Option<PathBuf>,
}

/// What is installed, in these versions.
const PEERS: [&str; 2] = ["pirn==0.8.1", "justpipe==0.12.0"];
/// How many times the better library's speed ours is to be.
const TIMES_MIN: f64 = 100.0;
/// The same of steps after each of which their run is on the disk.
const KEPT_TIMES_MIN: f64 = 20.0;

const BEGIN: &str = "<!-- flow:begin -->";
const END: &str = "<!-- flow:end -->";

/// One line of a program's.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Measurement {
    peer: String,
    figure: String,
    value: f64,
    unit: String,
}

/// What we hold ourselves to.
#[derive(Clone, Copy, Debug)]
struct Goal {
    figure: &'static str,
    limit: f64,
    /// Whether more is better.
    at_least: bool,
    /// The figure of the libraries that it is held against, and how many times the better one it is
    /// to be.
    beside: Option<(&'static str, f64)>,
}

const fn speed(figure: &'static str, limit: f64, beside: &'static str) -> Goal {
    Goal { figure, limit, at_least: true, beside: Some((beside, TIMES_MIN)) }
}

/// Of steps: whatever it takes to be so many times the library that has steps.
const fn steps(figure: &'static str, beside: &'static str, times: f64) -> Goal {
    Goal { figure, limit: 0.0, at_least: true, beside: Some((beside, times)) }
}

const fn at_most(figure: &'static str, limit: f64) -> Goal {
    Goal { figure, limit, at_least: false, beside: None }
}

const GOALS: [Goal; 24] = [
    speed("dag_plain", 2e6, "dag"),
    speed("chain_plain", 2e6, "chain"),
    speed("map_plain", 2e6, "map"),
    speed("dag_lineage", 5e5, "dag"),
    speed("chain_lineage", 5e5, "chain"),
    speed("map_lineage", 5e5, "map"),
    speed("dag_journal", 1e5, "dag_journal"),
    speed("chain_journal", 1e5, "chain_journal"),
    speed("map_journal", 1e5, "map_journal"),
    speed("build", 1e6, "dag_build"),
    at_most("plan", 0.3),
    at_most("idle_bytes", 512.0),
    at_most("memory_plain", 64.0),
    at_most("memory_lineage", 64.0),
    steps("steps_dag_plain", "dag_plain", TIMES_MIN),
    steps("steps_chain_plain", "chain_plain", TIMES_MIN),
    steps("steps_map_plain", "map_plain", TIMES_MIN),
    steps("steps_million_plain", "map_plain", TIMES_MIN),
    steps("steps_chain_kept", "chain_plain", KEPT_TIMES_MIN),
    steps("steps_map_kept", "map_plain", KEPT_TIMES_MIN),
    at_most("steps_first_event", 100.0),
    at_most("steps_page", 10.0),
    at_most("steps_resume", 5.0),
    at_most("steps_run_bytes", 1_032.0),
];

/// A goal and what became of it.
#[derive(Clone, Debug, Serialize)]
struct Verdict {
    figure: &'static str,
    median: Option<f64>,
    limit: f64,
    at_least: bool,
    /// The better library, its median, and how many times that ours is.
    peer: Option<(String, f64, f64)>,
    met: Option<bool>,
}

/// Builds, measures, judges. A full run fails when a goal is missed.
pub(super) fn run(options: &Options) -> Result<()> {
    let rounds = options.rounds.unwrap_or(if options.quick { 1 } else { 5 });
    if rounds == 0 {
        bail!("nothing to measure, use at least one round");
    }
    let load_before = machine::load_average()?;
    Invocation::cargo("build --release --package selvedge-tests --bin flowbench")
        .dir(&workspace::root())
        .run(Sink::Stderr)?;
    let target = workspace::load()?.target;
    let python = if options.ours_alone { None } else { python(&target.join("flow-peers")) };
    let before = Sample::take()?;
    let program = target.join("release/flowbench");
    let mut measurements = Vec::new();
    for round in 0..rounds {
        for goal in &GOALS {
            let flowbench = Invocation::new(program.to_string_lossy()).args([goal.figure]);
            measure(&flowbench, options, &mut measurements)?;
        }
        // They take every figure three times themselves, which takes minutes.
        if let Some(python) = python.as_ref().filter(|_| round == 0) {
            let script = workspace::root().join("xtask/python/flow_peers.py");
            let peers = Invocation::new(python).args([script.to_string_lossy()]);
            measure(&peers, options, &mut measurements)?;
        }
    }
    let quiet = Quiet::between(load_before, &before, &Sample::take()?);
    let verdicts: Vec<Verdict> = GOALS.iter().map(|goal| judge(goal, &measurements)).collect();
    report(&verdicts, &quiet, options)
}

/// The interpreter of a virtual environment that has the libraries; none if they can't be had.
fn python(folder: &Path) -> Option<String> {
    let python = folder.join("venv/bin/python").to_string_lossy().into_owned();
    let venv = folder.join("venv").to_string_lossy().into_owned();
    let steps = [
        Invocation::new("python3").args(["-m", "venv", &venv]),
        Invocation::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PEERS),
    ];
    for step in steps {
        if let Err(error) = step.run(Sink::Stderr) {
            eprintln!("without the libraries from PyPI, which can't be had here: {error:#}");
            return None;
        }
    }
    Some(python)
}

fn measure(program: &Invocation, options: &Options, all: &mut Vec<Measurement>) -> Result<()> {
    let output = program.capture()?;
    if !output.status.success() {
        bail!("`{program}` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    for line in String::from_utf8(output.stdout)?.lines() {
        let measurement: Measurement = serde_json::from_str(line)
            .with_context(|| format!("`{program}` printed no measurement: {line}"))?;
        if options.json {
            println!("{}", serde_json::to_string(&measurement)?);
        }
        all.push(measurement);
    }
    Ok(())
}

/// The median of a figure.
fn median(peer: &str, figure: &str, measurements: &[Measurement]) -> Option<f64> {
    let of = |m: &&Measurement| (m.peer.as_str(), m.figure.as_str()) == (peer, figure);
    let values: Vec<f64> = measurements.iter().filter(of).map(|m| m.value).collect();
    spread(&values).map(|spread| spread.median)
}

fn judge(goal: &Goal, measurements: &[Measurement]) -> Verdict {
    let Goal { figure, limit, at_least, beside } = *goal;
    let found = median("selvedge", figure, measurements);
    let mut peer: Option<(String, f64)> = None;
    if let Some((beside, _)) = beside {
        // One of them always records lineage, the other never does: a graph's figure is either.
        for (name, figure) in [
            ("pirn", beside.to_owned()),
            ("pirn", format!("{beside}_lineage")),
            ("justpipe", beside.to_owned()),
            ("justpipe", format!("{beside}_plain")),
        ] {
            if let Some(value) = median(name, &figure, measurements)
                && peer.as_ref().is_none_or(|(_, best)| value > *best)
            {
                peer = Some((name.to_owned(), value));
            }
        }
    }
    let peer = peer.zip(found).map(|((name, value), ours)| (name, value, ours / value));
    let enough = beside.map_or(0.0, |(_, times)| times);
    let times = peer.as_ref().is_none_or(|(_, _, times)| *times >= enough);
    let is_met = |value: f64| if at_least { value >= limit && times } else { value <= limit };
    Verdict { figure, median: found, limit, at_least, peer, met: found.map(is_met) }
}

impl Verdict {
    fn line(&self) -> String {
        let shown = |value: f64| match value {
            value if value >= 9.995e5 => {
                let thousands = (value / 1e3).round() as u64;
                format!("{} {:03} 000", thousands / 1000, thousands % 1000)
            }
            value if value >= 1e4 => format!("{:.0} 000", value / 1e3),
            value if value >= 10.0 => format!("{value:.0}"),
            value => format!("{value:.3}"),
        };
        let median = self.median.map_or("–".to_owned(), shown);
        let sign = if self.at_least { "≥" } else { "≤" };
        let word = match self.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "not measured",
        };
        let (peer, times) = match &self.peer {
            Some((name, value, times)) => (format!("{name} {}", shown(*value)), shown(*times)),
            None => (String::new(), String::new()),
        };
        let (figure, limit) = (self.figure, shown(self.limit));
        format!("| {figure} | {median} | {sign} {limit} | {peer} | {times} | {word} |")
    }
}

/// The figures as they stand on the page.
fn table(verdicts: &[Verdict], quiet: &Quiet) -> String {
    let mut out = "| figure | median | goal | better library | times its | |\n\
                   |---|---:|---|---|---:|---|\n"
        .to_owned();
    for verdict in verdicts {
        out += &verdict.line();
        out.push('\n');
    }
    format!("{out}\n{quiet}\n")
}

fn report(verdicts: &[Verdict], quiet: &Quiet, options: &Options) -> Result<()> {
    if options.json {
        for verdict in verdicts {
            println!("{}", serde_json::to_string(verdict)?);
        }
        eprintln!("{quiet}");
    } else {
        print!("{}", table(verdicts, quiet));
    }
    if let Some(path) = &options.write {
        let path = workspace::root().join(path);
        let page = fs::read_to_string(&path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        let new = written(&page, &table(verdicts, quiet))?;
        fs::write(&path, new).with_context(|| format!("failed to write {}", path.display()))?;
    }
    let missed: Vec<&str> =
        verdicts.iter().filter(|v| v.met == Some(false)).map(|verdict| verdict.figure).collect();
    match missed.is_empty() {
        true => Ok(()),
        false if options.quick => {
            eprintln!("goals missed: {} (a quick run proves nothing)", missed.join(", "));
            Ok(())
        }
        false => bail!("goals missed: {}", missed.join(", ")),
    }
}

/// The page with new figures between the markers.
fn written(page: &str, figures: &str) -> Result<String> {
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let Some((before, after)) = parts else { bail!("the page has no lines `{BEGIN}` and `{END}`") };
    Ok(format!("{before}{BEGIN}\n{figures}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_a_limit_and_so_many_times_the_better_library() {
        let line = |peer: &str, figure: &str, value: f64| Measurement {
            peer: peer.to_owned(),
            figure: figure.to_owned(),
            value,
            unit: "1/s".to_owned(),
        };
        let measurements = [
            line("selvedge", "dag_plain", 2.5e6),
            line("pirn", "dag_lineage", 400.0),
            line("justpipe", "dag_plain", 7_000.0),
            line("selvedge", "map_plain", 2.5e6),
            line("justpipe", "map_plain", 70_000.0),
            line("selvedge", "plan", 0.4),
        ];
        let lines: Vec<String> =
            GOALS.iter().map(|goal| judge(goal, &measurements).line()).collect();
        insta::assert_snapshot!([&lines[..3], &lines[10..12]].concat().join("\n"), @r"
        | dag_plain | 2 500 000 | ≥ 2 000 000 | justpipe 7000 | 357 | met |
        | chain_plain | – | ≥ 2 000 000 |  |  | not measured |
        | map_plain | 2 500 000 | ≥ 2 000 000 | justpipe 70 000 | 36 | MISSED |
        | plan | 0.400 | ≤ 0.300 |  |  | MISSED |
        | idle_bytes | – | ≤ 512 |  |  | not measured |
        ");
    }

    #[test]
    fn figures_go_between_their_markers() {
        let page = format!("a\n{BEGIN}\nold\n{END}\nb");
        let new = written(&page, "new\n").expect("it has both markers");
        assert_eq!(new, format!("a\n{BEGIN}\nnew\n{END}\nb"));
        let error = written("a", "new").expect_err("it has none");
        assert!(error.to_string().contains("has no lines `<!-- flow:begin -->`"));
    }
}
