//! Owns the form in which artifacts travel: a payload under its target's name. Integers and other
//! scalars lie in the event itself; everything else is shared by all who hear it. Refuses to know
//! who makes an artifact, or what for.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use selvedge_event::payload::Copies;
use selvedge_event::{Digest, DigestError, Event, Interest, Kind, Name, Named, Payload, Way};
use selvedge_runtime::Context;
use serde::Serialize;

/// What can be an artifact: anything that threads may share. Dedupe, archives and lineage ask for
/// `Serialize` besides, and what is brought back from an archive for `DeserializeOwned`.
pub trait Artifact: Send + Sync + 'static {}

impl<T: Send + Sync + 'static> Artifact for T {}

/// How an artifact shows itself to serde, if that is known where it is made.
pub(crate) type Encode<T> = fn(&T) -> &dyn erased_serde::Serialize;

/// What is made known where the type is known to be serializable.
pub(crate) fn encode<T: Artifact + Serialize>() -> Encode<T> {
    |value| value
}

/// An artifact that is shared.
pub(crate) struct Made<T> {
    pub(crate) value: T,
    pub(crate) encode: Option<Encode<T>>,
}

impl<T: Artifact> Payload for Made<T> {
    fn kind() -> Kind {
        Kind::from(format!("artifact<{}>", type_name::<T>()))
    }

    fn encodable(&self) -> Option<&dyn erased_serde::Serialize> {
        self.encode.map(|encode| encode(&self.value))
    }
}

/// An artifact that lies in its event.
#[derive(Clone, Copy)]
pub(crate) struct Small<T>(pub(crate) T);

/// What fits beside a name: a word that is `Copy`.
pub(crate) trait Scalar: Artifact + Copy + Serialize {
    /// The value as a number, if equal numbers are equal values.
    fn word(self) -> Option<u64>;
}

impl<T: Scalar> Payload for Small<T> {
    const COPIES: Option<Copies<Self>> = Some(Copies::new());

    fn kind() -> Kind {
        Kind::from(format!("artifact<{}>", type_name::<T>()))
    }

    fn encodable(&self) -> Option<&dyn erased_serde::Serialize> {
        Some(&self.0)
    }
}

macro_rules! scalars {
    ($($type:ty => |$value:ident| $word:expr),* $(,)?) => {
        $(impl Scalar for $type {
            #[inline]
            fn word(self) -> Option<u64> {
                let $value = self;
                $word
            }
        })*

        /// Emits an artifact. Which form it takes is known when this is compiled.
        #[inline(always)]
        pub(crate) fn emit<T: Artifact>(
            cx: &mut Context<'_>,
            title: &'static Name,
            value: T,
            encode: Option<Encode<T>>,
        ) {
            $(if let Some(&value) = (&value as &dyn Any).downcast_ref::<$type>() {
                return cx.emit(Named(title, Small(value)));
            })*
            cx.emit(Named(title, Made { value, encode }));
        }

        /// The same as an event, for those outside of a turn.
        pub(crate) fn event<T: Artifact>(
            title: &'static Name,
            value: T,
            encode: Option<Encode<T>>,
        ) -> Event {
            $(if let Some(&value) = (&value as &dyn Any).downcast_ref::<$type>() {
                return Event::new(Named(title, Small(value)));
            })*
            Event::new(Named(title, Made { value, encode }))
        }

        /// The artifact of this type that an event holds, whatever its target.
        #[inline(always)]
        pub(crate) fn read<T: Artifact>(event: &Event) -> Option<&T> {
            $(if TypeId::of::<T>() == TypeId::of::<$type>() {
                let Small(value) = event.payload::<Small<$type>>()?;
                return (value as &dyn Any).downcast_ref();
            })*
            event.payload::<Made<T>>().map(|made| &made.value)
        }

        /// The type of payload that artifacts of this type have.
        pub(crate) fn payload_type<T: Artifact>() -> TypeId {
            $(if TypeId::of::<T>() == TypeId::of::<$type>() {
                return TypeId::of::<Small<$type>>();
            })*
            TypeId::of::<Made<T>>()
        }

        /// The way that artifacts of this type go under this name.
        pub(crate) fn way<T: Artifact>(title: &'static Name) -> Way {
            $(if TypeId::of::<T>() == TypeId::of::<$type>() {
                return Way::under::<Small<$type>>(title);
            })*
            Way::under::<Made<T>>(title)
        }

        /// An interest in artifacts of this type and target.
        pub(crate) fn interest<T: Artifact>(title: &Name) -> Interest {
            $(if TypeId::of::<T>() == TypeId::of::<$type>() {
                return Interest::of::<Small<$type>>().named(title.clone());
            })*
            Interest::of::<Made<T>>().named(title.clone())
        }

        /// The artifact as a number, if its type has one that tells values apart.
        #[inline(always)]
        pub(crate) fn word<T: Artifact>(value: &T) -> Option<u64> {
            $(if let Some(value) = (value as &dyn Any).downcast_ref::<$type>() {
                return value.word();
            })*
            None
        }
    };
}

