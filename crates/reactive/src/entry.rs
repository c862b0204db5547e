//! Owns how events become artifacts: what connectors read, what is submitted and what processors
//! emit enters a graph by itself, under its type or, if that is dynamic, its kind. Refuses to hold
//! anything back: whoever requires such a target keeps what comes early.

use std::fmt;
use std::marker::PhantomData;

use anyhow::{Context as _, anyhow};
use selvedge_event::{Event, Interest, IntoEvent, Kind, Payload};
use selvedge_runtime::{FailurePolicy, Result};
use selvedge_topology::Place;
use serde::Serialize;
use serde_json::Value;

use crate::artifact::{self, Artifact, Encode};
use crate::builder::Provides;
use crate::definition::{Define, Definition, Provided, Sort};
use crate::graph::Reactive;
use crate::json_type::JsonType;
use crate::node::{Extras, Starts};
use crate::operator::{At, Item, Operator, Out, Ports};
use crate::settings::Settings;
use crate::target::Target;
use crate::yields::Yields;

/// Makes artifacts of events with payloads of one type, whoever emits or submits them: a function
/// makes of each what a builder's may return.
///
/// ```
/// use selvedge_reactive::{Reactive, from_events};
/// use selvedge_runtime::Pipeline;
/// # use selvedge_event::{Kind, Payload};
/// struct Sale { cents: u64 }
/// # impl Payload for Sale { fn kind() -> Kind { Kind::literal("doc::Sale") } }
///
/// let mut graph = Reactive::new("sales");
/// let cents = graph.add(from_events("cents", |sale: &Sale| sale.cents));
/// let doubled = graph.builder("doubled", &cents, |cents: &u64| cents * 2);
/// let seen = graph.collect(&doubled);
/// let pipeline = graph.install(Pipeline::builder())?.build()?;
/// pipeline.submit(Sale { cents: 450 })?; // Or a connector reads it.
/// pipeline.run()?;
/// assert_eq!(seen.values(), [900]);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[track_caller]
pub fn from_events<P, T, R, F, How>(
    provides: impl Provides<T>,
    function: F,
) -> Entry<T, Typed<P, F, R, How>>
where
    P: Payload,
    T: Artifact,
    R: Yields<T, How> + 'static,
    F: FnMut(&P) -> R + Send + 'static,
    How: 'static,
{
    Entry::new(provides, Typed { function, types: PhantomData })
}

/// Makes artifacts of events of one kind, as JSON values: of [`Dynamic`](selvedge_event::Dynamic)
/// ones, which files and configuration make, and of typed ones that are serializable. The kind is
/// the target's name, unless [`kind`](Entry::kind) says otherwise.
///
/// ```
/// use selvedge_event::Dynamic;
/// use selvedge_reactive::{JsonType, Reactive, from_dynamic};
/// use selvedge_runtime::Pipeline;
/// use serde_json::{Value, json};
///
/// let mut graph = Reactive::new("sales");
/// let of_type = JsonType::object([("cents", JsonType::Integer)]);
/// let sales = graph.add(from_dynamic("sales").of_type(of_type));
/// let cents = graph.builder("cents", &sales, |sale: &Value| sale["cents"].as_u64());
/// let seen = graph.collect::<Option<u64>>(&cents);
/// let pipeline = graph.install(Pipeline::builder())?.build()?;
/// pipeline.submit(Dynamic::new("sales", json!({"cents": 450})))?;
/// pipeline.run()?;
/// assert_eq!(seen.values(), [Some(450)]);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[track_caller]
pub fn from_dynamic(provides: impl Provides<Value>) -> Entry<Value, Json> {
    let entry = Entry::new(provides, Json { kind: Kind::literal(""), of_type: None });
    let mut entry = entry.known();
    entry.enters.kind = Kind::from(entry.target.name());
    entry
}

/// How events become artifacts.
pub trait Enters<T: Artifact>: Send + 'static {
    /// What is heard.
    #[doc(hidden)]
    fn hears(&self) -> Interest;

    /// Makes artifacts of an event.
    #[doc(hidden)]
    fn enter(&mut self, out: &mut Out<'_, '_, T>, event: &Event) -> Result;
}

/// What a function takes and gives.
type Types<P, R, How> = fn(P) -> (R, How);

/// Payloads of a type, and a function that makes artifacts of them.
pub struct Typed<P, F, R, How> {
    function: F,
    types: PhantomData<Types<P, R, How>>,
}

impl<P, T, R, F, How> Enters<T> for Typed<P, F, R, How>
where
    P: Payload,
    T: Artifact,
    R: Yields<T, How> + 'static,
    F: FnMut(&P) -> R + Send + 'static,
    How: 'static,
{
    fn hears(&self) -> Interest {
        Interest::of::<P>()
    }

    fn enter(&mut self, out: &mut Out<'_, '_, T>, event: &Event) -> Result {
        match event.payload::<P>() {
            Some(payload) => (self.function)(payload).give(out),
            None => Ok(()),
        }
    }
}

/// Events of a kind, as JSON.
pub struct Json {
    kind: Kind,
    of_type: Option<JsonType>,
}

