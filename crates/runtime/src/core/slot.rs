//! Owns a processor's slot: its mailbox, and what every turn counts. One line of the cache, as a
//! delivery to a processor that was not heard of for a while costs as many misses as it has lines.

use selvedge_sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::mailbox::{Desk, Mailbox, Status};
use crate::owner::Owner;

/// One processor's slot. What few processors have or most turns never touch, is elsewhere: see
/// [`Member`](super::Member).
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Slot {
    pub(crate) mailbox: Mailbox,
    /// Written by who has claimed the mailbox, as all of the counts but `posted`; read by anyone.
    /// Relaxed: each says nothing about the others.
    pub(super) turns: AtomicU64,
    pub(super) emitted: AtomicU64,
    /// The lower bits: what waits is a difference, and less than they can tell.
    pub(super) posted: AtomicU32,
    /// What was handed over at once to who had claimed the mailbox; the lower bits.
    handed: AtomicU32,
}

#[cfg(all(target_pointer_width = "64", not(any(loom, shuttle))))]
const _: () = assert!(size_of::<Slot>() == 64, "a slot is a line of the cache");

/// Adds to what only one thread writes at a time.
#[inline]
pub(super) fn add(total: &AtomicU64, n: u64) {
    if n > 0 {
        total.store(total.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }
}

impl Slot {
    pub(crate) fn new(owner: Box<dyn Owner>) -> Slot {
        Slot {
            mailbox: Mailbox::new(Desk::new(owner)),
            turns: AtomicU64::new(0),
            emitted: AtomicU64::new(0),
            posted: AtomicU32::new(0),
            handed: AtomicU32::new(0),
        }
    }

    /// Notes events that were put into the mailbox.
    #[inline]
    pub(crate) fn note_posted(&self, n: usize) {
        self.posted.fetch_add(n as u32, Ordering::Relaxed);
    }

    /// Notes events that were handed to the caller, who has claimed the mailbox.
    #[inline]
    pub(crate) fn note_handed(&self, n: usize) {
        let handed = self.handed.load(Ordering::Relaxed).wrapping_add(n as u32);
        self.handed.store(handed, Ordering::Relaxed);
    }

    /// Adds turns and what they emitted. Called by who has claimed the mailbox.
    #[inline]
    pub(crate) fn add_turns(&self, n: u64, n_emitted: u64) {
        add(&self.turns, n);
        add(&self.emitted, n_emitted);
    }

    /// Events that came in and had no turn yet, unless `n_gone` of them never will; the lower bits
    /// of that number are enough.
    pub(super) fn n_waiting(&self, n_gone: u64) -> u64 {
        // Turns first: what is posted later may only add to the result.
        let gone = self.turns.load(Ordering::Relaxed).wrapping_add(n_gone) as u32;
        let posted = self.posted.load(Ordering::Relaxed);
        let came = posted.wrapping_add(self.handed.load(Ordering::Relaxed));
        // A batch under way may have counted its turns before what it was handed is seen.
        u64::try_from(came.wrapping_sub(gone).cast_signed()).unwrap_or(0)
    }

    /// Whether a worker has it in hand.
    pub(crate) fn is_in_hand(&self) -> bool {
        self.mailbox.status() == Status::Running
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::Plain;
    use crate::{Context, Processor, Result};

    struct Nobody;

    impl Processor for Nobody {
        fn process(&mut self, _: &mut Context<'_>, _: &selvedge_event::Event) -> Result {
            Ok(())
        }
    }

    #[test]
    fn what_waits_is_told_after_the_lower_bits_have_overflowed() {
        let slot = Slot::new(Box::new(Plain(Nobody)));
        let lots = u32::MAX as usize;
        slot.note_posted(lots);
        slot.note_handed(lots);
        slot.add_turns(2 * u64::from(u32::MAX), 1);
        assert_eq!(slot.n_waiting(0), 0);
        slot.note_posted(5);
        assert_eq!(slot.n_waiting(0), 5);
        slot.add_turns(1, 0);
        assert_eq!(slot.n_waiting(3), 1);
        assert_eq!(slot.n_waiting(9), 0);
    }
}
