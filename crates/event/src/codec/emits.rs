//! Owns `Emits`: which types a processor emits, said in its types.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Codecs;
use crate::dynamic::Dynamic;
use crate::event::{Event, IntoEvent};
use crate::payload::Payload;

/// What a processor emits, if it can be written and brought back: a payload with `Serialize` and
/// `DeserializeOwned`; any number of one, `Option<E>` or `Vec<E>`; several, as a tuple; nothing,
/// `()`. [`Dynamic`] events can always be.
///
/// As a value it is the events themselves, in order.
///
/// ```
/// use selvedge_event::codec::Emits;
/// use selvedge_event::Event;
/// # use serde::{Deserialize, Serialize};
///
/// #[derive(Event, Serialize, Deserialize)]
/// struct Word(String);
/// #[derive(Event, Serialize, Deserialize)]
/// struct Count(usize);
///
/// let mut n_events = 0;
/// (vec![Word("a".into()), Word("b".into())], Count(2)).emit(&mut |_| n_events += 1);
/// assert_eq!(n_events, 3);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be emitted by a cached processor",
    label = "can't be written and brought back",
    note = "it must be an event with `#[derive(Event, Serialize, Deserialize)]`, a tuple, `Vec` or \
            `Option` of such, or `()`"
)]
pub trait Emits {
    /// Adds the types.
    fn declare(codecs: &mut Codecs);

    /// Hands the events on, in order.
    fn emit(self, to: &mut dyn FnMut(Event));
}

impl<T: Payload + Serialize + DeserializeOwned> Emits for T {
    fn declare(codecs: &mut Codecs) {
        codecs.add::<T>();
    }

    fn emit(self, to: &mut dyn FnMut(Event)) {
        to(self.into_event());
    }
}

impl Emits for Dynamic {
    fn declare(_: &mut Codecs) {}

    fn emit(self, to: &mut dyn FnMut(Event)) {
        to(self.into_event());
    }
}

impl<E: Emits> Emits for Option<E> {
    fn declare(codecs: &mut Codecs) {
        E::declare(codecs);
    }

    fn emit(self, to: &mut dyn FnMut(Event)) {
        if let Some(emitted) = self {
            emitted.emit(to);
        }
    }
}

impl<E: Emits> Emits for Vec<E> {
    fn declare(codecs: &mut Codecs) {
        E::declare(codecs);
    }

    fn emit(self, to: &mut dyn FnMut(Event)) {
        for emitted in self {
            emitted.emit(to);
        }
    }
}

impl Emits for () {
    fn declare(_: &mut Codecs) {}

    fn emit(self, _: &mut dyn FnMut(Event)) {}
}

macro_rules! tuples {
    ($($($one:ident $value:ident),+;)*) => {
        $(impl<$($one: Emits),+> Emits for ($($one,)+) {
            fn declare(codecs: &mut Codecs) {
                $($one::declare(codecs);)+
            }

            fn emit(self, to: &mut dyn FnMut(Event)) {
                let ($($value,)+) = self;
                $($value.emit(to);)+
            }
        })*
    };
}
tuples! {
    A a;
    A a, B b;
    A a, B b, C c;
    A a, B b, C c, D d;
    A a, B b, C c, D d, E e;
    A a, B b, C c, D d, E e, F f;
    A a, B b, C c, D d, E e, F f, G g;
    A a, B b, C c, D d, E e, F f, G g, H h;
}
