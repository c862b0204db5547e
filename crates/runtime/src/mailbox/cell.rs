//! Owns `Cell`: a mailbox's word, the mail that was posted to it, and what its owner alone may
//! touch.
//!
//! This is one of the runtime's raw modules. The interface is safe: what belongs to the owner is
//! reached through a [`Claim`], and there is at most one, because the [status](Status) in the word
//! says so and every change of the word is one read-modify-write.
//!
//! # The word
//!
//! The lowest two bits are the [`Status`], the others the address of the newest node posted, or
//! null: a stack that is pushed to and taken whole, never popped, so that an address that comes
//! back (ABA) means what it meant before (R. K. Treiber, "Systems programming: coping with
//! parallelism", 1986).
//!
//! # Memory ordering
//!
//! Whoever takes mail, or the owner's part, must see all that those who posted it, and the last
//! owner, wrote. Posts and releases are `Release`, takes and claims `Acquire`; posts in between
//! are read-modify-writes and so continue the release sequence of those before them. Checked with
//! loom (`tests/loom.rs`).
#![expect(
    unsafe_code,
    reason = "one word per mailbox instead of a lock and a queue; see the bench"
)]

use std::cell::UnsafeCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr;

use selvedge_sync::atomic::{AtomicUsize, Ordering};

use super::chain::{Chain, Node};
use super::{Effect, Signal, Status};
use crate::planted::planted;

const STATUS_BITS: usize = 0b11;

/// A mailbox: mail of type `T`, and the owner's part.
pub(crate) struct Cell<S, T> {
    word: AtomicUsize,
    /// Touched by who has the [`Claim`], and nobody else.
    owned: UnsafeCell<S>,
    mail: std::marker::PhantomData<Box<Node<T>>>,
}

// SAFETY: `owned` is reached through the one claim only, so it moves between threads but is never
// shared; nodes move from who posts them to who takes them.
unsafe impl<S: Send, T: Send> Sync for Cell<S, T> {}
// SAFETY: as above, and whoever moves the cell has it alone.
unsafe impl<S: Send, T: Send> Send for Cell<S, T> {}

/// A word, taken apart.
#[derive(Clone, Copy)]
struct Word {
    status: Status,
    newest: usize,
}

impl Word {
    #[inline(always)]
    fn of(bits: usize) -> Word {
        let status = match bits & STATUS_BITS {
            0 => Status::Idle,
            1 => Status::Queued,
            2 => Status::AwaitingRoom,
            _ => Status::Running,
        };
        Word { status, newest: bits & !STATUS_BITS }
    }

    #[inline(always)]
    fn bits(self) -> usize {
        let status = match self.status {
            Status::Idle => 0,
            Status::Queued => 1,
            Status::AwaitingRoom => 2,
            Status::Running => 3,
        };
        self.newest | status
    }
}

impl<S, T> Cell<S, T> {
    pub(crate) fn new(owned: S) -> Cell<S, T> {
        const { assert!(align_of::<Node<T>>() > STATUS_BITS, "the low bits are the status's") };
        Cell {
            word: AtomicUsize::new(Word { status: Status::Idle, newest: 0 }.bits()),
            owned: UnsafeCell::new(owned),
            mail: std::marker::PhantomData,
        }
    }

