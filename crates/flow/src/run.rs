//! Owns a run: what each node has come to, what follows from that, and when a value is needed no
//! more. It is the tasks of one scope; a node is the task of its number.
//!
//! A node ends once. Whoever ends it counts down those that read it, and whoever takes a count to
//! zero decides what becomes of that node: it is posted, or it ends there and then, without a turn.
//! That goes on from a list, not by recursion: a chain may be as long as it likes.

mod begin;
mod ending;

use std::sync::Arc;
use std::time::Duration;

use selvedge_event::Text;
use selvedge_lineage::{Record, RunId, Timestamp};
use selvedge_runtime::{Result, TaskContext, Tasks};
use selvedge_sync::Mutex;
use selvedge_sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::body::{Call, Made};
use crate::input::{Brought, Given};
use crate::outcome::{Cause, Declined, Failure, Outcome, Skip};
use crate::plan::{Plan, PlanSource};
use crate::propagation::{Decision, Ended, Parents, decide};
use crate::request::RunInfo;
use crate::value::Shared;

/// One run of a flow.
pub(crate) struct Execution {
    pub(crate) plan: Arc<Plan>,
    pub(crate) run: RunId,
    /// The time of day at which it began.
    pub(crate) started_at: Timestamp,
    slots: Box<[Slot]>,
    /// What parameters are, by node.
    given: Vec<(u32, Shared)>,
    cancelled: Arc<AtomicBool>,
    /// None if nothing is recorded.
    records: Option<Mutex<Vec<Record>>>,
}

/// A node in a run.
struct Slot {
    /// Reads of nodes that have not ended. Taken off with release and acquire: who takes the last
    /// one off sees what all parents have come to.
    pending: AtomicU32,
    /// Reads of this node that are still to come, and one if its value is to be kept. Likewise.
    readers: AtomicU32,
    state: Mutex<State>,
}

/// What a node has come to.
#[derive(Clone, Debug, Default)]
pub(crate) enum State {
    /// It has not ended.
    #[default]
    Waiting,
    /// Nobody asked for it.
    Unwanted,
    Ended(Outcome<Shared>),
    /// It had a value, which is needed no more.
    Dropped,
}

impl PartialEq for crate::value::Held<dyn crate::value::AnyValue> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Execution {
    /// What a node reads, each as it has come to be.
    fn gather(&self, node: u32, attempt: u32) -> Vec<Given> {
        let give = |source: &PlanSource| match source {
            PlanSource::Constant(value) => Outcome::Ok(Brought::Value(Arc::clone(value))),
            PlanSource::Run => Outcome::Ok(Brought::Run(self.info(node, attempt))),
            PlanSource::Node { idx, .. } => self.seen_from_below(*idx).map(Brought::Value),
        };
        self.plan.inputs(node).iter().map(|input| Given(give(&input.source))).collect()
    }

    /// What a node has come to, as those who read it see it.
    fn seen_from_below(&self, node: u32) -> Outcome<Shared> {
        let optional = self.plan.node(node).options.optional;
        match &*self.slots[node as usize].state.lock() {
            State::Ended(Outcome::Err(failure)) if optional => {
                Outcome::Skipped(Skip::OptionalFailed { failure: failure.clone() })
            }
            State::Ended(outcome) => outcome.clone(),
            state => unreachable!("a node is read after it has ended, and this is {state:?}"),
        }
    }

    fn info(&self, node: u32, attempt: u32) -> RunInfo {
        RunInfo {
            run: self.run,
            flow: self.plan.name.clone(),
            node: self.plan.node(node).id.clone(),
            attempt,
            started_at: self.started_at,
            cancelled: Arc::clone(&self.cancelled),
        }
    }

    /// Tells nodes that look that they are not needed any more.
    pub(crate) fn call_off(&self) {
        // Relaxed: a look later does no harm.
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Decides what becomes of a node whose parents have all ended.
    fn decide(&self, node: u32) -> Decision {
        let mut parents = Parents::default();
        for input in self.plan.inputs(node) {
            let PlanSource::Node { idx, receives: false } = input.source else { continue };
            let ended = match &*self.slots[idx as usize].state.lock() {
                State::Ended(Outcome::Err(_)) => Ended::Err,
                State::Ended(Outcome::Skipped(_)) => Ended::Skipped,
                State::Ended(Outcome::Ok(_)) | State::Dropped => Ended::Ok,
                state => unreachable!("a parent has ended, and this is {state:?}"),
            };
            parents.note(ended.seen_from_below(self.plan.node(idx).options.optional));
        }
        decide(self.plan.policy(node), parents)
    }

    fn id(&self, node: u32) -> &Text {
        &self.plan.node(node).id
    }
}

/// A run as the tasks of its scope.
pub(crate) struct Run(pub(crate) Arc<Execution>);

impl Tasks for Run {
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        let execution = &self.0;
        if index == execution.start() {
            execution.begin(&mut |node| cx.post(node));
            return Ok(());
        }
        let given = execution.gather(index, cx.attempt());
        let started = cx.elapsed();
        let body = &execution.plan.node(index).body;
        let mut call = Call { given: &given, cx, execution, node: index };
        let outcome = match body.run(&mut call) {
            Ok(Made::Value(value)) => Outcome::Ok(value),
            Ok(Made::Later) => return Ok(()),
            Err(error) => match error.downcast::<Declined>() {
                Ok(Declined(skip)) => Outcome::Skipped(skip),
                Err(error) => {
                    let error = format!("{error:#}");
                    Outcome::Err(Failure::new(execution.id(index).clone(), Cause::Error, error))
                }
            },
        };
        let took =
            Took { started, duration: cx.elapsed().saturating_sub(started), attempt: cx.attempt() };
        execution.end(index, outcome, &given, took, &mut |node| cx.post(node));
        Ok(())
    }
}

/// How long a node took, in the run's time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Took {
    pub(crate) started: Duration,
    pub(crate) duration: Duration,
    pub(crate) attempt: u32,
}
