//! The tree that canonical bytes decode to.
//!
//! Owns its two faces towards serde: the exact one, which the digest reads back as what it was,
//! and the plain one for printing. Refuses to check itself: a tree built by hand with a NaN or with
//! equal keys is a value like any other, and its digest an error like any other.

use serde::ser::SerializeTuple;
use serde::{Serialize, Serializer};

use super::decode::decode_value;
use super::format::tag;
use super::set;

/// A value as the digest sees it: serde's data model with everything taken out that doesn't count.
///
/// [`decode`](super::decode) makes one; `Serialize` gives it to [`encode`](super::encode()) and
/// [`Digest::of`](super::Digest::of) as exactly the value it came from. For other formats use
/// [`plain`](Canonical::plain): serde has no call for a struct whose name isn't known to the
/// compiler, so a named value goes out under a reserved newtype name, as a tuple of its parts.
///
/// Equality is by value and therefore says that `0.0` is `-0.0`; their digests differ.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Canonical {
    /// `()`, and JSON's null.
    Unit,
    /// `None`.
    None,
    /// `Some` of a value.
    Some(Box<Canonical>),
    /// A truth value.
    Bool(bool),
    /// An integer of any width; those below zero are `Signed`.
    Unsigned(u128),
    /// An integer below zero; of other ones, too, only the value counts.
    Signed(i128),
    /// A finite float of either width.
    Float(f64),
    /// A character.
    Char(char),
    /// A string.
    Str(String),
    /// Bytes, as `serialize_bytes` gives them.
    Bytes(Vec<u8>),
    /// A sequence, tuple or array.
    Seq(Vec<Canonical>),
    /// A marked set; in canonical order when decoded.
    Set(Vec<Canonical>),
    /// A map; in canonical order when decoded.
    Map(Vec<(Canonical, Canonical)>),
    /// A struct or an enum variant.
    Named(Box<Named>),
}

/// A struct, or a variant of an enum.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The name of the struct or enum.
    pub name: String,
    /// The name of the variant, for an enum.
    pub variant: Option<String>,
    /// What it holds.
    pub body: Body,
}

/// What a struct or variant holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Body {
    /// Nothing.
    Unit,
    /// One value without a name.
    Newtype(Canonical),
    /// Values without names.
    Tuple(Vec<Canonical>),
    /// Values with names; in canonical order when decoded.
    Fields(Vec<(String, Canonical)>),
}

/// The reserved newtype names that stand for the tags of named values: their parts are inside.
pub(super) const PART_NAMES: [(u8, &str); 8] = [
    (tag::UNIT_STRUCT, "$selvedge::digest::unit_struct"),
    (tag::NEWTYPE_STRUCT, "$selvedge::digest::newtype_struct"),
    (tag::TUPLE_STRUCT, "$selvedge::digest::tuple_struct"),
    (tag::STRUCT, "$selvedge::digest::struct"),
    (tag::UNIT_VARIANT, "$selvedge::digest::unit_variant"),
    (tag::NEWTYPE_VARIANT, "$selvedge::digest::newtype_variant"),
    (tag::TUPLE_VARIANT, "$selvedge::digest::tuple_variant"),
    (tag::STRUCT_VARIANT, "$selvedge::digest::struct_variant"),
];

impl Canonical {
    /// The value as other formats should show it: structs as maps, variants as serde's derive
    /// represents them by default, newtypes as what they hold.
    ///
    /// # Examples
    ///
    /// ```
    /// use selvedge_event::digest;
    ///
    /// #[derive(serde::Serialize)]
    /// enum Shape {
    ///     Circle { radius: f64 },
    /// }
    ///
    /// let bytes = digest::encode(&Shape::Circle { radius: 2.5 })?;
    /// let shape = digest::decode(&bytes)?;
    /// assert_eq!(serde_json::to_string(&shape.plain())?, r#"{"Circle":{"radius":2.5}}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn plain(&self) -> Plain<'_> {
        Plain(self)
    }

    /// Hands a value without parts to a serializer; gives back one that has parts.
    fn serialize_scalar<S: Serializer>(&self, serializer: S) -> Result<Result<S::Ok, S::Error>, S> {
        Ok(match self {
            Self::Unit => serializer.serialize_unit(),
            Self::None => serializer.serialize_none(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            // The narrow calls are the ones that every format knows.
            Self::Unsigned(number) => match u64::try_from(*number) {
                Ok(number) => serializer.serialize_u64(number),
                Err(_) => serializer.serialize_u128(*number),
            },
            Self::Signed(number) => match i64::try_from(*number) {
                Ok(number) => serializer.serialize_i64(number),
                Err(_) => serializer.serialize_i128(*number),
            },
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Char(char) => serializer.serialize_char(*char),
            Self::Str(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Some(_) | Self::Seq(_) | Self::Set(_) | Self::Map(_) | Self::Named(_) => {
                return Err(serializer);
            }
        })
    }
}

impl Serialize for Canonical {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let serializer = match self.serialize_scalar(serializer) {
            Ok(result) => return result,
            Err(serializer) => serializer,
        };
        match self {
            Self::Some(value) => serializer.serialize_some(value),
            Self::Seq(items) => serializer.collect_seq(items),
            Self::Set(items) => set::serialize(items, serializer),
            Self::Map(entries) => serializer.collect_map(pairs(entries)),
            Self::Named(named) => {
                let tag = named.tag();
                let reserved = PART_NAMES.iter().find(|(known, _)| *known == tag);
                let (_, reserved) = reserved.expect("every named tag has a reserved name");
                serializer.serialize_newtype_struct(reserved, &Parts(named))
            }
            _ => unreachable!("scalars are serialized above"),
        }
    }
}

