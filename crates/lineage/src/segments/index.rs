//! Owns the index as values: entries, and what is true of a sorted sequence of them. Pure.
//!
//! An entry is a term and the position of a record that has it, packed into 16 bytes that sort as
//! the pair does: 4 bits for the kind of term, 64 of its hash, 60 of the position. Two terms may
//! share a hash, so whoever follows an entry looks at the record.

use std::ops::Range;

use rustc_hash::FxHashMap;
use selvedge_event::{Code, Digest, Signature, Text};

use super::wire::{Malformed, Reader, put_number};
use crate::record::Record;
use crate::run::RunId;
use crate::term::Term;

const POSITION_BITS: u32 = 60;
const TERM_BITS: u32 = 68;
/// Positions are below this.
pub(crate) const POSITION_MAX: u64 = 1 << POSITION_BITS;
/// How many hashes of runs, steps and signatures are remembered while records are indexed.
const REMEMBERED_MAX: usize = 4_096;

/// A term's hash and kind, and the position of a record that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry(u128);

impl Entry {
    fn new(kind: u128, hash: u64, position: u64) -> Entry {
        Entry(kind << 124 | u128::from(hash) << POSITION_BITS | u128::from(position))
    }

    /// The least entry of a term at or after a position.
    pub(crate) fn of(term: &Term<'_>, position: u64) -> Entry {
        match term {
            Term::Run(run) => Entry::new(0, hash_of_run(run), position),
            Term::Step(step) => Entry::new(1, hash_of_step(step), position),
            Term::Signature(signature) => Entry::new(2, hash_of_signature(signature), position),
            Term::Output(digest) => Entry::new(3, hash_of_digest(digest), position),
            Term::Input(digest) => Entry::new(4, hash_of_digest(digest), position),
        }
    }

    const fn term(self) -> u128 {
        self.0 >> POSITION_BITS
    }

    /// Where the record is.
    pub(crate) const fn position(self) -> u64 {
        self.0 as u64 & (POSITION_MAX - 1)
    }

