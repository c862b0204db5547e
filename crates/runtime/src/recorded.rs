//! Owns what a processor that is registered `recorded()` tells of its turns: what it read and what
//! it emitted, by digest. Refuses to keep any of it, which is for whoever listens.
//!
//! It is an owner around the processor's own, so that nothing else asks whether turns are recorded.

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
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) input: Digest,
    pub(crate) outputs: Vec<Digest>,
    pub(crate) took: Duration,
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

/// Says how long an attempt took when it is over, also when it panics.
struct Timing<'s> {
    slip: &'s Slip,
    began: Duration,
}

impl Drop for Timing<'_> {
    fn drop(&mut self) {
        let took = self.slip.now().saturating_sub(self.began);
        if let Some(taken) = &mut *self.slip.last.lock() {
            taken.took = took;
        }
    }
}

impl Recorded {
    fn attempt(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        let slip = &*self.slip;
        drop(slip.take());
        let input = digest(event)?;
        let outputs = Vec::new();
        *slip.last.lock() = Some(Taken { input, outputs, took: Duration::ZERO });
        let timing = Timing { slip, began: slip.now() };
        self.owner.process(cx, event)?;
        drop(timing);
        let outbox = cx.outbox();
        if slip.is_cached || outbox.was_refused() {
            return Ok(());
        }
        let emitted = outbox.current_turn().flat_map(|(events, _)| events);
        let outputs = emitted.map(digest).collect::<Result<Vec<_>>>()?;
        if let Some(taken) = &mut *slip.last.lock() {
            taken.outputs = outputs;
        }
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
