//! Dataflow graphs: what becomes of nodes, what their values are, what is recorded, whatever the
//! workers do.

mod errors;
mod events;
mod failing;
mod groups;
mod histories;
mod hostile;
mod inner;
mod journals;
mod limits;
mod maps;
mod memory;
mod places;
mod propagation;
mod scenarios;

use std::sync::{Arc, Mutex};

use selvedge::flow::{Flow, Listen, Request, RunEvent, RunResult, Told};
use selvedge::prelude::*;
use selvedge_testkit::explore;

/// How many seeds each scenario is played under.
const SEEDS: u64 = 200;

/// What `look` sees in the result of a run on threads; the same is seen under every seed. Whatever
/// is looked at, the stream of events has to be in order, and every kind of history has the records
/// of the result.
fn everywhere(flow: &Flow, request: &Request, look: impl Fn(&RunResult) -> String) -> String {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = {
        let heard = Arc::clone(&heard);
        move |told: &Told<RunEvent>| heard.lock().unwrap().push(told.clone())
    };
    let result = flow.run(request.clone().listener(Listen::new(), hears)).unwrap();
    let told = look(&result);
    events::check(&heard.lock().unwrap(), &result);
    histories::check(flow, request, &result);
    let request = request.clone().with_events(Listen::new().queue_max(2));
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
        let heard: Vec<_> = handle.events().map(|told| told.expect("it may spill")).collect();
        let result = handle.wait();
        assert_eq!(look(&result), told);
        events::check(&heard, &result);
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
