//! Owns `parallel`: items that are computed by rayon's threads, a batch at a time.
//!
//! A batch is what has come by the time that the node's own word `Flush` comes back to it: that
//! word is sent with the first item, and is behind all that waited then. The worker that takes its
//! turn waits for the batch while rayon's threads work; the pipeline's other workers go on.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use rayon::ThreadPool;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use selvedge_event::payload::Copies;
use selvedge_event::{Event, Interest, Kind, Named, Payload};
use selvedge_runtime::Result;
use selvedge_topology::Place;

use crate::artifact::{Artifact, Shared};
use crate::builder::Provides;
use crate::operator::{Hooks, Item, Operator, Out};
use crate::operator_node::{OperatorNode, operator};
use crate::target::Target;
use crate::title::Title;

/// Items of a batch at most.
const BATCH_MAX: usize = 4_096;

/// Makes one target of another on the threads of a rayon pool, in the order of the items: for work
/// that computes and does not wait. Batches are as large as what has come, 4 096 at most.
///
/// A batch is a turn: if an item fails or panics, none of its batch's results are emitted. Where
/// each is to fail for itself, [`balance`](super::balance()).
///
/// ```
/// use std::sync::Arc;
/// use selvedge_reactive::Reactive;
/// use selvedge_reactive::balancer::parallel;
/// use selvedge_runtime::Pipeline;
///
/// let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build()?);
/// let mut graph = Reactive::new("squaring");
/// let numbers = graph.source("numbers", 0..1_000_u64);
/// let squares = graph.add(parallel("squares", &numbers, pool, |n: &u64| Ok([n * n])));
/// let seen = graph.collect(&squares);
/// graph.install(Pipeline::builder())?.build()?.run()?;
/// assert_eq!(seen.values(), (0..1_000).map(|n| n * n).collect::<Vec<_>>());
/// # Ok::<(), anyhow::Error>(())
/// ```
#[track_caller]
pub fn parallel<T, U, F, I>(
    provides: impl Provides<U>,
    requires: &Target<T>,
    pool: Arc<ThreadPool>,
    work: F,
) -> OperatorNode<Parallel<T, U, F>>
where
    T: Artifact,
    U: Artifact,
    F: Fn(&T) -> anyhow::Result<I> + Send + Sync + 'static,
    I: IntoIterator<Item = U> + 'static,
{
    let target = provides.target(Place::here());
    let title = target.title().clone();
    let made = PhantomData;
    operator(
        target,
        [requires],
        Parallel { pool, work, title, held: Vec::new(), is_flushing: false, made },
    )
}

/// Computes on the threads of a rayon pool. Made by [`parallel`].
pub struct Parallel<T, U, F> {
    pool: Arc<ThreadPool>,
    work: F,
    title: Title,
    held: Vec<Shared<T>>,
    is_flushing: bool,
    made: PhantomData<fn() -> U>,
}

/// What has come is to be computed. Called like the target.
#[derive(Clone, Copy)]
struct Flush;

impl Payload for Flush {
    const COPIES: Option<Copies<Self>> = Some(Copies::new());

    fn kind() -> Kind {
        Kind::literal("selvedge::balancer::Flush")
    }
}

impl<T, U, F, I> Parallel<T, U, F>
where
    T: Artifact,
    U: Artifact,
    F: Fn(&T) -> anyhow::Result<I> + Send + Sync + 'static,
    I: IntoIterator<Item = U> + 'static,
{
    fn compute(&mut self, out: &mut Out<'_, '_, U>) -> Result {
        let batch = std::mem::take(&mut self.held);
        let work = &self.work;
        let results: anyhow::Result<Vec<Vec<U>>> = self.pool.install(|| {
            let made = |item: &Shared<T>| Ok(work(item)?.into_iter().collect());
            batch.par_iter().map(made).collect()
        });
        results?.into_iter().flatten().for_each(|made| out.emit(made));
        Ok(())
    }
}

impl<T, U, F, I> Operator for Parallel<T, U, F>
where
    T: Artifact,
    U: Artifact,
    F: Fn(&T) -> anyhow::Result<I> + Send + Sync + 'static,
    I: IntoIterator<Item = U> + 'static,
{
    type Made = U;

    fn item(&mut self, out: &mut Out<'_, '_, U>, _: usize, item: Item<'_>) -> Result {
        self.held.extend(item.share());
        if !std::mem::replace(&mut self.is_flushing, true) {
            out.cx().emit(Named(self.title.kept(), Flush));
        }
        if self.held.len() >= BATCH_MAX { self.compute(out) } else { Ok(()) }
    }

    fn hooks(&self) -> Hooks {
        Hooks::FINISH
    }

    fn finish(&mut self, out: &mut Out<'_, '_, U>) -> Result {
        self.compute(out)
    }

    fn hears(&self) -> Vec<Interest> {
        vec![Interest::of::<Flush>().named(self.title.kept().clone())]
    }

    fn event(&mut self, out: &mut Out<'_, '_, U>, event: &Event) -> Result {
        if event.is::<Flush>() {
            self.is_flushing = false;
            self.compute(out)?;
        }
        Ok(())
    }

    fn is_atomic(&self) -> bool {
        true
    }
}

impl<T, U, F> fmt::Debug for Parallel<T, U, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parallel").field("n_held", &self.held.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use selvedge_runtime::{FailurePolicy, Pipeline};

    use super::*;
    use crate::graph::Reactive;

    /// What a graph makes of the numbers below 10 000 if one of them panics.
    fn made(broken: u64, policy: FailurePolicy) -> (Vec<u64>, bool) {
        let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap());
        let mut graph = Reactive::new("graph");
        let numbers = graph.source("numbers", 0..10_000_u64);
        let work = move |n: &u64| {
            assert_ne!(*n, broken, "this one panics");
            Ok((!n.is_multiple_of(3)).then_some(n * 2))
        };
        let node = parallel("doubles", &numbers, pool, work).on_failure(policy);
        let doubles = graph.add(node);
        let seen = graph.collect(&doubles);
        let pipeline = graph.install(Pipeline::builder().workers(2)).unwrap().build().unwrap();
        let went_well = pipeline.run().is_ok();
        (seen.values(), went_well)
    }

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let expected: Vec<u64> =
            (0..10_000_u64).filter(|n| !n.is_multiple_of(3)).map(|n| n * 2).collect();
        assert_eq!(made(u64::MAX, FailurePolicy::Fail), (expected, true));
    }

    #[test]
    fn a_panic_takes_its_batch_and_the_run_unless_it_is_skipped() {
        assert!(!made(5_000, FailurePolicy::Fail).1);
        let (seen, went_well) = made(5_000, FailurePolicy::Skip);
        assert!(went_well && seen.is_sorted() && !seen.contains(&10_000));
        assert!(seen.len() >= 6_666 - BATCH_MAX, "{}", seen.len());
    }
}
