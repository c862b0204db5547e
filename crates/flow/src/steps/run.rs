//! Owns a run of a pipe: what the machine says is carried out, as the tasks of one scope.
//!
//! A slot of the machine is a task. All that a run shares is behind one lock, which no step's code
//! is called under but the changes of the state, so that their order is that of the events.

mod children;
mod doing;
mod ending;
mod failing;
mod tell;
mod written;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::anyhow;
use selvedge_event::{Digest, Text};
use selvedge_lineage::{RunId, Timestamp};
use selvedge_runtime::{AlarmHandle, Result, ScopeControl, ScopeReport, TaskContext, Tasks};
use selvedge_sync::atomic::AtomicBool;
use selvedge_sync::thread::panic_message;
use selvedge_sync::{Condvar, Mutex};

use super::body::Done;
use super::cancel::{CancelToken, Cancelled};
use super::checkpoints::Keeps;
use super::control::Control;
use super::event::{Metrics, StepEvent, StepFailure, StepMetrics, What};
use super::extract::{Caught, Items, StepCall};
use super::machine::{Effect, End, Machine};
use super::plan::{Plan, StepKind};
use super::position::Position;
use super::recording::Records;
use super::state::{Changes, Queue, Shares};
use super::sub::{Child, ChildEnd, Stood};
use super::tokens::Tokens;
use crate::flow::now;
use crate::request::RunInfo;
use crate::stream::Feed;

use doing::{Doing, MapRun, Phase};
pub(crate) use ending::Closed;

/// One run of a pipe, or a leg of it.
pub(crate) struct Execution<S, C> {
    pub(crate) plan: Arc<Plan<S, C>>,
    pub(crate) run: RunId,
    /// The outermost run that it lies in.
    pub(crate) told_run: RunId,
    /// The steps around it, by their names.
    prefix: Option<Text>,
    pub(crate) depth: u32,
    outer: Option<Outer<S>>,
    started_at: Timestamp,
    pub(crate) context: Arc<C>,
    pub(crate) cancel: CancelToken,
    /// The same, for those who only look.
    is_called_off: Arc<AtomicBool>,
    pub(crate) resumed: Option<serde_json::Value>,
    /// What the leg begins with.
    first: First,
    keeper: Option<Keeper<S>>,
    pub(crate) records: Option<Arc<dyn Records<S>>>,
    pub(crate) feed: Feed<StepEvent>,
    /// Has tokens that wait look when the run is called off.
    _nudge: Arc<dyn Fn() + Send + Sync>,
    inner: Mutex<Inner<S>>,
    over: Condvar,
    begun: OnceLock<Duration>,
}

/// Where positions of runs are kept, and of which pipe.
pub(crate) struct Keeper<S> {
    pub(crate) keeps: Arc<dyn Keeps<S>>,
    pub(crate) definition: Digest,
    pub(crate) steps: Arc<[String]>,
}

