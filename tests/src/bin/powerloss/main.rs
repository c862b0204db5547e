//! Loses power after every single operation on the disk of a short run of a store, in each of the
//! ways a device may, and checks what is left. `cargo xtask powerloss` runs this.
//!
//! The log is on a simulated disk that knows what was waited for. The engine is the real one, in a
//! real directory: after a loss of power it is given back what it was when it was closed last, or
//! that with a block zeroed, or nothing, since none of these may be taken for more than it is.

#![expect(clippy::disallowed_methods, reason = "a program keeps its own time")]

mod run;

use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use selvedge_testkit::Loss;
use serde::Serialize;

use run::{Outcome, Run};

/// Loses power after every operation, and checks what is left.
#[derive(Parser)]
struct Args {
    /// The engine
    #[arg(long, value_enum, default_value_t = Backend::Sled)]
    backend: Backend,
    /// How many runs are recorded, each from a seed of its own
    #[arg(long, default_value_t = 1, value_name = "N")]
    rounds: u64,
    /// What the records and the losses are drawn from
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
pub(crate) enum Backend {
    Sled,
    Redb,
}

/// What is drawn at random is drawn so often.
const LOSSES: [Loss; 6] =
    [Loss::Nothing, Loss::Dropped, Loss::Torn, Loss::Torn, Loss::Reordered, Loss::Reordered];

/// More than there are cores: the engine's own threads are waited for most of the time.
const N_THREADS: usize = 8;

#[derive(Debug, Default, Serialize)]
struct Counts {
    backend: String,
    seed: u64,
    operations: u64,
    images: u64,
    images_of_recoveries: u64,
    engines_kept: u64,
    acknowledged: u64,
    bad: u64,
    seconds: f64,
}

fn main() -> ExitCode {
    match check(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all was well.
fn check(args: &Args) -> Result<bool> {
    let began = Instant::now();
    let backend = format!("{:?}", args.backend).to_lowercase();
    let counts = Mutex::new(Counts { backend, seed: args.seed, ..Counts::default() });
    for round in 0..args.rounds {
        let seed = args.seed.wrapping_add(round);
        let run = Run::record(args.backend, seed)?;
        locked(&counts).operations += run.n_ops() as u64;
        locked(&counts).acknowledged += run.n_acknowledged() as u64;
        std::thread::scope(|scope| {
            for thread in 0..N_THREADS {
                let (run, counts) = (&run, &counts);
                scope.spawn(move || {
                    for n_ops in (thread..=run.n_ops()).step_by(N_THREADS) {
                        let seed = seed ^ (n_ops as u64) << 32;
                        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
                        for loss in LOSSES {
                            one(run, n_ops, loss, &mut rng, counts);
                        }
                    }
                });
            }
        });
    }
    let mut counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    counts.seconds = began.elapsed().as_secs_f64();
    if args.json {
        println!("{}", serde_json::to_string(&counts)?);
    } else {
        let value = serde_json::to_value(&counts)?;
        for (name, value) in value.as_object().context("counts are an object")? {
            println!("{name:<24}{value}");
        }
    }
    Ok(counts.bad == 0)
}

fn locked(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One image, and if the draw says so one of the power lost again while that is opened.
fn one(run: &Run, n_ops: usize, loss: Loss, rng: &mut impl Rng, counts: &Mutex<Counts>) {
    let seed = rng.next_u64();
    let disk = run.after_power_loss(n_ops, loss, seed);
    let judge = |what: &str, outcome: Result<Outcome>| match outcome {
        Ok(outcome) => locked(counts).engines_kept += u64::from(!outcome.is_rebuilt),
        Err(error) => {
            locked(counts).bad += 1;
            eprintln!("{what} after {n_ops} operations, {loss:?}, seed {seed}: {error:#}");
        }
    };
    judge("the power lost", run.check(&disk, n_ops, seed));
    locked(counts).images += 1;
    if rng.next_u64().is_multiple_of(4) {
        let again = rng.next_u64() as usize % (disk.n_ops() + 1);
        let disk = disk.after_power_loss(again, loss, seed);
        judge("the power lost again", run.check(&disk, n_ops, seed));
        locked(counts).images_of_recoveries += 1;
    }
}
