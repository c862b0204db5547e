//! Owns the payload that lies in the event itself, as untyped words: the one place of this crate
//! that the compiler can't check, behind an interface that it can. Refuses payloads that are not
//! `Copy`, that are larger than the words, or aligned more strictly.
//!
//! # Why this is sound
//!
//! An [`Inline`] is two words and the [`Meta`] of the [`Form`] that they hold. The forms are those
//! for which this file implements that trait: a `Bare<T>`, and a `Titled<T>`, which is laid out as
//! C would and has a `Bare<T>` for its first field. Hence: *whatever begins with a valid form of
//! `T` begins with a valid `Bare<T>`* (the compiler is asked for the field's offset once more).
//! *Invariant: the words begin with a valid `F`, where `F` is the form that `meta` was made for.*
//!
//! - **It begins true.** [`Inline::store`] is the only constructor. It writes an `F`, moved in by
//!   value, to the beginning of the words, and takes `Meta` of that same `F`. It does so only where
//!   `FITS` holds: `F` is not larger than the words and not aligned more strictly than them, so
//!   that the write is inside, and aligned.
//! - **It stays true.** The fields are private to this file, and nothing here writes to them later.
//!   Moving and copying an `Inline` copies the words as `MaybeUninit<u64>`, which preserves every
//!   byte, initialized or not, and the provenance of pointers: padding and references (`&'static
//!   str` is `Copy`, and so is the `&'static Name` of a `Titled`) travel unharmed.
//! - **Copies are payloads of their own.** `FITS` asks for [`Payload::COPIES`], and the only way to
//!   a `Copies<T>` is a function with the bound `T: Copy`; a `Payload` written by hand can't claim
//!   more than the compiler grants. What a form holds besides its payload is a shared reference,
//!   which is `Copy`. Hence a bit copy is a copy, and there is nothing to drop.
//! - **Reading is right.** A reference to the words becomes one to a type in two places only: a
//!   `&Bare<T>` in [`Inline::payload`], after the type asked for was compared with the payload's in
//!   `meta` (`Payload` is `'static`, so equal ids mean equal types), and a `&F` in [`see`], which
//!   `meta` holds for exactly its own `F`. The reference lives as long as the borrow of the words.
//!   It is never written through: a `Copy` type has no `UnsafeCell` in it, as that is not `Copy`.
//! - **Threads.** `Payload` is `Send + Sync`, as is `&'static Name`, so the automatic `Send` and
//!   `Sync` of the words and of `Meta` claim nothing that the form does not keep.
#![expect(unsafe_code, reason = "a payload is stored in untyped words and seen as its type again")]

use std::any::TypeId;
use std::marker::PhantomData;
use std::mem::{MaybeUninit, offset_of};

use super::packet::{Bare, Packet, Titled};
use super::way::Way;
use crate::payload::Payload;
use crate::topic::Name;

/// Room for a form. What is not part of one is padding or unused, and must not be looked at.
type Words = [MaybeUninit<u64>; 2];

/// A small payload that is `Copy`, perhaps with its name, and which type it is of.
#[derive(Clone, Copy)]
pub(super) struct Inline {
    meta: &'static Meta,
    words: Words,
}

/// What there is to know about a form. One form can have several of these, since each part of a
/// program that is compiled by itself has its own: the address means nothing.
struct Meta {
    /// The payload's type.
    id: TypeId,
    extends: bool,
    /// Whether the payload has a name of its own.
    titled: bool,
    /// Sees the words as the form that this was made for. May be called with such words only.
    see: unsafe fn(&Words) -> &dyn Packet,
}

/// What can lie in the words: its payload, then nothing or what is `Copy`. The proof counts on
/// these being all.
trait Form: Packet {
    type Held: Payload;
    const TITLED: bool;
    /// Where in the form the `Bare<Held>` begins.
    const BARE_AT: usize;
}

impl<T: Payload> Form for Bare<T> {
    type Held = T;
    const TITLED: bool = false;
    const BARE_AT: usize = 0;
}

