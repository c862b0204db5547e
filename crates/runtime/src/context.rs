//! Owns `Context`: what a turn may do.

use std::marker::PhantomData;

use selvedge_event::{Event, IntoEvent};

/// What a turn may do. Lives for one turn, on the thread that takes it.
#[derive(Debug, Default)]
pub struct Context<'a> {
    emitted: Vec<Event>,
    turn: PhantomData<&'a mut ()>,
}

impl Context<'_> {
    /// Emits an event; it is published when the turn succeeds, and not at all otherwise.
    pub fn emit(&mut self, event: impl IntoEvent) {
        self.emitted.push(event.into_event());
    }

    /// Asks to be [pulled](crate::Processor::pull) from when this turn has succeeded.
    pub fn start_pulling(&mut self) {}

    /// How many more events this pull should bring in at most; zero outside of a pull.
    #[must_use]
    pub fn room(&self) -> usize {
        0
    }
}
