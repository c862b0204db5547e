//! Owns the ends of a run: hooks, what is told last, and who is waiting for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Canceller, Outcome as Ending, Text};
use selvedge_lineage::Timestamp;
use selvedge_runtime::{ScopeOutcome, TaskContext};
use selvedge_sync::MutexGuard;
use selvedge_sync::atomic::Ordering;
use selvedge_sync::thread::panic_message;

use super::super::body::StepBody;
use super::super::checkpoints::Keep;
use super::super::event::{Finished, StepFailure, What};
use super::super::extract::StepCall;
use super::super::machine::{Mode, Told};
use super::super::position::Position;
use super::super::recording;
use super::super::state::{Queue, Shares};
use super::{Execution, Inner};

/// What is left of a run.
pub(crate) struct Closed<S> {
    pub(crate) state: Arc<S>,
    pub(crate) finished: Finished,
    /// Where it stands, if it can go on.
    pub(crate) position: Option<Position<S>>,
}

impl<S: Shares, C: Send + Sync + 'static> Execution<S, C> {
    /// What is done before the first step. Says whether the run may begin.
    pub(super) fn start_up(&self, cx: &mut TaskContext<'_>) -> bool {
        for hook in &self.plan.on_startup {
            if let Err(error) = self.hook(&**hook) {
                let failure = StepFailure::of_startup(error);
                self.hook_failed(Text::literal("startup"), failure, cx.elapsed());
                return false;
            }
        }
        true
    }

    /// Runs a hook; its error.
    fn hook(&self, hook: &dyn StepBody<S, C>) -> Result<(), String> {
        let state = Arc::clone(&self.inner.lock().state);
        let queue: Queue<S> = Arc::default();
        let info = || self.info_of_run();
        let call = StepCall {
            state: &state,
            queue: &queue,
            context: &self.context,
            item: None,
            cancel: &self.cancel,
            caught: None,
            resumed: self.resumed.as_ref(),
            info: &info,
            tokens: &|| self.tokens(u32::MAX),
            attempt: 1,
        };
        let done = catch_unwind(AssertUnwindSafe(|| hook.run(&call)));
        match done {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(format!("{error:#}")),
            Err(panic) => return Err(panic_message(&*panic)),
        }
        drop(state);
        let changes = std::mem::take(&mut *queue.lock());
        let mut inner = self.inner.lock();
        let state = &mut inner.state;
        catch_unwind(AssertUnwindSafe(|| changes.apply(state)))
            .map_err(|panic| panic_message(&*panic))
    }

    pub(super) fn hook_failed(&self, stage: Text, failure: StepFailure, now: Duration) {
        let mut inner = self.inner.lock();
        let what = failure.told();
        self.tell_of_stage(&mut inner, stage, what, now);
        inner.failures.push(failure);
    }

    /// After whatever happened: ends the leg if nothing is under way any more.
    pub(super) fn go_on(&self, inner: MutexGuard<'_, Inner<S>>, cx: &mut TaskContext<'_>) {
        if inner.machine.is_idle() {
            self.end_leg(inner, Some(cx), None);
        }
    }

    /// The run's time is up.
    pub(super) fn run_late(&self, cx: &mut TaskContext<'_>) {
        let mut inner = self.inner.lock();
        inner.run_alarm = None;
        if inner.is_ending {
            return;
        }
        let limit = self.plan.time_limit.unwrap_or_default();
        inner.timed_out = true;
        self.call_off("the run timed out");
        self.tell(&mut inner, What::TimedOut { limit }, cx.elapsed());
        inner.machine.stop();
        self.end_leg(inner, Some(cx), None);
    }

    /// Tells steps that look that the run is not wanted any more.
    pub(crate) fn call_off(&self, reason: &str) {
        self.cancel.cancel(reason);
        // Relaxed: a look later does no harm.
        self.is_called_off.store(true, Ordering::Relaxed);
        self.feed.nudge();
    }

    /// The scope is over: if the run is not, it was stopped from outside.
    pub(super) fn scope_ended(&self, outcome: &ScopeOutcome, now: Duration) {
        let mut inner = self.inner.lock();
        if inner.is_ending {
            return;
        }
        match outcome {
            ScopeOutcome::Failed { cause, .. } => {
                inner.failures.push(StepFailure::of_engine(format!("{cause:#}")));
            }
            ScopeOutcome::Cancelled { .. } => {
                let reason = self.cancel.reason().cloned();
                let reason = reason.unwrap_or(Text::literal("the run was cancelled"));
                inner.cancelled.get_or_insert(reason);
            }
            _ => {}
        }
        inner.machine.stop();
        self.end_leg(inner, None, Some(now));
    }

    /// Ends the leg: tells what will never be, runs the hooks, tells that it is over.
    fn end_leg(
        &self,
        mut inner: MutexGuard<'_, Inner<S>>,
        mut cx: Option<&mut TaskContext<'_>>,
        now: Option<Duration>,
    ) {
        inner.is_ending = true;
        let time = |cx: &Option<&mut TaskContext<'_>>| {
            cx.as_ref().map(|cx| cx.elapsed()).or(now).unwrap_or_default()
        };
        for control in std::mem::take(&mut inner.controls).into_values() {
            control.cancel(Canceller::Parent);
        }
        if let Some(cx) = &mut cx {
            let joins = std::mem::take(&mut inner.waiting).into_values();
            let slots: Vec<_> = inner.doing.iter_mut().filter_map(|d| d.alarm.take()).collect();
            for alarm in joins.chain(slots).chain(inner.run_alarm.take()) {
                cx.cancel_alarm(alarm);
            }
        }
        let mut fx = Vec::new();
        inner.machine.settle(&self.plan.shape, &mut fx);
        for effect in fx {
            if let super::Effect::Tell(told) = effect {
                self.tell_last(&mut inner, told, time(&cx));
            }
        }
        drop(inner);
        for hook in &self.plan.on_shutdown {
            if let Err(error) = self.hook(&**hook) {
                let failure = StepFailure::of_shutdown(error);
                self.hook_failed(Text::literal("shutdown"), failure, time(&cx));
            }
        }
        self.close(time(&cx));
    }

    /// What is told at the end: of steps that are cut off it is told why.
    fn tell_last(&self, inner: &mut Inner<S>, told: Told, now: Duration) {
        if let Told::GivenUp { slot } = told
            && !inner.doing(slot).is_told
        {
            return; // It waited for its turn, or its next attempt.
        }
        match (told, inner.timed_out, inner.cancelled.clone()) {
            (Told::GivenUp { slot }, true, _) => {
                let reason = "the run timed out".to_owned();
                self.tell_of_slot(inner, slot, What::Cancelled { reason }, now);
            }
            (Told::GivenUp { slot }, false, Some(reason)) => {
                let reason = reason.as_str().to_owned();
                self.tell_of_slot(inner, slot, What::Cancelled { reason }, now);
            }
            (told, ..) => self.tell_of_machine(inner, told, now),
        }
    }

    fn close(&self, now: Duration) {
        let mut inner = self.inner.lock();
        let inner_mut = &mut *inner;
        self.counted(inner_mut);
        let begun = self.begun.get().copied().unwrap_or_default();
        let is_held = inner_mut.machine.mode() == Mode::Holding;
        let ending = self.ending(inner_mut, is_held);
        let ending = self.write_end(inner_mut, ending, now);
        let reason = inner_mut.cancelled.take().or_else(|| inner_mut.suspended.clone());
        let finished = Finished {
            ending: ending.clone(),
            duration: now.saturating_sub(begun),
            failures: inner_mut.failures.clone(),
            reason: reason.map(|reason| reason.as_str().to_owned()),
            metrics: std::mem::take(&mut inner_mut.metrics),
        };
        self.tell(inner_mut, What::Finish(Box::new(finished.clone())), now);
        let position = is_held.then(|| self.position(inner_mut));
        inner_mut.closed = Some(Closed { state: Arc::clone(&inner_mut.state), finished, position });
        drop(inner);
        self.close_feed();
        self.over.notify_all();
    }

    /// How the leg ended; what is kept of the run is brought up to that.
    fn ending(&self, inner: &mut Inner<S>, is_held: bool) -> Ending {
        let is_cut_off = inner.timed_out || inner.cancelled.is_some();
        if let Some(keeper) = &self.keeper {
            let kept = if is_held && !is_cut_off {
                // The event that ends the leg is counted, too.
                let mut position = self.position(inner);
                position.seq += u64::from(self.feed.is_heard());
                keeper.keeps.save(&position, true)
            } else {
                keeper.keeps.forget(self.run)
            };
            if let Err(error) = kept {
                let error = format!("{:#}", anyhow::Error::new(error));
                inner.failures.push(StepFailure::of_engine(error));
                return failed(&inner.failures);
            }
        }
        if inner.timed_out {
            Ending::TimedOut
        } else if inner.cancelled.is_some() {
            Ending::Cancelled { by: Canceller::User }
        } else if is_held {
            Ending::Suspended
        } else {
            failed(&inner.failures)
        }
    }

    /// Writes how the leg ended; a run that can't be written down has failed, if that matters.
    fn write_end(&self, inner: &mut Inner<S>, ending: Ending, now: Duration) -> Ending {
        let Some(records) = &self.records else { return ending };
        let (lost, at) = (inner.lost.take(), self.time_of_day(now));
        match recording::end(records.journal(), self.run, ending.clone(), at, lost) {
            Ok(()) => ending,
            Err(error) => {
                inner.failures.push(StepFailure::of_engine(error));
                failed(&inner.failures)
            }
        }
    }

    /// Where the run stands.
    fn position(&self, inner: &Inner<S>) -> Position<S> {
        let (definition, steps) = match &self.keeper {
            Some(keeper) => (keeper.definition, Arc::clone(&keeper.steps)),
            None => (self.plan.digest(), self.plan.lines()),
        };
        Position {
            run: self.run,
            pipe: self.plan.name.clone(),
            definition,
            steps,
            state: Arc::clone(&inner.state),
            machine: inner.machine.clone(),
            items: inner.maps.iter().map(|(&slot, map)| (slot, Arc::clone(&map.items))).collect(),
            children: inner.children.clone(),
            seq: self.feed.last_seq(),
            failures: inner.failures.clone(),
            reason: inner.suspended.as_ref().map(|reason| reason.as_str().to_owned()),
        }
    }

    /// Writes where the run stands after a step, if that is wanted. A run that can't be kept stops.
    pub(super) fn keep(&self, inner: &mut Inner<S>) {
        let Some(keeper) = self.keeper.as_ref() else { return };
        if keeper.keeps.when() != Keep::EveryStep || inner.machine.mode() == Mode::Stopping {
            return;
        }
        if let Err(error) = keeper.keeps.save(&self.position(inner), false) {
            let error = format!("{:#}", anyhow::Error::new(error));
            inner.failures.push(StepFailure::of_engine(error));
            inner.machine.stop();
        }
    }

    /// The time of day, as far as the run's clock tells it.
    pub(super) fn time_of_day(&self, elapsed: Duration) -> Timestamp {
        let begun = self.begun.get().copied().unwrap_or_default();
        self.started_at.after(elapsed.saturating_sub(begun))
    }
}

