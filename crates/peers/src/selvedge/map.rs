//! W7: four processors share the tasks by key, and one puts the results in their slots.

use std::sync::mpsc::{self, Sender};

use selvedge::prelude::*;

use super::{Feed, Layout};
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::workload::map;

const N_SHARES: u64 = 4;

#[derive(Event, Clone, Copy)]
struct Task {
    #[key]
    share: u64,
    input: u64,
}

#[derive(Event, Clone, Copy)]
struct Done(map::Done);

/// Does the tasks of one share.
struct Mapper;

#[processor(strict)]
impl Processor for Mapper {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Task { input, .. } => cx.emit(Done(map::task(*input))),
        }
        Ok(())
    }
}

/// Puts every result at its input's place.
struct Collector {
    slots: Vec<map::Done>,
    results: Sender<Vec<map::Done>>,
}

#[processor(strict)]
impl Processor for Collector {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Done(done) => self.slots[done.0 as usize] = *done,
        }
        Ok(())
    }

    fn close(&mut self, _: Ending) -> Result {
        Ok(self.results.send(std::mem::take(&mut self.slots))?)
    }
}

/// The shares are dealt from outside.
pub(super) fn run<L: Layout>(scale: Scale) -> Sample {
    let n = map::n_tasks(scale);
    let (results, received) = mpsc::channel();
    let builder = Pipeline::builder()
        .processors((0..N_SHARES).map(|share| Mapper.keyed(share)))
        .processor(Collector { slots: map::slots(n), results });
    let pipeline = L::open(builder, n);
    let (_, sample) = timed(n, || {
        pipeline.run(|feed| {
            (0..n).for_each(|input| feed.submit(Task { share: input % N_SHARES, input }));
        })
    });
    map::check(&received.recv().expect("a run that succeeds has closed its processors"), n);
    sample
}
