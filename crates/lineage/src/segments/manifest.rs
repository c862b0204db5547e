//! Owns the manifest: which sorted runs there are. Whatever it does not name does not count. Pure.
//!
//! ```text
//! manifest = version: u8, next number, n, (number, level: u8, n chunks, n entries, n positions) *
//! n directory = n, block key: difference * n, chunk of the first entries of all chunks
//! ```

use std::ops::Range;

use super::index::{Entry, decode_chunk, encode_chunk};
use super::sieve::Sieve;
use super::wire::{Malformed, Reader, put_number};

/// The version of the format of all that lies beside the blocks.
pub(crate) const VERSION: u8 = 1;

/// A sorted run in the store, and where to look in it. Its chunks are deleted when nobody has it
/// any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Its chunks' keys begin with it.
    pub(crate) number: u64,
    /// How often its entries have been merged.
    pub(crate) level: u8,
    /// The records that it indexes.
    pub(crate) span: Range<u64>,
    pub(crate) n_entries: u64,
    /// The first entry of each chunk.
    pub(crate) firsts: Vec<Entry>,
    /// The keys of the blocks in which the records are.
    pub(crate) blocks: Vec<u64>,
    /// Which terms it has nothing of. None if an earlier version wrote it.
    pub(crate) sieve: Option<Sieve>,
}

impl Run {
    /// How many terms its entries are of, at most.
    pub(crate) fn n_terms_max(&self) -> u64 {
        self.sieve.as_ref().map_or(self.n_entries, Sieve::n_terms)
    }
}

/// What the manifest tells of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) number: u64,
    pub(crate) level: u8,
    pub(crate) n_chunks: u32,
    pub(crate) n_entries: u64,
    pub(crate) span: Range<u64>,
}

/// The bytes of a manifest of these runs, the oldest first.
pub(crate) fn encode<'r>(
    next_number: u64,
    runs: impl ExactSizeIterator<Item = &'r Run>,
) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    put_number(&mut bytes, next_number);
    put_number(&mut bytes, runs.len() as u64);
    for run in runs {
        put_number(&mut bytes, run.number);
        bytes.push(run.level);
        put_number(&mut bytes, run.firsts.len() as u64);
        put_number(&mut bytes, run.n_entries);
        put_number(&mut bytes, run.span.end - run.span.start);
    }
    bytes
}

/// The next number, and the runs, whose spans begin at zero and follow each other.
pub(crate) fn decode(bytes: &[u8]) -> Result<(u64, Vec<Listed>), Malformed> {
    let mut reader = Reader::new(bytes);
    if reader.byte()? != VERSION {
        return Err(reader.malformed("version 1 of the manifest"));
    }
    let next_number = reader.number()?;
    let n = reader.count()?;
    let mut runs = Vec::with_capacity(n);
    let mut start = 0_u64;
    for _ in 0..n {
        let number = reader.number()?;
        let level = reader.byte()?;
        let n_chunks = reader.small()?;
        let n_entries = reader.number()?;
        let end = start.checked_add(reader.number()?);
        let end = end.ok_or_else(|| reader.malformed("a span of positions"))?;
        runs.push(Listed { number, level, n_chunks, n_entries, span: start..end });
        start = end;
    }
    if reader.is_at_end() { Ok((next_number, runs)) } else { Err(reader.malformed("the end")) }
}

/// The bytes of a run's directory.
pub(crate) fn encode_directory(run: &Run) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_number(&mut bytes, run.blocks.len() as u64);
    let mut before = run.span.start;
    for &block in &run.blocks {
        put_number(&mut bytes, block - before);
        before = block;
    }
    bytes.extend(encode_chunk(&run.firsts));
    bytes
}

/// A run with its directory.
pub(crate) fn decode_directory(listed: Listed, bytes: &[u8]) -> Result<Run, Malformed> {
    let Listed { number, level, n_chunks, n_entries, span } = listed;
    let mut reader = Reader::new(bytes);
    let n = reader.count()?;
    let mut blocks = Vec::with_capacity(n);
    let mut before = span.start;
    for _ in 0..n {
        let block = before.checked_add(reader.number()?).filter(|block| span.contains(block));
        before = block.ok_or_else(|| reader.malformed("a block within the run's span"))?;
        blocks.push(before);
    }
    let firsts = decode_chunk(reader.rest())?;
    if firsts.len() != n_chunks as usize {
        return Err(reader.malformed("an entry for each chunk"));
    }
    Ok(Run { number, level, span, n_entries, firsts, blocks, sieve: None })
}
