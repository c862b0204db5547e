//! Owns what a pipeline is told about a processor: its name, its priority, what happens when it
//! fails.

use std::fmt;

use selvedge_event::{Key, Text};

use crate::owner::{Bare, Owner, Restored};
use crate::processor::Processor;

/// What happens after a failed turn. What the turn emitted is never published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailurePolicy {
    /// The run fails: no further turn starts.
    #[default]
    Fail,
    /// The event becomes a dead letter, and the processor goes on with the next. A source that
    /// fails while it is pulled fails the run all the same: what it did not bring in is unknown.
    ///
    /// After a panic the processor's state can't be trusted: the run fails all the same, unless
    /// the processor is [stateless](Configure::stateless) or
    /// [restored](Configure::restored_by_clone).
    Skip,
}

/// A processor and how it takes part in a pipeline. Made by [`Configure`].
pub struct Registration<P> {
    name: Option<Text>,
    priority: i32,
    on_failure: FailurePolicy,
    key: Option<Key>,
    processor: P,
    keep: fn(P) -> Box<dyn Owner>,
}

impl<P> fmt::Debug for Registration<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("name", &self.name)
            .field("priority", &self.priority)
            .field("on_failure", &self.on_failure)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl<P: Processor> Registration<P> {
    /// The processor as it is: named after its type, with its own priority.
    pub fn new(processor: P) -> Registration<P> {
        Registration {
            name: None,
            priority: processor.default_priority(),
            on_failure: FailurePolicy::default(),
            key: None,
            processor,
            keep: |processor| Box::new(Bare::distrusted(processor)),
        }
    }

    /// Gives the processor a name, unique in its pipeline, instead of its type's.
    #[must_use]
    pub fn named(mut self, name: impl Into<Text>) -> Registration<P> {
        self.name = Some(name.into());
        self
    }

    /// Lower goes first. The default is the processor's own, usually 0.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Registration<P> {
        self.priority = priority;
        self
    }

    /// What happens after a failed turn.
    #[must_use]
    pub fn on_failure(mut self, policy: FailurePolicy) -> Registration<P> {
        self.on_failure = policy;
        self
    }

    /// Hears, of the payloads that carry a key, only those with this one: a shard's share.
    #[must_use]
    pub fn keyed(mut self, key: impl Into<Key>) -> Registration<P> {
        self.key = Some(key.into());
        self
    }

    /// Declares that turns leave nothing behind in the processor, so that it can go on after a
    /// panic.
    #[must_use]
    pub fn stateless(mut self) -> Registration<P> {
        self.keep = |processor| Box::new(Bare::trusted(processor));
        self
    }

    /// Clones the processor before every turn, and goes on with the clone after a panic.
    #[must_use]
    pub fn restored_by_clone(mut self) -> Registration<P>
    where
        P: Clone,
    {
        self.keep = |processor| Box::new(Restored::new(processor));
        self
    }
}

/// Says how a processor takes part in a pipeline.
///
/// ```
/// use selvedge_runtime::{Configure, Context, FailurePolicy, Pipeline, Processor, Result};
/// # use selvedge_event::Event;
/// #[derive(Clone)]
/// struct Relay;
/// impl Processor for Relay {
///     fn process(&mut self, _cx: &mut Context, _event: &Event) -> Result {
///         Ok(())
///     }
/// }
///
/// let pipeline = Pipeline::builder()
///     .processor(Relay.named("first").priority(-1))
///     .processor(Relay.named("second").restored_by_clone().on_failure(FailurePolicy::Skip))
///     .build()?;
/// # Ok::<(), selvedge_runtime::BuildError>(())
/// ```
pub trait Configure: Processor + Sized {
    /// See [`Registration::named`].
    fn named(self, name: impl Into<Text>) -> Registration<Self> {
        Registration::new(self).named(name)
    }

    /// See [`Registration::priority`].
    fn priority(self, priority: i32) -> Registration<Self> {
        Registration::new(self).priority(priority)
    }

    /// See [`Registration::on_failure`].
    fn on_failure(self, policy: FailurePolicy) -> Registration<Self> {
        Registration::new(self).on_failure(policy)
    }

    /// See [`Registration::keyed`].
    fn keyed(self, key: impl Into<Key>) -> Registration<Self> {
        Registration::new(self).keyed(key)
    }

    /// See [`Registration::stateless`].
    fn stateless(self) -> Registration<Self> {
        Registration::new(self).stateless()
    }

    /// See [`Registration::restored_by_clone`].
    fn restored_by_clone(self) -> Registration<Self>
    where
        Self: Clone,
    {
        Registration::new(self).restored_by_clone()
    }
}

impl<P: Processor> Configure for P {}

/// What can be registered: a processor, or a configured one.
pub trait IntoRegistration {
    /// The processor's type.
    type Processor: Processor;

    /// The processor and how it takes part.
    fn into_registration(self) -> Registration<Self::Processor>;
}

impl<P: Processor> IntoRegistration for P {
    type Processor = P;

    fn into_registration(self) -> Registration<P> {
        Registration::new(self)
    }
}

impl<P: Processor> IntoRegistration for Registration<P> {
    type Processor = P;

    fn into_registration(self) -> Registration<P> {
        self
    }
}

/// A registration whose processor's type is forgotten.
pub(crate) struct Registered {
    pub(crate) name: Option<Text>,
    pub(crate) type_name: &'static str,
    pub(crate) priority: i32,
    pub(crate) on_failure: FailurePolicy,
    pub(crate) key: Option<Key>,
    pub(crate) owner: Box<dyn Owner>,
}

impl<P: Processor> From<Registration<P>> for Registered {
    fn from(registration: Registration<P>) -> Registered {
        Registered {
            name: registration.name,
            type_name: short_type_name::<P>(),
            priority: registration.priority,
            on_failure: registration.on_failure,
            key: registration.key,
            owner: (registration.keep)(registration.processor),
        }
    }
}

/// `shop::till::Till<u8>` reads `Till` in reports.
fn short_type_name<P>() -> &'static str {
    let full = std::any::type_name::<P>();
    let path = full.split('<').next().unwrap_or(full);
    path.rsplit("::").next().unwrap_or(path)
}
