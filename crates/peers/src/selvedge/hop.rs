//! W1: two processors, each of which answers the other's events with its own.

use std::sync::mpsc::{self, Sender};

use selvedge::prelude::*;

use super::{Feed, Layout};
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::workload::hop;

#[derive(Event, Clone, Copy)]
struct Ping(u64);

#[derive(Event, Clone, Copy)]
struct Pong(u64);

/// Answers pings.
struct Ponger {
    n_received: u64,
    counts: Sender<u64>,
}

#[processor(strict)]
impl Processor for Ponger {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Ping(left) => {
                self.n_received += 1;
                if *left > 0 {
                    cx.emit(Pong(left - 1));
                }
            }
        }
        Ok(())
    }

    fn close(&mut self, _: Ending) -> Result {
        Ok(self.counts.send(self.n_received)?)
    }
}

/// Answers pongs.
struct Pinger {
    n_received: u64,
    counts: Sender<u64>,
}

#[processor(strict)]
impl Processor for Pinger {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Pong(left) => {
                self.n_received += 1;
                if *left > 0 {
                    cx.emit(Ping(left - 1));
                }
            }
        }
        Ok(())
    }

    fn close(&mut self, _: Ending) -> Result {
        Ok(self.counts.send(self.n_received)?)
    }
}

/// The countdown starts from outside.
pub(super) fn run<L: Layout>(scale: Scale) -> Sample {
    let n = hop::n_hops(scale);
    let (sender, counts) = mpsc::channel();
    let builder = Pipeline::builder()
        .processor(Ponger { n_received: 0, counts: sender.clone() })
        .processor(Pinger { n_received: 0, counts: sender });
    let pipeline = L::open(builder, 1);
    let (_, sample) = timed(n, || pipeline.run(|feed| feed.submit(Ping(n - 1))));
    assert_eq!(counts.iter().sum::<u64>(), n);
    sample
}
