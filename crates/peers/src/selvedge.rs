//! Our own runtime, driven the way its users drive it: typed events by derive, processors, a
//! submitter per outside thread. It refuses every door that the facade's prelude doesn't open.
//!
//! What differs from the actors is what the runtime is about: nobody has an address. Who hears an
//! event is decided by its type (W1, W2, W4, W6), its name (W3) or its key (W5, W7). A run is over
//! when nothing is outstanding, so no processor reports back to the measuring thread, and the clock
//! stops when the run has closed its processors and joined its threads.

mod chain;
mod crowd;
mod fan_in;
mod fan_out;
mod hop;
mod join;
mod map;

use selvedge::prelude::*;
use selvedge::runtime::{PipelineBuilder, Running};

use crate::sample::Run;
use crate::workload::Workload;

/// Threads that take turns.
const N_WORKERS: usize = 2;

/// Why opening cannot fail.
const WIRED: &str = "the wiring and the limits are this crate's own";

/// Why submitting cannot fail.
const ACCEPTED: &str = "the pipeline is open and has room for what the workload submits";

/// Why running cannot fail.
const SUCCEEDS: &str = "no turn fails";

/// Which threads take the turns; two do in each layout.
pub(crate) trait Layout: Sized + 'static {
    /// All the workloads that actors run.
    const WORKLOADS: &'static [(Workload, Run)] = &[
        (Workload::W1, hop::run::<Self>),
        (Workload::W2, fan_in::from_outside::<Self>),
        (Workload::W2i, fan_in::from_inside::<Self>),
        (Workload::W3, fan_out::run::<Self>),
        (Workload::W4, chain::run::<Self>),
        (Workload::W5, crowd::run::<Self>),
        (Workload::W6, join::run::<Self>),
        (Workload::W7, map::run::<Self>),
    ];

    /// Makes a pipeline that is ready for `n_submitted` events from the calling thread.
    fn open(builder: PipelineBuilder, n_submitted: u64) -> Self;

    /// Submits an event from the calling thread.
    fn submit(&self, event: impl IntoEvent);

    /// A handle for another thread to submit with.
    fn submitter(&self) -> Submitter;

    /// Returns when everything is handled and every submitter is gone.
    fn finish(self) -> RunReport;
}

/// The caller of `run()` takes turns beside one thread of the pipeline's: two threads in all. What
/// it submits waits until then.
pub(crate) struct Helping(Pipeline);

impl Layout for Helping {
    fn open(builder: PipelineBuilder, n_submitted: u64) -> Self {
        let mut limits = Limits::default();
        limits.backlog_max = limits.backlog_max.max(n_submitted as usize);
        Helping(builder.workers(N_WORKERS).limits(limits).strict().build().expect(WIRED))
    }

    fn submit(&self, event: impl IntoEvent) {
        self.0.submit(event).expect(ACCEPTED);
    }

    fn submitter(&self) -> Submitter {
        self.0.submitter()
    }

    fn finish(self) -> RunReport {
        self.0.run().expect(SUCCEEDS)
    }
}

/// Two threads of the pipeline's own take turns and the caller submits and waits: three threads,
/// as with the peers.
pub(crate) struct Waiting(Running);

impl Layout for Waiting {
    fn open(builder: PipelineBuilder, _: u64) -> Self {
        let pipeline = builder.workers(N_WORKERS).strict().build().expect(WIRED);
        Waiting(pipeline.start().expect("the machine has two more threads"))
    }

    fn submit(&self, event: impl IntoEvent) {
        self.0.submit(event).expect(ACCEPTED);
    }

    fn submitter(&self) -> Submitter {
        self.0.submitter()
    }

    fn finish(self) -> RunReport {
        self.0.finish().expect(SUCCEEDS)
    }
}