/// Is told how a run within another has ended, in the last turn of its scope.
pub(crate) type Outer<S> = Box<dyn Fn(Closed<S>, &mut TaskContext<'_>) + Send + Sync>;

/// What a leg is given.
pub(crate) struct Leg<S, C> {
    pub(crate) started_at: Timestamp,
    pub(crate) position: Position<S>,
    pub(crate) context: Arc<C>,
    pub(crate) cancel: CancelToken,
    pub(crate) first: First,
    pub(crate) resumed: Option<serde_json::Value>,
    pub(crate) keeper: Option<Keeper<S>>,
    pub(crate) records: Option<Arc<dyn Records<S>>>,
    pub(crate) feed: Feed<StepEvent>,
    pub(crate) told_run: RunId,
    pub(crate) prefix: Option<Text>,
    pub(crate) depth: u32,
    pub(crate) outer: Option<Outer<S>>,
}

impl<S, C> Leg<S, C> {
    /// One that goes on from there, with nothing more to say of it.
    pub(crate) fn at(position: Position<S>, context: Arc<C>) -> Leg<S, C> {
        Leg {
            started_at: now(),
            told_run: position.run,
            feed: Feed::after(position.seq),
            position,
            context,
            cancel: CancelToken::new(),
            first: First::Held,
            resumed: None,
            keeper: None,
            records: None,
            prefix: None,
            depth: 0,
            outer: None,
        }
    }
}

/// What a leg begins with.
#[derive(Clone, Debug)]
pub(crate) enum First {
    /// These steps.
    Steps(Vec<u32>),
    /// What was held when the run was suspended.
    Held,
}

struct Inner<S> {
    machine: Machine,
    state: Arc<S>,
    /// By slot.
    doing: Vec<Doing>,
    /// By slot, few if any.
    maps: BTreeMap<u32, MapRun<S>>,
    /// Where runs within this one stand that wait, by slot.
    children: BTreeMap<u32, Stood>,
    /// Those that have ended and not been looked at.
    ended_children: BTreeMap<u32, ChildEnd<S>>,
    /// Those that are under way.
    controls: BTreeMap<u32, ScopeControl>,
    /// By join.
    waiting: BTreeMap<u32, AlarmHandle>,
    run_alarm: Option<AlarmHandle>,
    failures: Vec<StepFailure>,
    /// What the state is known by, once that was asked for.
    digest: Option<Digest>,
    /// Why something was not written down.
    lost: Option<String>,
    metrics: Metrics,
    /// By step.
    took: Vec<StepMetrics>,
    n_active: u64,
    n_items: u64,
    /// Why the run was suspended.
    suspended: Option<Text>,
    /// Why it was called off.
    cancelled: Option<Text>,
    timed_out: bool,
    /// Somebody ends the run.
    is_ending: bool,
    /// What carried it out is gone.
    is_given_up: bool,
    closed: Option<Closed<S>>,
}

/// What a task of a run's scope is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errand {
    /// A slot's turn.
    Turn(u32),
    /// A slot's time is up.
    Late(u32),
    /// A run within this one, for a slot, has ended.
    Child(u32),
    /// A join has waited for too long.
    JoinLate(u32),
    /// The run begins.
    Start,
    /// The run's time is up.
    RunLate,
}

/// Tasks are numbered: slots and their alarms below, joins above, then the run's own.
const JOINS: u32 = 1 << 31;
pub(crate) const START: u32 = u32::MAX - 1;
const RUN_LATE: u32 = u32::MAX - 2;

impl Errand {
    fn of(task: u32) -> Errand {
        match task {
            START => Errand::Start,
            RUN_LATE => Errand::RunLate,
            task if task >= JOINS => Errand::JoinLate(task - JOINS),
            task => match task % 3 {
                0 => Errand::Turn(task / 3),
                1 => Errand::Late(task / 3),
                _ => Errand::Child(task / 3),
            },
        }
    }

    fn task(self) -> u32 {
        match self {
            Errand::Turn(slot) => slot * 3,
            Errand::Late(slot) => slot * 3 + 1,
            Errand::Child(slot) => slot * 3 + 2,
            Errand::JoinLate(join) => JOINS + join,
            Errand::Start => START,
            Errand::RunLate => RUN_LATE,
        }
    }
}

/// A turn that has begun.
struct Begun<S> {
    step: u32,
    attempt: u32,
    turn: u64,
    phase: Phase,
    caught: Option<Caught>,
    state: Arc<S>,
    item: Option<(Items, u32)>,
}

