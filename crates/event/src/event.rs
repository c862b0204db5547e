//! Owns `Event`, the immutable envelope every pipeline moves, and the ways to make one.
//! Refuses to show its layout: how an event is stored is free to change under this interface.

mod inline;
mod packet;
mod way;

use std::any::{Any, TypeId};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::digest::{Digest, DigestError, DigestProblem};
use crate::dynamic::Dynamic;
use crate::payload::Payload;
use crate::topic::{Key, Kind, Name, Topic};
use inline::Inline;
use packet::{Kept, Loose, Packet, Renamed, Title};

pub use way::Way;

/// One thing that happened: immutable, cheap to clone, routed by its topic.
///
/// A payload of at most 16 bytes that is `Copy` lies in the event itself: making such an event
/// allocates nothing, cloning copies a few words, dropping does nothing. Every other payload is
/// shared by the event's clones.
///
/// ```
/// use selvedge_event::{Dynamic, Event, Kind, Payload};
///
/// struct Sold { price: u32 }
/// impl Payload for Sold {
///     fn kind() -> Kind { Kind::literal("shop::Sold") }
/// }
///
/// let typed = Event::new(Sold { price: 3 });
/// assert_eq!(typed.payload::<Sold>().unwrap().price, 3);
/// assert_eq!(typed.name(), "shop::Sold");
///
/// let value = serde_json::json!({"price": 3});
/// let dynamic = Event::new(Dynamic::new("shop::Sold", value).named("tea"));
/// assert_eq!(dynamic.kind(), typed.kind());
/// assert_eq!(dynamic.value().unwrap()["price"], 3);
/// ```
#[derive(Clone)]
pub struct Event {
    stored: Stored,
}

/// Where the payload is. The pointer in `Inline` is never null, so that null can say `Shared`.
#[derive(Clone)]
enum Stored {
    Inline(Inline),
    Shared(Arc<dyn Packet>),
}

const _: () = assert!(size_of::<Event>() == 24, "an event is three words");

/// What an event is made from: a payload, a [`Named`] one, a [`Dynamic`] one, or an event received.
pub trait IntoEvent {
    /// Makes the event.
    fn into_event(self) -> Event;

    /// What [`Event::way`] says of the event that this makes, if that is known before; an event is
    /// routed the sooner for it. Who says something else misleads the event.
    #[must_use]
    fn way(&self) -> Option<Way> {
        None
    }
}

impl<T: Payload> IntoEvent for T {
    #[inline]
    fn into_event(self) -> Event {
        match Inline::new(self) {
            Ok(inline) => Event { stored: Stored::Inline(inline) },
            Err(payload) => Event::shared(Kept::new(payload)),
        }
    }

    #[inline]
    fn way(&self) -> Option<Way> {
        Some(Way::of::<T>())
    }
}

impl IntoEvent for Event {
    #[inline]
    fn into_event(self) -> Event {
        self
    }

    #[inline]
    fn way(&self) -> Option<Way> {
        Event::way(self)
    }
}

/// A payload under a name of its own instead of its kind's.
///
/// ```
/// use selvedge_event::{Event, Kind, Named, Payload};
/// struct Start;
/// impl Payload for Start {
///     fn kind() -> Kind { Kind::literal("app::Start") }
/// }
/// let event = Event::new(Named("reload", Start));
/// assert_eq!(event.to_string(), "app::Start \"reload\"");
/// ```
///
/// A name that is known when the program is written is best a `static`, and given by reference.
/// Such events are routed as fast as those under their default names, without looking at the name;
/// and if the payload is `Copy`, not larger than a word, nor more strictly aligned, it lies in the
/// event itself with a reference to the name, and nothing is allocated. Under any other name, or
/// if it is larger, the payload is shared by the event's clones; any other name is looked up when
/// the event is sent, and one made of a `&str` is copied as well.
///
/// ```
/// use selvedge_event::{Event, Name, Named, Phase};
/// static STAGE: Name = Name::literal("stage");
/// let event = Event::new(Named(&STAGE, Phase { number: 1 }));
/// assert_eq!(event.name(), "stage");
/// assert_eq!(event.bytes(), size_of::<Event>());
/// ```
#[derive(Clone, Debug)]
pub struct Named<N, T>(pub N, pub T);

impl<N: Into<Name>, T: Payload> IntoEvent for Named<N, T> {
    fn into_event(self) -> Event {
        Event::shared(Renamed::new(Title::Own(self.0.into()), self.1))
    }
}

