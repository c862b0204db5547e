//! Owns what can be said about a cache: what its inputs are known by, how durable it is, what
//! happens when it fails.

use std::fmt;
use std::sync::Arc;

use selvedge_event::{Digest, Event, Text};
use selvedge_store::Durability;

use crate::processor::Result;

/// What an input is known by, if not by all it is.
pub(super) type DigestBy = Arc<dyn Fn(&Event) -> Result<Digest> + Send + Sync>;

/// How a processor is cached, for [`cached_with`](crate::CachedProcessor::cached_with).
///
/// ```
/// use selvedge_event::Digest;
/// use selvedge_runtime::{ArchivePolicy, Cache, Durability};
/// # use selvedge_event::{Kind, Payload};
/// # struct Order { id: u32, at: u64 }
/// # impl Payload for Order { fn kind() -> Kind { Kind::literal("doc::Order") } }
///
/// let cache = Cache::new()
///     .digest_by(|event| match event.payload::<Order>() {
///         Some(order) => Ok(Digest::of(&order.id)?), // Whenever it came.
///         None => Ok(event.payload_digest()?),
///     })
///     .durability(Durability::Group)
///     .on_failure(ArchivePolicy::Fail);
/// ```
#[derive(Clone, Default)]
pub struct Cache {
    pub(super) digest_by: Option<DigestBy>,
    pub(super) durability: Durability,
    pub(super) namespace: Option<Text>,
    pub(super) policy: ArchivePolicy,
    /// Whether nothing is kept in the store, if there is one.
    pub(super) in_memory: bool,
}

impl Cache {
    /// Inputs are known by their topic and content, records are on the device before anybody hears
    /// what they hold, and what can't be read is computed again.
    #[must_use]
    pub fn new() -> Cache {
        Cache::default()
    }

    /// Knows inputs by this digest, instead of that of their topic and content. Two inputs of one
    /// digest have one result: leave out only what doesn't change it.
    #[must_use]
    pub fn digest_by(
        mut self,
        digest: impl Fn(&Event) -> Result<Digest> + Send + Sync + 'static,
    ) -> Cache {
        self.digest_by = Some(Arc::new(digest));
        self
    }

    /// How durable a record is before the emissions that it holds are heard. The default is
    /// [`Durability::Sync`]; [`Durability::Group`] shares the wait with whatever else is written;
    /// under [`Durability::None`] a power failure may lose what has been heard, and so have it
    /// computed again. The records of a batch of turns are written together, whichever it is.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Cache {
        self.durability = durability;
        self
    }

    /// Keeps the records apart from those of others with the same signature: shards of one
    /// processor, say, in a pipeline with a store.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<Text>) -> Cache {
        self.namespace = Some(namespace.into());
        self
    }

    /// What happens when a record can't be read or written.
    #[must_use]
    pub fn on_failure(mut self, policy: ArchivePolicy) -> Cache {
        self.policy = policy;
        self
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("digest_by", &self.digest_by.as_ref().map(|_| "a function"))
            .field("durability", &self.durability)
            .field("namespace", &self.namespace)
            .field("policy", &self.policy)
            .finish()
    }
}

/// What happens when a cached processor's record can't be read or written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArchivePolicy {
    /// A record that can't be read is computed again; once one can't be written, results are kept
    /// in memory only. The report's warnings say which and why.
    #[default]
    Warn,
    /// A record that can't be read fails the turn that wants it; one that can't be written fails
    /// the run, with [`RunError::Archive`](crate::RunError::Archive).
    Fail,
}
