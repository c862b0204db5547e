//! Owns the definition of a pipe: steps as they come, named, and what follows from each. Nothing is
//! refused on the way; `build` tells everything that is wrong at once.

mod check;
mod options;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Signature, Text};
use selvedge_runtime::FailurePolicy;
use selvedge_topology::Place;

use super::body::{AsMap, AsStep, AsSwitch, IntoItems, StepBody, body};
use super::control::{IntoControl, IntoKey};
use super::error::PipeError;
use super::extract::{Needs, StepFunction};
use super::machine::Join;
use super::pipe::Pipe;
use super::plan::{ItemType, ReadItems, StepKind};
use super::state::Shares;
use super::sub::{Sub, SubPlan};
use crate::value::Value;

pub use options::{IsMap, IsStep, IsSwitch, Names, StepMut};

/// Items that a map may have, unless it says otherwise.
const ITEMS_MAX: u32 = 1 << 24;

/// Times that a step may ask for [another attempt](super::Control::Retry), unless the pipe says
/// otherwise.
const RETRIES_MAX: u32 = 100;

/// A pipe that is being defined.
///
/// ```
/// use selvedge_flow::steps::{Pipe, State};
///
/// #[derive(Clone, Default)]
/// struct Order {
///     net: f64,
///     gross: f64,
/// }
///
/// let mut pipe = Pipe::<Order>::builder("orders");
/// pipe.step("tax", |order: State<Order>| order.update(|order| order.gross = order.net * 1.19))
///     .to("check");
/// pipe.switch("check", |order: State<Order>| order.gross > 100.0)
///     .on(true, "approve")
///     .on(false, "ship");
/// pipe.step("approve", || ());
/// pipe.step("ship", || ());
/// let result = pipe.build()?.run(Order { net: 100.0, ..Order::default() })?;
/// assert_eq!(result.state().gross, 119.0);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub struct PipeBuilder<S, C> {
    name: Text,
    steps: Vec<Defined<S, C>>,
    on_error: Option<Box<dyn StepBody<S, C>>>,
    on_startup: Vec<Box<dyn StepBody<S, C>>>,
    on_shutdown: Vec<Box<dyn StepBody<S, C>>>,
    several_roots: bool,
    concurrency_max: Option<u32>,
    time_limit: Option<Duration>,
    retries_max: u32,
}

/// A step as it was defined.
struct Defined<S, C> {
    name: Text,
    place: Place,
    kind: StepKind,
    body: Box<dyn StepBody<S, C>>,
    needs: Vec<Needs>,
    to: Vec<Text>,
    jumps: Vec<Text>,
    /// Of a map.
    each: Option<Text>,
    makes: Option<ItemType>,
    read_items: Option<ReadItems>,
    sub: Option<Arc<dyn SubPlan<S, C>>>,
    at_a_time: Option<u32>,
    items_max: u32,
    /// Of a switch: keys and where they lead; `None` stops.
    routes: Vec<(Text, Option<Text>)>,
    otherwise: Option<Option<Text>>,
    join: Join,
    join_limit: Option<Duration>,
    on_error: Option<Box<dyn StepBody<S, C>>>,
    on_failure: Option<FailurePolicy>,
    time_limit: Option<Duration>,
    code: Option<Signature>,
    tags: Vec<Text>,
    description: Option<Text>,
}

