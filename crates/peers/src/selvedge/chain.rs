//! W4: eight stages, each of which hears a type of its own and emits the next one's.

use std::sync::mpsc::{self, Sender};

use selvedge::prelude::*;

use super::{Feed, Layout};
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::workload::chain::{self, Tally};

/// What stage `N` hears.
#[derive(Event, Clone, Copy)]
#[event(name = "selvedge-peers::Item")]
struct Item<const N: u64>(u64);

/// Stage `N`, which emits what the next one hears.
struct Stage<const N: u64, const NEXT: u64>;

impl<const N: u64, const NEXT: u64> Processor for Stage<N, NEXT> {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        if let Some(Item::<N>(value)) = event.payload() {
            cx.emit(Item::<NEXT>(value + 1));
        }
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Item<N>>()])
    }
}

/// The last stage.
struct Last {
    tally: Tally,
    tallies: Sender<Tally>,
}

const LAST: u64 = chain::N_STAGES - 1;

impl Processor for Last {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        if let Some(Item::<LAST>(value)) = event.payload() {
            self.tally.add(value + 1);
        }
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Item<LAST>>()])
    }

    fn close(&mut self, _: Ending) -> Result {
        Ok(self.tallies.send(self.tally)?)
    }
}

/// All stages but the last.
fn stages() -> PipelineBuilder {
    Pipeline::builder()
        .processor(Stage::<0, 1>)
        .processor(Stage::<1, 2>)
        .processor(Stage::<2, 3>)
        .processor(Stage::<3, 4>)
        .processor(Stage::<4, 5>)
        .processor(Stage::<5, 6>)
        .processor(Stage::<6, LAST>)
}

/// Fed from outside.
pub(super) fn run<L: Layout>(scale: Scale) -> Sample {
    let n = chain::n_events(scale);
    let (tallies, received) = mpsc::channel();
    let last = Last { tally: Tally::default(), tallies };
    let pipeline = L::open(stages().processor(last), n);
    let (_, sample) =
        timed(n, || pipeline.run(|feed| (0..n).for_each(|value| feed.submit(Item::<0>(value)))));
    assert_eq!(received.recv(), Ok(chain::expected(n)));
    sample
}
