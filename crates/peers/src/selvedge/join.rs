//! W6: one processor joins two streams of events, another collects the pairs.

use selvedge::prelude::*;

use super::collector::{Pair, join_streams};
use super::{ACCEPTED, Layout};
use crate::sample::Sample;
use crate::scale::Scale;
use crate::workload::join::{Join, Keyed, Rendezvous, Side};

#[derive(Event, Clone, Copy)]
struct Left(Keyed);

#[derive(Event, Clone, Copy)]
struct Right(Keyed);

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

/// Two outside threads feed the streams.
pub(super) fn run<L: Layout>(scale: Scale) -> Sample {
    join_streams::<L>(
        scale,
        Pipeline::builder().processor(Joiner::default()),
        |lefts, keyed| lefts.submit(Left(keyed)).expect(ACCEPTED),
        |rights, keyed| rights.submit(Right(keyed)).expect(ACCEPTED),
    )
}
