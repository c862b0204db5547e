//! Owns what is told of a run as it happens, and what is counted.

use std::time::Duration;

use selvedge_event::Text;

use super::super::event::{FailureKind, FailureSource, StepEvent, StepFailure, StepMetrics, What};
use super::super::machine::{Because, ShapeKind, Told};
use super::super::recording::outcome;
use super::super::state::Shares;
use super::{Execution, Inner};

/// What an event is about.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    pub(super) stage: Option<Text>,
    pub(super) step: Option<u32>,
    pub(super) slot: Option<u32>,
}

/// The stage of what is told of the run as a whole.
const SYSTEM: Text = Text::literal("system");

impl<S: Shares, C: Send + Sync + 'static> Execution<S, C> {
    /// Tells something of the run as a whole.
    pub(super) fn tell(&self, inner: &mut Inner<S>, what: What, now: Duration) {
        self.tell_about(inner, About::default(), what, now);
    }

    /// Tells something of a stage that is no step.
    pub(super) fn tell_of_stage(
        &self,
        inner: &mut Inner<S>,
        stage: Text,
        what: What,
        now: Duration,
    ) {
        self.tell_about(inner, About { stage: Some(stage), ..About::default() }, what, now);
    }

    /// Tells something of a step that has no slot.
    pub(super) fn tell_of_step(&self, inner: &mut Inner<S>, step: u32, what: What, now: Duration) {
        self.tell_about(inner, About { step: Some(step), ..About::default() }, what, now);
    }

    /// Tells something of a slot; counts, if it is its end.
    pub(super) fn tell_of_slot(&self, inner: &mut Inner<S>, slot: u32, what: What, now: Duration) {
        let event = self.ended(inner, slot, what, now);
        self.publish(event);
    }

    /// What there is to tell of a slot, if anybody listens; counted, if it is its end.
    pub(super) fn ended(
        &self,
        inner: &mut Inner<S>,
        slot: u32,
        what: What,
        now: Duration,
    ) -> Option<StepEvent> {
        let at = inner.machine.slot(slot)?;
        let (step, is_item) = (at.step, at.owner.is_some());
        match what {
            What::StepStart => inner.doing(slot).is_told = true,
            What::MapStart { .. } | What::MapWorker { .. } | What::MapComplete { .. } => {}
            What::StepError { retry_in: Some(_), .. } => inner.doing(slot).is_told = false,
            _ => {
                inner.doing(slot).is_told = false;
                inner.metrics.ended += 1;
                inner.n_active = inner.n_active.saturating_sub(1);
                inner.n_items = inner.n_items.saturating_sub(u64::from(is_item));
            }
        }
        if let Some(outcome) = outcome(&what) {
            self.write(inner, slot, outcome, now);
        }
        if what == What::StepEnd {
            let took = now.saturating_sub(inner.doing(slot).started);
            inner.took[step as usize].add(took);
        }
        let about = About { step: Some(step), slot: Some(slot), ..About::default() };
        self.event(inner, about, what, now)
    }

    /// Tells what the machine has to tell.
    pub(super) fn tell_of_machine(&self, inner: &mut Inner<S>, told: Told, now: Duration) {
        let name = |step: u32| self.plan.step(step).name.clone();
        match told {
            Told::Skipped { step, because } => {
                let reason = match because {
                    Because::ParentFailed(parent) => format!("`{}` failed", name(parent)),
                    Because::ParentSkipped(parent) => format!("`{}` was skipped", name(parent)),
                    Because::NeverCame(parent) => format!("`{}` never came", name(parent)),
                };
                self.write_skipped(inner, step, reason.clone(), now);
                self.tell_of_step(inner, step, What::Skipped { reason }, now);
            }
            Told::GivenUp { slot } => {
                let reason = "the run was stopped".to_owned();
                self.tell_of_slot(inner, slot, What::Cancelled { reason }, now);
            }
            Told::MapStart { slot, items } => {
                let step = inner.machine.slot(slot).map_or(0, |slot| slot.step);
                if let ShapeKind::Map { each, .. } = self.plan.shape.step(step).kind {
                    let what = What::MapStart { each: name(each), items };
                    self.tell_of_slot(inner, slot, what, now);
                }
            }
            Told::MapWorker { slot, item } => {
                self.tell_of_slot(inner, slot, What::MapWorker { index: item }, now);
            }
            Told::MapComplete { slot, items } => {
                self.tell_of_slot(inner, slot, What::MapComplete { items }, now);
            }
            Told::JoinWait { join, arrived, waiting_for } => {
                let waiting_for = waiting_for.into_iter().map(name).collect();
                self.tell_of_step(inner, join, What::JoinWait { arrived, waiting_for }, now);
            }
            Told::JoinRelease { join } => self.tell_of_step(inner, join, What::JoinRelease, now),
        }
    }

    fn tell_about(&self, inner: &Inner<S>, about: About, what: What, now: Duration) {
        let event = self.event(inner, about, what, now);
        self.publish(event);
    }

    /// Something that happened; nothing if nobody listens.
    pub(super) fn event(
        &self,
        inner: &Inner<S>,
        about: About,
        what: What,
        now: Duration,
    ) -> Option<StepEvent> {
        self.feed.is_heard().then(|| self.make(inner, about, what, now))
    }

    /// Something that happened.
    pub(super) fn make(
        &self,
        inner: &Inner<S>,
        about: About,
        what: What,
        now: Duration,
    ) -> StepEvent {
        let slot = about.slot.and_then(|slot| inner.machine.slot(slot));
        let plan = about.step.map(|step| self.plan.step(step));
        let owner = slot.and_then(|slot| inner.machine.slot(slot.owner?));
        let stage = about.stage.or(plan.map(|plan| plan.name.clone())).unwrap_or(SYSTEM);
        StepEvent {
            at: self.time_of_day(now),
            run: self.told_run,
            origin: self.prefix.is_some().then_some(self.run),
            stage: self.prefixed(stage),
            kind: plan.map(|plan| plan.kind),
            invocation: slot.map(|slot| slot.invocation),
            owner: owner.map(|owner| owner.invocation),
            item: slot.filter(|_| owner.is_some()).map(|slot| slot.item),
            attempt: slot.map_or(0, |slot| slot.attempt),
            what,
        }
    }

    fn prefixed(&self, stage: Text) -> Text {
        match &self.prefix {
            Some(prefix) => Text::from(format!("{prefix}:{stage}")),
            None => stage,
        }
    }

    /// What events of the run within a slot are called by, before their own stages.
    pub(crate) fn stage_of(&self, slot: u32) -> Text {
        let inner = self.inner.lock();
        let step = inner.machine.slot(slot).map(|slot| self.plan.step(slot.step).name.clone());
        drop(inner);
        self.prefixed(step.unwrap_or(SYSTEM))
    }

    /// Tells an event. Under the run's lock, so that events are in the order of what happens.
    pub(super) fn publish(&self, event: Option<StepEvent>) {
        if let Some(event) = event {
            self.feed.push(event);
        }
    }

    /// What was counted, by name.
    pub(super) fn counted(&self, inner: &mut Inner<S>) {
        let steps = self.plan.steps.iter().zip(&inner.took);
        let steps = steps.filter(|(_, took)| **took != StepMetrics::default());
        inner.metrics.steps = steps.map(|(step, took)| (step.name.clone(), *took)).collect();
    }
}

