//! W1l: one pair that times its hops, beside the other sixty-three of W1p.

use std::sync::mpsc::{self, Sender};
use std::time::Instant;

use selvedge::prelude::*;

use super::pairs::PAIRS;
use super::{Feed, Layout};
use crate::sample::{Extra, Sample, timed};
use crate::scale::Scale;
use crate::workload::pairs::{self, N_PAIRS};

/// A ball that says when it was sent.
#[derive(Event, Clone, Copy)]
#[event(name = "selvedge-peers::TimedBall")]
struct Ball<const SIDE: u64> {
    left: u32,
    /// Since the clocks of both players began.
    sent_ns: u64,
}

/// Answers, and keeps how long each ball was on its way.
struct Player<const SIDE: u64, const OTHER: u64> {
    epoch: Instant,
    times_ns: Vec<u64>,
    times: Sender<Vec<u64>>,
}

impl<const SIDE: u64, const OTHER: u64> Player<SIDE, OTHER> {
    /// One with room for all of its hops, lest the measured pair pays for growing.
    fn new(epoch: Instant, n_hops: u64, times: &Sender<Vec<u64>>) -> Self {
        Player { epoch, times_ns: Vec::with_capacity(n_hops as usize), times: times.clone() }
    }
}

fn elapsed_ns(epoch: Instant) -> u64 {
    epoch.elapsed().as_nanos() as u64
}

impl<const SIDE: u64, const OTHER: u64> Processor for Player<SIDE, OTHER> {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        if let Some(&Ball::<SIDE> { left, sent_ns }) = event.payload() {
            self.times_ns.push(elapsed_ns(self.epoch).saturating_sub(sent_ns));
            if left > 0 {
                cx.emit(Ball::<OTHER> { left: left - 1, sent_ns: elapsed_ns(self.epoch) });
            }
        }
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Ball<SIDE>>()])
    }

    fn close(&mut self, _: Ending) -> Result {
        Ok(self.times.send(std::mem::take(&mut self.times_ns))?)
    }
}

/// The countdowns start from outside; the timed pair's comes in the middle of the others'.
pub(super) fn run<L: Layout>(scale: Scale) -> Sample {
    let each = pairs::n_hops_each(scale);
    let (sender, counts) = mpsc::channel();
    let (times_sender, times) = mpsc::channel();
    let (before, after) = PAIRS[1..].split_at(PAIRS.len() / 2);
    let epoch = Instant::now();
    let builder = Pipeline::builder()
        .processor(Player::<0, 1>::new(epoch, each, &times_sender))
        .processor(Player::<1, 0>::new(epoch, each, &times_sender));
    let builder = PAIRS[1..].iter().fold(builder, |builder, pair| (pair.add)(builder, &sender));
    let pipeline = L::open(builder, N_PAIRS);
    drop((sender, times_sender));
    let (_, sample) = timed(each * N_PAIRS, || {
        pipeline.run(|feed| {
            before.iter().for_each(|pair| feed.submit((pair.serve)(each - 1)));
            feed.submit(Ball::<0> { left: each as u32 - 1, sent_ns: elapsed_ns(epoch) });
            after.iter().for_each(|pair| feed.submit((pair.serve)(each - 1)));
        })
    });
    let times_ns: Vec<u64> = times.iter().flatten().collect();
    assert_eq!(times_ns.len() as u64, each);
    assert_eq!(counts.iter().sum::<u64>(), each * (N_PAIRS - 1));
    sample.with(Extra::Latency(pairs::latency(times_ns)))
}
