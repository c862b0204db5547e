//! Proves that the atlas comes to the same results every time, on one worker and on several.
//!
//! The results are held against the check values, against the expected lines of the sample, against
//! the plain way (the atlas does that itself when asked to compare) and against each other, byte by
//! byte.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Deserialize;

use crate::invocation::{Invocation, Sink};
use crate::workspace;

/// Options of `cargo xtask atlas`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often to run on each number of workers.
    #[arg(long, default_value_t = 50)]
    rounds: usize,
    /// Run on all of Debian 12 as well as on the sample.
    #[arg(long)]
    full: bool,
}

/// The numbers of workers that have to agree.
const WORKERS: [usize; 3] = [1, 2, 8];

/// One of the bundled indexes, and what is known of it.
#[derive(Debug)]
struct Data {
    name: &'static str,
    args: &'static [&'static str],
    check_values: CheckValues,
    /// The lines to expect, from the root of the workspace.
    expected: Option<&'static str>,
}

const SAMPLE: Data = Data {
    name: "sample",
    args: &[],
    check_values: CheckValues { packages: 892, edges: 3_963, unresolved: 0, closure_sum: 22_094 },
    expected: Some("crates/selvedge/examples/atlas/data/sample/expected.jsonl"),
};

const FULL: Data = Data {
    name: "full",
    args: &["--full"],
    check_values: CheckValues {
        packages: 63_666,
        edges: 264_830,
        unresolved: 4,
        closure_sum: 4_055_506,
    },
    expected: None,
};

/// The counts that the atlas reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
struct CheckValues {
    packages: u64,
    edges: u64,
    unresolved: u64,
    closure_sum: u64,
}

/// What the atlas prints, as far as it is the same in every run, and the time.
#[derive(Debug, Deserialize)]
struct Report {
    #[serde(flatten)]
    check_values: CheckValues,
    most_needed: Vec<(String, u64)>,
    heaviest: Vec<(String, u64)>,
    orphans: Vec<serde_json::Value>,
    seconds: f64,
}

/// What one run came to.
#[derive(Debug)]
struct Results {
    report: Report,
    closures: Vec<u8>,
    sections: Vec<u8>,
}

/// Builds the atlas and runs it round after round.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.rounds == 0 {
        bail!("no round proves nothing, use at least one");
    }
    let root = workspace::root();
    Invocation::cargo("build --release --package selvedge --example atlas")
        .dir(&root)
        .run(Sink::Stdout)?;
    let target = workspace::load()?.target;
    let program = target.join("release/examples/atlas");
    let out = target.join("atlas-rounds");
    let mut n_runs = Vec::new();
    for data in [Some(&SAMPLE), options.full.then_some(&FULL)].into_iter().flatten() {
        let n = repeat(data, &program, &out, options.rounds)?;
        n_runs.push(format!("{n} runs on the {} data", data.name));
    }
    fs::remove_dir_all(&out).with_context(|| format!("failed to remove {}", out.display()))?;
    println!("atlas: {}: all the same and all as expected", n_runs.join(", "));
    Ok(())
}

/// Runs on the data until a run differs, and says how many there were.
fn repeat(data: &Data, program: &Path, out: &Path, rounds: usize) -> Result<usize> {
    let atlas = |args: &[&str]| {
        let invocation = Invocation::new(program.to_string_lossy()).args(["--json", "--out"]);
        let invocation = invocation.args([out.to_string_lossy()]).args(data.args.iter().copied());
        let invocation = invocation.args(args.iter().copied());
        results(&invocation, out).with_context(|| format!("`{invocation}`"))
    };
    let reference = atlas(&["--compare"])?;
    let found = reference.report.check_values;
    ensure!(found == data.check_values, "found {found:?}, expected {:?}", data.check_values);
    if let Some(path) = data.expected {
        let expected = fs::read(workspace::root().join(path))
            .with_context(|| format!("failed to read {path}"))?;
        ensure!(reference.closures == expected, "closure.jsonl differs from {path}");
    }
    for round in 1..=rounds {
        let mut times = Vec::new();
        for workers in WORKERS {
            let results = atlas(&["--workers", &workers.to_string()])?;
            if let Some(what) = difference(&reference, &results) {
                bail!("{}, round {round}, {workers} workers: {what}", data.name);
            }
            times.push(format!("{:.3} s on {workers}", results.report.seconds));
        }
        println!("atlas: {} {round}/{rounds}: {}", data.name, times.join(", "));
    }
    Ok(rounds * WORKERS.len())
}

