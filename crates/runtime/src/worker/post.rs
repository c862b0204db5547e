//! Owns publishing: what was emitted is put into mailboxes, and who finds one idle makes it ready
//! or, if there is nothing else to do, goes on with it.

use selvedge_event::Event;

use super::bounded::Losses;
use super::{Hands, STREAK_MAX, Shift};
use crate::core::{Core, Member};
use crate::failure::Failure;
use crate::mailbox::DeskClaim;
use crate::mailbox::cell::Release;
use crate::mailbox::parcel::{Mail, Parcel, Stock};
use crate::origin::{Descent, Origin};
use crate::outbox::Deliver;
use crate::planted::planted;
use crate::ready::{Newly, OwnerIdx};

/// A mailbox claimed in posting to it.
pub(super) struct Gift<'c> {
    pub(super) member: Member<'c>,
    pub(super) claim: DeskClaim<'c>,
    /// All there is for it, if that is a single event; else it is on the desk.
    pub(super) single: Option<(Event, Origin)>,
}

/// When something is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posting {
    /// Before this worker looks for something else to do.
    Midway,
    /// When nothing is left to do but what this makes ready.
    Last,
}

/// Puts parcels into mailboxes.
pub(super) struct Poster<'c, 'h> {
    pub(super) core: &'c Core,
    pub(super) newly: &'h mut Vec<Newly>,
    pub(super) losses: Losses<'h>,
    /// Where a claimed mailbox may go; `None` when others wait.
    gift: Option<&'h mut Option<Gift<'c>>>,
}

impl Deliver for Poster<'_, '_> {
    fn deliver(&mut self, to: OwnerIdx, parcel: Parcel, stock: &mut Stock) {
        let member = self.core.member(to);
        member.slot.note_posted(parcel.mail.len());
        if let Some(mail) = member.bounded() {
            return self.deliver_bounded(to, mail, parcel, stock);
        }
        let effect = member.slot.mailbox.post(stock.node(parcel));
        self.newly.extend(Newly::from_effect(effect, to));
    }

    #[inline]
    fn deliver_only(&mut self, to: OwnerIdx, parcel: Parcel, stock: &mut Stock) {
        if let Some(gift) = self.gift.take()
            && let member = self.core.member(to)
            && member.special().is_none()
            && let Some(mut claim) = member.slot.mailbox.try_claim_idle()
        {
            member.slot.note_handed(parcel.mail.len());
            claim.rest.push_back(stock.node(parcel));
            *gift = Some(Gift { member, claim, single: None });
            return;
        }
        self.deliver(to, parcel, stock);
    }
}

impl<'c> Shift<'c> {
    /// Lets go of what was to be gone on with.
    pub(super) fn give_gift_back(&mut self) {
        if let Some(gift) = self.gift.take() {
            let (to, claim) = self.put_on_desk(gift);
            let effect = claim.release(Release::Free { has_mail: true, pulling: false });
            let newly = Newly::from_effect(effect, to);
            let newly = newly.expect("a mailbox with mail is put into the ready set");
            self.hands.newly.insert(0, newly);
        }
    }

    /// Puts a gift's event where a mailbox's owner looks for mail.
    pub(super) fn put_on_desk(&mut self, gift: Gift<'c>) -> (OwnerIdx, DeskClaim<'c>) {
        let Gift { member, mut claim, single } = gift;
        if let Some((event, origin)) = single {
            let heap_bytes = event.bytes();
            let parcel = Parcel { origin, mail: Mail::One(event), heap_bytes };
            claim.rest.push_back(self.hands.outbox.log.stock.node(parcel));
        }
        (member.owner, claim)
    }

