//! Measures our runtime: against the peers a user could pick instead, and against itself.
//!
//! One process per measurement, candidates and peers in turn, so that a machine that slows down
//! slows both. Only ratios of medians from one session are worth quoting, and only with the word on
//! how quiet the machine was. Instructions are counted besides: they are the same on any machine,
//! so a growth of theirs fails a change.

mod callgrind;
mod figures;
mod flow;
mod free;
mod goals;
mod instructions;
mod lineage;
mod machine;
mod page;
mod plan;
mod program;
mod ratchet;
mod runtime;
mod store;
mod suite;
mod table;

use anyhow::Result;
use clap::{Args, Subcommand};

pub(crate) use instructions::{Checked, run_into as instructions};

/// Options of `cargo xtask bench`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    suite: Option<Suite>,
    #[command(flatten)]
    free: free::Options,
}

#[derive(Debug, Subcommand)]
enum Suite {
    /// Run every workload against the peers that matter for it, and hold us against our goals.
    Runtime(runtime::Options),
    /// Run our graphs against our own processors and libraries, and hold them against our goals.
    Reactive(runtime::Options),
    /// Measure dataflow graphs beside libraries from PyPI, and hold them against our goals.
    Flow(flow::Options),
    /// Count instructions per delivery and per hop, and hold them against the checked-in ones.
    Instructions(instructions::Options),
    /// Measure the history's layout beside the naive one, and hold it against our goals.
    Lineage(lineage::Options),
    /// Measure stores beside the plain engines they are on.
    Store(store::Options),
}

/// Runs the suite that was named, or the comparison that the options describe.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.suite {
        Some(Suite::Runtime(options)) => runtime::run(options),
        Some(Suite::Reactive(options)) => runtime::run_graphs(options),
        Some(Suite::Flow(options)) => flow::run(options),
        Some(Suite::Instructions(options)) => instructions::run(options),
        Some(Suite::Lineage(options)) => lineage::run(options),
        Some(Suite::Store(options)) => store::run(options),
        None => free::run(&options.free),
    }
}
