//! What the joins of two streams share: threads that feed them, and who sums the pairs.

use std::sync::mpsc::{self, Sender};
use std::thread;

use selvedge::prelude::*;
use selvedge::runtime::Submitter;

use super::Layout;
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::workload::join::{self, Join as _, Keyed, Pairs, Rendezvous};

#[derive(Event, Clone, Copy)]
pub(super) struct Pair(pub(super) join::Pair);

/// Sums the pairs of all joiners.
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

/// Lets two outside threads feed the streams to these joiners. `left` and `right` submit an event,
/// and say how many deliveries it made.
pub(super) fn join_streams<L: Layout>(
    scale: Scale,
    joiners: PipelineBuilder,
    left: impl Fn(&Submitter, Keyed) -> usize + Send,
    right: impl Fn(&Submitter, Keyed) -> usize + Send,
) -> Sample {
    let (lefts, rights) = join::streams(scale);
    let expected = Rendezvous::expected(&lefts, &rights);
    let (reports, received) = mpsc::channel();
    let pipeline = L::open(joiners.processor(Collector { pairs: Pairs::default(), reports }), 0);
    let (_, sample) = timed(2 * join::n_events(scale), || {
        thread::scope(|scope| {
            let (to_left, to_right) = (pipeline.submitter(), pipeline.submitter());
            scope
                .spawn(move || lefts.into_iter().map(|keyed| left(&to_left, keyed)).sum::<usize>());
            scope.spawn(move || {
                rights.into_iter().map(|keyed| right(&to_right, keyed)).sum::<usize>()
            });
            pipeline.run(|_| ())
        })
    });
    assert_eq!(received.recv(), Ok(expected));
    sample
}
