//! Owns a processor's place in a run: its mailbox, what is known of it, what it has done.

use std::sync::Arc;
use std::time::Duration;

use selvedge_event::Text;
use selvedge_sync::atomic::{AtomicU64, Ordering};

use crate::cache::Archive;
use crate::mailbox::cell::Release;
use crate::mailbox::chain::Chain;
use crate::mailbox::parcel::{self, Parcel};
use crate::mailbox::ring::BoundedMail;
use crate::mailbox::{Desk, Mailbox, Signal, Status};
use crate::owner::Owner;
use crate::policy::FailurePolicy;
use crate::ready::Band;

/// One processor's place. In this order, so that who posts finds what decides how beside the
/// mailbox's word.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Slot {
    pub(crate) mailbox: Mailbox,
    /// What most processors have nothing of.
    special: Option<Box<Special>>,
    pub(crate) band: Band,
    done: Done,
    pub(crate) info: Info,
}

/// What bounds a processor besides the pipeline's limits.
#[derive(Debug, Default)]
pub(crate) struct Special {
    /// The mail, if the mailbox has a capacity: its word is only a bell then.
    pub(crate) mail: Option<BoundedMail>,
    /// Which gate its turns pass.
    pub(crate) gate: Option<usize>,
    /// Its results, if it is cached.
    pub(crate) archive: Option<Arc<Archive>>,
}

/// What is known of a processor.
#[derive(Debug)]
pub(crate) struct Info {
    pub(crate) name: Text,
    pub(crate) on_failure: FailurePolicy,
    /// How long a turn should take at most.
    pub(crate) time_budget: Option<Duration>,
}

