//! Owns the way of an event into JSON and back: what archives keep. Refuses events of types that
//! were not declared, since nothing in the bytes could bring their Rust type back.

mod emits;

use std::any::{TypeId, type_name};
use std::error::Error;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::digest::{Digest, DigestError};
use crate::dynamic::Dynamic;
use crate::event::{Event, Named};
use crate::payload::Payload;
use crate::topic::{Key, Kind, Name, Topic};

pub use emits::Emits;

/// The types that can be brought back from what was written of them.
///
/// ```
/// use selvedge_event::codec::Codecs;
/// use selvedge_event::{Event, Named};
///
/// #[derive(Event, serde::Serialize, serde::Deserialize)]
/// struct Sold { price: u32 }
///
/// let codecs = Codecs::of::<Sold>();
/// let encoded = codecs.encode(&Event::new(Named("tea", Sold { price: 3 })))?;
/// let decoded = codecs.decode(&encoded)?;
/// assert_eq!(decoded.payload::<Sold>().map(|sold| sold.price), Some(3));
/// assert_eq!(decoded.name(), "tea");
/// # Ok::<(), selvedge_event::codec::CodecError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Codecs(Vec<Codec>);

/// How one type is brought back.
#[derive(Clone)]
struct Codec {
    kind: Kind,
    version: u32,
    payload: TypeId,
    type_name: &'static str,
    decode: fn(&str, Option<Name>) -> serde_json::Result<Event>,
    upgrade: Upgrade,
}

/// From a version and its JSON to an event of this name, if the type reads older versions.
type Upgrade = fn(u32, &str, Option<Name>) -> Option<Result<Event, BoxError>>;
type BoxError = Box<dyn Error + Send + Sync>;

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}", self.kind, self.type_name)
    }
}

/// An event as it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Encoded {
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Name>,
    /// Of a dynamic event: a typed one has its key in its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Key>,
    /// Whether it holds a Rust type, and which version of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    digest: Digest,
    value: Box<RawValue>,
}

impl Encoded {
    /// The digest of the event's payload.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// Why an event can't be written, or brought back.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Nothing says how to bring the event's type back.
    #[error(
        "{topic} is of a type that was not declared: add it to what is emitted, which is {declared}"
    )]
    Undeclared {
        /// What the event is.
        topic: Box<Topic>,
        /// The types that were.
        declared: String,
    },
    /// The value has no digest.
    #[error("{topic} can't be kept")]
    NoDigest {
        /// What the event is.
        topic: Box<Topic>,
        /// Why.
        source: DigestError,
    },
    /// JSON can't hold the value.
    #[error("{topic} can't be written as JSON")]
    NotWritable {
        /// What the event is.
        topic: Box<Topic>,
        /// Why.
        source: serde_json::Error,
    },
    /// What is written is no value of the type.
    #[error("what is written of `{kind}` can't be read as `{type_name}`")]
    Unreadable {
        /// The kind.
        kind: Kind,
        /// The type.
        type_name: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// The type had another version when it was written.
    #[error("`{kind}` is written in version {written}, and the program has version {current}")]
    OtherVersion {
        /// The kind.
        kind: Kind,
        /// The version written.
        written: u32,
        /// The type's.
        current: u32,
    },
    /// The type reads older versions, but not this one, or not this value.
    #[error("`{kind}` is written in version {written}, and can't be made one of {current}")]
    NotUpgraded {
        /// The kind.
        kind: Kind,
        /// The version written.
        written: u32,
        /// The type's.
        current: u32,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The value brought back is another one.
    #[error(
        "`{kind}` comes back as {found}, but was written as {written}: the bytes are damaged, or \
         the type doesn't read what it writes"
    )]
    Changed {
        /// The kind.
        kind: Kind,
        /// What was written.
        written: Digest,
        /// What was brought back.
        found: Digest,
    },
}

impl Codecs {
    /// For what a processor emits.
    #[must_use]
    pub fn of<E: Emits>() -> Codecs {
        let mut codecs = Codecs::default();
        E::declare(&mut codecs);
        codecs
    }

    /// Adds a type.
    fn add<T: Payload + Serialize + DeserializeOwned>(&mut self) {
        self.0.push(Codec {
            kind: T::kind(),
            version: T::VERSION,
            payload: TypeId::of::<T>(),
            type_name: type_name::<T>(),
            decode: |value, name| {
                let payload: T = serde_json::from_str(value)?;
                Ok(named(payload, name))
            },
            upgrade: |version, value, name| {
                let payload = T::upgrade(version, value)?;
                Some(payload.map(|payload| named(payload, name)))
            },
        });
    }