impl<S: Shares, C: Send + Sync + 'static> Execution<S, C> {
    /// A leg that has not begun.
    pub(crate) fn new(plan: &Arc<Plan<S, C>>, leg: Leg<S, C>) -> Execution<S, C> {
        let position = leg.position;
        let machine = &position.machine;
        let maps = position.items.into_iter();
        let maps = maps.map(|(slot, items)| (slot, MapRun::from(items, machine.frontier(slot))));
        let inner = Inner {
            maps: maps.collect(),
            children: position.children,
            ended_children: BTreeMap::new(),
            controls: BTreeMap::new(),
            machine: position.machine,
            state: position.state,
            doing: Vec::new(),
            waiting: BTreeMap::new(),
            run_alarm: None,
            failures: position.failures,
            digest: None,
            lost: None,
            metrics: Metrics::default(),
            took: vec![StepMetrics::default(); plan.steps.len()],
            n_active: 0,
            n_items: 0,
            suspended: None,
            cancelled: None,
            timed_out: false,
            is_ending: false,
            is_given_up: false,
            closed: None,
        };
        let nudge: Arc<dyn Fn() + Send + Sync> = {
            let feed = leg.feed.clone();
            Arc::new(move || feed.nudge())
        };
        leg.cancel.on_cancel(&nudge);
        Execution {
            _nudge: nudge,
            plan: Arc::clone(plan),
            run: position.run,
            told_run: leg.told_run,
            prefix: leg.prefix,
            depth: leg.depth,
            outer: leg.outer,
            started_at: leg.started_at,
            context: leg.context,
            cancel: leg.cancel,
            is_called_off: Arc::default(),
            resumed: leg.resumed,
            first: leg.first,
            keeper: leg.keeper,
            records: leg.records,
            feed: leg.feed,
            inner: Mutex::new(inner),
            over: Condvar::new(),
            begun: OnceLock::new(),
        }
    }

    /// Begins the turn of a slot, unless the run is over.
    fn begin_turn(&self, slot: u32, cx: &mut TaskContext<'_>) -> Option<Begun<S>> {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        if inner.is_ending {
            return None;
        }
        let step = inner.machine.slot(slot)?.step;
        let phase = inner.doing(slot).phase;
        let limit = self.plan.step(step).time_limit;
        if phase == Phase::Body {
            inner.machine.attempt(slot);
            inner.doing(slot).started = cx.elapsed();
            if let Some(limit) = limit {
                let alarm = cx.alarm(limit, Errand::Late(slot).task());
                inner.doing(slot).alarm = Some(alarm);
            }
            let read = self.state_digest(inner);
            inner.doing(slot).read = read;
            self.tell_of_slot(inner, slot, What::StepStart, cx.elapsed());
        }
        let doing = inner.doing(slot);
        doing.turn += 1;
        let (turn, caught) = (doing.turn, doing.caught.clone());
        let at = inner.machine.slot(slot)?;
        let item = at.owner.and_then(|owner| {
            let items = Arc::clone(&inner.maps.get(&owner)?.items);
            Some((items, at.item))
        });
        let attempt = at.attempt;
        let state = Arc::clone(&inner.state);
        Some(Begun { step, attempt, turn, phase, caught, state, item })
    }

    fn turn_of(self: &Arc<Self>, slot: u32, cx: &mut TaskContext<'_>) -> Result {
        if let Some((child, turn)) = self.child_that_waits(slot) {
            return self.send_away(slot, turn, child, cx);
        }
        let Some(begun) = self.begin_turn(slot, cx) else { return Ok(()) };
        let queue: Queue<S> = Arc::default();
        let plan = self.plan.step(begun.step);
        let done = {
            let info = || self.info(begun.step, begun.attempt);
            let call = StepCall {
                state: &begun.state,
                queue: &queue,
                context: &self.context,
                item: begun.item.as_ref().map(|(items, at)| (items, *at)),
                cancel: &self.cancel,
                caught: begun.caught.as_ref(),
                resumed: self.resumed.as_ref(),
                info: &info,
                tokens: &|| self.tokens(slot),
                attempt: begun.attempt,
            };
            let body = match begun.phase {
                Phase::Body => Some(&plan.body),
                Phase::Local => plan.on_error.as_ref(),
                Phase::Global => self.plan.on_error.as_ref(),
            };
            let body = body.expect("a handler is asked where there is one");
            // Caught here, not by the worker: an attempt that is late may panic beside the next.
            catch_unwind(AssertUnwindSafe(|| body.run(&call)))
        };
        // A state that nobody reads is changed in place.
        let Begun { turn, state, .. } = begun;
        drop(state);
        let changes = std::mem::take(&mut *queue.lock());
        let mut inner = self.inner.lock();
        if inner.is_ending || inner.doing(slot).turn != turn {
            return Ok(()); // It came too late, and was told so.
        }
        if !matches!(done, Ok(Ok(Done::Child(_)))) {
            self.disarm(&mut inner, slot, cx);
        }
        let (done, panicked) = match done {
            Ok(done) => (done.and_then(|done| self.understood(&inner, slot, done)), false),
            Err(panic) => (Err(anyhow!(panic_message(&*panic))), true),
        };
        match done {
            Ok(Understood::Child(child)) => {
                inner.change(slot, changes)?;
                drop(inner);
                return self.send_away(slot, turn, child, cx);
            }
            Ok(understood) => self.done(&mut inner, slot, understood, changes, cx)?,
            Err(error) => match error.downcast::<Cancelled>() {
                Ok(cancelled) => self.step_cancelled(&mut inner, slot, cancelled.reason(), cx),
                Err(error) => self.failed_in_turn(&mut inner, slot, Arc::new(error), panicked, cx),
            },
        }
        self.go_on(inner, cx);
        Ok(())
    }

    /// Where a step tells what it makes on the way.
    fn tokens(&self, slot: u32) -> Tokens {
        let inner = self.inner.lock();
        let step = inner.machine.slot(slot).map(|slot| slot.step);
        let about = tell::About { step, slot: Some(slot), ..tell::About::default() };
        let token = What::Token { value: serde_json::Value::Null };
        let event = self.make(&inner, about, token, Duration::ZERO);
        Tokens::new(self.feed.clone(), self.cancel.clone(), event)
    }

    fn info(&self, step: u32, attempt: u32) -> RunInfo {
        RunInfo { node: self.plan.step(step).name.clone(), attempt, ..self.info_of_run() }
    }

    fn info_of_run(&self) -> RunInfo {
        RunInfo {
            run: self.run,
            flow: self.plan.name.clone(),
            node: self.plan.name.clone(),
            attempt: 1,
            started_at: self.started_at,
            cancelled: Arc::clone(&self.is_called_off),
            late: None,
        }
    }

    /// What a step's return says, in the machine's terms.
    fn understood(
        &self,
        inner: &Inner<S>,
        slot: u32,
        done: Done<S, C>,
    ) -> Result<Understood<S, C>> {
        let at = inner.machine.slot(slot).expect("its turn is being taken");
        let plan = self.plan.step(at.step);
        match done {
            Done::Child(child) => Ok(Understood::Child(child)),
            Done::Items(items) => {
                let n = u32::try_from(items.len()).unwrap_or(u32::MAX);
                let max = plan.items_max;
                anyhow::ensure!(
                    n <= max,
                    "it has made {n} items, {max} are allowed: `.items_max(…)` allows more"
                );
                Ok(Understood::Items(items))
            }
            Done::Key(key) => {
                let to = plan.routes.get(&key).copied().or(plan.otherwise);
                let to = to.ok_or_else(|| {
                    let keys = plan.routes.keys().map(Text::as_str);
                    let hint = selvedge_topology::suggestion(key.as_str(), keys);
                    anyhow!("`{key}` matches no route of switch `{}`{hint}", plan.name)
                })?;
                Ok(Understood::End(to.map_or(End::Stop, End::Route)))
            }
            Done::Control(control) => match control {
                Control::Next if plan.kind == StepKind::Switch => {
                    // A handler has recovered, and chosen nothing.
                    Ok(Understood::End(End::Route(u32::MAX)))
                }
                Control::Next => Ok(Understood::End(End::Next)),
                Control::Stop => Ok(Understood::End(End::Stop)),
                Control::Skip(reason) => Ok(Understood::Skip(reason)),
                Control::Suspend(suspension) => Ok(Understood::Suspend(suspension.reason)),
                Control::Retry(after) => {
                    let max = self.plan.retries_max;
                    anyhow::ensure!(
                        at.attempt <= max,
                        "it has asked for another attempt {} times, {max} are allowed",
                        at.attempt
                    );
                    Ok(Understood::Retry(after))
                }
                Control::Raise(error) => Err(error),
                Control::Jump(_) if at.owner.is_some() => {
                    Err(anyhow!("it does an item of a map, and can't jump: the map goes on"))
                }
                Control::Jump(name) => match self.plan.find(name.as_str()) {
                    Some(step) => Ok(Understood::End(End::Jump(step))),
                    None => {
                        let hint = self.plan.hint(name.as_str());
                        Err(anyhow!("it jumps to `{name}`, and there is no such step{hint}"))
                    }
                },
            },
        }
    }

    /// A step's turn came to something.
    fn done(
        &self,
        inner: &mut Inner<S>,
        slot: u32,
        understood: Understood<S, C>,
        changes: Changes<S>,
        cx: &mut TaskContext<'_>,
    ) -> Result {
        let now = cx.elapsed();
        if let Understood::Retry(after) = understood {
            let error = "it asked for another attempt".to_owned();
            let what = What::StepError { error, panicked: false, retry_in: Some(after) };
            self.tell_of_slot(inner, slot, what, now);
            post_after(cx, slot, after);
            return Ok(());
        }
        inner.change(slot, changes)?;
        let (what, end) = match understood {
            Understood::End(end) => (What::StepEnd, end),
            Understood::Skip(reason) => {
                (What::Skipped { reason: reason.as_str().to_owned() }, End::Skip)
            }
            Understood::Suspend(reason) => {
                inner.suspended.get_or_insert_with(|| reason.clone());
                (What::Suspended { reason: reason.as_str().to_owned() }, End::Suspend)
            }
            Understood::Items(items) => {
                let total = u32::try_from(items.len()).unwrap_or(u32::MAX);
                inner.maps.insert(slot, MapRun::new(items));
                self.drive(inner, cx, |machine, shape, fx| machine.map(shape, slot, total, fx));
                return Ok(());
            }
            Understood::Retry(_) | Understood::Child(_) => return Ok(()),
        };
        self.end(inner, slot, what, end, cx);
        Ok(())
    }

    /// Ends a slot, with what is told of it.
    fn end(&self, inner: &mut Inner<S>, slot: u32, what: What, end: End, cx: &mut TaskContext<'_>) {
        let ended = self.ended(inner, slot, what, cx.elapsed());
        inner.maps.remove(&slot);
        inner.doing(slot).reset();
        let mut fx = Vec::new();
        inner.machine.end(&self.plan.shape, slot, end, &mut fx);
        // Kept before it is told.
        self.keep(inner);
        self.publish(ended);
        self.drive(inner, cx, |_, _, effects| *effects = fx);
    }

    fn step_cancelled(
        &self,
        inner: &mut Inner<S>,
        slot: u32,
        reason: &Text,
        cx: &mut TaskContext<'_>,
    ) {
        inner.cancelled.get_or_insert_with(|| reason.clone());
        let what = What::Cancelled { reason: reason.as_str().to_owned() };
        self.end(inner, slot, what, End::Stop, cx);
    }

    /// Has the machine do something, and does what it says.
    fn drive(
        &self,
        inner: &mut Inner<S>,
        cx: &mut TaskContext<'_>,
        act: impl FnOnce(&mut Machine, &super::machine::Shape, &mut Vec<Effect>),
    ) {
        let mut fx = Vec::new();
        act(&mut inner.machine, &self.plan.shape, &mut fx);
        let mut next = 0;
        while let Some(effect) = fx.get(next).cloned() {
            next += 1;
            match effect {
                Effect::Post(slot) => {
                    inner.started(slot);
                    cx.post(Errand::Turn(slot).task());
                }
                Effect::Arm { join, limit } => {
                    let alarm = cx.alarm(limit, Errand::JoinLate(join).task());
                    inner.waiting.insert(join, alarm);
                }
                Effect::Disarm { join } => {
                    if let Some(alarm) = inner.waiting.remove(&join) {
                        cx.cancel_alarm(alarm);
                    }
                }
                Effect::ItemsDone { slot, failed: None } => {
                    self.tell_of_slot(inner, slot, What::StepEnd, cx.elapsed());
                    inner.maps.remove(&slot);
                    inner.doing(slot).reset();
                    inner.machine.end(&self.plan.shape, slot, End::Next, &mut fx);
                }
                Effect::ItemsDone { slot, failed: Some(item) } => {
                    let error = inner.maps.get_mut(&slot).and_then(|map| map.error.take());
                    let error = error.map_or_else(String::new, |(_, error)| error);
                    let error = anyhow!("item {item} failed: {error}");
                    self.fail(inner, slot, Arc::new(error), false, &mut fx, cx);
                }
                Effect::Tell(told) => self.tell_of_machine(inner, told, cx.elapsed()),
            }
        }
    }

    fn start(&self, cx: &mut TaskContext<'_>) -> Result {
        let _ = self.begun.set(cx.elapsed());
        if let Some(limit) = self.plan.time_limit {
            let alarm = cx.alarm(limit, RUN_LATE);
            self.inner.lock().run_alarm = Some(alarm);
        }
        let is_up = self.write_begin(cx) && self.start_up(cx);
        let mut inner = self.inner.lock();
        if is_up {
            let is_resumed = matches!(self.first, First::Held);
            let what = if is_resumed { What::Resume } else { What::Start };
            if self.plan.steps.is_empty() {
                let failure = StepFailure::no_steps();
                let what = failure.told();
                self.tell(&mut inner, what, cx.elapsed());
                inner.failures.push(failure);
            } else {
                self.tell(&mut inner, what, cx.elapsed());
                self.drive(&mut inner, cx, |machine, shape, fx| match &self.first {
                    First::Steps(steps) => machine.start(shape, steps, fx),
                    First::Held => machine.resume(shape, fx),
                });
            }
        }
        self.go_on(inner, cx);
        Ok(())
    }
}

