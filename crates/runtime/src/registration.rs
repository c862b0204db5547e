//! Owns what a pipeline is told about a processor: its name, its priority, what happens when it
//! fails.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Key, Text};

use crate::cache::{Archive, Cached, Journal};
use crate::overflow::{Admission, Overflow};
use crate::owner::{Bare, Factory, Owner, Plain, Restored};
pub(crate) use crate::policy::FailurePolicy;
use crate::processor::Processor;
use crate::recorded::{Recorded, Slip};
use crate::roster::Terms;

/// A processor and how it takes part in a pipeline. Made by [`Configure`].
pub struct Registration<P> {
    name: Option<Text>,
    priority: i32,
    on_failure: FailurePolicy,
    key: Option<Key>,
    time_budget: Option<Duration>,
    admission: Admission,
    processor: P,
    state: State<P>,
    factory: Option<Factory<P>>,
    type_name: &'static str,
    archive: Option<Arc<Archive>>,
    is_recorded: bool,
    restarts_itself: bool,
}

/// What is known of a processor's state after a failed turn.
enum State<P> {
    /// After a panic it is anybody's guess.
    Unknown,
    /// Turns leave nothing behind.
    None,
    /// A clone of before the turn can be had.
    Cloned(fn(&P) -> P),
}

impl<P> fmt::Debug for Registration<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("name", &self.name)
            .field("priority", &self.priority)
            .field("on_failure", &self.on_failure)
            .field("key", &self.key)
            .field("time_budget", &self.time_budget)
            .field("admission", &self.admission)
            .finish_non_exhaustive()
    }
}

