//! Owns what a processor that is registered `recorded()` tells of its turns: what it read and what
//! it emitted, by digest. Refuses to keep any of it, which is for whoever listens.
//!
//! It is an owner around the processor's own, so that nothing else asks whether turns are recorded.

use std::mem;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use selvedge_event::{Digest, Event, Signature};
use selvedge_sync::{Clock, Mutex};

use crate::context::Context;
use crate::owner::{Owner, Record};
use crate::processor::{Processor, Pull, Result};

/// Where the last attempt at a turn is written down, until its outcome is known.
#[derive(Debug)]
pub(crate) struct Slip {
    pub(crate) signature: Option<Signature>,
    /// Whether the archive tells of turns that succeed.
    is_cached: bool,
    /// Set when the pipeline is built.
    clock: OnceLock<Clock>,
    /// Taken with nothing inside.
    last: Mutex<Option<Taken>>,
}

/// An attempt at a turn.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) input: Digest,
    pub(crate) outputs: Outputs,
    /// By the pipeline's clock.
    pub(crate) began: Duration,
    pub(crate) took: Duration,
}

/// What an attempt emitted: of most turns one event, for which nothing is allocated.
#[derive(Clone, Debug, Default)]
pub(crate) enum Outputs {
    #[default]
    None,
    One(Digest),
    Several(Vec<Digest>),
}

impl Outputs {
    fn push(&mut self, digest: Digest) {
        *self = match mem::take(self) {
            Outputs::None => Outputs::One(digest),
            Outputs::One(first) => Outputs::Several(vec![first, digest]),
            Outputs::Several(mut digests) => {
                digests.push(digest);
                Outputs::Several(digests)
            }
        };
    }
}

impl From<Outputs> for Vec<Digest> {
    fn from(outputs: Outputs) -> Vec<Digest> {
        match outputs {
            Outputs::None => Vec::new(),
            Outputs::One(digest) => vec![digest],
            Outputs::Several(digests) => digests,
        }
    }
}

impl Slip {
    pub(crate) fn new(signature: Option<Signature>, is_cached: bool) -> Slip {
        Slip { signature, is_cached, clock: OnceLock::new(), last: Mutex::new(None) }
    }

    /// Gives it the pipeline's clock.
    pub(crate) fn open(&self, clock: &Clock) {
        // A registration is built into one pipeline.
        let _ = self.clock.set(clock.clone());
    }

    fn now(&self) -> Duration {
        self.clock.get().map_or(Duration::ZERO, Clock::now)
    }

    /// What the last attempt did, told once. Of one that failed, nothing was made.
    pub(crate) fn take(&self) -> Option<Taken> {
        self.last.lock().take()
    }
}

/// A processor's owner, and the slip that its turns are written on.
pub(crate) struct Recorded {
    pub(crate) owner: Box<dyn Owner>,
    pub(crate) slip: Arc<Slip>,
}

/// An attempt under way. It is written on the slip when it is over, also when it panics.
struct Attempt<'s> {
    slip: &'s Slip,
    input: Digest,
    outputs: Outputs,
    began: Duration,
    /// Until it is over, none.
    took: Option<Duration>,
}

impl<'s> Attempt<'s> {
    fn begin(slip: &'s Slip, input: Digest) -> Attempt<'s> {
        Attempt { slip, input, outputs: Outputs::None, began: slip.now(), took: None }
    }

    /// The processor is done; what remains is to see what it made.
    fn stop(&mut self) -> Duration {
        let took = || self.slip.now().saturating_sub(self.began);
        *self.took.get_or_insert_with(took)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let (took, outputs) = (self.stop(), mem::take(&mut self.outputs));
        let taken = Taken { input: self.input, outputs, began: self.began, took };
        *self.slip.last.lock() = Some(taken);
    }
}

impl Recorded {
    fn attempt(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        let slip = &*self.slip;
        // Of an attempt that doesn't begin nothing is told, nor what the one before it did.
        let input = digest(event).inspect_err(|_| drop(slip.take()))?;
        let mut attempt = Attempt::begin(slip, input);
        self.owner.process(cx, event)?;
        attempt.stop();
        let outbox = cx.outbox();
        if slip.is_cached || outbox.was_refused() {
            return Ok(());
        }
        let mut outputs = Outputs::None;
        for emitted in outbox.current_turn().flat_map(|(events, _)| events) {
            outputs.push(digest(emitted)?);
        }
        attempt.outputs = outputs;
        outbox.note_told();
        Ok(())
    }
}

fn digest(event: &Event) -> Result<Digest> {
    event.payload_digest().with_context(|| {
        format!("{event} can't be recorded: derive `Serialize` for it, so that it has a digest")
    })
}

impl Owner for Recorded {
    fn processor(&mut self) -> &mut dyn Processor {
        self.owner.processor()
    }

    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        self.attempt(cx, event)
    }

    fn about(&self, event: &Event) -> Option<String> {
        self.owner.about(event)
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        self.owner.pull(cx)
    }

    fn restore(&mut self) -> bool {
        self.owner.restore()
    }

    fn restart(&mut self) -> bool {
        self.owner.restart()
    }

    fn record(&mut self) -> Option<&mut Record> {
        self.owner.record()
    }
}
