//! W6k: two processors share the keys of W6's streams, and one collects the pairs of both.

use selvedge::prelude::*;

use super::collector::{Pair, join_streams};
use super::{ACCEPTED, Layout};
use crate::sample::Sample;
use crate::scale::Scale;
use crate::workload::join::{Join, Keyed, Rendezvous, Side};

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

/// Two outside threads feed the streams.
pub(super) fn run<L: Layout>(scale: Scale) -> Sample {
    join_streams::<L>(
        scale,
        Pipeline::builder().processors((0..N_SHARDS).map(|shard| Joiner::default().keyed(shard))),
        |lefts, keyed| {
            let narrow = Narrow::new(keyed);
            lefts.submit(Left { shard: narrow.shard(), narrow }).expect(ACCEPTED)
        },
        |rights, keyed| {
            let narrow = Narrow::new(keyed);
            rights.submit(Right { shard: narrow.shard(), narrow }).expect(ACCEPTED)
        },
    )
}
