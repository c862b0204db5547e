//! Owns what follows when a node ends: its record, values that nobody reads any more, and what
//! becomes of those who waited for it.

use std::sync::Arc;

use selvedge_event::Digest;
use selvedge_lineage::{Record, StepKind};
use selvedge_sync::atomic::Ordering;

use super::{Execution, State, Took};
use crate::builder::unknown_code;
use crate::input::{Brought, Given};
use crate::outcome::{Cause, Failure, Outcome};
use crate::plan::{InputPlan, PlanSource};
use crate::propagation::Decision;
use crate::value::Shared;

impl Execution {
    /// Ends a node, and whatever follows from that without a turn.
    pub(crate) fn end(
        &self,
        node: u32,
        outcome: Outcome<Shared>,
        given: &[Given],
        took: Took,
        post: &mut dyn FnMut(u32),
    ) {
        let mut endings = Vec::new();
        self.end_one(node, outcome, given, took, &mut endings, post);
        // In order, so that what happened is told in it.
        let mut next = 0;
        while let Some((node, decision)) = endings.get(next).cloned() {
            next += 1;
            let outcome = match decision {
                Decision::Skip(skip) => Outcome::Skipped(skip),
                Decision::Run | Decision::Fail => Outcome::Err(self.parents_missing(node)),
            };
            let given = if self.records.is_some() { self.gather(node, 1) } else { Vec::new() };
            let took =
                Took { started: took.started + took.duration, attempt: 1, ..Took::default() };
            self.end_one(node, outcome, &given, took, &mut endings, post);
        }
    }

    fn parents_missing(&self, node: u32) -> Failure {
        let id = self.id(node).clone();
        let without = |input: &InputPlan| {
            let parent = input.node()?;
            (!self.seen_from_below(parent).is_ok()).then(|| format!("`{}`", self.id(parent)))
        };
        let missing: Vec<String> = self.plan.inputs(node).iter().filter_map(without).collect();
        let error = format!("it requires all its parents, and there is no {}", missing.join(", "));
        Failure::new(id, Cause::ParentsMissing, error)
    }

    /// Ends a node; who waits for nothing else is posted, or listed with what becomes of it.
    fn end_one(
        &self,
        node: u32,
        outcome: Outcome<Shared>,
        given: &[Given],
        took: Took,
        endings: &mut Vec<(u32, Decision)>,
        post: &mut dyn FnMut(u32),
    ) {
        let outcome = self.record(node, outcome, given, took);
        let slot = &self.slots[node as usize];
        let is_needed = slot.readers.load(Ordering::Relaxed) > 0;
        let state = match outcome {
            Outcome::Ok(_) if !is_needed => State::Dropped,
            outcome => State::Ended(outcome),
        };
        let before = std::mem::replace(&mut *slot.state.lock(), state);
        debug_assert!(matches!(before, State::Waiting), "a node ends once, this was {before:?}");
        for parent in self.plan.inputs(node).iter().filter_map(InputPlan::node) {
            self.let_go(parent);
        }
        for &reader in self.plan.readers(node) {
            let waiting = &self.slots[reader as usize];
            if waiting.pending.fetch_sub(1, Ordering::AcqRel) > 1 {
                continue;
            }
            if matches!(*waiting.state.lock(), State::Unwanted) {
                continue;
            }
            match self.decide(reader) {
                Decision::Run => post(reader),
                decision => endings.push((reader, decision)),
            }
        }
    }

    /// One read less of a node: its value goes with the last.
    fn let_go(&self, node: u32) {
        let slot = &self.slots[node as usize];
        if slot.readers.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut state = slot.state.lock();
            if matches!(*state, State::Ended(Outcome::Ok(_))) {
                let value = std::mem::replace(&mut *state, State::Dropped);
                drop(state);
                // The user's destructor is not run under the lock.
                drop(value);
            }
        }
    }

    /// Records what a node has come to, if that is wanted. A value without a digest is a failure.
    fn record(
        &self,
        node: u32,
        outcome: Outcome<Shared>,
        given: &[Given],
        took: Took,
    ) -> Outcome<Shared> {
        let Some(records) = &self.records else { return outcome };
        let plan = self.plan.node(node);
        let (outcome, output) = match outcome {
            Outcome::Ok(value) => match value.digest() {
                Ok(digest) => (Outcome::Ok(value), Some(digest)),
                Err(error) => {
                    let error = format!("what it made has no digest: {error}");
                    let failure = Failure::new(plan.id.clone(), Cause::NoDigest, error);
                    (Outcome::Err(failure), None)
                }
            },
            outcome => (outcome, None),
        };
        let signature = plan.signature.clone().unwrap_or_else(unknown_code);
        let mut record = Record::new(self.run, plan.id.clone(), signature).kind(StepKind::Node);
        record.inputs.reserve_exact(given.len());
        for (input, given) in self.plan.inputs(node).iter().zip(given) {
            let PlanSource::Node { idx, .. } = input.source else { continue };
            let Some(digest) = digest_of(given) else { continue };
            let parent = self.id(idx);
            record.inputs.push(selvedge_lineage::Input {
                name: input.name.clone().unwrap_or_else(|| parent.clone()),
                step: Some(parent.clone()),
                digest,
            });
        }
        record.outputs.extend(output);
        record.outcome = outcome.ending();
        record.attempt = took.attempt;
        record.started_at = self.started_at.after(took.started);
        record.own_duration = took.duration;
        records.lock().push(record);
        outcome
    }

    /// Takes out what is left at the end.
    pub(crate) fn take(&self) -> (Vec<State>, Vec<Record>) {
        let states = self.slots.iter().map(|slot| std::mem::take(&mut *slot.state.lock()));
        let records = self.records.as_ref().map(|records| std::mem::take(&mut *records.lock()));
        (states.collect(), records.unwrap_or_default())
    }
}

/// What a read value is known by; of a parent without a value, what became of it.
fn digest_of(given: &Given) -> Option<Digest> {
    match &given.0 {
        Outcome::Ok(Brought::Value(value)) => Arc::clone(value).digest().ok(),
        Outcome::Ok(Brought::Run(_)) => None,
        Outcome::Err(failure) => Digest::of(failure).ok(),
        Outcome::Skipped(skip) => Digest::of(skip).ok(),
    }
}
