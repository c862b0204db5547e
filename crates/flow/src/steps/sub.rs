//! Owns pipes within pipes: a scope within the run's, in which another pipe runs for one step.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use anyhow::{Result, bail};
use selvedge_event::Digest;
use selvedge_lineage::RunId;
use selvedge_runtime::{ScopeControl, ScopeOptions, TaskContext};

use super::body::{Done, StepBody};
use super::event::Finished;
use super::extract::{StepCall, StepFunction};
use super::plan::Plan;
use super::position::{Position, Written};
use super::recording::Records;
use super::run::{Execution, First, Leg, Outer, Run, START};
use super::state::Shares;
use crate::flow::now;
use crate::value::Value;

/// How deep pipes may lie in each other.
const DEPTH_MAX: u32 = 32;

/// A pipe as a step of another one.
pub(crate) trait SubPlan<S, C>: Send + Sync {
    /// What the pipe is.
    fn digest(&self) -> Digest;

    /// Brings back where a run of it stood.
    fn read(&self, written: Written) -> serde_json::Result<Stood>;

    /// A run of it that goes on.
    fn resume(&self, stood: &Stood) -> Box<dyn Child<S, C>>;
}

/// Where a run within another stands, whatever its state is.
pub(crate) type Stood = Arc<dyn AnyPosition>;

/// See [`Stood`].
pub(crate) trait AnyPosition: Send + Sync {
    fn written(&self) -> serde_json::Result<Written>;
    fn as_any(&self) -> &dyn Any;
}

impl<S: Shares + Value> AnyPosition for Position<S> {
    fn written(&self) -> serde_json::Result<Written> {
        Written::of(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A run within another that has not begun, or does not go on yet.
pub(crate) trait Child<S, C>: Send {
    /// Opens its scope.
    fn open(self: Box<Self>, site: Site<S, C>, cx: &mut TaskContext<'_>) -> Result<ScopeControl>;
}

/// The step that a run is for.
pub(crate) struct Site<S, C> {
    pub(crate) execution: Arc<Execution<S, C>>,
    pub(crate) slot: u32,
    /// Which of the slot's turns it is for.
    pub(crate) turn: u64,
}

/// How a run within another ended.
pub(crate) struct ChildEnd<S> {
    pub(crate) turn: u64,
    pub(crate) finished: Finished,
    /// Where it stands, if it waits.
    pub(crate) stood: Option<Stood>,
    /// What becomes of the state of the pipe around it.
    pub(crate) merge: Box<dyn FnOnce(&mut S) + Send>,
}

/// What becomes of the state around a pipe when it has succeeded.
type Back<S, T> = Arc<dyn Fn(&mut S, &T) + Send + Sync>;

/// Another pipe, how its state is made of this one's, and what goes back.
pub(crate) struct Sub<S, C, T, F, A> {
    plan: Arc<Plan<T, C>>,
    function: F,
    back: Back<S, T>,
    asks: PhantomData<fn(A)>,
}

impl<S, C, T, F, A> Sub<S, C, T, F, A> {
    pub(crate) fn new(
        plan: Arc<Plan<T, C>>,
        function: F,
        back: impl Fn(&mut S, &T) + Send + Sync + 'static,
    ) -> Self {
        Sub { plan, function, back: Arc::new(back), asks: PhantomData }
    }

    fn child(&self, position: Position<T>, first: First) -> Box<ChildRun<S, C, T>> {
        let (plan, back) = (Arc::clone(&self.plan), Arc::clone(&self.back));
        Box::new(ChildRun { plan, back, position, first })
    }
}

impl<S, C, T, F, A> StepBody<S, C> for Arc<Sub<S, C, T, F, A>>
where
    S: Shares,
    C: Send + Sync + 'static,
    T: Shares + Value,
    A: 'static,
    F: StepFunction<S, C, A, Output = Result<T>>,
{
    fn run(&self, call: &StepCall<'_, S, C>) -> Result<Done<S, C>> {
        let state = self.function.call(call)??;
        let position = Position::new(&self.plan, RunId::drawn(now()), state);
        Ok(Done::Child(self.child(position, First::Steps(self.plan.roots.clone()))))
    }
}

impl<S, C, T, F, A> SubPlan<S, C> for Sub<S, C, T, F, A>
where
    S: Shares,
    C: Send + Sync + 'static,
    T: Shares + Value,
    A: 'static,
    F: StepFunction<S, C, A, Output = Result<T>>,
{
    fn digest(&self) -> Digest {
        self.plan.digest()
    }

    fn read(&self, written: Written) -> serde_json::Result<Stood> {
        Ok(Arc::new(written.read::<T>(&*self.plan)?))
    }

    fn resume(&self, stood: &Stood) -> Box<dyn Child<S, C>> {
        let position = stood.as_any().downcast_ref::<Position<T>>();
        let position = position.expect("where a run stands is read by the step that it is for");
        self.child(position.clone(), First::Held)
    }
}

struct ChildRun<S, C, T> {
    plan: Arc<Plan<T, C>>,
    back: Back<S, T>,
    position: Position<T>,
    first: First,
}

impl<S, C, T> Child<S, C> for ChildRun<S, C, T>
where
    S: Shares,
    C: Send + Sync + 'static,
    T: Shares + Value,
{
    fn open(self: Box<Self>, site: Site<S, C>, cx: &mut TaskContext<'_>) -> Result<ScopeControl> {
        let parent = site.execution;
        let depth = parent.depth + 1;
        if depth > DEPTH_MAX {
            bail!("pipes lie in each other {depth} deep, {DEPTH_MAX} is allowed");
        }
        let ChildRun { plan, back, position, first } = *self;
        let (slot, turn) = (site.slot, site.turn);
        let ends = Arc::clone(&parent);
        let outer: Outer<T> = Box::new(move |closed, cx| {
            let (back, state) = (Arc::clone(&back), closed.state);
            let end = ChildEnd {
                turn,
                finished: closed.finished,
                stood: closed.position.map(|position| Arc::new(position) as Stood),
                merge: Box::new(move |around: &mut S| back(around, &state)),
            };
            ends.child_ended(slot, end, cx);
        });
        let leg = Leg {
            cancel: parent.cancel.clone(),
            first,
            resumed: parent.resumed.clone(),
            keeper: None,
            records: parent.records.as_ref().map(|records| {
                let records: Arc<dyn Records<T>> = Arc::new(records.journal().clone());
                records
            }),
            feed: parent.feed.clone(),
            prefix: Some(parent.stage_of(slot)),
            told_run: parent.told_run,
            depth,
            outer: Some(outer),
            ..Leg::at(position, Arc::clone(&parent.context))
        };
        let mut options = ScopeOptions::named(plan.name.clone());
        if let Some(n) = plan.concurrency_max {
            options = options.concurrency_max(n);
        }
        let execution = Arc::new(Execution::new(&plan, leg));
        let mut scope = cx.scope(options, Run(execution))?;
        scope.post(START);
        Ok(scope.control())
    }
}
