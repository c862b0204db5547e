//! Dataflow graphs: what becomes of nodes, what their values are, what is recorded, whatever the
//! workers do.

mod errors;
mod failing;
mod inner;
mod journals;
mod limits;
mod memory;
mod scenarios;

use std::sync::{Arc, Mutex};

use selvedge::flow::{Flow, Request, RunResult};
use selvedge::prelude::*;
use selvedge_testkit::explore;

/// How many seeds each scenario is played under.
const SEEDS: u64 = 200;

/// What `look` sees in the result of a run on threads; the same is seen under every seed.
fn everywhere(flow: &Flow, request: &Request, look: impl Fn(&RunResult) -> String) -> String {
    let told = look(&flow.run(request.clone()).unwrap());
    explore(SEEDS, |sim| {
        let begun = Arc::new(Mutex::new(None));
        let opens = {
            let (begun, flow, request) = (Arc::clone(&begun), flow.clone(), request.clone());
            move |cx: &mut Context<'_>, _: &Init| {
                *begun.lock().unwrap() = Some(flow.begin(cx, request.clone())?);
                Ok(())
            }
        };
        let pipeline = sim.build(Pipeline::builder().processor(on("opens", opens))).unwrap();
        let run = sim.run(pipeline);
        assert!(run.result.is_ok(), "{:?}", run.result);
        let handle = begun.lock().unwrap().take().unwrap();
        assert_eq!(look(&handle.wait()), told);
        run
    });
    told
}

/// A line per node, and one for the run.
fn story(result: &RunResult) -> String {
    let mut text = String::new();
    for node in result.nodes() {
        match node.ending {
            Some(ending) => text += &format!("{}: {ending}\n", node.id),
            None => text += &format!("{}: did not run\n", node.id),
        }
    }
    text + &format!("run {}", result.ending())
}