impl StepFailure {
    fn new(kind: FailureKind, reason: &'static str, error: String) -> StepFailure {
        let (source, step) = (FailureSource::UserCode, None);
        StepFailure { kind, source, reason: Text::literal(reason), error, step }
    }

    pub(super) fn of_step(step: Text, error: String) -> StepFailure {
        let failure = StepFailure::new(FailureKind::Step, "step_error", error);
        StepFailure { step: Some(step), ..failure }
    }

    pub(super) fn no_steps() -> StepFailure {
        let error = "no steps are registered".to_owned();
        let failure = StepFailure::new(FailureKind::Validation, "no_steps", error);
        StepFailure { source: FailureSource::Framework, ..failure }
    }

    pub(super) fn of_startup(error: String) -> StepFailure {
        StepFailure::new(FailureKind::Startup, "startup_hook_error", error)
    }

    pub(super) fn of_shutdown(error: String) -> StepFailure {
        StepFailure::new(FailureKind::Shutdown, "shutdown_hook_error", error)
    }

    pub(super) fn of_engine(error: String) -> StepFailure {
        let failure = StepFailure::new(FailureKind::Infra, "internal_error", error);
        StepFailure { source: FailureSource::Framework, ..failure }
    }

    /// It, as an event.
    pub(super) fn told(&self) -> What {
        What::StepError { error: self.error.clone(), panicked: false, retry_in: None }
    }
}
