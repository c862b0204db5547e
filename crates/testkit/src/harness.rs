//! Owns the run harness: a pipeline, its input, a deadline, and the trace of what happened.

use std::sync::Arc;
use std::time::Duration;

use selvedge::event::{Fact, IntoEvent};
use selvedge::runtime::{PipelineBuilder, RunError, RunReport};
use selvedge_sync::{Mutex, thread};

/// How long a run may take before it counts as hanging. Generous: it is there to turn a hang into
/// a message, not to measure.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a run came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ran {
    /// The report, or why there is none.
    pub result: Result<RunReport, RunError>,
    /// What happened, in the order in which the workers told it.
    pub facts: Vec<Fact>,
}

impl Ran {
    /// What happened, a line each, for snapshots. Reproducible with one worker.
    #[must_use]
    pub fn trace(&self) -> String {
        self.facts.iter().filter_map(line).collect()
    }
}

/// Runs a pipeline on these events, one worker, to its end.
///
/// ```
/// use selvedge::prelude::*;
/// #[derive(Event)]
/// struct Start;
/// let builder = Pipeline::builder()
///     .processor(on("starter", |_cx: &mut Context, _: &Start| Ok(())));
/// let ran = selvedge_testkit::run(builder, [Start]);
/// assert!(ran.result.is_ok());
/// assert!(ran.trace().contains("starter"), "{}", ran.trace());
/// ```
///
/// # Panics
///
/// When the pipeline can't be built, an event isn't accepted, or the run hangs: a test should fail
/// then. The message says which mailboxes were waiting.
pub fn run<E: IntoEvent>(builder: PipelineBuilder, events: impl IntoIterator<Item = E>) -> Ran {
    let facts: Arc<Mutex<Vec<Fact>>> = Arc::default();
    let log = Arc::clone(&facts);
    let note = move |seen: &[Fact]| {
        log.lock().extend_from_slice(seen);
        Ok(())
    };
    let pipeline = builder.workers(1).recorder(note).build().expect("the pipeline is sound");
    for event in events {
        pipeline.submit(event).expect("the pipeline has room for the test's events");
    }
    let monitor = pipeline.monitor();
    let (sender, result) = crossbeam_channel::bounded(1);
    thread::spawn("selvedge-test-run", move || {
        // Nobody listens any more when the deadline has passed.
        let _ = sender.send(pipeline.run());
    })
    .expect("the system has room for a thread");
    let result = result.recv_timeout(DEADLINE).unwrap_or_else(|_| {
        panic!("the run hangs, or its thread panicked; mailboxes: {:#?}", monitor.progress())
    });
    let facts = std::mem::take(&mut *facts.lock());
    Ran { result, facts }
}

/// A fact's own line; left out is what would only say that the next line comes.
fn line(fact: &Fact) -> Option<String> {
    match fact {
        Fact::RunStarted { .. } | Fact::TurnStarted { .. } => None,
        fact => Some(format!("{fact}\n")),
    }
}
