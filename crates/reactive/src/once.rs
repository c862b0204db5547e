//! Owns the builder that builds once: one artifact per target, one build, and an answer for each
//! who asks, in the order in which they asked. Refuses streams: of a requirement the first artifact
//! counts, and no other.
//!
//! | state | somebody asks | the last requirement comes | the build fails for good |
//! |---|---|---|---|
//! | dormant (its node's) | requires, and keeps the asker | | |
//! | collecting | keeps the asker | builds, answers all in order: ready | failed |
//! | ready | answers | | |
//! | failed | lets the asker go, who is told so | | |

use std::fmt;
use std::marker::PhantomData;
use std::mem;

use anyhow::Context as _;
use selvedge_event::{Event, Name};
use selvedge_runtime::{Asker, Context, FailurePolicy, Journal, Result};
use selvedge_topology::Place;
use serde::Serialize;

use crate::artifact::{self, Artifact, Encode, Shared};
use crate::build::BuildFn;
use crate::builder::{Provides, argument_names, told_as};
use crate::building::whole;
use crate::definition::{Define, Definition, Provided, Sort};
use crate::graph::Reactive;
use crate::node::{Extras, Starts};
use crate::operator::{At, Item, Operator, Out, Ports};
use crate::requires::{Arguments, Paired, Plan, Requirement, Requires};
use crate::settings::Settings;
use crate::target::{Got, Resolve, Target};
use crate::told::{Input, Telling};
use crate::yields::way;

/// What the only artifact, a `T`, comes out of: a `T` itself, an iterator whose items make a
/// `Vec`, or a `Result` of these. `Which` is always inferred.
#[diagnostic::on_unimplemented(
    message = "no artifact of the type `{T}` comes out of a `{Self}`",
    note = "return a `{T}`, an iterator if that is a `Vec`, or a `Result` of these"
)]
pub trait YieldsOne<T, Which> {
    /// The artifact.
    #[doc(hidden)]
    fn one(self) -> Result<T>;
}

impl<T: Artifact> YieldsOne<T, way::Itself> for T {
    fn one(self) -> Result<T> {
        Ok(self)
    }
}

impl<T: Artifact, I: Iterator<Item = T>> YieldsOne<Vec<T>, way::Each> for I {
    fn one(self) -> Result<Vec<T>> {
        Ok(self.collect())
    }
}

impl<T, Y, E, Which> YieldsOne<T, way::Tried<Which>> for Result<Y, E>
where
    Y: YieldsOne<T, Which>,
    E: Into<anyhow::Error>,
{
    fn one(self) -> Result<T> {
        self.map_err(Into::into)?.one()
    }
}

/// A builder of one artifact, from one of each requirement. It builds exactly once, when the first
/// of those who [ask](Target::ask) or [resolve](Target::resolve) does so, and answers each who asks
/// in order. What it builds is heard by those that require it, too.
///
/// ```
/// use selvedge_reactive::{Got, Reactive, once};
/// use selvedge_runtime::Pipeline;
///
/// let mut graph = Reactive::new("pair");
/// let a = graph.add(once("a", (), || "A".to_owned()));
/// let b = graph.add(once("b", (), || "B".to_owned()));
/// let pair = graph.add(once("pair", (&a, &b), |a: &String, b: &String| format!("{a}|{b}")));
/// let pipeline = graph.install(Pipeline::builder())?.build()?;
/// let answers = [pipeline.ask::<Got<String>>(pair.ask())?, pipeline.ask(pair.ask())?];
/// pipeline.run()?;
/// for answer in answers {
///     assert_eq!(**answer.wait()?, "A|B");
/// }
/// # Ok::<(), anyhow::Error>(())
/// ```
#[track_caller]
pub fn once<T, A, R, F, Which, How>(
    provides: impl Provides<T>,
    requires: impl Requires<A, Which>,
    function: F,
) -> Once<F, A, T, R, How>
where
    T: Artifact + Serialize,
    A: Arguments,
    R: YieldsOne<T, How> + 'static,
    F: BuildFn<A, R>,
    How: 'static,
{
    let place = Place::here();
    let target = provides.target(place.clone());
    Once {
        settings: Settings::new(target.title().clone()),
        target,
        requires: requires.requirements(place.clone()),
        function,
        encode: Some(artifact::encode()),
        place,
        types: PhantomData,
    }
}

