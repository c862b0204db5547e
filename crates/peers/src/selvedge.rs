//! Our own runtime, driven the way its users drive it: typed events by derive, processors, a
//! submitter per outside thread. It refuses every door that the facade's prelude doesn't open.
//!
//! What differs from the actors is what the runtime is about: nobody has an address. Who hears an
//! event is decided by its type (W1, W2, W4, W6), its name (W3) or its key (W5, W7). A run is over
//! when nothing is outstanding, so no processor reports back to the measuring thread, and the clock
//! stops when the run has closed its processors and joined its threads.

mod chain;
mod chains;
mod collector;
mod crowd;
mod fan_in;
mod fan_out;
mod hop;
mod join;
mod latency;
mod map;
mod pairs;
mod queue;
mod shards;

use std::time::Duration;

use selvedge::event::{Fact, Wants};
use selvedge::prelude::*;
use selvedge::runtime::{Feeder, wanting};

use crate::sample::Run;
use crate::workload::Workload;

/// Why opening cannot fail.
const WIRED: &str = "the wiring and the limits are this crate's own";

/// Why submitting cannot fail.
const ACCEPTED: &str = "the pipeline is open and has room for what the workload submits";

/// Why running cannot fail.
const SUCCEEDS: &str = "no turn fails";

/// Takes what the measuring thread itself submits.
pub(crate) trait Feed {
    /// Submits an event from the measuring thread.
    fn submit(&mut self, event: impl IntoEvent);
}

/// Which threads take the turns, and how the measuring thread feeds them.
pub(crate) trait Layout: Sized + 'static {
    /// All the workloads that actors run, and those that are about our own runtime alone.
    const WORKLOADS: &'static [(Workload, Run)] = &[
        (Workload::W1, hop::run::<Self>),
        (Workload::W1p, pairs::run::<Self>),
        (Workload::W1l, latency::run::<Self>),
        (Workload::W2, fan_in::from_outside::<Self>),
        (Workload::W2i, fan_in::from_inside::<Self>),
        (Workload::W3, fan_out::run::<Self>),
        (Workload::W4, chain::run::<Self>),
        (Workload::Scaling, chains::run::<Self>),
        (Workload::W5, crowd::run::<Self>),
        (Workload::W6, join::run::<Self>),
        (Workload::W6k, shards::run::<Self>),
        (Workload::W7, map::run::<Self>),
        (Workload::Q8, queue::small::<Self>),
        (Workload::Q100, queue::large::<Self>),
    ];

    /// What the measuring thread submits to.
    type Feed<'p>: Feed;

    /// Makes a pipeline that is ready for `n_submitted` events from the measuring thread.
    fn open(builder: PipelineBuilder, n_submitted: u64) -> Self;

    /// A handle for another thread to submit with.
    fn submitter(&self) -> Submitter;

    /// Calls `feed` on the measuring thread, and returns when everything is handled and every
    /// submitter is gone.
    fn run(self, feed: impl FnOnce(&mut Self::Feed<'_>)) -> RunReport;
}

/// The measuring thread takes turns beside the pipeline's own: `N_WORKERS` threads in all. What it
/// submits itself waits until it does.
pub(crate) struct Helping<const N_WORKERS: usize>(Pipeline);

impl<const N_WORKERS: usize> Layout for Helping<N_WORKERS> {
    type Feed<'p> = Feeder<'p>;

    fn open(builder: PipelineBuilder, _: u64) -> Self {
        let mut limits = Limits::default();
        if N_WORKERS == 1 {
            // Nobody else waits for a lone worker's batch. On a simulated processor a batch would
            // end by the clock, and the count of instructions with it.
            limits.batch_time_max = Duration::from_secs(1);
        }
        Helping(builder.workers(N_WORKERS).limits(limits).strict().build().expect(WIRED))
    }

    fn submitter(&self) -> Submitter {
        self.0.submitter()
    }

    fn run(self, feed: impl FnOnce(&mut Self::Feed<'_>)) -> RunReport {
        let fed = self.0.run_with(|feeder| {
            feed(feeder);
            Ok(())
        });
        fed.expect(SUCCEEDS)
    }
}

impl Feed for Feeder<'_> {
    fn submit(&mut self, event: impl IntoEvent) {
        Feeder::submit(self, event).expect(ACCEPTED);
    }
}

/// [`Helping`] with an observer that does nothing with what it is told: what is notable, or
/// everything.
pub(crate) struct Observed<const IN_FULL: bool>(Helping<2>);

impl<const IN_FULL: bool> Layout for Observed<IN_FULL> {
    type Feed<'p> = <Helping<2> as Layout>::Feed<'p>;

    fn open(builder: PipelineBuilder, n_submitted: u64) -> Self {
        let wants = if IN_FULL { Wants::ALL } else { Wants::default() };
        let builder = builder.observer(wanting(wants, |_: &[Fact]| ()));
        Observed(Helping::open(builder, n_submitted))
    }

    fn submitter(&self) -> Submitter {
        self.0.submitter()
    }

    fn run(self, feed: impl FnOnce(&mut Self::Feed<'_>)) -> RunReport {
        self.0.run(feed)
    }
}

/// Two threads of the pipeline's own take turns and the measuring one submits and waits: three
/// threads, as with the peers. It is held by credits: it waits whenever too much is under way.
pub(crate) struct Waiting(Running);

impl Layout for Waiting {
    type Feed<'p> = &'p Running;

    fn open(builder: PipelineBuilder, _: u64) -> Self {
        let pipeline = builder.workers(2).strict().build().expect(WIRED);
        Waiting(pipeline.start().expect("the machine has two more threads"))
    }

    fn submitter(&self) -> Submitter {
        self.0.submitter()
    }

    fn run(self, feed: impl FnOnce(&mut Self::Feed<'_>)) -> RunReport {
        feed(&mut &self.0);
        self.0.finish().expect(SUCCEEDS)
    }
}

impl Feed for &Running {
    fn submit(&mut self, event: impl IntoEvent) {
        Running::submit(self, event).expect(ACCEPTED);
    }
}
