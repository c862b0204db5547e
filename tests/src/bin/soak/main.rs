//! Sends many events of all kinds through one pipeline in one run and checks that nothing piles up:
//! memory, threads, descriptors, deliveries. `cargo xtask soak` runs this.
//!
//! It uses what every user has, the facade, and judges from outside: by what the kernel says of the
//! process, and by what was sent against what arrived.

#![expect(clippy::disallowed_methods, reason = "a program keeps its own time")]

mod gauges;
mod pipeline;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use selvedge::json;
use selvedge::prelude::*;

use gauges::{Gauges, Verdict};
use pipeline::Totals;

/// Sends many events through a mixed pipeline, and checks that memory stays where it is.
#[derive(Parser)]
struct Args {
    /// Events that the source brings in
    #[arg(long, value_name = "N")]
    events: u64,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    pipeline::silence_planned_panics();
    let began = Instant::now();
    let gauges = Gauges::new(args.events);
    let (pipeline, totals) = match pipeline::build(args.events, gauges.clone()) {
        Ok(built) => built,
        Err(error) => return failed(&error),
    };
    let report = match pipeline.run() {
        Ok(report) => report,
        Err(error) => return failed(&error),
    };
    let verdict = gauges.verdict();
    let mut amiss = verdict.amiss();
    amiss.extend(totals.amiss(&report));
    let seconds = began.elapsed().as_secs_f64();
    print(&args, seconds, &verdict, &totals, &report, &amiss);
    for line in &amiss {
        eprintln!("error: {line}");
    }
    if amiss.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

fn print(
    args: &Args,
    seconds: f64,
    verdict: &Verdict,
    totals: &Totals,
    report: &RunReport,
    amiss: &[String],
) {
    if args.json {
        let line = json!({
            "events": args.events,
            "secs": seconds,
            "deliveries": report.accepted,
            "handled": report.handled,
            "dead": report.dead,
            "balances": report.balances(),
            "facts_observed": totals.facts_observed(),
            "samples": verdict.n_samples,
            "rss_kib_last": verdict.rss_kib_last,
            "rss_slope_kib_per_million": verdict.slope,
            "rss_slope_limit": gauges::SLOPE_MAX,
            "rss_growth_kib": verdict.growth_kib,
            "threads": verdict.threads,
            "descriptors": verdict.descriptors,
            "ok": amiss.is_empty(),
            "amiss": amiss,
        });
        println!("{line}");
        return;
    }
    let rate = args.events as f64 / seconds / 1e6;
    println!("{} events in {seconds:.1} s, {rate:.2} million per second", args.events);
    println!(
        "{} deliveries: {} handled, {} dead; {} facts observed",
        report.accepted,
        report.handled,
        report.dead,
        totals.facts_observed()
    );
    println!("{verdict}");
}
