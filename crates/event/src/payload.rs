//! Owns `Payload`: what a Rust type must offer to travel as an event. `#[derive(Event)]` writes it.

mod copies;

use std::any::{Any, TypeId};
use std::error::Error;

use crate::topic::{Key, Kind};

pub use copies::Copies;

/// A Rust type that travels as an event. Implemented by `#[derive(Event)]`.
///
/// A payload is immutable once it is an event, and shared by everyone who hears it.
///
/// By hand, a type without parents or key needs its kind only:
/// ```
/// use selvedge_event::{Event, Kind, Payload};
///
/// struct Tick(u64);
/// impl Payload for Tick {
///     fn kind() -> Kind {
///         Kind::literal("clock::Tick")
///     }
/// }
/// let event = Event::new(Tick(7));
/// assert_eq!(event.payload::<Tick>().map(|tick| tick.0), Some(7));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "add `#[derive(Event)]` to the type; the type parameters of a generic event must be \
            events too"
)]
pub trait Payload: Send + Sync + Sized + 'static {
    /// Whether events of this type carry a [`key`](Self::key).
    const CARRIES_KEY: bool = false;

    /// Whether events of this type extend others: only then are [`ancestors`](Self::ancestors) and
    /// [`view`](Self::view) asked.
    const EXTENDS: bool = false;

    /// Permission to copy values of this type bit by bit, so that small ones lie in the event
    /// itself instead of on the heap. The derive gives it for types that are `Copy`.
    ///
    /// ```
    /// use selvedge_event::payload::Copies;
    /// use selvedge_event::{Event, Kind, Payload};
    ///
    /// #[derive(Clone, Copy)]
    /// struct Tick(u64);
    /// impl Payload for Tick {
    ///     const COPIES: Option<Copies<Self>> = Some(Copies::new());
    ///     fn kind() -> Kind {
    ///         Kind::literal("clock::Tick")
    ///     }
    /// }
    /// assert_eq!(Event::new(Tick(7)).bytes(), size_of::<Event>());
    /// ```
    const COPIES: Option<Copies<Self>> = None;

    /// Which version of its serialized form this is: raise it when the same bytes would mean
    /// something else. What was kept in an older one is read by [`upgrade`](Self::upgrade), or not
    /// at all.
    const VERSION: u32 = 1;

    /// The stable name of the type: `<package>::<Ident>` unless declared otherwise.
    fn kind() -> Kind;

    /// The kinds this one extends, nearest first; asked if it [`EXTENDS`](Self::EXTENDS) any.
    #[must_use]
    fn ancestors() -> Vec<Kind> {
        Vec::new()
    }

    /// Reads a value that was kept, as JSON, in an older version; nothing if this type can't read
    /// any. `#[event(version = 2, upgrade = function)]` names a function that does.
    ///
    /// # Errors
    ///
    /// Of the function: it knows no such version, or the JSON isn't a value of it.
    #[must_use]
    fn upgrade(version: u32, json: &str) -> Option<Result<Self, Box<dyn Error + Send + Sync>>>
    where
        Self: Sized,
    {
        let _ = (version, json);
        None
    }

    /// Whom the event concerns.
    fn key(&self) -> Option<Key> {
        None
    }

    /// Bytes owned outside the value itself; limits in bytes count them. A small value that is
    /// `Copy` owns none, and is not asked.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// This value, or the part of it that a parent kind stands for, seen as the type `wanted`;
    /// asked about other types than its own if it [`EXTENDS`](Self::EXTENDS) any.
    fn view(&self, wanted: TypeId) -> Option<&dyn Any> {
        (wanted == TypeId::of::<Self>()).then_some(self as &dyn Any)
    }

    /// The value as serde sees it, if its type is serializable: digests and records need it.
    fn encodable(&self) -> Option<&dyn erased_serde::Serialize> {
        None
    }
}

/// What generated code calls. Not for people.
#[doc(hidden)]
pub mod generated {
    use std::any::TypeId;

    use super::{Copies, Payload};
    use crate::event::Event;
    use crate::signature::{Signature, SignatureError};
    use crate::topic::Key;

    pub use erased_serde::Serialize as Encodable;

