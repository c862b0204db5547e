//! Owns `Clock`: monotonic time since its own start, real or driven by hand.
//!
//! Refuses wall time: it jumps, and is a label for people, never a basis for decisions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::atomic::{AtomicU64, Ordering};

/// Monotonic time since the clock was made. Clones tell the same time.
///
/// ```
/// use std::time::Duration;
/// let clock = selvedge_sync::Clock::manual();
/// clock.advance(Duration::from_millis(5));
/// assert_eq!(clock.now(), Duration::from_millis(5));
/// ```
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Real(Instant),
    /// Nanoseconds. Relaxed is enough: readers need a time, not what happened before it.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's monotonic clock, starting at zero now.
    #[must_use]
    pub fn real() -> Clock {
        #[expect(clippy::disallowed_methods, reason = "this is the door the lint points to")]
        let start = Instant::now();
        Clock(Source::Real(start))
    }

    /// A clock that stands still until it is [advanced](Self::advance).
    #[must_use]
    pub fn manual() -> Clock {
        Clock(Source::Manual(Arc::new(AtomicU64::new(0))))
    }

    /// The time since the clock was made.
    #[must_use]
    pub fn now(&self) -> Duration {
        match &self.0 {
            Source::Real(start) => start.elapsed(),
            Source::Manual(nanos) => Duration::from_nanos(nanos.load(Ordering::Relaxed)),
        }
    }

    /// Moves a manual clock, and all its clones, forward; at the end of time, after 584 years, it
    /// stands still.
    ///
    /// # Panics
    ///
    /// On a real clock: nobody can move that.
    pub fn advance(&self, by: Duration) {
        let Source::Manual(nanos) = &self.0 else {
            panic!("only a manual clock can be advanced");
        };
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let advanced = |now: u64| Some(now.saturating_add(by));
        let _ = nanos.fetch_update(Ordering::Relaxed, Ordering::Relaxed, advanced);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_never_goes_back() {
        let clock = Clock::manual();
        let same = clock.clone();
        clock.advance(Duration::from_secs(1));
        same.advance(Duration::MAX);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), Duration::from_nanos(u64::MAX));
        assert_eq!(same.now(), clock.now());
    }
}
