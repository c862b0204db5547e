//! W1p: sixty-four pairs like W1's at once, each with types of its own.

use std::sync::mpsc::{self, Sender};

use selvedge::prelude::*;

use super::{Feed, Layout};
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::workload::pairs::{self, N_PAIRS};

/// What side `SIDE` of a pair hears.
#[derive(Event, Clone, Copy)]
#[event(name = "selvedge-peers::Ball")]
struct Ball<const PAIR: u64, const SIDE: u64>(u64);

/// Answers what its side hears with what the other does.
struct Player<const PAIR: u64, const SIDE: u64, const OTHER: u64> {
    n_received: u64,
    counts: Sender<u64>,
}

impl<const PAIR: u64, const SIDE: u64, const OTHER: u64> Processor for Player<PAIR, SIDE, OTHER> {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        if let Some(Ball::<PAIR, SIDE>(left)) = event.payload() {
            self.n_received += 1;
            if *left > 0 {
                cx.emit(Ball::<PAIR, OTHER>(left - 1));
            }
        }
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Ball<PAIR, SIDE>>()])
    }

    fn close(&mut self, _: Ending) -> Result {
        Ok(self.counts.send(self.n_received)?)
    }
}

/// A pair to be.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    /// Adds its players, which tell how many balls they got.
    pub(super) add: fn(PipelineBuilder, &Sender<u64>) -> PipelineBuilder,
    /// Its first ball, which is to pass so many more times.
    pub(super) serve: fn(u64) -> Event,
}

const fn pair<const PAIR: u64>() -> Pair {
    Pair {
        add: |builder, counts| {
            builder
                .processor(Player::<PAIR, 0, 1> { n_received: 0, counts: counts.clone() })
                .processor(Player::<PAIR, 1, 0> { n_received: 0, counts: counts.clone() })
        },
        serve: |left| Ball::<PAIR, 0>(left).into_event(),
    }
}

/// All the pairs: one after the other, for a type's number is known when it is compiled.
#[rustfmt::skip]
pub(super) const PAIRS: [Pair; N_PAIRS as usize] = [
    pair::<0>(), pair::<1>(), pair::<2>(), pair::<3>(), pair::<4>(), pair::<5>(),
    pair::<6>(), pair::<7>(), pair::<8>(), pair::<9>(), pair::<10>(), pair::<11>(),
    pair::<12>(), pair::<13>(), pair::<14>(), pair::<15>(), pair::<16>(), pair::<17>(),
    pair::<18>(), pair::<19>(), pair::<20>(), pair::<21>(), pair::<22>(), pair::<23>(),
    pair::<24>(), pair::<25>(), pair::<26>(), pair::<27>(), pair::<28>(), pair::<29>(),
    pair::<30>(), pair::<31>(), pair::<32>(), pair::<33>(), pair::<34>(), pair::<35>(),
    pair::<36>(), pair::<37>(), pair::<38>(), pair::<39>(), pair::<40>(), pair::<41>(),
    pair::<42>(), pair::<43>(), pair::<44>(), pair::<45>(), pair::<46>(), pair::<47>(),
    pair::<48>(), pair::<49>(), pair::<50>(), pair::<51>(), pair::<52>(), pair::<53>(),
    pair::<54>(), pair::<55>(), pair::<56>(), pair::<57>(), pair::<58>(), pair::<59>(),
    pair::<60>(), pair::<61>(), pair::<62>(), pair::<63>(),
];

/// The countdowns start from outside.
pub(super) fn run<L: Layout>(scale: Scale) -> Sample {
    let each = pairs::n_hops_each(scale);
    let (sender, counts) = mpsc::channel();
    let builder =
        PAIRS.iter().fold(Pipeline::builder(), |builder, pair| (pair.add)(builder, &sender));
    let pipeline = L::open(builder, N_PAIRS);
    drop(sender);
    let (_, sample) = timed(each * N_PAIRS, || {
        pipeline.run(|feed| PAIRS.iter().for_each(|pair| feed.submit((pair.serve)(each - 1))))
    });
    assert_eq!(counts.iter().sum::<u64>(), each * N_PAIRS);
    sample
}
