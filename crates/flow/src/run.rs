//! Owns a run: what each node has come to, what follows from that, and when a value is needed no
//! more. It is the tasks of one scope; a node is the task of its number.
//!
//! A node ends once. Whoever ends it counts down those that read it, and whoever takes a count to
//! zero decides what becomes of that node: it is posted, or it ends there and then, without a turn.
//! That goes on from a list, not by recursion: a chain may be as long as it likes.

mod begin;
mod elsewhere;
mod ending;
mod errand;
mod past;
mod reuse;
mod timed;
mod took;
mod urgency;
mod wide;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use selvedge_event::{Outcome as Ending, Text};
use selvedge_lineage::{Record, RunId, Timestamp};
use selvedge_runtime::{
    FailurePolicy, Handling, Result, ScopeReport, TaskContext, TaskFailure, TaskRetry, Tasks,
};
use selvedge_sync::atomic::{AtomicBool, AtomicU32, Ordering};
use selvedge_sync::{Condvar, Mutex};

use crate::body::{Call, Made};
use crate::inner::Outer;
use crate::input::{Brought, Given};
use crate::journal::Journal;
use crate::outcome::{Cause, Declined, Failure, Outcome, Skip};
use crate::plan::{Plan, PlanSource};
use crate::propagation::{Decision, Ended, Parents, decide};
use crate::request::RunInfo;
use crate::run_event::{Happened, RunEvent};
use crate::stream::{Events, Feed, Telling};
use crate::value::Shared;

use crate::limit::Passes;
use elsewhere::Rest;
use errand::Errand;
use timed::{Limit, Timed};
use urgency::Urgency;
use wide::RunWide;

