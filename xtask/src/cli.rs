//! What can be typed after `cargo xtask`, and which task it starts. Holds no task itself.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{atlas, bench, bigfile, ci, deny, durability, fuzz, planted, sim, soak, tidy};

/// Every development task of the workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every check that a change has to pass, stopping at the first failure.
    Ci(ci::Options),
    /// Check the rules of the house: layers, sizes, bans, orphans, diagram, dependencies.
    Tidy(tidy::Options),
    /// Measure our runtime against the peers, alternately, or count its instructions.
    Bench(bench::Options),
    /// Run the atlas example again and again, and check that its results are always the same.
    Atlas(atlas::Options),
    /// Send a huge JSONL file through source and sink under a memory limit.
    Bigfile(bigfile::Options),
    /// Send a day's events through a mixed pipeline, and check that memory stays where it is.
    Soak(soak::Options),
    /// Kill processes that write to a store, and check that nothing acknowledged is lost.
    Crash(durability::CrashOptions),
    /// Lose power after every operation of a store, and check the same.
    Powerloss(durability::Options),
    /// Corrupt files of a store, and check that none of it is silent.
    Corrupt(durability::Options),
    /// Play our own scenarios under many seeds: every interleaving keeps the rules.
    Sim(sim::Options),
    /// Check licences, bans, sources and, where they can be fetched, security advisories.
    Deny,
    /// Run the fuzz targets of `crates/event` on the nightly toolchain.
    Fuzz(fuzz::Options),
    /// Plant bugs in the runtime, and check that a test finds each.
    Planted(planted::Options),
}

/// Reads the command line and runs the task it names.
pub(crate) fn run() -> Result<()> {
    match Cli::parse().task {
        Task::Ci(options) => ci::run(&options),
        Task::Tidy(options) => tidy::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Atlas(options) => atlas::run(&options),
        Task::Bigfile(options) => bigfile::run(&options),
        Task::Soak(options) => soak::run(&options),
        Task::Crash(options) => durability::crash(&options),
        Task::Powerloss(options) => durability::powerloss(&options),
        Task::Corrupt(options) => durability::corrupt(&options),
        Task::Sim(options) => sim::run(&options),
        Task::Deny => deny::run().map(drop),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Planted(options) => planted::run(&options),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn every_task_is_described() {
        Cli::command().debug_assert();
        let tasks: Vec<String> = Cli::command()
            .get_subcommands()
            .map(|task| format!("{}: {}", task.get_name(), task.get_about().unwrap_or_default()))
            .collect();
        insta::assert_snapshot!(tasks.join("\n"), @r"
        ci: Run every check that a change has to pass, stopping at the first failure
        tidy: Check the rules of the house: layers, sizes, bans, orphans, diagram, dependencies
        bench: Measure our runtime against the peers, alternately, or count its instructions
        atlas: Run the atlas example again and again, and check that its results are always the same
        bigfile: Send a huge JSONL file through source and sink under a memory limit
        soak: Send a day's events through a mixed pipeline, and check that memory stays where it is
        crash: Kill processes that write to a store, and check that nothing acknowledged is lost
        powerloss: Lose power after every operation of a store, and check the same
        corrupt: Corrupt files of a store, and check that none of it is silent
        sim: Play our own scenarios under many seeds: every interleaving keeps the rules
        deny: Check licences, bans, sources and, where they can be fetched, security advisories
        fuzz: Run the fuzz targets of `crates/event` on the nightly toolchain
        planted: Plant bugs in the runtime, and check that a test finds each
        ");
    }
}
