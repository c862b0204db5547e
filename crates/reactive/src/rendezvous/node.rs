//! Owns `rendezvous`: a join as a node of a graph, or as one node per shard.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use selvedge_event::payload::Copies;
use selvedge_event::{Event, Interest, Kind, Name, Named, Payload};
use selvedge_runtime::{FailurePolicy, Result};
use selvedge_store::Store;
use selvedge_topology::Place;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::RendezvousError;
use super::slots::{Row, Slots, Spilled};
use super::streams::{Keys, Streams, To};
use super::{Counts, Joining, Options, Rendezvous};
use crate::artifact::Artifact;
use crate::builder::Provides;
use crate::definition::Define;
use crate::graph::Reactive;
use crate::operator::{Hooks, Item, Operator, Out};
use crate::operator_node::operator;
use crate::requires::Requirement;
use crate::target::Target;
use crate::title::Title;

/// What a join emits: see [`Inner`] and [`Outer`].
pub trait Emits<S: Slots>: Send + 'static {
    /// The artifacts.
    type Made: Artifact;
    /// What the machine is told.
    #[doc(hidden)]
    const JOINING: Joining;

    /// The artifact of a row.
    #[doc(hidden)]
    fn made(row: Row<S>) -> Option<Self::Made>;
}

/// Emits complete tuples.
#[derive(Debug)]
pub struct Inner;

/// Emits tuples of options: those that are complete, and in the end what is there of the others.
#[derive(Debug)]
pub struct Outer;

impl<S: Slots<Complete: Artifact>> Emits<S> for Inner {
    type Made = S::Complete;
    const JOINING: Joining = Joining::Inner;

    #[inline]
    fn made(row: Row<S>) -> Option<S::Complete> {
        match row {
            Row::Complete(row) => Some(row),
            Row::Partial(_) => None,
        }
    }
}

impl<S: Slots<Partial: Artifact>> Emits<S> for Outer {
    type Made = S::Partial;
    const JOINING: Joining = Joining::Outer;

    fn made(row: Row<S>) -> Option<S::Partial> {
        Some(match row {
            Row::Complete(row) => S::marked(row),
            Row::Partial(row) => row,
        })
    }
}

/// Joins streams by key into a target of tuples.
///
/// ```
/// use selvedge_reactive::Reactive;
/// use selvedge_reactive::rendezvous::rendezvous;
/// use selvedge_runtime::Pipeline;
///
/// let mut graph = Reactive::new("meeting");
/// let letters = graph.source("letters", [(1, 'a'), (2, 'b')]);
/// let others = graph.source("others", [(2, 'x'), (1, 'y')]);
/// let number = |item: &(u32, char)| Ok(item.0);
/// let pairs = graph.add(rendezvous("pairs", ((&letters, number), (&others, number))));
/// let seen = graph.collect(&pairs);
/// graph.install(Pipeline::builder())?.build()?.run()?;
/// let mut met: Vec<String> =
///     seen.values().iter().map(|((_, letter), (_, other))| format!("{letter}{other}")).collect();
/// met.sort();
/// assert_eq!(met, ["ay", "bx"]);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[track_caller]
pub fn rendezvous<S: Streams>(
    provides: impl Provides<<Inner as Emits<SlotsOf<S>>>::Made>,
    streams: S,
) -> Joined<S::Keys, Inner>
where
    Inner: Emits<SlotsOf<S>>,
{
    let target = provides.target(Place::here());
    let (requires, keys) = streams.apart();
    Joined {
        title: target.title().clone(),
        place: target.place().clone(),
        requires,
        keys,
        options: Options::new(),
        n_shards: 1,
        opens: Rendezvous::new,
        on_failure: FailurePolicy::default(),
        emits: PhantomData,
    }
}

type SlotsOf<S> = <<S as Streams>::Keys as Keys>::Slots;
type Opens<K> =
    fn(usize, Options) -> Result<Rendezvous<<K as Keys>::Key, <K as Keys>::Slots>, RendezvousError>;

