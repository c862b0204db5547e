//! The checks a change has to pass, in order of how soon they tell: one list, run step by step.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use crate::deny::{self, Checked};
use crate::invocation::{Invocation, Sink};
use crate::{bench, tidy, workspace};

/// Options of `cargo xtask ci`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print the summary as one JSON object on standard output; all else goes to standard error.
    #[arg(long)]
    json: bool,
}

/// What a step does.
#[derive(Debug)]
enum Work {
    Command(Invocation),
    Deny,
    Instructions,
    Tidy,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    work: Work,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Passed,
    Failed,
}

#[derive(Debug, Serialize)]
struct Done {
    step: &'static str,
    outcome: Outcome,
    secs: f64,
    /// What was left out, or how to run a failed step again.
    note: Option<String>,
}

#[derive(Debug, Serialize)]
struct Summary {
    ok: bool,
    secs: f64,
    steps: Vec<Done>,
}

/// The list; the model-checked tests add to the compiler flags the caller already has.
fn steps(rustflags: &str) -> Vec<Step> {
    let shuttle = format!("{rustflags} --cfg shuttle");
    let loom = format!("{rustflags} --cfg loom");
    let command = |name, words| Step { name, work: Work::Command(Invocation::cargo(words)) };
    vec![
        command("fmt", "fmt --all --check"),
        command("clippy", "clippy --all-targets -- -D warnings"),
        command("test", "test"),
        Step {
            name: "shuttle",
            work: Work::Command(
                Invocation::cargo(
                    "test --package selvedge-runtime --package selvedge-store \
                     --package selvedge-lineage --package selvedge-flow --test shuttle",
                )
                .args(["--target-dir", "target/shuttle"])
                .env("RUSTFLAGS", shuttle.trim()),
            ),
        },
        Step {
            name: "loom",
            work: Work::Command(
                Invocation::cargo("test --package selvedge-runtime --test loom")
                    .args(["--target-dir", "target/loom"])
                    .env("RUSTFLAGS", loom.trim()),
            ),
        },
        Step {
            name: "doc",
            work: Work::Command(
                Invocation::cargo("doc --no-deps").env("RUSTDOCFLAGS", "-D warnings"),
            ),
        },
        Step { name: "deny", work: Work::Deny },
        Step { name: "tidy", work: Work::Tidy },
        command("features", "check --package selvedge --no-default-features"),
        command("topology", "check --package selvedge --features topology"),
        command("reactive", "check --package selvedge --features reactive"),
        command("flow", "check --package selvedge --features flow"),
        command("spans", "test --package selvedge-runtime --features tracing --test spans"),
        command("peers", "check --package selvedge-peers --all-targets"),
        command("atlas", "xtask atlas --rounds 3"),
        Step { name: "instructions", work: Work::Instructions },
        command("soak", "xtask soak --events 4000000"),
        command("engines", "check --package selvedge-store --no-default-features"),
        command("tables", "test --package selvedge-lineage --features sqlite --test laws"),
        command("crash", "xtask crash --rounds 200"),
        command("records", "xtask crash --what lineage --rounds 60"),
        command("powerloss", "xtask powerloss --rounds 1"),
        command("corrupt", "xtask corrupt"),
    ]
}

/// Runs every step until one fails, then prints what each took.
pub(crate) fn run(options: &Options) -> Result<()> {
    let sink = if options.json { Sink::Stderr } else { Sink::Stdout };
    let begun = Instant::now();
    let mut done = Vec::new();
    for step in steps(&std::env::var("RUSTFLAGS").unwrap_or_default()) {
        announce(sink, &format!("\n=== {} ===", step.name));
        let result = perform(step, sink);
        let failed = result.outcome == Outcome::Failed;
        announce(sink, &ended(&result));
        done.push(result);
        if failed {
            break;
        }
    }
    let ok = done.iter().all(|done| done.outcome != Outcome::Failed);
    let summary = Summary { ok, secs: begun.elapsed().as_secs_f64(), steps: done };
    if options.json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        println!("\n{}", table(&summary));
    }
    match summary.steps.last() {
        Some(Done { step, outcome: Outcome::Failed, note: Some(note), .. }) => {
            bail!("{step} failed; run it again with: {note}")
        }
        _ => Ok(()),
    }
}

fn announce(sink: Sink, line: &str) {
    match sink {
        Sink::Stdout => println!("{line}"),
        Sink::Stderr => eprintln!("{line}"),
    }
}

