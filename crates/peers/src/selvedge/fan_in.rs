//! W2 and W2i: one processor sums the numbers of eight producers.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use selvedge::prelude::*;

use super::{ACCEPTED, Feed, Layout};
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::workload::fan_in;

#[derive(Event, Clone, Copy)]
struct Number(u64);

/// Asks every producer for the numbers from `start` on.
#[derive(Event, Clone, Copy)]
struct Slice {
    start: u64,
}

/// Sums, and tells the sum when nothing can come any more.
struct Sum {
    sum: u64,
    sums: Sender<u64>,
}

impl Sum {
    fn new() -> (Self, Receiver<u64>) {
        let (sums, received) = mpsc::channel();
        (Sum { sum: 0, sums }, received)
    }
}

#[processor(strict)]
impl Processor for Sum {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Number(value) => self.sum += value,
        }
        Ok(())
    }

    fn close(&mut self, _: Ending) -> Result {
        Ok(self.sums.send(self.sum)?)
    }
}

/// Emits a slice per turn.
struct Producer {
    n_messages: u64,
}

#[processor(strict)]
impl Processor for Producer {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Slice { start } => {
                let end = (start + fan_in::SLICE).min(self.n_messages);
                (*start..end).for_each(|value| cx.emit(Number(value)));
            }
        }
        Ok(())
    }
}

/// Eight outside threads, created inside the measured time, with a submitter each.
pub(super) fn from_outside<L: Layout>(scale: Scale) -> Sample {
    let each = fan_in::n_messages_each(scale);
    let (sum, sums) = Sum::new();
    let pipeline = L::open(Pipeline::builder().processor(sum), 0);
    let (_, sample) = timed(each * fan_in::N_PRODUCERS, || {
        thread::scope(|scope| {
            for _ in 0..fan_in::N_PRODUCERS {
                let submitter = pipeline.submitter();
                let submit = move |value| submitter.submit(Number(value)).expect(ACCEPTED);
                scope.spawn(move || (0..each).map(submit).sum::<usize>());
            }
            pipeline.run(|_| ())
        })
    });
    assert_eq!(sums.recv(), Ok(fan_in::expected_sum(each)));
    sample
}

/// Eight processors, all of which hear every slice that the measuring thread asks for.
pub(super) fn from_inside<L: Layout>(scale: Scale) -> Sample {
    let each = fan_in::n_messages_each(scale);
    let (sum, sums) = Sum::new();
    let producers = (0..fan_in::N_PRODUCERS).map(|_| Producer { n_messages: each });
    let pipeline = L::open(Pipeline::builder().processor(sum).processors(producers), each);
    let (_, sample) = timed(each * fan_in::N_PRODUCERS, || {
        pipeline.run(|feed| {
            for start in (0..each).step_by(fan_in::SLICE as usize) {
                feed.submit(Slice { start });
            }
        })
    });
    assert_eq!(sums.recv(), Ok(fan_in::expected_sum(each)));
    sample
}