/// What a function takes and gives.
type Types<A, R, Which> = fn(A) -> (R, Which);

/// A builder that builds once, and what was said of it. Made by [`once`].
#[must_use = "a builder does nothing until it is added to a graph"]
pub struct Once<F, A, T, R, Which> {
    target: Target<T>,
    requires: Vec<Requirement>,
    function: F,
    encode: Option<Encode<T>>,
    settings: Settings,
    place: Place,
    types: PhantomData<Types<A, R, Which>>,
}

impl<F, A, T, R, Which> Once<F, A, T, R, Which> {
    /// Gives the builder a name instead of its target's.
    pub fn named(mut self, name: &str) -> Self {
        self.settings = self.settings.named(name);
        self
    }

    /// What happens after a build that failed. Under a policy that goes on, whoever asked is told
    /// that there is no answer.
    pub fn on_failure(mut self, policy: impl Into<FailurePolicy>) -> Self {
        self.settings.on_failure = policy.into();
        self
    }
}

impl<F, A, T, R, Which> Define for Once<F, A, T, R, Which>
where
    T: Artifact,
    A: Arguments,
    R: YieldsOne<T, Which> + 'static,
    F: BuildFn<A, R>,
    Which: 'static,
{
    type Handle = Target<T>;

    fn define(self, graph: &mut Reactive) -> Target<T> {
        let Once { target, requires, function, encode, settings, place, .. } = self;
        let provided = target.clone();
        graph.push(Definition {
            name: settings.name.clone(),
            sort: Sort::Once,
            place,
            provides: vec![Provided::of(&target)],
            requires: requires.clone(),
            feedback: Vec::new(),
            dedupes: true,
            durable: None,
            install: Box::new(move |pipeline, graph| {
                let plan = Plan::new(&requires);
                // One that only tells: nothing is found again by this.
                let place = format!("{graph}/{}", settings.name.as_str());
                let journal = Journal::in_memory(told_as(None, &place));
                let only = Only {
                    collected: (0..plan.n_streams()).map(|_| None).collect(),
                    function,
                    plan,
                    target: target.title().kept(),
                    telling: Telling::new(journal.clone(), argument_names(&requires), 0),
                    state: State::Collecting(Vec::new()),
                    is_attempted: false,
                    types: PhantomData,
                };
                let ports = Ports { titles: [target.title().kept()].into(), encode };
                let wiring = settings.wiring(&requires, Starts::WhenAsked);
                settings.install(pipeline, wiring, ports, (only, Extras::default()), Some(&journal))
            }),
        });
        provided
    }
}

impl<F, A, T, R, Which> fmt::Debug for Once<F, A, T, R, Which> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once")
            .field("target", &self.target)
            .field("requires", &self.requires)
            .finish_non_exhaustive()
    }
}

/// The builder at work.
struct Only<F, A, T, R, Which> {
    function: F,
    plan: Plan,
    /// What is built, for messages.
    target: &'static Name,
    telling: Telling,
    /// The first artifact of each requirement.
    collected: Box<[Option<Event>]>,
    state: State<T>,
    /// Whether a build was begun that has not succeeded.
    is_attempted: bool,
    types: PhantomData<Types<A, R, Which>>,
}

enum State<T> {
    /// For those who asked, in order.
    Collecting(Vec<Asker>),
    Ready(Shared<T>),
    Failed,
}

