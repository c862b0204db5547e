//! Owns maps: the same for each item of a collection, as tasks of a scope within the run's. What
//! there is to go over, and what comes of it, is `over`'s.

mod apart;
mod over;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use anyhow::Result;
use selvedge_event::{Digest, Text};
use selvedge_lineage::{Input as Read, RunId, StepKind};
use selvedge_runtime::{
    Handling, ScopeOptions, ScopeOutcome, ScopeReport, TaskContext, TaskFailure, TaskRetry, Tasks,
};
use selvedge_sync::Mutex;

use crate::body::{Body, Call, Made};
use crate::executor::Home as _;
use crate::input::{Given, Input, Inputs, ItemFunction, Node, PairFunction};
use crate::limit::{Limit, Passes};
use crate::outcome::{Declined, Failure, Outcome};
use crate::run::{Elsewhere, Execution, Took};
use crate::run_event::Happened;
use crate::spec::{Kind, NodeSpec};
use crate::value::{Shared, Value};

use over::{Entries, List, Over, Pairs};

/// A node that does the same for each item of a list, at the same time, and makes the list of what
/// came of it, in the order of the items.
///
/// The function takes an item, then what `inputs` are: those are shared by all items. An item that
/// [declines](crate::skip()) is left out. If one fails, the others still run, and the map has
/// failed with the first of the failures.
///
/// ```
/// use selvedge_flow::{Flow, Request, map};
///
/// let mut flow = Flow::builder("greetings");
/// let names = flow.parameter::<Vec<String>>("names");
/// let greeting = flow.parameter_or("greeting", "hello".to_owned());
/// let greet = map(names, (greeting,), |name: &String, greeting: &String| {
///     Ok(format!("{greeting} {name}"))
/// });
/// let greeted = flow.add("greeted", greet.items_at_a_time(2));
///
/// let names = ["ann", "bob"].map(str::to_owned).to_vec();
/// let result = flow.build()?.run(Request::new().with("names", names))?;
/// assert_eq!(result.value(greeted)?, &["hello ann", "hello bob"]);
/// assert!(result.records().iter().any(|record| record.step.as_str() == "greeted[1]"));
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn map<A, I, T, F>(list: Node<Vec<A>>, inputs: I, function: F) -> NodeSpec<Vec<T>>
where
    A: Value,
    I: Inputs,
    T: Value,
    F: ItemFunction<A, I, T>,
{
    spec([list.describe()], inputs, List::new(function))
}

/// A [`map`] over two lists at once: the function takes the first items of both, the second, and so
/// on. The map fails if one list is longer than the other.
///
/// ```
/// use selvedge_flow::{Flow, Request, zip_map};
///
/// let mut flow = Flow::builder("till");
/// let prices = flow.parameter::<Vec<u32>>("prices");
/// let amounts = flow.parameter::<Vec<u32>>("amounts");
/// let sums = zip_map(prices, amounts, (), |price: &u32, amount: &u32| Ok(price * amount));
/// let sums = flow.add("sums", sums);
/// let flow = flow.build()?;
///
/// let request = |amounts: Vec<u32>| {
///     Request::new().with("prices", vec![5_u32, 7]).with("amounts", amounts)
/// };
/// assert_eq!(flow.run(request(vec![2, 3]))?.value(sums)?, &[10, 21]);
/// let failed = flow.run(request(vec![2]))?;
/// assert!(failed.value(sums).unwrap_err().to_string().contains("2 items and one of 1"));
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn zip_map<A, B, I, T, F>(
    first: Node<Vec<A>>,
    second: Node<Vec<B>>,
    inputs: I,
    function: F,
) -> NodeSpec<Vec<T>>
where
    A: Value,
    B: Value,
    I: Inputs,
    T: Value,
    F: PairFunction<A, B, I, T>,
{
    spec([first.describe(), second.describe()], inputs, Pairs::new(function))
}

