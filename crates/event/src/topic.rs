//! Owns what an event is called and what a processor asks for: `Kind`, `Name`, `Key`, `Topic`,
//! `Interest`, `Interests`. Refuses to know who listens: that is the runtime's routing table.

use std::any::TypeId;
use std::fmt;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use crate::payload::Payload;
use crate::text::Text;

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Text);

        impl $name {
            /// Wraps a literal without copying it.
            #[must_use]
            pub const fn literal(text: &'static str) -> $name {
                $name(Text::literal(text))
            }

            /// The characters.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> $name {
                $name(Text::from(text))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> $name {
                $name(Text::from(text))
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

text_newtype! {
    /// What an event is: `<package>::<Type>` for a derived payload, free text for a dynamic one.
    ///
    /// Stable across builds and machines, unlike Rust's `TypeId`.
    Kind
}

text_newtype! {
    /// What an event is called. Defaults to its kind; [`Named`](crate::Named) gives another.
    Name
}

impl From<&Name> for Text {
    fn from(name: &Name) -> Text {
        name.0.clone()
    }
}

impl From<Kind> for Name {
    fn from(kind: Kind) -> Name {
        Name(kind.0)
    }
}

/// Whom an event concerns, among the processors that hear its kind: a shard, a target, a tenant.
///
/// ```
/// use selvedge_event::Key;
/// assert_eq!(Key::from(7), Key::from(7_u64));
/// assert_ne!(Key::from(7), Key::from("7"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum Key {
    /// A number; integers of every width and sign meet here.
    Number(i128),
    /// A word.
    Text(Text),
}

/// By hand: what serde derives for an untagged enum reads no integer of 128 bits.
impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_any(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key: an integer or a string")
    }
    fn visit_i64<E>(self, number: i64) -> Result<Key, E> {
        Ok(Key::from(number))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Key, E> {
        Ok(Key::from(number))
    }
    fn visit_i128<E>(self, number: i128) -> Result<Key, E> {
        Ok(Key::Number(number))
    }
    fn visit_str<E>(self, text: &str) -> Result<Key, E> {
        Ok(Key::from(text))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Number(number) => number.fmt(f),
            Key::Text(text) => text.fmt(f),
        }
    }
}

macro_rules! key_from {
    ($($from:ty => |$value:ident| $key:expr),* $(,)?) => {
        $(impl From<$from> for Key {
            fn from($value: $from) -> Key {
                $key
            }
        })*
    };
}

key_from! {
    u8 => |n| Key::Number(n.into()),
    u16 => |n| Key::Number(n.into()),
    u32 => |n| Key::Number(n.into()),
    u64 => |n| Key::Number(n.into()),
    usize => |n| Key::Number(n as i128),
    i8 => |n| Key::Number(n.into()),
    i16 => |n| Key::Number(n.into()),
    i32 => |n| Key::Number(n.into()),
    i64 => |n| Key::Number(n.into()),
    isize => |n| Key::Number(n as i128),
    &str => |text| Key::Text(Text::from(text)),
    String => |text| Key::Text(Text::from(text)),
    &String => |text| Key::Text(Text::from(text.as_str())),
    Text => |text| Key::Text(text),
    &Text => |text| Key::Text(text.clone()),
    &Name => |name| Key::Text(name.0.clone()),
    &Key => |key| key.clone(),
}

macro_rules! key_from_ref {
    ($($from:ty),*) => {
        $(impl From<&$from> for Key {
            fn from(number: &$from) -> Key {
                Key::from(*number)
            }
        })*
    };
}

key_from_ref!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

/// Where an event goes: its kind, its name and, if it carries one, its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Topic {
    /// What the event is.
    pub kind: Kind,
    /// What it is called.
    pub name: Name,
    /// Whom it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if self.name.as_str() != self.kind.as_str() {
            write!(f, " \"{}\"", self.name)?;
        }
        match &self.key {
            Some(key) => write!(f, " [{key}]"),
            None => Ok(()),
        }
    }
}

/// What a processor asks to hear: a kind or any, a name or any, a key or any.
///
/// An interest in a kind also hears the kinds that extend it.
///
/// ```
/// use selvedge_event::{Interest, Kind, Name, Topic};
/// let topic = Topic { kind: Kind::from("shop::Sold"), name: Name::from("tea"), key: None };
/// assert!(Interest::any().named("tea").hears(&topic, &[]));
/// assert!(Interest::kind("shop::Traded").hears(&topic, &[Kind::from("shop::Traded")]));
/// assert!(!Interest::kind("shop::Sold").named("coffee").hears(&topic, &[]));
/// assert!(!Interest::any().keyed(3).hears(&topic, &[]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interest {
    kind: Option<Kind>,
    name: Option<Name>,
    key: Option<Key>,
    payload: Option<PayloadType>,
}

/// The Rust type behind an interest, for the checks at build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PayloadType {
    id: TypeId,
    name: &'static str,
    carries_key: bool,
}

impl Interest {
    /// An interest in every event, to be narrowed by [`named`](Self::named) or
    /// [`keyed`](Self::keyed).
    #[must_use]
    pub const fn any() -> Interest {
        Interest { kind: None, name: None, key: None, payload: None }
    }

