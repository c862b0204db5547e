//! Owns `Board`: what a worker shows of the turn that it is in, and is told if it is written off.
//!
//! The worker only stores and loads; who looks pays. A worker shows that it is out of its turn,
//! passes a light fence, and looks whether it is suspected; who suspects it says so, passes a heavy
//! fence, and looks whether it is out. One of the two sees the other: a worker that was still seen
//! in its turn will find out before it does anything else, and one that wasn't is left alone. Both
//! then settle it under the scheduler's lock.

use selvedge_sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use selvedge_sync::fence;

use crate::planted::planted;
use crate::ready::OwnerIdx;

/// Nobody's turn.
const NOBODY: OwnerIdx = OwnerIdx::MAX;

/// What one worker shows. On cache lines of its own: it is written twice per batch.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Board {
    /// Whose turn it is in.
    owner: AtomicU32,
    /// Turns of the batch that have begun; says something only together with the processor's count
    /// of turns.
    n_turns: AtomicU64,
    /// Attempts that were made at once, of all turns: no two of one turn have the same.
    n_again: AtomicU32,
    /// Written under the scheduler's lock.
    suspected: AtomicBool,
}

impl Default for Board {
    fn default() -> Board {
        Board {
            owner: AtomicU32::new(NOBODY),
            n_turns: AtomicU64::new(0),
            n_again: AtomicU32::new(0),
            suspected: AtomicBool::new(false),
        }
    }
}

impl Board {
    /// A turn of this processor's begins, or goes on.
    #[inline(always)]
    pub(crate) fn enter(&self, owner: OwnerIdx) {
        self.owner.store(owner, Ordering::Relaxed);
    }

    /// A batch of this processor's turns begins.
    #[inline]
    pub(crate) fn enter_batch(&self, owner: OwnerIdx) {
        self.n_turns.store(0, Ordering::Relaxed);
        self.enter(owner);
    }

    /// The next turn of the batch begins.
    #[inline(always)]
    pub(crate) fn begin_turn(&self, n_turns: u64) {
        self.n_turns.store(n_turns, Ordering::Relaxed);
    }

    /// Turns of the batch that have begun.
    #[inline(always)]
    pub(crate) fn n_turns(&self) -> u64 {
        self.n_turns.load(Ordering::Relaxed)
    }

    /// Another attempt at the same turn begins.
    pub(crate) fn enter_again(&self, owner: OwnerIdx) {
        // Nobody else writes it.
        self.n_again.store(self.n_again.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.enter(owner);
    }

    /// The turns are through, and nobody has heard of them yet. Says whether there may be nobody
    /// to tell: then the scheduler knows.
    #[inline(always)]
    pub(crate) fn leave(&self) -> bool {
        self.owner.store(NOBODY, Ordering::Relaxed);
        fence::light();
        self.is_suspected() && !planted("late-turn-unasked")
    }

    #[inline(always)]
    pub(crate) fn is_suspected(&self) -> bool {
        self.suspected.load(Ordering::Relaxed)
    }

    /// Whose turn the worker is in, which of the batch's, and how many attempts came before.
    pub(crate) fn look(&self) -> Option<(OwnerIdx, u64, u32)> {
        let owner = self.owner.load(Ordering::Relaxed);
        let n_again = self.n_again.load(Ordering::Relaxed);
        (owner != NOBODY).then(|| (owner, self.n_turns(), n_again))
    }

    /// Suspects the worker of not coming back from the turn that was seen; `true` if it is in that
    /// turn for certain, and will ask before it does anything else. Called under the scheduler's
    /// lock.
    pub(crate) fn suspect(&self, is_still_there: impl FnOnce() -> bool) -> bool {
        self.suspected.store(true, Ordering::Relaxed);
        let certain = fence::heavy() && is_still_there();
        if !certain {
            self.suspected.store(false, Ordering::Relaxed);
        }
        certain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_at_one_turn_look_different_whatever_came_before() {
        let board = Board::default();
        board.enter_batch(7);
        board.begin_turn(1);
        board.enter_again(7);
        board.begin_turn(2);
        let first = board.look();
        assert_eq!(first.map(|(owner, n_turns, _)| (owner, n_turns)), Some((7, 2)));
        board.enter_again(7);
        assert_ne!(board.look(), first);
    }
}