/// A [`map`] over the entries of a dictionary: the function takes a key and its value, and what
/// comes of it is the value of the same key. The entry of an item that declines is left out.
///
/// Items are called by their keys in records and events, as JSON has them: `prices["tea"]`.
///
/// ```
/// use std::collections::BTreeMap;
/// use selvedge_flow::{Flow, Request, dict_map};
///
/// let mut flow = Flow::builder("till");
/// let prices = flow.parameter::<BTreeMap<String, u32>>("prices");
/// let labels = dict_map(prices, (), |name: &String, price: &u32| Ok(format!("{name} {price}")));
/// let labels = flow.add("labels", labels);
/// let prices = BTreeMap::from([("tea".to_owned(), 3_u32)]);
/// let result = flow.build()?.run(Request::new().with("prices", prices))?;
/// assert_eq!(result.value(labels)?["tea"], "tea 3");
/// assert!(result.records().iter().any(|record| record.step.as_str() == r#"labels["tea"]"#));
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn dict_map<K, A, I, T, F>(
    entries: Node<BTreeMap<K, A>>,
    inputs: I,
    function: F,
) -> NodeSpec<BTreeMap<K, T>>
where
    K: Value + Ord + Clone,
    A: Value,
    I: Inputs,
    T: Value,
    F: PairFunction<K, A, I, T>,
{
    spec([entries.describe()], inputs, Entries::new(function))
}

fn spec<T, const N: usize>(
    over: [crate::input::Described; N],
    inputs: impl Inputs,
    body: impl Over,
) -> NodeSpec<T> {
    let mut described = Vec::from(over);
    described.extend(inputs.describe());
    NodeSpec::new(described, Box::new(Maps { over: Arc::new(body), n_over: N }), Kind::Map)
}

struct Maps<O> {
    over: Arc<O>,
    /// Inputs that it goes over; those after them are shared.
    n_over: usize,
}

impl<O: Over> Body for Maps<O> {
    fn run(&self, call: &mut Call<'_, '_>) -> Result<Made> {
        let values = (0..self.n_over).map(|at| call.value(at)).collect();
        let items = self.over.items(values)?;
        let n_items = self.over.n_items(&items);
        if n_items == 0 {
            return Ok(Made::Value(self.over.collect(&items, Vec::new())));
        }
        let n_items = u32::try_from(n_items).ok().filter(|&n| n < u32::MAX);
        let n_items = n_items.ok_or_else(|| anyhow::anyhow!("a map takes up to 2³² - 2 items"))?;
        let node = call.execution.plan.node(call.node);
        let mut options = ScopeOptions::named(node.id.clone()).tasks_max(u64::from(n_items) + 1);
        let limits = call.execution.limits(call.node).map(Limit::max);
        let at_a_time = node.options.more().and_then(|more| more.items_at_a_time);
        // Items that wait for a permit are no more than those that can have one.
        if let Some(n) = limits.chain(at_a_time).min() {
            options = options.concurrency_max(n);
        }
        let execution = Arc::clone(call.execution);
        execution.tell(call.cx.elapsed(), || Happened::MapStarted {
            step: execution.step(call.node),
            n_items,
        });
        let part = |&(at, suffix): &(usize, &str)| {
            let (name, step) = execution.read(call.node, at);
            (Text::from(format!("{name}{suffix}")), step)
        };
        let parts = O::PARTS.iter().map(part).collect();
        let items = Arc::new_cyclic(|me| Items {
            me: Weak::clone(me),
            is_particular: execution.is_particular(call.node),
            elsewhere: Elsewhere::new(execution.wide()),
            passes: Passes::default(),
            step: execution.step(call.node),
            parts,
            read: execution.read_of(call.node, self.n_over, &call.given[self.n_over..]),
            node: call.node,
            given: call.given.to_vec(),
            n_over: self.n_over,
            over: Arc::clone(&self.over),
            items,
            made: (0..n_items).map(|_| Mutex::default()).collect(),
            took: Took {
                started: call.cx.elapsed(),
                attempt: call.cx.attempt(),
                ..Took::default()
            },
            execution,
        });
        if items.is_particular && node.options.more().is_some_and(|more| more.time_limit.is_some())
        {
            let items = Arc::downgrade(&items);
            let gives_up =
                move || items.upgrade().iter().for_each(|items| items.elsewhere.give_all_up());
            call.execution.elsewhere().when_given_up(call.node, gives_up);
        }
        call.cx.scope(options, items)?.post_range(0..n_items);
        Ok(Made::Later)
    }
}

