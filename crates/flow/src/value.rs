//! Owns values between nodes: what a Rust type must offer to be one, and the erased, shared form in
//! which a run keeps them.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, OnceLock};

use selvedge_event::{Digest, DigestError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What can flow between nodes: anything that serde reads and writes, owns what it holds, and may
/// be shared between threads. Implemented for all such types.
///
/// A value is known by its [digest](selvedge_event::digest); one that has none, such as a NaN,
/// fails the node that made it.
pub trait Value: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Value for T {}

/// A value whose type is known to those who made it and those who read it.
pub(crate) trait AnyValue: Any + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn digest(&self) -> Result<Digest, DigestError>;
    fn to_json(&self) -> serde_json::Result<Vec<u8>>;
}

impl<T: Value> AnyValue for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn digest(&self) -> Result<Digest, DigestError> {
        Digest::of(self)
    }

    fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

/// A value in a run, with its digest once that was asked for.
pub(crate) struct Held<V: ?Sized> {
    digest: OnceLock<Result<Digest, DigestError>>,
    value: V,
}

/// As nodes hand it on.
pub(crate) type Shared = Arc<Held<dyn AnyValue>>;

pub(crate) fn shared<T: Value>(value: T) -> Shared {
    Arc::new(Held { digest: OnceLock::new(), value })
}

impl Held<dyn AnyValue> {
    /// Which type it is.
    pub(crate) fn type_id(&self) -> TypeId {
        self.value.as_any().type_id()
    }

    /// The value as its type; `None` if it is of another.
    pub(crate) fn seen_as<T: Value>(&self) -> Option<&T> {
        self.value.as_any().downcast_ref()
    }

    /// Computed once, by whoever asks first.
    pub(crate) fn digest(&self) -> Result<Digest, &DigestError> {
        self.digest.get_or_init(|| self.value.digest()).as_ref().copied()
    }

    pub(crate) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        self.value.to_json()
    }
}

impl fmt::Debug for Held<dyn AnyValue> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("digest", &self.digest.get()).finish_non_exhaustive()
    }
}