scalars! {
    u64 => |n| Some(n),
    u32 => |n| Some(n.into()),
    u16 => |n| Some(n.into()),
    u8 => |n| Some(n.into()),
    usize => |n| Some(n as u64),
    i64 => |n| Some(n as u64),
    i32 => |n| Some(n as u64),
    i16 => |n| Some(n as u64),
    i8 => |n| Some(n as u64),
    isize => |n| Some(n as u64),
    bool => |b| Some(b.into()),
    char => |c| Some(u32::from(c).into()),
    f64 => |_f| None,
    f32 => |_f| None,
    () => |_unit| Some(0),
}

/// The content hash of an artifact: that of its event where that knows how, so that it is computed
/// once for all who want it.
pub(crate) fn digest<T: Artifact + Serialize>(event: &Event) -> Result<Digest, DigestError> {
    match (event.payload_digest(), read::<T>(event)) {
        (Err(_), Some(value)) => Digest::of(value),
        (digest, _) => digest,
    }
}

/// An artifact that is kept after the turn in which it came: a handle that its clones share.
///
/// ```
/// use selvedge_reactive::{Shared, Target};
///
/// let words = Target::<String>::new("words");
/// let word: Shared<String> = words.share("edge".to_owned());
/// assert_eq!(word.len(), 4);
/// ```
pub struct Shared<T> {
    event: Event,
    artifact: PhantomData<fn() -> T>,
}

impl<T: Artifact> Shared<T> {
    /// Of an event that is known to hold one.
    pub(crate) fn of(event: &Event) -> Option<Shared<T>> {
        read::<T>(event)?;
        Some(Shared { event: event.clone(), artifact: PhantomData })
    }

    /// The event that brought it.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }
}

impl<T: Artifact> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        read(&self.event).expect("a shared artifact was checked when it was shared")
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        Shared { event: self.event.clone(), artifact: PhantomData }
    }
}

impl<T: Artifact + fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::title::Title;

    #[test]
    fn words_lie_in_their_events_and_the_rest_is_shared() {
        let title = Title::new("here").kept();
        let small = event(title, 7_u64, None);
        assert!(small.is_inline());
        assert_eq!(read::<u64>(&small), Some(&7));
        assert_eq!(read::<i64>(&small), None);
        assert_eq!(small.way(), Some(way::<u64>(title)));
        assert_eq!(small.payload_type(), Some(payload_type::<u64>()));
        assert!(interest::<u64>(title).hears(&small.topic(), &[]));

        let shared = event(title, "seven".to_owned(), None);
        assert!(!shared.is_inline());
        assert_eq!(read::<String>(&shared).map(String::as_str), Some("seven"));
        assert_eq!(shared.way(), Some(way::<String>(title)));
        assert!(!interest::<String>(title).hears(&small.topic(), &[]));
        assert_eq!((word(&7_u64), word(&-1_i8), word(&0.5_f64)), (Some(7), Some(u64::MAX), None));
    }

    #[test]
    fn a_digest_is_that_of_the_value_whoever_computes_it() {
        let title = Title::new("here").kept();
        let text = || "seven".to_owned();
        let expected = Digest::of(&text()).expect("text has a digest");
        for encode in [None, Some(encode::<String>())] {
            let event = event(title, text(), encode);
            assert_eq!(digest::<String>(&event).expect("text has a digest"), expected);
        }
    }
}
