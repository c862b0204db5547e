//! Owns all that is known of the processors of a run: their slots, and apart from these what few of
//! them have, or what is seldom looked at. Seen as one, that is a [`Member`].

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use selvedge_event::Text;
use selvedge_sync::atomic::{AtomicU64, Ordering};

use super::slot::{Slot, add};
use crate::cache::Archive;
use crate::mailbox::Signal;
use crate::mailbox::cell::Release;
use crate::mailbox::chain::Chain;
use crate::mailbox::parcel::{self, Parcel};
use crate::mailbox::ring::BoundedMail;
use crate::owner::Owner;
use crate::ready::{Band, OwnerIdx};
use crate::recorded::Slip;
use crate::roster::{Roster, Who};

/// The processors of a run, by their numbers.
#[derive(Debug)]
pub(crate) struct Members {
    slots: Box<[Slot]>,
    roster: Arc<Roster>,
    /// None if all are in the first.
    bands: Box<[u32]>,
    specials: Specials,
    more: Box<[OnceLock<Box<[More; N_TOGETHER]>>]>,
}

/// Processors that have what else they did counted in one block, made when the first needs it.
const N_TOGETHER: usize = 64;

/// What bounds a processor besides the pipeline's limits.
#[derive(Debug, Default)]
pub(crate) struct Special {
    /// The mail, if the mailbox has a capacity: its word is only a bell then.
    pub(crate) mail: Option<BoundedMail>,
    /// Which gate its turns pass.
    pub(crate) gate: Option<usize>,
    /// How long a turn should take at most.
    pub(crate) time_budget: Option<Duration>,
    /// Its results, if it is cached.
    pub(crate) archive: Option<Arc<Archive>>,
    /// Where its turns are written down, if they are recorded.
    pub(crate) slip: Option<Arc<Slip>>,
}

/// What most processors have nothing of, and most pipelines no processor.
#[derive(Debug, Default)]
pub(crate) struct Specials {
    /// By processor, the place after that of its own, or 0; shorter if none comes after.
    places: Vec<u32>,
    all: Vec<Special>,
}

impl Specials {
    pub(crate) fn add(&mut self, owner: OwnerIdx, special: Special) {
        let owner = owner as usize;
        self.places.resize(self.places.len().max(owner + 1), 0);
        self.all.push(special);
        self.places[owner] = u32::try_from(self.all.len()).expect("processors are counted in u32");
    }

    #[inline(always)]
    fn of(&self, owner: OwnerIdx) -> Option<&Special> {
        match self.places.get(owner as usize) {
            None | Some(0) => None,
            Some(&place) => Some(&self.all[place as usize - 1]),
        }
    }
}

/// What else a processor has done. As for the counts of a [`Slot`], but for what is said here.
#[derive(Debug, Default)]
struct More {
    pulls: AtomicU64,
    failures: AtomicU64,
    restarts: AtomicU64,
    busy_nanos: AtomicU64,
    /// Written by whoever gives mail up, as the next.
    abandoned: AtomicU64,
    abandoned_bytes: AtomicU64,
    /// Written by whoever posts.
    dropped: AtomicU64,
}

/// What a processor did in a batch, or altogether.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) turns: u64,
    pub(crate) pulls: u64,
    pub(crate) failures: u64,
    pub(crate) emitted: u64,
    pub(crate) busy: Duration,
}

impl Counts {
    /// Adds what else the batch did.
    pub(crate) fn add(&mut self, more: &Counts) {
        self.turns += more.turns;
        self.pulls += more.pulls;
        self.failures += more.failures;
        self.emitted += more.emitted;
        self.busy += more.busy;
    }
}

impl Members {
    /// `bands` has none, or one for each processor.
    pub(crate) fn new(
        slots: Box<[Slot]>,
        roster: Arc<Roster>,
        bands: Box<[u32]>,
        specials: Specials,
    ) -> Members {
        assert_eq!(slots.len(), roster.len(), "every processor has a slot and a name");
        assert!(bands.is_empty() || bands.len() == slots.len(), "every processor has a band");
        let more = (0..slots.len().div_ceil(N_TOGETHER)).map(|_| OnceLock::new()).collect();
        Members { slots, roster, bands, specials, more }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn n_bands(&self) -> usize {
        self.bands.iter().max().map_or(1, |&last| last as usize + 1)
    }

    #[inline(always)]
    pub(crate) fn member(&self, owner: OwnerIdx) -> Member<'_> {
        Member { slot: &self.slots[owner as usize], owner, all: self }
    }

    /// All of them, in order of registration.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Member<'_>> {
        let slots = (0..).zip(&self.slots);
        slots.map(|(owner, slot)| Member { slot, owner, all: self })
    }
}

/// A processor in a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member<'c> {
    pub(crate) slot: &'c Slot,
    pub(crate) owner: OwnerIdx,
    all: &'c Members,
}

