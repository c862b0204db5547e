//! Owns `Event`, the immutable envelope every pipeline moves, and the ways to make one.
//! Refuses to show its layout: how an event is stored is free to change under this interface.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::digest::{Digest, DigestError, DigestProblem};
use crate::dynamic::Dynamic;
use crate::payload::Payload;
use crate::topic::{Key, Kind, Name, Topic};

/// One thing that happened: immutable, cheap to clone, routed by its topic.
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
    packet: Arc<dyn Packet>,
}

/// What an event is made from: a payload, a [`Named`] one, a [`Dynamic`] one, or an event received.
pub trait IntoEvent {
    /// Makes the event.
    fn into_event(self) -> Event;

    /// What [`Event::default_route`] says of every event made of this type, where the type alone
    /// decides it; an event is routed the sooner for it.
    #[must_use]
    fn default_route() -> Option<TypeId>
    where
        Self: Sized,
    {
        None
    }
}

impl<T: Payload> IntoEvent for T {
    fn into_event(self) -> Event {
        Event::from_packet(TypedPacket { digest: OnceLock::new(), payload: self })
    }

    fn default_route() -> Option<TypeId> {
        Some(TypeId::of::<T>())
    }
}

impl IntoEvent for Event {
    fn into_event(self) -> Event {
        self
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
#[derive(Clone, Debug)]
pub struct Named<N, T>(pub N, pub T);

impl<N: Into<Name>, T: Payload> IntoEvent for Named<N, T> {
    fn into_event(self) -> Event {
        Event::from_packet(NamedPacket {
            name: self.0.into(),
            inner: TypedPacket { digest: OnceLock::new(), payload: self.1 },
        })
    }
}

impl IntoEvent for Dynamic {
    fn into_event(self) -> Event {
        Event::from_packet(DynamicPacket { digest: OnceLock::new(), dynamic: self })
    }
}

impl Event {
    /// Makes an event from anything that can be one.
    pub fn new(source: impl IntoEvent) -> Event {
        source.into_event()
    }

    fn from_packet(packet: impl Packet) -> Event {
        Event { packet: Arc::new(packet) }
    }

    /// What the event is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.packet.kind()
    }

    /// What it is called: its kind, unless it was given another name.
    #[must_use]
    pub fn name(&self) -> Name {
        self.packet.name().cloned().unwrap_or_else(|| self.kind().into())
    }

    /// Whom it concerns.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        self.packet.key()
    }

    /// Kind, name and key together.
    #[must_use]
    pub fn topic(&self) -> Topic {
        Topic { kind: self.kind(), name: self.name(), key: self.key() }
    }

    /// The kinds that its own extends, nearest first.
    #[must_use]
    pub fn ancestors(&self) -> Vec<Kind> {
        self.packet.ancestors()
    }

    /// The payload, if it is a `T` or extends it.
    #[must_use]
    pub fn payload<T: Payload>(&self) -> Option<&T> {
        self.packet.view(TypeId::of::<T>())?.downcast_ref()
    }

    /// Whether [`payload`](Self::payload) would find a `T`.
    #[must_use]
    pub fn is<T: Payload>(&self) -> bool {
        self.payload::<T>().is_some()
    }

