//! Owns `RateLimit`: no more than so many items in any period.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Counter, Machine, OperatorError, Outlet, at_least_one};

/// Items per period at most: a time is kept for each.
const N_MAX: usize = 1 << 16;
/// Items that wait unless told otherwise.
const WAITING_MAX: usize = 1 << 16;

/// What becomes of an item that finds the queue of a [`RateLimit`] full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Excess {
    /// It is an error.
    #[default]
    Refuse,
    /// It is dropped, and counted.
    Drop,
}

/// Lets at most `n` items through in any period of a length; the others wait for their time, in
/// order. A run waits for them; when it is ended early, those that wait go through at once.
///
/// At most 65 536 items wait unless told otherwise. It keeps the times of the last `n` items, so
/// the bound holds of every stretch of time, not only of fixed ones.
#[derive(Debug)]
pub struct RateLimit<T> {
    n: usize,
    period: Duration,
    /// When the last `n` went, oldest first.
    went: VecDeque<Duration>,
    waiting: VecDeque<T>,
    waiting_max: usize,
    excess: Excess,
    is_waking: bool,
    dropped: Counter,
}

impl<T> RateLimit<T> {
    /// At most `n` items per period.
    ///
    /// # Errors
    ///
    /// Zero items, more than 65 536, or a period of no length.
    pub fn new(n: usize, period: Duration) -> Result<RateLimit<T>, OperatorError> {
        let operator = "RateLimit";
        at_least_one(operator, "n", n)?;
        if n > N_MAX {
            let (value, limit) = (n as u64, N_MAX as u64);
            return Err(OperatorError::TooLarge { operator, option: "n", value, limit });
        }
        if period.is_zero() {
            return Err(OperatorError::Zero { operator, option: "period" });
        }
        Ok(RateLimit {
            n,
            period,
            went: VecDeque::with_capacity(n),
            waiting: VecDeque::new(),
            waiting_max: WAITING_MAX,
            excess: Excess::default(),
            is_waking: false,
            dropped: Counter::default(),
        })
    }

    /// How many items may wait, and what becomes of more.
    #[must_use]
    pub fn waiting_max(mut self, n: usize, excess: Excess) -> RateLimit<T> {
        (self.waiting_max, self.excess) = (n, excess);
        self
    }

    /// How many items were dropped.
    #[must_use]
    pub fn dropped(&self) -> Counter {
        self.dropped.clone()
    }

    /// How long until another may go; zero is now.
    fn delay(&self, now: Duration) -> Duration {
        match self.went.front() {
            Some(first) if self.went.len() == self.n => {
                first.saturating_add(self.period).saturating_sub(now)
            }
            _ => Duration::ZERO,
        }
    }

    fn note(&mut self, now: Duration) {
        if self.went.len() == self.n {
            self.went.pop_front();
        }
        self.went.push_back(now);
    }
}