/// A join and what was said of it. Made by [`rendezvous`].
#[must_use = "a join does nothing until it is added to a graph"]
pub struct Joined<K: Keys, E> {
    title: Title,
    place: Place,
    requires: Vec<Requirement>,
    keys: K,
    options: Options,
    n_shards: usize,
    opens: Opens<K>,
    on_failure: FailurePolicy,
    emits: PhantomData<E>,
}

impl<K: Keys, E> Joined<K, E> {
    /// How it goes about it.
    pub fn options(mut self, options: Options) -> Joined<K, E> {
        self.options = options;
        self
    }

    /// Moves the oldest keys to a namespace of a store when more than `in_memory_max` wait; see
    /// [`Options::spill`].
    ///
    /// # Errors
    ///
    /// Zero.
    pub fn spill(
        mut self,
        store: Arc<dyn Store>,
        namespace: &str,
        in_memory_max: usize,
    ) -> Result<Joined<K, E>, RendezvousError>
    where
        K::Key: Clone + Serialize + DeserializeOwned,
        K::Slots: Spilled,
    {
        self.options = self.options.spill(store, namespace, in_memory_max)?;
        self.opens = Rendezvous::spilling;
        Ok(self)
    }

    /// Emits, besides, what is there of keys that are given up, with the missing sides marked: the
    /// artifacts are tuples of options.
    pub fn outer(self) -> Joined<K, Outer> {
        let Joined { title, place, requires, keys, options, n_shards, opens, on_failure, .. } =
            self;
        let emits = PhantomData;
        Joined { title, place, requires, keys, options, n_shards, opens, on_failure, emits }
    }

    /// Shares the keys between n processors, so that as many can join at once. A key's tuples come
    /// in order, and those of one shard do; between shards there is no order, and the multiset of
    /// tuples is the same as of one. Limits are each shard's own, what is let go is counted
    /// together.
    ///
    /// Every shard hears every artifact and takes up its own, which costs less than it does to have
    /// someone hand them out.
    ///
    /// # Errors
    ///
    /// Zero.
    pub fn shards(mut self, n: usize) -> Result<Joined<K, E>, RendezvousError>
    where
        K: Clone,
    {
        self.n_shards = super::not_zero("shards", n)?.get();
        Ok(self)
    }

    /// What happens after an artifact that could not be taken.
    pub fn on_failure(mut self, policy: impl Into<FailurePolicy>) -> Joined<K, E> {
        self.on_failure = policy.into();
        self
    }

    /// What will be counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.options.counts()
    }
}

impl<K, E> Define for Joined<K, E>
where
    K: Keys + Clone,
    E: Emits<K::Slots>,
{
    type Handle = Target<E::Made>;

    fn define(self, graph: &mut Reactive) -> Target<E::Made> {
        let target = Target::<E::Made>::at(self.title.as_str(), self.place);
        let n = self.n_shards;
        let joiner = |number: usize| {
            let mut options = self.options.clone().joining(E::JOINING);
            if let (Some(spill), 2..) = (&mut options.spill, n) {
                spill.namespace = format!("{}/shard-{number}", spill.namespace);
            }
            Joiner::<K, E> {
                keys: self.keys.clone(),
                options,
                opens: self.opens,
                n_streams: distinct(&self.requires),
                n_keys: self.requires.len(),
                join: None,
                shard: (number, n),
                title: self.title.clone(),
                emits: PhantomData,
            }
        };
        let node = |number| {
            operator(&target, self.requires.clone(), joiner(number))
                .on_failure(self.on_failure.clone())
        };
        if n == 1 {
            return graph.add(node(0));
        }
        graph.merge(&target);
        for number in 0..n {
            graph.add(node(number).named(&format!("{}/shard-{number}", self.title.as_str())));
        }
        target
    }
}

/// How many targets these are: one that is named twice is one stream.
fn distinct(requires: &[Requirement]) -> usize {
    let mut titles: Vec<&str> = requires.iter().map(|one| one.title.as_str()).collect();
    titles.sort_unstable();
    titles.dedup();
    titles.len()
}

