//! Owns what is done about failures: of attempts, of joins, of those whose time is up.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Error;
use selvedge_event::Canceller;
use selvedge_runtime::TaskContext;

use super::super::event::{StepFailure, What};
use super::super::extract::Caught;
use super::super::machine::{Effect, End};
use super::super::state::Shares;
use super::doing::{Phase, TimedOut};
use super::{Errand, Execution, Inner, post_after};

impl<S: Shares, C: Send + Sync + 'static> Execution<S, C> {
    /// What is done about a failure of a slot: another attempt, a handler, or nothing any more.
    pub(super) fn fail(
        &self,
        inner: &mut Inner<S>,
        slot: u32,
        error: Arc<Error>,
        panicked: bool,
        fx: &mut Vec<Effect>,
        cx: &mut TaskContext<'_>,
    ) {
        let at = inner.machine.slot(slot).expect("a slot that fails is under way");
        let (step, attempt, owner, item) = (at.step, at.attempt, at.owner, at.item);
        let plan = self.plan.step(step);
        let phase = inner.doing(slot).phase;
        let is_map = inner.maps.contains_key(&slot);
        if let (Phase::Body, Some(policy), false) = (phase, &plan.on_failure, is_map)
            && let Some(wait) = policy.wait_after(plan.name.as_str(), attempt, &error)
        {
            let what = terminal(&error, panicked, Some(wait));
            self.tell_of_slot(inner, slot, what, cx.elapsed());
            post_after(cx, slot, wait);
            return;
        }
        let has_global = self.plan.on_error.is_some();
        let next = match phase {
            Phase::Body if plan.on_error.is_some() => Some(Phase::Local),
            Phase::Body | Phase::Local if has_global => Some(Phase::Global),
            _ => None,
        };
        if let Some(next) = next {
            let name = plan.name.clone();
            let doing = inner.doing(slot);
            doing.phase = next;
            doing.caught = Some(Caught { step: name, error, attempts: attempt });
            cx.post(Errand::Turn(slot).task());
            return;
        }
        let text = format!("{error:#}");
        self.tell_of_slot(inner, slot, terminal(&error, panicked, None), cx.elapsed());
        match owner {
            Some(owner) => {
                if let Some(map) = inner.maps.get_mut(&owner) {
                    map.fail(item, text, &mut inner.state);
                }
            }
            None => inner.failures.push(StepFailure::of_step(plan.name.clone(), text)),
        }
        inner.maps.remove(&slot);
        inner.doing(slot).reset();
        inner.machine.end(&self.plan.shape, slot, End::Failed, fx);
    }

    /// The same from outside of a turn of the machine.
    pub(super) fn failed_in_turn(
        &self,
        inner: &mut Inner<S>,
        slot: u32,
        error: Arc<Error>,
        panicked: bool,
        cx: &mut TaskContext<'_>,
    ) {
        let mut fx = Vec::new();
        self.fail(inner, slot, error, panicked, &mut fx, cx);
        self.drive(inner, cx, |_, _, effects| *effects = fx);
    }

    pub(super) fn disarm(&self, inner: &mut Inner<S>, slot: u32, cx: &mut TaskContext<'_>) {
        let doing = inner.doing(slot);
        if let Some(alarm) = doing.alarm.take()
            && !cx.cancel_alarm(alarm)
        {
            // It is on its way already.
            doing.n_stray += 1;
        }
    }

    pub(super) fn late(&self, slot: u32, cx: &mut TaskContext<'_>) {
        let mut inner = self.inner.lock();
        let doing = inner.doing(slot);
        if doing.n_stray > 0 {
            doing.n_stray -= 1;
            return;
        }
        if inner.is_ending || inner.doing(slot).alarm.take().is_none() {
            return;
        }
        inner.doing(slot).turn += 1;
        if let Some(control) = inner.controls.remove(&slot) {
            control.cancel(Canceller::Parent);
            inner.machine.come_back(slot);
        }
        let Some(at) = inner.machine.slot(slot) else { return };
        let limit = self.plan.step(at.step).time_limit.unwrap_or_default();
        let error = Arc::new(Error::new(TimedOut { limit }));
        self.failed_in_turn(&mut inner, slot, error, false, cx);
        self.go_on(inner, cx);
    }

    pub(super) fn join_late(&self, join: u32, cx: &mut TaskContext<'_>) {
        let mut inner = self.inner.lock();
        if inner.waiting.remove(&join).is_none() || inner.is_ending {
            return;
        }
        if !inner.machine.join_late(join) {
            return;
        }
        let limit = self.plan.shape.step(join).join_limit.unwrap_or_default();
        let name = self.plan.step(join).name.clone();
        let error = format!("`{name}` has waited for those before it for longer than {limit:?}");
        let what = What::StepError { error: error.clone(), panicked: false, retry_in: None };
        self.tell_of_step(&mut inner, join, what, cx.elapsed());
        inner.failures.push(StepFailure::of_step(name, error));
        self.drive(&mut inner, cx, |machine, shape, fx| {
            machine.join_failed(shape, join, End::Failed, fx);
        });
        self.go_on(inner, cx);
    }
}

/// What is told of an attempt that failed.
fn terminal(error: &Error, panicked: bool, retry_in: Option<Duration>) -> What {
    match error.downcast_ref::<TimedOut>() {
        Some(timed_out) => What::TimedOut { limit: timed_out.limit },
        None => What::StepError { error: format!("{error:#}"), panicked, retry_in },
    }
}
