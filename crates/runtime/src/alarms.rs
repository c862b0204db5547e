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
}

impl Alarm {
    /// Whether a turn on a delivery came before this, and another comes after.
    pub(crate) fn is_put_off(&self) -> bool {
        matches!(self, Alarm::Wake(_) | Alarm::Redeliver { .. })
    }

    /// Whether a delivery is under way that ends with this.
    pub(crate) fn is_delivery(&self) -> bool {
        matches!(self, Alarm::Redeliver { .. })
    }
}
