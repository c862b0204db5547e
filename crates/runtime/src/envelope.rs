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
    pub(crate) descent: Descent,
    /// Who awaits a reply.
    pub(crate) question: Option<Arc<Question>>,
}

/// Where an event comes from in the end.
///
/// A word wide, because envelopes are moved about: a flag of a byte is moved together with its
/// padding in pieces that straddle the store just before, and each such load stalls the processor
/// for as long as ten others take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Descent {
    /// From the lifecycle, or from nothing else.
    #[default]
    Inside,
    /// From an outside submission: phases don't wait for those to dry up.
    Outside,
}

impl Origin {
    /// The runtime's own events, and what descends from nothing else.
    pub(crate) fn inside() -> Origin {
        Origin::default()
    }

    pub(crate) fn outside() -> Origin {
        Origin { descent: Descent::Outside, question: None }
    }
}
