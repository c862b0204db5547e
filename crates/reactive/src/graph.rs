//! Owns `Reactive`: a graph of builders, as it is defined, and its way into a pipeline. Refuses to
//! check it: that is `check`'s.

use std::fmt;

use selvedge_event::{Event, Init, Interest, Interests, IntoEvent};
use selvedge_runtime::{Context, PipelineBuilder, Processor, Registration, Result};
use selvedge_topology::Place;
use serde::Serialize;

use crate::artifact::Artifact;
use crate::build::{BuildFn, Function};
use crate::builder::{Provides, builder};
use crate::check;
use crate::definition::{Define, Definition, Provided};
use crate::error::GraphError;
use crate::network::Network;
use crate::operator_node::OperatorNode;
use crate::requires::{KnownArguments, Requirement, Requires};
use crate::sink::{Artifacts, Collecting, Done, Each, Leaving};
use crate::source::source;
use crate::target::Target;
use crate::title::Title;
use crate::yields::Yields;

/// Artifacts that a [`collect`](Reactive::collect) keeps.
const COLLECTED_MAX: usize = 1 << 20;

/// A graph of builders that is being defined.
///
/// ```
/// use selvedge_reactive::Reactive;
/// use selvedge_runtime::Pipeline;
///
/// let mut graph = Reactive::new("doubling");
/// let numbers = graph.source("numbers", [1_u64, 2, 3]);
/// let doubles = graph.builder("doubles", &numbers, |n: &u64| n * 2);
/// let seen = graph.collect(&doubles);
/// graph.install(Pipeline::builder())?.build()?.run()?;
/// assert_eq!(seen.values(), [2, 4, 6]);
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// Nothing is built that nobody asks for: what [`each`](Self::each), [`collect`](Self::collect) and
/// [`want`](Self::want) name is asked for when the run begins, and everything else when an event
/// made by [`Target::resolve`] says so.
pub struct Reactive {
    name: String,
    definitions: Vec<Definition>,
    merges: Vec<Provided>,
    inputs: Vec<Provided>,
    wanted: Vec<Wanted>,
}

/// A target that is asked for when the run begins.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) title: Title,
    pub(crate) place: Place,
}

impl Reactive {
    /// A graph of this name, with nothing in it.
    #[must_use]
    pub fn new(name: &str) -> Reactive {
        Reactive {
            name: name.to_owned(),
            definitions: Vec::new(),
            merges: Vec::new(),
            inputs: Vec::new(),
            wanted: Vec::new(),
        }
    }

    /// Adds a builder, a source or an operator with all that was said of it.
    pub fn add<D: Define>(&mut self, definition: D) -> D::Handle {
        definition.define(self)
    }

    /// Adds a [`source`](crate::source()).
    #[track_caller]
    pub fn source<I>(&mut self, provides: impl Provides<I::Item>, items: I) -> Target<I::Item>
    where
        I: IntoIterator,
        I::Item: Artifact + Serialize,
        I::IntoIter: Send + 'static,
    {
        self.add(source(provides, items))
    }

    /// Adds a [`builder`](crate::builder()).
    #[track_caller]
    pub fn builder<T, A, R, F, Which, How>(
        &mut self,
        provides: impl Provides<T>,
        requires: impl Requires<A, Which>,
        function: F,
    ) -> Target<T>
    where
        T: Artifact + Serialize,
        A: KnownArguments,
        R: Yields<T, How> + 'static,
        F: BuildFn<A, R>,
        How: 'static,
        Function<F, A, T, R, How>: crate::Build<Made = T>,
    {
        self.add(builder(provides, requires, function))
    }

    /// Calls a function for each artifact of a target, which is asked for when the run begins.
    ///
    /// ```
    /// use selvedge_reactive::Reactive;
    /// use selvedge_runtime::Pipeline;
    ///
    /// let (told, heard) = std::sync::mpsc::channel();
    /// let mut graph = Reactive::new("telling");
    /// let numbers = graph.source("numbers", [1_u64, 2, 3]);
    /// graph.each("teller", &numbers, move |n: &u64| told.send(*n));
    /// graph.install(Pipeline::builder())?.build()?.run()?;
    /// assert_eq!(heard.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[track_caller]
    pub fn each<T, R, Which>(
        &mut self,
        name: &str,
        requires: impl Requires<(T,), Which>,
        function: impl FnMut(&T) -> R + Send + 'static,
    ) where
        T: Artifact,
        R: Done + 'static,
    {
        let place = Place::here();
        let requires = requires.requirements(place.clone());
        OperatorNode::sink(name, requires, Each::new(function), place).push_to(self);
    }