impl<T: Payload> Form for Titled<T> {
    type Held = T;
    const TITLED: bool = true;
    const BARE_AT: usize = offset_of!(Titled<T>, bare);
}

/// What is decided about a form when it is compiled.
struct Layout<F>(PhantomData<F>);

impl<F: Form> Layout<F> {
    /// Whether an `F` may lie in the words: it is `Copy`, and they have room for it.
    const FITS: bool = F::Held::COPIES.is_some()
        && size_of::<F>() <= size_of::<Words>()
        && align_of::<F>() <= align_of::<Words>();

    const META: &'static Meta = &Meta {
        id: TypeId::of::<F::Held>(),
        extends: F::Held::EXTENDS,
        titled: F::TITLED,
        see: see::<F>,
    };
}

/// # Safety
///
/// The words must begin with a valid `F`.
unsafe fn see<F: Form>(words: &Words) -> &dyn Packet {
    // SAFETY: the caller says that the words begin with a valid `F`; they are as long and as
    // aligned as `FITS` demanded when it was written; the result borrows them.
    unsafe { &*(&raw const *words).cast::<F>() }
}

impl Inline {
    /// Stores the payload, or gives it back if its type is not one that can be stored.
    #[inline]
    pub(super) fn new<T: Payload>(payload: T) -> Result<Inline, T> {
        Inline::store(Bare(payload)).map_err(|Bare(payload)| payload)
    }

    /// Stores the payload and its name, or gives them back if there is no room for both, or the
    /// payload's type is not one that can be stored.
    #[inline]
    pub(super) fn titled<T: Payload>(
        name: &'static Name,
        payload: T,
    ) -> Result<Inline, (&'static Name, T)> {
        let stored = Inline::store(Titled { bare: Bare(payload), name });
        stored.map_err(|Titled { bare: Bare(payload), name }| (name, payload))
    }

    #[inline]
    fn store<F: Form>(form: F) -> Result<Inline, F> {
        // A copy of the words is dropped without a word to `F`: the proof says that this is right,
        // and the compiler is asked once more.
        const { assert!(!Layout::<F>::FITS || !std::mem::needs_drop::<F>()) };
        const { assert!(F::BARE_AT == 0, "the payload is looked for at the beginning") };
        if !Layout::<F>::FITS {
            return Err(form);
        }
        let mut words: Words = [MaybeUninit::uninit(); 2];
        // SAFETY: `FITS` holds, so the words have room for an `F` at their beginning and are
        // aligned for it; they are ours alone, and own nothing that the write could overwrite.
        unsafe { (&raw mut words).cast::<F>().write(form) };
        Ok(Inline { meta: Layout::<F>::META, words })
    }

    /// The payload, if it is a `T` itself.
    #[inline]
    pub(super) fn payload<T: Payload>(&self) -> Option<&T> {
        if self.meta.id != TypeId::of::<T>() {
            return None;
        }
        // SAFETY: by the invariant the words begin with a valid form of the type whose id is in
        // `meta`, and so with a valid `Bare` of it; that id is `T`'s; the result borrows the words.
        let bare = unsafe { &*(&raw const self.words).cast::<Bare<T>>() };
        Some(&bare.0)
    }

    /// The payload, whatever it is, and its name.
    #[inline]
    pub(super) fn packet(&self) -> &dyn Packet {
        // SAFETY: by the invariant the words begin with a valid value of the form that `meta` was
        // made for, and `see` in it is that form's.
        unsafe { (self.meta.see)(&self.words) }
    }

    /// The payload's type.
    #[inline]
    pub(super) fn payload_type(&self) -> TypeId {
        self.meta.id
    }

    /// The way it goes: looked at where it lies only if it has a name of its own.
    #[inline]
    pub(super) fn way(&self) -> Option<Way> {
        if self.meta.titled { self.packet().way() } else { Some(Way::of_type(self.meta.id)) }
    }

    /// Whether the payload's type extends another.
    #[inline]
    pub(super) fn extends_others(&self) -> bool {
        self.meta.extends
    }
}
