//! Owns `balance`: a builder's work shared between workers, as nodes of a graph: one that numbers
//! and deals out, the workers, one that puts results in order.

use std::fmt;
use std::sync::Arc;

use selvedge_event::{Signature, Text};
use selvedge_runtime::{Cache, FailurePolicy, Journal};
use selvedge_store::Store;
use selvedge_topology::Place;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::collecting::{Collecting, Unordered};
use super::dispatch::{Dispatch, Routing};
use super::error::BalancerError;
use super::keeping::Keeping;
use super::names::worker_name;
use super::resequencer::{Gap, Resequencer};
use super::sequencer::Sequencer;
use super::sequencing::{Inputs, Sequencing};
use super::working::{Results, Tagged, Working};
use crate::artifact::{Artifact, Shared};
use crate::builder::{Provides, told_as};
use crate::graph::Reactive;
use crate::operator::{Item, Operator};
use crate::operator_node::{Kept, OperatorNode, operator};
use crate::operators::Counter;
use crate::requires::Requirement;
use crate::target::Target;
use crate::title::Title;
use crate::told::Telling;

/// In what order results come.
#[derive(Debug)]
pub enum Order {
    /// In that of the items: all results of one before those of the next.
    Fifo(Gap),
    /// As workers make them.
    AsProduced,
}

/// Whether equal items are worked on again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dedupe {
    /// An item that was there before is left out, as a builder does: 1 048 576 are remembered in
    /// memory, the rest in the pipeline's store; without one, one more is an error. Over runs with
    /// [`balance_persisted`].
    #[default]
    On,
    /// Every item is worked on.
    Off,
}

/// How work is balanced.
///
/// ```
/// use selvedge_reactive::balancer::{Gap, Options, Order, Routing};
/// let options = Options::new(4)
///     .routing(Routing::LeastLoaded { window: 4 })
///     .order(Order::Fifo(Gap::SkipAhead { max_buffered: 100 }));
/// ```
#[derive(Debug)]
#[must_use = "options do nothing by themselves"]
pub struct Options {
    n_workers: usize,
    at_least: Option<usize>,
    routing: Routing,
    order: Order,
    dedupe: Dedupe,
    record: Option<(Arc<dyn Store>, String)>,
    waiting_max: Option<usize>,
    on_failure: FailurePolicy,
    are_stateless: bool,
}

impl Options {
    /// So many workers in turns, results in the order of the items, equal items once.
    pub fn new(n_workers: usize) -> Options {
        Options {
            n_workers,
            at_least: None,
            routing: Routing::default(),
            order: Order::Fifo(Gap::Wait),
            dedupe: Dedupe::default(),
            record: None,
            waiting_max: None,
            on_failure: FailurePolicy::default(),
            are_stateless: false,
        }
    }

    /// Between so many workers and the number given to [`new`](Self::new), as they are needed.
    /// Work goes to whoever has least, then.
    pub fn at_least(mut self, n_workers: usize) -> Options {
        self.at_least = Some(n_workers);
        self
    }

    /// Which worker takes an item.
    pub fn routing(mut self, routing: Routing) -> Options {
        self.routing = routing;
        self
    }

    /// In what order results come.
    pub fn order(mut self, order: Order) -> Options {
        self.order = order;
        self
    }

    /// Whether equal items are worked on again.
    pub fn dedupe(mut self, dedupe: Dedupe) -> Options {
        self.dedupe = dedupe;
        self
    }

    /// Keeps the number of the next item in a store, so that numbers go on after a restart.
    pub fn persistent(mut self, store: Arc<dyn Store>, namespace: &str) -> Options {
        self.record = Some((store, namespace.to_owned()));
        self
    }

    /// How many items may wait for a worker, under [`Routing::LeastLoaded`]: 1 048 576; one more is
    /// an error.
    pub fn waiting_max(mut self, n: usize) -> Options {
        self.waiting_max = Some(n);
        self
    }

    /// What happens after a worker's turn that failed. Under [`FailurePolicy::Skip`] its item has
    /// no results, the others go on, and so does the order.
    pub fn on_failure(mut self, policy: impl Into<FailurePolicy>) -> Options {
        self.on_failure = policy.into();
        self
    }

    /// Says that workers keep nothing from item to item, so that they can go on after a panic, and
    /// attempt an item again.
    pub fn stateless(mut self) -> Options {
        self.are_stateless = true;
        self
    }

    fn sequencer(&self, target: &str) -> Result<Sequencer, BalancerError> {
        match &self.record {
            Some((store, namespace)) => Sequencer::persistent(Arc::clone(store), namespace, target),
            None => Ok(Sequencer::new()),
        }
    }

    fn dispatch<T>(&self, requires: &str) -> Result<Dispatch<T>, BalancerError> {
        let dispatch = Dispatch::new(requires, self.n_workers, self.routing)?;
        let dispatch = match self.waiting_max {
            Some(n) => dispatch.waiting_max(n),
            None => dispatch,
        };
        match self.at_least {
            Some(n) => dispatch.autoscaled(n),
            None => Ok(dispatch),
        }
    }
}