    /// Picks `Some(self)` for serializable types and `None` for others at compile time, without
    /// specialization: the by-value method wins over the by-reference one when it applies.
    /// (D. Tolnay, "autoref specialization".)
    #[derive(Debug)]
    pub struct Probe<'a, T>(pub &'a T);

    /// Serializable types.
    pub trait ViaSerialize<'a> {
        /// The value as serde sees it.
        fn probe(self) -> Option<&'a dyn Encodable>;
    }

    impl<'a, T: serde::Serialize> ViaSerialize<'a> for Probe<'a, T> {
        fn probe(self) -> Option<&'a dyn Encodable> {
            Some(self.0)
        }
    }

    /// All the others.
    pub trait ViaNothing<'a> {
        /// Nothing to see.
        fn probe(self) -> Option<&'a dyn Encodable>;
    }

    impl<'a, T> ViaNothing<'a> for &Probe<'a, T> {
        fn probe(self) -> Option<&'a dyn Encodable> {
            None
        }
    }

    /// Completes the signature of a processor from what is known of its constants: the processor
    /// itself, if it is serializable, or that it has none, being of no size.
    pub fn signed(
        signature: Signature,
        constants: Option<&dyn Encodable>,
        size: usize,
    ) -> Result<Signature, SignatureError> {
        match constants {
            _ if size == 0 => Ok(signature),
            Some(constants) => Ok(signature.with_constants(constants)?),
            None => Err(SignatureError::UnknownConstants),
        }
    }

    /// An event that is about to be matched against several payload types: asked once what it
    /// holds, so that a type which it can't be costs a comparison and no call.
    #[derive(Clone, Copy, Debug)]
    pub struct Payloads<'e> {
        event: &'e Event,
        sight: Sight,
    }

    #[derive(Clone, Copy, Debug)]
    enum Sight {
        /// Looking is a comparison, or the only way to know.
        Look,
        /// It can be seen as this type only, if as any.
        Only(Option<TypeId>),
    }

    impl<'e> Payloads<'e> {
        /// Asks the event.
        #[inline]
        #[must_use]
        pub fn of(event: &'e Event) -> Payloads<'e> {
            let sight = if event.is_inline() || event.extends_others() {
                Sight::Look
            } else {
                Sight::Only(event.payload_type())
            };
            Payloads { event, sight }
        }

        /// The payload, if it is a `T` or extends it.
        #[inline]
        #[must_use]
        pub fn seen_as<T: Payload>(self) -> Option<&'e T> {
            match self.sight {
                Sight::Only(held) if held != Some(TypeId::of::<T>()) => None,
                _ => self.event.payload(),
            }
        }
    }

    /// Answers at compile time, for a type without parameters, whether it is serializable: the
    /// inherent constant, where its bound holds, wins over the trait's.
    #[derive(Debug)]
    pub struct Serializable<T>(std::marker::PhantomData<T>);

    impl<T: serde::Serialize> Serializable<T> {
        /// It is.
        pub const YES: bool = true;
    }

    /// The answer for all the others.
    pub trait NotSerializable {
        /// It is not.
        const YES: bool = false;
    }

    impl<T> NotSerializable for Serializable<T> {}

    /// Answers at compile time whether a type is `Copy`, as [`Serializable`] does. Of a generic
    /// type it knows what the bounds on the type say.
    #[derive(Debug)]
    pub struct Copyable<T>(std::marker::PhantomData<T>);

    impl<T: Copy> Copyable<T> {
        /// The permission.
        pub const COPIES: Option<Copies<T>> = Some(Copies::new());
    }

    /// The answer for all the others.
    pub trait NotCopyable<T> {
        /// No permission.
        const COPIES: Option<Copies<T>> = None;
    }

    impl<T> NotCopyable<T> for Copyable<T> {}

    /// Holds for equal types only, so that a field of another type is a readable error.
    #[diagnostic::on_unimplemented(
        message = "the field marked `#[base]` must be a `{Parent}`, which the event extends",
        label = "this is a `{Self}`"
    )]
    pub trait Base<Parent> {
        /// The field, as what it is.
        fn base(&self) -> &Parent;
    }

    impl<T> Base<T> for T {
        fn base(&self) -> &T {
            self
        }
    }

    /// The field marked `#[base]`, as the parent that it is.
    pub fn base<Field: Base<Parent>, Parent>(field: &Field) -> &Parent {
        field.base()
    }

    /// What can be marked `#[key]`: whatever a key can be made from by reference.
    pub trait Keyed {
        /// The field, as a key.
        fn key(&self) -> Key;
    }

    impl<T> Keyed for T
    where
        for<'a> Key: From<&'a T>,
    {
        fn key(&self) -> Key {
            Key::from(self)
        }
    }

    /// The field marked `#[key]`, as a key.
    pub fn key<Field: Keyed>(field: &Field) -> Key {
        field.key()
    }

    /// Whether the event is of this kind or extends it: what an interest in the kind hears.
    #[must_use]
    pub fn is_kind(event: &Event, kind: &str) -> bool {
        event.kind() == *kind
            || event.extends_others() && event.ancestors().iter().any(|ancestor| *ancestor == *kind)
    }
}