/// Runs the atlas and reads what it printed and wrote.
fn results(invocation: &Invocation, out: &Path) -> Result<Results> {
    let output = invocation.capture()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}", output.status, stderr.trim());
    let report = serde_json::from_slice(&output.stdout).context("no report in what it printed")?;
    let entries = fs::read_dir(out).with_context(|| format!("failed to read {}", out.display()))?;
    let n_entries = entries.count();
    ensure!(n_entries == 2, "{n_entries} entries in {}, expected two results", out.display());
    let read = |name: &str| fs::read(out.join(name)).with_context(|| format!("no {name}"));
    Ok(Results { report, closures: read("closure.jsonl")?, sections: read("sections.jsonl")? })
}

/// What two runs don't agree on, if anything.
fn difference(reference: &Results, results: &Results) -> Option<String> {
    let (Report { check_values, most_needed, heaviest, orphans, .. }, other) =
        (&reference.report, &results.report);
    if *check_values != other.check_values {
        return Some(format!("found {:?}, expected {check_values:?}", other.check_values));
    }
    let same = [
        ("the most depended upon", *most_needed == other.most_needed),
        ("the heaviest closures", *heaviest == other.heaviest),
        ("the packages left out", *orphans == other.orphans),
        ("closure.jsonl", reference.closures == results.closures),
        ("sections.jsonl", reference.sections == results.sections),
    ];
    let (what, _) = same.into_iter().find(|(_, same)| !same)?;
    Some(format!("{what}: not as in the first run"))
}

#[cfg(test)]
mod tests {
    use super::{Results, difference, results};
    use crate::invocation::Invocation;

    const REPORT: &str = concat!(
        r#"{"packages":1,"edges":2,"unresolved":3,"closure_sum":4,"most_needed":[["a",1]],"#,
        r#""heaviest":[["b",2]],"orphans":[],"seconds":0.5,"stages":[]}"#
    );

    /// Stands for the atlas: prints this and writes that.
    fn run(report: &str, closures: &str, sections: &str) -> anyhow::Result<Results> {
        let name = std::thread::current().name().unwrap_or_default().replace("::", "-");
        let out = std::env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
        let script = "mkdir -p $1; cd $1; echo \"$2\"; echo $3 >closure.jsonl; eval \"$4\"";
        let atlas = Invocation::new("sh").args(["-c", script, "sh"]).args([out.to_string_lossy()]);
        let found = results(&atlas.args([report, closures, sections]), &out);
        std::fs::remove_dir_all(&out)?;
        found
    }

    fn check(report: &str, closures: &str, sections: &str) -> String {
        let reference = run(REPORT, "c", "echo s >sections.jsonl").expect("it is a sound run");
        match run(report, closures, sections) {
            Ok(results) => difference(&reference, &results).unwrap_or_else(|| "the same".into()),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn any_difference_is_told() {
        let sections = "echo s >sections.jsonl";
        let with = |from: &str, to: &str| check(&REPORT.replace(from, to), "c", sections);
        insta::assert_snapshot!(with("0.5", "0.7"), @"the same");
        insta::assert_snapshot!(with(":3,", ":4,"), @"found CheckValues { packages: 1, edges: 2, unresolved: 4, closure_sum: 4 }, expected CheckValues { packages: 1, edges: 2, unresolved: 3, closure_sum: 4 }");
        insta::assert_snapshot!(with("\"a\",1", "\"a\",2"), @"the most depended upon: not as in the first run");
        insta::assert_snapshot!(with("\"b\"", "\"a\""), @"the heaviest closures: not as in the first run");
        insta::assert_snapshot!(with("[],\"s", "[7],\"s"), @"the packages left out: not as in the first run");
        insta::assert_snapshot!(check(REPORT, "C", sections), @"closure.jsonl: not as in the first run");
        insta::assert_snapshot!(check(REPORT, "c", "echo S >sections.jsonl"), @"sections.jsonl: not as in the first run");
        insta::assert_snapshot!(with("edges", "hedges"), @"no report in what it printed: missing field `edges` at line 1 column 140");
    }

    #[test]
    fn a_run_that_fails_or_leaves_something_behind_is_told() {
        let told = |sections: &str| {
            let told = check(REPORT, "c", sections);
            let (before, after) = told.split_once(" in /").unwrap_or((&told, ""));
            format!("{before}{}", after.split_once(',').map_or("", |(_, after)| after))
        };
        insta::assert_snapshot!(told("true"), @"1 entries expected two results");
        insta::assert_snapshot!(told("touch sections.jsonl .selvedge-1.tmp"), @"3 entries expected two results");
        insta::assert_snapshot!(told("echo error: no >&2; exit 130"), @"exit status: 130: error: no");
    }
}
