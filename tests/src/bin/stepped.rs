//! A pipe whose runs are kept on the disk after each step, to be killed at any point. It tells what
//! it does, line by line, to a log and to its standard output.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::Parser;
use selvedge::flow::steps::{Checkpoints, Control, Item, Pipe, Start, State};
use selvedge::lineage::RunId;
use selvedge::store::Durable;
use selvedge_tests::Log;
use serde::{Deserialize, Serialize};

/// Squares numbers and adds the squares up, a step each, then once more all side by side
#[derive(Parser)]
struct Args {
    /// How many numbers
    #[arg(long, value_name = "N")]
    numbers: u64,
    /// Folder of the store, of `log` and, at the end, of `out`
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Count {
    of: u64,
    square: u64,
    sum: u64,
    side_by_side: Vec<u64>,
}

fn pipe(numbers: u64, log: &Log) -> Result<Pipe<Count>> {
    let mut pipe = Pipe::<Count>::builder("count");
    let told = log.clone();
    pipe.step("square", move |count: State<Count>| {
        let of = count.of;
        if of > 0 {
            told.tell("hears-sum", of - 1)?;
        }
        told.tell("squares", of)?;
        count.update(move |count| count.square = of * of);
        anyhow::Ok(())
    })
    .to("add");
    let told = log.clone();
    pipe.step("add", move |count: State<Count>| {
        // What the square came to is known here.
        told.tell("adds", count.of)?;
        let last = count.of + 1 == numbers;
        count.update(|count| {
            count.sum += count.square;
            count.of += 1;
        });
        anyhow::Ok(if last { Control::Next } else { Control::jump("square") })
    })
    .may_jump_to("square")
    .to("map");
    pipe.map("map", "item", move || (0..numbers).collect::<Vec<_>>()).at_a_time(4).to("end");
    pipe.step("item", |of: Item<u64>, count: State<Count>| {
        let of = *of;
        count.update(move |count| count.side_by_side.push(of * of));
    });
    let told = log.clone();
    pipe.step("end", move |count: State<Count>| told.tell("hears-sum", count.of - 1));
    Ok(pipe.build()?)
}

fn main() -> Result<()> {
    let args = Args::parse();
    std::fs::create_dir_all(&args.dir)?;
    let log = Log::open(&args.dir)?;
    let store = Arc::new(Durable::open(&args.dir.join("store"))?);
    let checkpoints = Checkpoints::new(store).every_step();
    let pipe = pipe(args.numbers, &log)?.kept_in(&checkpoints);
    let run = RunId::named("the one");
    let result = match checkpoints.list(1, None)?.first() {
        Some(waiting) => pipe.resume_run(waiting.run, (), &())?,
        None => pipe.run_with(Start::with(Count::default()).run_id(run))?,
    };
    anyhow::ensure!(result.succeeded(), "{}", result.ending());
    let Count { sum, side_by_side, .. } = result.state();
    let out = format!("{sum} {}\n", side_by_side.iter().sum::<u64>());
    std::fs::write(args.dir.join("out"), out)?;
    Ok(())
}
