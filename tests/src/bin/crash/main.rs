//! Kills a process that writes to a store or a history, again and again, at random moments, and
//! checks that nothing it was told is lost. `cargo xtask crash` runs this.
//!
//! One process kills; another writes; a third one opens what is left and checks it. Some are killed
//! while they open the store. Some rounds end with the store closed, most without.

#![expect(clippy::disallowed_methods, reason = "a program keeps its own time")]

mod check;
mod history;
mod workload;
mod writer;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde::Serialize;

use check::Found;

/// Kills writers, and checks what they leave.
#[derive(Parser)]
struct Args {
    /// The engine
    #[arg(long, value_enum, default_value_t = Backend::Sled)]
    backend: Backend,
    /// What is written
    #[arg(long, value_enum, default_value_t = What::Store)]
    what: What,
    /// How many writers are killed
    #[arg(long, default_value_t = 200, value_name = "N")]
    rounds: u64,
    /// What the moments and the records are drawn from
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
enum Backend {
    Sled,
    Redb,
}

#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
enum What {
    /// Batches, in a store
    Store,
    /// Records and runs, in a history
    Lineage,
}

#[derive(Subcommand)]
enum Role {
    /// Writes until it is killed, and says what was acknowledged
    Write { dir: PathBuf },
    /// Says what is there
    Check { dir: PathBuf },
}

/// Rounds after which a new store is begun.
const ROUNDS_PER_STORE: u64 = 50;

/// What a writer says when the store is open.
const READY: &str = "ready";
const READY_WAIT_MAX: Duration = Duration::from_secs(20);

/// What was counted over all rounds.
#[derive(Debug, Default, Serialize)]
struct Counts {
    backend: String,
    what: String,
    seed: u64,
    rounds: u64,
    killed_while_opening: u64,
    acknowledged: u64,
    records_checked: u64,
    runs_checked: u64,
    runs_abandoned: u64,
    rebuilt: u64,
    lost: u64,
    torn: u64,
    wrong: u64,
    failed_opens: u64,
    reopen_ms_p50: f64,
    reopen_ms_max: f64,
    seconds: f64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.role {
        None => supervise(&args),
        Some(role) => play(&args, role).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn play(args: &Args, role: &Role) -> Result<()> {
    let &Args { backend, what, seed, .. } = args;
    match (what, role) {
        (What::Store, Role::Write { dir }) => writer::run(backend, dir, seed),
        (What::Store, Role::Check { dir }) => check::run(backend, dir, seed),
        (What::Lineage, Role::Write { dir }) => history::write(backend, dir, seed),
        (What::Lineage, Role::Check { dir }) => history::check(backend, dir, seed),
    }
}

/// What writers were told that is in the store they wrote to.
#[derive(Debug, Default)]
struct Told {
    /// By thread, how much.
    heads: BTreeMap<u64, u64>,
    /// Runs, and whether they ended.
    runs: BTreeMap<String, bool>,
}

impl Told {
    fn n_records(&self) -> u64 {
        self.heads.values().sum()
    }

    /// Notes a line of a writer's. The last one may be cut.
    fn note(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["run", run, "begun"] => drop(self.runs.insert(run.to_owned(), false)),
            ["run", run, "ended"] => drop(self.runs.insert(run.to_owned(), true)),
            [thread, n, "0"] => {
                if let (Ok(thread), Ok(n)) = (thread.parse(), n.parse::<u64>()) {
                    let told = self.heads.entry(thread).or_default();
                    *told = (*told).max(n);
                }
            }
            _ => {}
        }
    }
}

/// Returns whether all was well.
fn supervise(args: &Args) -> Result<bool> {
    let began = Instant::now();
    let backend = format!("{:?}", args.backend).to_lowercase();
    let what = format!("{:?}", args.what).to_lowercase();
    let mut counts = Counts { backend, what, seed: args.seed, ..Counts::default() };
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(args.seed);
    let mut reopen_ms = Vec::new();
    let mut dir = tempfile::tempdir()?;
    let mut told = Told::default();
    for round in 0..args.rounds {
        if round % ROUNDS_PER_STORE == 0 {
            dir = tempfile::tempdir()?;
            told = Told::default();
        }
        counts.rounds += 1;
        let n_before = told.n_records();
        let delay = Duration::from_micros(5_000 + rng.next_u64() % 195_000);
        kill_writer(args, dir.path(), round, delay, &mut told)?;
        counts.acknowledged += told.n_records() - n_before;
        while rng.next_u64() % 4 == 0 {
            counts.killed_while_opening += 1;
            let delay = Duration::from_micros(rng.next_u64() % 30_000);
            kill_writer(args, dir.path(), 2 * round + 1, delay, &mut told)?;
        }
        let found = checked(args, dir.path(), round)?;
        let Some(found) = found else {
            counts.failed_opens += 1;
            let kept = dir.keep();
            eprintln!("round {round}: can't be opened, kept in {}", kept.display());
            dir = tempfile::tempdir()?;
            told = Told::default();
            continue;
        };
        reopen_ms.push(found.open_ms);
        judge(&mut counts, &found, &mut told, round);
    }
    reopen_ms.sort_by(f64::total_cmp);
    counts.reopen_ms_p50 = reopen_ms.get(reopen_ms.len() / 2).copied().unwrap_or_default();
    counts.reopen_ms_max = reopen_ms.last().copied().unwrap_or_default();
    counts.seconds = began.elapsed().as_secs_f64();
    if args.json {
        println!("{}", serde_json::to_string(&counts)?);
    } else {
        println!("{}", table(&counts)?);
    }
    Ok(counts.lost + counts.torn + counts.wrong + counts.failed_opens == 0)
}

fn judge(counts: &mut Counts, found: &Found, told: &mut Told, round: u64) {
    counts.rebuilt += u64::from(found.is_rebuilt);
    counts.records_checked += found.n_records;
    counts.wrong += found.n_wrong;
    counts.torn += found.n_torn;
    for (thread, n_told) in &mut told.heads {
        let n_found = found.heads.get(thread).copied().unwrap_or_default();
        if n_found < *n_told {
            counts.lost += *n_told - n_found;
            eprintln!("round {round}: thread {thread} was told {n_told}, {n_found} are there");
        }
        // What was written and not told is there from now on.
        *n_told = n_found;
    }
    for (run, has_ended) in &told.runs {
        let status = found.runs.get(run).map(String::as_str);
        counts.runs_checked += 1;
        counts.runs_abandoned += u64::from(status == Some("abandoned"));
        // The end may be written and not told.
        let is_right = status == Some("succeeded") || (!has_ended && status == Some("abandoned"));
        if !is_right {
            counts.lost += 1;
            eprintln!("round {round}: run {run}, ended: {has_ended}, is {status:?}");
        }
    }
    if found.n_wrong + found.n_torn > 0 {
        eprintln!("round {round}: {found:?}");
    }
}

fn child(args: &Args, role: &str, dir: &Path, seed: u64) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    let backend = format!("{:?}", args.backend).to_lowercase();
    let seed = (args.seed.wrapping_mul(1_000_003) + seed).to_string();
    let what = format!("{:?}", args.what).to_lowercase();
    command.args(["--backend", &backend, "--what", &what, "--seed", &seed, role]).arg(dir);
    command.stdout(Stdio::piped()).spawn().context("failed to start a child")
}

/// Lets a writer run, kills it, and notes what it was told.
fn kill_writer(
    args: &Args,
    dir: &Path,
    round: u64,
    delay: Duration,
    told: &mut Told,
) -> Result<()> {
    let mut child = child(args, "write", dir, round)?;
    let out = child.stdout.take().context("the child's output is a pipe")?;
    let (is_ready, ready) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(out).lines().map_while(Result::ok);
        let tell = |line: &String| {
            if line == READY {
                // Nobody may be waiting.
                let _ = is_ready.send(());
            }
        };
        lines.inspect(tell).collect::<Vec<String>>()
    });
    // Every other time the delay is counted from when the store is open.
    if round.is_multiple_of(2) {
        let _ = ready.recv_timeout(READY_WAIT_MAX);
    }
    let deadline = Instant::now() + delay;
    // Ends early if the child does.
    while ready.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok() {}
    child.kill()?;
    child.wait()?;
    let Ok(lines) = reader.join() else { bail!("the reader panicked") };
    lines.iter().for_each(|line| told.note(line));
    Ok(())
}

/// What a process of its own finds; nothing if the store can't be opened.
fn checked(args: &Args, dir: &Path, round: u64) -> Result<Option<Found>> {
    let output = child(args, "check", dir, round)?.wait_with_output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(if output.status.success() { Some(serde_json::from_str(&text)?) } else { None })
}

fn table(counts: &Counts) -> Result<String> {
    let value = serde_json::to_value(counts)?;
    let fields = value.as_object().context("counts are an object")?;
    let line = |(name, value): (&String, &serde_json::Value)| format!("{name:<24}{value}");
    Ok(fields.iter().map(line).collect::<Vec<_>>().join("\n"))
}
