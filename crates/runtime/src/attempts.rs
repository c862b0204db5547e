//! Owns what comes after a failed attempt at a turn: another one, a dead letter, a restart, or the
//! end of the run. Pure: how the attempt failed and the time come in, a verdict goes out.

use std::time::Duration;

use selvedge_sync::random::Rng;

use crate::intensity::Intensity;
use crate::policy::{FailurePolicy, LastResort, Meanwhile, Restart, Retry};

/// What matters about a failed attempt; an error, a panic and a time-out differ in these alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Whether another attempt could help.
    pub(crate) worthwhile: bool,
    /// Whether the processor's state is one that it can go on with.
    pub(crate) usable: bool,
    /// Whether another processor can take its place.
    pub(crate) restartable: bool,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Attempt the turn again.
    Again { attempt: u32, after: Duration, meanwhile: Meanwhile },
    /// Make the event a dead letter and go on.
    Dead,
    /// Make the event a dead letter, put a new processor in the place of this one and go on.
    Restart,
    /// Fail the run.
    Fail(Why),
}

/// Why a run, or a scope, fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Policy,
    /// It was to go on, and can't.
    Unusable,
    TooManyRestarts(Restart),
}

/// What is remembered from one failed turn of a processor to the next.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// Seeded when first needed.
    rng: Option<Rng>,
    restarts: Intensity,
}

impl Attempts {
    /// Judges the failed `attempt`-th attempt at a turn, counted from 1, of whoever is called
    /// `name`.
    pub(crate) fn judge(
        &mut self,
        policy: &FailurePolicy,
        name: &str,
        attempt: u32,
        fault: Fault,
        now: Duration,
    ) -> Verdict {
        if let FailurePolicy::Retry(retry) = policy
            && attempt < retry.max()
            && fault.usable
            && fault.worthwhile
        {
            let after = self.wait(retry, name, attempt);
            return Verdict::Again { attempt: attempt + 1, after, meanwhile: retry.meanwhile() };
        }
        match policy.last_resort() {
            LastResort::Fail => Verdict::Fail(Why::Policy),
            LastResort::Skip if fault.usable => Verdict::Dead,
            LastResort::Skip if fault.restartable => Verdict::Restart,
            LastResort::Skip => Verdict::Fail(Why::Unusable),
            LastResort::Restart(limit) if self.restarts.admit(limit, now) => Verdict::Restart,
            LastResort::Restart(limit) => Verdict::Fail(Why::TooManyRestarts(limit)),
        }
    }

