//! Q8 and Q100: a processor emits, slice by slice, what another comes round to only at the end.

use std::marker::PhantomData;
use std::sync::mpsc::{self, Receiver, Sender};

use selvedge::prelude::*;

use super::{Feed, Layout};
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::usage::resident_kb;
use crate::workload::queue;

#[derive(Event, Clone, Copy)]
struct Small(u64);

#[derive(Event, Clone, Copy)]
struct Large([u8; 100]);

/// An event that waits, and can be told from the others.
trait Numbered: Payload {
    fn new(number: u64) -> Self;

    fn number(&self) -> u64;
}

impl Numbered for Small {
    fn new(number: u64) -> Self {
        Small(number)
    }

    fn number(&self) -> u64 {
        self.0
    }
}

impl Numbered for Large {
    fn new(number: u64) -> Self {
        let mut bytes = [1; 100];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Large(bytes)
    }

    fn number(&self) -> u64 {
        self.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

/// Asks the producer for events until none is left.
#[derive(Event, Clone, Copy)]
struct Slice {
    n_left: u64,
}

/// Emits a slice per turn. Its last turn, after all of them are queued, tells by how much memory
/// has grown since the first, and lets the consumer go.
struct Producer<E> {
    event: PhantomData<fn() -> E>,
    before_kb: Option<u64>,
    grown_kb: Sender<u64>,
    go: Option<Sender<()>>,
}

impl<E: Numbered> Processor for Producer<E> {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        if let Some(&Slice { n_left }) = event.payload() {
            let before_kb = *self.before_kb.get_or_insert_with(resident_kb);
            if n_left > 0 {
                let n = n_left.min(queue::SLICE);
                (n_left - n..n_left).for_each(|number| cx.emit(E::new(number)));
                cx.emit(Slice { n_left: n_left - n });
            } else {
                self.grown_kb.send(resident_kb().saturating_sub(before_kb))?;
                self.go = None;
            }
        }
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Slice>()])
    }
}

/// Waits for the producer's word in its first turn, then sums.
struct Consumer<E> {
    word: Option<Receiver<()>>,
    sum: u64,
    sums: Sender<u64>,
    event: PhantomData<fn() -> E>,
}

impl<E: Numbered> Processor for Consumer<E> {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        if let Some(word) = self.word.take() {
            word.recv().expect_err("the producer says nothing, it lets go of its end");
        }
        self.sum += event.payload().map_or(0, E::number);
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<E>()])
    }

    fn close(&mut self, _: Ending) -> Result {
        Ok(self.sums.send(self.sum)?)
    }
}

/// Events of 8 bytes.
pub(super) fn small<L: Layout>(scale: Scale) -> Sample {
    run::<L, Small>(scale)
}

/// Events of 100 bytes.
pub(super) fn large<L: Layout>(scale: Scale) -> Sample {
    run::<L, Large>(scale)
}

/// On two workers the consumer holds one of them while the producer emits; on one, the producer is
/// of an earlier band, so that the consumer finds the word said.
fn run<L: Layout, E: Numbered>(scale: Scale) -> Sample {
    let n = queue::n_events(scale);
    let (go, word) = mpsc::channel();
    let (grown_sender, grown_kb) = mpsc::channel();
    let (sums, sum) = mpsc::channel();
    let event = PhantomData::<fn() -> E>;
    let producer = Producer { event, before_kb: None, grown_kb: grown_sender, go: Some(go) };
    let consumer = Consumer { event, word: Some(word), sum: 0, sums };
    let builder = Pipeline::builder().processor(producer.priority(-1)).processor(consumer);
    let pipeline = L::open(builder, 1);
    let (_, sample) = timed(n, || pipeline.run(|feed| feed.submit(Slice { n_left: n })));
    assert_eq!(sum.recv(), Ok(queue::expected_sum(n)));
    queue::with_growth(sample, grown_kb.recv().expect("the producer's last turn has told"))
}
