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
    /// How many events of the first parcel have had their turn.
    pub(crate) cursor: u32,
    /// Failed attempts at the event that the cursor points to.
    pub(crate) n_attempts: u32,
    /// Set while the processor wants to be pulled from: what a pull inherits from the turn that
    /// asked for it.
    pub(crate) pulling: Option<Descent>,
}

impl Desk {
    pub(crate) fn new(owner: Box<dyn Owner>) -> Desk {
        Desk { owner: Some(owner), rest: Chain::default(), cursor: 0, n_attempts: 0, pulling: None }
    }

    /// Takes out the mail that had no turn, and says how many events there are in it.
    pub(crate) fn give_up(&mut self) -> (Chain<Parcel>, u64) {
        let (rest, n) = parcel::counted(std::mem::take(&mut self.rest));
        let mut n_handled = u64::from(std::mem::take(&mut self.cursor));
        if planted("unbalanced") {
            n_handled = 0;
        }
        self.n_attempts = 0;
        (rest, n - n_handled)
    }
}