/// A step's return in the machine's terms.
enum Understood<S, C> {
    End(End),
    Skip(Text),
    Suspend(Text),
    Retry(Duration),
    Items(Items),
    Child(Box<dyn Child<S, C>>),
}

fn post_after(cx: &mut TaskContext<'_>, slot: u32, wait: Duration) {
    let task = Errand::Turn(slot).task();
    if wait.is_zero() {
        cx.post(task);
    } else {
        cx.alarm(wait, task);
    }
}

/// A run as the tasks of its scope.
pub(crate) struct Run<S, C>(pub(crate) Arc<Execution<S, C>>);

impl<S: Shares, C: Send + Sync + 'static> Tasks for Run<S, C> {
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        let execution = &self.0;
        match Errand::of(index) {
            Errand::Turn(slot) => return execution.turn_of(slot, cx),
            Errand::Start => return execution.start(cx),
            Errand::Late(slot) => execution.late(slot, cx),
            Errand::Child(slot) => execution.child_came_back(slot, cx)?,
            Errand::JoinLate(join) => execution.join_late(join, cx),
            Errand::RunLate => execution.run_late(cx),
        }
        Ok(())
    }

    fn ended(&self, cx: &mut TaskContext<'_>, report: &ScopeReport) -> Result {
        self.0.scope_ended(&report.outcome, cx.elapsed());
        if let Some(outer) = &self.0.outer {
            outer(self.0.wait(), cx);
        }
        Ok(())
    }
}

impl<S, C> Drop for Run<S, C> {
    /// The scope is over. Without a last turn the run was given up, and whoever waits learns it.
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl<S, C> fmt::Debug for Execution<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execution").field("run", &self.run).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errands_have_numbers_of_their_own() {
        let errands = [
            Errand::Turn(0),
            Errand::Turn(7),
            Errand::Late(0),
            Errand::Late(7),
            Errand::Child(0),
            Errand::Child(7),
            Errand::JoinLate(0),
            Errand::JoinLate(9),
            Errand::Start,
            Errand::RunLate,
        ];
        for errand in errands {
            assert_eq!(Errand::of(errand.task()), errand);
        }
    }
}
