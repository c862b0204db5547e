//! Owns what a worker does for processors that are bounded by more than the pipeline's limits:
//! mail into a mailbox with a capacity and out of it, permits of a key.

use selvedge_event::{Fact, Text, Wants};

use super::Shift;
use super::post::Poster;
use crate::core::Member;
use crate::failure::Failure;
use crate::limiter::Entry;
use crate::listeners::Notes;
use crate::mailbox::Desk;
use crate::mailbox::parcel::{Parcel, Stock};
use crate::mailbox::ring::{BoundedMail, Put};
use crate::ready::{Job, Newly, OwnerIdx};
use crate::tally::Tally;

/// Where a poster notes what it had to drop.
pub(super) struct Losses<'h> {
    pub(super) tally: &'h mut Tally,
    pub(super) notes: &'h mut Notes,
}

impl Poster<'_, '_> {
    /// Puts a parcel into a mailbox with a capacity: the mail goes past the word, which is told
    /// only if it doesn't know of any.
    #[cold]
    pub(super) fn deliver_bounded(
        &mut self,
        to: OwnerIdx,
        mail: &BoundedMail,
        parcel: Parcel,
        stock: &mut Stock,
    ) {
        let member = self.core.member(to);
        let Put { rings, dropped, exceeded } = mail.put(parcel, stock);
        if rings {
            let effect = member.slot.mailbox.post(stock.node(Parcel::default()));
            self.newly.extend(Newly::from_effect(effect, to));
        }
        if let Some(capacity) = exceeded {
            self.core.fail(Failure::MailboxFull { processor: member.name().clone(), capacity });
        }
        if !dropped.is_empty() {
            let Losses { tally, notes } = &mut self.losses;
            tally.dropped += dropped.len() as u64;
            tally.bytes_ended += dropped.iter().map(|(_, bytes)| *bytes as u64).sum::<u64>();
            member.note_dropped(dropped.len());
            notes.note(self.core.listeners.wants(), Wants::FAILURES, || Fact::Dropped {
                processor: member.name().clone(),
                events: dropped.len() as u64,
                policy: Text::literal(mail.bounds.overflow.name()),
            });
        }
    }
}

impl Shift<'_> {
    /// Puts mail of a mailbox with a capacity on the desk, a batch at most, once the desk is empty.
    #[cold]
    pub(super) fn refill(&mut self, mail: &BoundedMail, desk: &mut Desk) {
        let stock = &mut self.hands.outbox.log.stock;
        let rang = |parcel: &Parcel| parcel.mail.len() == 0;
        while desk.rest.front().is_some_and(rang) {
            if let Some(bell) = desk.rest.pop_front() {
                stock.put_back(bell);
            }
        }
        if desk.rest.is_empty() {
            mail.take(self.core.tuned.batch_turns_max(), &mut desk.rest, stock);
        }
    }

    /// Asks for what a processor's turns need before they begin; a job that has to wait is left
    /// to whoever it waits for.
    #[inline]
    pub(super) fn may_begin(&self, member: Member<'_>) -> bool {
        match member.special().and_then(|special| special.gate) {
            None => true,
            Some(gate) => {
                let job = Job::Turns(member.owner);
                self.core.gates()[gate].enter(job, member.band()) == Entry::Go
            }
        }
    }

    /// Gives back what its turns needed, to who waits for it.
    #[inline]
    pub(super) fn hand_permit_on(&mut self, member: Member<'_>) {
        if let Some(gate) = member.special().and_then(|special| special.gate) {
            self.hands.newly.extend(self.core.gates()[gate].leave().map(Newly::Ready));
        }
    }
}