/// A target whose work is balanced, and what can be seen of that.
pub struct Balanced<T> {
    /// What the workers make.
    pub target: Target<T>,
    /// Items that were passed over because their results did not come in time.
    pub skipped: Counter,
    /// Those of them whose results came after all, and were dropped.
    pub late: Counter,
    /// Items whose turn failed, and that were given up.
    pub failed: Counter,
    /// Times that a worker was taken into use because items had to wait.
    pub scaled_up: Counter,
}

/// Shares the work of making one target of another between workers: `make(i)` makes the i-th, a
/// function that makes any number of results of an item.
///
/// ```
/// use selvedge_reactive::Reactive;
/// use selvedge_reactive::balancer::{Options, balance};
/// use selvedge_runtime::Pipeline;
///
/// let mut graph = Reactive::new("atlas");
/// let tiles = graph.source("tiles", 0..100_u64);
/// let maps = balance(&mut graph, "maps", &tiles, Options::new(3), |_worker| {
///     |tile: &u64| Ok([tile * tile])
/// })?;
/// let seen = graph.collect(&maps.target);
/// graph.install(Pipeline::builder())?.build()?.run()?;
/// assert_eq!(seen.values(), (0..100).map(|tile| tile * tile).collect::<Vec<_>>());
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// Workers are called `<graph>/<required>-><provided>/worker-<i>` and are the same in every run.
///
/// # Errors
///
/// No worker, options that can't be, a starred requirement, a store that fails.
#[track_caller]
pub fn balance<T, U, W, I>(
    graph: &mut Reactive,
    provides: impl Provides<U>,
    requires: &Target<T>,
    options: Options,
    make: impl Fn(usize) -> W,
) -> Result<Balanced<U>, BalancerError>
where
    T: Artifact + Serialize,
    U: Artifact + Clone,
    W: FnMut(&T) -> anyhow::Result<I> + Send + 'static,
    I: IntoIterator<Item = U> + 'static,
{
    nodes(graph, provides, (requires, Place::here()), options, make, None)
}

/// The same, with results that outlive the run: in later runs those are brought back when somebody
/// asks for the target, before any item is worked on, in the order of the items, and with
/// [`Dedupe::On`] the items that they were made of are left out, as
/// [`Builder::persist`](crate::Builder::persist) does. A result is in the pipeline's store before
/// anybody hears of it. The number of workers may change from run to run.
///
/// `version` stands for the workers' code: raise it whenever that, or what it captures, changes.
///
/// ```
/// use std::sync::Arc;
/// use selvedge_reactive::Reactive;
/// use selvedge_reactive::balancer::{Options, balance_persisted};
/// use selvedge_runtime::Pipeline;
/// use selvedge_store::Memory;
///
/// let store = Arc::new(Memory::new()); // Or one on a disk.
/// for (n_workers, n_tiles) in [(3, 4), (2, 6)] {
///     let mut graph = Reactive::new("atlas");
///     let tiles = graph.source("tiles", 0..n_tiles);
///     let options = Options::new(n_workers);
///     let maps = balance_persisted(&mut graph, "maps", &tiles, options, "1", move |_worker| {
///         move |tile: &u64| Ok([(*tile, n_workers as u64)])
///     })?;
///     let seen = graph.collect(&maps.target);
///     graph.install(Pipeline::builder().store(store.clone()))?.build()?.run()?;
///     let expected = [(0, 3), (1, 3), (2, 3), (3, 3), (4, 2), (5, 2)];
///     assert_eq!(seen.values(), expected[..n_tiles as usize]);
/// }
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// # Errors
///
/// As [`balance`].
#[track_caller]
pub fn balance_persisted<T, U, W, I>(
    graph: &mut Reactive,
    provides: impl Provides<U>,
    requires: &Target<T>,
    options: Options,
    version: &str,
    make: impl Fn(usize) -> W,
) -> Result<Balanced<U>, BalancerError>
where
    T: Artifact + Serialize,
    U: Artifact + Clone + Serialize + DeserializeOwned,
    W: FnMut(&T) -> anyhow::Result<I> + Send + 'static,
    I: IntoIterator<Item = U> + 'static,
{
    let place = Place::here();
    let target = provides.target(place.clone());
    let signature = Signature::of_version(target.name(), version);
    let base = base(graph, requires.name(), target.name());
    // As that of a builder: by the graph's name and the node's.
    let namespace = format!("{}/{base}/collector", graph.name());
    let journal = Journal::new(signature.clone(), Cache::new().namespace(namespace));
    let keeping = Keeping::new(journal.clone());
    let dedupes = options.dedupe == Dedupe::On;
    let kept = Kept { journal, signature: Some(signature), dedupes };
    nodes(graph, &target, (requires, place), options, make, Some((keeping, kept)))
}