    /// Puts a node in, and says what the caller, and nobody else, must do about it.
    #[inline]
    pub(crate) fn post(&self, node: Box<Node<T>>) -> Effect {
        let node = Box::into_raw(node);
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            let Word { status, newest } = Word::of(seen);
            let (status, effect) = status.on(Signal::Posted);
            // SAFETY: the node came out of its box above and is not in the stack yet.
            unsafe { (*node).next = ptr::with_exposed_provenance_mut(newest) };
            let word = Word { status, newest: node.expose_provenance() };
            match self.word.compare_exchange_weak(
                seen,
                word.bits(),
                if planted("post-relaxed") { Ordering::Relaxed } else { Ordering::AcqRel },
                Ordering::Relaxed,
            ) {
                Ok(_) => return effect,
                Err(now) => seen = now,
            }
        }
    }

    /// Takes the mailbox over by this signal, with all mail posted so far, if it is to be had.
    /// If it is not, all that was written before it was taken is seen.
    #[inline(always)]
    pub(crate) fn try_claim(&self, signal: Signal) -> Option<(Claim<'_, S, T>, Chain<T>)> {
        let mut seen = self.word.load(Ordering::Acquire);
        loop {
            let word = Word::of(seen);
            let (status, effect) = word.status.on(signal);
            if effect == Effect::Discard {
                return None;
            }
            assert!(
                status == Status::Running && word.status != Status::Running,
                "{signal:?} is no claim"
            );
            let running = Word { status, newest: 0 }.bits();
            match self.word.compare_exchange_weak(
                seen,
                running,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some((Claim { cell: self }, chain(word.newest))),
                Err(now) => seen = now,
            }
        }
    }

    /// Takes the mailbox over if it is idle, and so without mail.
    #[inline(always)]
    pub(crate) fn try_claim_idle(&self) -> Option<Claim<'_, S, T>> {
        let (running, effect) = Status::Idle.on(Signal::ClaimedIfIdle);
        debug_assert_eq!(effect, Effect::Nothing);
        let idle = Word { status: Status::Idle, newest: 0 }.bits();
        let running = Word { status: running, newest: 0 }.bits();
        let claimed =
            self.word.compare_exchange(idle, running, Ordering::Acquire, Ordering::Relaxed);
        claimed.ok().map(|_| Claim { cell: self })
    }

    /// Takes out all mail posted so far, whoever has the mailbox.
    pub(crate) fn take_posted(&self) -> Chain<T> {
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            let emptied = Word { newest: 0, ..Word::of(seen) };
            match self.word.compare_exchange_weak(
                seen,
                emptied.bits(),
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return chain(Word::of(seen).newest),
                Err(now) => seen = now,
            }
        }
    }

    pub(crate) fn status(&self) -> Status {
        Word::of(self.word.load(Ordering::Acquire)).status
    }
}

/// The mail whose newest node was just taken out of a word.
fn chain<T>(newest: usize) -> Chain<T> {
    // SAFETY: the caller replaced the address in the word by null in one step, so the whole stack
    // below it is the caller's; nodes were linked by `post` down to null and came out of boxes.
    unsafe { Chain::from_newest(ptr::with_exposed_provenance_mut(newest)) }
}

impl<S, T> Drop for Cell<S, T> {
    fn drop(&mut self) {
        if planted("mail-not-freed") {
            return;
        }
        drop(self.take_posted());
    }
}

impl<S, T> fmt::Debug for Cell<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cell({:?})", self.status())
    }
}

/// The right to touch what belongs to a mailbox's owner. Given back with
/// [`release`](Self::release); dropped without it, as by a panic of ours, the mailbox stays running
/// for good.
pub(crate) struct Claim<'c, S, T> {
    cell: &'c Cell<S, T>,
}

impl<S, T> Claim<'_, S, T> {
    /// Gives the mailbox back: by `signal`, with what was posted meanwhile taken into account.
    #[inline(always)]
    pub(crate) fn release(self, released: Release) -> Effect {
        let mut seen = self.cell.word.load(Ordering::Relaxed);
        loop {
            let word = Word::of(seen);
            let signal = match released {
                Release::Held => Signal::Held,
                Release::Free { has_mail, pulling } => {
                    let unseen = word.newest != 0 && !planted("lost-wake-up");
                    Signal::Released { has_mail: has_mail || unseen, pulling }
                }
            };
            let (status, effect) = word.status.on(signal);
            let freed = Word { status, ..word };
            match self.cell.word.compare_exchange_weak(
                seen,
                freed.bits(),
                if planted("release-relaxed") { Ordering::Relaxed } else { Ordering::AcqRel },
                Ordering::Relaxed,
            ) {
                Ok(_) => return effect,
                Err(now) => seen = now,
            }
        }
    }
}

/// How a claim is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// To whoever finds the mailbox ready.
    Free {
        /// Whether the owner's part holds mail that has had no turn.
        has_mail: bool,
        /// Whether the owner wants to be pulled from.
        pulling: bool,
    },
    /// To whoever the caller has told to put it into the ready set later.
    Held,
}

impl<S, T> Deref for Claim<'_, S, T> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        // SAFETY: claims are made by the one read-modify-write that turns another status into
        // `Running`, and nothing but `release`, which consumes the claim, turns it back: there is
        // one claim at a time, and it is borrowed here.
        unsafe { &*self.cell.owned.get() }
    }
}

impl<S, T> DerefMut for Claim<'_, S, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut S {
        // SAFETY: as in `deref`, and the claim is borrowed mutably.
        unsafe { &mut *self.cell.owned.get() }
    }
}