    fn wait(&mut self, retry: &Retry, name: &str, attempt: u32) -> Duration {
        let whole = retry.waits().after(attempt);
        match retry.jitter_seed() {
            Some(seed) => {
                self.rng.get_or_insert_with(|| Rng::seeded(seed).split(name)).up_to(whole)
            }
            None => whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::any;
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::policy::Backoff;

    const SECOND: Duration = Duration::from_secs(1);

    /// One letter per attempt, a second apart: `.` succeeds, `e` is an error, `!` one that is not
    /// worth another attempt, `p` a panic that can't be undone. A delivery ends with a verdict
    /// that is not another attempt.
    fn trace(policy: impl Into<FailurePolicy>, restartable: bool, attempts: &str) -> String {
        let policy = policy.into();
        let mut memory = Attempts::default();
        let mut attempt = 1;
        let mut text = String::new();
        for (letter, now) in attempts.chars().zip(0..) {
            if letter == '.' {
                text += &format!("{attempt}.\n");
                attempt = 1;
                continue;
            }
            let fault = Fault { worthwhile: letter != '!', usable: letter != 'p', restartable };
            let verdict = memory.judge(&policy, "till", attempt, fault, SECOND * now);
            text += &format!("{attempt}{letter} -> {verdict:?}\n");
            attempt = if let Verdict::Again { attempt, .. } = verdict { attempt } else { 1 };
        }
        text
    }

    #[test]
    fn without_a_retry_there_is_one_attempt() {
        assert_snapshot!(trace(FailurePolicy::Fail, true, ".ep"), @r"
        1.
        1e -> Fail(Policy)
        1p -> Fail(Policy)
        ");
        assert_snapshot!(trace(FailurePolicy::Skip, false, ".ep"), @r"
        1.
        1e -> Dead
        1p -> Fail(Unusable)
        ");
        assert_snapshot!(trace(FailurePolicy::Skip, true, ".ep"), @r"
        1.
        1e -> Dead
        1p -> Restart
        ");
    }

    #[test]
    fn attempts_are_bounded_and_then_comes_the_last_resort() {
        assert_snapshot!(trace(Retry::times(1), false, "e"), @"1e -> Fail(Policy)");
        assert_snapshot!(trace(Retry::times(3), false, "ee.eee"), @r"
        1e -> Again { attempt: 2, after: 0ns, meanwhile: Wait }
        2e -> Again { attempt: 3, after: 0ns, meanwhile: Wait }
        3.
        1e -> Again { attempt: 2, after: 0ns, meanwhile: Wait }
        2e -> Again { attempt: 3, after: 0ns, meanwhile: Wait }
        3e -> Fail(Policy)
        ");
        let skipping = Retry::times(2).then(LastResort::Skip);
        assert_snapshot!(trace(skipping.clone().reorder(), false, "ee!"), @r"
        1e -> Again { attempt: 2, after: 0ns, meanwhile: Pass }
        2e -> Dead
        1! -> Dead
        ");
        assert_snapshot!(trace(skipping.clone(), false, "ep"), @r"
        1e -> Again { attempt: 2, after: 0ns, meanwhile: Wait }
        2p -> Fail(Unusable)
        ");
        assert_snapshot!(trace(skipping, true, "p"), @"1p -> Restart");
    }

    #[test]
    fn waits_follow_the_backoff_and_the_seed() {
        let retry = Retry::times(6).backoff(Backoff::exponential(SECOND, 2.0, 5 * SECOND));
        assert_snapshot!(trace(retry.clone(), false, "eeeee."), @r"
        1e -> Again { attempt: 2, after: 1s, meanwhile: Wait }
        2e -> Again { attempt: 3, after: 2s, meanwhile: Wait }
        3e -> Again { attempt: 4, after: 4s, meanwhile: Wait }
        4e -> Again { attempt: 5, after: 5s, meanwhile: Wait }
        5e -> Again { attempt: 6, after: 5s, meanwhile: Wait }
        6.
        ");
        assert_snapshot!(trace(retry.jitter(1), false, "eeeee."), @r"
        1e -> Again { attempt: 2, after: 372.268573ms, meanwhile: Wait }
        2e -> Again { attempt: 3, after: 1.459728203s, meanwhile: Wait }
        3e -> Again { attempt: 4, after: 3.720146833s, meanwhile: Wait }
        4e -> Again { attempt: 5, after: 3.716545068s, meanwhile: Wait }
        5e -> Again { attempt: 6, after: 4.574916446s, meanwhile: Wait }
        6.
        ");
    }

    #[test]
    fn restarts_are_bounded_within_their_period() {
        let restart = Restart::at_most(2, 3 * SECOND);
        assert_snapshot!(trace(restart, true, "ee.epe"), @r"
        1e -> Restart
        1e -> Restart
        1.
        1e -> Restart
        1p -> Restart
        1e -> Fail(TooManyRestarts(Restart { max: 2, per: 3s }))
        ");
        assert_snapshot!(trace(Retry::times(2).then(restart), true, "eepeee"), @r"
        1e -> Again { attempt: 2, after: 0ns, meanwhile: Wait }
        2e -> Restart
        1p -> Restart
        1e -> Again { attempt: 2, after: 0ns, meanwhile: Wait }
        2e -> Restart
        1e -> Again { attempt: 2, after: 0ns, meanwhile: Wait }
        ");
    }

    proptest! {
        #[test]
        fn attempts_and_waits_keep_within_their_limits(
            max in 1..20_u32, seed: Option<u64>, first: Duration, cap: Duration, at: Duration,
        ) {
            let retry = Retry::times(max).backoff(Backoff::exponential(first, 2.0, cap));
            let retry = seed.map_or(retry.clone(), |seed| retry.jitter(seed));
            let policy = FailurePolicy::from(retry);
            let fault = Fault { worthwhile: true, usable: true, restartable: false };
            let judge = || {
                let (mut memory, mut attempt) = (Attempts::default(), 1);
                let mut verdicts = Vec::new();
                loop {
                    let verdict =
                        memory.judge(&policy, "till", attempt, fault, at);
                    verdicts.push(verdict);
                    let Verdict::Again { attempt: next, after, .. } = verdict else { break };
                    assert!(after <= cap && next == attempt + 1);
                    attempt = next;
                }
                verdicts
            };
            let verdicts = judge();
            prop_assert_eq!(verdicts.len(), max as usize);
            prop_assert_eq!(verdicts.last(), Some(&Verdict::Fail(Why::Policy)));
            prop_assert_eq!(judge(), verdicts);
        }

        #[test]
        fn only_a_retry_of_a_usable_processor_goes_again(
            worthwhile: bool, usable: bool, restartable: bool, attempt in 1..4_u32, kind in 0..4,
            then in any::<bool>(),
        ) {
            let restart = Restart::at_most(1, SECOND);
            let then = if then { LastResort::Skip } else { LastResort::from(restart) };
            let policy = match kind {
                0 => FailurePolicy::Fail,
                1 => FailurePolicy::Skip,
                2 => FailurePolicy::from(restart),
                _ => FailurePolicy::from(Retry::times(3).then(then)),
            };
            let fault = Fault { worthwhile, usable, restartable };
            let verdict = Attempts::default()
                .judge(&policy, "till", attempt, fault, SECOND);
            let again = matches!(verdict, Verdict::Again { .. });
            prop_assert_eq!(again, kind == 3 && attempt < 3 && usable && worthwhile);
            // Who goes on has a state to go on with.
            let in_place = again || verdict == Verdict::Dead;
            prop_assert!(usable || !in_place);
        }
    }
}