/// What an item has come to, once it has.
type Slot<T> = Option<Outcome<T>>;

/// The items of one map in one run.
struct Items<O: Over> {
    me: Weak<Items<O>>,
    execution: Arc<Execution>,
    node: u32,
    /// Whether items need permits, or an executor computes them.
    is_particular: bool,
    elsewhere: Elsewhere,
    passes: Passes,
    /// What the node is called.
    step: Text,
    given: Vec<Given>,
    n_over: usize,
    /// What the parts of an item are called, and where they come from.
    parts: Vec<(Text, Option<Text>)>,
    /// What all items read, as records have it; nothing if nothing is recorded.
    read: Vec<Read>,
    over: Arc<O>,
    items: O::Items,
    made: Box<[Mutex<Slot<O::Made>>]>,
    took: Took,
}

impl<O: Over> Items<O> {
    /// What an item is called in records and errors.
    fn name(&self, index: u32) -> Text {
        let mut name = String::with_capacity(self.step.len() + 8);
        name.push_str(self.step.as_str());
        name.push('[');
        self.over.label(&self.items, index as usize, &mut name);
        name.push(']');
        Text::from(name)
    }

    fn shared(&self) -> &[Given] {
        &self.given[self.n_over..]
    }

    fn end(&self, index: u32, outcome: Outcome<O::Made>, took: Took) {
        let outcome = self.record(index, outcome, took);
        let at = took.started + took.duration;
        self.execution.tell_before_the_end(self.node, at, || Happened::ItemFinished {
            step: self.name(index),
            index,
            ending: outcome.ending(),
            attempt: took.attempt,
            duration: took.duration,
            reused: took.reused,
        });
        *self.made[index as usize].lock() = Some(outcome);
    }

    fn record(&self, index: u32, outcome: Outcome<O::Made>, took: Took) -> Outcome<O::Made> {
        if !self.execution.records() {
            return outcome;
        }
        let item = self.item(index);
        let (outcome, output) = match outcome {
            Outcome::Ok(value) => match Digest::of(&value) {
                Ok(digest) => {
                    if took.reused.is_none()
                        && self.execution.journal.is_some()
                        && let Some(inputs) = self.read_by(&item)
                    {
                        self.execution.keep_item(self.node, &value, &digest, &inputs);
                    }
                    (Outcome::Ok(value), Some(digest))
                }
                Err(error) => {
                    (Outcome::Err(Failure::without_digest(self.name(index), &error)), None)
                }
            },
            outcome => (outcome, None),
        };
        let mut read = item.unwrap_or_default();
        read.extend_from_slice(&self.read);
        let name = self.name(index);
        let mut record = self.execution.record_of(self.node, name, read, &outcome, took);
        record.kind = StepKind::MapItem;
        record.outputs.extend(output);
        self.execution.keep(record);
        outcome
    }

    /// What an item itself is, as its record has it, with room for what it shares; nothing if it
    /// has no digest. It is not called what the collection is: that may be an item of another.
    fn item(&self, index: u32) -> Option<Vec<Read>> {
        let parts = self.over.parts(&self.items, index as usize).ok()?;
        let mut read = Vec::with_capacity(parts.len() + self.read.len());
        for ((name, step), digest) in self.parts.iter().zip(parts) {
            read.push(Read { name: name.clone(), step: step.clone(), digest });
        }
        Some(read)
    }