fn perform(step: Step, sink: Sink) -> Done {
    let begun = Instant::now();
    let root = workspace::root();
    let (again, result) = match step.work {
        Work::Command(command) => {
            let result = command.clone().dir(&root).run(sink);
            (command.to_string(), result.map(|()| (Outcome::Passed, None)))
        }
        Work::Deny => {
            let note = |checked| match checked {
                Checked::All => None,
                Checked::AllButAdvisories => Some("ADVISORIES NOT CHECKED".to_owned()),
            };
            let result = deny::run_into(sink).map(|checked| (Outcome::Passed, note(checked)));
            ("cargo xtask deny".to_owned(), result)
        }
        Work::Instructions => {
            let note = |checked| match checked {
                bench::Checked::Held => None,
                bench::Checked::Shrank => Some("FEWER THAN CHECKED IN, bless them".to_owned()),
                bench::Checked::Skipped => Some("NOT COUNTED, valgrind is missing".to_owned()),
            };
            let result = bench::instructions(sink).map(|checked| (Outcome::Passed, note(checked)));
            ("cargo xtask bench instructions".to_owned(), result)
        }
        Work::Tidy => {
            let result = tidy::report(sink).map(|()| (Outcome::Passed, None));
            ("cargo xtask tidy".to_owned(), result)
        }
    };
    let (outcome, note) = result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        (Outcome::Failed, Some(again))
    });
    Done { step: step.name, outcome, secs: begun.elapsed().as_secs_f64(), note }
}

fn ended(done: &Done) -> String {
    let note = done.note.as_deref().unwrap_or_default();
    match done.outcome {
        Outcome::Passed => format!("=== {} passed in {:.1} s ===", done.step, done.secs),
        Outcome::Failed => format!("*** {} FAILED, run it again with: {note} ***", done.step),
    }
}

fn table(summary: &Summary) -> String {
    let mut out = format!("{:<14}{:<10}{:>9}\n", "step", "outcome", "seconds");
    for done in &summary.steps {
        let outcome = match done.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
        };
        let note = done.note.as_deref().map(|note| format!("  {note}")).unwrap_or_default();
        writeln!(out, "{:<14}{outcome:<10}{:>9.1}{note}", done.step, done.secs)
            .expect("a String takes all that is written to it");
    }
    let all = if summary.ok { "passed" } else { "FAILED" };
    out.push_str(&format!("{:<14}{all:<10}{:>9.1}", "all", summary.secs));
    out
}

#[cfg(test)]
mod tests {
    use super::{Done, Outcome, Summary, Work, ended, steps, table};

    #[test]
    fn steps_in_order() {
        let line = |step: &super::Step| match &step.work {
            Work::Command(command) => format!("{}: {command}\n", step.name),
            Work::Deny | Work::Tidy => format!("{}: cargo xtask {0}\n", step.name),
            Work::Instructions => format!("{}: cargo xtask bench {0}\n", step.name),
        };
        insta::assert_snapshot!(steps("-g").iter().map(line).collect::<String>(), @r"
        fmt: cargo fmt --all --check
        clippy: cargo clippy --all-targets -- -D warnings
        test: cargo test
        shuttle: RUSTFLAGS='-g --cfg shuttle' cargo test --package selvedge-runtime --package selvedge-store --package selvedge-lineage --package selvedge-flow --test shuttle --target-dir target/shuttle
        loom: RUSTFLAGS='-g --cfg loom' cargo test --package selvedge-runtime --test loom --target-dir target/loom
        doc: RUSTDOCFLAGS='-D warnings' cargo doc --no-deps
        deny: cargo xtask deny
        tidy: cargo xtask tidy
        features: cargo check --package selvedge --no-default-features
        topology: cargo check --package selvedge --features topology
        reactive: cargo check --package selvedge --features reactive
        flow: cargo check --package selvedge --features flow
        spans: cargo test --package selvedge-runtime --features tracing --test spans
        peers: cargo check --package selvedge-peers --all-targets
        atlas: cargo xtask atlas --rounds 3
        instructions: cargo xtask bench instructions
        soak: cargo xtask soak --events 4000000
        engines: cargo check --package selvedge-store --no-default-features
        tables: cargo test --package selvedge-lineage --features sqlite --test laws
        crash: cargo xtask crash --rounds 200
        records: cargo xtask crash --what lineage --rounds 60
        powerloss: cargo xtask powerloss --rounds 1
        corrupt: cargo xtask corrupt
        ");
    }

    fn summary(ends: &[(&'static str, Outcome, Option<&str>)]) -> Summary {
        let done = |&(step, outcome, note): &(&'static str, Outcome, Option<&str>)| Done {
            step,
            outcome,
            secs: 1.25,
            note: note.map(str::to_owned),
        };
        let ok = ends.iter().all(|(_, outcome, _)| *outcome != Outcome::Failed);
        Summary { ok, secs: 5.0, steps: ends.iter().map(done).collect() }
    }

    #[test]
    fn summary_shows_what_was_left_out() {
        let summary = summary(&[
            ("fmt", Outcome::Passed, None),
            ("deny", Outcome::Passed, Some("ADVISORIES NOT CHECKED")),
            ("tidy", Outcome::Failed, Some("cargo xtask tidy")),
        ]);
        let ends: Vec<String> = summary.steps.iter().map(ended).collect();
        insta::assert_snapshot!(ends.join("\n"), @r"
        === fmt passed in 1.2 s ===
        === deny passed in 1.2 s ===
        *** tidy FAILED, run it again with: cargo xtask tidy ***
        ");
        insta::assert_snapshot!(table(&summary), @r"
        step          outcome     seconds
        fmt           passed          1.2
        deny          passed          1.2  ADVISORIES NOT CHECKED
        tidy          FAILED          1.2  cargo xtask tidy
        all           FAILED          5.0
        ");
    }
}
