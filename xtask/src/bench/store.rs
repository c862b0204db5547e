//! Measures stores beside the plain engines they are on: builds the program in `tests/`, runs it.

use anyhow::Result;
use clap::Args;

use crate::invocation::{Invocation, Sink};
use crate::workspace;

/// Options of `cargo xtask bench store`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Seconds that each subject gets for each way to write
    #[arg(long, default_value_t = 1.0, value_name = "S")]
    secs: f64,
    /// Fill stores with a gigabyte instead: time to open them, and memory
    #[arg(long)]
    gigabyte: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    Invocation::cargo("build --release --package selvedge-tests --bin storebench")
        .dir(&workspace::root())
        .run(Sink::Stderr)?;
    let program = workspace::load()?.target.join("release/storebench");
    invocation(&program.to_string_lossy(), options).run(Sink::Stdout)
}

fn invocation(program: &str, options: &Options) -> Invocation {
    let program = Invocation::new(program).args(["--secs".to_owned(), options.secs.to_string()]);
    let program = if options.gigabyte { program.args(["--gigabyte"]) } else { program };
    if options.json { program.args(["--json"]) } else { program }
}

#[cfg(test)]
mod tests {
    use super::{Options, invocation};

    #[test]
    fn options_are_handed_on() {
        let check = |gigabyte, json| {
            invocation("storebench", &Options { secs: 0.5, gigabyte, json }).to_string()
        };
        insta::assert_snapshot!(check(false, false), @"storebench --secs 0.5");
        insta::assert_snapshot!(check(true, true), @"storebench --secs 0.5 --gigabyte --json");
    }
}
