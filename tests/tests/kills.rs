//! Processes that are killed with -9 and started again: what anybody has heard of is not computed
//! again, and what comes out in the end is what would have come out.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use selvedge::store::{Durable, Read, Scan};

/// How often it is killed, unless `SELVEDGE_KILLS` says otherwise.
const N_KILLS: u64 = 100;

/// A program that squares numbers and adds them up in a workspace, and logs what it computes and
/// who has heard of it.
#[derive(Clone, Copy)]
struct Program(&'static str);

impl Program {
    fn start(self, dir: &Path, numbers: u64) -> Child {
        let mut command = Command::new(self.0);
        command.args(["--numbers", &numbers.to_string(), "--dir"]).arg(dir);
        command.stdout(Stdio::piped()).spawn().expect("the program can be started")
    }

    fn run_to_the_end(self, dir: &Path, numbers: u64) -> String {
        let child = self.start(dir, numbers);
        let output = child.wait_with_output().expect("it was started");
        assert!(output.status.success(), "{output:?}");
        fs::read_to_string(dir.join("out")).expect("it is written at the end")
    }
}

/// Lets it tell so many lines, and kills it; whether it was still there to be killed.
fn kill_after(mut child: Child, n_lines: usize) -> bool {
    let told = child.stdout.take().expect("it is piped");
    let n_told = BufReader::new(told).lines().take(n_lines).count();
    child.kill().expect("it is ours");
    let status = child.wait().expect("it was started");
    assert!(n_told == n_lines || status.success(), "it failed by itself: {status}");
    status.code().is_none()
}

/// What the log of all runs says was computed although somebody had heard of it before.
fn computed_again(log: &str) -> Vec<String> {
    let mut heard = BTreeSet::new();
    let mut again = Vec::new();
    for line in log.lines() {
        let (what, of) = line.split_once(' ').expect("a line is written whole");
        match what {
            "hears-square" => drop(heard.insert(("squares", of))),
            "hears-sum" => drop(heard.insert(("adds", of))),
            _ if heard.contains(&(what, of)) => again.push(line.to_owned()),
            // Who adds up has heard of the square.
            "adds" => drop(heard.insert(("squares", of))),
            _ => {}
        }
    }
    again
}

#[test]
fn what_was_heard_of_before_a_kill_is_replayed_and_the_output_is_that_of_one_run() {
    check(Program(env!("CARGO_BIN_EXE_cached")));
}

#[test]
fn what_builders_made_known_before_a_kill_is_brought_back_in_order() {
    check(Program(env!("CARGO_BIN_EXE_built")));
}

#[test]
fn a_run_of_steps_goes_on_where_it_was_killed() {
    let program = Program(env!("CARGO_BIN_EXE_stepped"));
    let n_kills = n_kills();
    let folder = tempfile::tempdir().expect("there is room for a folder");
    // Of the one run, each kill lets a step or two be taken.
    let numbers = 4 * n_kills;
    let mut n_killed = 0;
    for round in 0..n_kills {
        let child = program.start(folder.path(), numbers);
        n_killed += u64::from(kill_after(child, (round * 7919 % 6) as usize));
    }
    let out = program.run_to_the_end(folder.path(), numbers);
    let squares: u64 = (0..numbers).map(|n| n * n).sum();
    assert_eq!(out, format!("{squares} {squares}\n"));
    let log = fs::read_to_string(folder.path().join("log")).expect("it is kept");
    assert_eq!(computed_again(&log), Vec::<String>::new());
    let store = Durable::open(&folder.path().join("store")).expect("nobody has it open");
    assert_eq!(store.namespaces().expect("it can be read"), Vec::<String>::new());
    assert!(n_killed * 2 >= n_kills, "only {n_killed} of {n_kills} were still at it");
    eprintln!("{n_killed} of {n_kills} kills found it at work, {} lines", log.lines().count());
}

fn n_kills() -> u64 {
    std::env::var("SELVEDGE_KILLS")
        .map_or(N_KILLS, |number| number.parse().expect("`SELVEDGE_KILLS` is a number"))
}

/// Kills the program again and again, lets it come to its end, and holds what came out against a
/// run that nobody disturbed.
fn check(program: Program) {
    let n_kills = n_kills();
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let numbers = |round: u64| 4 + 2 * round;
    let mut n_killed = 0;
    for round in 0..n_kills {
        let child = program.start(folder.path(), numbers(round));
        // New numbers are told four times, others twice. A multiplier scatters the points.
        let n_lines = (round * 7919 % (2 * numbers(round) + 8)) as usize;
        n_killed += u64::from(kill_after(child, n_lines));
    }
    let numbers = numbers(n_kills);
    let out = program.run_to_the_end(folder.path(), numbers);
    let log = fs::read_to_string(folder.path().join("log")).expect("it is kept");
    assert_eq!(computed_again(&log), Vec::<String>::new());

    let undisturbed = tempfile::tempdir().expect("there is room for a folder");
    assert_eq!(out, program.run_to_the_end(undisturbed.path(), numbers));
    // That one shows that the log would tell.
    let log = fs::read_to_string(undisturbed.path().join("log")).expect("it is kept");
    assert_eq!(log.lines().count() as u64, 4 * numbers);
    assert_eq!(computed_again(&format!("{log}adds 1\n")), ["adds 1"]);

    let before = log.len();
    assert_eq!(out, program.run_to_the_end(undisturbed.path(), numbers));
    let log = fs::read_to_string(undisturbed.path().join("log")).expect("it is kept");
    assert!(!log[before..].contains("squares ") && !log[before..].contains("adds "));

    let store = Durable::open(&folder.path().join("store")).expect("nobody has it open");
    let mut n_records = 0;
    for namespace in store.namespaces().expect("it can be read") {
        n_records += store.scan(Scan::all(&namespace)).map(Result::unwrap).count() as u64;
    }
    assert_eq!(n_records, 2 * numbers);
    assert!(n_killed * 2 >= n_kills, "only {n_killed} of {n_kills} were still at it");
    eprintln!("{n_killed} of {n_kills} kills found it at work, {n_records} records");
}
