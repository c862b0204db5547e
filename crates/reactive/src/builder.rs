//! Owns what is said of a builder before it is added to a graph: what it provides and requires, and
//! its policies. Refuses to run: that is `building`'s, in a `node`.

mod keeping;
mod mending;

use std::fmt;

use selvedge_event::{Signature, Text};
use selvedge_runtime::{FailurePolicy, Journal, Result};
use selvedge_topology::Place;
use serde::Serialize;
use serde_json::Value;

use crate::artifact::{self, Artifact, Encode};
use crate::build::{Build, BuildFn, Function};
use crate::building::{Building, Check, Kept, Keys, Limits, Mended};
use crate::definition::{Define, Definition, Feedback, Sort, Until};
use crate::graph::Reactive;
use crate::json_type::JsonType;
use crate::memory::Memory;
use crate::mend::Mend;
use crate::node::{Extras, Starts};
use crate::operator::Ports;
use crate::persist::Shelf;
use crate::requires::{Arguments, KnownArguments, Plan, Requirement, Requires};
use crate::settings::Settings;
use crate::target::Target;
use crate::told::Telling;
use crate::yields::Yields;
use keeping::Persists;
pub(crate) use keeping::{Replays, provided};

/// What a builder provides: a target that was made beforehand, or a name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be provided as artifacts of the type `{T}`",
    note = "provide a name, or a `Target<{T}>`"
)]
pub trait Provides<T> {
    /// The target.
    fn target(self, place: Place) -> Target<T>;
}

impl<T: Artifact> Provides<T> for &str {
    fn target(self, place: Place) -> Target<T> {
        Target::at(self, place)
    }
}

impl<T: Artifact> Provides<T> for Target<T> {
    fn target(self, _: Place) -> Target<T> {
        self
    }
}

impl<T: Artifact> Provides<T> for &Target<T> {
    fn target(self, _: Place) -> Target<T> {
        self.clone()
    }
}

/// A builder of a function; see [`Reactive::builder`] for the short form.
///
/// What it is built from has to be serializable, so that inputs can be told apart: an input that
/// was built from before is left out (dedupe). [`every`] asks nothing of its inputs, and builds
/// from each of them.
///
/// ```
/// use selvedge_reactive::{Reactive, builder};
/// use selvedge_runtime::{FailurePolicy, Pipeline};
///
/// let mut graph = Reactive::new("lengths");
/// let words = graph.source("words", ["warp", "weft", "warp"]);
/// let lengths = graph.add(
///     builder("lengths", &words, |word: &&str| word.len()).on_failure(FailurePolicy::Skip),
/// );
/// let seen = graph.collect(&lengths);
/// graph.install(Pipeline::builder())?.build()?.run()?;
/// assert_eq!(seen.values(), [4, 4]); // The second "warp" is known.
/// # Ok::<(), anyhow::Error>(())
/// ```
#[track_caller]
pub fn builder<T, A, R, F, Which, How>(
    provides: impl Provides<T>,
    requires: impl Requires<A, Which>,
    function: F,
) -> Builder<Function<F, A, T, R, How>>
where
    T: Artifact + Serialize,
    A: KnownArguments,
    R: Yields<T, How> + 'static,
    F: BuildFn<A, R>,
    How: 'static,
{
    let mut builder = every(provides, requires, function);
    builder.encode = Some(artifact::encode());
    builder.keys = Some(Keys::of::<A>());
    builder.dedupes = true;
    builder
}

/// A builder of a function that builds from every input, whether or not it is like another. It
/// asks of its artifacts nothing but that threads may share them.
///
/// ```
/// use selvedge_reactive::{Reactive, every};
/// use selvedge_runtime::Pipeline;
///
/// let mut graph = Reactive::new("lengths");
/// let words = graph.source("words", ["warp", "weft", "warp"]);
/// let lengths = graph.add(every("lengths", &words, |word: &&str| word.len()));
/// let seen = graph.collect(&lengths);
/// graph.install(Pipeline::builder())?.build()?.run()?;
/// assert_eq!(seen.values(), [4, 4, 4]);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[track_caller]
pub fn every<T, A, R, F, Which, How>(
    provides: impl Provides<T>,
    requires: impl Requires<A, Which>,
    function: F,
) -> Builder<Function<F, A, T, R, How>>
where
    T: Artifact,
    A: Arguments,
    R: Yields<T, How> + 'static,
    F: BuildFn<A, R>,
    How: 'static,
{
    let place = Place::here();
    Builder::new(
        provides.target(place.clone()),
        requires.requirements(place.clone()),
        Function::new(function),
        place,
    )
}

