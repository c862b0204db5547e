//! Owns what a processor's registration says about how much may wait for it and how many may take
//! turns beside it. Decides nothing: `mailbox::ring` and `limiter` do.

use std::fmt;

use selvedge_event::Text;

use crate::error::BuildError;

/// What happens when an event comes to a mailbox that is at its capacity.
///
/// A worker never waits for room: whatever is to give way, it is not the turn that emits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The run fails with [`MailboxFull`](crate::RunError::MailboxFull).
    #[default]
    FailRun,
    /// What comes is dropped, and what waits stays.
    DropNewest,
    /// What has waited longest is dropped, and what comes takes its place.
    DropOldest,
}

impl Overflow {
    /// Its name in facts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Overflow::FailRun => "fail_run",
            Overflow::DropNewest => "drop_newest",
            Overflow::DropOldest => "drop_oldest",
        }
    }
}

/// A capacity of a mailbox, in the unit it was given in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailboxCapacity {
    /// So many events.
    Events(usize),
    /// So many bytes.
    Bytes(usize),
}

impl fmt::Display for MailboxCapacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MailboxCapacity::Events(1) => f.write_str("1 event"),
            MailboxCapacity::Events(n) => write!(f, "{n} events"),
            MailboxCapacity::Bytes(n) => write!(f, "{n} bytes"),
        }
    }
}

/// What may wait in a mailbox, and what happens beyond that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    pub(crate) overflow: Overflow,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { events: usize::MAX, bytes: usize::MAX, overflow: Overflow::default() }
    }
}

impl Bounds {
    /// Whether there is a capacity at all.
    pub(crate) fn are_set(self) -> bool {
        self.events < usize::MAX || self.bytes < usize::MAX
    }
}

/// What a registration says about the room and the company of a processor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission {
    pub(crate) bounds: Bounds,
    /// The key under which turns in flight are limited.
    pub(crate) limited_by: Option<Text>,
}

impl Admission {
    /// Whether a registration says anything of the kind.
    pub(crate) fn is_set(&self) -> bool {
        self.bounds.are_set() || self.limited_by.is_some()
    }

    /// Refuses a mailbox that nothing would fit into.
    pub(crate) fn check(&self, name: impl Fn() -> Text) -> Result<(), BuildError> {
        let Bounds { events, bytes, .. } = self.bounds;
        let zeros = [(events, "room for no events"), (bytes, "room for no bytes")];
        match zeros.into_iter().find(|(room, _)| *room == 0) {
            Some((_, what)) => Err(BuildError::ZeroInPolicy { name: name(), what }),
            None => Ok(()),
        }
    }
}