impl<'c> Member<'c> {
    pub(crate) fn name(self) -> &'c Text {
        self.all.roster.name(self.owner)
    }

    #[inline]
    pub(crate) fn who(self) -> Who<'c> {
        Who::Member(&self.all.roster, self.owner)
    }

    #[inline]
    pub(crate) fn band(self) -> Band {
        self.all.bands.get(self.owner as usize).map_or(0, |&band| band as usize)
    }

    /// What bounds this processor besides the pipeline's limits.
    #[inline(always)]
    pub(crate) fn special(self) -> Option<&'c Special> {
        self.all.specials.of(self.owner)
    }

    /// The mail, if the mailbox has a capacity.
    #[inline]
    pub(crate) fn bounded(self) -> Option<&'c BoundedMail> {
        self.special()?.mail.as_ref()
    }

    /// Its results, if it is cached.
    pub(crate) fn archive(self) -> Option<&'c Archive> {
        self.special()?.archive.as_deref()
    }

    /// Where its turns are written down, if they are recorded.
    pub(crate) fn slip(self) -> Option<&'c Slip> {
        self.special()?.slip.as_deref()
    }

    /// How long a turn should take at most.
    #[inline]
    pub(crate) fn time_budget(self) -> Option<Duration> {
        self.special()?.time_budget
    }

    fn more(self) -> &'c More {
        let place = self.owner as usize;
        let block = self.all.more[place / N_TOGETHER]
            .get_or_init(|| Box::new(std::array::from_fn(|_| More::default())));
        &block[place % N_TOGETHER]
    }

    /// One of the counts that most processors have nothing of.
    fn count(self, of: impl FnOnce(&More) -> &AtomicU64) -> u64 {
        let place = self.owner as usize;
        let block = self.all.more[place / N_TOGETHER].get();
        block.map_or(0, |block| of(&block[place % N_TOGETHER]).load(Ordering::Relaxed))
    }

    /// Notes events that were posted and then given up for lack of room.
    pub(crate) fn note_dropped(self, n: usize) {
        self.more().dropped.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn n_dropped(self) -> u64 {
        self.count(|more| &more.dropped)
    }

    /// Adds what a batch did. Called by who has claimed the mailbox.
    #[inline]
    pub(crate) fn add(self, counts: &Counts) {
        self.slot.add_turns(counts.turns, counts.emitted);
        if counts.pulls + counts.failures > 0 || !counts.busy.is_zero() {
            self.add_more(counts);
        }
    }

    #[cold]
    fn add_more(self, counts: &Counts) {
        let more = self.more();
        add(&more.pulls, counts.pulls);
        add(&more.failures, counts.failures);
        add(&more.busy_nanos, u64::try_from(counts.busy.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts a restart and says how many there have been.
    pub(crate) fn note_restart(self) -> u32 {
        add(&self.more().restarts, 1);
        u32::try_from(self.count(|more| &more.restarts)).unwrap_or(u32::MAX)
    }

    pub(crate) fn counts(self) -> Counts {
        Counts {
            turns: self.slot.turns.load(Ordering::Relaxed),
            pulls: self.count(|more| &more.pulls),
            failures: self.count(|more| &more.failures),
            emitted: self.slot.emitted.load(Ordering::Relaxed),
            busy: Duration::from_nanos(self.count(|more| &more.busy_nanos)),
        }
    }

    pub(crate) fn n_abandoned(self) -> u64 {
        self.count(|more| &more.abandoned)
    }

    /// What the mail weighed that was given up.
    pub(crate) fn abandoned_bytes(self) -> u64 {
        self.count(|more| &more.abandoned_bytes)
    }

    /// Events that have not had their turn; a batch under way counts as a whole until its end.
    pub(crate) fn n_waiting(self) -> u64 {
        self.slot.n_waiting(self.n_abandoned() + self.n_dropped())
    }

    /// Events that have not had their turn, and those that never will.
    pub(crate) fn n_unhandled(self) -> u64 {
        self.n_abandoned() + self.n_waiting()
    }

    /// Events that were for this processor, and once more each time that one was put off.
    pub(crate) fn n_came(self) -> u64 {
        self.slot.turns.load(Ordering::Relaxed) + self.n_dropped() + self.n_unhandled()
    }

    /// Gives up the mail, which will have no turn, to be dropped when no lock is held. What a
    /// worker has in hand it keeps.
    #[must_use]
    pub(crate) fn abandon(self) -> Chain<Parcel> {
        let mailbox = &self.slot.mailbox;
        let (mut mail, mut posted, mut n) = match mailbox.try_claim(Signal::GivenUp) {
            Some((mut claim, posted)) => {
                let (rest, n) = claim.give_up();
                claim.release(Release::Free { has_mail: false, pulling: false });
                (rest, posted, n)
            }
            None => (Chain::default(), mailbox.take_posted(), 0),
        };
        if let Some(bounded) = self.bounded() {
            posted.append(bounded.give_up());
        }
        let (posted, n_posted) = parcel::counted(posted);
        n += n_posted;
        mail.append(posted);
        if n > 0 {
            self.note_abandoned(n, mail.weight());
        }
        mail
    }

    /// Notes events of this weight that are given up.
    pub(super) fn note_abandoned(self, n: u64, bytes: u64) {
        self.more().abandoned.fetch_add(n, Ordering::Relaxed);
        self.more().abandoned_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes the processor out, unless a worker has it in hand.
    pub(crate) fn take_processor(self) -> Option<Box<dyn Owner>> {
        let (mut claim, posted) = self.slot.mailbox.try_claim(Signal::Seized)?;
        claim.rest.append(posted);
        let owner = claim.owner.take();
        let has_mail = !claim.rest.is_empty();
        claim.release(Release::Free { has_mail, pulling: false });
        owner
    }
}
