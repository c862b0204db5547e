//! Owns how what happens in a run is told while it goes on, whatever kind of run it is: a [`Feed`]
//! that the run puts events into, and any number of [`Events`] that are read by iteration, by a
//! callback or by an observer, or not at all. Refuses to know what the events are.
//!
//! `course` decides, purely, what becomes of an event on its way to one listener; `feed` and
//! `events` are the lock and the threads around it; `spill` is where events wait that memory has no
//! room for; `telling` is a listener's thread.
//!
//! Nobody who only looks on can hold a run up: events never wait for room. Those beyond a
//! listener's limit spill, are missed, or end that listener's stream, as it has chosen. Only
//! *tokens*, of which a node may make any number, wait for a listener that is behind, and no longer
//! than until it goes or the run is called off.

mod course;
mod events;
mod feed;
mod spill;
mod telling;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use events::Events;
pub use feed::{Feed, TokenEnd};
pub use spill::Spill;
pub use telling::{Heard, HeardEnd, Listener, Telling};

/// An event in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Told<E> {
    /// From 1, without gaps, but for what was missed.
    pub seq: u64,
    /// What happened.
    pub event: E,
}

/// What becomes of events that a listener has no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFull {
    /// They wait in a temporary file, and are told from there. Where that is not possible, the
    /// stream ends as under [`End`](Self::End).
    #[default]
    Spill,
    /// The listener's stream ends with [`StreamError::Lagged`]. The run goes on.
    End,
    /// They are not told; the numbers of those that are have gaps.
    Miss,
}

/// How a listener is told.
///
/// ```
/// use selvedge_flow::{Listen, OnFull};
/// let listen = Listen::new().queue_max(100).on_full(OnFull::Miss);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Listen {
    pub(crate) queue_max: usize,
    pub(crate) on_full: OnFull,
    pub(crate) farewell_max: Duration,
}

impl Default for Listen {
    fn default() -> Listen {
        Listen::new()
    }
}

impl Listen {
    /// A thousand events in memory, the others spill.
    pub fn new() -> Listen {
        let farewell_max = Duration::from_secs(5);
        Listen { queue_max: 1_000, on_full: OnFull::Spill, farewell_max }
    }

    /// How many events wait in memory, at least one; as many again may be in the hands of the
    /// listener.
    pub fn queue_max(mut self, n: usize) -> Listen {
        self.queue_max = n.max(1);
        self
    }

    /// What becomes of the others.
    pub fn on_full(mut self, on_full: OnFull) -> Listen {
        self.on_full = on_full;
        self
    }

    /// How long the end of a run waits for a callback or an observer to be told what waits, 5
    /// seconds unless it is set. Then its thread is left to itself.
    pub fn farewell_max(mut self, at_most: Duration) -> Listen {
        self.farewell_max = at_most;
        self
    }
}

/// Why a stream of events ends before the run does.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The listener was too far behind.
    #[error(
        "the listener is too far behind: nothing from event {from_seq} on is told{why}; read \
         faster, raise `Listen::queue_max`, or let events spill"
    )]
    Lagged {
        /// The first event that it is not told.
        from_seq: u64,
        /// Why there was no room beside memory, if that was tried.
        why: String,
    },
}
