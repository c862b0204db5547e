//! Any runtimes on any workloads: the comparison that a question of the day asks for.

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use super::figures::{Comparison, compare};
use super::machine::{self, Quiet, Sample};
use super::plan::plan;
use super::program::{Contents, Program};
use super::table;

/// Options of `cargo xtask bench` without a suite.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Options {
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

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) scale: f64,
    pub(super) rounds: usize,
    pub(super) quiet: Quiet,
    pub(super) rows: Vec<Comparison>,
    /// Pairs of a name and a workload that it can't express.
    pub(super) inexpressible: Vec<(String, String)>,
}

/// Builds the binary, measures, prints the table.
pub(super) fn run(options: &Options) -> Result<()> {
    if options.rounds == 0 || options.candidates.is_empty() || options.peers.is_empty() {
        bail!("nothing to compare, use at least one round, one candidate and one peer");
    }
    // Before the build, which would be the loudest thing on the machine.
    let load_before = machine::load_average()?;
    let program = Program::build(Contents::Libraries)?;
    let before = Sample::take()?;
    let mut measurements = Vec::new();
    let mut inexpressible: Vec<(String, String)> = Vec::new();
    for workload in &options.workloads {
        for name in plan(&options.candidates, &options.peers, options.rounds) {
            let cell = (name.to_owned(), workload.clone());
            if inexpressible.contains(&cell) {
                continue;
            }
            match program.measure(name, workload, options.scale)? {
                Some(measurement) => measurements.push(measurement),
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