    /// Emits an event for each artifact of a target, which is asked for when the run begins: to
    /// processors that are no builders, and to connectors.
    ///
    /// ```
    /// use selvedge_event::Dynamic;
    /// use selvedge_reactive::Reactive;
    /// use selvedge_runtime::Pipeline;
    ///
    /// let mut graph = Reactive::new("telling");
    /// let numbers = graph.source("numbers", [1_u64, 2, 3]);
    /// graph.to_events("numbers out", &numbers, |n: &u64| Dynamic::new("number", *n));
    /// let report = graph.install(Pipeline::builder())?.build()?.run()?;
    /// assert_eq!(report.unrouted, 3); // Nobody hears them here.
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[track_caller]
    pub fn to_events<T, E, Which>(
        &mut self,
        name: &str,
        requires: impl Requires<(T,), Which>,
        function: impl FnMut(&T) -> E + Send + 'static,
    ) where
        T: Artifact,
        E: IntoEvent + 'static,
    {
        let place = Place::here();
        let requires = requires.requirements(place.clone());
        OperatorNode::sink(name, requires, Leaving::new(function), place).push_to(self);
    }

    /// Collects the artifacts of a target, which is asked for when the run begins: at most
    /// 1 048 576 at a time, to be taken during the run or after it.
    #[track_caller]
    pub fn collect<T: Artifact>(&mut self, target: &Target<T>) -> Artifacts<T> {
        let artifacts = Artifacts::default();
        let collecting = Collecting { artifacts: artifacts.clone(), artifacts_max: COLLECTED_MAX };
        let name = format!("collect:{}:{}", target.name(), self.definitions.len());
        let requires = vec![Requirement::from(target)];
        OperatorNode::sink(&name, requires, collecting, Place::here()).push_to(self);
        artifacts
    }

    /// Asks for a target when the run begins, whether or not anybody hears its artifacts.
    #[track_caller]
    pub fn want<T>(&mut self, target: &Target<T>) {
        self.wanted.push(Wanted { title: target.title().clone(), place: Place::here() });
    }

    /// Declares a target that several provide: whoever requires it hears the artifacts of all of
    /// them, as they come.
    #[track_caller]
    pub fn merge<T: Artifact>(&mut self, provides: impl Provides<T>) -> Target<T> {
        let target = provides.target(Place::here());
        self.merges.push(Provided::of(&target));
        target
    }

    /// Declares a target that nobody in the graph provides: its artifacts are submitted, or emitted
    /// by processors that are no builders, as events that [`Target::made`] makes.
    ///
    /// ```
    /// use selvedge_reactive::Reactive;
    /// use selvedge_runtime::Pipeline;
    ///
    /// let mut graph = Reactive::new("doubling");
    /// let numbers = graph.input::<u64>("numbers");
    /// let doubles = graph.builder("doubles", &numbers, |n: &u64| n * 2);
    /// let seen = graph.collect(&doubles);
    /// let pipeline = graph.install(Pipeline::builder())?.build()?;
    /// pipeline.submit(numbers.made(4))?;
    /// pipeline.run()?;
    /// assert_eq!(seen.values(), [8]);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[track_caller]
    pub fn input<T: Artifact>(&mut self, provides: impl Provides<T>) -> Target<T> {
        let target = provides.target(Place::here());
        self.inputs.push(Provided::of(&target));
        target
    }

    /// Checks everything, and hands over what the graph is, to be drawn and asked.
    ///
    /// # Errors
    ///
    /// [`GraphError`], with all that is wrong with it.
    pub fn network(&self) -> Result<Network, GraphError> {
        check::check(&self.name, &self.parts())
    }

    /// Checks everything and adds the graph's processors to a pipeline that is being built, in
    /// order of definition.
    ///
    /// # Errors
    ///
    /// [`GraphError`], with all that is wrong with it.
    pub fn install(self, pipeline: PipelineBuilder) -> Result<PipelineBuilder, GraphError> {
        self.network()?;
        let Reactive { name, definitions, wanted, .. } = self;
        let mut pipeline = pipeline;
        for definition in definitions {
            pipeline = (definition.install)(pipeline, &name);
        }
        if !wanted.is_empty() {
            let asker = Registration::new(Asker(wanted)).named(format!("{name}: wanted"));
            pipeline = pipeline.processor(asker);
        }
        Ok(pipeline)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn push(&mut self, definition: Definition) {
        self.definitions.push(definition);
    }

    fn parts(&self) -> check::Parts<'_> {
        check::Parts {
            definitions: &self.definitions,
            merges: &self.merges,
            inputs: &self.inputs,
            wanted: &self.wanted,
        }
    }
}

impl fmt::Debug for Reactive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactive")
            .field("name", &self.name)
            .field("definitions", &self.definitions)
            .finish_non_exhaustive()
    }
}

/// Asks for what is wanted of a graph, when the run begins.
struct Asker(Vec<Wanted>);

impl Processor for Asker {
    fn process(&mut self, cx: &mut Context<'_>, _: &Event) -> Result {
        for Wanted { title, .. } in &self.0 {
            cx.emit(selvedge_event::Named(title.kept(), crate::target::Begin));
        }
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Init>()])
    }
}