pub(crate) use begin::{Writes, given, wanted};
pub(crate) use elsewhere::{CameTo, Elsewhere, Fault, Sending, Sent};
pub(crate) use ending::Remains;
pub(crate) use past::Past;
pub(crate) use took::Took;

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
    timed: Timed,
    elsewhere: Elsewhere,
    passes: Passes,
    /// In flows that have priorities.
    urgency: Option<Urgency>,
    wide: Arc<RunWide>,
    /// Whether there is a limit to all nodes under way.
    is_capped: bool,
    /// Whether a node has ended without a value.
    is_troubled: AtomicBool,
    /// Wanted nodes that have not ended.
    n_left: AtomicU32,
    over: Condvar,
    /// When it began, by the clock of what carries it out; what others began earlier.
    begun: OnceLock<Duration>,
    /// What happens in it, and in the runs within it.
    pub(crate) feed: Feed<RunEvent>,
    /// Asked for with the request, until they are taken.
    pub(crate) events: Mutex<Option<Events<RunEvent>>>,
    /// Callbacks and observers, and how long the end waits for each.
    tellings: Mutex<Vec<(Telling, Duration)>>,
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
            PlanSource::Run => Outcome::Ok(Brought::Run(Box::new(self.info(node, attempt)))),
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

    pub(crate) fn info(&self, node: u32, attempt: u32) -> RunInfo {
        RunInfo {
            run: self.run,
            flow: self.plan.name.clone(),
            node: self.plan.node(node).id.clone(),
            attempt,
            started_at: self.started_at,
            cancelled: Arc::clone(&self.cancelled),
            late: self.timed.get(node).map(|limit| Arc::clone(&limit.late)),
        }
    }

    /// Tells nodes that look that they are not needed any more.
    pub(crate) fn call_off(&self) {
        // Relaxed: a look later does no harm.
        self.cancelled.store(true, Ordering::Relaxed);
        self.wide.call_off();
    }

    pub(crate) fn wide(&self) -> &Arc<RunWide> {
        &self.wide
    }

    pub(crate) fn priority(&self, node: u32) -> i32 {
        self.plan.node(node).options.priority()
    }

    /// A node is ready, and is posted.
    #[inline]
    fn note_ready(&self, node: u32) {
        if let Some(urgency) = &self.urgency {
            urgency.add(self.priority(node), node);
        }
    }

    /// The node that a task stands for.
    #[inline]
    fn node_of(&self, task: u32) -> u32 {
        self.urgency.as_ref().map_or(task, |urgency| urgency.node_of(task))
    }

    /// The time of day, as far as this clock tells it.
    fn time_of_day(&self, elapsed: Duration) -> Timestamp {
        let begun = self.begun.get().copied().unwrap_or_default();
        self.started_at.after(elapsed.saturating_sub(begun))
    }

    /// Tells what happened, if somebody listens.
    #[inline]
    pub(crate) fn tell(&self, elapsed: Duration, what: impl FnOnce() -> Happened) {
        self.feed.push_with(|| {
            let begun = self.begun.get().copied().unwrap_or_default();
            RunEvent { run: self.run, at: elapsed.saturating_sub(begun), what: what() }
        });
    }

    /// Tells that an attempt at a node or item is followed by another.
    pub(crate) fn tell_of_retry(
        &self,
        node: u32,
        step: impl FnOnce() -> Text,
        retry: &TaskRetry<'_>,
    ) {
        let what = || Happened::NodeRetried {
            step: step(),
            attempt: retry.attempt,
            error: format!("{:#}", retry.cause),
            panicked: retry.panicked,
            after: retry.after,
        };
        self.tell_before_the_end(node, retry.elapsed, what);
    }

    /// Tells what happened within a node, unless it has ended.
    pub(crate) fn tell_before_the_end(
        &self,
        node: u32,
        elapsed: Duration,
        what: impl FnOnce() -> Happened,
    ) {
        if self.feed.is_heard() {
            self.timed.before_the_end(node, || self.tell(elapsed, what));
        }
    }

    /// The time, if anybody is to know when things happened. To ask for it is a good part of what a
    /// small node costs.
    #[inline]
    pub(crate) fn clock(&self, cx: &TaskContext<'_>) -> Option<Duration> {
        (self.records.is_some() || self.feed.is_heard()).then(|| cx.elapsed())
    }

    /// Decides what becomes of a node whose parents have all ended.
    fn decide(&self, node: u32) -> Decision {
        // Relaxed: whoever ended a parent said so before it took that off this node's count, and
        // the last who takes something off sees what all others did.
        if !self.is_troubled.load(Ordering::Relaxed) {
            return Decision::Run;
        }
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

impl Execution {
    /// A node's turn.
    fn turn_of(self: &Arc<Execution>, node: u32, cx: &mut TaskContext<'_>) -> Result {
        let limit = self.timed.get(node);
        if limit.is_some_and(Limit::is_claimed) {
            return Ok(()); // It was too late before this attempt.
        }
        if self.is_particular(node) && self.step_in(node, cx)? == Rest::Nothing {
            return Ok(());
        }
        let given = self.gather(node, cx.attempt());
        let started = self.clock(cx);
        self.tell_before_the_end(node, started.unwrap_or_default(), || Happened::NodeStarted {
            step: self.step(node),
            attempt: cx.attempt(),
        });
        if let Some((value, run)) = self.reuse(node, &given) {
            let took = Took::since(started, cx).reused_from(run);
            self.end(node, Outcome::Ok(value), &given, took, &mut |node| cx.post(node));
            return Ok(());
        }
        if let Some(executor) = self.sends_to(node) {
            return self.send_away(node, cx, executor, given);
        }
        if let Some(limit) = limit {
            limit.arm(cx, self.late_task(node));
        }
        let mut call = Call { given: &given, cx, execution: self, node };
        let made = self.plan.node(node).body.run(&mut call);
        if matches!(made, Ok(Made::Later)) {
            return Ok(());
        }
        if let Some(limit) = limit {
            limit.disarm(cx);
        }
        let outcome = match made {
            Ok(Made::Value(value)) => Outcome::Ok(value),
            Ok(Made::Later) => return Ok(()),
            Err(error) => Outcome::Skipped(error.downcast::<Declined>()?.0),
        };
        let took = Took::since(started, cx);
        self.end(node, outcome, &given, took, &mut |node| cx.post(node));
        Ok(())
    }

    /// A node's time is up: it has failed, unless it has ended.
    fn late(&self, node: u32, cx: &mut TaskContext<'_>) {
        let Some(limit) = self.timed.get(node) else { return };
        // Relaxed: a look later does no harm.
        limit.late.store(true, Ordering::Relaxed);
        let error = format!("it took longer than {:?}", limit.limit);
        let outcome = Outcome::Err(Failure::new(self.step(node), Cause::TimedOut, error));
        let given = self.gather(node, cx.attempt());
        let started = cx.elapsed().saturating_sub(limit.limit);
        let took = Took::since(Some(started), cx);
        self.end(node, outcome, &given, took, &mut |node| cx.post(node));
        self.elsewhere.give_up(node);
    }

    /// Ends a node that a scope within the run's was at.
    pub(crate) fn end_from_below(
        &self,
        node: u32,
        outcome: Outcome<Shared>,
        given: &[Given],
        took: Took,
        cx: &mut TaskContext<'_>,
    ) {
        if self.timed.get(node).is_some() {
            cx.post_to_parent(self.in_time_task(node));
        }
        self.end(node, outcome, given, took, &mut |node| cx.post_to_parent(node));
    }
}

/// A run as the tasks of its scope.
pub(crate) struct Run(pub(crate) Arc<Execution>);

impl Tasks for Run {
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        let execution = &self.0;
        match execution.errand(index) {
            Errand::Node(task) => {
                let node = execution.node_of(task);
                execution.turn_of(node, cx)?;
                if execution.is_particular(node) && !cx.is_leaving() {
                    execution.passes.give_back(node);
                }
                Ok(())
            }
            Errand::Start => {
                // An inner run began when the one around it did.
                let _ = execution.begun.set(cx.elapsed());
                if execution.outer.is_none() {
                    let flow = || execution.plan.name.clone();
                    execution.tell(cx.elapsed(), || Happened::RunStarted { flow: flow() });
                }
                execution.begin(&mut |node| cx.post(node));
                Ok(())
            }
            Errand::Late(node) => {
                execution.late(node, cx);
                Ok(())
            }
            Errand::InTime(node) => {
                if let Some(limit) = execution.timed.get(node) {
                    limit.disarm(cx);
                }
                Ok(())
            }
        }
    }

    fn policy(&self, index: u32) -> Option<&FailurePolicy> {
        match self.0.errand(index) {
            Errand::Node(task) => self.0.policy(self.0.node_of(task)),
            Errand::Start | Errand::Late(_) | Errand::InTime(_) => None,
        }
    }

    fn retries(&self, index: u32, retry: &TaskRetry<'_>) {
        if let Errand::Node(task) = self.0.errand(index) {
            let node = self.0.node_of(task);
            self.0.tell_of_retry(node, || self.0.step(node), retry);
        }
    }

    fn failed(
        &self,
        cx: &mut TaskContext<'_>,
        index: u32,
        failure: &TaskFailure,
    ) -> Result<Handling> {
        let execution = &self.0;
        let Errand::Node(task) = execution.errand(index) else {
            return Ok(Handling::Unhandled);
        };
        let index = execution.node_of(task);
        if execution.is_particular(index) {
            execution.passes.give_back(index);
        }
        if let Some(limit) = execution.timed.get(index) {
            if limit.is_claimed() {
                return Ok(Handling::Handled);
            }
            limit.disarm(cx);
        }
        let given = execution.gather(index, failure.attempts);
        let took = Took::since(execution.clock(cx), cx).attempts(failure.attempts);
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

impl Drop for Run {
    /// The scope is over. Without a last turn the run was given up, and whoever waits learns it.
    fn drop(&mut self) {
        self.0.elsewhere.give_all_up();
        self.0.give_up();
    }
}

impl fmt::Debug for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execution").field("run", &self.run).finish_non_exhaustive()
    }
}