    /// A hash of the term, for a sieve.
    pub(crate) fn hash_of_term(self) -> u64 {
        let term = self.term();
        // What is both an output and an input is two terms.
        (term as u64) ^ ((term >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// The same term at another position.
    pub(crate) fn at(self, position: u64) -> Entry {
        Entry(self.0 & !u128::from(POSITION_MAX - 1) | u128::from(position))
    }
}

/// Digests are uniform, so any part of one will do.
fn hash_of_digest(digest: &Digest) -> u64 {
    first_word(digest.as_bytes())
}

fn hash_of_run(run: &RunId) -> u64 {
    first_word(blake3::hash(run.as_bytes()).as_bytes())
}

fn hash_of_step(step: &str) -> u64 {
    first_word(blake3::hash(step.as_bytes()).as_bytes())
}

fn hash_of_signature(signature: &Signature) -> u64 {
    let mut hasher = blake3::Hasher::new();
    match signature.code() {
        Code::Hash(digest) => hasher.update(b"h").update(digest.as_bytes()),
        // The length keeps subject and version apart.
        Code::Version { subject, version } => hasher
            .update(b"v")
            .update(&(subject.len() as u64).to_le_bytes())
            .update(subject.as_bytes())
            .update(version.as_bytes()),
    };
    if let Some(constants) = signature.constants() {
        hasher.update(b"c").update(constants.as_bytes());
    }
    first_word(hasher.finalize().as_bytes())
}

fn first_word(bytes: &[u8; 32]) -> u64 {
    u64::from_be_bytes(*bytes.first_chunk().expect("32 bytes begin with 8"))
}

/// Lists the entries of records. Remembers the hashes of what comes again and again.
#[derive(Debug, Default)]
pub(crate) struct Indexer {
    runs: Hashes<RunId>,
    steps: Hashes<Text>,
    signatures: Hashes<Signature>,
}

/// Hashes by what they are of, and the last one: what follows each other is often the same.
#[derive(Debug)]
struct Hashes<T> {
    known: FxHashMap<T, u64>,
    last: Option<(T, u64)>,
}

impl<T> Default for Hashes<T> {
    fn default() -> Hashes<T> {
        Hashes { known: FxHashMap::default(), last: None }
    }
}

impl Indexer {
    /// Adds what a record at this position is found by. A value read twice has one entry.
    pub(crate) fn add(&mut self, position: u64, record: &Record, entries: &mut Vec<Entry>) {
        let n_known = self.runs.known.len() + self.steps.known.len() + self.signatures.known.len();
        if n_known > REMEMBERED_MAX {
            *self = Indexer::default();
        }
        let run = self.runs.of(&record.run, hash_of_run);
        entries.push(Entry::new(0, run, position));
        let step = self.steps.of(&record.step, |step| hash_of_step(step));
        entries.push(Entry::new(1, step, position));
        let signature = self.signatures.of(&record.signature, hash_of_signature);
        entries.push(Entry::new(2, signature, position));
        for (n, output) in record.outputs.iter().enumerate() {
            if !record.outputs[..n].contains(output) {
                entries.push(Entry::new(3, hash_of_digest(output), position));
            }
        }
        for (n, input) in record.inputs.iter().enumerate() {
            if !record.inputs[..n].iter().any(|earlier| earlier.digest == input.digest) {
                entries.push(Entry::new(4, hash_of_digest(&input.digest), position));
            }
        }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Hashes<T> {
    fn of(&mut self, of: &T, hash: impl FnOnce(&T) -> u64) -> u64 {
        if let Some((last, hash)) = &self.last
            && last == of
        {
            return *hash;
        }
        let hash = match self.known.get(of) {
            Some(&known) => known,
            None => *self.known.entry(of.clone()).or_insert(hash(of)),
        };
        self.last = Some((of.clone(), hash));
        hash
    }
}

/// Sorted entries of all records in a span of positions, in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sorted {
    pub(crate) span: Range<u64>,
    pub(crate) entries: Vec<Entry>,
    /// The keys of the blocks in which the records are.
    pub(crate) blocks: Vec<u64>,
}

impl Sorted {
    /// Sorts what was listed of the records in a span.
    pub(crate) fn new(span: Range<u64>, mut entries: Vec<Entry>, blocks: Vec<u64>) -> Sorted {
        entries.sort_unstable();
        Sorted { span, entries, blocks }
    }

    /// One sequence of two whose spans follow each other.
    pub(crate) fn joined(older: &Sorted, newer: &Sorted) -> Sorted {
        debug_assert_eq!(older.span.end, newer.span.start, "spans have no holes");
        let mut entries = Vec::with_capacity(older.entries.len() + newer.entries.len());
        let (mut left, mut right) = (older.entries.as_slice(), newer.entries.as_slice());
        while let (Some(&first), Some(&second)) = (left.first(), right.first()) {
            if first < second {
                entries.push(first);
                left = &left[1..];
            } else {
                entries.push(second);
                right = &right[1..];
            }
        }
        entries.extend_from_slice(left);
        entries.extend_from_slice(right);
        let blocks = [older.blocks.as_slice(), newer.blocks.as_slice()].concat();
        Sorted { span: older.span.start..newer.span.end, entries, blocks }
    }
}

/// Those of sorted entries that have the term of `from`, from its position on, and before `until`.
pub(crate) fn within(entries: &[Entry], from: Entry, until: u64) -> &[Entry] {
    let start = entries.partition_point(|&entry| entry < from);
    let end = from.at(until.min(POSITION_MAX - 1));
    let n = entries[start..].partition_point(|&entry| entry < end);
    &entries[start..start + n]
}

/// Writes a chunk: `n, (difference of terms: 128-bit number, position) * n`, the first term
/// counting from zero. Of entries with one term, the position is told as the difference to the one
/// before: they are close to each other, so most entries of runs, steps and signatures take two
/// bytes.
pub(crate) fn encode_chunk(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * 8 + 24);
    put_number(&mut bytes, entries.len() as u64);
    let mut before = Entry(0);
    for &entry in entries {
        let difference = entry.term() - before.term();
        put_wide(&mut bytes, difference);
        let counted_from = if difference == 0 { before.position() } else { 0 };
        put_number(&mut bytes, entry.position() - counted_from);
        before = entry;
    }
    bytes
}

fn put_wide(bytes: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn wide(reader: &mut Reader<'_>) -> Result<u128, Malformed> {
    let mut number = 0;
    for shift in (0..128).step_by(7) {
        let byte = reader.byte()?;
        number |= u128::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(reader.malformed("a number of 128 bits"))
}

/// Reads a chunk, whose entries ascend.
pub(crate) fn decode_chunk(bytes: &[u8]) -> Result<Vec<Entry>, Malformed> {
    let mut reader = Reader::new(bytes);
    let n = reader.count()?;
    let mut entries = Vec::with_capacity(n);
    let mut before = Entry(0);
    for _ in 0..n {
        let difference = wide(&mut reader)?;
        let counted_from = if difference == 0 { before.position() } else { 0 };
        let term = before.term().checked_add(difference).filter(|term| term >> TERM_BITS == 0);
        let position = counted_from.checked_add(reader.number()?).filter(|&at| at < POSITION_MAX);
        let (Some(term), Some(position)) = (term, position) else {
            return Err(reader.malformed("an entry"));
        };
        before = Entry(term << POSITION_BITS | u128::from(position));
        entries.push(before);
    }
    if reader.is_at_end() { Ok(entries) } else { Err(reader.malformed("the end")) }
}
