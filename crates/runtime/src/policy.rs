//! Owns `FailurePolicy`: what a registration says about failed turns. Data and its checks alone:
//! `attempts` decides by it, `turn` carries out what is decided.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::Text;

use crate::attempts::{Attempts, Fault, Verdict};
use crate::error::BuildError;

/// What happens after a failed turn. What the turn emitted is never published.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum FailurePolicy {
    /// The run fails: no further turn starts.
    #[default]
    Fail,
    /// The event becomes a dead letter, and the processor goes on with the next. A source that
    /// fails while it is pulled fails the run all the same, under every policy: what it did not
    /// bring in is unknown.
    ///
    /// After a panic the processor's state can't be trusted: the run fails all the same, unless
    /// the processor is [stateless](crate::Configure::stateless),
    /// [restored](crate::Configure::restored_by_clone), or can be
    /// [made anew](crate::Configure::restarted_by).
    Skip,
    /// The turn is attempted again. See [`Retry`].
    Retry(Retry),
    /// The event becomes a dead letter, and a new processor goes on with the next. See
    /// [`Restart`].
    Restart(Restart),
}

impl From<Retry> for FailurePolicy {
    fn from(retry: Retry) -> FailurePolicy {
        FailurePolicy::Retry(retry)
    }
}

impl From<Restart> for FailurePolicy {
    fn from(restart: Restart) -> FailurePolicy {
        FailurePolicy::Restart(restart)
    }
}

/// Attempts a turn again after it failed, a bounded number of times.
///
/// Each attempt begins with the state of before the turn, so the processor must be
/// [stateless](crate::Configure::stateless) or
/// [restored by clone](crate::Configure::restored_by_clone). Nothing of a failed attempt stays, the
/// last one included.
///
/// ```
/// use std::time::Duration;
/// use selvedge_runtime::{Backoff, FailurePolicy, LastResort, Retry};
///
/// let second = Duration::from_secs(1);
/// let retry = Retry::times(5)
///     .backoff(Backoff::exponential(second / 10, 2.0, 10 * second))
///     .jitter(7)
///     .retry_if(|error| error.is::<std::io::Error>())
///     .then(LastResort::Skip);
/// let policy = FailurePolicy::from(retry);
/// ```
#[derive(Clone, Debug)]
pub struct Retry {
    max: u32,
    backoff: Backoff,
    jitter: Option<u64>,
    worthwhile: Option<Worthwhile>,
    meanwhile: Meanwhile,
    then: LastResort,
}

/// The user's opinion on whether an error may pass.
#[derive(Clone)]
struct Worthwhile(Arc<dyn Fn(&anyhow::Error) -> bool + Send + Sync>);

impl PartialEq for Worthwhile {
    fn eq(&self, other: &Worthwhile) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Worthwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Worthwhile(..)")
    }
}

/// What the other events of a mailbox do while one of them waits for its next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meanwhile {
    /// They wait too, and so the order is kept.
    Wait,
    Pass,
}

/// What happens when a turn has had all its attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LastResort {
    /// As [`FailurePolicy::Fail`].
    #[default]
    Fail,
    /// As [`FailurePolicy::Skip`].
    Skip,
    /// As [`FailurePolicy::Restart`].
    Restart(Restart),
}

impl From<Restart> for LastResort {
    fn from(restart: Restart) -> LastResort {
        LastResort::Restart(restart)
    }
}

impl Retry {
    /// At most `max` attempts, the first one included, without a wait in between; then the run
    /// fails. Zero is refused when the pipeline is built.
    #[must_use]
    pub const fn times(max: u32) -> Retry {
        Retry {
            max,
            backoff: Backoff::NONE,
            jitter: None,
            worthwhile: None,
            meanwhile: Meanwhile::Wait,
            then: LastResort::Fail,
        }
    }

