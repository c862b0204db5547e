//! Owns what builders require: targets by handle or by name, spread or as they are, and how they
//! become the arguments of a function. Refuses to pair: that is `pairing`'s.

use std::any::{Any, TypeId};

use anyhow::{Context as _, anyhow};
use selvedge_event::{Digest, Event, Interest, Name, Way};
use selvedge_runtime::Result;
use selvedge_topology::Place;
use serde::Serialize;

use crate::artifact::{self, Artifact};
use crate::target::{ArtifactType, Spread, Target};
use crate::title::Title;

/// A target that is required, and the type that its artifacts must have.
#[derive(Clone, Debug)]
pub struct Requirement {
    pub(crate) title: Title,
    pub(crate) artifact: ArtifactType,
    pub(crate) place: Place,
    pub(crate) form: Form,
    /// How many arguments an artifact makes, if it is spread over them.
    pub(crate) spread: Option<Fields>,
}

/// How artifacts of a type travel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) way: fn(&'static Name) -> Way,
    pub(crate) payload: fn() -> TypeId,
    pub(crate) interest: fn(&Name) -> Interest,
}

/// The fields of a tuple that is spread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    n: usize,
    read: fn(&Event, usize) -> Option<&dyn Any>,
}

impl Requirement {
    /// Requires a target by its name, and says what its artifacts are.
    #[must_use]
    #[track_caller]
    pub fn of<T: Artifact>(name: &str) -> Requirement {
        Requirement::at::<T>(Title::new(name), Place::here())
    }

    fn at<T: Artifact>(title: Title, place: Place) -> Requirement {
        let form = Form {
            way: artifact::way::<T>,
            payload: artifact::payload_type::<T>,
            interest: artifact::interest::<T>,
        };
        Requirement { title, artifact: ArtifactType::of::<T>(), place, form, spread: None }
    }

    pub(crate) fn n_arguments(&self) -> usize {
        self.spread.map_or(1, |fields| fields.n)
    }
}

impl<T: Artifact> From<&Target<T>> for Requirement {
    #[track_caller]
    fn from(target: &Target<T>) -> Requirement {
        Requirement::at::<T>(target.title().clone(), Place::here())
    }
}

/// A tuple whose fields can be arguments of their own.
pub trait Tuple: Artifact {
    /// How many fields it has.
    const N_FIELDS: usize;

    /// A field of it.
    fn field(&self, number: usize) -> Option<&dyn Any>;
}

/// One element of what a builder requires: it makes these arguments.
pub trait Part<Arguments> {
    /// What is required.
    fn requirement(self, place: Place) -> Requirement;
}

impl<A: Artifact> Part<(A,)> for &Target<A> {
    fn requirement(self, place: Place) -> Requirement {
        Requirement::at::<A>(self.title().clone(), place)
    }
}

impl<A: Artifact> Part<(A,)> for Target<A> {
    fn requirement(self, place: Place) -> Requirement {
        (&self).requirement(place)
    }
}

impl<A: Artifact> Part<(A,)> for &str {
    fn requirement(self, place: Place) -> Requirement {
        Requirement::at::<A>(Title::new(self), place)
    }
}

/// All that a builder requires: a target by handle or by name, one that is
/// [spread](Target::spread), or a tuple of up to six such. A name takes the type that the builder's
/// function gives it, which is checked against the provider's when the graph is built.
///
/// `Which` tells apart the ways in which parts become arguments; it is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be required for arguments of the types `{Arguments}`",
    note = "require a `&Target`, a name, a `target.spread()`, or a tuple of up to six such: one \
            for each argument, and a spread one for as many as its tuple has fields"
)]
pub trait Requires<Arguments, Which> {
    /// What is required, in order.
    fn requirements(self, place: Place) -> Vec<Requirement>;
}

impl<A, P: Part<A>> Requires<A, (A,)> for P {
    fn requirements(self, place: Place) -> Vec<Requirement> {
        vec![self.requirement(place)]
    }
}

/// What is required by nothing: a builder without requirements builds when it is asked for.
impl Requires<(), ()> for () {
    fn requirements(self, _: Place) -> Vec<Requirement> {
        Vec::new()
    }
}

/// The types of a builder's arguments, as a tuple.
pub trait Arguments: Sized + Send + 'static {
    /// The arguments themselves.
    type Refs<'a>;

    /// Reads them from the artifacts of one pairing.
    #[doc(hidden)]
    fn read<'a>(plan: &Plan, paired: Paired<'a>) -> Option<Self::Refs<'a>>;
}

