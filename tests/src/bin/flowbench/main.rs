//! Measures dataflow graphs: one figure per process. `cargo xtask bench flow` runs it.
//!
//! Nodes are no-ops on small numbers, so that what is measured is what a graph adds to them. Each
//! speed is the median of many runs on threads that are kept; a run is over when its result is
//! there, and with a journal when it is on the disk.

#![expect(clippy::disallowed_methods, reason = "a program keeps its own time")]

mod graphs;
mod memory;
mod pipes;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::Parser;
use selvedge::Workspace;
use selvedge::flow::{Engine, Flow, Request};

use graphs::Shape;

/// Measures dataflow graphs.
#[derive(Parser)]
struct Args {
    /// `dag`, `chain` or `map`, then `_plain`, `_lineage` or `_journal`; or `build`, `plan`,
    /// `idle_bytes`, `memory_plain`, `memory_lineage`; of steps `steps_` and `dag`, `chain`, `map`
    /// or `million`, then `_plain` or `_kept`; or `steps_first_event`, `steps_page`,
    /// `steps_resume`, `steps_run_bytes`
    figure: String,
    /// Nodes of the graph that is built, planned or idle, or of the chain of large values
    #[arg(long, value_name = "N")]
    nodes: Option<u32>,
    /// Bytes of a large value
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    bytes: usize,
    /// Runs of which the median is taken
    #[arg(long, default_value_t = 101, value_name = "N")]
    runs: usize,
    /// Threads that take nodes [default: what the machine can run at once]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok((value, unit)) => {
            let figure = std::env::args().nth(1).unwrap_or_default();
            println!(
                "{}",
                selvedge::json!({
                    "peer": "selvedge", "figure": figure, "value": value, "unit": unit
                })
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The figure and its unit.
fn run(args: &Args) -> Result<(f64, &'static str)> {
    ensure!(args.runs > 0, "no run has no median, use at least one");
    match args.figure.as_str() {
        "build" => built(args),
        "plan" => planned(args),
        "idle_bytes" => idle(args),
        "memory_plain" => {
            memory::chain(args.nodes.unwrap_or(10_000), args.bytes, Flow::without_lineage)
        }
        "memory_lineage" => memory::chain(args.nodes.unwrap_or(10_000), args.bytes, |flow| flow),
        "steps_first_event" => Ok((pipes::first_event(args.runs)?, "us")),
        "steps_page" => Ok((pipes::waiting(args.nodes)?.0, "ms")),
        "steps_resume" => Ok((pipes::waiting(args.nodes)?.1, "ms")),
        "steps_run_bytes" => Ok((pipes::together(args.nodes)?, "bytes")),
        other => match other.strip_prefix("steps_") {
            Some(figure) => Ok((pipes::speed(figure, args.runs, args.workers)?, "1/s")),
            None => speed(other, args),
        },
    }
}

/// Nodes that a second has room for.
fn speed(figure: &str, args: &Args) -> Result<(f64, &'static str)> {
    let Some((shape, written)) = figure.split_once('_') else { bail!("no figure `{figure}`") };
    let shape = Shape::named(shape)?;
    let flow = shape.flow()?;
    // Beside the binary: where temporary files lie may be memory.
    let program = std::env::current_exe()?;
    let folder = tempfile::tempdir_in(program.parent().unwrap_or(Path::new(".")))?;
    let flow = match written {
        "plain" => flow.without_lineage(),
        "lineage" => flow,
        "journal" => flow.in_journal(Workspace::open(folder.path())?.journal()?),
        other => bail!("no way `{other}` to write runs down"),
    };
    let engine = match args.workers {
        None => Engine::start()?,
        Some(n) => Engine::with_workers(n)?,
    };
    let mut times = Vec::with_capacity(args.runs);
    // The first ones find caches cold.
    for round in 0..args.runs + args.runs / 4 {
        let began = Instant::now();
        let result = engine.launch(&flow, Request::new())?.wait();
        let took = began.elapsed();
        ensure!(result.succeeded(), "{}", result.ending());
        if round >= args.runs / 4 {
            times.push(took);
        }
    }
    engine.close()?;
    Ok((f64::from(shape.n_nodes()) / median(times).as_secs_f64(), "1/s"))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Nodes of a graph that is large, but not the largest.
const LARGE: u32 = 100_000;

/// Nodes that a second has room for when a graph is built.
fn built(args: &Args) -> Result<(f64, &'static str)> {
    let nodes = args.nodes.unwrap_or(LARGE);
    let ids: Vec<String> = graphs::ids(nodes);
    let mut times = Vec::new();
    for _ in 0..args.runs.min(11) {
        let began = Instant::now();
        let flow = graphs::wide(&ids)?;
        times.push(began.elapsed());
        ensure!(flow.topology().nodes().count() == ids.len(), "nodes are missing");
    }
    Ok((f64::from(nodes) / median(times).as_secs_f64(), "1/s"))
}

/// Seconds for a plan of a run that goes on from one in which all succeeded.
fn planned(args: &Args) -> Result<(f64, &'static str)> {
    let ids = graphs::ids(args.nodes.unwrap_or(LARGE));
    let flow = graphs::wide(&ids)?.in_journal(selvedge::flow::Journal::in_memory()?);
    let run = flow.run(Request::new())?;
    ensure!(run.succeeded(), "{}", run.ending());
    let request = Request::new().going_on_from(run.run());
    let mut times = Vec::new();
    for _ in 0..args.runs.min(5) {
        let began = Instant::now();
        let plan = flow.plan(&request)?;
        times.push(began.elapsed());
        ensure!(plan.n_computed() == 0, "{} of the nodes are not found", plan.n_computed());
    }
    Ok((median(times).as_secs_f64(), "s"))
}

/// Bytes that a node takes that waits to be run.
fn idle(args: &Args) -> Result<(f64, &'static str)> {
    let ids = graphs::ids(args.nodes.unwrap_or(LARGE));
    let before = memory::resident()?;
    let flow = graphs::wide(&ids)?;
    let grown = memory::resident()?.saturating_sub(before);
    ensure!(flow.topology().nodes().count() == ids.len(), "nodes are missing");
    Ok((grown as f64 / ids.len() as f64, "bytes"))
}