/// A builder of a type that says how to [`Build`].
#[track_caller]
pub fn builder_of<B, Which>(
    provides: impl Provides<B::Made>,
    requires: impl Requires<B::Arguments, Which>,
    build: B,
) -> Builder<B>
where
    B: Build,
    B::Arguments: KnownArguments,
    B::Made: Serialize,
{
    let place = Place::here();
    let target = provides.target(place.clone());
    let mut builder = Builder::new(target, requires.requirements(place.clone()), build, place);
    builder.encode = Some(artifact::encode());
    builder.keys = Some(Keys::of::<B::Arguments>());
    builder.dedupes = true;
    builder
}

/// A builder and what was said of it. Made by [`builder`], [`every`] and [`builder_of`]; takes
/// effect when it is added to a graph.
#[must_use = "a builder does nothing until it is added to a graph"]
pub struct Builder<B: Build> {
    target: Target<B::Made>,
    requires: Vec<Requirement>,
    build: B,
    place: Place,
    keys: Option<Keys>,
    encode: Option<Encode<B::Made>>,
    dedupes: bool,
    memo_max: usize,
    waiting_max: usize,
    feedback: Vec<Feedback>,
    persists: Option<Persists<B::Made>>,
    replays: Option<Replays<B::Made>>,
    mend: Mend<B>,
    check: Option<Check<B::Made>>,
    settings: Settings,
}

/// Inputs that a builder remembers unless told otherwise.
const MEMO_MAX: usize = 1 << 22;

/// Artifacts that wait in a builder to be paired, unless told otherwise.
const WAITING_MAX: usize = 1 << 20;

impl<B: Build> Builder<B> {
    fn new(
        target: Target<B::Made>,
        requires: Vec<Requirement>,
        build: B,
        place: Place,
    ) -> Builder<B> {
        Builder {
            settings: Settings::new(target.title().clone()),
            target,
            requires,
            build,
            place,
            keys: None,
            encode: None,
            dedupes: false,
            memo_max: MEMO_MAX,
            waiting_max: WAITING_MAX,
            feedback: Vec::new(),
            persists: None,
            replays: None,
            mend: Mend::default(),
            check: None,
        }
    }

    /// Gives the builder a name instead of its target's. Reports, messages and failure policies
    /// know it by that.
    pub fn named(mut self, name: &str) -> Builder<B> {
        self.settings = self.settings.named(name);
        self
    }

    /// What happens after a build that failed; see [`FailurePolicy`].
    pub fn on_failure(mut self, policy: impl Into<FailurePolicy>) -> Builder<B> {
        self.settings.on_failure = policy.into();
        self
    }

    /// Where it stands among the others: lower goes first.
    pub fn priority(mut self, priority: i32) -> Builder<B> {
        self.settings.priority = priority;
        self
    }

    /// Counts its turns in flight under a key that the pipeline limits; see
    /// [`Registration::limited_by`](selvedge_runtime::Registration::limited_by).
    pub fn limited_by(mut self, key: impl Into<Text>) -> Builder<B> {
        self.settings.limited_by = Some(key.into());
        self
    }

    /// How many artifacts may come before somebody asks for the target; 1 048 576.
    pub fn early_max(mut self, artifacts: usize) -> Builder<B> {
        self.settings.early_max = artifacts;
        self
    }

    /// How many artifacts may wait for those that they are to be paired with; 1 048 576. Beyond
    /// that a turn fails.
    pub fn waiting_max(mut self, artifacts: usize) -> Builder<B> {
        self.waiting_max = artifacts;
        self
    }

    /// Checks each artifact that it makes; one that doesn't pass fails its build, with a message
    /// that names the target, the builder and the digest of the input.
    pub fn checked(mut self, check: impl Fn(&B::Made) -> Result + Send + 'static) -> Builder<B> {
        self.check = Some(Box::new(check));
        self
    }

    /// Declares what its dynamic artifacts are; see [`checked`](Self::checked).
    ///
    /// ```
    /// use selvedge_reactive::{JsonType, Reactive, builder};
    /// use selvedge_runtime::Pipeline;
    /// use serde_json::{Value, json};
    ///
    /// let mut graph = Reactive::new("orders");
    /// let rows = graph.source("rows", [json!({"price": "12"})]);
    /// let prices = builder("prices", &rows, |row: &Value| row["price"].clone());
    /// let prices = graph.add(prices.made_as(JsonType::Number));
    /// graph.want(&prices);
    /// let error = graph.install(Pipeline::builder())?.build()?.run().unwrap_err();
    /// let told = format!("{:#}", anyhow::Error::from(error));
    /// assert!(told.contains("building `prices` in builder `prices` from input b3:"), "{told}");
    /// assert!(told.contains("it is a string, and not a number"), "{told}");
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn made_as(self, json_type: JsonType) -> Builder<B>
    where
        B: Build<Made = Value>,
    {
        self.checked(move |made| json_type.check(made))
    }

    /// Builds from every input, whether or not it was built from before.
    pub fn every_time(mut self) -> Builder<B> {
        self.dedupes = false;
        self
    }

