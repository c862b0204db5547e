//! Owns `Context`: what a turn may do.

use std::marker::PhantomData;

use selvedge_event::{IntoEvent, Text};

use crate::outbox::Outbox;

/// What a turn may do. Lives for one turn, on the thread that takes it.
///
/// All of it takes effect when the turn succeeds, and none of it otherwise.
#[derive(Debug)]
pub struct Context<'a> {
    outbox: &'a mut Outbox,
    processor: &'a Text,
    room: usize,
    wants_pull: bool,
    /// Not `Send`: a turn emits on its own thread.
    thread: PhantomData<*const ()>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(outbox: &'a mut Outbox, processor: &'a Text, room: usize) -> Context<'a> {
        Context { outbox, processor, room, wants_pull: false, thread: PhantomData }
    }

    /// Emits an event to all who hear it.
    ///
    /// Above [`Limits::emissions_per_turn_max`](crate::Limits::emissions_per_turn_max) the event
    /// is not kept and the turn fails.
    #[inline(always)]
    pub fn emit<E: IntoEvent>(&mut self, event: E) {
        self.outbox.emit_from(event);
    }

    /// Answers the question that this event, or one it descends from, [asked].
    /// Of several answers the first counts; without a question this does nothing.
    ///
    /// [asked]: crate::Pipeline::ask
    pub fn reply(&mut self, event: impl IntoEvent) {
        if self.outbox.is_asked() {
            self.outbox.reply(event.into_event());
        }
    }

    /// Whether somebody awaits a reply.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.outbox.is_asked()
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

    /// How many events this turn has emitted so far.
    #[must_use]
    pub fn n_emitted(&self) -> usize {
        self.outbox.n_emitted()
    }

    pub(crate) fn wants_pull(&self) -> bool {
        self.wants_pull
    }
}