    /// What an item reads, by name: itself first.
    fn read_by(&self, item: &Option<Vec<Read>>) -> Option<Vec<(Text, Digest)>> {
        let item = item.as_ref()?.iter().map(|read| (read.name.clone(), read.digest));
        let mut inputs: Vec<(Text, Digest)> = item.collect();
        inputs.extend(self.execution.read_values_from(self.node, self.n_over, self.shared())?);
        Some(inputs)
    }

    fn reuse(&self, index: u32) -> Option<(O::Made, RunId)> {
        if !self.execution.may_reuse(self.node) {
            return None;
        }
        let inputs = self.read_by(&self.item(index))?;
        self.execution.reuse_item(self.node, self.name(index).as_str(), &inputs)
    }

    /// The turn of an item that a worker computes.
    fn turn_here(&self, cx: &mut TaskContext<'_>, index: u32) -> Result<()> {
        let started = self.execution.clock(cx);
        if let Some((value, run)) = self.reuse(index) {
            let took = Took::since(started, cx).reused_from(run);
            self.end(index, Outcome::Ok(value), took);
            return Ok(());
        }
        let outcome = match self.over.call(&self.items, index as usize, self.shared()) {
            Ok(value) => Outcome::Ok(value),
            Err(error) => Outcome::Skipped(error.downcast::<Declined>()?.0),
        };
        self.end(index, outcome, Took::since(started, cx));
        Ok(())
    }

    /// What the map has come to, when all items have.
    fn collect(&self) -> Outcome<Shared> {
        let mut all = Vec::with_capacity(self.made.len());
        for (made, index) in self.made.iter().zip(0..) {
            match made.lock().take() {
                Some(Outcome::Ok(value)) => all.push((index, value)),
                Some(Outcome::Err(failure)) => return Outcome::Err(failure),
                Some(Outcome::Skipped(_)) | None => {}
            }
        }
        Outcome::Ok(self.over.collect(&self.items, all))
    }
}

impl<O: Over> Tasks for Items<O> {
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result<()> {
        if self.is_particular { self.turn_apart(cx, index) } else { self.turn_here(cx, index) }
    }

    fn policy(&self, _: u32) -> Option<&selvedge_runtime::FailurePolicy> {
        self.execution.policy(self.node)
    }

    fn retries(&self, index: u32, retry: &TaskRetry<'_>) {
        self.execution.tell_of_retry(self.node, || self.name(index), retry);
    }

    fn failed(
        &self,
        cx: &mut TaskContext<'_>,
        index: u32,
        failure: &TaskFailure,
    ) -> Result<Handling> {
        let took = Took::since(self.execution.clock(cx), cx).attempts(failure.attempts);
        let failure = Failure::of_task(self.name(index), failure);
        self.end(index, Outcome::Err(failure), took);
        Ok(Handling::Handled)
    }

    fn ended(&self, cx: &mut TaskContext<'_>, report: &ScopeReport) -> Result<()> {
        let outcome = match &report.outcome {
            ScopeOutcome::Succeeded => self.collect(),
            ScopeOutcome::Failed { cause, .. } => {
                Outcome::Err(Failure::of_error(self.step.clone(), cause))
            }
            // The run is over, and with it the node.
            _ => return Ok(()),
        };
        let took = self.took.until(cx);
        self.execution.end_from_below(self.node, outcome, &self.given, took, cx);
        Ok(())
    }
}

impl<O: Over> Drop for Items<O> {
    /// The scope is over; what is elsewhere is needed by nobody.
    fn drop(&mut self) {
        self.elsewhere.give_all_up();
    }
}

impl<O: Over> fmt::Debug for Items<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("n", &self.made.len()).finish_non_exhaustive()
    }
}
