//! W6: one processor joins two streams of events, another collects the pairs.

use std::sync::mpsc::{self, Sender};
use std::thread;

use selvedge::prelude::*;

use super::{ACCEPTED, Layout};
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::workload::join::{self, Join, Keyed, Pairs, Rendezvous, Side};

#[derive(Event, Clone, Copy)]
struct Left(Keyed);

#[derive(Event, Clone, Copy)]
struct Right(Keyed);

#[derive(Event, Clone, Copy)]
struct Pair(join::Pair);

/// Joins by key, whatever stream an event comes on.
#[derive(Default)]
struct Joiner(Rendezvous);

#[processor(strict)]
impl Processor for Joiner {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Left(keyed) => self.0.feed(Side::Left, *keyed, |pair| cx.emit(Pair(pair))),
            Right(keyed) => self.0.feed(Side::Right, *keyed, |pair| cx.emit(Pair(pair))),
        }
        Ok(())
    }
}

/// Sums the pairs.
struct Collector {
    pairs: Pairs,
    reports: Sender<Pairs>,
}

#[processor(strict)]
impl Processor for Collector {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Pair(pair) => self.pairs.add(*pair),
        }
        Ok(())
    }

    fn close(&mut self, _: Ending) -> Result {
        Ok(self.reports.send(self.pairs)?)
    }
}

/// Two outside threads feed the streams.
pub(super) fn run<L: Layout>(scale: Scale) -> Sample {
    let (left, right) = join::streams(scale);
    let expected = Rendezvous::expected(&left, &right);
    let (reports, received) = mpsc::channel();
    let builder = Pipeline::builder()
        .processor(Joiner::default())
        .processor(Collector { pairs: Pairs::default(), reports });
    let pipeline = L::open(builder, 0);
    let (_, sample) = timed(2 * join::n_events(scale), || {
        thread::scope(|scope| {
            let (lefts, rights) = (pipeline.submitter(), pipeline.submitter());
            let submit_left = move |keyed| lefts.submit(Left(keyed)).expect(ACCEPTED);
            let submit_right = move |keyed| rights.submit(Right(keyed)).expect(ACCEPTED);
            scope.spawn(move || left.into_iter().map(submit_left).sum::<usize>());
            scope.spawn(move || right.into_iter().map(submit_right).sum::<usize>());
            pipeline.run(|_| ())
        })
    });
    assert_eq!(received.recv(), Ok(expected));
    sample
}
