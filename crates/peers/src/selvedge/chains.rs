//! Scaling: eight chains of eight stages, each fed by a source of its own that is pulled from as
//! there is room.

use std::ops::Range;
use std::sync::mpsc::{self, Sender};

use selvedge::prelude::*;

use super::Layout;
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::workload::chain::{self, Tally};
use crate::workload::chains;

/// What stage `N` of a chain hears.
#[derive(Event, Clone, Copy)]
#[event(name = "selvedge-peers::ChainItem")]
struct Item<const CHAIN: u64, const N: u64>(u64);

/// Brings in the chain's numbers.
struct Numbers<const CHAIN: u64>(Range<u64>);

impl<const CHAIN: u64> Processor for Numbers<CHAIN> {
    fn process(&mut self, cx: &mut Context<'_>, _: &Event) -> Result {
        cx.start_pulling();
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Init>()])
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        let room = cx.room();
        self.0.by_ref().take(room).for_each(|value| cx.emit(Item::<CHAIN, 0>(value)));
        Ok(if self.0.is_empty() { Pull::Done } else { Pull::More })
    }
}

/// Stage `N`, which emits what the next one hears.
struct Stage<const CHAIN: u64, const N: u64, const NEXT: u64>;

impl<const CHAIN: u64, const N: u64, const NEXT: u64> Processor for Stage<CHAIN, N, NEXT> {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        if let Some(Item::<CHAIN, N>(value)) = event.payload() {
            cx.emit(Item::<CHAIN, NEXT>(value + 1));
        }
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Item<CHAIN, N>>()])
    }
}

const LAST: u64 = chain::N_STAGES - 1;

/// The last stage.
struct Last<const CHAIN: u64> {
    tally: Tally,
    tallies: Sender<Tally>,
}

impl<const CHAIN: u64> Processor for Last<CHAIN> {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        if let Some(Item::<CHAIN, LAST>(value)) = event.payload() {
            self.tally.add(value + 1);
        }
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Item<CHAIN, LAST>>()])
    }

    fn close(&mut self, _: Ending) -> Result {
        Ok(self.tallies.send(self.tally)?)
    }
}

/// Adds a chain that brings in `0..n`.
type Add = fn(PipelineBuilder, u64, &Sender<Tally>) -> PipelineBuilder;

const CHAINS: [Add; chains::N_CHAINS as usize] =
    [add::<0>, add::<1>, add::<2>, add::<3>, add::<4>, add::<5>, add::<6>, add::<7>];

fn add<const CHAIN: u64>(
    builder: PipelineBuilder,
    n: u64,
    tallies: &Sender<Tally>,
) -> PipelineBuilder {
    builder
        .processor(Numbers::<CHAIN>(0..n))
        .processor(Stage::<CHAIN, 0, 1>)
        .processor(Stage::<CHAIN, 1, 2>)
        .processor(Stage::<CHAIN, 2, 3>)
        .processor(Stage::<CHAIN, 3, 4>)
        .processor(Stage::<CHAIN, 4, 5>)
        .processor(Stage::<CHAIN, 5, 6>)
        .processor(Stage::<CHAIN, 6, LAST>)
        .processor(Last::<CHAIN> { tally: Tally::default(), tallies: tallies.clone() })
}

/// Nothing comes from outside.
pub(super) fn run<L: Layout>(scale: Scale) -> Sample {
    let each = chains::n_events_each(scale);
    let (sender, tallies) = mpsc::channel();
    let builder =
        CHAINS.iter().fold(Pipeline::builder(), |builder, add| add(builder, each, &sender));
    let pipeline = L::open(builder, 0);
    drop(sender);
    let (_, sample) = timed(each * chains::N_CHAINS, || pipeline.run(|_| ()));
    let tallies: Vec<Tally> = tallies.iter().collect();
    assert_eq!(tallies, vec![chain::expected(each); chains::N_CHAINS as usize]);
    sample
}
