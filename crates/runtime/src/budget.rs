//! Owns the time budget of a turn: whether an attempt has taken longer than it should. A turn can't
//! be stopped, so this is found out afterwards; while it is under way the `watchdog` tells.

use std::time::Duration;

use selvedge_sync::Clock;

/// An attempt that took longer than it should. It counts by what it returned all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overrun {
    pub(crate) budget: Duration,
    pub(crate) elapsed: Duration,
}

/// Does something and says whether it took longer than its budget. Without a budget the clock is
/// not looked at.
#[inline]
pub(crate) fn measured<T>(
    budget: Option<Duration>,
    clock: &Clock,
    attempt: impl FnOnce() -> T,
) -> (T, Option<Overrun>) {
    let Some(budget) = budget else { return (attempt(), None) };
    let began = clock.now();
    let done = attempt();
    let elapsed = clock.now().saturating_sub(began);
    (done, (elapsed > budget).then_some(Overrun { budget, elapsed }))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn check(budget: Option<u64>, took: u64) -> String {
        let clock = Clock::manual();
        clock.advance(Duration::from_secs(100));
        let attempt = || clock.advance(Duration::from_secs(took));
        let ((), overrun) = measured(budget.map(Duration::from_secs), &clock, attempt);
        format!("{overrun:?}")
    }

    #[test]
    fn an_attempt_may_take_as_long_as_its_budget() {
        assert_snapshot!(check(None, 9), @"None");
        assert_snapshot!(check(Some(9), 9), @"None");
        assert_snapshot!(check(Some(9), 10), @"Some(Overrun { budget: 9s, elapsed: 10s })");
        assert_snapshot!(check(Some(9), 0), @"None");
    }
}