    /// Declares that what it requires under this name comes, over whatever way, from what it
    /// builds itself, and says what ends that.
    ///
    /// ```
    /// use selvedge_reactive::{Reactive, Until, builder, source};
    /// use selvedge_runtime::Pipeline;
    ///
    /// // All that can be reached from 1 by doubling and adding three, modulo 32.
    /// let mut graph = Reactive::new("reach");
    /// let states = graph.merge::<u32>("states");
    /// graph.add(source(&states, [1]).named("first"));
    /// graph.add(
    ///     builder(&states, &states, |n: &u32| vec![n * 2 % 32, (n + 3) % 32])
    ///         .named("next")
    ///         .feedback("states", Until::NothingNew),
    /// );
    /// let seen = graph.collect(&states);
    /// graph.install(Pipeline::builder())?.build()?.run()?;
    /// assert_eq!(seen.values().iter().max(), Some(&31));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[track_caller]
    pub fn feedback(mut self, requirement: &str, until: Until) -> Builder<B> {
        let place = Place::here();
        self.feedback.push(Feedback { requirement: requirement.to_owned(), until, place });
        self
    }
}

impl<F, A, T, R, Which> Builder<Function<F, A, T, R, Which>>
where
    Function<F, A, T, R, Which>: Build<Made = T>,
{
    /// Declares a version of the function, since nothing can be known of a closure's code: raise it
    /// whenever the function, or what it captures, changes.
    pub fn version(mut self, version: &str) -> Self {
        let signature = Signature::of_version(self.target.name(), version);
        self.build.signature = Some(signature);
        self
    }

    /// What generated code calls. Not for people.
    #[doc(hidden)]
    pub fn signed(mut self, signature: Signature) -> Self {
        self.build.signature = Some(signature);
        self
    }
}

impl<B: Build> Define for Builder<B> {
    type Handle = Target<B::Made>;

    fn define(self, graph: &mut Reactive) -> Target<B::Made> {
        let target = self.target.clone();
        graph.push(self.into_definition());
        target
    }
}

impl<B: Build> Builder<B> {
    fn into_definition(self) -> Definition {
        let Builder { target, requires, build, place, keys, encode, dedupes, .. } = self;
        let (memo_max, waiting_max, settings) = (self.memo_max, self.waiting_max, self.settings);
        let builds_max = self.feedback.iter().find_map(|feedback| match feedback.until {
            Until::Builds(n) => Some(n),
            Until::NothingNew => None,
        });
        let title = target.title().clone();
        let signature = build.signature();
        let (persists, check) = (self.persists, self.check);
        let replays = self.replays;
        let mended = Mended { build, mend: self.mend.into_needed() };
        Definition {
            durable: persists.is_some().then(|| signature.clone()),
            name: settings.name.clone(),
            sort: Sort::Builder,
            place,
            provides: provided(&target, replays.is_some()),
            requires: requires.clone(),
            feedback: self.feedback,
            dedupes,
            install: Box::new(move |pipeline, graph| {
                let place = format!("{graph}/{}", settings.name.as_str());
                let (journal, codec) = match persists.zip(signature.clone()) {
                    Some((Persists { codec, cache }, signature)) => {
                        (Journal::new(signature, cache.namespace(place)), Some(codec))
                    }
                    // It only tells of its builds.
                    None => (Journal::in_memory(told_as(signature, &place)), None),
                };
                let past_max = if dedupes { memo_max } else { 0 };
                let telling = Telling::new(journal.clone(), argument_names(&requires), past_max);
                let shelf = codec.map(|codec| Shelf::new(journal.clone(), codec));
                let building = Building::new(
                    mended,
                    title.kept(),
                    Plan::new(&requires),
                    Limits { waiting_max, builds_max },
                    keys,
                    dedupes.then(|| Memory::new(memo_max, journal.clone())),
                    Kept { shelf, telling, check },
                );
                let ports = Ports { titles: [title.kept()].into(), encode };
                let wiring = settings.wiring(&requires, Starts::WhenAsked);
                let past = replays.map(|replays| replays.past(title.kept()));
                let extras = Extras { past, ..Extras::default() };
                settings.install(pipeline, wiring, ports, (building, extras), Some(&journal))
            }),
        }
    }
}

/// What code is known by that says nothing of itself: nothing is found again by this.
pub(crate) fn told_as(signature: Option<Signature>, place: &str) -> Signature {
    signature.unwrap_or_else(|| Signature::of_version(place, "unversioned"))
}

/// The target of each argument.
pub(crate) fn argument_names(requires: &[Requirement]) -> Vec<Text> {
    let name =
        |one: &Requirement| std::iter::repeat_n(Text::from(one.title.as_str()), one.n_arguments());
    requires.iter().flat_map(name).collect()
}

impl<B: Build> fmt::Debug for Builder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("target", &self.target)
            .field("requires", &self.requires)
            .finish_non_exhaustive()
    }
}