impl Enters<Value> for Json {
    fn hears(&self) -> Interest {
        Interest::kind(self.kind.clone())
    }

    fn enter(&mut self, out: &mut Out<'_, '_, Value>, event: &Event) -> Result {
        let value = event.value().cloned().or_else(|| event.to_json());
        let value = value.ok_or_else(|| {
            anyhow!("{event} can't be seen as JSON: derive `Serialize` for it, or emit it dynamic")
        })?;
        if let Some(of_type) = &self.of_type {
            of_type.check(&value).context("what comes is not what it should be")?;
        }
        out.emit(value);
        Ok(())
    }
}

/// A way into a graph for events, and what was said of it. Made by [`from_events`] and
/// [`from_dynamic`].
#[must_use = "an entry does nothing until it is added to a graph"]
pub struct Entry<T, E> {
    target: Target<T>,
    enters: E,
    asks: Option<Event>,
    encode: Option<Encode<T>>,
    settings: Settings,
    place: Place,
}

impl<T: Artifact, E: Enters<T>> Entry<T, E> {
    #[track_caller]
    fn new(provides: impl Provides<T>, enters: E) -> Entry<T, E> {
        let place = Place::here();
        let target = provides.target(place.clone());
        let settings = Settings::new(target.title().clone());
        Entry { target, enters, asks: None, encode: None, settings, place }
    }

    /// Says that its artifacts are serializable, so that whoever wants the digest of one has it
    /// computed once.
    pub fn known(mut self) -> Entry<T, E>
    where
        T: Serialize,
    {
        self.encode = Some(artifact::encode());
        self
    }
}

impl<T, E> Entry<T, E> {
    /// Gives it a name instead of its target's.
    pub fn named(mut self, name: &str) -> Entry<T, E> {
        self.settings = self.settings.named(name);
        self
    }

    /// What happens after an event that could not be made an artifact.
    pub fn on_failure(mut self, policy: impl Into<FailurePolicy>) -> Entry<T, E> {
        self.settings.on_failure = policy.into();
        self
    }

    /// Where it stands among the others: lower goes first.
    pub fn priority(mut self, priority: i32) -> Entry<T, E> {
        self.settings.priority = priority;
        self
    }

    /// Emits this event when somebody asks for the target: what has a connector begin to read.
    pub fn asking(mut self, event: impl IntoEvent) -> Entry<T, E> {
        self.asks = Some(event.into_event());
        self
    }
}

impl Entry<Value, Json> {
    /// Hears events of this kind, instead of that which is called like the target.
    pub fn kind(mut self, kind: impl Into<Kind>) -> Entry<Value, Json> {
        self.enters.kind = kind.into();
        self
    }

    /// Declares what comes; an event that is something else fails its turn, with a message that
    /// names the target and the event's digest.
    pub fn of_type(mut self, json_type: JsonType) -> Entry<Value, Json> {
        self.enters.of_type = Some(json_type);
        self
    }
}

impl<T: Artifact, E: Enters<T>> Define for Entry<T, E> {
    type Handle = Target<T>;

    fn define(self, graph: &mut Reactive) -> Target<T> {
        let Entry { target, enters, asks, encode, settings, place } = self;
        let title = target.title().clone();
        graph.push(Definition {
            name: settings.name.clone(),
            sort: Sort::Entry,
            place,
            provides: vec![Provided::of(&target)],
            requires: Vec::new(),
            feedback: Vec::new(),
            dedupes: false,
            durable: None,
            install: Box::new(move |pipeline, _| {
                let ports = Ports { titles: [title.kept()].into(), encode };
                let entering = Entering { enters, asks, artifact: PhantomData };
                let wiring = settings.wiring(&[], Starts::WhenAsked);
                settings.install(pipeline, wiring, ports, (entering, Extras::default()), None)
            }),
        });
        target
    }
}

impl<T, E> fmt::Debug for Entry<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("target", &self.target).finish_non_exhaustive()
    }
}

impl<P, F, R, How> fmt::Debug for Typed<P, F, R, How> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Typed({})", std::any::type_name::<P>())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({})", self.kind)
    }
}

/// The entry at work.
struct Entering<T, E> {
    enters: E,
    asks: Option<Event>,
    artifact: PhantomData<fn() -> T>,
}

impl<T: Artifact, E: Enters<T>> Operator for Entering<T, E> {
    type Made = T;

    fn item(&mut self, _: &mut Out<'_, '_, T>, _: usize, _: Item<'_>) -> Result {
        Ok(())
    }

    fn start(&mut self, out: &mut Out<'_, '_, T>) -> Result {
        if let Some(event) = &self.asks {
            out.cx().emit(event.clone());
        }
        Ok(())
    }

    fn hears(&self) -> Vec<Interest> {
        vec![self.enters.hears()]
    }

    fn event(&mut self, out: &mut Out<'_, '_, T>, event: &Event) -> Result {
        self.enters.enter(out, event)
    }

    fn about(&self, at: &At<'_>, (_, item): (Option<usize>, Item<'_>)) -> String {
        at.about("making", item.event().payload_digest().ok())
    }
}
