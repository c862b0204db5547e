//! Sets: collections whose order is nobody's choice and must not count.
//!
//! serde reports a set as a sequence, in the order a hasher or the caller happened to give. This
//! module marks it, by a reserved newtype name that ordinary formats pass over, so that its digest
//! takes the elements in the order of their sub-digests. Refuses sets with equal elements.
//!
//! Mark a field with `#[serde(with = "selvedge_event::digest::set")]`, and a set deeper inside a
//! type, or a whole value, by wrapping it in [`Set`].
//!
//! # Examples
//!
//! ```
//! use std::collections::HashSet;
//!
//! use selvedge_event::{Digest, digest};
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Ticket {
//!     #[serde(with = "digest::set")]
//!     labels: HashSet<String>,
//! }
//!
//! let digest_of = |labels: [&str; 3]| {
//!     Digest::of(&Ticket { labels: labels.map(str::to_owned).into() })
//! };
//! assert_eq!(digest_of(["a", "b", "c"])?, digest_of(["c", "a", "b"])?);
//!
//! let one = Ticket { labels: ["urgent".to_owned()].into() };
//! assert_eq!(serde_json::to_string(&one)?, r#"{"labels":["urgent"]}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::SeqAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The newtype name that marks a set. No identifier can clash with it.
pub(super) const NAME: &str = "$selvedge::digest::set";

/// A set anywhere in a value: `HashMap<String, Set<HashSet<u32>>>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set<C>(pub C);

/// Serializes a collection as a set: any type that serde reports as a sequence.
///
/// # Errors
///
/// Those of the serializer. For a digest, that includes equal elements and a `set` that isn't
/// reported as a sequence.
pub fn serialize<C, S>(set: &C, serializer: S) -> Result<S::Ok, S::Error>
where
    C: Serialize + ?Sized,
    S: Serializer,
{
    serializer.serialize_newtype_struct(NAME, set)
}

/// Deserializes a collection from a sequence.
///
/// # Errors
///
/// Those of the deserializer and of the collection.
pub fn deserialize<'de, C, D>(deserializer: D) -> Result<C, D::Error>
where
    C: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_newtype_struct(NAME, SetVisitor(PhantomData))
}

/// Takes the collection with or without its wrapper, as the format has it.
struct SetVisitor<C>(PhantomData<C>);

impl<'de, C: Deserialize<'de>> de::Visitor<'de> for SetVisitor<C> {
    type Value = C;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a set, as a sequence")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<C, D::Error> {
        C::deserialize(inner)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, items: A) -> Result<C, A::Error> {
        C::deserialize(SeqAccessDeserializer::new(items))
    }
}

impl<C: Serialize> Serialize for Set<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

impl<'de, C: Deserialize<'de>> Deserialize<'de> for Set<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}