    /// How long to wait before the next attempt. The processor's mailbox waits too: order is kept.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Retry {
        self.backoff = backoff;
        self
    }

    /// Waits for a part of the backoff instead, drawn anew each time from nothing to all of it:
    /// those who failed together don't come back together. The draws follow from the seed and the
    /// processor's name. ("Full jitter" in M. Brooker, [Exponential Backoff And Jitter][jitter],
    /// 2015.)
    ///
    /// [jitter]: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    #[must_use]
    pub fn jitter(mut self, seed: u64) -> Retry {
        self.jitter = Some(seed);
        self
    }

    /// Attempts a turn again only after errors of which `worthwhile` says that they may pass; the
    /// others come to what [`then`](Self::then) says at once. A panic is shown as an error with
    /// its message. If `worthwhile` panics itself, the answer is no.
    #[must_use]
    pub fn retry_if(
        mut self,
        worthwhile: impl Fn(&anyhow::Error) -> bool + Send + Sync + 'static,
    ) -> Retry {
        self.worthwhile = Some(Worthwhile(Arc::new(worthwhile)));
        self
    }

    /// Lets the processor's other events pass while one waits out its backoff. Order is not kept.
    #[must_use]
    pub fn reorder(mut self) -> Retry {
        self.meanwhile = Meanwhile::Pass;
        self
    }

    /// What happens when the attempts are used up. Without it, the run fails.
    #[must_use]
    pub fn then(mut self, last_resort: impl Into<LastResort>) -> Retry {
        self.then = last_resort.into();
        self
    }

    fn is_same(&self, other: &Retry) -> bool {
        self.max == other.max
            && self.backoff == other.backoff
            && self.jitter == other.jitter
            && self.worthwhile == other.worthwhile
            && self.meanwhile == other.meanwhile
            && self.then == other.then
    }

    pub(crate) fn max(&self) -> u32 {
        self.max
    }

    pub(crate) fn waits(&self) -> &Backoff {
        &self.backoff
    }

    pub(crate) fn jitter_seed(&self) -> Option<u64> {
        self.jitter
    }

    pub(crate) fn meanwhile(&self) -> Meanwhile {
        self.meanwhile
    }
}

/// How long to wait before the next attempt. The default is not at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    first: Duration,
    factor: f64,
    cap: Duration,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff::NONE
    }
}

impl Backoff {
    const NONE: Backoff = Backoff::fixed(Duration::ZERO);

    /// The same wait before every attempt but the first.
    #[must_use]
    pub const fn fixed(wait: Duration) -> Backoff {
        Backoff { first: wait, factor: 1.0, cap: wait }
    }

    /// Waits for `first`, and each time for `factor` times as long, but never for longer than
    /// `cap`. A factor that is not finite, or less than 1, is refused when the pipeline is built.
    ///
    /// ```
    /// use std::time::Duration;
    /// use selvedge_runtime::Backoff;
    /// let ms = Duration::from_millis;
    /// let backoff = Backoff::exponential(ms(100), 2.0, ms(500));
    /// assert_eq!([1, 2, 3, 4].map(|n| backoff.after(n)), [ms(100), ms(200), ms(400), ms(500)]);
    /// ```
    #[must_use]
    pub const fn exponential(first: Duration, factor: f64, cap: Duration) -> Backoff {
        Backoff { first, factor, cap }
    }

    /// The wait after the `n`-th attempt failed, counted from 1, before jitter.
    #[must_use]
    pub fn after(&self, n: u32) -> Duration {
        if self.first.is_zero() {
            return Duration::ZERO;
        }
        let seconds = self.first.as_secs_f64() * power(self.factor, n.saturating_sub(1));
        // What no duration can hold is above the cap, too; a long one would lose nanoseconds.
        let wait =
            Duration::try_from_secs_f64(seconds).map_or(self.cap, |wait| wait.max(self.first));
        wait.min(self.cap)
    }
}

/// `base` to the power `n`, by squaring: `powi` may differ from one machine to the next.
fn power(mut base: f64, mut n: u32) -> f64 {
    let mut product = 1.0;
    while n > 0 {
        if n % 2 == 1 {
            product *= base;
        }
        base *= base;
        n /= 2;
    }
    product
}

/// A new processor takes the place of one whose turn failed, a bounded number of times.
///
/// It is made by the registration's [factory](crate::Configure::restarted_by), so the state begins
/// anew; it does not hear `Init` again. The event whose turn failed becomes a dead letter: it is
/// not tried again, lest it fail every successor. The limit is what Erlang's supervisors call
/// [restart intensity].
///
/// ```
/// use std::time::Duration;
/// use selvedge_runtime::{Configure, Context, Pipeline, Processor, Restart, Result};
/// # use selvedge_event::Event;
/// # #[derive(Default)]
/// # struct Parser;
/// # impl Processor for Parser {
/// #     fn process(&mut self, _cx: &mut Context, _event: &Event) -> Result {
/// #         Ok(())
/// #     }
/// # }
/// let pipeline = Pipeline::builder()
///     .processor(
///         Parser::default()
///             .restarted_by(Parser::default)
///             .on_failure(Restart::at_most(3, Duration::from_secs(5))),
///     )
///     .build()?;
/// # Ok::<(), selvedge_runtime::BuildError>(())
/// ```
///
/// [restart intensity]: https://www.erlang.org/doc/system/sup_princ.html#maximum-restart-intensity
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    pub(crate) max: u32,
    pub(crate) per: Duration,
}

