//! Step pipelines: what follows what, what becomes of the state, what is told, whatever the workers
//! do.

mod errors;
mod recorded;
mod reference;
mod scenarios;
mod suspending;
mod within;

use std::sync::{Arc, Mutex};

use selvedge::flow::steps::{Pipe, PipeResult, Shares, Start, StepEvent};
use selvedge::prelude::*;
use selvedge_testkit::explore;

/// How many seeds each scenario is played under.
const SEEDS: u64 = 200;

/// What `look` sees in the result of a run on threads; the same is seen under every seed.
fn everywhere<S: Shares, C: Clone + Send + Sync + 'static>(
    pipe: &Pipe<S, C>,
    start: impl Fn() -> Start<S, C> + Send + Sync + 'static,
    look: impl Fn(&PipeResult<S>) -> String,
) -> String {
    let told = look(&pipe.run_with(start().keeping_events()).unwrap());
    let start = Arc::new(start);
    explore(SEEDS, |sim| {
        let begun = Arc::new(Mutex::new(None));
        let opens = {
            let (begun, pipe, start) = (Arc::clone(&begun), pipe.clone(), Arc::clone(&start));
            move |cx: &mut Context<'_>, _: &Init| {
                *begun.lock().unwrap() = Some(pipe.begin(cx, start().keeping_events())?);
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

/// What was told, without the numbers.
fn happened<S>(result: &PipeResult<S>) -> impl DoubleEndedIterator<Item = &StepEvent> {
    result.events().iter().map(|told| &told.event)
}

/// A line per event, in their order.
fn story<S>(result: &PipeResult<S>) -> String {
    for (told, seq) in result.events().iter().zip(1..) {
        assert_eq!(told.seq, seq, "events have no gaps");
    }
    happened(result).map(|event| format!("{event}\n")).collect()
}

/// The same in the order of the alphabet: for runs in which several steps are under way.
fn sorted_story<S>(result: &PipeResult<S>) -> String {
    let mut lines: Vec<String> = happened(result).map(ToString::to_string).collect();
    lines.sort_unstable();
    lines.join("\n")
}
