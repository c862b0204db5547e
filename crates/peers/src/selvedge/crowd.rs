//! W5: a hundred thousand processors of one type, each of which hears the events with its key.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use selvedge::prelude::*;

use super::{Feed, Layout};
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::usage::resident_kb;
use crate::workload::crowd;

#[derive(Event, Clone, Copy)]
struct Number {
    #[key]
    actor: u64,
    value: u64,
}

/// Sums its messages and adds the sum to the total after the last one.
struct Actor {
    sum: u64,
    count: u64,
    /// Relaxed: read when the run is over.
    total: Arc<AtomicU64>,
}

#[processor(strict)]
impl Processor for Actor {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Number { value, .. } => {
                self.sum += value;
                self.count += 1;
                if self.count == crowd::N_MESSAGES_EACH {
                    self.total.fetch_add(self.sum, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }
}

/// Created and then submitted to from outside.
pub(super) fn run<L: Layout>(scale: Scale) -> Sample {
    let n_actors = crowd::n_actors(scale);
    let n = n_actors * crowd::N_MESSAGES_EACH;
    let total = Arc::new(AtomicU64::new(0));
    let actor = |key: u64| Actor { sum: 0, count: 0, total: Arc::clone(&total) }.keyed(key);
    let before_kb = resident_kb();
    let (pipeline, spawn) =
        timed(n_actors, || L::open(Pipeline::builder().processors((0..n_actors).map(actor)), n));
    let grown_kb = resident_kb().saturating_sub(before_kb);
    let (_, sample) = timed(n, || {
        pipeline.run(|feed| {
            for value in 0..crowd::N_MESSAGES_EACH {
                (0..n_actors).for_each(|actor| feed.submit(Number { actor, value }));
            }
        })
    });
    assert_eq!(total.load(Ordering::Relaxed), crowd::expected_sum(n_actors));
    crowd::with_creation(sample, &spawn, grown_kb, n_actors)
}
