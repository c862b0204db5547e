//! Owns a processor's mailbox: the mail, and what belongs to whoever has claimed it.
//!
//! The [`protocol`] that keeps turns one at a time is pure: signal in, effect out. [`cell`] runs it
//! on one atomic word; it never decides. `mailbox/README.md` has the table and the races it
//! prevents.

pub(crate) mod cell;
pub(crate) mod chain;
pub(crate) mod parcel;
mod protocol;
pub(crate) mod ring;

use crate::origin::Descent;
use crate::owner::Owner;
use crate::planted::planted;
use cell::{Cell, Claim};
use chain::Chain;
use parcel::Parcel;
pub(crate) use protocol::{Effect, Signal, Status};

/// A processor's mailbox.
pub(crate) type Mailbox = Cell<Desk, Parcel>;

/// What belongs to whoever has claimed a mailbox.
pub(crate) type DeskClaim<'c> = Claim<'c, Desk, Parcel>;

/// The processor, and what its owner has taken out of the mailbox and not handled yet.
pub(crate) struct Desk {
    /// Gone once it is closed or dropped.
    pub(crate) owner: Option<Box<dyn Owner>>,
    /// Oldest first.
    pub(crate) rest: Chain<Parcel>,
    pub(crate) mark: Mark,
    /// Failed attempts at the event that the mark points to.
    pub(crate) n_attempts: u32,
}

/// How many events of the first parcel have had their turn and, in the highest bits, whether the
/// processor wants to be pulled from: a slot has to fit into a line of the cache.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark(u32);

const CURSOR_BITS: u32 = 30;
const CURSOR_MAX: u32 = (1 << CURSOR_BITS) - 1;

impl Mark {
    #[inline]
    pub(crate) fn cursor(self) -> usize {
        (self.0 & CURSOR_MAX) as usize
    }

    #[inline]
    pub(crate) fn set_cursor(&mut self, cursor: usize) {
        assert!(cursor <= CURSOR_MAX as usize, "parcels are small");
        self.0 = (self.0 & !CURSOR_MAX) | cursor as u32;
    }

    /// What a pull inherits from the turn that asked for it, while the processor wants to be
    /// pulled from.
    #[inline]
    pub(crate) fn pulling(self) -> Option<Descent> {
        match self.0 >> CURSOR_BITS {
            0 => None,
            1 => Some(Descent::Inside),
            _ => Some(Descent::Outside),
        }
    }

    #[inline]
    pub(crate) fn set_pulling(&mut self, pulling: Option<Descent>) {
        let bits = match pulling {
            None => 0,
            Some(Descent::Inside) => 1,
            Some(Descent::Outside) => 2,
        };
        self.0 = (self.0 & CURSOR_MAX) | (bits << CURSOR_BITS);
    }
}

impl Desk {
    pub(crate) fn new(owner: Box<dyn Owner>) -> Desk {
        Desk { owner: Some(owner), rest: Chain::default(), mark: Mark::default(), n_attempts: 0 }
    }

    /// Takes out the mail that had no turn, and says how many events there are in it.
    pub(crate) fn give_up(&mut self) -> (Chain<Parcel>, u64) {
        let (rest, n) = parcel::counted(std::mem::take(&mut self.rest));
        let mut n_handled = self.mark.cursor() as u64;
        self.mark.set_cursor(0);
        if planted("unbalanced") {
            n_handled = 0;
        }
        self.n_attempts = 0;
        (rest, n - n_handled)
    }
}
