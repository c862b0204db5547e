//! Owns `Payload`: what a Rust type must offer to travel as an event. `#[derive(Event)]` writes it.

use std::any::{Any, TypeId};

use crate::topic::{Key, Kind};

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
pub trait Payload: Send + Sync + Sized + 'static {
    /// Whether events of this type carry a [`key`](Self::key).
    const CARRIES_KEY: bool = false;

    /// The stable name of the type: `<package>::<Ident>` unless declared otherwise.
    fn kind() -> Kind;

    /// The kinds this one extends, nearest first.
    #[must_use]
    fn ancestors() -> Vec<Kind> {
        Vec::new()
    }

    /// Whom the event concerns.
    fn key(&self) -> Option<Key> {
        None
    }

    /// Bytes owned outside the value itself; limits in bytes count them.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// This value, or the part of it that a parent kind stands for, seen as the type `wanted`.
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
}