impl<F, A, T, R, Which> Only<F, A, T, R, Which>
where
    T: Artifact,
    A: Arguments,
    R: YieldsOne<T, Which> + 'static,
    F: BuildFn<A, R>,
{
    /// A build that was begun in an earlier turn, and not in an earlier attempt at this one, has
    /// failed for good.
    fn settle(&mut self, attempt: u32) {
        if self.is_attempted && attempt == 1 {
            // Those who wait are told when their questions are dropped.
            self.state = State::Failed;
        }
    }

    fn build_if_complete(&mut self, out: &mut Out<'_, '_, T>) -> Result {
        let State::Collecting(_) = &self.state else { return Ok(()) };
        let Some(events) = self.complete() else { return Ok(()) };
        self.is_attempted = true;
        self.tell_begun(out.cx, &events);
        let builder = out.cx.processor().clone();
        let built = A::read(&self.plan, Paired::Each(&events))
            .context("an artifact is not of the type that is required")
            .and_then(|arguments| self.function.call(arguments).one());
        let built = built.with_context(|| self.about_input(&builder, &events))?;
        let title = out.ports.titles[0];
        let event = artifact::event(title, built, out.ports.encode);
        let ready: Shared<T> = Shared::of(&event).expect("it was built a moment ago");
        out.cx.emit(event);
        if self.telling.is_wanted() && !out.cx.was_refused() {
            self.telling.built::<T>(out.cx, self.target);
        }
        let State::Collecting(waiting) = &self.state else { return Ok(()) };
        for asker in waiting.iter() {
            out.cx.reply_to(asker, Got(ready.clone()));
        }
        if !out.cx.was_refused() {
            self.is_attempted = false;
            drop(mem::replace(&mut self.state, State::Ready(ready)));
        }
        Ok(())
    }
}

impl<F, A, T, R, Which> Only<F, A, T, R, Which> {
    /// One artifact of each requirement, if they are there.
    fn complete(&self) -> Option<Vec<Event>> {
        self.collected.iter().cloned().collect()
    }

    /// The digests of these, if their types have any.
    fn known(&self, events: &[Event]) -> Option<Input> {
        let arguments = self.plan.payload_digests(Paired::Each(events))?;
        Some(Input { whole: whole(&arguments).ok()?, arguments })
    }

    fn tell_begun(&mut self, cx: &mut Context<'_>, events: &[Event]) {
        if !self.telling.is_wanted() {
            return;
        }
        if let Some(input) = self.known(events) {
            let asked = || Resolve::target(self.target.clone());
            let topic = events.last().cloned().unwrap_or_else(asked).topic();
            self.telling.begins(cx, topic, input);
        }
    }

    fn about_input(&self, builder: &str, events: &[Event]) -> String {
        let input = self.known(events);
        let input = input.map_or_else(String::new, |input| format!(" from input {}", input.whole));
        format!("building `{}` in builder `{builder}`{input} failed", self.target)
    }
}

impl<F, A, T, R, Which> Operator for Only<F, A, T, R, Which>
where
    T: Artifact,
    A: Arguments,
    R: YieldsOne<T, Which> + 'static,
    F: BuildFn<A, R>,
    Which: 'static,
{
    type Made = T;

    fn item(&mut self, out: &mut Out<'_, '_, T>, stream: usize, item: Item<'_>) -> Result {
        self.settle(out.cx.attempt());
        self.collected[stream].get_or_insert_with(|| item.event().clone());
        self.build_if_complete(out)
    }

    fn start(&mut self, out: &mut Out<'_, '_, T>) -> Result {
        self.telling.begin();
        self.settle(out.cx.attempt());
        self.build_if_complete(out)
    }

    fn answers(&self) -> bool {
        true
    }

    fn asked(&mut self, out: &mut Out<'_, '_, T>) -> Result {
        self.settle(out.cx.attempt());
        match &mut self.state {
            State::Collecting(waiting) => waiting.extend(out.cx.asker()),
            State::Ready(ready) => out.cx.reply(Got(ready.clone())),
            State::Failed => {}
        }
        Ok(())
    }

    fn is_atomic(&self) -> bool {
        true
    }

    fn about(&self, at: &At<'_>, _: (Option<usize>, Item<'_>)) -> String {
        self.about_input(at.node, &self.complete().unwrap_or_default())
    }

    fn explains_itself(&self) -> bool {
        true
    }
}