impl<T: Payload> IntoEvent for Named<&'static Name, T> {
    #[inline]
    fn into_event(self) -> Event {
        match Inline::titled(self.0, self.1) {
            Ok(inline) => Event { stored: Stored::Inline(inline) },
            Err((name, payload)) => Event::shared(Renamed::new(Title::Static(name), payload)),
        }
    }

    #[inline]
    fn way(&self) -> Option<Way> {
        Some(Way::under::<T>(self.0))
    }
}

impl IntoEvent for Dynamic {
    fn into_event(self) -> Event {
        Event::shared(Loose::new(self))
    }
}

impl Event {
    /// Makes an event from anything that can be one.
    #[inline]
    pub fn new(source: impl IntoEvent) -> Event {
        source.into_event()
    }

    fn shared(packet: impl Packet) -> Event {
        Event { stored: Stored::Shared(Arc::new(packet)) }
    }

    /// Whether the payload lies in the event itself, small and `Copy`: then looking at it costs a
    /// comparison, and a clone shares nothing with the event.
    ///
    /// ```
    /// use selvedge_event::{Dynamic, Event, Init};
    /// assert!(Event::new(Init).is_inline());
    /// assert!(!Event::new(Dynamic::new("text", "x")).is_inline());
    /// ```
    #[inline]
    #[must_use]
    pub fn is_inline(&self) -> bool {
        matches!(self.stored, Stored::Inline(_))
    }

    /// What it holds, for the questions that are not worth a way of their own.
    fn packet(&self) -> &dyn Packet {
        match &self.stored {
            Stored::Inline(inline) => inline.packet(),
            Stored::Shared(packet) => &**packet,
        }
    }

    /// What the event is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.packet().kind()
    }

    /// What it is called: its kind, unless it was given another name.
    #[must_use]
    pub fn name(&self) -> Name {
        self.packet().name().cloned().unwrap_or_else(|| self.kind().into())
    }

    /// Whom it concerns.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        self.packet().key()
    }

    /// Kind, name and key together.
    #[must_use]
    pub fn topic(&self) -> Topic {
        Topic { kind: self.kind(), name: self.name(), key: self.key() }
    }

    /// The kinds that its own extends, nearest first.
    #[must_use]
    pub fn ancestors(&self) -> Vec<Kind> {
        self.packet().ancestors()
    }

    /// Whether its kind extends any other: what [`ancestors`](Self::ancestors) would say, without
    /// making a list.
    #[inline]
    #[must_use]
    pub fn extends_others(&self) -> bool {
        match &self.stored {
            Stored::Inline(inline) => inline.extends_others(),
            Stored::Shared(packet) => packet.extends_others(),
        }
    }

    /// The payload, if it is a `T` or extends it.
    #[inline]
    #[must_use]
    pub fn payload<T: Payload>(&self) -> Option<&T> {
        match &self.stored {
            Stored::Inline(inline) => match inline.payload() {
                None if inline.extends_others() => seen_as(inline.packet()),
                payload => payload,
            },
            Stored::Shared(packet) => shared_payload(packet),
        }
    }

    /// Whether [`payload`](Self::payload) would find a `T`.
    #[inline]
    #[must_use]
    pub fn is<T: Payload>(&self) -> bool {
        self.payload::<T>().is_some()
    }

    /// The value of a dynamic event.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        self.packet().value()
    }

    /// The payload as a JSON value; `None` when its type is not serializable, or holds what JSON
    /// can't.
    ///
    /// ```
    /// use selvedge_event::{Dynamic, Event};
    /// let event = Event::new(Dynamic::new("shop::Sold", 3));
    /// assert_eq!(event.to_json(), Some(3.into()));
    /// ```
    #[must_use]
    pub fn to_json(&self) -> Option<Value> {
        serde_json::to_value(self.packet().encodable()?).ok()
    }

    /// The payload in JSON, exactly as its type writes itself.
    pub(crate) fn to_raw_json(&self) -> serde_json::Result<Box<RawValue>> {
        match self.packet().encodable() {
            Some(value) => to_raw_value(value),
            None => Err(serde::ser::Error::custom("its type is not serializable")),
        }
    }

    /// The way it goes, for a typed event under its default name or a static one.
    ///
    /// Such events, nearly all, are routed by this alone, without looking at strings.
    #[inline]
    #[must_use]
    pub fn way(&self) -> Option<Way> {
        match &self.stored {
            Stored::Inline(inline) => inline.way(),
            Stored::Shared(packet) => packet.way(),
        }
    }

    /// The payload's type, for a typed event under whatever name.
    #[inline]
    #[must_use]
    pub fn payload_type(&self) -> Option<TypeId> {
        match &self.stored {
            Stored::Inline(inline) => Some(inline.payload_type()),
            Stored::Shared(packet) => packet.payload_type(),
        }
    }

    /// The memory it takes: itself, what it shares with its clones, and what its type says it owns
    /// elsewhere. Limits in bytes count it.
    ///
    /// Costs as much as [`Payload::heap_bytes`]; nothing for a small payload, which has no
    /// elsewhere.
    ///
    /// ```
    /// use selvedge_event::{Dynamic, Event, Init};
    /// assert_eq!(Event::new(Init).bytes(), size_of::<Event>());
    /// assert!(Event::new(Dynamic::new("text", "x".repeat(1_000))).bytes() > 1_000);
    /// ```
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.stored {
            Stored::Inline(_) => size_of::<Event>(),
            Stored::Shared(packet) => {
                let counts = 2 * size_of::<usize>();
                size_of::<Event>() + counts + packet.bytes()
            }
        }
    }

    /// The content hash of the payload, and not of kind, name or key. A shared payload's is
    /// computed once; a small one's each time, as it costs less than a place for it would.
    ///
    /// # Errors
    ///
    /// [`DigestError`] when the payload's type is not serializable or the value has no digest.
    pub fn payload_digest(&self) -> Result<Digest, DigestError> {
        let cell = self.packet().digest_cell();
        if let Some(digest) = cell.and_then(OnceLock::get) {
            return Ok(**digest);
        }
        let digest = match self.packet().encodable() {
            Some(value) => Digest::of(value)?,
            None => return Err(DigestProblem::NotSerializable { kind: self.kind() }.into()),
        };
        Ok(cell.map_or(digest, |cell| **cell.get_or_init(|| Box::new(digest))))
    }

    /// This event as one that is known to hold a `T`, or the event back.
    ///
    /// # Errors
    ///
    /// The event itself, when its payload is not a `T`.
    pub fn typed<T: Payload>(self) -> Result<Typed<T>, Event> {
        if self.is::<T>() { Ok(Typed { event: self, payload: PhantomData }) } else { Err(self) }
    }
}

