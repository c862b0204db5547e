//! Owns `Trace`: what happened in a simulation, in order, as lines and as one number.
//!
//! Refuses to grow without bound: of a long run the end is kept, and the number is of all of it.

use std::fmt::{self, Write as _};
use std::time::Duration;

/// What happened in a simulation: a line per turn, pull, submission, and move of the run.
///
/// Two runs that do the same have the same trace, on every machine.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Trace {
    text: String,
    n_omitted: usize,
    hash: Hash,
}

/// Bytes of lines that are kept at least; twice as many at most.
const KEPT_BYTES: usize = 1 << 20;

impl Trace {
    /// A number for all that happened, the steps that have no line included. Equal for equal runs;
    /// others differ but for chance.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash.0
    }

    /// The last lines, from the oldest on: at least a MiB of them, if there are that many.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }

    /// How many lines came before those.
    #[must_use]
    pub fn n_omitted(&self) -> usize {
        self.n_omitted
    }

    /// The first line in which two traces differ, from both; `None` when their lines are equal.
    #[must_use]
    pub fn first_difference<'a>(&'a self, other: &'a Trace) -> Option<(&'a str, &'a str)> {
        let (mut these, mut those) = (self.lines(), other.lines());
        loop {
            match (these.next(), those.next()) {
                (None, None) => return None,
                (this, that) if this == that => (),
                (this, that) => return Some((this.unwrap_or("(end)"), that.unwrap_or("(end)"))),
            }
        }
    }

    /// Adds a line.
    pub(super) fn tell(&mut self, at: Duration, who: impl fmt::Display, what: fmt::Arguments<'_>) {
        let began = self.text.len();
        writeln!(self.text, "{at:?} {who}: {what}").expect("a String takes all");
        self.hash.add_bytes(&self.text.as_bytes()[began..]);
        if self.text.len() > 2 * KEPT_BYTES {
            let end = self.text[..self.text.len() - KEPT_BYTES].rfind('\n').map_or(0, |at| at + 1);
            self.n_omitted += self.text.drain(..end).filter(|&c| c == '\n').count();
        }
    }

    /// Adds something that has no line.
    pub(super) fn note(&mut self, what: u64) {
        self.hash.add(what);
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.n_omitted > 0 {
            writeln!(f, "({} lines before)", self.n_omitted)?;
        }
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("hash", &self.hash()).finish_non_exhaustive()
    }
}

/// Eight bytes at a time by the multiplication of G. Fowler, L. C. Noll and K.-P. Vo, with the high
/// bits folded back: short, and the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hash(u64);

impl Default for Hash {
    fn default() -> Hash {
        Hash(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    fn add(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in words.by_ref() {
            self.add(u64::from_le_bytes(word.try_into().expect("it has eight bytes")));
        }
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        self.add(u64::from_le_bytes(last));
        self.add(bytes.len() as u64);
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn trace(lines: &[&str]) -> Trace {
        let mut trace = Trace::default();
        lines.iter().for_each(|line| trace.tell(Duration::ZERO, "me", format_args!("{line}")));
        trace
    }

    #[test]
    fn a_trace_says_where_another_one_differs() {
        let (one, two) = (trace(&["a", "b"]), trace(&["a", "c", "d"]));
        assert_snapshot!(one, @r"
        0ns me: a
        0ns me: b
        ");
        assert_eq!(one.first_difference(&two), Some(("0ns me: b", "0ns me: c")));
        assert_eq!(trace(&["a"]).first_difference(&one), Some(("(end)", "0ns me: b")));
        assert_eq!(one.first_difference(&one.clone()), None);
    }

    #[test]
    fn numbers_are_the_same_on_every_machine_and_know_what_has_no_line() {
        let mut one = trace(&["a"]);
        assert_snapshot!(format!("{:x}", one.hash()), @"d39083fdacbead05");
        let before = one.clone();
        one.note(3);
        assert_ne!(one.hash(), before.hash());
        assert_eq!(one.first_difference(&before), None);
    }

    #[test]
    fn of_a_long_trace_the_end_is_kept() {
        let line = "x".repeat(1_000);
        let mut trace = Trace::default();
        (0..10_000).for_each(|n| trace.tell(Duration::ZERO, n, format_args!("{line}")));
        let n_kept = trace.lines().count();
        assert_eq!(n_kept + trace.n_omitted(), 10_000);
        assert!((1_000..2_100).contains(&n_kept), "{n_kept}");
        assert!(trace.to_string().starts_with('('));
        assert!(trace.lines().all(|line| line.contains("ns ")));
    }
}
