//! Plants bugs in the runtime, one after the other, and holds a test to finding each.
//!
//! The bugs are lines of the runtime behind `planted("name")`; a build with
//! `--cfg selvedge_planted` has them all, and the environment says which one is on. So each suite
//! is built once. A bug that its test doesn't find is an error, and so is a test that fails
//! without one.

mod bugs;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;

use crate::invocation::Invocation;
use crate::workspace;
use bugs::{BUGS, Bug, Suite};

/// Options of `cargo xtask planted`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Plant only these; all of them by default.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Print the result as one JSON object on standard output; all else goes to standard error.
    #[arg(long)]
    json: bool,
    /// Rewrite the table in docs/verification.md and run nothing.
    #[arg(long)]
    bless: bool,
}

/// The page that says what is found by what.
const PAGE: &str = "docs/verification.md";
const BEGIN: &str = "<!-- planted:begin -->\n";
const END: &str = "<!-- planted:end -->";

/// A test that takes longer than this hangs; without a bug, none takes a quarter of it.
const PATIENCE: Duration = Duration::from_secs(90);

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum End {
    Passed,
    Failed,
    Hung,
}

#[derive(Debug, Serialize)]
struct Found {
    bug: &'static str,
    suite: &'static str,
    test: &'static str,
    /// How the test ended without the bug.
    without: End,
    /// How it ended with the bug.
    with: End,
    secs: f64,
}

impl Found {
    fn is_right(&self) -> bool {
        self.without == End::Passed && self.with != End::Passed
    }
}

/// Plants each bug and runs its test, with and without.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.bless {
        return bless();
    }
    let chosen = chosen(&options.only)?;
    let mut results = Vec::new();
    for suite in Suite::ALL {
        let bugs: Vec<&Bug> = chosen.iter().copied().filter(|bug| bug.suite == suite).collect();
        if bugs.is_empty() {
            continue;
        }
        let binary = build(suite)?;
        for bug in bugs {
            let without = play(&binary, suite, bug.test, "")?;
            let begun = Instant::now();
            let with = play(&binary, suite, bug.test, bug.name)?;
            let secs = begun.elapsed().as_secs_f64();
            let (suite, test) = (suite.name(), bug.test);
            let found = Found { bug: bug.name, suite, test, without, with, secs };
            eprintln!("{}", line(&found));
            results.push(found);
        }
    }
    if options.json {
        println!("{}", serde_json::to_string(&results)?);
    } else {
        results.iter().for_each(|found| println!("{}", line(found)));
    }
    let wrong: Vec<&str> = results.iter().filter(|f| !f.is_right()).map(|f| f.bug).collect();
    if !wrong.is_empty() {
        bail!("not found, or found without being there: {}", wrong.join(", "));
    }
    Ok(())
}

fn chosen(only: &[String]) -> Result<Vec<&'static Bug>> {
    if let Some(unknown) = only.iter().find(|name| !BUGS.iter().any(|bug| bug.name == **name)) {
        let names: Vec<&str> = BUGS.iter().map(|bug| bug.name).collect();
        bail!("no bug `{unknown}`, use one of: {}", names.join(", "));
    }
    let is_chosen = |bug: &&Bug| only.is_empty() || only.iter().any(|name| name == bug.name);
    Ok(BUGS.iter().filter(is_chosen).collect())
}

/// Builds a suite with all the bugs in it, and says where its program is.
fn build(suite: Suite) -> Result<PathBuf> {
    let build = Invocation::cargo(&format!("test {} --no-run", suite.target()))
        .args(["--target-dir", "target/planted", "--message-format", "json-render-diagnostics"])
        .env("RUSTFLAGS", suite.rustflags())
        .dir(&workspace::root());
    eprintln!("{build}");
    let output = build.capture()?;
    if !output.status.success() {
        bail!("`{build}` failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut programs = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_test = message["profile"]["test"] == true;
        message["executable"].as_str().filter(|_| is_test).map(PathBuf::from)
    });
    programs.next_back().with_context(|| format!("`{build}` made no program"))
}

