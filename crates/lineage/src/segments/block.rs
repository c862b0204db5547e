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

use std::hash::Hash;
use std::time::Duration;

use rustc_hash::FxHashMap;
use selvedge_event::{Canceller, Code, Outcome, Signature, Text};

use super::index::POSITION_MAX;
use super::wire::{Malformed, Reader, put_difference, put_number, put_optional, put_text};
use crate::record::{Input, Record, StepKind};
use crate::run::RunId;
use crate::time::Timestamp;

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
}

impl<T: Clone + Eq + Hash> Table<T> {
    fn new() -> Table<T> {
        Table { numbers: FxHashMap::default(), in_order: Vec::new() }
    }

    fn number(&mut self, of: &T) -> u32 {
        if let Some(&number) = self.numbers.get(of) {
            return number;
        }
        let number = u32::try_from(self.in_order.len()).expect("a block's things fit into memory");
        self.numbers.insert(of.clone(), number);
        self.in_order.push(of.clone());
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

fn outcome(reader: &mut Reader<'_>) -> Result<Outcome, Malformed> {
    Ok(match reader.byte()? {
        0 => Outcome::Succeeded,
        number @ (1 | 2) => {
            Outcome::Failed { error: reader.text()?.to_owned(), panicked: number == 2 }
        }
        3 => Outcome::Skipped { reason: reader.text()?.to_owned() },
        4 => Outcome::TimedOut,
        5 => Outcome::Cancelled {
            by: match reader.byte()? {
                0 => Canceller::User,
                1 => Canceller::ClientClosed,
                2 => Canceller::Parent,
                3 => Canceller::Signal,
                _ => return Err(reader.malformed("who cancelled")),
            },
        },
        6 => Outcome::Suspended,
        7 => Outcome::Abandoned,
        _ => return Err(reader.malformed("an outcome")),
    })
}

/// Reads a block's records in order, as far as one wants.
#[derive(Debug)]
pub(crate) struct Records<'b> {
    runs: Vec<RunId>,
    texts: Vec<Text>,
    signatures: Vec<Signature>,
    n_left: usize,
    next: u64,
    clock: u64,
    reader: Reader<'b>,
}

impl<'b> Records<'b> {
    /// Reads a block's tables. The version is the caller's to look at, by
    /// [`version_of`](version_of).
    pub(crate) fn open(key: u64, bytes: &'b [u8]) -> Result<Records<'b>, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != VERSION {
            return Err(reader.malformed("version 1 of the format of blocks"));
        }
        let n_runs = reader.count()?;
        let mut runs = Vec::with_capacity(n_runs);
        for _ in 0..n_runs {
            runs.push(RunId::from_bytes(reader.array()?));
        }
        let n_texts = reader.count()?;
        let mut texts = Vec::with_capacity(n_texts);
        for _ in 0..n_texts {
            texts.push(Text::from(reader.text()?));
        }
        let n_signatures = reader.count()?;
        let mut signatures = Vec::with_capacity(n_signatures);
        for _ in 0..n_signatures {
            let code = match reader.byte()? {
                0 => Code::Hash(reader.digest()?),
                1 => {
                    let subject = at(&texts, &mut reader)?;
                    Code::Version { subject, version: at(&texts, &mut reader)? }
                }
                _ => return Err(reader.malformed("a signature")),
            };
            let constants = match reader.byte()? {
                0 => None,
                1 => Some(reader.digest()?),
                _ => return Err(reader.malformed("constants, or none")),
            };
            signatures.push(Signature::from_parts(code, constants));
        }
        let n_left = reader.count()?;
        Ok(Records { runs, texts, signatures, n_left, next: key, clock: 0, reader })
    }

    fn read(&mut self) -> Result<Placed, Malformed> {
        let Records { runs, texts, signatures, reader, .. } = self;
        let gap = reader.number()?;
        let position = self.next.checked_add(gap).filter(|&position| position < POSITION_MAX);
        let position = position.ok_or_else(|| reader.malformed("a position"))?;
        self.next = position + 1;
        let run = at(runs, reader)?;
        let step = at(texts, reader)?;
        let kind = match reader.byte()? {
            0 => StepKind::Turn,
            1 => StepKind::Build,
            2 => StepKind::Node,
            3 => StepKind::Step,
            4 => StepKind::MapItem,
            _ => return Err(reader.malformed("a kind of step")),
        };
        let signature = at(signatures, reader)?;
        let n_inputs = reader.count()?;
        let mut inputs = Vec::with_capacity(n_inputs);
        for _ in 0..n_inputs {
            let name = at(texts, reader)?;
            let step = optional_at(texts, reader)?;
            inputs.push(Input { name, step, digest: reader.digest()? });
        }
        let n_outputs = reader.count()?;
        let mut outputs = Vec::with_capacity(n_outputs);
        for _ in 0..n_outputs {
            outputs.push(reader.digest()?);
        }
        let outcome = outcome(reader)?;
        let reused_from = optional_at(runs, reader)?;
        let attempt = reader.small()?;
        self.clock = reader.difference(self.clock)?;
        let started_at = Timestamp::from_nanos(self.clock);
        let own_duration = Duration::from_nanos(reader.number()?);
        let worker = reader.optional()?;
        let record = Record {
            run,
            step,
            kind,
            signature,
            inputs,
            outputs,
            outcome,
            reused_from,
            attempt,
            started_at,
            own_duration,
            worker,
        };
        Ok(Placed { position, record })
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Placed, Malformed>;

    /// Ends after the first error.
    fn next(&mut self) -> Option<Result<Placed, Malformed>> {
        if self.n_left == 0 {
            let rest = std::mem::replace(&mut self.reader, Reader::new(&[]));
            return (!rest.is_at_end()).then(|| Err(rest.malformed("the end")));
        }
        self.n_left -= 1;
        let read = self.read();
        if read.is_err() {
            (self.n_left, self.reader) = (0, Reader::new(&[]));
        }
        Some(read)
    }
}

/// The thing that the number read stands for.
fn at<T: Clone>(table: &[T], reader: &mut Reader<'_>) -> Result<T, Malformed> {
    let number = reader.number()?;
    let found = usize::try_from(number).ok().and_then(|number| table.get(number));
    found.cloned().ok_or_else(|| reader.malformed("a number in a table"))
}

fn optional_at<T: Clone>(table: &[T], reader: &mut Reader<'_>) -> Result<Option<T>, Malformed> {
    let Some(number) = reader.optional()? else { return Ok(None) };
    let found = table.get(number as usize).cloned();
    found.map(Some).ok_or_else(|| reader.malformed("a number in a table, or none"))
}

#[cfg(test)]
mod tests;
