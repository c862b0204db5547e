//! Plays our own scenarios under many seeds: the rules of a run's life, whatever the interleaving.
//!
//! The scenarios are tests in `tests/`, which play a few hundred seeds each on their own; here they
//! are compiled with optimizations and given more.

use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::invocation::{Invocation, Sink};
use crate::workspace;

/// Options of `cargo xtask sim`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The first seed.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How many seeds each scenario is played under.
    #[arg(long, value_name = "M", default_value_t = 20_000)]
    seeds: u64,
    /// Print the result as one JSON object on standard output; all else goes to standard error.
    #[arg(long)]
    json: bool,
}

/// Runs the scenarios. One that fails prints its seed and how to have it again.
pub(crate) fn run(options: &Options) -> Result<()> {
    let begun = Instant::now();
    let sink = if options.json { Sink::Stderr } else { Sink::Stdout };
    let result = invocation(options).dir(&workspace::root()).run(sink);
    if options.json {
        let Options { seed, seeds, .. } = options;
        let secs = begun.elapsed().as_secs_f64();
        let ok = result.is_ok();
        let summary =
            serde_json::json!({ "ok": ok, "first_seed": seed, "seeds": seeds, "secs": secs });
        println!("{summary}");
    }
    result
}

fn invocation(options: &Options) -> Invocation {
    Invocation::cargo("test --release --package selvedge-tests --test all -- sim::")
        .env("SELVEDGE_SIM_FIRST", &options.seed.to_string())
        .env("SELVEDGE_SIM_SEEDS", &options.seeds.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Options, invocation};

    #[test]
    fn seeds_are_handed_on() {
        let options = Options { seed: 3, seeds: 500, json: false };
        insta::assert_snapshot!(invocation(&options), @"SELVEDGE_SIM_FIRST=3 SELVEDGE_SIM_SEEDS=500 cargo test --release --package selvedge-tests --test all -- sim::");
    }
}
