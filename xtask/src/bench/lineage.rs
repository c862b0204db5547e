//! Measures the history's layout beside the naive one, on both engines, and pipelines with lineage
//! beside the same without, and holds both against our goals. One process per measurement: one
//! appends, another opens what it left and asks.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::invocation::{Invocation, Sink};
use crate::workspace;

/// Options of `cargo xtask bench lineage`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Print one JSON object per line: a measurement each, then a goal each.
    #[arg(long)]
    json: bool,
    /// A tenth of the records: whether it all works, not how fast it is.
    #[arg(long)]
    quick: bool,
    /// Ten million records as well, which takes a minute and four gigabytes of disk.
    #[arg(long)]
    large: bool,
}

const RECORDS: u64 = 1_000_000;
/// The naive layout takes gigabytes of memory for a million.
const NAIVE_PART: u64 = 5;

/// One line of the program's.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Measurement {
    layout: String,
    engine: String,
    records: u64,
    figure: String,
    value: f64,
    unit: String,
}

/// A layout on an engine with so many records.
#[derive(Clone, Copy, Debug)]
struct Subject {
    layout: &'static str,
    engine: &'static str,
    records: u64,
}

/// What we hold ourselves to, on sled.
#[derive(Clone, Copy, Debug)]
struct Goal {
    /// At so many records, or turns.
    records: u64,
    figure: &'static str,
    limit: f64,
    /// Whether more is better.
    at_least: bool,
}

const fn at_most(records: u64, figure: &'static str, limit: f64) -> Goal {
    Goal { records, figure, limit, at_least: false }
}

/// Turns of each pipeline that is measured with and without lineage.
const TURNS: u64 = 80_000;

const fn ratio(figure: &'static str) -> Goal {
    at_most(TURNS, figure, 1.3)
}

const GOALS: [Goal; 12] = [
    Goal { records: RECORDS, figure: "append", limit: 250_000.0, at_least: true },
    at_most(RECORDS, "memory_append", 300.0),
    at_most(RECORDS, "memory_asked", 300.0),
    at_most(RECORDS, "open", 0.5),
    at_most(RECORDS, "producers_p99", 1.0),
    at_most(RECORDS, "consumers_p99", 1.0),
    at_most(RECORDS, "upstream_3_p99", 10.0),
    at_most(10 * RECORDS, "memory_append", 600.0),
    at_most(10 * RECORDS, "memory_asked", 600.0),
    at_most(10 * RECORDS, "open", 2.0),
    ratio("tasks_10us_ratio"),
    ratio("chain_8_of_10us_ratio"),
];

/// A goal and what became of it.
#[derive(Clone, Debug, Serialize)]
struct Verdict {
    goal: String,
    value: Option<f64>,
    limit: f64,
    met: Option<bool>,
}

/// Builds the program, measures, judges. A full run fails when a goal that was measured is missed.
pub(super) fn run(options: &Options) -> Result<()> {
    Invocation::cargo("build --release --package selvedge-lineage --example measure")
        .dir(&workspace::root())
        .run(Sink::Stderr)?;
    let target = workspace::load()?.target;
    let program = target.join("release/examples/measure");
    let folder = target.join("bench-lineage");
    let mut measurements = Vec::new();
    for subject in subjects(options) {
        for measurement in measure(&program.to_string_lossy(), &folder, subject)? {
            tell(options, &measurement)?;
            measurements.push(measurement);
        }
    }
    for measurement in measure_pipelines(options, &target, &folder)? {
        tell(options, &measurement)?;
        measurements.push(measurement);
    }
    let verdicts = judge(&measurements);
    for verdict in &verdicts {
        if options.json {
            println!("{}", serde_json::to_string(verdict)?);
        } else {
            let word = match verdict.met {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "not measured",
            };
            println!("{:40} {word}", verdict.goal);
        }
    }
    if verdicts.iter().any(|verdict| verdict.met == Some(false)) {
        bail!("a goal is missed; on a machine that does other things as well that proves nothing");
    }
    Ok(())
}

fn tell(options: &Options, measurement: &Measurement) -> Result<()> {
    if options.json {
        println!("{}", serde_json::to_string(measurement)?);
    } else {
        let Measurement { layout, engine, records, figure, value, unit } = measurement;
        println!("{layout:9} {engine:5} {records:>9} {figure:26} {value:>12.3} {unit}");
    }
    Ok(())
}

