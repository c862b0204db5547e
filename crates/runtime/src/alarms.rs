//! Owns `Alarm`: what is to happen when a timer is due.

use selvedge_event::Event;

use crate::origin::Origin;
use crate::ready::{Job, OwnerIdx};

/// What is to happen when a timer is due.
#[derive(Clone, Debug)]
pub(crate) enum Alarm {
    /// A turn wanted this to be emitted.
    Emit { event: Event, origin: Origin },
    /// The mailbox of this processor has waited for the next attempt at its turn.
    Wake(OwnerIdx),
    /// This event has waited for the next attempt, while its processor went on with others.
    Redeliver { to: OwnerIdx, event: Event, origin: Origin, n_attempts: u32 },
    /// A task of a scope has waited for its next attempt.
    Attempt(Job),
    /// A scope wants a task to be posted now.
    Due(Job),
}

impl Alarm {
    /// Whose delivery has had a turn, and is to have another after this.
    pub(crate) fn puts_off(&self) -> Option<OwnerIdx> {
        match self {
            Alarm::Wake(owner) | Alarm::Redeliver { to: owner, .. } => Some(*owner),
            Alarm::Emit { .. } | Alarm::Attempt(_) | Alarm::Due(_) => None,
        }
    }

    /// Whose delivery is given up with this.
    pub(crate) fn delivers_to(&self) -> Option<OwnerIdx> {
        match self {
            Alarm::Redeliver { to, .. } => Some(*to),
            Alarm::Wake(_) | Alarm::Emit { .. } | Alarm::Attempt(_) | Alarm::Due(_) => None,
        }
    }
}
