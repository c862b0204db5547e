//! Owns what is said of an operator before it is added to a graph: what it provides and requires.

use std::fmt;

use selvedge_event::{Signature, Text};
use selvedge_runtime::{FailurePolicy, Journal};
use selvedge_topology::Place;
use serde::Serialize;

use crate::artifact::{self, Encode};
use crate::builder::{Provides, Replays};
use crate::definition::{Define, Definition, Feedback, Provided, Sort, Until};
use crate::graph::Reactive;
use crate::mend::Mend;
use crate::node::{Extras, Starts};
use crate::operator::{Operator, Ports};
use crate::requires::Requirement;
use crate::settings::Settings;
use crate::target::Target;

/// An operator in a graph: it provides one target, or [several](OperatorNode::also), and requires
/// any number. See [`Operator`] for an example.
#[track_caller]
pub fn operator<O: Operator, R: Into<Requirement>>(
    provides: impl Provides<O::Made>,
    requires: impl IntoIterator<Item = R>,
    operator: O,
) -> OperatorNode<O> {
    let place = Place::here();
    let target = provides.target(place.clone());
    OperatorNode {
        settings: Settings::new(target.title().clone()),
        provides: vec![target],
        requires: requires.into_iter().map(Into::into).collect(),
        operator,
        encode: None,
        feedback: Vec::new(),
        starts: Starts::WhenAsked,
        sort: Sort::Operator,
        place,
        mend: Mend::default(),
        replays: None,
        kept: None,
    }
}

/// An operator and what was said of it. Made by [`operator`].
#[must_use = "an operator does nothing until it is added to a graph"]
pub struct OperatorNode<O: Operator> {
    provides: Vec<Target<O::Made>>,
    requires: Vec<Requirement>,
    operator: O,
    encode: Option<Encode<O::Made>>,
    settings: Settings,
    feedback: Vec<Feedback>,
    starts: Starts,
    sort: Sort,
    place: Place,
    mend: Mend<O>,
    replays: Option<Replays<O::Made>>,
    /// Of one that keeps what it makes: what for.
    kept: Option<Kept>,
}

/// Where an operator keeps what it makes, and what it is known by there.
pub(crate) struct Kept {
    pub(crate) journal: Journal,
    /// Unless it only puts aside what is too much for memory.
    pub(crate) signature: Option<Signature>,
    pub(crate) dedupes: bool,
}

impl<O: Operator> OperatorNode<O> {
    /// One that makes nothing, and so begins with the run.
    pub(crate) fn sink(name: &str, requires: Vec<Requirement>, operator: O, place: Place) -> Self {
        OperatorNode {
            settings: Settings::new(crate::title::Title::new(name)),
            provides: Vec::new(),
            requires,
            operator,
            encode: None,
            feedback: Vec::new(),
            starts: Starts::AtOnce,
            sort: Sort::Sink,
            place,
            mend: Mend::default(),
            replays: None,
            kept: None,
        }
    }

    /// Gives it a place in the pipeline's store.
    pub(crate) fn kept(mut self, kept: Kept) -> OperatorNode<O> {
        self.kept = Some(kept);
        self
    }

    /// Provides one more target, to which [`Out::emit_at`](crate::Out::emit_at) emits.
    #[track_caller]
    pub fn also(mut self, provides: impl Provides<O::Made>) -> OperatorNode<O> {
        self.provides.push(provides.target(Place::here()));
        self
    }

    /// Says that what it makes is serializable, so that whoever wants the digest of an artifact has
    /// it computed once.
    pub fn known(mut self) -> OperatorNode<O>
    where
        O::Made: Serialize,
    {
        self.encode = Some(artifact::encode());
        self
    }

    /// Gives the operator a name instead of its first target's.
    pub fn named(mut self, name: &str) -> OperatorNode<O> {
        self.settings = self.settings.named(name);
        self
    }

