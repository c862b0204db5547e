//! Step pipelines of the shapes that graphs have here, runs that are kept, and runs that wait.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use selvedge::flow::steps::{Checkpoints, Control, Item, Pipe, PipeRun, Start, State};
use selvedge::flow::{Engine, Listen};
use selvedge::store::Durable;

use super::graphs::Shape;
use super::{median, memory};

/// Items of the map that is large.
const MILLION: u32 = 1_000_000;
/// Runs that wait.
const WAITING: u32 = 100_000;
/// Runs that are open together.
const TOGETHER: u32 = 10_000;

/// Steps that a second has room for, of `dag`, `chain`, `map` or `million`, then `_plain` or
/// `_kept`, which is on the disk after each step.
pub(crate) fn speed(figure: &str, runs: usize, workers: Option<usize>) -> Result<f64> {
    let Some((shape, written)) = figure.split_once('_') else { bail!("no figure `{figure}`") };
    let (pipe, n) = match shape {
        "million" => (mapped(MILLION)?, MILLION),
        shape => {
            let shape = Shape::named(shape)?;
            (pipe(shape)?, shape.n_nodes())
        }
    };
    let folder = folder()?;
    let pipe = match written {
        "plain" => pipe,
        "kept" => {
            let store = Arc::new(Durable::open(&folder.path().join("store"))?);
            pipe.kept_in(&Checkpoints::new(store).every_step())
        }
        other => bail!("no way `{other}` to keep runs"),
    };
    // A large one, or one that waits for the disk, needs no hundred runs.
    let runs = if shape == "million" || written == "kept" { runs.min(3) } else { runs };
    let engine = engine(workers)?;
    let mut times = Vec::with_capacity(runs);
    for round in 0..runs + runs / 4 {
        let began = Instant::now();
        let result = pipe.launch(&engine, Start::with(0))?.wait();
        let took = began.elapsed();
        ensure!(result.succeeded(), "{}", result.ending());
        if round >= runs / 4 {
            times.push(took);
        }
    }
    engine.close()?;
    Ok(f64::from(n) / median(times).as_secs_f64())
}

fn engine(workers: Option<usize>) -> Result<Engine> {
    Ok(match workers {
        None => Engine::start()?,
        Some(n) => Engine::with_workers(n)?,
    })
}

/// Beside the binary: where temporary files lie may be memory.
fn folder() -> Result<tempfile::TempDir> {
    let program = std::env::current_exe()?;
    Ok(tempfile::tempdir_in(program.parent().unwrap_or(Path::new(".")))?)
}

fn pipe(shape: Shape) -> Result<Pipe<u64>> {
    let n = shape.n_nodes();
    let mut pipe = Pipe::<u64>::builder("measured");
    match shape {
        Shape::Map => return mapped(n),
        Shape::Chain => {
            for i in 0..n {
                let mut step = pipe.step(&format!("s{i}"), || ());
                if i + 1 < n {
                    step.to(format!("s{}", i + 1));
                }
            }
        }
        Shape::Dag => {
            pipe.several_roots();
            for i in 0..n {
                let (layer, lane) = (i / 10, i % 10);
                let mut step = pipe.step(&format!("s{layer}_{lane}"), || ());
                if i + 10 < n {
                    let next = |lane: u32| format!("s{}_{}", layer + 1, lane % 10);
                    step.to([next(lane), next(lane + 9)]);
                }
            }
        }
    }
    Ok(pipe.build()?)
}

fn mapped(items: u32) -> Result<Pipe<u64>> {
    let mut pipe = Pipe::<u64>::builder("mapped");
    pipe.map("each", "worker", move || (0..items).collect::<Vec<_>>());
    pipe.step("worker", |_: Item<u32>| ());
    Ok(pipe.build()?)
}

