//! The atlas of a distribution: who needs whom among its packages, and what each brings along.
//!
//! Two streams of JSON Lines are joined, dependencies are resolved, and for every package the
//! closure of all that it needs is found, fanned out over several processors. Run it:
//!
//! ```text
//! cargo run --release --example atlas            # a sample of 892 packages
//! cargo run --release --example atlas -- --full  # all 63 666 packages of Debian 12
//! ```
//!
//! With `--workspace DIR`, what did not change since an earlier run there is not done again, and
//! `--why PACKAGE` tells which input lines a result came from:
//!
//! ```text
//! cargo run --release --example atlas --features workspace -- --workspace target/atlas-workspace
//! ```
//!
//! `events.rs` says what travels, `stages.rs` what is done with it, `graph.rs` how,
//! `durable.rs` what a workspace adds.

#![expect(unreachable_pub, reason = "an example reads better without `pub(crate)`")]
#![expect(clippy::disallowed_methods, reason = "a program has clocks and threads of its own")]

#[cfg(not(feature = "workspace"))]
mod absent;
#[cfg(feature = "workspace")]
mod durable;
mod events;
mod graph;
mod inputs;
mod plain;
mod progress;
mod report;
mod stages;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use clap::Parser;
use selvedge::io::jsonl::{Sink, Source};
use selvedge::prelude::*;

#[cfg(not(feature = "workspace"))]
use crate::absent as durable;
use crate::events::{ClosureLine, Findings, Orphan, Package, SectionLine, Size};
use crate::inputs::Inputs;
use crate::report::{Comparison, Report, Steps};
use crate::stages::{Join, PACKAGES, Resolve, SIZES, Tally, Walk};

/// Finds what every package of a distribution needs, and what needs it.
#[derive(Parser)]
#[command(name = "atlas")]
struct Args {
    /// Folder with `packages.jsonl` and `sizes.jsonl`, plain or `.gz` or `.zst` [default: the
    /// bundled sample]
    #[arg(long, value_name = "DIR", conflicts_with = "full")]
    data: Option<PathBuf>,
    /// Use the bundled index of Debian 12 instead of the sample
    #[arg(long)]
    full: bool,
    /// Folder for `closure.jsonl` and `sections.jsonl`; made if there is none
    #[arg(long, value_name = "DIR", default_value = "target/atlas")]
    out: PathBuf,
    /// Threads, and processors that walk the graph [default: what the machine can run at once]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// Print one JSON object instead of the report
    #[arg(long)]
    json: bool,
    /// Also do the work plainly, one thing after the other, and print the ratio
    #[arg(long)]
    compare: bool,
    /// Keep results and their history in this folder, and take from it what did not change (needs
    /// a build with `--features workspace`)
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Tell which input lines and which code the latest row of this package in the workspace came
    /// from, without running
    #[arg(long, value_name = "PACKAGE", requires = "workspace")]
    why: Option<String>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("error: {error:#}");
            let run_error = error.downcast_ref::<RunError>();
            ExitCode::from(run_error.map_or(1, RunError::exit_status))
        }
    }
}

fn run(args: &Args) -> anyhow::Result<u8> {
    match (&args.workspace, &args.why) {
        (Some(workspace), Some(package)) => {
            let why = durable::why(workspace, package)?;
            let text =
                if args.json { serde_json::to_string(&why)? + "\n" } else { why.to_string() };
            print(&text)?;
            Ok(0)
        }
        _ => make(args),
    }
}

/// Makes the atlas.
fn make(args: &Args) -> anyhow::Result<u8> {
    let inputs = Inputs::find(&args.folder())?;
    ensure!(
        !args.out.is_file(),
        "`{}` is a file: name a folder for the results",
        args.out.display()
    );
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot make the folder `{}`", args.out.display()))?;
    let workers = match args.workers {
        Some(workers) => usize::from(workers),
        None => std::thread::available_parallelism()?.get(),
    };

    let began = Instant::now();
    let mut pipeline = pipeline(&inputs, args, workers)?;
    let findings = pipeline.collect::<Findings>();
    let orphans = pipeline.collect::<Orphan>();
    let running = pipeline.start()?;
    let progress = progress::show(running.monitor(), args.json);
    let ended = running.finish();
    let seconds = began.elapsed().as_secs_f64();
    progress.end();
    let run = ended.map_err(|error| inputs.locate(error))?;

    let (findings, orphans) = (findings.take(), orphans.take());
    let (Some(Ending::Completed), [findings]) = (run.ending, &findings[..]) else {
        eprintln!("{}: nothing was written to `{}`", report::ending(&run), args.out.display());
        return Ok(run.exit_status().max(1));
    };
    let mut report = Report::new(findings, &orphans, &run, workers, seconds);
    if args.workspace.is_some() {
        report.steps = Some(Steps::of(&run));
    }
    if args.compare {
        report.comparison = Some(Comparison::of(findings, &inputs, &args.out, seconds)?);
    }
    let text = if args.json {
        serde_json::to_string(&report)? + "\n"
    } else {
        format!("{report}\nwritten to {}\n", args.out.display())
    };
    print(&text)?;
    Ok(0)
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot print the report")
}

/// Wires the stages: two sources, the work between, two sinks.
fn pipeline(inputs: &Inputs, args: &Args, workers: usize) -> anyhow::Result<Pipeline> {
    let packages = Source::<Package>::new(PACKAGES, &inputs.packages).at_start();
    let sizes = Source::<Size>::new(SIZES, &inputs.sizes).at_start();
    let closures = Sink::<ClosureLine>::new(args.out.join("closure.jsonl"));
    let sections = Sink::<SectionLine>::new(args.out.join("sections.jsonl"));
    let builder = Pipeline::builder()
        .processor(packages.named("read packages"))
        .processor(sizes.named("read sizes"))
        .processor(Join::default().named("join"));
    let builder = match &args.workspace {
        None => stages(builder, workers),
        Some(workspace) => durable::stages(builder, workspace)?,
    };
    let pipeline = builder
        .processor(closures.named("write closures"))
        .processor(sections.named("write sections"))
        .strict()
        .workers(workers)
        .timed()
        .handle_signals()
        .build()?;
    Ok(pipeline)
}

/// Adds the stages between the join and the sinks.
fn stages(builder: PipelineBuilder, workers: usize) -> PipelineBuilder {
    let walks =
        (0..workers).map(|walker| Walk::default().named(format!("walk {walker}")).keyed(walker));
    builder
        .processor(Resolve::for_walkers(workers).named("resolve"))
        // Before the walkers: an event reaches its hearers in this order, so that what a walker
        // makes of the graph comes to the tally after the graph itself.
        .processor(Tally::default().named("tally"))
        .processors(walks)
}

impl Args {
    fn folder(&self) -> PathBuf {
        let bundled = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/atlas/data"));
        match &self.data {
            Some(folder) => folder.clone(),
            None if self.full => bundled.join("full"),
            None => bundled.join("sample"),
        }
    }
}