    /// What happens after a call that failed; see [`FailurePolicy`].
    pub fn on_failure(mut self, policy: impl Into<FailurePolicy>) -> OperatorNode<O> {
        self.settings.on_failure = policy.into();
        self
    }

    /// Where it stands among the others: lower goes first.
    pub fn priority(mut self, priority: i32) -> OperatorNode<O> {
        self.settings.priority = priority;
        self
    }

    /// Counts its turns in flight under a key that the pipeline limits.
    pub fn limited_by(mut self, key: impl Into<Text>) -> OperatorNode<O> {
        self.settings.limited_by = Some(key.into());
        self
    }

    /// How many artifacts may come before somebody asks for a target of its; 1 048 576.
    pub fn early_max(mut self, artifacts: usize) -> OperatorNode<O> {
        self.settings.early_max = artifacts;
        self
    }

    /// Clones the operator before every call, and puts it back after one that failed or panicked;
    /// see [`Builder::restored_by_clone`](crate::Builder::restored_by_clone).
    pub fn restored_by_clone(mut self) -> OperatorNode<O>
    where
        O: Clone,
    {
        self.mend.by_clone(O::clone);
        self
    }

    /// Says how to make the operator anew, for a [`Restart`](selvedge_runtime::Restart).
    pub fn restarted_by(mut self, factory: impl FnMut() -> O + Send + 'static) -> OperatorNode<O> {
        self.mend.by(Box::new(factory));
        self
    }

    /// Has those who ask for its first target once more told again the last `n` artifacts of that;
    /// see [`Builder::replays`](crate::Builder::replays).
    pub fn replays(mut self, n: usize) -> OperatorNode<O>
    where
        O::Made: Clone,
    {
        self.replays = self.provides.first().map(|target| Replays::of(target, n));
        self
    }

    /// Declares that what it requires under this name comes from what it makes itself; see
    /// [`Builder::feedback`](crate::Builder::feedback).
    #[track_caller]
    pub fn feedback(mut self, requirement: &str, until: Until) -> OperatorNode<O> {
        let place = Place::here();
        self.feedback.push(Feedback { requirement: requirement.to_owned(), until, place });
        self
    }
}

/// Its targets, in the order in which they were named.
impl<O: Operator> Define for OperatorNode<O> {
    type Handle = Target<O::Made>;

    fn define(self, graph: &mut Reactive) -> Target<O::Made> {
        let first = self.provides.first().cloned();
        self.push_to(graph);
        first.expect("an operator that is added by users provides a target")
    }
}

impl<O: Operator> OperatorNode<O> {
    pub(crate) fn push_to(self, graph: &mut Reactive) {
        let OperatorNode { provides, requires, operator, encode, settings, feedback, .. } = self;
        let (starts, mend, replays) = (self.starts, self.mend, self.replays);
        let kept = self.kept;
        let first = provides.first().filter(|_| replays.is_some());
        let again = first.map(|target| Provided::of(&target.replays()));
        graph.push(Definition {
            name: settings.name.clone(),
            sort: self.sort,
            place: self.place,
            provides: provides.iter().map(Provided::of).chain(again).collect(),
            requires: requires.clone(),
            feedback,
            dedupes: kept.as_ref().is_some_and(|kept| kept.dedupes),
            durable: kept.as_ref().and_then(|kept| Some(Some(kept.signature.clone()?))),
            install: Box::new(move |pipeline, _| {
                let titles = provides.iter().map(|target| target.title().kept()).collect();
                let ports = Ports { titles, encode };
                let wiring = settings.wiring(&requires, starts);
                let past = replays.and_then(|replays| {
                    provides.first().map(|target| replays.past(target.title().kept()))
                });
                let extras = Extras { mend, past };
                let journal = kept.map(|kept| kept.journal);
                settings.install(pipeline, wiring, ports, (operator, extras), journal.as_ref())
            }),
        });
    }
}

impl<O: Operator> fmt::Debug for OperatorNode<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorNode")
            .field("provides", &self.provides)
            .field("requires", &self.requires)
            .finish_non_exhaustive()
    }
}