impl Restart {
    /// At most `max` restarts within any stretch of `per`; one more, and the run fails. Zero of
    /// either is refused when the pipeline is built.
    #[must_use]
    pub const fn at_most(max: u32, per: Duration) -> Restart {
        Restart { max, per }
    }
}

impl FailurePolicy {
    /// How long to wait before the next attempt at something that has failed `attempt` times, from
    /// 1, by whoever is called `name`; `None` if there is none. For work that is attempted
    /// elsewhere than in a turn, under the same rules.
    ///
    /// ```
    /// use std::time::Duration;
    /// use selvedge_runtime::{Backoff, FailurePolicy, Retry};
    /// let second = Duration::from_secs(1);
    /// let policy = FailurePolicy::from(Retry::times(2).backoff(Backoff::fixed(second)));
    /// let error = anyhow::anyhow!("not yet");
    /// assert_eq!(policy.wait_after("till", 1, &error), Some(second));
    /// assert_eq!(policy.wait_after("till", 2, &error), None);
    /// ```
    #[must_use]
    pub fn wait_after(&self, name: &str, attempt: u32, error: &anyhow::Error) -> Option<Duration> {
        let worthwhile = crate::turn::is_worthwhile(self, error);
        let fault = Fault { worthwhile, usable: true, restartable: false };
        let mut memory = Attempts::default();
        // Each attempt draws a wait of its own.
        let drawn = format!("{name} #{attempt}");
        match memory.judge(self, &drawn, attempt, fault, Duration::ZERO) {
            Verdict::Again { after, .. } => Some(after),
            _ => None,
        }
    }

    /// Whether this one says the same as another, as far as can be told: of what a user wrote only
    /// that it is the same thing.
    pub(crate) fn is_same(&self, other: &FailurePolicy) -> bool {
        match (self, other) {
            (FailurePolicy::Fail, FailurePolicy::Fail)
            | (FailurePolicy::Skip, FailurePolicy::Skip) => true,
            (FailurePolicy::Retry(one), FailurePolicy::Retry(other)) => one.is_same(other),
            (FailurePolicy::Restart(one), FailurePolicy::Restart(other)) => one == other,
            _ => false,
        }
    }

    /// What happens when a turn is not, or no longer, attempted again.
    pub(crate) fn last_resort(&self) -> LastResort {
        match self {
            FailurePolicy::Fail => LastResort::Fail,
            FailurePolicy::Skip => LastResort::Skip,
            FailurePolicy::Retry(retry) => retry.then,
            FailurePolicy::Restart(restart) => LastResort::Restart(*restart),
        }
    }

    /// Whether a turn that returned an error is undone in the processor's state too.
    pub(crate) fn undoes_errors(&self) -> bool {
        matches!(self, FailurePolicy::Retry(_))
    }

    /// Whether another attempt could help. Calls the user's code, whose panics come through.
    pub(crate) fn is_worthwhile(&self, cause: &anyhow::Error) -> bool {
        match self {
            FailurePolicy::Retry(Retry { worthwhile: Some(worthwhile), .. }) => {
                (worthwhile.0)(cause)
            }
            _ => true,
        }
    }

    /// Refuses what can't work for a processor that is kept like this.
    pub(crate) fn check(&self, name: impl Fn() -> Text, kept: Kept) -> Result<(), BuildError> {
        let zero = |what| Err(BuildError::ZeroInPolicy { name: name(), what });
        if let FailurePolicy::Retry(retry) = self {
            let factor = retry.backoff.factor;
            if retry.max == 0 {
                return zero("zero attempts");
            }
            if !(factor.is_finite() && factor >= 1.0) {
                return Err(BuildError::BackoffFactor { name: name(), factor });
            }
            if !kept.restorable {
                return Err(BuildError::RetryWithoutRestore { name: name() });
            }
        }
        match self.last_resort() {
            LastResort::Restart(Restart { max: 0, .. }) => zero("zero restarts"),
            LastResort::Restart(Restart { per: Duration::ZERO, .. }) => {
                zero("a restart period of zero")
            }
            LastResort::Restart(_) if !kept.restartable => {
                Err(BuildError::RestartWithoutFactory { name: name() })
            }
            _ => Ok(()),
        }
    }
}

