//! W3: sixteen processors hear an event by its name, whatever its kind.

use std::sync::mpsc::{self, Sender};

use selvedge::prelude::*;

use super::{Feed, Layout};
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::workload::fan_out;

/// A static: the events are routed by its place, and carry no more than a reference to it.
static TICK: Name = Name::literal("tick");

/// Asks the publisher for the values from `start` on.
#[derive(Event, Clone, Copy)]
struct Slice {
    start: u64,
}

#[derive(Event, Clone, Copy)]
struct Value(u64);

/// Publishes a slice per turn.
struct Publisher {
    n_events: u64,
}

#[processor(strict)]
impl Processor for Publisher {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Slice { start } => {
                let end = (start + fan_out::SLICE).min(self.n_events);
                (*start..end).for_each(|value| cx.emit(Named(&TICK, Value(value))));
            }
        }
        Ok(())
    }
}

/// Sums the values of one name.
struct Subscriber {
    name: &'static str,
    sum: u64,
    sums: Sender<u64>,
}

impl Processor for Subscriber {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        if let Some(Value(value)) = event.payload() {
            self.sum += value;
        }
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::any().named(self.name)])
    }

    fn close(&mut self, _: Ending) -> Result {
        Ok(self.sums.send(self.sum)?)
    }
}

/// One subscriber on each name that is never published, and sixteen on the one that is.
pub(super) fn run<L: Layout>(scale: Scale) -> Sample {
    let n_events = fan_out::n_events(scale);
    let (sender, sums) = mpsc::channel();
    let subscriber = |name| Subscriber { name, sum: 0, sums: sender.clone() };
    let routes = fan_out::routes(vec![(); fan_out::N_SUBSCRIBERS as usize]);
    let names = routes.iter().flat_map(|(&name, hearers)| vec![name; hearers.len().max(1)]);
    let builder =
        Pipeline::builder().processor(Publisher { n_events }).processors(names.map(subscriber));
    let pipeline = L::open(builder, n_events);
    drop(sender);
    let (_, sample) = timed(n_events * fan_out::N_SUBSCRIBERS, || {
        pipeline.run(|feed| {
            for start in (0..n_events).step_by(fan_out::SLICE as usize) {
                feed.submit(Slice { start });
            }
        })
    });
    assert_eq!(sums.iter().sum::<u64>(), fan_out::expected_sum(n_events));
    sample
}
