//! Owns blocks: some hundred records as one value of the store. What repeats within a block (runs,
//! names, signatures) is written once, in tables at its head. Pure.
//!
//! ```text
//! block     = version: u8, tables, n, record * n
//! tables    = n, run: 16 bytes * n | n, text * n | n, signature * n
//! signature = 0, digest | 1, subject: text index, version: text index;  constants: 0 | 1, digest
//! record    = gap, run index, step: text index, kind, signature index,
//!             n, (name: text index, step: optional text index, digest) * n,
//!             n, digest * n, outcome, reused from: optional run index, attempt,
//!             started at: difference, own duration, worker: optional
//! outcome   = 0 succeeded | 1 failed, text | 2 panicked, text | 3 skipped, text | 4 timed out
//!           | 5 cancelled by, u8 | 6 suspended | 7 abandoned
//! ```
//!
//! A record's position is the one before it, plus one, plus `gap`; the block's key is what the
//! first one counts from. Gaps are where records were removed.

mod read;

use std::hash::Hash;

use rustc_hash::FxHashMap;
use selvedge_event::{Canceller, Code, Outcome, Signature, Text};

use super::index::POSITION_MAX;
use super::wire::{put_difference, put_number, put_optional, put_text};
use crate::record::{Record, StepKind};
use crate::run::RunId;

pub(crate) use read::Records;

/// The version of the format above.
pub(crate) const VERSION: u8 = 1;

/// A record and its place in the history: the order in which records were appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) position: u64,
    pub(crate) record: Record,
}

/// Things that occur in a block, each once, numbered as they come.
#[derive(Debug)]
struct Table<T> {
    numbers: FxHashMap<T, u32>,
    in_order: Vec<T>,
    /// The number that was asked for last: what follows each other is often the same.
    last: u32,
}

impl<T: Clone + Eq + Hash> Table<T> {
    fn new() -> Table<T> {
        Table { numbers: FxHashMap::default(), in_order: Vec::new(), last: 0 }
    }

    fn number(&mut self, of: &T) -> u32 {
        if self.in_order.get(self.last as usize) == Some(of) {
            return self.last;
        }
        if let Some(&number) = self.numbers.get(of) {
            self.last = number;
            return number;
        }
        let number = u32::try_from(self.in_order.len()).expect("a block's things fit into memory");
        self.numbers.insert(of.clone(), number);
        self.in_order.push(of.clone());
        self.last = number;
        number
    }
}

/// Writes one block.
#[derive(Debug)]
struct Tables {
    runs: Table<RunId>,
    texts: Table<Text>,
    signatures: Table<Signature>,
}

/// The bytes of a block of `n` records whose key is `key`. Positions ascend, and none is below the
/// key.
pub(crate) fn encode<'r>(
    key: u64,
    n: usize,
    records: impl Iterator<Item = (u64, &'r Record)>,
) -> Vec<u8> {
    let mut tables = Tables { runs: Table::new(), texts: Table::new(), signatures: Table::new() };
    let mut body = Vec::with_capacity(160 * n);
    put_number(&mut body, n as u64);
    let (mut next, mut clock) = (key, 0);
    for (position, record) in records {
        put_number(&mut body, position - next);
        next = position + 1;
        tables.put_record(&mut body, record, &mut clock);
    }
    let mut bytes = tables.into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}

impl Tables {
    fn put_record(&mut self, body: &mut Vec<u8>, record: &Record, clock: &mut u64) {
        put_number(body, u64::from(self.runs.number(&record.run)));
        put_number(body, u64::from(self.texts.number(&record.step)));
        body.push(number_of_kind(record.kind));
        put_number(body, u64::from(self.signatures.number(&record.signature)));
        put_number(body, record.inputs.len() as u64);
        for input in &record.inputs {
            put_number(body, u64::from(self.texts.number(&input.name)));
            put_optional(body, input.step.as_ref().map(|step| self.texts.number(step)));
            body.extend_from_slice(input.digest.as_bytes());
        }
        put_number(body, record.outputs.len() as u64);
        for output in &record.outputs {
            body.extend_from_slice(output.as_bytes());
        }
        put_outcome(body, &record.outcome);
        put_optional(body, record.reused_from.as_ref().map(|run| self.runs.number(run)));
        put_number(body, u64::from(record.attempt));
        let started_at = record.started_at.as_nanos();
        put_difference(body, *clock, started_at);
        *clock = started_at;
        put_number(body, u64::try_from(record.own_duration.as_nanos()).unwrap_or(u64::MAX));
        put_optional(body, record.worker);
    }

    fn into_bytes(mut self) -> Vec<u8> {
        let mut signatures = Vec::new();
        put_number(&mut signatures, self.signatures.in_order.len() as u64);
        for signature in &self.signatures.in_order {
            match signature.code() {
                Code::Hash(digest) => {
                    signatures.push(0);
                    signatures.extend_from_slice(digest.as_bytes());
                }
                Code::Version { subject, version } => {
                    signatures.push(1);
                    put_number(&mut signatures, u64::from(self.texts.number(subject)));
                    put_number(&mut signatures, u64::from(self.texts.number(version)));
                }
            }
            signatures.push(u8::from(signature.constants().is_some()));
            if let Some(constants) = signature.constants() {
                signatures.extend_from_slice(constants.as_bytes());
            }
        }
        let mut bytes = vec![VERSION];
        put_number(&mut bytes, self.runs.in_order.len() as u64);
        for run in &self.runs.in_order {
            bytes.extend_from_slice(run.as_bytes());
        }
        put_number(&mut bytes, self.texts.in_order.len() as u64);
        for text in &self.texts.in_order {
            put_text(&mut bytes, text);
        }
        bytes.append(&mut signatures);
        bytes
    }
}

const fn number_of_kind(kind: StepKind) -> u8 {
    match kind {
        StepKind::Turn => 0,
        StepKind::Build => 1,
        StepKind::Node => 2,
        StepKind::Step => 3,
        StepKind::MapItem => 4,
    }
}

fn put_outcome(body: &mut Vec<u8>, outcome: &Outcome) {
    let (number, text) = match outcome {
        Outcome::Succeeded => (0, None),
        Outcome::Failed { error, panicked: false } => (1, Some(error)),
        Outcome::Failed { error, panicked: true } => (2, Some(error)),
        Outcome::Skipped { reason } => (3, Some(reason)),
        Outcome::TimedOut => (4, None),
        Outcome::Cancelled { .. } => (5, None),
        Outcome::Suspended => (6, None),
        Outcome::Abandoned => (7, None),
        other => unreachable!("{other:?} has no number: add it to the block's format"),
    };
    body.push(number);
    if let Some(text) = text {
        put_text(body, text);
    }
    if let Outcome::Cancelled { by } = outcome {
        body.push(match by {
            Canceller::User => 0,
            Canceller::ClientClosed => 1,
            Canceller::Parent => 2,
            Canceller::Signal => 3,
            other => unreachable!("{other:?} has no number: add it to the block's format"),
        });
    }
}

#[cfg(test)]
mod tests;