    fn names(&self) -> String {
        match &self.0[..] {
            [] => "nothing so far".to_owned(),
            codecs => {
                let names: Vec<_> =
                    codecs.iter().map(|codec| format!("`{}`", codec.kind)).collect();
                names.join(", ")
            }
        }
    }

    /// Writes an event.
    ///
    /// # Errors
    ///
    /// Its type was not declared, its value has no digest, or JSON can't hold it.
    pub fn encode(&self, event: &Event) -> Result<Encoded, CodecError> {
        let (kind, topic) = (event.kind(), || Box::new(event.topic()));
        let codec = match event.payload_type() {
            None => None,
            Some(payload) => match self.0.iter().find(|codec| codec.payload == payload) {
                Some(codec) => Some(codec),
                None => {
                    return Err(CodecError::Undeclared { topic: topic(), declared: self.names() });
                }
            },
        };
        let digest = event.payload_digest();
        let digest = digest.map_err(|source| CodecError::NoDigest { topic: topic(), source })?;
        let value = event.to_raw_json();
        let value = value.map_err(|source| CodecError::NotWritable { topic: topic(), source })?;
        let name = Some(event.name()).filter(|name| name.as_str() != kind.as_str());
        let key = event.key().filter(|_| codec.is_none());
        Ok(Encoded { kind, name, key, version: codec.map(|codec| codec.version), digest, value })
    }

    /// Brings an event back, and makes sure that it is the one that was written; of one in an
    /// older version of its type that can't be told, and it has another digest.
    ///
    /// # Errors
    ///
    /// The bytes are damaged, or the type is another than it was and doesn't read what it was.
    pub fn decode(&self, encoded: &Encoded) -> Result<Event, CodecError> {
        let Encoded { kind, name, key, version, digest, value } = encoded;
        let unreadable = |type_name| {
            let kind = kind.clone();
            move |source| CodecError::Unreadable { kind, type_name, source }
        };
        let event = match version {
            None => {
                let value = serde_json::from_str(value.get());
                let value: serde_json::Value = value.map_err(unreadable("a JSON value"))?;
                let mut dynamic = Dynamic::new(kind.clone(), value);
                (dynamic.name, dynamic.key) = (name.clone(), key.clone());
                Event::new(dynamic)
            }
            Some(written) => {
                let Some(codec) = self.0.iter().find(|codec| codec.kind == *kind) else {
                    let topic = Topic { kind: kind.clone(), name: kind.clone().into(), key: None };
                    let (topic, declared) = (Box::new(topic), self.names());
                    return Err(CodecError::Undeclared { topic, declared });
                };
                if codec.version != *written {
                    return codec.upgraded(encoded, *written);
                }
                let decoded = (codec.decode)(value.get(), name.clone());
                decoded.map_err(unreadable(codec.type_name))?
            }
        };
        match event.payload_digest() {
            Ok(found) if found == *digest => Ok(event),
            Ok(found) => Err(CodecError::Changed { kind: kind.clone(), written: *digest, found }),
            Err(source) => Err(CodecError::NoDigest { topic: Box::new(event.topic()), source }),
        }
    }
}

impl Codec {
    /// Brings back what was written in another version.
    fn upgraded(&self, encoded: &Encoded, written: u32) -> Result<Event, CodecError> {
        let (kind, current) = (encoded.kind.clone(), self.version);
        let upgraded = match written < current {
            true => (self.upgrade)(written, encoded.value.get(), encoded.name.clone()),
            false => None,
        };
        let Some(upgraded) = upgraded else {
            return Err(CodecError::OtherVersion { kind, written, current });
        };
        let event = upgraded.map_err(|source| CodecError::NotUpgraded {
            kind,
            written,
            current,
            source,
        })?;
        match event.payload_digest() {
            Ok(_) => Ok(event),
            Err(source) => Err(CodecError::NoDigest { topic: Box::new(event.topic()), source }),
        }
    }
}

fn named<T: Payload>(payload: T, name: Option<Name>) -> Event {
    match name {
        Some(name) => Event::new(Named(name, payload)),
        None => Event::new(payload),
    }
}

#[cfg(test)]
mod tests;