impl<P> Registration<Cached<P>>
where
    Cached<P>: Processor,
{
    /// One that is cached: turns leave nothing behind in it.
    pub(crate) fn cached<Inner>(
        cached: Cached<P>,
        archive: Arc<Archive>,
    ) -> Registration<Cached<P>> {
        let mut registration = Registration::new(cached).stateless();
        registration.type_name = short_type_name::<Inner>();
        registration.archive = Some(archive);
        registration
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
            time_budget: None,
            admission: Admission::default(),
            processor,
            state: State::Unknown,
            factory: None,
            type_name: short_type_name::<P>(),
            archive: None,
            is_recorded: false,
            restarts_itself: false,
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

    /// Gives the processor a place in the pipeline's store, for what it keeps by itself; see
    /// [`Journal`].
    #[must_use]
    pub fn journal(mut self, journal: &Journal) -> Registration<P> {
        self.archive = Some(Arc::clone(journal.archive()));
        self
    }

    /// What happens after a failed turn: a [`FailurePolicy`], a [`Retry`](crate::Retry) or a
    /// [`Restart`](crate::Restart).
    #[must_use]
    pub fn on_failure(mut self, policy: impl Into<FailurePolicy>) -> Registration<P> {
        self.on_failure = policy.into();
        self
    }

    /// Hears, of the payloads that carry a key, only those with this one: a shard's share.
    #[must_use]
    pub fn keyed(mut self, key: impl Into<Key>) -> Registration<P> {
        self.key = Some(key.into());
        self
    }

    /// Declares that turns leave nothing behind in the processor, so that it can go on after a
    /// panic, and attempt a turn again.
    #[must_use]
    pub fn stateless(mut self) -> Registration<P> {
        self.state = State::None;
        self
    }

    /// Clones the processor before every turn, and goes on with the clone after a panic and before
    /// every further attempt. Under [`FailurePolicy::Fail`] nothing goes on, and nothing is cloned.
    #[must_use]
    pub fn restored_by_clone(mut self) -> Registration<P>
    where
        P: Clone,
    {
        self.state = State::Cloned(P::clone);
        self
    }

    /// Says how to make a new processor, for a [`Restart`](crate::Restart). It takes the place of
    /// one whose turn failed, under the same name and with the same interests. If the factory
    /// panics, the run fails.
    #[must_use]
    pub fn restarted_by(mut self, factory: impl FnMut() -> P + Send + 'static) -> Registration<P> {
        self.factory = Some(Box::new(factory));
        self
    }

    /// Says that the processor makes itself anew, by [`Processor::restart`], for a
    /// [`Restart`](crate::Restart).
    #[must_use]
    pub fn restarting_itself(mut self) -> Registration<P> {
        self.restarts_itself = true;
        self
    }

    /// Restarts from a clone of the processor as it is now, before its first turn.
    #[must_use]
    pub fn restarted_by_clone(self) -> Registration<P>
    where
        P: Clone,
    {
        let pristine = self.processor.clone();
        self.restarted_by(move || pristine.clone())
    }

    /// How long an attempt at a turn should take at most. A turn can't be stopped: one that takes
    /// longer is reported, and counts by what it returned.
    #[must_use]
    pub fn time_budget(mut self, budget: Duration) -> Registration<P> {
        self.time_budget = Some(budget);
        self
    }

    /// Has listeners told of each of its turns what it read and what it emitted, by digest, with
    /// its code and how it ended: [`Fact::Recorded`](selvedge_event::Fact::Recorded). A turn on an
    /// event that has no digest, or that emits one, fails: derive `Serialize` for both. The turns
    /// of a [cached](crate::CachedProcessor) processor that succeed are told of anyway; recorded,
    /// those that fail are as well.
    ///
    /// It costs the digests, and nothing where it is not asked for.
    #[must_use]
    pub fn recorded(mut self) -> Registration<P> {
        self.is_recorded = true;
        self
    }

    /// How many events may wait for this processor; beyond that, see
    /// [`on_overflow`](Self::on_overflow). What a worker has taken up for its batch, at most
    /// [`batch_turns_max`](crate::Limits::batch_turns_max), does not wait any more. Without a
    /// capacity, all mailboxes share [`pipeline_events_max`](crate::Limits::pipeline_events_max).
    ///
    /// A mailbox with a capacity costs more per event than one without.
    #[must_use]
    pub fn capacity(mut self, events: usize) -> Registration<P> {
        self.admission.bounds.events = events;
        self
    }

    /// What the events that wait for this processor may weigh, in bytes; see
    /// [`Event::bytes`](selvedge_event::Event::bytes) and [`capacity`](Self::capacity). An empty
    /// mailbox takes any event, whatever it weighs.
    #[must_use]
    pub fn capacity_bytes(mut self, bytes: usize) -> Registration<P> {
        self.admission.bounds.bytes = bytes;
        self
    }

    /// What happens when the mailbox is at its capacity. The default is
    /// [`Overflow::FailRun`].
    #[must_use]
    pub fn on_overflow(mut self, overflow: Overflow) -> Registration<P> {
        self.admission.bounds.overflow = overflow;
        self
    }

    /// Counts this processor's turns in flight under a key that the builder's
    /// [`concurrency`](crate::PipelineBuilder::concurrency) limits. One that finds no permit waits
    /// without a thread; none is held while a turn waits for its next attempt. Pulls don't count.
    #[must_use]
    pub fn limited_by(mut self, key: impl Into<Text>) -> Registration<P> {
        self.admission.limited_by = Some(key.into());
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
    fn on_failure(self, policy: impl Into<FailurePolicy>) -> Registration<Self> {
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

    /// See [`Registration::restarted_by`].
    fn restarted_by(self, factory: impl FnMut() -> Self + Send + 'static) -> Registration<Self> {
        Registration::new(self).restarted_by(factory)
    }

    /// See [`Registration::restarted_by_clone`].
    fn restarted_by_clone(self) -> Registration<Self>
    where
        Self: Clone,
    {
        Registration::new(self).restarted_by_clone()
    }

    /// See [`Registration::time_budget`].
    fn time_budget(self, budget: Duration) -> Registration<Self> {
        Registration::new(self).time_budget(budget)
    }

    /// See [`Registration::recorded`].
    fn recorded(self) -> Registration<Self> {
        Registration::new(self).recorded()
    }

    /// See [`Registration::capacity`].
    fn capacity(self, events: usize) -> Registration<Self> {
        Registration::new(self).capacity(events)
    }

    /// See [`Registration::capacity_bytes`].
    fn capacity_bytes(self, bytes: usize) -> Registration<Self> {
        Registration::new(self).capacity_bytes(bytes)
    }

    /// See [`Registration::limited_by`].
    fn limited_by(self, key: impl Into<Text>) -> Registration<Self> {
        Registration::new(self).limited_by(key)
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
    pub(crate) terms: Terms,
    pub(crate) key: Option<Key>,
    pub(crate) admission: Admission,
    /// Its results, if it is cached.
    pub(crate) archive: Option<Arc<Archive>>,
    /// Where its turns are written down, if they are recorded.
    pub(crate) slip: Option<Arc<Slip>>,
    pub(crate) owner: Box<dyn Owner>,
}

impl<P: Processor> From<Registration<P>> for Registered {
    fn from(registration: Registration<P>) -> Registered {
        let Registration { name, priority, on_failure, key, processor, factory, .. } = registration;
        let Registration { time_budget, admission, state, type_name, archive, .. } = registration;
        let slip = registration.is_recorded.then(|| {
            let slip = Slip::new(processor.signature(), archive.is_some());
            Arc::new(slip)
        });
        let owner: Box<dyn Owner> = match (state, &on_failure, factory) {
            (state, _, None) if registration.restarts_itself => {
                let is_stateless = matches!(state, State::None);
                Box::new(Bare::new(processor, is_stateless, None).restarting_itself())
            }
            // Nobody will ask for the clone.
            (State::Cloned(_), FailurePolicy::Fail, None) | (State::Unknown, _, None) => {
                Box::new(Plain(processor))
            }
            (State::Cloned(_), FailurePolicy::Fail, factory) | (State::Unknown, _, factory) => {
                Box::new(Bare::new(processor, false, factory))
            }
            (State::None, _, factory) => Box::new(Bare::new(processor, true, factory)),
            (State::Cloned(clone), _, factory) => {
                Box::new(Restored::new(processor, clone, factory))
            }
        };
        let owner = match &slip {
            None => owner,
            Some(slip) => Box::new(Recorded { owner, slip: Arc::clone(slip) }),
        };
        let terms = Terms { on_failure, time_budget };
        Registered { name, type_name, priority, terms, key, admission, archive, slip, owner }
    }
}

/// `shop::till::Till<u8>` reads `Till` in reports.
fn short_type_name<P>() -> &'static str {
    let full = std::any::type_name::<P>();
    let path = full.split('<').next().unwrap_or(full);
    path.rsplit("::").next().unwrap_or(path)
}