/// Of a run that went on to its end.
fn failed(failures: &[StepFailure]) -> Ending {
    let Some(failure) = failures.iter().min_by_key(|failure| failure.kind) else {
        return Ending::Succeeded;
    };
    let at = failure.step.as_ref().map(|step| format!("step `{step}` failed: "));
    let error = format!("{}{}", at.unwrap_or_default(), failure.error);
    Ending::Failed { error, panicked: false }
}

impl<S, C> Execution<S, C> {
    /// Nothing more is told, unless there is a run around this one.
    fn close_feed(&self) {
        if self.outer.is_none() {
            self.feed.close();
        }
    }

    /// Nothing more comes of it.
    pub(super) fn give_up(&self) {
        self.inner.lock().is_given_up = true;
        self.close_feed();
        self.over.notify_all();
    }

    /// Waits until the leg is over, and takes what is left of it.
    pub(crate) fn wait(&self) -> Closed<S> {
        let inner = self.inner.lock();
        let goes_on = |inner: &mut Inner<S>| inner.closed.is_none() && !inner.is_given_up;
        let mut inner = self.over.wait_while(inner, goes_on);
        let state = Arc::clone(&inner.state);
        inner.closed.take().unwrap_or_else(|| Closed {
            state,
            finished: Finished {
                ending: Ending::Abandoned,
                duration: Duration::ZERO,
                failures: std::mem::take(&mut inner.failures),
                reason: None,
                metrics: std::mem::take(&mut inner.metrics),
            },
            position: None,
        })
    }
}
