//! Measures our runtime against the peers a user could pick instead.
//!
//! One process per measurement, candidates and peers in turn, so that a machine that slows down
//! slows both. Only ratios of medians from one session are worth quoting, and only with the word on
//! how quiet the machine was.

mod figures;
mod machine;
mod plan;
mod table;

use std::process::Output;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::invocation::{Invocation, Sink};
use crate::workspace;
use figures::{Comparison, compare};
use machine::{Quiet, Sample};
use plan::plan;

/// Options of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Workloads to run.
    #[arg(long, value_delimiter = ',', default_value = "W1,W2,W2i,W3,W4")]
    workloads: Vec<String>,
    /// Our own runtimes.
    #[arg(long, value_delimiter = ',', default_value = "selvedge,selvedge_t3")]
    candidates: Vec<String>,
    /// What they are held against.
    #[arg(long, value_delimiter = ',', default_value = "kanal,crossbeam,actix_1arb,actix_2arb")]
    peers: Vec<String>,
    /// Share of the full number of messages.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// How often each pair of a candidate and a peer is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Print the result as one JSON object on standard output; all else goes to standard error.
    #[arg(long)]
    json: bool,
}

/// The line that the binary prints; it says more, which we don't need.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Measurement {
    peer: String,
    workload: String,
    ns_per: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    scale: f64,
    rounds: usize,
    quiet: Quiet,
    rows: Vec<Comparison>,
    /// Pairs of a name and a workload that it can't express.
    inexpressible: Vec<(String, String)>,
}

/// What the binary exits with when a peer can't express a workload.
const INEXPRESSIBLE: i32 = 3;

/// Builds the binary, measures, prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.rounds == 0 || options.candidates.is_empty() || options.peers.is_empty() {
        bail!("nothing to compare, use at least one round, one candidate and one peer");
    }
    // Before the build, which would be the loudest thing on the machine.
    let load_before = machine::load_average()?;
    Invocation::cargo("build --release --package selvedge-peers")
        .dir(&workspace::root())
        .run(Sink::Stderr)?;
    let program = workspace::load()?.target.join("release/selvedge-peers");
    let before = Sample::take()?;
    let mut measurements = Vec::new();
    let mut inexpressible: Vec<(String, String)> = Vec::new();
    for workload in &options.workloads {
        for name in plan(&options.candidates, &options.peers, options.rounds) {
            let cell = (name.to_owned(), workload.clone());
            if inexpressible.contains(&cell) {
                continue;
            }
            let invocation = Invocation::new(program.to_string_lossy())
                .args(["--peer", name, "--workload", workload])
                .args(["--scale".to_owned(), options.scale.to_string()]);
            match read(&invocation.capture()?, name, workload)
                .with_context(|| format!("`{invocation}` failed"))?
            {
                Some(measurement) => {
                    eprintln!("{workload} {name} {:.1} ns", measurement.ns_per);
                    measurements.push(measurement);
                }
                None => inexpressible.push(cell),
            }
        }
    }
    let quiet = Quiet::between(load_before, &before, &Sample::take()?);
    let report = Report {
        scale: options.scale,
        rounds: options.rounds,
        quiet,
        rows: compare(&measurements, &options.candidates, &options.peers),
        inexpressible,
    };
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{}", table::render(&report));
    }
    Ok(())
}

/// The measurement in the output, or none if the peer can't express the workload.
fn read(output: &Output, name: &str, workload: &str) -> Result<Option<Measurement>> {
    if output.status.code() == Some(INEXPRESSIBLE) {
        return Ok(None);
    }
    if !output.status.success() {
        bail!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    let line = stdout.lines().last().context("it printed nothing")?;
    let measurement: Measurement =
        serde_json::from_str(line).with_context(|| format!("no measurement in `{line}`"))?;
    if (measurement.peer.as_str(), measurement.workload.as_str()) != (name, workload) {
        bail!("it measured {} on {} instead", measurement.peer, measurement.workload);
    }
    if !measurement.ns_per.is_finite() {
        bail!("it measured {} ns", measurement.ns_per);
    }
    Ok(Some(measurement))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::invocation::Invocation;

    fn check(script: &str) -> String {
        let output = Invocation::new("sh").args(["-c", script]).capture().expect("sh starts");
        match read(&output, "kanal", "W1") {
            Ok(Some(measurement)) => format!("{} ns", measurement.ns_per),
            Ok(None) => "inexpressible".to_owned(),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn reads_the_last_line() {
        let line = r#"echo note; echo '{"peer":"kanal","workload":"W1","n":5,"ns_per":44.5}'"#;
        insta::assert_snapshot!(check(line), @"44.5 ns");
        insta::assert_snapshot!(check(&line.replace("W1", "W2")), @"it measured kanal on W2 instead");
        insta::assert_snapshot!(check("echo kanal cannot express W1 >&2; exit 3"), @"inexpressible");
        insta::assert_snapshot!(check("echo wrong sum >&2; exit 101"), @"exit status: 101: wrong sum");
        insta::assert_snapshot!(check("true"), @"it printed nothing");
        insta::assert_snapshot!(check("echo done"), @"no measurement in `done`: expected value at line 1 column 1");
    }
}