/// What a processor has done so far. Written by who has claimed it, but for what is posted and
/// abandoned; read by anyone. Relaxed: each count is a count and says nothing about the others.
#[derive(Debug, Default)]
struct Done {
    posted: AtomicU64,
    /// What was handed over at once to who had claimed the mailbox.
    handed: AtomicU64,
    turns: AtomicU64,
    pulls: AtomicU64,
    failures: AtomicU64,
    emitted: AtomicU64,
    abandoned: AtomicU64,
    abandoned_bytes: AtomicU64,
    /// Written by whoever posts.
    dropped: AtomicU64,
    restarts: AtomicU64,
    busy_nanos: AtomicU64,
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

/// Adds to what only one thread writes at a time.
#[inline]
fn add(total: &AtomicU64, n: u64) {
    if n > 0 {
        total.store(total.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }
}

impl Slot {
    pub(crate) fn new(owner: Box<dyn Owner>, band: Band, info: Info) -> Slot {
        let mailbox = Mailbox::new(Desk::new(owner));
        Slot { mailbox, special: None, band, done: Done::default(), info }
    }

    /// The same, bounded by more than the pipeline's limits.
    pub(crate) fn with(mut self, special: Special) -> Slot {
        if special.mail.is_some() || special.gate.is_some() || special.archive.is_some() {
            self.special = Some(Box::new(special));
        }
        self
    }

    /// What bounds this processor besides the pipeline's limits.
    #[inline]
    pub(crate) fn special(&self) -> Option<&Special> {
        self.special.as_deref()
    }

    /// The mail, if the mailbox has a capacity.
    #[inline]
    pub(crate) fn bounded(&self) -> Option<&BoundedMail> {
        self.special()?.mail.as_ref()
    }

    /// Its results, if it is cached.
    pub(crate) fn archive(&self) -> Option<&Archive> {
        self.special()?.archive.as_deref()
    }

    /// Notes events that were put into the mailbox.
    #[inline]
    pub(crate) fn note_posted(&self, n: usize) {
        self.done.posted.fetch_add(n as u64, Ordering::Relaxed);
    }

    /// Notes events that were handed to the caller, who has claimed the mailbox.
    #[inline]
    pub(crate) fn note_handed(&self, n: usize) {
        add(&self.done.handed, n as u64);
    }

    /// Notes events that were posted and then given up for lack of room.
    pub(crate) fn note_dropped(&self, n: usize) {
        self.done.dropped.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn n_dropped(&self) -> u64 {
        self.done.dropped.load(Ordering::Relaxed)
    }

    /// Adds a turn. Called by who has claimed the mailbox.
    #[inline]
    pub(crate) fn add_turn(&self, n_emitted: u64) {
        add(&self.done.turns, 1);
        add(&self.done.emitted, n_emitted);
    }

    /// Adds what a batch did. Called by who has claimed the mailbox.
    #[inline]
    pub(crate) fn add(&self, counts: &Counts) {
        add(&self.done.turns, counts.turns);
        add(&self.done.emitted, counts.emitted);
        if counts.pulls + counts.failures > 0 {
            add(&self.done.pulls, counts.pulls);
            add(&self.done.failures, counts.failures);
        }
        if !counts.busy.is_zero() {
            let nanos = u64::try_from(counts.busy.as_nanos()).unwrap_or(u64::MAX);
            add(&self.done.busy_nanos, nanos);
        }
    }

    /// Counts a restart and says how many there have been.
    pub(crate) fn note_restart(&self) -> u32 {
        add(&self.done.restarts, 1);
        self.n_restarts()
    }

    pub(crate) fn n_restarts(&self) -> u32 {
        u32::try_from(self.done.restarts.load(Ordering::Relaxed)).unwrap_or(u32::MAX)
    }

    pub(crate) fn counts(&self) -> Counts {
        let count = |total: &AtomicU64| total.load(Ordering::Relaxed);
        Counts {
            turns: count(&self.done.turns),
            pulls: count(&self.done.pulls),
            failures: count(&self.done.failures),
            emitted: count(&self.done.emitted),
            busy: Duration::from_nanos(count(&self.done.busy_nanos)),
        }
    }

    pub(crate) fn n_abandoned(&self) -> u64 {
        self.done.abandoned.load(Ordering::Relaxed)
    }

    /// What the mail weighed that was given up.
    pub(crate) fn abandoned_bytes(&self) -> u64 {
        self.done.abandoned_bytes.load(Ordering::Relaxed)
    }

    /// Events that were for this processor.
    pub(crate) fn n_accepted(&self) -> u64 {
        self.done.posted.load(Ordering::Relaxed) + self.done.handed.load(Ordering::Relaxed)
    }

    /// Events that have not had their turn; a batch under way counts as a whole until its end.
    pub(crate) fn n_waiting(&self) -> u64 {
        // Turns first: what is posted later may only add to the result.
        let turns = self.done.turns.load(Ordering::Relaxed);
        let posted = self.done.posted.load(Ordering::Relaxed);
        let handed = self.done.handed.load(Ordering::Relaxed);
        (posted + handed).saturating_sub(turns + self.n_abandoned() + self.n_dropped())
    }

    /// Gives up the mail, which will have no turn, to be dropped when no lock is held. What a
    /// worker has in hand it keeps.
    #[must_use]
    pub(crate) fn abandon(&self) -> Chain<Parcel> {
        let (mut mail, mut posted) = match self.mailbox.try_claim(Signal::GivenUp) {
            Some((mut claim, posted)) => {
                let (rest, n) = claim.give_up();
                self.done.abandoned.fetch_add(n, Ordering::Relaxed);
                claim.release(Release::Free { has_mail: false, pulling: false });
                (rest, posted)
            }
            None => (Chain::default(), self.mailbox.take_posted()),
        };
        if let Some(bounded) = self.bounded() {
            posted.append(bounded.give_up());
        }
        let (posted, n) = parcel::counted(posted);
        self.done.abandoned.fetch_add(n, Ordering::Relaxed);
        mail.append(posted);
        self.done.abandoned_bytes.fetch_add(mail.weight(), Ordering::Relaxed);
        mail
    }

    /// Whether a worker has it in hand.
    pub(crate) fn is_in_hand(&self) -> bool {
        self.mailbox.status() == Status::Running
    }

    /// Takes the processor out, unless a worker has it in hand.
    pub(crate) fn take_processor(&self) -> Option<Box<dyn Owner>> {
        let (mut claim, posted) = self.mailbox.try_claim(Signal::Seized)?;
        claim.rest.append(posted);
        let owner = claim.owner.take();
        let has_mail = !claim.rest.is_empty();
        claim.release(Release::Free { has_mail, pulling: false });
        owner
    }
}