/// The entries as `collect_map` takes them.
fn pairs<K, V>(entries: &[(K, V)]) -> impl ExactSizeIterator<Item = (&K, &V)> {
    entries.iter().map(|(key, value)| (key, value))
}

impl Named {
    fn tag(&self) -> u8 {
        let of_struct = match self.body {
            Body::Unit => tag::UNIT_STRUCT,
            Body::Newtype(_) => tag::NEWTYPE_STRUCT,
            Body::Tuple(_) => tag::TUPLE_STRUCT,
            Body::Fields(_) => tag::STRUCT,
        };
        match self.variant {
            None => of_struct,
            Some(_) => of_struct - tag::UNIT_STRUCT + tag::UNIT_VARIANT,
        }
    }
}

/// The parts of a named value in the order of its encoding.
struct Parts<'a>(&'a Named);

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Named { name, variant, body } = self.0;
        let length = 1 + usize::from(variant.is_some()) + usize::from(*body != Body::Unit);
        let mut parts = serializer.serialize_tuple(length)?;
        parts.serialize_element(name)?;
        if let Some(variant) = variant {
            parts.serialize_element(variant)?;
        }
        match body {
            Body::Unit => {}
            Body::Newtype(value) => parts.serialize_element(value)?,
            Body::Tuple(items) => parts.serialize_element(items)?,
            Body::Fields(fields) => parts.serialize_element(&Fields(fields))?,
        }
        parts.end()
    }
}

/// The fields of a struct as a map.
struct Fields<'a>(&'a [(String, Canonical)]);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(pairs(self.0))
    }
}

/// A [`Canonical`] value for formats other than the digest's; see [`Canonical::plain`].
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a>(&'a Canonical);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let serializer = match self.0.serialize_scalar(serializer) {
            Ok(result) => return result,
            Err(serializer) => serializer,
        };
        match self.0 {
            Canonical::Some(value) => serializer.serialize_some(&value.plain()),
            Canonical::Seq(items) | Canonical::Set(items) => {
                serializer.collect_seq(items.iter().map(Canonical::plain))
            }
            Canonical::Map(entries) => {
                serializer.collect_map(entries.iter().map(|(k, v)| (k.plain(), v.plain())))
            }
            Canonical::Named(named) => {
                let Named { variant, body, .. } = &**named;
                match (variant, body) {
                    (None, body) => PlainBody(body).serialize(serializer),
                    (Some(variant), Body::Unit) => serializer.serialize_str(variant),
                    (Some(variant), body) => serializer.collect_map([(variant, PlainBody(body))]),
                }
            }
            _ => unreachable!("scalars are serialized above"),
        }
    }
}

/// What a named value holds, without the names.
struct PlainBody<'a>(&'a Body);

impl Serialize for PlainBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Body::Unit => serializer.serialize_unit(),
            Body::Newtype(value) => value.plain().serialize(serializer),
            Body::Tuple(items) => serializer.collect_seq(items.iter().map(Canonical::plain)),
            Body::Fields(fields) => {
                serializer.collect_map(fields.iter().map(|(name, value)| (name, value.plain())))
            }
        }
    }
}

/// Shows an encoding without its version byte, short enough for an error message.
pub(super) fn describe(encoding: &[u8]) -> String {
    const CHARS_MAX: usize = 32;
    let text = match decode_value(encoding) {
        Ok(Canonical::Str(text)) => format!("{text:?}"),
        Ok(value) => serde_json::to_string(&value.plain()).unwrap_or_else(|_| format!("{value:?}")),
        Err(error) => unreachable!("a walk wrote bytes that don't decode: {error}"),
    };
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
