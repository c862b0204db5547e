//! Owns `Envelope`: an event on its way, with what its descendants inherit.

use std::sync::Arc;

use selvedge_event::Event;

use crate::ask::Question;

/// An event on its way to one recipient.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) event: Event,
    pub(crate) origin: Origin,
}

/// What an emission inherits from the turn that made it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// Whether it descends from an outside submission: phases don't wait for those to dry up.
    pub(crate) outside: bool,
    /// Who awaits a reply.
    pub(crate) question: Option<Arc<Question>>,
}

impl Origin {
    /// The runtime's own events, and what descends from nothing else.
    pub(crate) fn inside() -> Origin {
        Origin::default()
    }

    pub(crate) fn outside() -> Origin {
        Origin { outside: true, question: None }
    }
}
