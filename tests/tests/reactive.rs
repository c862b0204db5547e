//! Graphs of builders, operators, joins and balanced workers: the scenarios, what fails in them,
//! what outlives them.

mod balance;
mod builders;
mod entering;
mod examples;
mod history;
mod hostile;
mod joins;
mod mending;
mod once;
mod persisted;
mod replays;
mod simulated;
mod streams;

use std::sync::{Arc, Mutex};

use selvedge::prelude::*;
use selvedge::reactive::Reactive;
use selvedge::runtime::{PipelineBuilder, RunReport};
use selvedge_testkit::{Sim, explore};

/// Seeds that a scenario is played under.
const SEEDS: u64 = 200;

/// What a builder was called with, in order.
#[derive(Clone, Debug)]
struct Calls<T>(Arc<Mutex<Vec<T>>>);

impl<T> Calls<T> {
    fn new() -> Calls<T> {
        Calls(Arc::new(Mutex::new(Vec::new())))
    }

    fn note(&self, call: T) {
        self.0.lock().expect("nobody panics with it").push(call);
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().expect("nobody panics with it"))
    }
}

/// Runs a graph on threads, by these terms, and says how it ended.
fn on_threads<H>(
    define: impl Fn(&mut Reactive) -> H,
    terms: impl Fn(PipelineBuilder) -> PipelineBuilder,
) -> (H, Result<RunReport, String>) {
    let mut graph = Reactive::new("graph");
    let handle = define(&mut graph);
    let builder = terms(Pipeline::builder().workers(4));
    let pipeline = graph.install(builder).unwrap().build().unwrap();
    let result = pipeline.start().unwrap().finish();
    (handle, result.map_err(|error| format!("{:#}", anyhow::Error::from(error))))
}

/// Plays a graph under many seeds, and checks what each run made.
fn simulated<H>(
    define: impl Fn(&mut Reactive) -> H,
    plan: impl Fn(Sim) -> Sim,
    check: impl Fn(&H),
) {
    explore(SEEDS, |sim| {
        let mut graph = Reactive::new("graph");
        let handle = define(&mut graph);
        let sim = plan(sim);
        let pipeline = sim.build(graph.install(Pipeline::builder()).unwrap()).unwrap();
        let run = sim.run(pipeline);
        assert!(run.result.is_ok(), "{:?}", run.result);
        check(&handle);
        run
    });
}

/// On threads and under many seeds.
fn everywhere<H>(define: impl Fn(&mut Reactive) -> H, check: impl Fn(&H)) {
    let (handle, result) = on_threads(&define, |builder| builder);
    result.unwrap();
    check(&handle);
    simulated(define, |sim| sim, check);
}
