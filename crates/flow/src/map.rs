//! Owns maps: the same for each item of a list, as tasks of a scope within the run's.

mod apart;

use std::fmt;
use std::marker::PhantomData;
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
use crate::input::{Given, Input, Inputs, ItemFunction, Node};
use crate::limit::{Limit, Passes};
use crate::outcome::{Declined, Failure, Outcome};
use crate::run::{Elsewhere, Execution, Took};
use crate::run_event::Happened;
use crate::spec::{Kind, NodeSpec};
use crate::value::{Shared, Value, shared};

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
    let mut described = vec![list.describe()];
    described.extend(inputs.describe());
    let body = Maps { function: Arc::new(function), does: PhantomData };
    NodeSpec::new(described, Box::new(body), Kind::Map)
}

type Does<A, I, T> = PhantomData<fn(A, I) -> T>;

struct Maps<F, A, I, T> {
    function: Arc<F>,
    does: Does<A, I, T>,
}

impl<A, I, T, F> Body for Maps<F, A, I, T>
where
    A: Value,
    I: 'static,
    T: Value,
    F: ItemFunction<A, I, T>,
{
    fn run(&self, call: &mut Call<'_, '_>) -> Result<Made> {
        let list = call.value(0);
        let n_items = items::<A>(&list).len();
        if n_items == 0 {
            return Ok(Made::Value(shared(Vec::<T>::new())));
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
        call.execution.tell(call.cx.elapsed(), || Happened::MapStarted {
            step: call.execution.step(call.node),
            n_items,
        });
        let items = Arc::new_cyclic(|me| Items::<F, A, I, T> {
            me: Weak::clone(me),
            execution: Arc::clone(call.execution),
            is_particular: call.execution.is_particular(call.node),
            elsewhere: Elsewhere::new(call.execution.wide()),
            passes: Passes::default(),
            node: call.node,
            given: call.given.to_vec(),
            list,
            function: Arc::clone(&self.function),
            made: (0..n_items).map(|_| Mutex::default()).collect(),
            took: Took {
                started: call.cx.elapsed(),
                attempt: call.cx.attempt(),
                ..Took::default()
            },
            does: PhantomData,
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

fn items<A: Value>(list: &Shared) -> &Vec<A> {
    list.seen_as().expect("a handle bears the type of what its node makes")
}

/// The items of one map in one run.
struct Items<F, A, I, T> {
    me: Weak<Items<F, A, I, T>>,
    execution: Arc<Execution>,
    node: u32,
    /// Whether items need permits, or an executor computes them.
    is_particular: bool,
    elsewhere: Elsewhere,
    passes: Passes,
    given: Vec<Given>,
    list: Shared,
    function: Arc<F>,
    made: Box<[Mutex<Option<Outcome<T>>>]>,
    took: Took,
    does: Does<A, I, T>,
}

impl<A, I, T, F> Items<F, A, I, T>
where
    A: Value,
    I: 'static,
    T: Value,
    F: ItemFunction<A, I, T>,
{
    /// What an item is called in records and errors.
    fn name(&self, index: u32) -> Text {
        Text::from(format!("{}[{index}]", self.execution.step(self.node)))
    }

    /// What an item is called among those that it reads, which is not what the list is: a list may
    /// be an item of another.
    fn item_input(&self) -> (Text, Option<Text>) {
        let (name, step) = self.execution.read(self.node, 0);
        (Text::from(format!("{name}[]")), step)
    }

    fn end(&self, index: u32, outcome: Outcome<T>, took: Took) {
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

    fn record(&self, index: u32, outcome: Outcome<T>, took: Took) -> Outcome<T> {
        if !self.execution.records() {
            return outcome;
        }
        let (outcome, output) = match outcome {
            Outcome::Ok(value) => match Digest::of(&value) {
                Ok(digest) => {
                    if took.reused.is_none()
                        && let Some(inputs) = self.read_by(index)
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
        let mut record = self.execution.blank(self.node, &self.given[1..], 1, &outcome, took);
        record.step = self.name(index);
        record.kind = StepKind::MapItem;
        if let Ok(digest) = Digest::of(&items::<A>(&self.list)[index as usize]) {
            let (name, step) = self.item_input();
            record.inputs.insert(0, Read { name, step, digest });
        }
        record.outputs.extend(output);
        self.execution.keep(record);
        outcome
    }

    /// What an item reads, by name: itself first.
    fn read_by(&self, index: u32) -> Option<Vec<(Text, Digest)>> {
        let (name, _) = self.item_input();
        let item = Digest::of(&items::<A>(&self.list)[index as usize]).ok()?;
        let mut inputs = vec![(name, item)];
        inputs.extend(self.execution.read_values_from(self.node, 1, &self.given[1..])?);
        Some(inputs)
    }

    fn reuse(&self, index: u32) -> Option<(T, RunId)> {
        if !self.execution.may_reuse(self.node) {
            return None;
        }
        self.execution.reuse_item(self.node, self.name(index).as_str(), &self.read_by(index)?)
    }

    /// The turn of an item that a worker computes.
    fn turn_here(&self, cx: &mut TaskContext<'_>, index: u32) -> Result<()> {
        let started = cx.elapsed();
        let item = &items::<A>(&self.list)[index as usize];
        if let Some((value, run)) = self.reuse(index) {
            let took = Took::since(started, cx).reused_from(run);
            self.end(index, Outcome::Ok(value), took);
            return Ok(());
        }
        let outcome = match self.function.call_on(item, &self.given[1..]) {
            Ok(value) => Outcome::Ok(value),
            Err(error) => Outcome::Skipped(error.downcast::<Declined>()?.0),
        };
        self.end(index, outcome, Took::since(started, cx));
        Ok(())
    }

    /// What the map has come to, when all items have.
    fn collect(&self) -> Outcome<Shared> {
        let mut list = Vec::with_capacity(self.made.len());
        for made in &self.made {
            match made.lock().take() {
                Some(Outcome::Ok(value)) => list.push(value),
                Some(Outcome::Err(failure)) => return Outcome::Err(failure),
                Some(Outcome::Skipped(_)) | None => {}
            }
        }
        Outcome::Ok(shared(list))
    }
}

impl<A, I, T, F> Tasks for Items<F, A, I, T>
where
    A: Value,
    I: 'static,
    T: Value,
    F: ItemFunction<A, I, T>,
{
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
        self.passes.give_back(index);
        let took = Took::since(cx.elapsed(), cx).attempts(failure.attempts);
        let failure = Failure::of_task(self.name(index), failure);
        self.end(index, Outcome::Err(failure), took);
        Ok(Handling::Handled)
    }

    fn ended(&self, cx: &mut TaskContext<'_>, report: &ScopeReport) -> Result<()> {
        let outcome = match &report.outcome {
            ScopeOutcome::Succeeded => self.collect(),
            ScopeOutcome::Failed { cause, .. } => {
                Outcome::Err(Failure::of_error(self.execution.step(self.node), cause))
            }
            // The run is over, and with it the node.
            _ => return Ok(()),
        };
        let took = self.took.until(cx);
        self.execution.end_from_below(self.node, outcome, &self.given, took, cx);
        Ok(())
    }
}

impl<F, A, I, T> Drop for Items<F, A, I, T> {
    /// The scope is over; what is elsewhere is needed by nobody.
    fn drop(&mut self) {
        self.elsewhere.give_all_up();
    }
}

impl<F, A, I, T> fmt::Debug for Items<F, A, I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("n", &self.made.len()).finish_non_exhaustive()
    }
}
