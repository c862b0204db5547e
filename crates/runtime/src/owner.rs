//! Owns the processor while it is in a pipeline, and what is kept to mend it after a panic.

use selvedge_event::Event;

use crate::context::Context;
use crate::processor::{Processor, Pull, Result};

/// A processor together with what is kept to mend it after a panic.
pub(crate) trait Owner: Send {
    /// The processor, outside of its turns.
    fn processor(&mut self) -> &mut dyn Processor;

    /// One turn. Panics come through: whoever calls catches them.
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result;

    /// One pull. Panics come through.
    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull>;

    /// Called after a panic; `false` when the state of before the turn can't be had back. May
    /// panic too.
    fn restore(&mut self) -> bool;
}

/// A processor and nothing else.
pub(crate) struct Bare<P> {
    processor: P,
    /// Whether a panic leaves nothing half changed behind.
    trusted: bool,
}

impl<P> Bare<P> {
    /// One whose state is anybody's guess after a panic.
    pub(crate) fn distrusted(processor: P) -> Bare<P> {
        Bare { processor, trusted: false }
    }

    /// One that declares to have no state.
    pub(crate) fn trusted(processor: P) -> Bare<P> {
        Bare { processor, trusted: true }
    }
}

impl<P: Processor> Owner for Bare<P> {
    fn processor(&mut self) -> &mut dyn Processor {
        &mut self.processor
    }

    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        self.processor.process(cx, event)
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        self.processor.pull(cx)
    }

    fn restore(&mut self) -> bool {
        self.trusted
    }
}

/// A processor that is cloned before every turn.
pub(crate) struct Restored<P> {
    current: P,
    before: Option<P>,
}

impl<P: Processor + Clone> Restored<P> {
    pub(crate) fn new(processor: P) -> Restored<P> {
        Restored { current: processor, before: None }
    }

    fn save(&mut self) {
        // Were the clone to panic, an older one would be taken for the state of before this turn.
        self.before = None;
        self.before = Some(self.current.clone());
    }
}

impl<P: Processor + Clone> Owner for Restored<P> {
    fn processor(&mut self) -> &mut dyn Processor {
        &mut self.current
    }

    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        self.save();
        self.current.process(cx, event)
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        self.save();
        self.current.pull(cx)
    }

    fn restore(&mut self) -> bool {
        match self.before.take() {
            Some(before) => {
                self.current = before;
                true
            }
            None => false,
        }
    }
}