impl<T: Send + 'static> Machine for RateLimit<T> {
    type In = T;
    type Out = T;
    const NAME: &'static str = "RateLimit";

    fn item(&mut self, item: T, out: &mut impl Outlet<T>) -> Result<(), OperatorError> {
        let now = out.now();
        let delay = self.delay(now);
        if delay.is_zero() && self.waiting.is_empty() {
            self.note(now);
            out.emit(item);
            return Ok(());
        }
        if self.waiting.len() >= self.waiting_max {
            let (what, limit, option) = ("waiting items", self.waiting_max, "waiting_max");
            return match self.excess {
                Excess::Refuse => {
                    Err(OperatorError::Full { operator: Self::NAME, what, limit, option })
                }
                Excess::Drop => {
                    self.dropped.add(1);
                    Ok(())
                }
            };
        }
        self.waiting.push_back(item);
        if !std::mem::replace(&mut self.is_waking, true) {
            out.wake_after(delay);
        }
        Ok(())
    }

    fn wake(&mut self, out: &mut impl Outlet<T>) {
        let now = out.now();
        self.is_waking = false;
        while self.delay(now).is_zero() {
            let Some(item) = self.waiting.pop_front() else { return };
            self.note(now);
            out.emit(item);
        }
        if !self.waiting.is_empty() {
            self.is_waking = true;
            out.wake_after(self.delay(now));
        }
    }

    fn finish(&mut self, out: &mut impl Outlet<T>) -> Result<(), OperatorError> {
        self.waiting.drain(..).for_each(|item| out.emit(item));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::harness::Kept;
    use super::*;

    /// Feeds items at these times, and goes on until nothing waits: what went when.
    fn played(limit: &mut RateLimit<usize>, times: &[u64]) -> Vec<(u64, usize)> {
        let (mut kept, mut went) = (Kept::default(), Vec::new());
        let mut coming = times.iter().copied().enumerate().peekable();
        loop {
            let wake_at = kept.wake_at.map(|at| at.as_millis() as u64);
            let next = coming.next_if(|(_, at)| wake_at.is_none_or(|wake_at| *at <= wake_at));
            match (next, wake_at) {
                (Some((item, at)), _) => {
                    kept.now = Duration::from_millis(at);
                    limit.item(item, &mut kept).unwrap();
                }
                (None, Some(at)) => {
                    kept.now = Duration::from_millis(at);
                    kept.wake_at = None;
                    limit.wake(&mut kept);
                }
                (None, None) => return went,
            }
            let now = kept.now.as_millis() as u64;
            went.extend(kept.items.drain(..).map(|item| (now, item)));
        }
    }

    #[test]
    fn two_in_ten_and_the_rest_later() {
        let mut limit = RateLimit::new(2, Duration::from_millis(10)).unwrap();
        let went = played(&mut limit, &[0, 1, 2, 3, 11, 50]);
        assert_eq!(went, [(0, 0), (1, 1), (10, 2), (11, 3), (20, 4), (50, 5)]);
    }

    #[test]
    fn what_is_too_much_is_refused_or_dropped() {
        let second = Duration::from_secs(1);
        let mut strict = RateLimit::new(1, second).unwrap().waiting_max(1, Excess::Refuse);
        let mut kept = Kept::default();
        strict.item('a', &mut kept).unwrap();
        strict.item('b', &mut kept).unwrap();
        assert!(matches!(strict.item('c', &mut kept), Err(OperatorError::Full { .. })));
        strict.finish(&mut kept).unwrap();
        assert_eq!(kept.items, ['a', 'b']);
        let mut lossy = RateLimit::new(1, second).unwrap().waiting_max(0, Excess::Drop);
        let dropped = lossy.dropped();
        for item in ['a', 'b', 'c'] {
            lossy.item(item, &mut kept).unwrap();
        }
        assert_eq!(dropped.count(), 2);
        assert!(matches!(RateLimit::<u8>::new(0, second), Err(OperatorError::Zero { .. })));
        let huge = RateLimit::<u8>::new(1 << 17, second);
        assert!(matches!(huge, Err(OperatorError::TooLarge { .. })));
        let timeless = RateLimit::<u8>::new(1, Duration::ZERO);
        assert!(matches!(timeless, Err(OperatorError::Zero { option: "period", .. })));
    }

    proptest! {
        #[test]
        fn each_goes_as_soon_as_the_bound_allows(
            mut times in prop::collection::vec(0_u64..200, 0..60),
            n in 1_usize..5, period in 1_u64..40,
        ) {
            times.sort_unstable();
            let mut expected: Vec<(u64, usize)> = Vec::new();
            for (item, &at) in times.iter().enumerate() {
                let free = expected.len().checked_sub(n).map_or(0, |i| expected[i].0 + period);
                let last = expected.last().map_or(0, |last| last.0);
                expected.push((at.max(free).max(last), item));
            }
            let mut limit = RateLimit::new(n, Duration::from_millis(period)).unwrap();
            prop_assert_eq!(played(&mut limit, &times), expected);
        }
    }
}