/// What the nodes' names begin with.
fn base(graph: &Reactive, requires: &str, provides: &str) -> String {
    format!("{}/{requires}->{provides}", graph.name())
}

/// Adds the nodes.
fn nodes<T, U, W, I>(
    graph: &mut Reactive,
    provides: impl Provides<U>,
    (requires, place): (&Target<T>, Place),
    options: Options,
    make: impl Fn(usize) -> W,
    kept: Option<(Keeping<T, U>, Kept)>,
) -> Result<Balanced<U>, BalancerError>
where
    T: Artifact + Serialize,
    U: Artifact + Clone,
    W: FnMut(&T) -> anyhow::Result<I> + Send + 'static,
    I: IntoIterator<Item = U> + 'static,
{
    let target = provides.target(place.clone());
    let dispatch = options.dispatch::<Shared<T>>(requires.name())?;
    let names: Vec<String> = (0..options.n_workers)
        .map(|i| worker_name(graph.name(), requires.name(), target.name(), i))
        .collect::<Result<_, _>>()?;
    let sequencer = options.sequencer(target.name())?;
    let first = sequencer.upcoming();
    let base = base(graph, requires.name(), target.name());
    let word = Title::new(&format!("{base}/done"));
    let inlets: Vec<Target<Tagged<T>>> =
        names.iter().map(|name| Target::at(&format!("{name}/in"), place.clone())).collect();
    let outlets: Vec<Target<Results<U>>> =
        names.iter().map(|name| Target::at(&format!("{name}/out"), place.clone())).collect();
    let reports_done = dispatch.hears_done();
    let may_skip = !matches!(options.on_failure, FailurePolicy::Fail);
    let known = |item: Item<'_>| item.digest::<T>();
    let aside = Journal::in_memory(told_as(None, &base));
    let (keeping, kept) = kept.unzip();
    let journal = kept.as_ref().map(|kept| kept.journal.clone());
    let shelf = keeping.as_ref().map(Keeping::shelf);
    let scaled_up = Counter::default();
    let sequencing = Sequencing::new(
        sequencer,
        dispatch,
        Inputs::new(options.dedupe, known, &aside, journal),
        word.clone(),
        may_skip,
        scaled_up.clone(),
    );
    let mut node = operator(inlets[0].clone(), [requires], sequencing)
        .named(&format!("{base}/sequencer"))
        .kept(Kept { journal: aside, signature: None, dedupes: false });
    for inlet in &inlets[1..] {
        node = node.also(inlet);
    }
    graph.add(node);
    let failed = Counter::default();
    for (i, name) in names.iter().enumerate() {
        let done = reports_done.then(|| word.clone());
        // It only tells: what is kept is the collector's.
        let known_as = kept.as_ref().and_then(|kept| kept.signature.clone());
        let journal = Journal::in_memory(told_as(known_as, name));
        let telling = Telling::new(journal.clone(), vec![Text::from(requires.name())], 0);
        let keeping = (keeping.clone(), telling);
        let working =
            Working::new((i, make(i)), keeping, done, options.are_stateless, failed.clone());
        let node = operator(outlets[i].clone(), [&inlets[i]], working)
            .named(name)
            .on_failure(options.on_failure.clone())
            .kept(Kept { journal, signature: None, dedupes: false });
        graph.add(node);
    }
    let required: Vec<Requirement> = outlets.iter().map(Requirement::from).collect();
    let (skipped, late) = match options.order {
        Order::AsProduced => {
            let node = operator(target.clone(), required, Unordered::new(shelf));
            add_collector(graph, node, &base, kept);
            (Counter::default(), Counter::default())
        }
        Order::Fifo(gap) => {
            let resequencer = Resequencer::new(first, gap)?;
            let counters = (resequencer.skipped(), resequencer.late());
            let node = operator(target.clone(), required, Collecting::new(resequencer, shelf));
            add_collector(graph, node, &base, kept);
            counters
        }
    };
    Ok(Balanced { target, skipped, late, failed, scaled_up })
}

fn add_collector<O: Operator>(
    graph: &mut Reactive,
    node: OperatorNode<O>,
    base: &str,
    kept: Option<Kept>,
) {
    let node = node.named(&format!("{base}/collector"));
    graph.add(match kept {
        Some(kept) => node.kept(kept),
        None => node,
    });
}

/// The same as [`balance`].
///
/// # Errors
///
/// As [`balance`].
#[track_caller]
pub fn parallelize<T, U, W, I>(
    graph: &mut Reactive,
    provides: impl Provides<U>,
    requires: &Target<T>,
    options: Options,
    make: impl Fn(usize) -> W,
) -> Result<Balanced<U>, BalancerError>
where
    T: Artifact + Serialize,
    U: Artifact + Clone,
    W: FnMut(&T) -> anyhow::Result<I> + Send + 'static,
    I: IntoIterator<Item = U> + 'static,
{
    balance(graph, provides, requires, options, make)
}

impl<T> fmt::Debug for Balanced<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balanced").field("target", &self.target).finish_non_exhaustive()
    }
}
