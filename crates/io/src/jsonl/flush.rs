//! Owns when written lines are handed on, as a decision over counts and times.

use std::time::Duration;

/// When written lines are handed to the operating system.
///
/// A reader of the file sees lines after that at the latest. Only the end of the run, or
/// [`Writer::finish`](super::Writer::finish), makes them outlive a power cut. Flushing a compressed
/// file often costs most of the compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flush {
    /// After each line.
    EveryLine,
    /// After each `n` lines; 0 counts as 1.
    Every(u64),
    /// With the first line written this long after the last flush. Nothing is flushed while
    /// nothing is written.
    Interval(Duration),
    /// At the end.
    AtClose,
}

/// Keeps to a [`Flush`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    flush: Flush,
    /// Lines since the last flush.
    n_lines: u64,
    /// When the last flush was, or the start.
    last: Duration,
}

impl Pace {
    pub(crate) fn new(flush: Flush, now: Duration) -> Pace {
        Pace { flush, n_lines: 0, last: now }
    }

    /// Whether a flush is due after one more line. Asks for the time only if that matters.
    pub(crate) fn is_due(&mut self, now: impl FnOnce() -> Duration) -> bool {
        self.n_lines += 1;
        let is_due = match self.flush {
            Flush::EveryLine => true,
            Flush::Every(n) => self.n_lines >= n,
            Flush::Interval(interval) => {
                let now = now();
                let is_due = now.saturating_sub(self.last) >= interval;
                if is_due {
                    self.last = now;
                }
                is_due
            }
            Flush::AtClose => false,
        };
        if is_due {
            self.n_lines = 0;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    /// Writes a line each second, and marks those after which a flush is due.
    fn trace(flush: Flush) -> String {
        let mut pace = Pace::new(flush, Duration::from_secs(100));
        let mut is_due = |second: u64| pace.is_due(|| Duration::from_secs(100 + second));
        (1..=10).map(|second| if is_due(second) { '!' } else { '.' }).collect()
    }

    #[test]
    fn each_policy_keeps_its_pace() {
        assert_snapshot!(trace(Flush::EveryLine), @"!!!!!!!!!!");
        assert_snapshot!(trace(Flush::Every(3)), @"..!..!..!.");
        assert_snapshot!(trace(Flush::Every(0)), @"!!!!!!!!!!");
        assert_snapshot!(trace(Flush::Interval(Duration::from_secs(4))), @"...!...!..");
        assert_snapshot!(trace(Flush::Interval(Duration::ZERO)), @"!!!!!!!!!!");
        assert_snapshot!(trace(Flush::AtClose), @"..........");
    }
}
