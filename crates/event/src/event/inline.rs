//! Owns the payload that lies in the event itself, as untyped words: the one place of this crate
//! that the compiler can't check, behind an interface that it can. Refuses payloads that are not
//! `Copy`, that are larger than the words, or aligned more strictly.
//!
//! # Why this is sound
//!
//! An [`Inline`] is two words and the [`Meta`] of the type that they hold. *Invariant: the words
//! begin with a valid `Bare<T>`, where `T` is the type that `meta` was made for.*
//!
//! - **It begins true.** [`Inline::new`] is the only constructor. It writes a `Bare<T>`, moved in
//!   by value, to the beginning of the words, and takes `Meta` of that same `T`. It does so only
//!   where `FITS` holds: `Bare<T>` is not larger than the words and not aligned more strictly than
//!   them, so that the write is inside, and aligned.
//! - **It stays true.** The fields are private to this file, and nothing here writes to them later.
//!   Moving and copying an `Inline` copies the words as `MaybeUninit<u64>`, which preserves every
//!   byte, initialized or not, and the provenance of pointers: padding and references (`&'static
//!   str` is `Copy`) travel unharmed.
//! - **Copies are payloads of their own.** `FITS` asks for [`Payload::COPIES`], and the only way to
//!   a `Copies<T>` is a function with the bound `T: Copy`; a `Payload` written by hand can't claim
//!   more than the compiler grants. Hence a bit copy is a copy, and there is nothing to drop.
//! - **Reading is right.** A reference to the words becomes a `&Bare<T>` in two places only: in
//!   [`Inline::payload`] after the type asked for was compared with the one in `meta` (`Payload` is
//!   `'static`, so equal ids mean equal types), and in [`see`], which `meta` holds for exactly its
//!   own `T`. The reference lives as long as the borrow of the words. It is never written through:
//!   a `Copy` type has no `UnsafeCell` in it, as that is not `Copy`.
//! - **Threads.** `Payload` is `Send + Sync`, so the automatic `Send` and `Sync` of the words and
//!   of `Meta` claim nothing that the payload does not keep.
#![expect(unsafe_code, reason = "a payload is stored in untyped words and seen as its type again")]

use std::any::TypeId;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use super::packet::{Bare, Packet};
use crate::payload::Payload;

/// Room for a payload. What is not a payload is padding or unused, and must not be looked at.
type Words = [MaybeUninit<u64>; 2];

/// A small payload that is `Copy`, and which type it is of.
#[derive(Clone, Copy)]
pub(super) struct Inline {
    meta: &'static Meta,
    words: Words,
}

/// What there is to know about a payload's type. One type can have several of these, since each
/// part of a program that is compiled by itself has its own: the address means nothing.
struct Meta {
    id: TypeId,
    extends: bool,
    /// Sees the words as the type that this was made for. May be called with such words only.
    see: unsafe fn(&Words) -> &dyn Packet,
}

/// What is decided about `T` when it is compiled.
struct Layout<T>(PhantomData<T>);

impl<T: Payload> Layout<T> {
    /// Whether a `T` may lie in the words: it is `Copy`, and they have room for it.
    const FITS: bool = T::COPIES.is_some()
        && size_of::<Bare<T>>() <= size_of::<Words>()
        && align_of::<Bare<T>>() <= align_of::<Words>();

    const META: &'static Meta = &Meta { id: TypeId::of::<T>(), extends: T::EXTENDS, see: see::<T> };
}

/// # Safety
///
/// The words must begin with a valid `Bare<T>`.
unsafe fn see<T: Payload>(words: &Words) -> &dyn Packet {
    // SAFETY: the caller says that the words begin with a valid `Bare<T>`; they are as long and as
    // aligned as `FITS` demanded when it was written; the result borrows them.
    unsafe { &*(&raw const *words).cast::<Bare<T>>() }
}

impl Inline {
    /// Stores the payload, or gives it back if its type is not one that can be stored.
    #[inline]
    pub(super) fn new<T: Payload>(payload: T) -> Result<Inline, T> {
        // A copy of the words is dropped without a word to `T`: the proof says that this is right,
        // and the compiler is asked once more.
        const { assert!(!Layout::<T>::FITS || !std::mem::needs_drop::<Bare<T>>()) };
        if !Layout::<T>::FITS {
            return Err(payload);
        }
        let mut words: Words = [MaybeUninit::uninit(); 2];
        // SAFETY: `FITS` holds, so the words have room for a `Bare<T>` at their beginning and are
        // aligned for it; they are ours alone, and own nothing that the write could overwrite.
        unsafe { (&raw mut words).cast::<Bare<T>>().write(Bare(payload)) };
        Ok(Inline { meta: Layout::<T>::META, words })
    }

    /// The payload, if it is a `T` itself.
    #[inline]
    pub(super) fn payload<T: Payload>(&self) -> Option<&T> {
        if self.meta.id != TypeId::of::<T>() {
            return None;
        }
        // SAFETY: by the invariant the words begin with a valid `Bare` of the type whose id is in
        // `meta`, and that id is `T`'s; the result borrows the words.
        let bare = unsafe { &*(&raw const self.words).cast::<Bare<T>>() };
        Some(&bare.0)
    }

    /// The payload, whatever it is.
    #[inline]
    pub(super) fn packet(&self) -> &dyn Packet {
        // SAFETY: by the invariant the words begin with a valid `Bare` of the type that `meta` was
        // made for, and `see` in it is that type's.
        unsafe { (self.meta.see)(&self.words) }
    }

    /// The payload's type.
    #[inline]
    pub(super) fn payload_type(&self) -> TypeId {
        self.meta.id
    }

    /// Whether the payload's type extends another.
    #[inline]
    pub(super) fn extends_others(&self) -> bool {
        self.meta.extends
    }
}
