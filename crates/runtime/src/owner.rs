//! Owns the processor while it is in a pipeline, and what is kept to go on after a failed turn:
//! a clone of before the turn, a factory, the memory of earlier failures.

use std::fmt;
use std::mem;

use selvedge_event::Event;

use crate::attempts::Attempts;
use crate::context::Context;
use crate::policy::Kept;
use crate::processor::{Processor, Pull, Result};

/// A processor together with what is kept to go on after a failed turn.
pub(crate) trait Owner: Send {
    /// The processor, outside of its turns.
    fn processor(&mut self) -> &mut dyn Processor;

    /// One attempt at a turn. Panics come through: whoever calls catches them.
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result;

    /// What an attempt at a turn was about that panicked; see [`Processor::about`].
    fn about(&self, event: &Event) -> Option<String>;

    /// One pull. Panics come through.
    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull>;

    /// Puts the state of before the last attempt at a turn back; `false` when it can't be had
    /// back. May panic too.
    fn restore(&mut self) -> bool;

    /// Puts a new processor in the place of this one; `false` when nothing makes one. May panic
    /// too: the factory is the user's code, and so is the old processor's destructor.
    fn restart(&mut self) -> bool;

    /// What is kept beside the processor, if there is anything to keep.
    fn record(&mut self) -> Option<&mut Record>;
}

/// Makes a processor anew.
pub(crate) type Factory<P> = Box<dyn FnMut() -> P + Send>;

/// What is kept beside a processor, whatever its type.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) kept: Kept,
    pub(crate) attempts: Attempts,
    /// Whether the processor is new and has not asked to be pulled from: that it was the old one
    /// who asked is still on the mailbox's books.
    pub(crate) dormant: bool,
}

/// A processor of which nothing can be had back: it is all there is in its box.
pub(crate) struct Plain<P>(pub(crate) P);

impl<P: Processor> Owner for Plain<P> {
    fn processor(&mut self) -> &mut dyn Processor {
        &mut self.0
    }

    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        self.0.process(cx, event)
    }

    fn about(&self, event: &Event) -> Option<String> {
        self.0.about(event)
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        self.0.pull(cx)
    }

    fn restore(&mut self) -> bool {
        false
    }

    fn restart(&mut self) -> bool {
        false
    }

    fn record(&mut self) -> Option<&mut Record> {
        None
    }
}

/// A processor, what can make a new one, and the record of both.
pub(crate) struct Bare<P> {
    processor: P,
    factory: Option<Factory<P>>,
    /// Whether it begins anew without one.
    restarts_itself: bool,
    record: Record,
}

impl<P: Processor> Bare<P> {
    /// `stateless` is what the processor declares to be: nothing of a turn stays in it.
    pub(crate) fn new(processor: P, stateless: bool, factory: Option<Factory<P>>) -> Bare<P> {
        let kept = Kept { restorable: stateless, restartable: factory.is_some() };
        let record = Record { kept, ..Record::default() };
        Bare { processor, factory, restarts_itself: false, record }
    }

    /// One that begins anew in its own place.
    pub(crate) fn restarting_itself(mut self) -> Bare<P> {
        self.restarts_itself = true;
        self.record.kept.restartable = true;
        self
    }

    /// The processor that had its place.
    fn replace(&mut self) -> Option<P> {
        let factory = self.factory.as_mut()?;
        let new = factory();
        self.record.dormant = true;
        Some(mem::replace(&mut self.processor, new))
    }
}

impl<P: Processor> Owner for Bare<P> {
    fn processor(&mut self) -> &mut dyn Processor {
        &mut self.processor
    }

    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        self.processor.process(cx, event)
    }

    fn about(&self, event: &Event) -> Option<String> {
        self.processor.about(event)
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        self.processor.pull(cx)
    }

    fn restore(&mut self) -> bool {
        self.record.kept.restorable
    }

    fn restart(&mut self) -> bool {
        self.replace().is_some() || self.restarts_itself && self.processor.restart()
    }

    fn record(&mut self) -> Option<&mut Record> {
        Some(&mut self.record)
    }
}

/// A processor that is cloned before every attempt at a turn.
pub(crate) struct Restored<P> {
    current: Bare<P>,
    before: Option<P>,
    clone: fn(&P) -> P,
}

impl<P: Processor> Restored<P> {
    pub(crate) fn new(
        processor: P,
        clone: fn(&P) -> P,
        factory: Option<Factory<P>>,
    ) -> Restored<P> {
        Restored { current: Bare::new(processor, true, factory), before: None, clone }
    }
}

impl<P: Processor> Owner for Restored<P> {
    fn processor(&mut self) -> &mut dyn Processor {
        &mut self.current.processor
    }

    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        // Were the clone to panic, an older one would be taken for the state of before this turn.
        self.before = None;
        self.before = Some((self.clone)(&self.current.processor));
        self.current.processor.process(cx, event)
    }

    fn about(&self, event: &Event) -> Option<String> {
        self.current.processor.about(event)
    }

    /// A pull that fails fails the run: nobody goes on with what was before it.
    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        self.before = None;
        self.current.processor.pull(cx)
    }

    fn restore(&mut self) -> bool {
        match self.before.take() {
            Some(before) => {
                self.current.processor = before;
                true
            }
            None => false,
        }
    }

    fn restart(&mut self) -> bool {
        self.before = None;
        self.current.restart()
    }

    fn record(&mut self) -> Option<&mut Record> {
        Some(&mut self.current.record)
    }
}

impl fmt::Debug for dyn Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner")
    }
}