/// Arguments that have digests, so that inputs can be told apart.
pub trait KnownArguments: Arguments {
    /// The digests, in order.
    #[doc(hidden)]
    fn digests(plan: &Plan, paired: Paired<'_>) -> Result<Vec<Digest>>;

    /// The only argument as a number, if its type has one that tells values apart.
    #[doc(hidden)]
    fn word(plan: &Plan, paired: Paired<'_>) -> Option<u64>;
}

/// Which artifact, and which part of it, is which argument.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Plan {
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    stream: usize,
    field: Option<(Fields, usize)>,
}

/// The artifacts of one pairing, by stream.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Paired<'a> {
    /// Of the only stream.
    One(&'a Event),
    /// One of each.
    Each(&'a [Event]),
}

impl<'a> Paired<'a> {
    #[inline]
    fn of(self, stream: usize) -> Option<&'a Event> {
        match self {
            Paired::One(event) => Some(event),
            Paired::Each(events) => events.get(stream),
        }
    }
}

impl Plan {
    /// Streams are the requirements, each once, in order.
    pub(crate) fn new(requires: &[Requirement]) -> Plan {
        let mut titles: Vec<&str> = Vec::new();
        let mut slots = Vec::new();
        for requirement in requires {
            let title = requirement.title.as_str();
            let stream = titles.iter().position(|&known| known == title).unwrap_or_else(|| {
                titles.push(title);
                titles.len() - 1
            });
            match requirement.spread {
                None => slots.push(Slot { stream, field: None }),
                Some(fields) => {
                    let field = |number| Slot { stream, field: Some((fields, number)) };
                    slots.extend((0..requirement.n_arguments()).map(field));
                }
            }
        }
        Plan { slots }
    }

    /// How many streams there are arguments from.
    pub(crate) fn n_streams(&self) -> usize {
        self.slots.iter().map(|slot| slot.stream + 1).max().unwrap_or(0)
    }

    #[inline]
    fn argument<'a, A: Artifact>(&self, number: usize, paired: Paired<'a>) -> Option<&'a A> {
        let slot = self.slots.get(number)?;
        let event = paired.of(slot.stream)?;
        match slot.field {
            None => artifact::read(event),
            Some((fields, number)) => (fields.read)(event, number)?.downcast_ref(),
        }
    }

    /// The digests of the arguments as far as their events know them, whatever their types; of a
    /// tuple that is spread, the tuple's for each of its fields.
    pub(crate) fn payload_digests(&self, paired: Paired<'_>) -> Option<Vec<Digest>> {
        let digest = |slot: &Slot| paired.of(slot.stream)?.payload_digest().ok();
        self.slots.iter().map(digest).collect()
    }

    fn digest<A: Artifact + Serialize>(&self, number: usize, paired: Paired<'_>) -> Result<Digest> {
        let slot = self.slots.get(number);
        let event = slot.and_then(|slot| paired.of(slot.stream));
        let missing = || anyhow!("there is no argument {number}");
        match slot {
            Some(Slot { field: None, .. }) => {
                let event = event.with_context(missing)?;
                Ok(artifact::digest::<A>(event)?)
            }
            _ => {
                let value = self.argument::<A>(number, paired).with_context(missing)?;
                Ok(Digest::of(value)?)
            }
        }
    }
}

impl Arguments for () {
    type Refs<'a> = ();

    fn read<'a>(_: &Plan, _: Paired<'a>) -> Option<()> {
        Some(())
    }
}

impl KnownArguments for () {
    fn digests(_: &Plan, _: Paired<'_>) -> Result<Vec<Digest>> {
        Ok(Vec::new())
    }

    fn word(_: &Plan, _: Paired<'_>) -> Option<u64> {
        Some(0)
    }
}

macro_rules! arguments {
    ($($($one:ident $number:tt),+;)*) => {
        $(impl<$($one: Artifact),+> Arguments for ($($one,)+) {
            type Refs<'a> = ($(&'a $one,)+);

            #[inline]
            fn read<'a>(plan: &Plan, paired: Paired<'a>) -> Option<Self::Refs<'a>> {
                Some(($(plan.argument::<$one>($number, paired)?,)+))
            }
        }

        impl<$($one: Artifact + Serialize),+> KnownArguments for ($($one,)+) {
            fn digests(plan: &Plan, paired: Paired<'_>) -> Result<Vec<Digest>> {
                Ok(vec![$(plan.digest::<$one>($number, paired)?,)+])
            }

            #[inline]
            fn word(plan: &Plan, paired: Paired<'_>) -> Option<u64> {
                // Of several there is none.
                let words = [$(plan.argument::<$one>($number, paired).and_then(artifact::word),)+];
                if let [only] = words[..] { only } else { None }
            }
        }

        impl<$($one: Artifact),+> Tuple for ($($one,)+) {
            const N_FIELDS: usize = [$($number),+].len();

            fn field(&self, number: usize) -> Option<&dyn Any> {
                match number {
                    $($number => Some(&self.$number),)+
                    _ => None,
                }
            }
        }

        impl<$($one: Artifact),+> Part<($($one,)+)> for Spread<($($one,)+)> {
            fn requirement(self, place: Place) -> Requirement {
                spread(&self.target, place)
            }
        })*
    };
}