/// Runs pipelines with and without lineage, in a folder that is gone afterwards.
fn measure_pipelines(options: &Options, target: &Path, folder: &Path) -> Result<Vec<Measurement>> {
    Invocation::cargo("build --release --package selvedge-tests --bin recording")
        .dir(&workspace::root())
        .run(Sink::Stderr)?;
    let program = target.join("release/recording");
    let turns = if options.quick { TURNS / 10 } else { TURNS };
    fs::create_dir_all(folder)?;
    let invocation = Invocation::new(program.to_string_lossy())
        .args([&turns.to_string(), &*folder.to_string_lossy()]);
    let measurements = lines(&invocation)?;
    fs::remove_dir_all(folder)?;
    Ok(measurements)
}

/// What a program measures, a JSON object per line.
fn lines(invocation: &Invocation) -> Result<Vec<Measurement>> {
    let output = invocation.capture()?;
    if !output.status.success() {
        bail!("`{invocation}` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let measurement = |line: &str| {
        serde_json::from_str(line).with_context(|| format!("not a measurement: {line}"))
    };
    String::from_utf8(output.stdout)?.lines().map(measurement).collect()
}

fn subjects(options: &Options) -> Vec<Subject> {
    let records = if options.quick { RECORDS / 10 } else { RECORDS };
    let of = |layout, engine, records| Subject { layout, engine, records };
    let mut subjects = vec![
        of("segments", "sled", records),
        of("segments", "redb", records),
        of("naive", "sled", records / NAIVE_PART),
        of("naive", "redb", records / NAIVE_PART),
    ];
    if options.large {
        subjects.push(of("segments", "sled", 10 * RECORDS));
    }
    subjects
}

/// Appends in one process and asks in another, in a folder that is gone afterwards.
fn measure(program: &str, folder: &Path, subject: Subject) -> Result<Vec<Measurement>> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let mut measurements = Vec::new();
    for phase in ["append", "ask"] {
        measurements.extend(lines(&invocation(program, folder, subject, phase))?);
    }
    fs::remove_dir_all(folder)?;
    Ok(measurements)
}

fn invocation(program: &str, folder: &Path, subject: Subject, phase: &str) -> Invocation {
    let Subject { layout, engine, records } = subject;
    let folder = folder.to_string_lossy();
    Invocation::new(program).args([layout, engine, &records.to_string(), &folder, phase])
}

fn judge(measurements: &[Measurement]) -> Vec<Verdict> {
    let judged = |goal: &Goal| {
        let is_its = |m: &&Measurement| {
            matches!(m.layout.as_str(), "segments" | "pipeline")
                && m.engine == "sled"
                && (m.records, m.figure.as_str()) == (goal.records, goal.figure)
        };
        let measured = measurements.iter().find(is_its).map(|measurement| measurement.value);
        let is_met = |value| if goal.at_least { value >= goal.limit } else { value <= goal.limit };
        let sign = if goal.at_least { ">=" } else { "<=" };
        let Goal { records, figure, limit, .. } = goal;
        Verdict {
            goal: format!("{figure} at {records} {sign} {limit}"),
            value: measured,
            limit: *limit,
            met: measured.map(is_met),
        }
    };
    GOALS.iter().map(judged).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_judged_by_its_own_measurement() {
        let line = |figure: &str, value: f64| Measurement {
            layout: "segments".to_owned(),
            engine: "sled".to_owned(),
            records: RECORDS,
            figure: figure.to_owned(),
            value,
            unit: String::new(),
        };
        let mut others = vec![line("append", 300_000.0), line("open", 0.7)];
        others.push(Measurement { engine: "redb".to_owned(), ..line("producers_p99", 0.1) });
        let verdicts: Vec<String> = judge(&others)
            .iter()
            .map(|verdict| format!("{}: {:?}", verdict.goal, verdict.met))
            .collect();
        insta::assert_snapshot!(verdicts.join("\n"), @r"
        append at 1000000 >= 250000: Some(true)
        memory_append at 1000000 <= 300: None
        memory_asked at 1000000 <= 300: None
        open at 1000000 <= 0.5: Some(false)
        producers_p99 at 1000000 <= 1: None
        consumers_p99 at 1000000 <= 1: None
        upstream_3_p99 at 1000000 <= 10: None
        memory_append at 10000000 <= 600: None
        memory_asked at 10000000 <= 600: None
        open at 10000000 <= 2: None
        tasks_10us_ratio at 80000 <= 1.3: None
        chain_8_of_10us_ratio at 80000 <= 1.3: None
        ");
    }

    #[test]
    fn a_measurement_can_be_run_again_by_hand() {
        let subject = Subject { layout: "naive", engine: "redb", records: 7 };
        let invocation = invocation("measure", Path::new("folder"), subject, "ask");
        insta::assert_snapshot!(invocation, @"measure naive redb 7 folder ask");
    }
}