/// Runs one test with this bug, or none, on.
fn play(binary: &Path, suite: Suite, test: &str, bug: &str) -> Result<End> {
    let mut child = Command::new(binary)
        .args([test, "--exact"])
        .env("SELVEDGE_PLANTED", bug)
        .env("SELVEDGE_SHUTTLE_ITERATIONS", "2000")
        .current_dir(workspace::root().join(suite.dir()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("failed to start {}", binary.display()))?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(End::Hung);
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let output = child.wait_with_output()?;
    if !status.success() {
        return Ok(End::Failed);
    }
    if !String::from_utf8_lossy(&output.stdout).contains("1 passed") {
        bail!("there is no test `{test}` in the suite {}, use its full name", suite.name());
    }
    Ok(End::Passed)
}

fn line(found: &Found) -> String {
    let verdict = match (found.without, found.with) {
        (End::Passed, End::Failed) => "found",
        (End::Passed, End::Hung) => "found (hangs)",
        (End::Passed, End::Passed) => "NOT FOUND",
        (End::Failed | End::Hung, _) => "FAILS WITHOUT",
    };
    let Found { bug, suite, test, secs, .. } = found;
    format!("{bug:<20} {verdict:<14} {secs:>6.1} s  {suite}: {test}")
}

/// The table as it belongs into the page.
fn table() -> String {
    let mut out = String::from("| bug | what is wrong | found by |\n|---|---|---|\n");
    for Bug { name, what, suite, test } in &BUGS {
        writeln!(out, "| `{name}` | {what} | {}: `{test}` |", suite.name())
            .expect("a String takes all that is written to it");
    }
    out
}

/// The page with the table that belongs there.
fn blessed(page: &str) -> Option<String> {
    let start = page.find(BEGIN)? + BEGIN.len();
    let end = start + page[start..].find(END)?;
    Some(format!("{}{}{}", &page[..start], table(), &page[end..]))
}

fn bless() -> Result<()> {
    let path = workspace::root().join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("failed to read {PAGE}"))?;
    let blessed =
        blessed(&page).with_context(|| format!("{PAGE} has no {} and {END}", BEGIN.trim_end()))?;
    fs::write(&path, blessed).with_context(|| format!("failed to write {PAGE}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names in `planted("…")`, in all files below a folder.
    fn named_below(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("the runtime is there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                named_below(&path, names);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("it is text");
                let after = text.split("planted(\"").skip(1);
                names.extend(after.filter_map(|rest| Some(rest.split('"').next()?.to_owned())));
            }
        }
    }

    #[test]
    fn the_list_names_what_is_planted_and_nothing_else() {
        let mut planted = BTreeSet::new();
        named_below(&workspace::root().join("crates/runtime/src"), &mut planted);
        let listed: BTreeSet<String> = BUGS.iter().map(|bug| bug.name.to_owned()).collect();
        assert_eq!(listed, planted);
        assert_eq!(listed.len(), BUGS.len(), "names are unique");
    }

    #[test]
    fn the_page_says_what_finds_what() {
        let page = fs::read_to_string(workspace::root().join(PAGE)).expect("the page is there");
        let blessed = blessed(&page).expect("it has a place for the table");
        assert!(page == blessed, "use `cargo xtask planted --bless`");
    }

    #[test]
    fn verdicts_are_told() {
        let check = |without, with| {
            let (bug, suite, test) = ("a-bug", "loom", "a::test");
            let found = Found { bug, suite, test, without, with, secs: 1.25 };
            format!("{} {}", line(&found), found.is_right())
        };
        let ends = [End::Passed, End::Failed, End::Hung];
        let mut lines: Vec<String> = ends.map(|with| check(End::Passed, with)).into();
        lines.push(check(End::Failed, End::Failed));
        insta::assert_snapshot!(lines.join("\n"), @r"
        a-bug                NOT FOUND         1.2 s  loom: a::test false
        a-bug                found             1.2 s  loom: a::test true
        a-bug                found (hangs)     1.2 s  loom: a::test true
        a-bug                FAILS WITHOUT     1.2 s  loom: a::test false
        ");
    }

    #[test]
    fn a_bug_is_chosen_by_name() {
        assert_eq!(chosen(&[]).expect("all").len(), BUGS.len());
        let one = chosen(&["no-fence".to_owned()]).expect("it is planted");
        assert_eq!(one.iter().map(|bug| bug.name).collect::<Vec<_>>(), ["no-fence"]);
        let error = chosen(&["fence".to_owned()]).expect_err("there is none").to_string();
        assert!(error.starts_with("no bug `fence`, use one of: "), "{error}");
    }
}
