//! W4: eight `map` operators, records staying on the worker that fed them.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

use timely::dataflow::operators::Input;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::{InputHandle, ProbeHandle};
use timely::worker::Worker;

use super::{EPOCH, execute, sink};
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::workload::chain::{self, Tally};

/// Every worker feeds its share of the events and tallies what came through on it.
pub(super) fn run<const WORKERS: usize>(scale: Scale) -> Sample {
    let n = chain::n_events(scale);
    let (tallies, sample) = timed(n, || execute(WORKERS, move |worker| work(worker, n)));
    assert_eq!(tallies.into_iter().fold(Tally::default(), Tally::plus), chain::expected(n));
    sample
}

fn work(worker: &mut Worker, n: u64) -> Tally {
    let mut input = InputHandle::new();
    let probe = ProbeHandle::new();
    let tally = Rc::new(RefCell::new(Tally::default()));
    worker.dataflow::<u64, _, _>(|scope| {
        let mut stream = scope.input_from(&mut input).container::<Vec<_>>();
        for _ in 0..chain::N_STAGES {
            // The optimiser must not fold the stages into one addition.
            stream = stream.map(|value: u64| black_box(value) + 1);
        }
        sink(stream, &probe, &tally, Tally::add);
    });
    let (mut next, n_workers) = (worker.index() as u64, worker.peers());
    let mut epoch = 0;
    while next < n {
        (next..n).step_by(n_workers).take(EPOCH).for_each(|value| input.send(value));
        next += (n_workers * EPOCH) as u64;
        epoch += 1;
        input.advance_to(epoch);
        while probe.less_than(input.time()) {
            worker.step();
        }
    }
    input.close();
    while worker.step() {}
    tally.take()
}
