//! W6k: two processors share the keys of W6's streams, and one collects the pairs of both.

use std::sync::mpsc::{self, Sender};
use std::thread;

use selvedge::prelude::*;

use super::{ACCEPTED, Layout};
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::workload::join::{self, Join, Keyed, Pairs, Rendezvous, Side};

const N_SHARDS: u32 = 2;

/// One event of a stream, narrow enough to carry its shard's number beside what it says.
#[derive(Clone, Copy)]
struct Narrow {
    key: u32,
    value: u32,
}

#[derive(Event, Clone, Copy)]
struct Left {
    #[key]
    shard: u32,
    narrow: Narrow,
}

#[derive(Event, Clone, Copy)]
struct Right {
    #[key]
    shard: u32,
    narrow: Narrow,
}

#[derive(Event, Clone, Copy)]
struct Pair(join::Pair);

impl Narrow {
    fn new((key, value): Keyed) -> Self {
        Narrow { key: key as u32, value: value as u32 }
    }

    fn shard(self) -> u32 {
        self.key % N_SHARDS
    }

    fn widened(self) -> Keyed {
        (self.key.into(), self.value.into())
    }
}

/// Joins the keys of one shard.
#[derive(Default)]
struct Joiner(Rendezvous);

#[processor(strict)]
impl Processor for Joiner {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Left { narrow, .. } => {
                self.0.feed(Side::Left, narrow.widened(), |pair| cx.emit(Pair(pair)));
            }
            Right { narrow, .. } => {
                self.0.feed(Side::Right, narrow.widened(), |pair| cx.emit(Pair(pair)));
            }
        }
        Ok(())
    }
}

/// Sums the pairs of all shards.
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
        .processors((0..N_SHARDS).map(|shard| Joiner::default().keyed(shard)))
        .processor(Collector { pairs: Pairs::default(), reports });
    let pipeline = L::open(builder, 0);
    let (_, sample) = timed(2 * join::n_events(scale), || {
        thread::scope(|scope| {
            let (lefts, rights) = (pipeline.submitter(), pipeline.submitter());
            let submit_left = move |keyed| {
                let narrow = Narrow::new(keyed);
                lefts.submit(Left { shard: narrow.shard(), narrow }).expect(ACCEPTED)
            };
            let submit_right = move |keyed| {
                let narrow = Narrow::new(keyed);
                rights.submit(Right { shard: narrow.shard(), narrow }).expect(ACCEPTED)
            };
            scope.spawn(move || left.into_iter().map(submit_left).sum::<usize>());
            scope.spawn(move || right.into_iter().map(submit_right).sum::<usize>());
            pipeline.run(|_| ())
        })
    });
    assert_eq!(received.recv(), Ok(expected));
    sample
}
