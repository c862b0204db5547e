//! Owns `Way`: what decides who hears an event, where that can be told without looking at strings.
//! Refuses to know who does: that is the runtime's routing table.

use std::any::TypeId;
use std::ptr;

use crate::payload::Payload;
use crate::topic::Name;

/// The way that an event goes by its payload's type and the place of its static name, if it has
/// one: events of one way have one kind, and one name. Most events have a way.
///
/// The opposite doesn't hold: two statics may hold the same name.
///
/// ```
/// use selvedge_event::{Event, Init, Name, Named, Way};
///
/// static FIRST: Name = Name::literal("first");
/// assert_eq!(Event::new(Init).way(), Some(Way::of::<Init>()));
/// assert_eq!(Event::new(Named(&FIRST, Init)).way(), Some(Way::under::<Init>(&FIRST)));
/// assert_eq!(Event::new(Named("first", Init)).way(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    payload: TypeId,
    /// The address of the name: what lies there never changes, as it is borrowed forever. Zero for
    /// the default name, where no name can be.
    name: usize,
}

impl Way {
    /// That of a `T` under its default name.
    #[inline]
    #[must_use]
    pub fn of<T: Payload>() -> Way {
        Way::of_type(TypeId::of::<T>())
    }

    /// That of a `T` under this name.
    #[inline]
    #[must_use]
    pub fn under<T: Payload>(name: &'static Name) -> Way {
        Way { payload: TypeId::of::<T>(), name: ptr::from_ref(name).addr() }
    }

    #[inline]
    pub(super) fn of_type(payload: TypeId) -> Way {
        Way { payload, name: 0 }
    }

    /// The type that decides it alone: that of an event under its default name.
    #[must_use]
    pub fn default_of(self) -> Option<TypeId> {
        (self.name == 0).then_some(self.payload)
    }
}
