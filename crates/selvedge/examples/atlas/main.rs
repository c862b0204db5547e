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
//! `events.rs` says what travels, `stages.rs` what is done with it, `graph.rs` how.

#![expect(unreachable_pub, reason = "an example reads better without `pub(crate)`")]
#![expect(clippy::disallowed_methods, reason = "a program may use the standard library's threads")]

mod events;
mod graph;
mod inputs;
mod plain;
mod progress;
mod report;
mod stages;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use selvedge::io::jsonl::{Sink, Source};
use selvedge::prelude::*;

use crate::events::{ClosureLine, Findings, Orphan, Package, SectionLine, Size};
use crate::inputs::Inputs;
use crate::report::{Comparison, Report};
use crate::stages::{Closer, Join, PACKAGES, Resolver, SIZES, Tally};

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
    /// Threads, and processors that find closures [default: what the machine can run at once]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// Print one JSON object instead of the report
    #[arg(long)]
    json: bool,
    /// Also do the work plainly, one thing after the other, and print the ratio
    #[arg(long)]
    compare: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("error: {error:#}");
            let run_error = error.downcast_ref::<RunError>();
            ExitCode::from(run_error.map_or(1, RunError::exit_status))
        }
    }
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let inputs = Inputs::find(&args.folder())?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot make the folder `{}`", args.out.display()))?;
    let workers = match args.workers {
        Some(workers) => usize::from(workers),
        None => std::thread::available_parallelism()?.get(),
    };

    let began = Instant::now();
    let mut pipeline = pipeline(&inputs, &args.out, workers)?;
    let findings = pipeline.collect::<Findings>();
    let orphans = pipeline.collect::<Orphan>();
    let progress = progress::show(pipeline.monitor(), args.json);
    let result = pipeline.run();
    progress.end();
    let run = result.map_err(|error| inputs.locate(error))?;
    let seconds = began.elapsed().as_secs_f64();

    let (findings, orphans) = (findings.take(), orphans.take());
    let [findings] = &findings[..] else {
        eprintln!("{}: nothing was written to `{}`", report::ending(&run), args.out.display());
        return Ok(run.exit_status().max(1));
    };
    let mut report = Report::new(findings, &orphans, &run, workers, seconds);
    if args.compare {
        report.comparison = Some(Comparison::of(findings, &inputs, &args.out, seconds)?);
    }
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}\nwritten to {}\n", args.out.display());
    }
    Ok(0)
}

fn pipeline(inputs: &Inputs, out: &std::path::Path, workers: usize) -> anyhow::Result<Pipeline> {
    let pipeline = Pipeline::builder()
        .processor(
            Source::<Package>::new(PACKAGES, &inputs.packages).at_start().named("read packages"),
        )
        .processor(Source::<Size>::new(SIZES, &inputs.sizes).at_start().named("read sizes"))
        .processor(Join::default().named("join"))
        .processor(Resolver { n_walkers: workers, packages: Vec::new() }.named("resolve"))
        .processors((0..workers).map(|i| Closer::default().named(format!("close {i}")).keyed(i)))
        .processor(Tally::default().named("tally"))
        .processor(Sink::<ClosureLine>::new(out.join("closure.jsonl")).named("write closures"))
        .processor(Sink::<SectionLine>::new(out.join("sections.jsonl")).named("write sections"))
        .strict()
        .workers(workers)
        .timed()
        .handle_signals()
        .build()?;
    Ok(pipeline)
}

impl Args {
    fn folder(&self) -> PathBuf {
        let bundled = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/atlas/data"));
        match &self.data {
            Some(folder) => folder.clone(),
            None if self.full => bundled.join("full"),
            None => bundled.join("sample"),
        }
    }
}
