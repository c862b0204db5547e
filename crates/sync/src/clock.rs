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

    /// Puts a manual clock, and all its clones, to a time, which may be an earlier one: whoever
    /// plays several threads on one has the time of each pass by itself.
    ///
    /// # Panics
    ///
    /// On a real clock: nobody can move that.
    pub fn put_to(&self, time: Duration) {
        let Source::Manual(nanos) = &self.0 else {
            panic!("only a manual clock can be put to a time");
        };
        nanos.store(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether this is a clone of that manual clock, or the other way round.
    #[must_use]
    pub fn is_clone_of(&self, other: &Clock) -> bool {
        match (&self.0, &other.0) {
            (Source::Manual(this), Source::Manual(that)) => Arc::ptr_eq(this, that),
            (Source::Real(_) | Source::Manual(_), _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_is_where_it_was_put() {
        let clock = Clock::manual();
        clock.advance(Duration::from_secs(3));
        clock.clone().put_to(Duration::from_secs(1));
        assert_eq!(clock.now(), Duration::from_secs(1));
        assert!(clock.is_clone_of(&clock.clone()));
        assert!(!clock.is_clone_of(&Clock::manual()) && !Clock::real().is_clone_of(&clock));
    }

    #[test]
    fn an_advance_never_goes_back() {
        let clock = Clock::manual();
        let same = clock.clone();
        clock.advance(Duration::from_secs(1));
        same.advance(Duration::MAX);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), Duration::from_nanos(u64::MAX));
        assert_eq!(same.now(), clock.now());
    }
}
