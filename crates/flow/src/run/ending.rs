//! Owns what follows when a node ends: its record, values that nobody reads any more, and what
//! becomes of those who waited for it.

use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Digest, Outcome as Ending, Text};
use selvedge_lineage::{Input as Read, Record, RunId, StepKind};
use selvedge_runtime::ScopeOutcome;
use selvedge_sync::atomic::Ordering;

use super::{Execution, State, Took};
use crate::builder::unknown_code;
use crate::inner::Outer;
use crate::input::{Brought, Given};
use crate::journal::JournalPolicy;
use crate::outcome::{Cause, Failure, Outcome};
use crate::plan::InputPlan;
use crate::propagation::Decision;
use crate::run_event::Happened;
use crate::stream::Heard;
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
        if !self.timed.claim(node) {
            return; // Its time was up, or it was not after all.
        }
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
            if !self.timed.claim(node) {
                continue;
            }
            let given = if self.records.is_some() { self.gather(node, 1) } else { Vec::new() };
            let took =
                Took { started: took.started + took.duration, attempt: 1, ..Took::default() };
            self.end_one(node, outcome, &given, took, &mut endings, post);
        }
    }

    fn parents_missing(&self, node: u32) -> Failure {
        let id = self.step(node);
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
        self.tell(took.started + took.duration, || Happened::NodeFinished {
            step: self.step(node),
            ending: outcome.ending(),
            attempt: took.attempt,
            duration: took.duration,
            reused: took.reused,
        });
        let slot = &self.slots[node as usize];
        if !outcome.is_ok() {
            self.is_troubled.store(true, Ordering::Relaxed);
        }
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
                Decision::Run => {
                    self.note_ready(reader);
                    post(reader);
                }
                decision => endings.push((reader, decision)),
            }
        }
        if self.n_left.fetch_sub(1, Ordering::AcqRel) == 1 && self.outer.is_none() {
            // What still goes on is needed by nobody: a node that is late.
            self.close(&ScopeOutcome::Succeeded, took.started + took.duration);
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
        if !self.records() {
            return outcome;
        }
        let (outcome, output) = match outcome {
            Outcome::Ok(value) => match value.digest() {
                Ok(digest) => {
                    self.keep_value(node, &value, &digest, given, took);
                    (Outcome::Ok(value), Some(digest))
                }
                Err(error) => {
                    let failure = Failure::without_digest(self.step(node), error);
                    (Outcome::Err(failure), None)
                }
            },
            outcome => (outcome, None),
        };
        let read = self.read_of(node, 0, given);
        let mut record = self.record_of(node, self.step(node), read, &outcome, took);
        record.outputs.extend(output);
        self.keep(record);
        outcome
    }

    /// Whether anything is recorded.
    pub(crate) fn records(&self) -> bool {
        self.records.is_some()
    }

    pub(crate) fn keep(&self, record: Record) {
        if let Some(journal) = &self.journal {
            self.note(journal.record(record));
        } else if let Some(outer) = &self.outer {
            outer.execution.keep(record);
        } else if let Some(records) = &self.records {
            records.lock().push(record);
        }
    }

    /// What a node has read, from one of its inputs on; nothing if nothing is recorded.
    pub(crate) fn read_of(&self, node: u32, begin: usize, given: &[Given]) -> Vec<Read> {
        let mut read = Vec::with_capacity(given.len());
        let recorded = if self.records() { given } else { &[] };
        for (at, given) in (begin..).zip(recorded) {
            let Some(digest) = digest_of(given) else { continue };
            let (name, step) = self.read(node, at);
            if step.is_some() {
                read.push(Read { name, step, digest });
            }
        }
        read
    }

    /// A record of a step without what it made.
    pub(crate) fn record_of<T>(
        &self,
        node: u32,
        step: Text,
        read: Vec<Read>,
        outcome: &Outcome<T>,
        took: Took,
    ) -> Record {
        let plan = self.plan.node(node);
        let signature = plan.signature.clone().unwrap_or_else(unknown_code);
        let mut record = Record::new(self.run, step, signature).kind(StepKind::Node);
        record.inputs = read;
        record.outcome = outcome.ending();
        record.attempt = took.attempt;
        record.started_at = self.time_of_day(took.started);
        record.own_duration = took.duration;
        record.reused_from = took.reused;
        record
    }

    /// What an input of a node is called, and which node it is.
    pub(crate) fn read(&self, node: u32, at: usize) -> (Text, Option<Text>) {
        let input = &self.plan.inputs(node)[at];
        let parent = input.node();
        let step = parent.map(|parent| self.step(parent));
        let id = parent.map(|parent| self.id(parent).clone());
        let name = input.name.clone().or(id);
        (name.unwrap_or_else(|| Text::from(at.to_string())), step)
    }

    /// Notes why something could not be written down; the first reason stays.
    pub(crate) fn note<E: std::error::Error + Send + Sync + 'static>(&self, done: Result<(), E>) {
        if let Err(error) = done {
            let error = format!("{:#}", anyhow::Error::new(error));
            self.lost.lock().get_or_insert(error);
        }
    }

    /// How the run ended, unless what carried it out says otherwise.
    fn ending(&self) -> Ending {
        match self.failure() {
            None => Ending::Succeeded,
            Some(failure) => Ending::Failed { error: failure.to_string(), panicked: false },
        }
    }

    /// The inner run has come to its end: what the node around it comes to, unless all is over.
    pub(super) fn close_inner(
        &self,
        outer: &Outer,
        outcome: &ScopeOutcome,
    ) -> Option<Outcome<Shared>> {
        let step = || outer.execution.step(outer.node);
        if let Some(lost) = self.lost.lock().take() {
            outer.execution.lost.lock().get_or_insert(lost);
        }
        match outcome {
            ScopeOutcome::Succeeded => {}
            ScopeOutcome::Failed { cause, .. } => {
                return Some(Outcome::Err(Failure::of_error(step(), cause)));
            }
            _ => return None,
        }
        if let Some(failure) = self.failure() {
            let error = failure.to_string();
            return Some(Outcome::Err(Failure::new(step(), failure.cause(), error)));
        }
        match std::mem::take(&mut *self.slots[outer.output as usize].state.lock()) {
            State::Ended(outcome) => Some(outcome),
            // It was given up with all that it is part of.
            _ => None,
        }
    }

    /// The first failure, in the order of definition, that is not of an optional node.
    fn failure(&self) -> Option<Failure> {
        let mut nodes = self.slots.iter().zip(&self.plan.nodes);
        nodes.find_map(|(slot, node)| match &*slot.state.lock() {
            State::Ended(Outcome::Err(failure)) if !node.options.optional => Some(failure.clone()),
            _ => None,
        })
    }

    /// The run has come to its end: writes that down.
    pub(super) fn close(&self, outcome: &ScopeOutcome, elapsed: Duration) {
        let mut closed = self.closed.lock();
        if closed.is_some() {
            return;
        }
        let mut ending = match outcome {
            // A run that was stopped takes nothing back from threads of nodes.
            ScopeOutcome::Succeeded if self.n_left.load(Ordering::Acquire) > 0 => Ending::Abandoned,
            ScopeOutcome::Succeeded => self.ending(),
            ScopeOutcome::Failed { cause, panicked, .. } => {
                Ending::Failed { error: format!("{cause:#}"), panicked: *panicked }
            }
            ScopeOutcome::Cancelled { by } => Ending::Cancelled { by: *by },
            _ => Ending::Abandoned,
        };
        if let Some(journal) = &self.journal {
            let at = self.time_of_day(elapsed);
            self.note(journal.end(self.run, ending.clone(), at));
            if let (JournalPolicy::Fail, Some(lost)) = (journal.on_failure(), &*self.lost.lock()) {
                let error = format!("the run could not be written down: {lost}");
                ending = Ending::Failed { error, panicked: false };
            }
        }
        *closed = Some(ending.clone());
        drop(closed);
        self.over.notify_all();
        self.tell(elapsed, || Happened::RunFinished { ending });
        self.feed.close();
    }

    /// Nothing more comes of it.
    pub(super) fn give_up(&self) {
        let mut closed = self.closed.lock();
        let is_first = closed.is_none();
        closed.get_or_insert(Ending::Abandoned);
        drop(closed);
        self.over.notify_all();
        if self.outer.is_none() {
            if is_first {
                self.tell(Duration::ZERO, || Happened::RunFinished { ending: Ending::Abandoned });
            }
            self.feed.close();
        }
    }

    /// Waits until all nodes have ended, or the run has.
    pub(crate) fn wait(&self) {
        drop(self.over.wait_while(self.closed.lock(), |closed| closed.is_none()));
    }

    /// Takes out what is left at the end.
    pub(crate) fn take(&self) -> Remains {
        let states = self.slots.iter().map(|slot| std::mem::take(&mut *slot.state.lock()));
        let records = self.records.as_ref().map(|records| std::mem::take(&mut *records.lock()));
        let mut reused = std::mem::take(&mut *self.reused.lock());
        reused.sort_unstable();
        let tellings = std::mem::take(&mut *self.tellings.lock());
        let heard = tellings.into_iter().map(|(telling, at_most)| telling.join_within(at_most));
        Remains {
            states: states.collect(),
            records: records.unwrap_or_default(),
            reused,
            // Without a last turn: the pipeline came to its end first.
            ending: self.closed.lock().clone().unwrap_or(Ending::Abandoned),
            warning: self.lost.lock().take(),
            heard: heard.collect(),
        }
    }
}

/// What is left of a run.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) states: Vec<State>,
    pub(crate) records: Vec<Record>,
    /// In the order of definition.
    pub(crate) reused: Vec<(u32, RunId)>,
    pub(crate) ending: Ending,
    pub(crate) warning: Option<String>,
    /// What listeners were told.
    pub(crate) heard: Vec<Heard>,
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
