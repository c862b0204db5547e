//! A pipeline of cached processors on a store on the disk, to be killed at any point. It tells what
//! it does, line by line, to a log and to its standard output.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use selvedge::prelude::*;
use selvedge::runtime::{Cache, Durability};
use selvedge::store::Durable;
use selvedge_tests::Log;
use serde::{Deserialize, Serialize};

/// Squares numbers and sums up the digits, both cached.
#[derive(Parser)]
struct Args {
    /// How many numbers
    #[arg(long, value_name = "N")]
    numbers: u64,
    /// Folder of the store, of `log` and, at the end, of `out`
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Event, Serialize, Deserialize)]
struct Number(u64);

#[derive(Event, Serialize, Deserialize)]
struct Square {
    of: u64,
    square: u64,
}

#[derive(Event, Serialize, Deserialize)]
struct Sum {
    of: u64,
    sum: u64,
}

#[derive(Serialize)]
struct Squarer {
    #[serde(skip)]
    log: Log,
}

#[processor]
impl CachedProcessor for Squarer {
    type Emits = Square;

    fn process(&self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Number(of) => {
                self.log.tell("squares", *of)?;
                cx.emit(Square { of: *of, square: of * of });
            }
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Adder {
    #[serde(skip)]
    log: Log,
}

#[processor]
impl CachedProcessor for Adder {
    type Emits = Sum;

    fn process(&self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Square { of, square } => {
                self.log.tell("adds", *of)?;
                let digits = square.to_string();
                let sum = digits.bytes().map(|digit| u64::from(digit - b'0')).sum();
                cx.emit(Sum { of: *of, sum });
            }
        }
        Ok(())
    }
}

/// Hears what comes of both.
struct Hearer {
    log: Log,
    out: PathBuf,
    sums: Vec<String>,
}

#[processor]
impl Processor for Hearer {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Square { of, .. } => self.log.tell("hears-square", *of)?,
            Sum { of, sum } => {
                self.log.tell("hears-sum", *of)?;
                self.sums.push(format!("{of} {sum}\n"));
            }
        }
        Ok(())
    }

    fn close(&mut self, _: Ending) -> Result {
        Ok(std::fs::write(&self.out, self.sums.concat())?)
    }
}

fn main() -> anyhow::Result<()> {
    let Args { numbers, dir } = Args::parse();
    let log = Log::open(&dir)?;
    let store = Arc::new(Durable::open(&dir.join("store"))?);
    let group = Cache::new().durability(Durability::Group);
    let hearer = Hearer { log: log.clone(), out: dir.join("out"), sums: Vec::new() };
    let pipeline = Pipeline::builder()
        .processor(Squarer { log: log.clone() }.cached())
        .processor(Adder { log }.cached_with(group))
        .processor(hearer)
        .store(store)
        .workers(2)
        .strict()
        .build()?;
    for number in 0..numbers {
        pipeline.submit(Number(number))?;
    }
    pipeline.run()?;
    Ok(())
}
