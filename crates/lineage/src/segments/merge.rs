//! Owns which sorted runs are merged, and how: pure, a bounded piece at a time. Whoever reads and
//! writes the chunks stands around it.
//!
//! Runs lie side by side, each over a span of positions, the oldest first. Four neighbours of one
//! level make one of the next, so that a history of `n` records has at most three runs for each
//! power of four that is in it, and an entry is rewritten once per level. (P. O'Neil et al., "The
//! log-structured merge-tree", 1996, in its tiered form.)

use std::collections::VecDeque;
use std::ops::Range;

use super::index::Entry;

/// Neighbours of one level that become one run of the next.
pub(crate) const FAN_IN: usize = 4;
/// Entries in a chunk: what a question reads of a run at least.
pub(crate) const CHUNK_LEN: usize = 512;

/// Which neighbours to merge next, of runs of these levels, the oldest first: the lowest level that
/// has enough of them, for those merges are the cheapest and keep the runs few.
pub(crate) fn choose(levels: &[u8]) -> Option<Range<usize>> {
    let windows = (0..=levels.len().checked_sub(FAN_IN)?).map(|start| start..start + FAN_IN);
    let of_one_level = |range: &Range<usize>| {
        let window = &levels[range.clone()];
        window.iter().all(|level| *level == window[0])
    };
    windows.filter(of_one_level).min_by_key(|range| levels[range.start])
}

/// Merges sorted runs into one, chunk by chunk.
#[derive(Debug)]
pub(crate) struct Merge {
    inputs: Vec<Input>,
    out: Vec<Entry>,
}

/// What has been read of one run and not been merged yet.
#[derive(Debug, Default)]
struct Input {
    entries: VecDeque<Entry>,
    has_ended: bool,
}

/// What a merge wants next, or has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The next chunk of a run.
    Read(usize),
    /// Somebody to write this chunk; it is never empty.
    Write(Vec<Entry>),
    /// Nothing: all is merged.
    End,
}

impl Merge {
    /// Merges so many runs.
    pub(crate) fn new(n_inputs: usize) -> Merge {
        let inputs = std::iter::repeat_with(Input::default).take(n_inputs).collect();
        Merge { inputs, out: Vec::with_capacity(CHUNK_LEN) }
    }

    /// Gives what [`Step::Read`] asked for, or nothing if the run has no further chunk.
    pub(crate) fn give(&mut self, input: usize, chunk: Option<Vec<Entry>>) {
        let input = &mut self.inputs[input];
        input.has_ended = chunk.is_none();
        input.entries = chunk.unwrap_or_default().into();
    }

    /// Goes on as far as it can.
    pub(crate) fn advance(&mut self) -> Step {
        loop {
            if self.out.len() == CHUNK_LEN {
                let full = std::mem::replace(&mut self.out, Vec::with_capacity(CHUNK_LEN));
                return Step::Write(full);
            }
            let mut least: Option<(Entry, usize)> = None;
            for (n, input) in self.inputs.iter().enumerate() {
                match input.entries.front() {
                    Some(&entry) if least.is_none_or(|(least, _)| entry < least) => {
                        least = Some((entry, n));
                    }
                    None if !input.has_ended => return Step::Read(n),
                    Some(_) | None => {}
                }
            }
            let Some((entry, n)) = least else { break };
            self.inputs[n].entries.pop_front();
            self.out.push(entry);
        }
        if self.out.is_empty() { Step::End } else { Step::Write(std::mem::take(&mut self.out)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::segments::index::{decode_chunk, encode_chunk};
    use crate::term::Term;

    fn entry(term: u8, position: u64) -> Entry {
        Entry::of(&Term::Step(&term.to_string()), position)
    }

    #[test]
    fn four_of_a_level_are_merged_and_the_lowest_first() {
        assert_eq!(choose(&[]), None);
        assert_eq!(choose(&[1, 0, 0, 0]), None);
        assert_eq!(choose(&[0, 0, 0, 0, 0]), Some(0..4));
        assert_eq!(choose(&[2, 1, 1, 1, 1, 0, 0, 0, 0]), Some(5..9));
        assert_eq!(choose(&[2, 2, 2, 2, 1, 0]), Some(0..4));
    }

    /// Plays the levels of a history that grows run by run.
    #[test]
    fn a_thousand_runs_become_few() {
        let mut levels: Vec<u8> = Vec::new();
        for _ in 0..1_000 {
            levels.push(0);
            while let Some(range) = choose(&levels) {
                let level = levels[range.start] + 1;
                levels.splice(range, [level]);
            }
            assert!(levels.len() <= 15, "{levels:?}");
            assert!(levels.is_sorted_by(|a, b| a >= b), "{levels:?}");
        }
    }

    proptest! {
        #[test]
        fn a_merge_is_a_sort(runs: Vec<Vec<(u8, u16)>>, chunk_len in 1_usize..7) {
            let runs: Vec<Vec<Entry>> = runs
                .iter()
                .map(|run| {
                    let mut run: Vec<Entry> = run
                        .iter()
                        .map(|&(term, position)| entry(term, position.into()))
                        .collect();
                    run.sort_unstable();
                    run
                })
                .collect();
            let mut chunks: Vec<_> = runs.iter().map(|run| run.chunks(chunk_len)).collect();
            let mut merge = Merge::new(runs.len());
            let mut merged = Vec::new();
            loop {
                match merge.advance() {
                    Step::Read(n) => merge.give(n, chunks[n].next().map(<[Entry]>::to_vec)),
                    Step::Write(chunk) => merged.extend(chunk),
                    Step::End => break,
                }
            }
            let mut sorted = runs.concat();
            sorted.sort_unstable();
            prop_assert_eq!(merged, sorted);
        }

        #[test]
        fn a_chunk_is_read_as_it_was_written(entries: Vec<(u8, u64)>) {
            let entry = |(term, position): (u8, u64)| entry(term, position >> 4);
            let mut entries: Vec<Entry> = entries.into_iter().map(entry).collect();
            entries.sort_unstable();
            prop_assert_eq!(decode_chunk(&encode_chunk(&entries)), Ok(entries));
        }

        #[test]
        fn a_damaged_chunk_is_an_error_and_never_a_panic(bytes: Vec<u8>) {
            if let Ok(entries) = decode_chunk(&bytes) {
                prop_assert!(entries.is_sorted());
            }
        }
    }
}
