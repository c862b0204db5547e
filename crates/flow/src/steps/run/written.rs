//! Owns what a run writes into its journal.

use std::time::Duration;

use selvedge_event::{Digest, Outcome, Text};
use selvedge_lineage::{Input, Record, Run as History, StepKind};
use selvedge_runtime::TaskContext;

use super::super::event::StepFailure;
use super::super::recording;
use super::super::state::Shares;
use super::{Execution, First, Inner};
use crate::builder::unknown_code;
use crate::error::JournalError;

/// What the state is called among the inputs of a step.
const STATE: Text = Text::literal("state");

impl<S: Shares, C: Send + Sync + 'static> Execution<S, C> {
    /// What the state is known by, where that is written down.
    pub(super) fn state_digest(&self, inner: &mut Inner<S>) -> Option<Digest> {
        let records = self.records.as_ref()?;
        if inner.digest.is_none() {
            inner.digest = records.digest(&inner.state);
            if let Some(digest) = &inner.digest {
                let kept = records.keep(&inner.state, digest);
                note(inner, kept);
            }
        }
        inner.digest
    }

    /// Writes that the run begins, or goes on. Says whether it may.
    pub(super) fn write_begin(&self, cx: &mut TaskContext<'_>) -> bool {
        let Some(records) = &self.records else { return true };
        let mut run = History::new(self.run, self.plan.name.clone(), self.started_at);
        if self.run != self.told_run {
            run.parent = Some(self.told_run);
        }
        let mut inner = self.inner.lock();
        if let Some(digest) = self.state_digest(&mut inner) {
            run.parameters.insert(STATE, digest);
        }
        let goes_on = matches!(self.first, First::Held);
        let Err(error) = recording::begin(records.journal(), run, goes_on) else { return true };
        drop(inner);
        let error = format!("{:#}", anyhow::Error::new(error));
        let failure = StepFailure::of_engine(error);
        self.hook_failed(Text::literal("journal"), failure, cx.elapsed());
        false
    }

    /// Writes that a step never started.
    pub(super) fn write_skipped(
        &self,
        inner: &mut Inner<S>,
        step: u32,
        reason: String,
        now: Duration,
    ) {
        let Some(records) = &self.records else { return };
        let plan = self.plan.step(step);
        let code = plan.code.clone().unwrap_or_else(unknown_code);
        let mut record = Record::new(self.run, plan.name.clone(), code).kind(StepKind::Step);
        record.outcome = Outcome::Skipped { reason };
        record.started_at = self.time_of_day(now);
        let written = recording::record(records.journal(), record);
        note(inner, written);
    }

    /// Writes what a slot has come to.
    pub(super) fn write(&self, inner: &mut Inner<S>, slot: u32, outcome: Outcome, now: Duration) {
        let Some(records) = &self.records else { return };
        let Some(at) = inner.machine.slot(slot) else { return };
        let (step, item, attempt) = (at.step, at.owner.map(|_| at.item), at.attempt);
        let plan = self.plan.step(step);
        let name = match item {
            Some(item) => Text::from(format!("{}[{item}]", plan.name)),
            None => plan.name.clone(),
        };
        let code = plan.code.clone().unwrap_or_else(unknown_code);
        let kind = if item.is_some() { StepKind::MapItem } else { StepKind::Step };
        let mut record = Record::new(self.run, name, code).kind(kind);
        let (read, started) = (inner.doing(slot).read, inner.doing(slot).started);
        let input = |digest| Input { name: STATE, step: None, digest };
        record.inputs.extend(read.map(input));
        if matches!(outcome, Outcome::Succeeded | Outcome::Suspended) {
            record.outputs.extend(self.state_digest(inner).filter(|digest| Some(*digest) != read));
        }
        record.outcome = outcome;
        record.attempt = attempt.max(1);
        record.started_at = self.time_of_day(started);
        record.own_duration = now.saturating_sub(started);
        let written = recording::record(records.journal(), record);
        note(inner, written);
    }
}

/// Notes why something could not be written down; the first reason stays.
fn note<S>(inner: &mut Inner<S>, written: Result<(), JournalError>) {
    if let Err(error) = written {
        let error = format!("{:#}", anyhow::Error::new(error));
        inner.lost.get_or_insert(error);
    }
}
