//! Sends as many events as a busy day has through one pipeline, and checks that memory, threads
//! and descriptors stay where they are.
//!
//! What is measured, and when it is a failure, is up to the program in `tests/`; here it is built
//! and run.

use anyhow::{Result, bail};
use clap::Args;

use crate::invocation::{Invocation, Sink};
use crate::workspace;

/// Options of `cargo xtask soak`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Events that the source brings in; the default is a thousand per second for a day.
    #[arg(long, value_name = "N", default_value_t = 86_400_000)]
    events: u64,
    /// Print the result as one JSON object on standard output; all else goes to standard error.
    #[arg(long)]
    json: bool,
}

/// Builds the `soak` binary of `tests/` and runs it.
///
/// The binary is called as `soak --events N [--json]`, tells how far it is on standard error and
/// what it found on standard output, and exits with 0 only if nothing is amiss.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.events == 0 {
        bail!("no event proves nothing, use at least one");
    }
    Invocation::cargo("build --release --package selvedge-tests --bin soak")
        .dir(&workspace::root())
        .run(Sink::Stderr)?;
    let program = workspace::load()?.target.join("release/soak");
    invocation(&program.to_string_lossy(), options).run(Sink::Stdout)
}

fn invocation(program: &str, options: &Options) -> Invocation {
    let program =
        Invocation::new(program).args(["--events".to_owned(), options.events.to_string()]);
    if options.json { program.args(["--json"]) } else { program }
}

#[cfg(test)]
mod tests {
    use super::{Options, invocation};

    #[test]
    fn options_are_handed_on() {
        let check = |events, json| invocation("soak", &Options { events, json }).to_string();
        insta::assert_snapshot!(check(5, false), @"soak --events 5");
        insta::assert_snapshot!(check(86_400_000, true), @"soak --events 86400000 --json");
    }
}
