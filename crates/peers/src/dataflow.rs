//! Timely dataflow on one worker, in the calling thread, or on two.
//!
//! Inputs go in as epochs of [`EPOCH`] records, and a probe holds back the next epoch until the
//! last one is through: that is how a user bounds what is in flight. W2, W3 and W5 are left out,
//! for a static dataflow has neither outside senders nor routes nor actors.

mod chain;
mod hop;
mod join;

use std::cell::RefCell;
use std::rc::Rc;

use timely::Config;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::{ProbeHandle, StreamVec};
use timely::worker::Worker;

use crate::sample::Run;
use crate::workload::Workload;
use crate::workload::join::{FullJoin, Rendezvous};

/// What timely runs on one worker.
pub(crate) const ONE_WORKER: &[(Workload, Run)] = &workloads::<1>();

/// What timely runs on two workers.
pub(crate) const TWO_WORKERS: &[(Workload, Run)] = &workloads::<2>();

/// Records that one worker feeds before it waits for them to be through.
const EPOCH: usize = 8192;

const fn workloads<const WORKERS: usize>() -> [(Workload, Run); 4] {
    [
        (Workload::W1, hop::run::<WORKERS>),
        (Workload::W4, chain::run::<WORKERS>),
        (Workload::W6, join::run::<Rendezvous, WORKERS>),
        (Workload::W6j, join::run::<FullJoin, WORKERS>),
    ]
}

fn config(n_workers: usize) -> Config {
    match n_workers {
        1 => Config::thread(),
        _ => Config::process(n_workers),
    }
}

/// Runs `work` on every worker; what each returned, once all are done.
fn execute<T: Send + 'static>(
    n_workers: usize,
    work: impl Fn(&mut Worker) -> T + Send + Sync + 'static,
) -> Vec<T> {
    let workers = timely::execute(config(n_workers), work).expect("threads need no set-up");
    let result = |result: Result<T, String>| result.expect("a worker only computes");
    workers.join().into_iter().map(result).collect()
}

/// Ends `stream` in `total`, to which `add` adds each record; `probe` tells how far that is.
fn sink<T: 'static, A: 'static>(
    stream: StreamVec<'_, u64, T>,
    probe: &ProbeHandle<u64>,
    total: &Rc<RefCell<A>>,
    add: impl Fn(&mut A, T) + 'static,
) {
    let total = Rc::clone(total);
    let ended =
        stream.unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(Pipeline, "Sum", move |_, _| {
            move |input, _| {
                input.for_each_time(|_, batches| {
                    for batch in batches {
                        let mut total = total.borrow_mut();
                        batch.drain(..).for_each(|record| add(&mut total, record));
                    }
                });
            }
        });
    ended.container::<Vec<_>>().probe_with(probe);
}