impl<S: Shares, C: Send + Sync + 'static> PipeBuilder<S, C> {
    pub(crate) fn new(name: Text) -> PipeBuilder<S, C> {
        PipeBuilder {
            name,
            steps: Vec::new(),
            on_error: None,
            on_startup: Vec::new(),
            on_shutdown: Vec::new(),
            several_roots: false,
            concurrency_max: None,
            time_limit: None,
            retries_max: RETRIES_MAX,
        }
    }

    /// A step that does something. It is a first step unless something leads to it.
    #[track_caller]
    pub fn step<A: 'static, F>(&mut self, name: &str, function: F) -> StepMut<'_, S, C, IsStep>
    where
        F: StepFunction<S, C, A>,
        F::Output: IntoControl,
    {
        self.define(name, StepKind::Step, F::needs(), body(AsStep, function))
    }

    /// A step that makes a list, and starts the step `each` for each of its items; what follows
    /// starts when all items have come to their ends. What they change in the state is changed in
    /// the order of the items.
    ///
    /// If an item fails, the others go on, and the map has failed with the first of them. An item
    /// that is skipped is left out.
    #[track_caller]
    pub fn map<A: 'static, F>(
        &mut self,
        name: &str,
        each: &str,
        function: F,
    ) -> StepMut<'_, S, C, IsMap>
    where
        F: StepFunction<S, C, A>,
        F::Output: IntoItems,
    {
        let id = std::any::TypeId::of::<<F::Output as IntoItems>::Item>();
        let made = ItemType { id, name: std::any::type_name::<<F::Output as IntoItems>::Item>() };
        let map = self.define(name, StepKind::Map, F::needs(), body(AsMap, function));
        map.defined.each = Some(Text::from(each));
        map.defined.makes = Some(made);
        map.defined.read_items = Some(|json| {
            let items: Vec<<F::Output as IntoItems>::Item> = serde_json::from_value(json)?;
            Ok(Arc::new(items))
        });
        map
    }

    /// A step that chooses what comes next: it returns a key of its table.
    #[track_caller]
    pub fn switch<A: 'static, F>(&mut self, name: &str, function: F) -> StepMut<'_, S, C, IsSwitch>
    where
        F: StepFunction<S, C, A>,
        F::Output: IntoKey,
    {
        self.define(name, StepKind::Switch, F::needs(), body(AsSwitch, function))
    }

    /// A step that runs another pipe, with a state that is made of this one's and the same context.
    /// When it has succeeded, `back` brings what matters of its state into this one's. It fails, is
    /// cancelled and waits as its pipe does.
    ///
    /// ```
    /// use selvedge_flow::steps::{Pipe, State};
    ///
    /// let mut tax = Pipe::<f64>::builder("tax");
    /// tax.step("add", |price: State<f64>| price.update(|price| *price *= 1.19));
    /// let tax = tax.build()?;
    ///
    /// let mut pipe = Pipe::<Vec<f64>>::builder("till");
    /// let last = |prices: State<Vec<f64>>| Ok(*prices.last().unwrap_or(&0.0));
    /// pipe.sub("tax", &tax, last, |prices, price| prices.push(*price));
    /// assert_eq!(*pipe.build()?.run(vec![100.0])?.state(), [100.0, 119.0]);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[track_caller]
    pub fn sub<A: 'static, T, F>(
        &mut self,
        name: &str,
        pipe: &Pipe<T, C>,
        function: F,
        back: impl Fn(&mut S, &T) + Send + Sync + 'static,
    ) -> StepMut<'_, S, C, IsStep>
    where
        T: Shares + Value,
        F: StepFunction<S, C, A, Output = anyhow::Result<T>>,
    {
        let sub = Arc::new(Sub::new(pipe.shared_plan(), function, back));
        let step = self.define(name, StepKind::Sub, F::needs(), Box::new(Arc::clone(&sub)));
        step.defined.sub = Some(sub);
        step
    }

    #[track_caller]
    fn define<K>(
        &mut self,
        name: &str,
        kind: StepKind,
        needs: Vec<Needs>,
        body: Box<dyn StepBody<S, C>>,
    ) -> StepMut<'_, S, C, K> {
        self.steps.push(Defined {
            name: Text::from(name),
            place: Place::here(),
            kind,
            body,
            needs,
            to: Vec::new(),
            jumps: Vec::new(),
            each: None,
            makes: None,
            read_items: None,
            sub: None,
            at_a_time: None,
            items_max: ITEMS_MAX,
            routes: Vec::new(),
            otherwise: None,
            join: Join::All,
            join_limit: None,
            on_error: None,
            on_failure: None,
            time_limit: None,
            code: None,
            tags: Vec::new(),
            description: None,
        });
        let defined = self.steps.last_mut().expect("it was just pushed");
        StepMut { defined, kind: PhantomData }
    }

    /// What handles failures of steps that have no handler of their own, or whose handler failed.
    /// What it returns is done as if the step had returned it: nothing, and the step has succeeded.
    pub fn on_error<A: 'static, F>(&mut self, handler: F) -> &mut Self
    where
        F: StepFunction<S, C, A>,
        F::Output: IntoControl,
    {
        self.on_error = Some(body(AsStep, handler));
        self
    }

    /// Something to do before the first step, after what was said so before. If it fails, no step
    /// starts.
    pub fn on_startup<A: 'static, F>(&mut self, hook: F) -> &mut Self
    where
        F: StepFunction<S, C, A>,
        F::Output: IntoControl,
    {
        self.on_startup.push(body(AsStep, hook));
        self
    }

    /// Something to do at the end of each leg of a run, however it ends, whether or not those
    /// before it fail.
    pub fn on_shutdown<A: 'static, F>(&mut self, hook: F) -> &mut Self
    where
        F: StepFunction<S, C, A>,
        F::Output: IntoControl,
    {
        self.on_shutdown.push(body(AsStep, hook));
        self
    }

    /// Several steps may be the first; they start together. Without this, it is taken for an edge
    /// that was forgotten.
    pub fn several_roots(&mut self) -> &mut Self {
        self.several_roots = true;
        self
    }

    /// How many steps of a run may be under way at a time.
    pub fn concurrency_max(&mut self, n: u32) -> &mut Self {
        self.concurrency_max = Some(n);
        self
    }

    /// How long a run may take.
    pub fn time_limit(&mut self, limit: Duration) -> &mut Self {
        self.time_limit = Some(limit);
        self
    }

    /// How often a step may ask for [another attempt](super::Control::Retry) before it has failed;
    /// 100 unless it is set.
    pub fn retries_max(&mut self, n: u32) -> &mut Self {
        self.retries_max = n;
        self
    }

    /// Checks everything and freezes it. Linear in steps and edges.
    ///
    /// # Errors
    ///
    /// All that is wrong, at once: names and edges, cycles, switches without routes, steps that
    /// can't do a map's items, no first step or several.
    pub fn build(self) -> Result<Pipe<S, C>, PipeError> {
        check::build(self).map(Pipe::new)
    }
}

/// Where keys lead, by number.
type Routes = BTreeMap<Text, Option<u32>>;

impl<S, C> fmt::Debug for PipeBuilder<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeBuilder")
            .field("name", &self.name)
            .field("steps", &self.steps.len())
            .finish_non_exhaustive()
    }
}