/// The payload as a `T`, by way of the form's own view: for what is not simply a `T`. Out of line,
/// so that the short ways stay short where they are used.
#[inline(never)]
fn seen_as<T: Payload>(packet: &dyn Packet) -> Option<&T> {
    packet.view(TypeId::of::<T>())?.downcast_ref()
}

/// The payload of a shared form as a `T`: nearly always it is one. Out of line as well: a caller
/// that saves registers for these calls would do so for a small payload too, which needs none.
#[inline(never)]
fn shared_payload<T: Payload>(packet: &Arc<dyn Packet>) -> Option<&T> {
    let form: &dyn Any = &**packet;
    if let Some(kept) = form.downcast_ref::<Kept<T>>() {
        return Some(kept.payload());
    }
    match form.downcast_ref::<Renamed<T>>() {
        Some(renamed) => Some(renamed.payload()),
        None => seen_as(&**packet),
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.topic().fmt(f)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({self}")?;
        match self.packet().encodable().map(serde_json::to_string) {
            Some(Ok(json)) => write!(f, " {})", Shortened(&json)),
            _ => f.write_str(")"),
        }
    }
}

/// A value printed for a message, which must stay readable whatever the value's size.
struct Shortened<'a>(&'a str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 120;
        match self.0.char_indices().nth(SHOWN_MAX) {
            Some((cut, _)) => write!(f, "{}…", &self.0[..cut]),
            None => f.write_str(self.0),
        }
    }
}

/// An event that is known to hold a `T`; reads as one.
#[derive(Clone)]
pub struct Typed<T> {
    event: Event,
    payload: PhantomData<fn() -> T>,
}

impl<T> Typed<T> {
    /// The event itself.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }
}

impl<T: Payload> Deref for Typed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.event.payload().expect("a typed event was checked when it was made")
    }
}

impl<T: Payload + fmt::Debug> fmt::Debug for Typed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