impl<K: Keys, E> fmt::Debug for Joined<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joined")
            .field("provides", &self.title.as_str())
            .field("requires", &self.requires)
            .finish_non_exhaustive()
    }
}

/// Has a join forget the keys that wait: submitted, or [asked](selvedge_runtime::Pipeline::ask) for
/// how many these were; each shard answers for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClearOrphans;

impl ClearOrphans {
    /// The event that says so to whoever provides this target.
    #[must_use]
    pub fn of(target: impl Into<Name>) -> Event {
        Event::new(Named(target.into(), ClearOrphans))
    }
}

impl Payload for ClearOrphans {
    const COPIES: Option<Copies<Self>> = Some(Copies::new());

    fn kind() -> Kind {
        Kind::literal("selvedge::ClearOrphans")
    }
}

/// How many keys a join has forgotten because it was told to [`ClearOrphans`]: its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClearedOrphans(pub u64);

impl Payload for ClearedOrphans {
    const COPIES: Option<Copies<Self>> = Some(Copies::new());

    fn kind() -> Kind {
        Kind::literal("selvedge::ClearedOrphans")
    }
}

/// A join at work.
pub struct Joiner<K: Keys, E> {
    keys: K,
    options: Options,
    opens: Opens<K>,
    n_streams: usize,
    n_keys: usize,
    /// From when somebody asked.
    join: Option<Rendezvous<K::Key, K::Slots>>,
    shard: (usize, usize),
    title: Title,
    emits: PhantomData<E>,
}

impl<K: Keys, E: Emits<K::Slots>> Operator for Joiner<K, E> {
    type Made = E::Made;

    fn start(&mut self, _: &mut Out<'_, '_, E::Made>) -> Result {
        let Joiner { n_keys, n_streams, .. } = *self;
        if n_keys != n_streams {
            return Err(RendezvousError::Streams { n_keys, n_streams }.into());
        }
        self.join = Some((self.opens)(n_streams, self.options.clone())?);
        Ok(())
    }

    #[inline]
    fn item(&mut self, out: &mut Out<'_, '_, E::Made>, stream: usize, item: Item<'_>) -> Result {
        let Some(join) = &mut self.join else { return Ok(()) };
        // The time is read before anything is emitted, and only where it counts.
        let now = if join.expires() { out.now() } else { std::time::Duration::ZERO };
        let to = To { join, shard: self.shard };
        let mut emit = |row| {
            if let Some(made) = E::made(row) {
                out.emit(made);
            }
        };
        Ok(self.keys.feed(to, stream, item, || now, &mut emit)?)
    }

    fn hooks(&self) -> Hooks {
        let expires = self.options.time_to_live.is_some();
        if expires { Hooks::PHASE.and(Hooks::FINISH) } else { Hooks::FINISH }
    }

    fn phase(&mut self, out: &mut Out<'_, '_, E::Made>, _: u32) -> Result {
        let Some(join) = &mut self.join else { return Ok(()) };
        let now = out.now();
        Ok(join.expire(now, &mut |row| E::made(row).into_iter().for_each(|made| out.emit(made)))?)
    }

    fn finish(&mut self, out: &mut Out<'_, '_, E::Made>) -> Result {
        let Some(join) = &mut self.join else { return Ok(()) };
        Ok(join.finish(&mut |row| E::made(row).into_iter().for_each(|made| out.emit(made)))?)
    }

    fn hears(&self) -> Vec<Interest> {
        vec![Interest::of::<ClearOrphans>().named(self.title.kept().clone())]
    }

    fn event(&mut self, out: &mut Out<'_, '_, E::Made>, event: &Event) -> Result {
        if event.is::<ClearOrphans>()
            && let Some(join) = &mut self.join
        {
            let n = join.clear_orphans()?;
            out.cx().reply(ClearedOrphans(n as u64));
        }
        Ok(())
    }

    fn is_atomic(&self) -> bool {
        true
    }
}

impl<K: Keys, E> fmt::Debug for Joiner<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joiner").field("shard", &self.shard).finish_non_exhaustive()
    }
}
