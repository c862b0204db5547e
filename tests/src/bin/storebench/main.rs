//! Measures stores beside the plain engines they are on, in one run. `cargo xtask bench store` runs
//! this.
//!
//! Subjects take turns with each measurement, so that a device that slows down slows all.

#![expect(clippy::disallowed_methods, reason = "a program keeps its own time")]

mod gigabyte;
mod subjects;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use clap::Parser;
use serde::Serialize;

use subjects::{Subject, subjects};

/// Measures stores beside plain engines.
#[derive(Parser)]
struct Args {
    /// Seconds that each subject gets for each way to write
    #[arg(long, default_value_t = 1.0, value_name = "S")]
    secs: f64,
    /// Fill each with a gigabyte instead: time to open it, and memory
    #[arg(long)]
    gigabyte: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    step: gigabyte::Step,
}

pub(crate) const VALUE: [u8; 256] = [7; 256];
const N_WRITERS: u64 = 8;
const N_READS: u64 = 20_000;

/// What one subject did, a second.
#[derive(Debug, Default, Serialize)]
struct Row {
    subject: String,
    puts: f64,
    puts_in_batches_of_100: f64,
    puts_by_8_writers: f64,
    /// 8 writers' puts over one's: what a group commit gains.
    group_factor: f64,
    gets: f64,
    scanned: f64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if args.gigabyte {
        return gigabyte::run(args.json, &args.step);
    }
    let dir = tempfile::tempdir()?;
    let subjects = subjects(dir.path())?;
    let row = |subject: &(&str, Box<dyn Subject>)| {
        let subject = subject.0.to_owned();
        Row { subject, ..Row::default() }
    };
    let mut rows: Vec<Row> = subjects.iter().map(row).collect();
    let time = Duration::from_secs_f64(args.secs);
    for ((_, subject), row) in subjects.iter().zip(&mut rows) {
        row.puts = writes(&**subject, time, 1, 1)?;
    }
    for ((_, subject), row) in subjects.iter().zip(&mut rows) {
        row.puts_in_batches_of_100 = writes(&**subject, time, 1, 100)?;
    }
    for ((_, subject), row) in subjects.iter().zip(&mut rows) {
        row.puts_by_8_writers = writes(&**subject, time, N_WRITERS, 1)?;
        row.group_factor = row.puts_by_8_writers / row.puts;
    }
    for ((_, subject), row) in subjects.iter().zip(&mut rows) {
        (row.gets, row.scanned) = reads(&**subject)?;
    }
    if args.json {
        println!("{}", serde_json::to_string(&rows)?);
    } else {
        print(&rows);
    }
    Ok(())
}

fn print(rows: &[Row]) {
    println!(
        "{:<22}{:>10}{:>14}{:>12}{:>9}{:>11}{:>11}",
        "a second", "puts", "by hundreds", "8 writers", "factor", "gets", "scanned"
    );
    for row in rows {
        println!(
            "{:<22}{:>10.0}{:>14.0}{:>12.0}{:>9.1}{:>11.0}{:>11.0}",
            row.subject,
            row.puts,
            row.puts_in_batches_of_100,
            row.puts_by_8_writers,
            row.group_factor,
            row.gets,
            row.scanned
        );
    }
}

/// Records written a second, each commit durable.
fn writes(subject: &dyn Subject, time: Duration, n_threads: u64, n_batch: u64) -> Result<f64> {
    let n_written = AtomicU64::new(0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let write = |thread: u64| -> Result<()> {
            let mut n = thread << 40;
            while began.elapsed() < time {
                let keys: Vec<[u8; 8]> = (n..n + n_batch).map(u64::to_be_bytes).collect();
                subject.commit(&keys)?;
                n += n_batch;
                n_written.fetch_add(n_batch, Ordering::Relaxed);
            }
            Ok(())
        };
        let threads: Vec<_> =
            (0..n_threads).map(|thread| scope.spawn(move || write(thread))).collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a writer panicked"))??;
        }
        Ok::<(), anyhow::Error>(())
    })?;
    Ok(n_written.into_inner() as f64 / began.elapsed().as_secs_f64())
}

/// Records got, and scanned, a second.
fn reads(subject: &dyn Subject) -> Result<(f64, f64)> {
    for begin in (0..N_READS).step_by(100) {
        let keys: Vec<[u8; 8]> = (begin..begin + 100).map(u64::to_be_bytes).collect();
        subject.commit(&keys)?;
    }
    let began = Instant::now();
    let mut n = 1u64;
    for _ in 0..N_READS {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        subject.get(((n >> 33) % N_READS).to_be_bytes())?;
    }
    let gets = N_READS as f64 / began.elapsed().as_secs_f64();
    let began = Instant::now();
    let n_scanned = subject.scan()?;
    Ok((gets, n_scanned as f64 / began.elapsed().as_secs_f64()))
}
