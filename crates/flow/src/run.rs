//! Owns a run: what each node has come to, what follows from that, and when a value is needed no
//! more. It is the tasks of one scope; a node is the task of its number.
//!
//! A node ends once. Whoever ends it counts down those that read it, and whoever takes a count to
//! zero decides what becomes of that node: it is posted, or it ends there and then, without a turn.
//! That goes on from a list, not by recursion: a chain may be as long as it likes.

mod begin;
mod ending;
mod past;
mod reuse;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use selvedge_event::{Outcome as Ending, Text};
use selvedge_lineage::{Record, RunId, Timestamp};
use selvedge_runtime::{
    FailurePolicy, Handling, Result, ScopeReport, TaskContext, TaskFailure, Tasks,
};
use selvedge_sync::Mutex;
use selvedge_sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::body::{Call, Made};
use crate::inner::Outer;
use crate::input::{Brought, Given};
use crate::journal::Journal;
use crate::outcome::{Declined, Failure, Outcome, Skip};
use crate::plan::{Plan, PlanSource};
use crate::propagation::{Decision, Ended, Parents, decide};
use crate::request::RunInfo;
use crate::value::Shared;

pub(crate) use begin::{Writes, given, wanted};
pub(crate) use ending::Remains;
pub(crate) use past::Past;

/// One run of a flow.
pub(crate) struct Execution {
    pub(crate) plan: Arc<Plan>,
    pub(crate) run: RunId,
    /// The time of day at which it began.
    pub(crate) started_at: Timestamp,
    /// The node that the run is for, if it lies in another run.
    outer: Option<Outer>,
    slots: Box<[Slot]>,
    /// What parameters are, by node.
    given: Vec<(u32, Shared)>,
    cancelled: Arc<AtomicBool>,
    /// None if nothing is recorded.
    records: Option<Mutex<Vec<Record>>>,
    pub(crate) journal: Option<Journal>,
    /// The run that this one goes on from.
    past: Option<Arc<Past>>,
    /// What was not computed, and the run that had.
    reused: Mutex<Vec<(u32, RunId)>>,
    /// Why something was not written down.
    lost: Mutex<Option<String>>,
    /// How it ended, once it has.
    closed: Mutex<Option<Ending>>,
    /// When it began, by the clock of what carries it out; what others began earlier.
    begun: OnceLock<Duration>,
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

    /// The time of day, as far as this clock tells it.
    fn time_of_day(&self, elapsed: Duration) -> Timestamp {
        let begun = self.begun.get().copied().unwrap_or_default();
        self.started_at.after(elapsed.saturating_sub(begun))
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

    /// What is said about failures of a node.
    pub(crate) fn policy(&self, node: u32) -> Option<&FailurePolicy> {
        self.plan.node(node).options.more()?.on_failure.as_ref()
    }

    /// In how many runs this one lies.
    pub(crate) fn depth(&self) -> u32 {
        let around = std::iter::successors(self.outer.as_ref(), |o| o.execution.outer.as_ref());
        around.count() as u32
    }

    /// What a node is called in records and failures: by the nodes around it, too.
    pub(crate) fn step(&self, node: u32) -> Text {
        match &self.outer {
            None => self.id(node).clone(),
            Some(outer) => Text::from(format!("{}{}", outer.prefix(), self.id(node))),
        }
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
            // An inner run began when the one around it did.
            let _ = execution.begun.set(cx.elapsed());
            execution.begin(&mut |node| cx.post(node));
            return Ok(());
        }
        let given = execution.gather(index, cx.attempt());
        let started = cx.elapsed();
        if let Some((value, run)) = execution.reuse(index, &given) {
            let took = Took::since(started, cx).reused_from(run);
            execution.end(index, Outcome::Ok(value), &given, took, &mut |node| cx.post(node));
            return Ok(());
        }
        let body = &execution.plan.node(index).body;
        let mut call = Call { given: &given, cx, execution, node: index };
        let outcome = match body.run(&mut call) {
            Ok(Made::Value(value)) => Outcome::Ok(value),
            Ok(Made::Later) => return Ok(()),
            Err(error) => Outcome::Skipped(error.downcast::<Declined>()?.0),
        };
        let took = Took::since(started, cx);
        execution.end(index, outcome, &given, took, &mut |node| cx.post(node));
        Ok(())
    }

    fn policy(&self, index: u32) -> Option<&FailurePolicy> {
        if index == self.0.start() { None } else { self.0.policy(index) }
    }

    fn failed(
        &self,
        cx: &mut TaskContext<'_>,
        index: u32,
        failure: &TaskFailure,
    ) -> Result<Handling> {
        let execution = &self.0;
        if index == execution.start() {
            return Ok(Handling::Unhandled);
        }
        let given = execution.gather(index, failure.attempts);
        let took = Took::since(cx.elapsed(), cx).attempts(failure.attempts);
        let failure = Failure::of_task(execution.step(index), failure);
        let outcome = Outcome::Err(failure);
        execution.end(index, outcome, &given, took, &mut |node| cx.post(node));
        Ok(Handling::Handled)
    }

    fn ended(&self, cx: &mut TaskContext<'_>, report: &ScopeReport) -> Result {
        match &self.0.outer {
            None => self.0.close(&report.outcome, cx.elapsed()),
            Some(outer) => {
                if let Some(outcome) = self.0.close_inner(outer, &report.outcome) {
                    outer.end(&self.0, outcome, cx)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execution").field("run", &self.run).finish_non_exhaustive()
    }
}

/// How long a node took, in the run's time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Took {
    pub(crate) started: Duration,
    pub(crate) duration: Duration,
    pub(crate) attempt: u32,
    /// The run that did it, if it was not done anew.
    pub(crate) reused: Option<RunId>,
}

impl Took {
    /// From then until now, at this attempt.
    pub(crate) fn since(started: Duration, cx: &TaskContext<'_>) -> Took {
        Took { started, attempt: cx.attempt(), ..Took::default() }.until(cx)
    }

    /// The same, but until now.
    pub(crate) fn until(self, cx: &TaskContext<'_>) -> Took {
        Took { duration: cx.elapsed().saturating_sub(self.started), ..self }
    }

    /// The same, but not done anew.
    pub(crate) fn reused_from(self, run: RunId) -> Took {
        Took { reused: Some(run), ..self }
    }

    /// The same after so many attempts.
    pub(crate) fn attempts(self, attempts: u32) -> Took {
        Took { attempt: attempts, ..self }
    }
}
