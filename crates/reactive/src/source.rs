//! Owns sources: where artifacts come from that nobody builds. Pulled in bounded batches, from when
//! somebody asks.

use std::fmt;

use selvedge_event::{Event, Interest, Interests, Name};
use selvedge_runtime::{Context, FailurePolicy, Processor, Pull, Registration, Result};
use selvedge_topology::Place;
use serde::Serialize;

use crate::artifact::{self, Artifact, Encode};
use crate::builder::Provides;
use crate::definition::{Define, Definition, Provided, Sort};
use crate::graph::Reactive;
use crate::target::{Begin, Resolve, Target};
use crate::title::Title;

/// A source of what an iterator gives, in batches, as there is room in the pipeline. It begins when
/// somebody asks for its target. [`Reactive::source`] is the short form.
///
/// ```
/// use selvedge_reactive::{Reactive, source};
/// use selvedge_runtime::Pipeline;
///
/// let mut graph = Reactive::new("counting");
/// let numbers = graph.add(source("numbers", 0..10_000_u32));
/// let seen = graph.collect(&numbers);
/// graph.install(Pipeline::builder())?.build()?.run()?;
/// assert_eq!(seen.len(), 10_000);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[track_caller]
pub fn source<I>(provides: impl Provides<I::Item>, items: I) -> Source<I::IntoIter>
where
    I: IntoIterator,
    I::Item: Artifact + Serialize,
    I::IntoIter: Send + 'static,
{
    let mut source = source_of_any(provides, items);
    source.encode = Some(artifact::encode());
    source
}

/// The same, of artifacts that need not be serializable.
#[track_caller]
pub fn source_of_any<I>(provides: impl Provides<I::Item>, items: I) -> Source<I::IntoIter>
where
    I: IntoIterator,
    I::Item: Artifact,
    I::IntoIter: Send + 'static,
{
    let place = Place::here();
    let target = provides.target(place.clone());
    let name = target.title().clone();
    Source { name, target, items: items.into_iter(), encode: None, priority: 0, place }
}

/// A source and what was said of it. Made by [`source`].
#[must_use = "a source does nothing until it is added to a graph"]
pub struct Source<I: Iterator> {
    name: Title,
    target: Target<I::Item>,
    items: I,
    encode: Option<Encode<I::Item>>,
    priority: i32,
    place: Place,
}

impl<I: Iterator> Source<I> {
    /// Gives the source a name instead of its target's.
    pub fn named(mut self, name: &str) -> Source<I> {
        self.name = Title::new(name);
        self
    }

    /// Where it stands among the others: lower goes first.
    pub fn priority(mut self, priority: i32) -> Source<I> {
        self.priority = priority;
        self
    }
}

impl<I> Define for Source<I>
where
    I: Iterator<Item: Artifact> + Send + 'static,
{
    type Handle = Target<I::Item>;

    fn define(self, graph: &mut Reactive) -> Target<I::Item> {
        let Source { name, target, items, encode, priority, place } = self;
        let title = target.title().clone();
        let called = name.clone();
        graph.push(Definition {
            name,
            sort: Sort::Source,
            place,
            provides: vec![Provided::of(&target)],
            requires: Vec::new(),
            feedback: Vec::new(),
            dedupes: false,
            durable: None,
            install: Box::new(move |pipeline, _| {
                let tap = Tap { title: title.kept(), items: Some(items), encode, is_asked: false };
                pipeline.processor(
                    Registration::new(tap)
                        .named(called.as_str())
                        .priority(priority)
                        .on_failure(FailurePolicy::Fail),
                )
            }),
        });
        target
    }
}

impl<I: Iterator> fmt::Debug for Source<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("target", &self.target).finish_non_exhaustive()
    }
}

/// A source as a processor.
struct Tap<I: Iterator> {
    title: &'static Name,
    /// Gone when it has come to its end.
    items: Option<I>,
    encode: Option<Encode<I::Item>>,
    is_asked: bool,
}

impl<I> Processor for Tap<I>
where
    I: Iterator<Item: Artifact> + Send + 'static,
{
    fn process(&mut self, cx: &mut Context<'_>, _: &Event) -> Result {
        if !std::mem::replace(&mut self.is_asked, true) {
            cx.start_pulling();
        }
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        let Some(items) = &mut self.items else { return Ok(Pull::Done) };
        for _ in 0..cx.room() {
            match items.next() {
                Some(item) => artifact::emit(cx, self.title, item, self.encode),
                None => {
                    self.items = None;
                    return Ok(Pull::Done);
                }
            }
        }
        Ok(Pull::More)
    }

    fn interests(&self) -> Interests {
        let title = || self.title.clone();
        Interests::listed([
            Interest::of::<Begin>().named(title()),
            Interest::of::<Resolve>().named(title()),
        ])
    }
}