    /// An interest in events whose payload is a `T` or extends it.
    #[must_use]
    pub fn of<T: Payload>() -> Interest {
        let payload = PayloadType {
            id: TypeId::of::<T>(),
            name: std::any::type_name::<T>(),
            carries_key: T::CARRIES_KEY,
        };
        Interest { kind: Some(T::kind()), payload: Some(payload), ..Interest::any() }
    }

    /// An interest in a kind known only at run time.
    #[must_use]
    pub fn kind(kind: impl Into<Kind>) -> Interest {
        Interest { kind: Some(kind.into()), ..Interest::any() }
    }

    /// Narrows to events of this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<Name>) -> Interest {
        self.name = Some(name.into());
        self
    }

    /// Narrows to events that carry this key.
    #[must_use]
    pub fn keyed(mut self, key: impl Into<Key>) -> Interest {
        self.key = Some(key.into());
        self
    }

    /// Whether an event of this topic, whose kind extends `ancestors`, is heard.
    #[must_use]
    pub fn hears(&self, topic: &Topic, ancestors: &[Kind]) -> bool {
        let kind =
            self.kind.as_ref().is_none_or(|kind| *kind == topic.kind || ancestors.contains(kind));
        let name = self.name.as_ref().is_none_or(|name| *name == topic.name);
        kind && name && (self.key.is_none() || self.key == topic.key)
    }

    /// The kind asked for, or `None` for any.
    #[must_use]
    pub fn asked_kind(&self) -> Option<&Kind> {
        self.kind.as_ref()
    }

    /// The name asked for, or `None` for any.
    #[must_use]
    pub fn asked_name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// The key asked for, or `None` for any.
    #[must_use]
    pub fn asked_key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// The Rust type asked for and its name, when the interest was made by [`of`](Self::of).
    #[must_use]
    pub fn payload_type(&self) -> Option<(TypeId, &'static str)> {
        self.payload.map(|payload| (payload.id, payload.name))
    }

    /// Whether events of the type asked for carry a key of their own.
    #[must_use]
    pub fn carries_key(&self) -> bool {
        self.payload.is_some_and(|payload| payload.carries_key)
    }
}

impl fmt::Display for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.as_ref().map_or("any", Kind::as_str);
        f.write_str(kind)?;
        if let Some(name) = &self.name {
            write!(f, " \"{name}\"")?;
        }
        match &self.key {
            Some(key) => write!(f, " [{key}]"),
            None => Ok(()),
        }
    }
}

/// A place in the user's code, for messages that point at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceSpot {
    /// The file, as the compiler names it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl fmt::Display for SourceSpot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// All that one processor hears.
///
/// ```
/// use selvedge_event::{Interest, Interests};
/// let narrow = Interests::listed([Interest::kind("shop::Sold")]);
/// assert!(narrow.catch_all().is_none());
/// assert!(Interests::everything().catch_all().is_some());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interests {
    listed: Vec<Interest>,
    catch_all: Option<CatchAll>,
}

/// Why a processor hears every event although it named none, or not only those it named.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatchAll {
    /// The arm or expression that looks at every event, if the macro saw one.
    pub spot: Option<SourceSpot>,
}

impl Interests {
    /// Exactly these.
    #[must_use]
    pub fn listed(listed: impl IntoIterator<Item = Interest>) -> Interests {
        Interests { listed: listed.into_iter().collect(), catch_all: None }
    }

    /// Nothing could be inferred: every event, but those of the lifecycle.
    #[must_use]
    pub fn everything() -> Interests {
        Interests { listed: Vec::new(), catch_all: Some(CatchAll { spot: None }) }
    }

    /// Adds every event that is not listed, because of the code at `spot`.
    #[must_use]
    pub fn and_everything(mut self, spot: SourceSpot) -> Interests {
        self.catch_all = Some(CatchAll { spot: Some(spot) });
        self
    }

    /// Narrows the interests in payloads that carry a key to this key; others stay as they are.
    #[must_use]
    pub fn keyed(mut self, key: &Key) -> Interests {
        for interest in &mut self.listed {
            if interest.carries_key() && interest.key.is_none() {
                interest.key = Some(key.clone());
            }
        }
        self
    }

    /// The interests named one by one.
    #[must_use]
    pub fn as_slice(&self) -> &[Interest] {
        &self.listed
    }

    /// Set when the processor hears every event.
    #[must_use]
    pub fn catch_all(&self) -> Option<&CatchAll> {
        self.catch_all.as_ref()
    }

    /// Whether no event can ever be heard.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty() && self.catch_all.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_return_from_json() {
        for key in [Key::from(7_u8), Key::from(-1), Key::from(u64::MAX), Key::from("north")] {
            let json = serde_json::to_string(&key).expect("keys are numbers or strings");
            assert_eq!(serde_json::from_str::<Key>(&json).expect("what was written"), key);
        }
        let refused = serde_json::from_str::<Key>("[7]").expect_err("a list is no key");
        assert!(refused.to_string().contains("a key: an integer or a string"), "{refused}");
    }
}
