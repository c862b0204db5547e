//! Corrupts the files of a store, one at a time and at random, and checks that none of it is
//! silent. `cargo xtask corrupt` runs this.
//!
//! Half of the stores were closed, half are what a killed process leaves. What is found is counted
//! by who finds it: opening, `verify`, or whoever reads. What nobody finds has to be harmless, and
//! that is shown: every value is compared, again after the engine was made anew from the log.

#![expect(clippy::disallowed_methods, reason = "a program keeps its own time")]

mod change;
mod image;
mod judge;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use clap::{Parser, ValueEnum};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use selvedge_store::{Redb, Sled};
use selvedge_tests::copy_dir;
use serde::Serialize;

use change::change;
use image::{Image, temp_dir};
use judge::{Finding, judge};

/// Corrupts stores, and checks that it is found.
#[derive(Parser)]
struct Args {
    /// The engine
    #[arg(long, value_enum, default_value_t = Backend::Sled)]
    backend: Backend,
    /// How many files are corrupted, each of another copy
    #[arg(long, default_value_t = 1000, value_name = "N")]
    rounds: u64,
    /// What the places and the ways are drawn from
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
enum Backend {
    Sled,
    Redb,
}

impl Backend {
    fn settings(self) -> Box<dyn selvedge_store::Backend> {
        match self {
            Backend::Sled => Box::new(Sled::default()),
            Backend::Redb => Box::new(Redb::default()),
        }
    }
}

/// More than there are cores: the engine's own threads are waited for most of the time.
const N_THREADS: u64 = 8;

#[derive(Debug, Default, Serialize)]
struct Counts {
    backend: String,
    seed: u64,
    corruptions: u64,
    /// Not opened; then the rest was read, and the store repaired.
    refused_by_open: u64,
    /// The engine was made anew, and nothing is missing.
    mended_by_open: u64,
    found_by_verify: u64,
    found_by_read: u64,
    /// Of no consequence: every value was compared, also with the engine made anew.
    harmless: u64,
    silent: u64,
    seconds: f64,
}

fn main() -> ExitCode {
    // Engines panic over what they find, which is what the store is to stop; who isn't stopped is
    // counted.
    std::panic::set_hook(Box::new(|_| {}));
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether nothing was silent.
fn run(args: &Args) -> Result<bool> {
    let began = Instant::now();
    let backend = format!("{:?}", args.backend).to_lowercase();
    let counts = Mutex::new(Counts { backend, seed: args.seed, ..Counts::default() });
    let settings = args.backend.settings();
    let images = Image::closed_and_killed(&*settings)?;
    for image in &images {
        let dir = temp_dir()?;
        copy_dir(image.path(), dir.path())?;
        let finding = judge(dir.path(), &*settings, true)?;
        ensure!(finding == Finding::Harmless, "nothing is wrong, and this is found: {finding:?}");
    }
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let round = next.fetch_add(1, Ordering::Relaxed);
                if round >= args.rounds {
                    return Ok(());
                }
                one(args.seed.wrapping_add(round), &images, &*settings, &counts)?;
            }
        };
        let threads: Vec<_> = (0..N_THREADS).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a judge panicked"))??;
        }
        Ok::<(), anyhow::Error>(())
    })?;
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
    Ok(counts.silent == 0)
}

fn locked(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One corruption of a copy of its own.
fn one(
    seed: u64,
    images: &[Image; 2],
    backend: &dyn selvedge_store::Backend,
    counts: &Mutex<Counts>,
) -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let dir = temp_dir()?;
    let image = &images[(seed % 2) as usize];
    copy_dir(image.path(), dir.path())?;
    let how = change(dir.path(), &mut rng)?;
    // Whoever looks first finds it: half are verified first, half are read.
    let verdict = || judge(dir.path(), backend, (seed / 2).is_multiple_of(2));
    let finding = catch_unwind(AssertUnwindSafe(verdict));
    let finding = finding.unwrap_or_else(|_| Err(anyhow!("a panic gets through")));
    let mut counts = locked(counts);
    counts.corruptions += 1;
    *match finding {
        Ok(Finding::Refused) => &mut counts.refused_by_open,
        Ok(Finding::Mended) => &mut counts.mended_by_open,
        Ok(Finding::Verified) => &mut counts.found_by_verify,
        Ok(Finding::Read) => &mut counts.found_by_read,
        Ok(Finding::Harmless) => &mut counts.harmless,
        Err(error) => {
            eprintln!("seed {seed}, {} store, {how}: {error:#}", image.state());
            &mut counts.silent
        }
    } += 1;
    Ok(())
}