    /// The value of a dynamic event.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        self.packet.value()
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
        serde_json::to_value(self.packet.encodable()?).ok()
    }

    /// The payload's type, for a typed event under its default name.
    ///
    /// Such events, nearly all, are routed by this alone, without looking at strings.
    #[must_use]
    pub fn default_route(&self) -> Option<TypeId> {
        self.packet.default_route()
    }

    /// The payload's type, for a typed event under whatever name.
    #[must_use]
    pub fn payload_type(&self) -> Option<TypeId> {
        self.packet.payload_type()
    }

    /// The memory it holds: the value, and what its type says it owns elsewhere.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.packet.bytes()
    }

    /// The content hash of the payload, and not of kind, name or key; computed once.
    ///
    /// # Errors
    ///
    /// [`DigestError`] when the payload's type is not serializable or the value has no digest.
    pub fn payload_digest(&self) -> Result<Digest, DigestError> {
        if let Some(digest) = self.packet.digest_cell().get() {
            return Ok(**digest);
        }
        let digest = match self.packet.encodable() {
            Some(value) => Digest::of(value)?,
            None => return Err(DigestProblem::NotSerializable { kind: self.kind() }.into()),
        };
        Ok(**self.packet.digest_cell().get_or_init(|| Box::new(digest)))
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

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.topic().fmt(f)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({self}")?;
        match self.packet.encodable().map(serde_json::to_string) {
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

/// What an event holds, whatever its payload. Private: the layout is free to change.
trait Packet: Send + Sync + 'static {
    fn kind(&self) -> Kind;
    fn name(&self) -> Option<&Name>;
    fn key(&self) -> Option<Key>;
    fn ancestors(&self) -> Vec<Kind>;
    fn view(&self, wanted: TypeId) -> Option<&dyn std::any::Any>;
    fn value(&self) -> Option<&Value>;
    fn default_route(&self) -> Option<TypeId>;
    fn payload_type(&self) -> Option<TypeId>;
    fn bytes(&self) -> usize;
    fn encodable(&self) -> Option<&dyn erased_serde::Serialize>;
    fn digest_cell(&self) -> &OnceLock<Box<Digest>>;
}

struct TypedPacket<T> {
    digest: OnceLock<Box<Digest>>,
    payload: T,
}

impl<T: Payload> Packet for TypedPacket<T> {
    fn kind(&self) -> Kind {
        T::kind()
    }
    fn name(&self) -> Option<&Name> {
        None
    }
    fn key(&self) -> Option<Key> {
        self.payload.key()
    }
    fn ancestors(&self) -> Vec<Kind> {
        T::ancestors()
    }
    fn view(&self, wanted: TypeId) -> Option<&dyn std::any::Any> {
        self.payload.view(wanted)
    }
    fn value(&self) -> Option<&Value> {
        None
    }
    fn default_route(&self) -> Option<TypeId> {
        Some(TypeId::of::<T>())
    }
    fn payload_type(&self) -> Option<TypeId> {
        Some(TypeId::of::<T>())
    }
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.payload.heap_bytes()
    }
    fn encodable(&self) -> Option<&dyn erased_serde::Serialize> {
        self.payload.encodable()
    }
    fn digest_cell(&self) -> &OnceLock<Box<Digest>> {
        &self.digest
    }
}

struct NamedPacket<T> {
    name: Name,
    inner: TypedPacket<T>,
}

impl<T: Payload> Packet for NamedPacket<T> {
    fn kind(&self) -> Kind {
        self.inner.kind()
    }
    fn name(&self) -> Option<&Name> {
        Some(&self.name)
    }
    fn key(&self) -> Option<Key> {
        self.inner.key()
    }
    fn ancestors(&self) -> Vec<Kind> {
        self.inner.ancestors()
    }
    fn view(&self, wanted: TypeId) -> Option<&dyn std::any::Any> {
        self.inner.view(wanted)
    }
    fn value(&self) -> Option<&Value> {
        None
    }
    fn default_route(&self) -> Option<TypeId> {
        None
    }
    fn payload_type(&self) -> Option<TypeId> {
        self.inner.payload_type()
    }
    fn bytes(&self) -> usize {
        self.inner.bytes() + size_of::<Name>() + self.name.as_str().len()
    }
    fn encodable(&self) -> Option<&dyn erased_serde::Serialize> {
        self.inner.encodable()
    }
    fn digest_cell(&self) -> &OnceLock<Box<Digest>> {
        self.inner.digest_cell()
    }
}

struct DynamicPacket {
    digest: OnceLock<Box<Digest>>,
    dynamic: Dynamic,
}

impl Packet for DynamicPacket {
    fn kind(&self) -> Kind {
        self.dynamic.kind.clone()
    }
    fn name(&self) -> Option<&Name> {
        self.dynamic.name.as_ref()
    }
    fn key(&self) -> Option<Key> {
        self.dynamic.key.clone()
    }
    fn ancestors(&self) -> Vec<Kind> {
        Vec::new()
    }
    fn view(&self, _wanted: TypeId) -> Option<&dyn std::any::Any> {
        None
    }
    fn value(&self) -> Option<&Value> {
        Some(&self.dynamic.value)
    }
    fn default_route(&self) -> Option<TypeId> {
        None
    }
    fn payload_type(&self) -> Option<TypeId> {
        None
    }
    fn bytes(&self) -> usize {
        size_of::<Self>() + crate::dynamic::heap_bytes(&self.dynamic.value)
    }
    fn encodable(&self) -> Option<&dyn erased_serde::Serialize> {
        Some(&self.dynamic.value)
    }
    fn digest_cell(&self) -> &OnceLock<Box<Digest>> {
        &self.digest
    }
}
