//! Owns `Context`: what a turn may do.

use std::marker::PhantomData;

use selvedge_event::{IntoEvent, Text};

use crate::envelope::Origin;
use crate::outbox::Outbox;

/// What a turn may do. Lives for one turn, on the thread that takes it.
///
/// All of it takes effect when the turn succeeds, and none of it otherwise.
#[derive(Debug)]
pub struct Context<'a> {
    outbox: &'a mut Outbox,
    processor: &'a Text,
    origin: &'a Origin,
    room: usize,
    attempt: u32,
    wants_pull: bool,
    /// Not `Send`: a turn emits on its own thread.
    thread: PhantomData<*const ()>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        outbox: &'a mut Outbox,
        processor: &'a Text,
        origin: &'a Origin,
        room: usize,
        attempt: u32,
    ) -> Context<'a> {
        outbox.mark();
        Context { outbox, processor, origin, room, attempt, wants_pull: false, thread: PhantomData }
    }

    /// Emits an event to all who hear it.
    ///
    /// Above [`Limits::emissions_per_turn_max`](crate::Limits::emissions_per_turn_max) the event
    /// is not kept and the turn fails.
    #[inline]
    pub fn emit<E: IntoEvent>(&mut self, event: E) {
        self.outbox.emit_by(E::default_route(), event.into_event(), self.origin);
    }

    /// Answers the question that this event, or one it descends from, [asked].
    /// Of several answers the first counts; without a question this does nothing.
    ///
    /// [asked]: crate::Pipeline::ask
    pub fn reply(&mut self, event: impl IntoEvent) {
        if let Some(question) = &self.origin.question {
            self.outbox.reply(question.clone(), event.into_event());
        }
    }

    /// Whether somebody awaits a reply.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.origin.question.is_some()
    }

    /// Asks to be [pulled](crate::Processor::pull) from when this turn has succeeded. Has no effect
    /// on poison: nothing comes in any more.
    pub fn start_pulling(&mut self) {
        self.wants_pull = true;
    }

    /// How many more events this pull should bring in at most; zero outside of a pull.
    #[must_use]
    pub fn room(&self) -> usize {
        self.room.saturating_sub(self.outbox.n_emitted())
    }

    /// The name under which the processor is registered.
    #[must_use]
    pub fn processor(&self) -> &Text {
        self.processor
    }

    /// Which attempt at this turn this is, from 1: more than that only under
    /// [`Retry`](crate::Retry).
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// How many events this turn has emitted so far.
    #[must_use]
    pub fn n_emitted(&self) -> usize {
        self.outbox.n_emitted()
    }

    pub(crate) fn wants_pull(&self) -> bool {
        self.wants_pull
    }
}
