//! Kills writers of a store, loses power under it and corrupts its files, and checks that nothing
//! acknowledged is lost and nothing damaged is silent.
//!
//! What is written, and when it is a loss, is up to the programs in `tests/`; here they are built
//! and run.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::invocation::{Invocation, Sink};
use crate::workspace;

/// An engine that a durable store can be on.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Backend {
    Sled,
    Redb,
}

impl Backend {
    fn name(self) -> &'static str {
        match self {
            Backend::Sled => "sled",
            Backend::Redb => "redb",
        }
    }
}

/// Options of `cargo xtask crash`, `cargo xtask powerloss` and `cargo xtask corrupt`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The engine; all of them if none is named
    #[arg(long, value_enum)]
    backend: Option<Backend>,
    /// How many writers are killed, how many runs lose power after each of their operations, or
    /// how many files are corrupted
    #[arg(long, value_name = "N")]
    rounds: Option<u64>,
    /// What everything random is drawn from
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Print the result as one JSON object for each engine
    #[arg(long)]
    json: bool,
}

/// Options of `cargo xtask crash`.
#[derive(Debug, Args)]
pub(crate) struct CrashOptions {
    #[command(flatten)]
    options: Options,
    /// What the writers write: batches into a store, or records and runs into a history
    #[arg(long, value_enum, default_value_t = What::Store)]
    what: What,
}

/// What is written, and killed in writing.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Store,
    Lineage,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Store => "store",
            What::Lineage => "lineage",
        }
    }
}

/// Kills a writing process again and again, at random moments.
pub(crate) fn crash(options: &CrashOptions) -> Result<()> {
    run("crash", &options.options, 1000, &["--what", options.what.name()])
}

/// Loses power after every operation of a short run.
pub(crate) fn powerloss(options: &Options) -> Result<()> {
    run("powerloss", options, 3, &[])
}

/// Corrupts a file of a copy of a store, again and again.
pub(crate) fn corrupt(options: &Options) -> Result<()> {
    run("corrupt", options, 1000, &[])
}

fn run(program: &str, options: &Options, n_rounds: u64, more: &[&str]) -> Result<()> {
    if options.rounds == Some(0) {
        bail!("no round proves nothing, use at least one");
    }
    Invocation::cargo(&format!("build --release --package selvedge-tests --bin {program}"))
        .dir(&workspace::root())
        .run(Sink::Stderr)?;
    let path = workspace::load()?.target.join("release").join(program);
    for invocation in invocations(&path.to_string_lossy(), options, n_rounds) {
        invocation.args(more.iter().copied()).run(Sink::Stdout)?;
    }
    Ok(())
}

fn invocations(program: &str, options: &Options, n_rounds: u64) -> Vec<Invocation> {
    let backends = match options.backend {
        Some(backend) => vec![backend],
        None => vec![Backend::Sled, Backend::Redb],
    };
    let n_rounds = options.rounds.unwrap_or(n_rounds).to_string();
    let seed = options.seed.to_string();
    let invocation = |backend: Backend| {
        let args = ["--backend", backend.name(), "--rounds", &n_rounds, "--seed", &seed];
        let invocation = Invocation::new(program).args(args);
        if options.json { invocation.args(["--json"]) } else { invocation }
    };
    backends.into_iter().map(invocation).collect()
}

#[cfg(test)]
mod tests {
    use super::{Backend, Options, invocations};

    #[test]
    fn every_engine_is_run_unless_one_is_named() {
        let check = |backend, json| {
            let options = Options { backend, rounds: None, seed: 7, json };
            let invocations = invocations("crash", &options, 9);
            invocations.iter().map(|invocation| format!("{invocation}\n")).collect::<String>()
        };
        insta::assert_snapshot!(check(Some(Backend::Redb), true), @r"
        crash --backend redb --rounds 9 --seed 7 --json
        ");
        insta::assert_snapshot!(check(None, false), @r"
        crash --backend sled --rounds 9 --seed 7
        crash --backend redb --rounds 9 --seed 7
        ");
    }
}
