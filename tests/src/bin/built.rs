//! A graph of persisted builders on a store on the disk, to be killed at any point. It tells what
//! it does, line by line, to a log and to its standard output.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use selvedge::prelude::*;
use selvedge::reactive::{Reactive, Target, builder};
use selvedge::runtime::{Cache, Durability};
use selvedge::store::Durable;
use selvedge_tests::Log;

/// Squares numbers and pairs each with the sum of its digits, all persisted.
#[derive(Parser)]
struct Args {
    /// How many numbers
    #[arg(long, value_name = "N")]
    numbers: u64,
    /// Folder of the store, of `log` and, at the end, of `out`
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let Args { numbers, dir } = Args::parse();
    let log = Log::open(&dir)?;
    let mut graph = Reactive::new("built");
    let numbers = graph.source("numbers", 0..numbers);
    let told = log.clone();
    let square = move |n: &u64| -> Result<(u64, u64)> {
        told.tell("squares", *n)?;
        Ok((*n, n * n))
    };
    let squares: Target<(u64, u64)> =
        graph.add(builder("squares", &numbers, square).version("1").persist());
    let told = log.clone();
    let add = move |n: &u64, square: &u64| -> Result<(u64, u64)> {
        told.tell("adds", *n)?;
        let digits = square.to_string();
        Ok((*n, digits.bytes().map(|digit| u64::from(digit - b'0')).sum()))
    };
    let group = Cache::new().durability(Durability::Group);
    let sums: Target<(u64, u64)> =
        graph.add(builder("sums", squares.spread(), add).version("1").persist_with(group));
    let told = log.clone();
    graph.each("square-hearer", &squares, move |(n, _): &(u64, u64)| told.tell("hears-square", *n));
    let mut file = File::create(dir.join("out"))?;
    graph.each("sum-hearer", &sums, move |(n, sum): &(u64, u64)| -> Result {
        log.tell("hears-sum", *n)?;
        Ok(writeln!(file, "{n} {sum}")?)
    });
    let store = Arc::new(Durable::open(&dir.join("store"))?);
    let pipeline = graph.install(Pipeline::builder().store(store).workers(2))?;
    pipeline.build()?.run()?;
    Ok(())
}
