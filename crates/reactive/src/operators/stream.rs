//! Owns `stream`: a machine as a node of a graph.

use std::fmt;
use std::time::Duration;

use selvedge_runtime::Result;
use selvedge_topology::Place;

use super::{Machine, Outlet};
use crate::artifact::Artifact;
use crate::builder::Provides;
use crate::operator::{Hooks, Item, Operator, Out};
use crate::operator_node::{OperatorNode, operator};
use crate::requires::Requirement;
use crate::target::Target;

/// Makes a target of others by a machine: one of those in [`operators`](crate::operators), or any
/// other. Streams of several targets come in as one.
///
/// ```
/// use selvedge_reactive::Reactive;
/// use selvedge_reactive::operators::{Grouper, stream};
/// use selvedge_runtime::Pipeline;
///
/// let mut graph = Reactive::new("lengths");
/// let words = graph.source("words", ["to", "be", "or", "not"].map(String::from));
/// let by_length = Grouper::new(|word: &String| Ok(word.len()));
/// let groups = graph.add(stream("groups", [&words], by_length));
/// let seen = graph.collect(&groups);
/// graph.install(Pipeline::builder())?.build()?.run()?;
/// let lengths: Vec<(usize, usize)> =
///     seen.values().into_iter().map(|(length, words)| (length, words.len())).collect();
/// assert_eq!(lengths, [(2, 3), (3, 1)]);
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// A machine takes clones of artifacts; those that are large are cheap to clone if they are behind
/// an `Arc`.
#[track_caller]
pub fn stream<'t, M>(
    provides: impl Provides<M::Out>,
    requires: impl IntoIterator<Item = &'t Target<M::In>>,
    machine: M,
) -> OperatorNode<Streamed<M>>
where
    M: Machine<In: Artifact + Clone, Out: Artifact>,
{
    let target = provides.target(Place::here());
    let requires: Vec<Requirement> = requires.into_iter().map(Requirement::from).collect();
    operator(target, requires, Streamed { machine })
}

/// A machine as an operator of a graph. Made by [`stream`].
pub struct Streamed<M> {
    machine: M,
}

/// Where a machine in a graph puts what it makes.
struct Into<'o, 'a, 'c, T>(&'o mut Out<'a, 'c, T>);

impl<T: Artifact> Outlet<T> for Into<'_, '_, '_, T> {
    #[inline]
    fn emit(&mut self, item: T) {
        self.0.emit(item);
    }

    fn now(&self) -> Duration {
        self.0.now()
    }

    fn wake_after(&mut self, delay: Duration) {
        self.0.wake_after(delay);
    }
}

impl<M> Operator for Streamed<M>
where
    M: Machine<In: Artifact + Clone, Out: Artifact>,
{
    type Made = M::Out;

    #[inline]
    fn item(&mut self, out: &mut Out<'_, '_, M::Out>, _: usize, item: Item<'_>) -> Result {
        let Some(item) = item.read::<M::In>() else { return Ok(()) };
        Ok(self.machine.item(item.clone(), &mut Into(out))?)
    }

    fn hooks(&self) -> Hooks {
        if M::HEARS_PHASES { Hooks::PHASE.and(Hooks::FINISH) } else { Hooks::FINISH }
    }

    fn phase(&mut self, out: &mut Out<'_, '_, M::Out>, _: u32) -> Result {
        Ok(self.machine.phase(&mut Into(out))?)
    }

    fn finish(&mut self, out: &mut Out<'_, '_, M::Out>) -> Result {
        Ok(self.machine.finish(&mut Into(out))?)
    }

    fn wake(&mut self, out: &mut Out<'_, '_, M::Out>) -> Result {
        self.machine.wake(&mut Into(out));
        Ok(())
    }

    fn is_atomic(&self) -> bool {
        M::IS_ATOMIC
    }
}

impl<M> fmt::Debug for Streamed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Streamed<{}>", std::any::type_name::<M>())
    }
}