/// What can be done about a processor's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// It can be had back as it was before the turn.
    pub(crate) restorable: bool,
    /// It can begin anew.
    pub(crate) restartable: bool,
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::{prop_assert, proptest};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn waits(backoff: Backoff) -> String {
        let waits = [1, 2, 3, 4, 5, 100, u32::MAX].map(|n| format!("{:?}", backoff.after(n)));
        waits.join(" ")
    }

    #[test]
    fn waits_grow_up_to_the_cap() {
        assert_snapshot!(waits(Backoff::default()), @"0ns 0ns 0ns 0ns 0ns 0ns 0ns");
        assert_snapshot!(waits(Backoff::fixed(7 * MS)), @"7ms 7ms 7ms 7ms 7ms 7ms 7ms");
        assert_snapshot!(waits(Backoff::exponential(10 * MS, 2.0, 100 * MS)), @"10ms 20ms 40ms 80ms 100ms 100ms 100ms");
        assert_snapshot!(waits(Backoff::exponential(10 * MS, 1.5, 24 * 3_600_000 * MS)), @"10ms 15ms 22.5ms 33.75ms 50.625ms 86400s 86400s");
        assert_snapshot!(waits(Backoff::exponential(100 * MS, 2.0, 10 * MS)), @"10ms 10ms 10ms 10ms 10ms 10ms 10ms");
        assert_snapshot!(waits(Backoff::exponential(Duration::ZERO, 10.0, MS)), @"0ns 0ns 0ns 0ns 0ns 0ns 0ns");
        assert_snapshot!(waits(Backoff::exponential(MS, 10.0, Duration::MAX)), @"1ms 10ms 100ms 1s 10s 18446744073709551615.999999999s 18446744073709551615.999999999s");
    }

    fn refusal(policy: impl Into<FailurePolicy>, kept: &str) -> String {
        let (restorable, restartable) = (kept.contains("state"), kept.contains("factory"));
        match policy.into().check(|| Text::literal("till"), Kept { restorable, restartable }) {
            Ok(()) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_policy_that_cannot_work_is_refused() {
        let restart = Restart::at_most(1, MS);
        let factor = |factor| Retry::times(2).backoff(Backoff::exponential(MS, factor, MS));
        assert_snapshot!(refusal(FailurePolicy::Fail, ""), @"accepted");
        assert_snapshot!(refusal(FailurePolicy::Skip, ""), @"accepted");
        assert_snapshot!(refusal(Retry::times(2), ""), @"processor `till` is to be retried, but its state of before the turn can't be had back: register it `.restored_by_clone()` or `.stateless()`, or give it another failure policy");
        assert_snapshot!(refusal(Retry::times(2), "factory"), @"processor `till` is to be retried, but its state of before the turn can't be had back: register it `.restored_by_clone()` or `.stateless()`, or give it another failure policy");
        assert_snapshot!(refusal(Retry::times(2), "state"), @"accepted");
        assert_snapshot!(refusal(Retry::times(0), "state"), @"processor `till` is registered with zero attempts: give it more, or leave it out");
        assert_snapshot!(refusal(factor(0.5), "state"), @"processor `till` backs off by a factor of 0.5: give it a finite one of at least 1");
        assert_snapshot!(refusal(factor(f64::NAN), "state"), @"processor `till` backs off by a factor of NaN: give it a finite one of at least 1");
        assert_snapshot!(refusal(factor(1.0), "state"), @"accepted");
        assert_snapshot!(refusal(Retry::times(2).then(restart), "state"), @"processor `till` is to be restarted, but nothing makes a new one: register it `.restarted_by(|| …)`, or give it another failure policy");
        assert_snapshot!(refusal(Retry::times(2).then(restart), "state, factory"), @"accepted");
        assert_snapshot!(refusal(restart, ""), @"processor `till` is to be restarted, but nothing makes a new one: register it `.restarted_by(|| …)`, or give it another failure policy");
        assert_snapshot!(refusal(restart, "factory"), @"accepted");
        assert_snapshot!(refusal(Restart::at_most(0, MS), "factory"), @"processor `till` is registered with zero restarts: give it more, or leave it out");
        assert_snapshot!(refusal(Restart::at_most(1, Duration::ZERO), "factory"), @"processor `till` is registered with a restart period of zero: give it more, or leave it out");
    }

    proptest! {
        #[test]
        fn a_wait_is_never_above_the_cap(
            first: Duration, factor in 1.0..1e6_f64, cap: Duration, n: u32,
        ) {
            prop_assert!(Backoff::exponential(first, factor, cap).after(n) <= cap);
        }

        #[test]
        fn waits_never_shrink(
            first: Duration, factor in 1.01..1e3_f64, cap: Duration, n in 1..64_u32,
        ) {
            let backoff = Backoff::exponential(first, factor, cap);
            prop_assert!(backoff.after(n) <= backoff.after(n + 1));
        }
    }
}
