//! Measures what it costs a pipeline that its turns are on record, and prints a JSON object per
//! figure. `cargo xtask bench lineage` runs it.
//!
//! Each pipeline runs with and without lineage in turn, in one process, and the ratio is that of
//! the medians: what slows the machine down slows both.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser;
use selvedge::prelude::*;
use selvedge::{InWorkspace as _, Workspace};
use serde::{Deserialize, Serialize};

/// How many times each is run.
const ROUNDS: usize = 5;
/// What a task does, besides being recorded.
const TASK: Duration = Duration::from_micros(10);
const N_STAGES: u32 = 8;

/// Measures what recording costs.
#[derive(Parser)]
struct Args {
    /// Turns of each pipeline
    turns: u64,
    /// An existing folder
    folder: PathBuf,
    /// Only this pipeline: for a profiler
    #[arg(long)]
    only: Option<String>,
}

/// What goes from stage to stage.
#[derive(Event, Serialize, Deserialize)]
struct Item {
    #[key]
    stage: u32,
    n: u64,
}

fn main() -> Result<()> {
    let Args { turns, folder, only } = Args::parse();
    let per_task = calibrated();
    let pipelines = [
        ("tasks_10us", 1, per_task),
        ("chain_8_of_10us", N_STAGES, per_task),
        ("chain_8_of_nothing", N_STAGES, 0),
    ];
    let is_wanted = |name: &str| only.as_ref().is_none_or(|only| only == name);
    for (name, n_stages, n_steps) in pipelines.into_iter().filter(|(name, ..)| is_wanted(name)) {
        compare(name, turns, n_stages, n_steps, &folder)?;
    }
    Ok(())
}

/// Steps that take as long as a task does.
fn calibrated() -> u64 {
    let n = 10_000_000;
    let began = Instant::now();
    black_box(work(n, 1));
    let took = began.elapsed().as_secs_f64();
    (TASK.as_secs_f64() / took * n as f64) as u64
}

fn work(n_steps: u64, mut x: u64) -> u64 {
    for _ in 0..n_steps {
        x = black_box(x.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f));
    }
    x
}

fn compare(name: &str, turns: u64, n_stages: u32, n_steps: u64, folder: &Path) -> Result<()> {
    let n_items = turns / u64::from(n_stages);
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        without.push(run(n_items, n_stages, n_steps, None)?);
        let folder = folder.join(format!("{name}-{round}"));
        let workspace = Workspace::open(&folder)?;
        with.push(run(n_items, n_stages, n_steps, Some(&workspace))?);
        drop(workspace);
        std::fs::remove_dir_all(folder)?;
    }
    let (without, with) = (median(without), median(with));
    let n_turns = n_items * u64::from(n_stages);
    let per_turn = |took: Duration| took.as_secs_f64() * 1e9 / n_turns as f64;
    tell(name, n_turns, "without", per_turn(without), "ns/turn");
    tell(name, n_turns, "with", per_turn(with), "ns/turn");
    tell(name, n_turns, "ratio", with.as_secs_f64() / without.as_secs_f64(), "x");
    Ok(())
}

/// From the first event to the end of the run, everything recorded.
fn run(
    n_items: u64,
    n_stages: u32,
    n_steps: u64,
    workspace: Option<&Workspace>,
) -> Result<Duration> {
    let stages = (0..n_stages).map(|stage| {
        let step = move |cx: &mut Context<'_>, item: &Item| {
            let n = if n_steps == 0 { item.n } else { work(n_steps, item.n) };
            cx.emit(Item { stage: stage + 1, n });
            Ok(())
        };
        let registration = on(&format!("stage {stage}"), step).keyed(u64::from(stage));
        if workspace.is_some() { registration.recorded() } else { registration }
    });
    let builder = Pipeline::builder().processors(stages).workers(2);
    let builder = match workspace {
        None => builder,
        Some(workspace) => builder.in_workspace(workspace, workspace.new_run("recording")),
    };
    let pipeline = builder.build()?;
    let submitter = pipeline.submitter();
    let began = Instant::now();
    let running = pipeline.start()?;
    for n in 0..n_items {
        submitter.submit(Item { stage: 0, n })?;
    }
    drop(submitter);
    let report = running.finish()?;
    let took = began.elapsed();
    ensure!(report.handled == n_items * u64::from(n_stages), "{report}");
    Ok(took)
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() / 2]
}

fn tell(name: &str, turns: u64, figure: &str, value: f64, unit: &str) {
    let figure = format!("{name}_{figure}");
    println!(
        "{{\"layout\":\"pipeline\",\"engine\":\"sled\",\"records\":{turns},\
         \"figure\":\"{figure}\",\"value\":{value:.3},\"unit\":\"{unit}\"}}"
    );
}
