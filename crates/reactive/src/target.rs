//! Owns `Target`: what builders make and ask for, as a name and a type. Refuses to say who makes
//! it.

use std::any::{TypeId, type_name};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use selvedge_event::payload::Copies;
use selvedge_event::{Event, Interest, Kind, Name, Named, Payload};
use selvedge_topology::Place;

use crate::artifact::{self, Artifact, Shared};
use crate::title::Title;

/// Something that can be built, by name, and the type of its artifacts.
///
/// [`Reactive::add`](crate::Reactive::add) hands one over for whatever it adds; one can be made
/// beforehand too, to say the type, or to name what is only defined later.
///
/// ```
/// use selvedge_reactive::Target;
///
/// let doubles = Target::<u64>::new("doubles");
/// let event = doubles.made(4);
/// assert_eq!(doubles.read(&event), Some(&4));
/// assert_eq!(Target::<u64>::new("triples").read(&event), None);
/// ```
pub struct Target<T> {
    title: Title,
    place: Place,
    artifact: PhantomData<fn() -> T>,
}

impl<T: Artifact> Target<T> {
    /// The target of this name; the caller's place is kept for messages.
    #[must_use]
    #[track_caller]
    pub fn new(name: &str) -> Target<T> {
        Target::at(name, Place::here())
    }

    /// The same, defined at a place that is not the caller's: in a file, say.
    #[must_use]
    pub fn at(name: &str, place: Place) -> Target<T> {
        Target { title: Title::new(name), place, artifact: PhantomData }
    }

    /// An artifact of it as an event, for a processor that is no builder to emit, or to submit.
    ///
    /// # Panics
    ///
    /// If the program has more distinct names than graphs take; see
    /// [`GraphError`](crate::GraphError).
    #[must_use]
    pub fn made(&self, value: T) -> Event {
        artifact::event(self.title.kept(), value, None)
    }

    /// The artifact that an event holds, if it is one of this target.
    #[must_use]
    pub fn read<'e>(&self, event: &'e Event) -> Option<&'e T> {
        let value = artifact::read(event)?;
        let here = event.way() == Some(artifact::way::<T>(self.title.kept()));
        (here || event.name() == self.name()).then_some(value)
    }

    /// A handle of an artifact that nobody has built.
    ///
    /// # Panics
    ///
    /// As [`made`](Self::made).
    #[must_use]
    pub fn share(&self, value: T) -> Shared<T> {
        Shared::of(&self.made(value)).expect("it was made a moment ago")
    }

    /// What a processor that is no builder asks for to hear the artifacts of this target.
    #[must_use]
    pub fn interest(&self) -> Interest {
        artifact::interest::<T>(self.title.kept())
    }

    /// What was made of it before somebody asked for it once more: a target of its own, provided by
    /// builders and operators that [say so](crate::Builder::replays). Those who require the target
    /// itself have heard all of it, and hear none of it twice.
    #[must_use]
    #[track_caller]
    pub fn replays(&self) -> Target<T> {
        Target::new(&format!("{}/replayed", self.name()))
    }

    /// Requires the artifacts of it, tuples, with their fields spread over several arguments.
    #[must_use]
    pub fn spread(&self) -> Spread<T> {
        Spread { target: self.clone() }
    }
}

impl<T> Target<T> {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.title.as_str()
    }

    /// Where it is defined.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The event that has it built: submitted, or emitted by a processor that is no builder. If it
    /// is being built already, what was made so far is told again, as artifacts of its
    /// [replays](Self::replays).
    ///
    /// # Panics
    ///
    /// As [`made`](Self::made).
    #[must_use]
    pub fn resolve(&self) -> Event {
        Event::new(Named(self.title.kept(), Resolve))
    }

    /// The question that has it built, by a [`once`](crate::once) builder, and is answered with a
    /// [`Got`] of its artifact.
    ///
    /// # Panics
    ///
    /// As [`made`](Self::made).
    #[must_use]
    pub fn ask(&self) -> Event {
        Event::new(Named(self.title.kept(), Ask))
    }

    pub(crate) fn title(&self) -> &Title {
        &self.title
    }
}

impl<T> Clone for Target<T> {
    fn clone(&self) -> Target<T> {
        Target { title: self.title.clone(), place: self.place.clone(), artifact: PhantomData }
    }
}

impl<T> fmt::Debug for Target<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({}: {})", self.name(), type_name::<T>())
    }
}

/// Asks whoever provides a target to begin, and when it has begun, to tell again what it has made.
/// Made by [`Target::resolve`]; the event is called like the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Resolve;

impl Payload for Resolve {
    const COPIES: Option<Copies<Self>> = Some(Copies::new());

    fn kind() -> Kind {
        Kind::literal("selvedge::Resolve")
    }

    fn encodable(&self) -> Option<&dyn erased_serde::Serialize> {
        Some(self)
    }
}

impl Resolve {
    /// The event that has the target of this name built.
    ///
    /// ```
    /// use selvedge_reactive::{Resolve, Target};
    /// let event = Resolve::target("doubles");
    /// assert_eq!(event.to_string(), Target::<u64>::new("doubles").resolve().to_string());
    /// ```
    #[must_use]
    pub fn target(name: impl Into<Name>) -> Event {
        Event::new(Named(name.into(), Resolve))
    }
}

/// Asks whoever provides a target to begin: what nodes ask of each other. They hear what is made
/// from the first artifact on, so there is nothing to tell them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begin;

impl Payload for Begin {
    const COPIES: Option<Copies<Self>> = Some(Copies::new());

    fn kind() -> Kind {
        Kind::literal("selvedge::Begin")
    }
}

/// Asks whoever provides a target for its artifact. Made by [`Target::ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask;

impl Payload for Ask {
    const COPIES: Option<Copies<Self>> = Some(Copies::new());

    fn kind() -> Kind {
        Kind::literal("selvedge::Ask")
    }
}

/// The answer to [`Target::ask`]: reads as the artifact.
#[derive(Clone, Debug)]
pub struct Got<T: Artifact>(pub(crate) Shared<T>);

impl<T: Artifact> Got<T> {
    /// The artifact, to be kept.
    #[must_use]
    pub fn shared(&self) -> Shared<T> {
        self.0.clone()
    }
}

impl<T: Artifact> Payload for Got<T> {
    fn kind() -> Kind {
        Kind::from(format!("got<{}>", type_name::<T>()))
    }
}

impl<T: Artifact> Deref for Got<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A target whose artifacts are tuples, required with their fields as arguments of their own.
#[derive(Clone, Debug)]
pub struct Spread<T> {
    pub(crate) target: Target<T>,
}

/// What the artifacts of a target are, for messages and checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ArtifactType {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
}

impl ArtifactType {
    pub(crate) fn of<T: Artifact>() -> ArtifactType {
        ArtifactType { id: TypeId::of::<T>(), name: type_name::<T>() }
    }
}
