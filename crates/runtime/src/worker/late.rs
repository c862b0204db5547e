//! Owns what a worker does that comes back from a turn and may have been written off meanwhile.
//!
//! *Invariant: what a turn did takes effect only after its worker has asked.* Emissions, timers,
//! scopes and replies wait in the outbox, so a worker that is lost has nothing to take back: it
//! drops what is in its hands and leaves. *Invariant: a turn begins with nothing made ready and not
//! handed over.* So a worker that is lost keeps no job from the others; those in its shard they
//! take as always.

use super::{Hands, STREAK_MAX, Shift};
use crate::core::{Seat, Until};
use crate::mailbox::DeskClaim;
use crate::tally::Tally;

impl<'c> Shift<'c> {
    /// Says that this worker is out of its turn; `true` if it came too late, and has left.
    #[inline(always)]
    pub(super) fn is_late(&mut self) -> bool {
        self.board.leave() && self.ask_whether_lost()
    }

    #[cold]
    fn ask_whether_lost(&mut self) -> bool {
        self.hands.is_lost = self.core.is_written_off(self.board);
        self.hands.is_lost
    }

    /// Leaves what is in hand: it is accounted for. The mailbox stays taken for good.
    #[cold]
    pub(super) fn quit(&mut self, mut claim: DeskClaim<'c>) {
        self.hands.tally = Tally::default();
        self.hands.newly.clear();
        // Nothing is looked for past the lock.
        self.hands.streak = STREAK_MAX;
        // Who awaits a reply to some of it is told that there will be none.
        drop(claim.give_up());
    }

    /// Makes known what was made ready in the middle of a batch: the next turn may not come back.
    #[inline]
    pub(super) fn hand_over_newly(&mut self) {
        if !self.hands.newly.is_empty() {
            self.hand_over_now();
        }
    }

    #[cold]
    fn hand_over_now(&mut self) {
        let Hands { id, tally, newly, .. } = &mut *self.hands;
        let (worker, until) = (*id, Until::Over);
        self.core.hand_over(&mut Seat { worker, until, robs_from: worker, tally, newly });
    }
}
