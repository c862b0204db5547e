//! Owns `Warning`: what may be wrong with a run that goes on, and what to do about it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// Something that looks wrong in a run that goes on. Shown, it says what to do about it.
///
/// ```
/// use selvedge_event::Warning;
/// let warning = Warning::MailboxGrowing { processor: "slow".into(), waiting: 70_000 };
/// assert_eq!(
///     warning.to_string(),
///     "70000 events wait for `slow`, and more come in than it handles: make its turns shorter, \
///      split it into shards by key, or let others emit less",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// A turn under way takes longer than it should.
    TurnStuck {
        /// Whose.
        processor: Text,
        /// Which worker is in it.
        worker: usize,
        /// For how long, at least.
        elapsed: Duration,
        /// How long it should take at most.
        budget: Duration,
    },
    /// Nothing more is admitted, and what is in flight does not come to an end.
    CreditsHeld {
        /// Deliveries under way.
        in_flight: usize,
        /// How many there may be before the pipeline takes in more from outside.
        limit: usize,
        /// Whose mailbox is the fullest.
        fullest: Text,
        /// For how long.
        held_for: Duration,
    },
    /// A turn waits for a limit that another one holds.
    KeyedLimitHeld {
        /// The limit, with its key.
        limit: Text,
        /// Who holds it.
        holder: Text,
        /// Who waits for it.
        waiter: Text,
        /// For how long.
        held_for: Duration,
    },
    /// The run is paused, and somebody waits for it.
    PausedWithWork {
        /// Deliveries that wait.
        waiting: usize,
        /// For how long it has been paused.
        paused_for: Duration,
    },
    /// A mailbox grows faster than it is emptied.
    MailboxGrowing {
        /// Whose.
        processor: Text,
        /// Events in it.
        waiting: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::TurnStuck { processor, worker, elapsed, budget } => write!(
                f,
                "a turn of `{processor}` has kept worker {worker} for {elapsed:?}, and should take \
                 {budget:?}: look at what it waits for, and let it give up in time"
            ),
            Warning::CreditsHeld { in_flight, limit, fullest, held_for } => write!(
                f,
                "nothing was taken in for {held_for:?}, because {in_flight} deliveries of at most \
                 {limit} are in flight, most of them for `{fullest}`: look at what its turn waits \
                 for, or raise `Limits::in_flight_max`"
            ),
            Warning::KeyedLimitHeld { limit, holder, waiter, held_for } => write!(
                f,
                "`{waiter}` has waited {held_for:?} for `{limit}`, which `{holder}` holds: look at \
                 what the holder's turn waits for, and don't let it wait for the waiter"
            ),
            Warning::PausedWithWork { waiting, paused_for } => write!(
                f,
                "the run has been paused for {paused_for:?} while {waiting} deliveries wait: \
                 resume it, or stop it"
            ),
            Warning::MailboxGrowing { processor, waiting } => write!(
                f,
                "{waiting} events wait for `{processor}`, and more come in than it handles: make \
                 its turns shorter, split it into shards by key, or let others emit less"
            ),
        }
    }
}