    /// Makes heard what the turns so far emitted.
    #[inline]
    pub(super) fn publish(&mut self, posting: Posting) {
        if !self.hands.notes.is_empty() && !self.hands.holding {
            // First, so that who hears of it can't be told of before it.
            self.hands.notes.hand_over(&self.core.listeners);
        }
        let nothing_to_tell = !self.hands.outbox.has_more();
        if nothing_to_tell && self.hands.outbox.is_empty() {
            return;
        }
        let alone = posting == Posting::Last && self.has_nothing_else();
        if !(alone && nothing_to_tell && self.hand_on()) {
            self.publish_all(alone);
        }
    }

    #[inline(never)]
    fn publish_all(&mut self, alone: bool) {
        if self.hands.holding {
            return;
        }
        let has_more = self.hands.outbox.has_more();
        if has_more && !planted("heard-before-kept") {
            self.write_records();
        }
        let hands = &mut *self.hands;
        if !hands.outbox.is_empty() {
            hands.n_published += hands.outbox.len() as u64;
            let gift = if alone { Some(&mut self.gift) } else { None };
            let losses = Losses { tally: &mut hands.tally, notes: &mut hands.notes };
            let newly = &mut hands.newly;
            let mut poster = Poster { core: self.core, newly, losses, gift };
            let drained = hands.outbox.drain(&mut hands.parcels, &mut poster);
            hands.tally.accepted += drained.deliveries;
            hands.tally.bytes_accepted += drained.bytes;
            hands.tally.unrouted += drained.unrouted;
            hands.tally.inside += drained.inside;
        }
        if has_more {
            if planted("heard-before-kept") {
                self.write_records();
            }
            self.carry_out();
        }
        if !self.hands.notes.is_empty() {
            self.hands.notes.hand_over(&self.core.listeners);
        }
    }

    /// Has what the turns so far computed kept, before anybody hears of it.
    #[cold]
    fn write_records(&mut self) {
        if let Some((processor, cause)) = self.hands.outbox.records().write() {
            self.core.fail(Failure::Archive { processor, cause });
        }
    }

    /// Does what the turns so far want besides emitting.
    #[inline(never)]
    fn carry_out(&mut self) {
        if !self.hands.outbox.scopes.is_empty() {
            self.begin_scopes();
        }
        let outbox = &mut self.hands.outbox;
        if !outbox.timers.is_empty() {
            self.core.carry_out(&mut outbox.timers);
        }
        outbox.note_carried_out();
    }

    /// Goes on with the only event there is, if it goes to one processor and that is idle: it gets
    /// there without being put anywhere.
    #[inline]
    fn hand_on(&mut self) -> bool {
        let outbox = &mut self.hands.outbox;
        let Some(to) = outbox.log.sole_recipient_of_one() else { return false };
        if outbox.has_replies() {
            return false;
        }
        let member = self.core.member(to);
        if member.special().is_some() {
            return false;
        }
        let Some(claim) = member.slot.mailbox.try_claim_idle() else { return false };
        self.hands.n_published += 1;
        let Hands { outbox, tally, .. } = &mut *self.hands;
        let single = outbox.log.take_one();
        if let Some((event, origin)) = &single {
            tally.accepted += 1;
            tally.bytes_accepted += event.bytes() as u64;
            tally.inside += u64::from(origin.descent == Descent::Inside);
        }
        member.slot.note_handed(1);
        let before = self.gift.replace(Gift { member, claim, single });
        // `has_nothing_else` saw to that; said here, it spares the call of a destructor.
        debug_assert!(before.is_none(), "a gift is gone on with before the next is made");
        std::mem::forget(before);
        true
    }

    /// Whether this worker would go on with whatever it makes ready now.
    #[inline]
    fn has_nothing_else(&self) -> bool {
        let shards = self.core.shards();
        // In the first band nobody goes before; in others somebody might.
        self.hands.newly.is_empty()
            && self.gift.is_none()
            && !self.hands.holding
            && self.hands.streak < STREAK_MAX
            && !self.core.has_takeable()
            && shards.has_one_band()
            && shards.is_empty(self.hands.id)
    }
}