/// Microseconds from the start of a run to its first event in the hands of a listener.
pub(crate) fn first_event(runs: usize) -> Result<f64> {
    let pipe = pipe(Shape::Chain)?;
    let engine = engine(None)?;
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let began = Instant::now();
        let mut run = pipe.launch(&engine, Start::with(0).with_events(Listen::new()))?;
        let first = run.events().next();
        times.push(began.elapsed());
        ensure!(first.is_some(), "nothing was told");
        ensure!(run.wait().succeeded(), "it failed");
    }
    engine.close()?;
    Ok(median(times).as_secs_f64() * 1e6)
}

fn waits() -> Result<Pipe<u64>> {
    let mut pipe = Pipe::<u64>::builder("waits");
    pipe.step("ask", || Control::suspend("for an answer")).to("go_on");
    pipe.step("go_on", |n: State<u64>| n.update(|n| *n += 1));
    Ok(pipe.build()?)
}

/// Milliseconds for a page of a hundred of the runs that wait, and for going on with one.
pub(crate) fn waiting(n: Option<u32>) -> Result<(f64, f64)> {
    let folder = folder()?;
    let store = Arc::new(Durable::open(&folder.path().join("store"))?);
    let checkpoints = Checkpoints::new(store);
    let pipe = waits()?.kept_in(&checkpoints);
    let engine = engine(None)?;
    let n = n.unwrap_or(WAITING);
    let mut left = n;
    while left > 0 {
        // Together, so that one wait for the disk serves many.
        let some = left.min(1_000);
        let runs: Result<Vec<PipeRun<u64>>, _> =
            (0..some).map(|_| pipe.launch(&engine, Start::with(0))).collect();
        runs?.into_iter().for_each(|run| drop(run.wait()));
        left -= some;
    }
    engine.close()?;
    let (mut pages, mut resumed, mut after) = (Vec::new(), Vec::new(), None);
    for _ in 0..100 {
        let began = Instant::now();
        let page = checkpoints.list(100, after)?;
        pages.push(began.elapsed());
        ensure!(page.len() == 100.min(n as usize), "{} runs on a page", page.len());
        let (first, last) = (page[0].run, page[page.len() - 1].run);
        after = (n > 20_000).then_some(last);
        let began = Instant::now();
        let result = pipe.resume_run(first, (), &())?;
        resumed.push(began.elapsed());
        ensure!(*result.state() == 1, "it did not go on");
    }
    let slow = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() * 99 / 100].as_secs_f64() * 1e3
    };
    Ok((slow(pages), slow(resumed)))
}

/// Bytes that a run of ten steps takes, of many that are open together and wait for their turn.
pub(crate) fn together(n: Option<u32>) -> Result<f64> {
    let mut pipe = Pipe::<u64>::builder("together");
    let n = n.unwrap_or(TOGETHER);
    // Each waits in its first step, without a thread.
    pipe.retries_max(u32::MAX);
    let started = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let seen = Arc::clone(&started);
    pipe.step("s0", move |attempt: selvedge::flow::steps::Attempt| {
        if attempt.0 == 1 {
            seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        let all = seen.load(std::sync::atomic::Ordering::Relaxed) >= n;
        if all { Control::Next } else { Control::Retry(Duration::from_millis(20)) }
    })
    .to("s1");
    for i in 1..10 {
        let mut step = pipe.step(&format!("s{i}"), || ());
        if i < 9 {
            step.to(format!("s{}", i + 1));
        }
    }
    let pipe = pipe.build()?;
    let engine = engine(None)?;
    let before = memory::resident()?;
    let mut runs = Vec::with_capacity(n as usize);
    for _ in 1..n {
        runs.push(pipe.launch(&engine, Start::with(0))?);
    }
    let grown = memory::resident()?.saturating_sub(before);
    runs.push(pipe.launch(&engine, Start::with(0))?);
    for run in runs {
        ensure!(run.wait().succeeded(), "a run failed");
    }
    engine.close()?;
    Ok(grown as f64 / f64::from(n))
}
