//! `cargo xtask bench instructions`: what a delivery and a hop cost on one worker, counted.
//!
//! Nanoseconds depend on the machine and its neighbours, so they can't fail a change; instructions
//! don't, or hardly. They depend on the compiler: a new toolchain is blessed like any other change.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::callgrind::{self, count, slope};
use super::program::{Contents, Program};
use super::ratchet::{Change, Price, TOLERANCE, Verdict, judge};
use crate::invocation::Sink;
use crate::workspace;

/// Options of `cargo xtask bench instructions`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Check in what is counted now.
    #[arg(long)]
    bless: bool,
}

/// Whether anything was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Yes, and it is about what is checked in.
    Held,
    /// Yes, and it is so much less that it should be checked in.
    Shrank,
    /// No: valgrind is missing.
    Skipped,
}

/// What is counted.
#[derive(Debug)]
struct Subject {
    workload: &'static str,
    /// What the price is of.
    per: &'static str,
    /// How many of that make up the workload's unit.
    n_per_unit: f64,
    /// The two sizes.
    scales: [f64; 2],
}

const SUBJECTS: [Subject; 2] = [
    Subject { workload: "W3", per: "delivery", n_per_unit: 1.0, scales: [0.02, 0.12] },
    Subject { workload: "W4", per: "hop", n_per_unit: 8.0, scales: [0.02, 0.12] },
];

/// One worker, so that no thread waits or spins for another.
const PEER: &str = "selvedge_w1";

/// From the root of the workspace.
const CHECKED_IN: &str = "xtask/instructions.json";

const COMMAND: &str = "cargo xtask bench instructions";

/// Counts, and checks or blesses.
pub(super) fn run(options: &Options) -> Result<()> {
    if !options.bless {
        return run_into(Sink::Stdout).map(drop);
    }
    if !callgrind::is_installed() {
        bail!("valgrind is missing, install it (`apt-get install valgrind`)");
    }
    let prices = prices()?;
    let path = workspace::root().join(CHECKED_IN);
    let text = serde_json::to_string_pretty(&prices)? + "\n";
    std::fs::write(&path, text).with_context(|| format!("failed to write {CHECKED_IN}"))?;
    for Price { workload, per, instructions } in prices {
        println!("{workload}: {instructions:.1} instructions per {per}, checked in");
    }
    Ok(())
}

/// Counts and checks; what it says goes where a check's output goes. Without valgrind nothing is
/// counted, which is an error where `CI` is set.
pub(crate) fn run_into(sink: Sink) -> Result<Checked> {
    let say = |line: &str| match sink {
        Sink::Stdout => println!("{line}"),
        Sink::Stderr => eprintln!("{line}"),
    };
    if !callgrind::is_installed() {
        if std::env::var_os("CI").is_some() {
            bail!("valgrind is missing, have .ci/run install it");
        }
        say("*** NO INSTRUCTIONS COUNTED: valgrind is missing (`apt-get install valgrind`) ***");
        return Ok(Checked::Skipped);
    }
    let path = workspace::root().join(CHECKED_IN);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("failed to read {CHECKED_IN}, write it with `{COMMAND} --bless`")
    })?;
    let checked_in: Vec<Price> = serde_json::from_str(&text)
        .with_context(|| format!("{CHECKED_IN} isn't what `{COMMAND} --bless` writes"))?;
    let verdicts = judge(prices()?, &checked_in);
    verdicts.iter().for_each(|verdict| say(&verdict.line()));
    let refused: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.is_refused()).collect();
    if !refused.is_empty() {
        bail!("{}", refusal(&refused));
    }
    let shrank = verdicts.iter().any(|verdict| verdict.change == Change::Shrank);
    if shrank {
        say(&format!("keep what was won: `{COMMAND} --bless`"));
    }
    Ok(if shrank { Checked::Shrank } else { Checked::Held })
}

fn refusal(refused: &[&Verdict]) -> String {
    let lines: Vec<String> = refused.iter().map(|verdict| verdict.line()).collect();
    format!(
        "{}; allowed are {:.0} % more. `callgrind_annotate` on the profiles in target/callgrind \
         shows where they are spent; if they are worth it, check them in with `{COMMAND} --bless`",
        lines.join("; "),
        TOLERANCE * 100.0
    )
}

/// Counts every subject.
fn prices() -> Result<Vec<Price>> {
    let program = Program::build(Contents::OursAlone)?;
    let dir = workspace::load()?.target.join("callgrind");
    std::fs::create_dir_all(&dir).with_context(|| format!("failed to create {}", dir.display()))?;
    SUBJECTS
        .iter()
        .map(|subject| {
            let Subject { workload, per, n_per_unit, scales } = subject;
            let count = |size: &str, scale: f64| {
                let out: PathBuf = dir.join(format!("{workload}-{size}.out"));
                count(&program, PEER, workload, scale, &out)
            };
            let slope = slope(count("small", scales[0])?, count("large", scales[1])?)?;
            // A tenth is less than two runs differ by.
            let instructions = (slope / n_per_unit * 10.0).round() / 10.0;
            let (workload, per) = ((*workload).to_owned(), (*per).to_owned());
            Ok(Price { workload, per, instructions })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::ratchet::{Price, judge};
    use super::refusal;

    #[test]
    fn a_refusal_says_how_to_go_on() {
        let price = |instructions| Price {
            workload: "W3".to_owned(),
            per: "delivery".to_owned(),
            instructions,
        };
        let verdicts = judge(vec![price(120.0)], &[price(100.0)]);
        insta::assert_snapshot!(refusal(&verdicts.iter().collect::<Vec<_>>()), @"W3: 120.0 instructions per delivery, 100.0 checked in (+20.0 %), GREW; allowed are 5 % more. `callgrind_annotate` on the profiles in target/callgrind shows where they are spent; if they are worth it, check them in with `cargo xtask bench instructions --bless`");
    }
}