fn spread<T: Tuple>(target: &Target<T>, place: Place) -> Requirement {
    fn read<T: Tuple>(event: &Event, number: usize) -> Option<&dyn Any> {
        artifact::read::<T>(event)?.field(number)
    }
    let fields = Fields { n: T::N_FIELDS, read: read::<T> };
    Requirement { spread: Some(fields), ..Requirement::at::<T>(target.title().clone(), place) }
}

arguments! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
}

/// Any number of arguments of one type, as it is found out at run time: from a file, say.
///
/// ```
/// use selvedge_reactive::Reactive;
/// use selvedge_runtime::Pipeline;
/// use serde_json::{Value, json};
///
/// let mut graph = Reactive::new("rows");
/// graph.source("a", [json!(1), json!(2)]);
/// graph.source("b", [json!("x"), json!("y")]);
/// let requires = vec!["a", "b"]; // Read from somewhere.
/// let rows = graph.builder("rows", requires, |row: &[&Value]| json!(row));
/// let seen = graph.collect(&rows);
/// graph.install(Pipeline::builder())?.build()?.run()?;
/// assert_eq!(seen.values(), [json!([1, "x"]), json!([2, "y"])]);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Many<A>(std::marker::PhantomData<fn(A)>);

impl<A: Artifact, P: Part<(A,)>> Requires<Many<A>, Many<A>> for Vec<P> {
    fn requirements(self, place: Place) -> Vec<Requirement> {
        self.into_iter().map(|part| part.requirement(place.clone())).collect()
    }
}

impl<A: Artifact> Arguments for Many<A> {
    type Refs<'a> = Vec<&'a A>;

    fn read<'a>(plan: &Plan, paired: Paired<'a>) -> Option<Vec<&'a A>> {
        (0..plan.slots.len()).map(|number| plan.argument(number, paired)).collect()
    }
}

impl<A: Artifact + Serialize> KnownArguments for Many<A> {
    fn digests(plan: &Plan, paired: Paired<'_>) -> Result<Vec<Digest>> {
        (0..plan.slots.len()).map(|number| plan.digest::<A>(number, paired)).collect()
    }

    fn word(_: &Plan, _: Paired<'_>) -> Option<u64> {
        None
    }
}

macro_rules! several {
    ($(($($part:ident: $arguments:ty),+) $all:ty, <$($one:ident),+>;)*) => {
        $(impl<$($part,)+ $($one: Artifact),+> Requires<$all, ($($arguments,)+)> for ($($part,)+)
        where
            $($part: Part<$arguments>),+
        {
            #[expect(non_snake_case, reason = "types and values are named by one list")]
            fn requirements(self, place: Place) -> Vec<Requirement> {
                let ($($part,)+) = self;
                vec![$($part.requirement(place.clone())),+]
            }
        })*
    };
}

several! {
    (P: (A,), Q: (B,)) (A, B), <A, B>;
    (P: (A, B), Q: (C,)) (A, B, C), <A, B, C>;
    (P: (A,), Q: (B, C)) (A, B, C), <A, B, C>;
    (P: (A, B), Q: (C, D)) (A, B, C, D), <A, B, C, D>;
    (P: (A, B, C), Q: (D,)) (A, B, C, D), <A, B, C, D>;
    (P: (A,), Q: (B, C, D)) (A, B, C, D), <A, B, C, D>;
    (P: (A,), Q: (B,), R: (C,)) (A, B, C), <A, B, C>;
    (P: (A, B), Q: (C,), R: (D,)) (A, B, C, D), <A, B, C, D>;
    (P: (A,), Q: (B, C), R: (D,)) (A, B, C, D), <A, B, C, D>;
    (P: (A,), Q: (B,), R: (C, D)) (A, B, C, D), <A, B, C, D>;
    (P: (A,), Q: (B,), R: (C,), S: (D,)) (A, B, C, D), <A, B, C, D>;
    (P: (A,), Q: (B,), R: (C,), S: (D,), T: (E,)) (A, B, C, D, E), <A, B, C, D, E>;
    (P: (A,), Q: (B,), R: (C,), S: (D,), T: (E,), U: (F,)) (A, B, C, D, E, F), <A, B, C, D, E, F>;
}
