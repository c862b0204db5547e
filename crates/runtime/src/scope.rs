//! Owns scopes: work that belongs together, made and ended while a pipeline runs, out of one-shot
//! turns that are addressed by number. Refuses routes, mailboxes and registrations: those are
//! processors'.
//!
//! `gate` decides, purely, which task may start; `cell` is what threads share of one scope, `table`
//! where it is found. `draft` and `context` are what turns see, `handle` what other threads do.

mod alarm;
mod body;
mod cell;
mod context;
mod draft;
mod error;
mod failure;
mod gate;
mod handle;
mod leave;
mod report;
mod table;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::Text;

use crate::policy::{FailurePolicy, Kept};
use crate::processor::Result;

pub use alarm::AlarmHandle;
pub(crate) use alarm::Armed;
pub(crate) use body::{Body, Budgets};
pub(crate) use cell::{Cell, Counts, Place, Stop};
pub use context::TaskContext;
pub(crate) use context::{Call, Posts, TaskTurn};
pub use draft::ScopeDraft;
pub(crate) use draft::{Draft, ScopeLog};
pub use error::{PostError, ScopeError};
pub use failure::{Handling, TaskFailure, TaskRetry};
pub use handle::{Scope, ScopeControl};
pub(crate) use leave::Departure;
pub use leave::Leave;
pub use report::{ScopeOutcome, ScopeReport};
pub(crate) use table::Table;

pub(crate) use crate::ready::ScopeIdx;

/// What the tasks of a scope do. Shared by all workers: tasks of one scope run at the same time.
///
/// A task is a turn on a number, below `u32::MAX`, instead of an event: what it emits and posts,
/// and the timers that it sets, take effect when it succeeds, and not otherwise. Whatever else it
/// changes is its own business, and so is the state after a panic: what tasks share should hold
/// values that are right at any moment, such as atomics, or results that are stored in one piece.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use selvedge_runtime::{Pipeline, Result, ScopeOptions, ScopeReport, TaskContext, Tasks};
///
/// /// Each number posts the two below it in a binary tree.
/// struct Tree(AtomicU32);
///
/// impl Tasks for Tree {
///     fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
///         self.0.fetch_add(1, Ordering::Relaxed);
///         [2 * index + 1, 2 * index + 2].into_iter().filter(|&n| n < 15).for_each(|n| cx.post(n));
///         Ok(())
///     }
/// }
///
/// let running = Pipeline::builder().build()?.start()?;
/// let tree = Arc::new(Tree(AtomicU32::new(0)));
/// let scope = running.scope(ScopeOptions::named("tree"), Arc::clone(&tree))?;
/// scope.post(0)?;
/// let report = scope.wait();
/// assert!(report.outcome.is_success());
/// assert_eq!((tree.0.load(Ordering::Relaxed), report.done), (15, 15));
/// running.finish()?;
/// # Ok::<(), anyhow::Error>(())
/// ```
pub trait Tasks: Send + Sync + 'static {
    /// Takes the turn of the task with this number.
    ///
    /// # Errors
    ///
    /// Any error: the scope's [policy](ScopeOptions::on_failure) says what comes of it.
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result;

    /// What happens when the task with this number fails, instead of what the scope's
    /// [policy](ScopeOptions::on_failure) says. Asked after each attempt that failed. A policy that
    /// can't work, and a panic here, are told by the task's error, and that was the last attempt.
    ///
    /// ```
    /// use std::time::Duration;
    /// use selvedge_runtime::{Backoff, FailurePolicy, LastResort, Pipeline, Result, Retry};
    /// use selvedge_runtime::{ScopeOptions, TaskContext, Tasks};
    ///
    /// struct Downloads {
    ///     patient: FailurePolicy,
    /// }
    ///
    /// impl Tasks for Downloads {
    ///     fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
    ///         anyhow::ensure!(cx.attempt() == 3 || index == 1, "not yet");
    ///         Ok(())
    ///     }
    ///
    ///     fn policy(&self, index: u32) -> Option<&FailurePolicy> {
    ///         (index != 1).then_some(&self.patient)
    ///     }
    /// }
    ///
    /// let backoff = Backoff::fixed(Duration::from_millis(1));
    /// let patient = Retry::times(3).backoff(backoff).then(LastResort::Skip).into();
    /// let running = Pipeline::builder().build()?.start()?;
    /// let scope = running.scope(ScopeOptions::named("downloads"), Downloads { patient })?;
    /// scope.post_range(0..3)?;
    /// assert_eq!(scope.wait().done, 3);
    /// running.finish()?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    fn policy(&self, index: u32) -> Option<&FailurePolicy> {
        let _ = index;
        None
    }

    /// How long an attempt at the task with this number should take at most, instead of the
    /// [scope's](ScopeOptions::time_budget) budget. Asked before each attempt, under
    /// [`ScopeOptions::time_budgets_of_tasks`] and not otherwise; if it panics, the attempt has.
    fn time_budget(&self, index: u32) -> Option<Duration> {
        let _ = index;
        None
    }

    /// Told of an attempt at a task that failed and is followed by another: on the thread of that
    /// attempt, before the next one. It should be quick; if it panics, the task fails with that,
    /// and that was the last attempt.
    fn retries(&self, index: u32, retry: &TaskRetry<'_>) {
        let _ = (index, retry);
    }

    /// A turn after a task has failed for good, by its error or its panic, and has no attempt
    /// left; before its policy's last resort is done. What it emits, posts and opens takes effect
    /// when it succeeds, and not otherwise: a graph posts here what goes on without the node.
    /// It comes at once, once per task, on the thread of the last attempt; not for tasks that are
    /// cancelled before, but for those that fail while the scope is being stopped.
    ///
    /// ```
    /// use selvedge_runtime::{Handling, Pipeline, Result, ScopeOptions, TaskContext, TaskFailure};
    /// use selvedge_runtime::Tasks;
    ///
    /// /// 0 fails; 1 stands in for it.
    /// struct Fallback;
    ///
    /// impl Tasks for Fallback {
    ///     fn turn(&self, _: &mut TaskContext<'_>, index: u32) -> Result {
    ///         Ok(anyhow::ensure!(index > 0, "not found"))
    ///     }
    ///
    ///     fn failed(
    ///         &self,
    ///         cx: &mut TaskContext<'_>,
    ///         index: u32,
    ///         failure: &TaskFailure,
    ///     ) -> Result<Handling> {
    ///         assert_eq!((index, failure.cause.to_string().as_str()), (0, "not found"));
    ///         cx.post(1);
    ///         Ok(Handling::Handled)
    ///     }
    /// }
    ///
    /// let running = Pipeline::builder().build()?.start()?;
    /// let scope = running.scope(ScopeOptions::named("fallback"), Fallback)?;
    /// scope.post(0)?;
    /// let report = scope.wait();
    /// assert!(report.outcome.is_success());
    /// assert_eq!((report.done, report.dead), (1, 1));
    /// running.finish()?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Any error, and any panic: the scope fails with that, whatever the policies say.
    fn failed(
        &self,
        cx: &mut TaskContext<'_>,
        index: u32,
        failure: &TaskFailure,
    ) -> Result<Handling> {
        let _ = (cx, index, failure);
        Ok(Handling::Unhandled)
    }

    /// The scope's last turn, when all its tasks have come to their end: called once, whatever the
    /// outcome, unless the run fails or is aborted first. It can emit, open a scope that comes next
    /// and [post to the parent](TaskContext::post_to_parent), but not to the scope itself.
    ///
    /// # Errors
    ///
    /// Any error: a scope that had succeeded until then has failed.
    fn ended(&self, cx: &mut TaskContext<'_>, report: &ScopeReport) -> Result {
        let _ = (cx, report);
        Ok(())
    }
}

impl<T: Tasks + ?Sized> Tasks for Arc<T> {
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        (**self).turn(cx, index)
    }

    fn policy(&self, index: u32) -> Option<&FailurePolicy> {
        (**self).policy(index)
    }

    fn time_budget(&self, index: u32) -> Option<Duration> {
        (**self).time_budget(index)
    }

    fn retries(&self, index: u32, retry: &TaskRetry<'_>) {
        (**self).retries(index, retry);
    }

    fn failed(
        &self,
        cx: &mut TaskContext<'_>,
        index: u32,
        failure: &TaskFailure,
    ) -> Result<Handling> {
        (**self).failed(cx, index, failure)
    }

    fn ended(&self, cx: &mut TaskContext<'_>, report: &ScopeReport) -> Result {
        (**self).ended(cx, report)
    }
}

/// Makes [`Tasks`] of a function.
///
/// ```
/// use selvedge_runtime::{Pipeline, ScopeOptions, TaskContext, tasks};
/// let running = Pipeline::builder().build()?.start()?;
/// let squares = tasks(|_cx: &mut TaskContext<'_>, n| Ok(assert!(n * n >= n)));
/// let scope = running.scope(ScopeOptions::named("squares"), squares)?;
/// scope.post_range(0..1_000)?;
/// assert_eq!(scope.wait().done, 1_000);
/// running.finish()?;
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn tasks<F>(turn: F) -> impl Tasks
where
    F: Fn(&mut TaskContext<'_>, u32) -> Result + Send + Sync + 'static,
{
    TasksOf(turn)
}

struct TasksOf<F>(F);

impl<F> Tasks for TasksOf<F>
where
    F: Fn(&mut TaskContext<'_>, u32) -> Result + Send + Sync + 'static,
{
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        (self.0)(cx, index)
    }
}

/// How a scope takes its tasks' turns.
///
/// ```
/// use std::time::Duration;
/// use selvedge_runtime::{Backoff, FailurePolicy, LastResort, Retry, ScopeOptions};
/// let options = ScopeOptions::named("downloads")
///     .concurrency_max(4)
///     .on_failure(Retry::times(3).then(LastResort::Skip))
///     .time_budget(Duration::from_secs(10));
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a scope is opened with them"]
pub struct ScopeOptions {
    pub(crate) name: Text,
    pub(crate) priority: i32,
    pub(crate) concurrency_max: Option<NonZeroU32>,
    pub(crate) on_failure: FailurePolicy,
    pub(crate) time_budget: Option<Duration>,
    pub(crate) asks_budgets: bool,
    pub(crate) tasks_max: u64,
    zero: Option<&'static str>,
}

/// A task has no state of its own to be had back, and nothing to be made anew.
pub(crate) const KEPT: Kept = Kept { restorable: true, restartable: false };

/// Tasks that may be outstanding in a scope, unless its options say otherwise.
const TASKS_MAX: u64 = 1 << 24;

impl ScopeOptions {
    /// A scope of this name: any number of tasks at a time, the first failure ends it.
    pub fn named(name: impl Into<Text>) -> ScopeOptions {
        ScopeOptions {
            name: name.into(),
            priority: 0,
            concurrency_max: None,
            on_failure: FailurePolicy::Fail,
            time_budget: None,
            asks_budgets: false,
            tasks_max: TASKS_MAX,
            zero: None,
        }
    }

    /// The scope's name.
    #[must_use]
    pub fn name(&self) -> &Text {
        &self.name
    }

    /// Which processors its tasks go with: lower numbers go first. Bands are those that the
    /// pipeline's processors have; between two of them it is the later one.
    pub fn priority(mut self, priority: i32) -> ScopeOptions {
        self.priority = priority;
        self
    }

    /// How many tasks may be under way at a time; a task that waits for its next attempt is one of
    /// them. The others wait in the scope. Zero is refused when the scope is opened.
    pub fn concurrency_max(mut self, n: u32) -> ScopeOptions {
        self.concurrency_max = NonZeroU32::new(n);
        if n == 0 {
            self.zero = Some("concurrency_max");
        }
        self
    }

    /// What happens after a failed task: [`Fail`](FailurePolicy::Fail), the default, ends the scope
    /// and not the pipeline; [`Skip`](FailurePolicy::Skip) counts the task as dead and goes on;
    /// [`Retry`](crate::Retry) attempts it again, then does one of these. There is nothing to
    /// restart. A task may have a policy [of its own](Tasks::policy).
    pub fn on_failure(mut self, policy: impl Into<FailurePolicy>) -> ScopeOptions {
        self.on_failure = policy.into();
        self
    }

    /// How long an attempt should take at most. One that takes longer counts by what it returned;
    /// listeners are told.
    pub fn time_budget(mut self, budget: Duration) -> ScopeOptions {
        self.time_budget = Some(budget);
        self
    }

    /// Asks each task for a [budget of its own](Tasks::time_budget), before each attempt; those
    /// that have none go by the [scope's](Self::time_budget). Without this nobody is asked: the
    /// question would be a fair part of what a small task costs.
    pub fn time_budgets_of_tasks(mut self) -> ScopeOptions {
        self.asks_budgets = true;
        self
    }

    /// How many tasks may be outstanding, 2²⁴ by default, to within a few per worker and handle.
    /// Above that a post from outside is refused, and a turn that posts fails. Ranges are taken in
    /// whatever their length, but what is left of them counts. Zero is refused when the scope is
    /// opened.
    pub fn tasks_max(mut self, n: u64) -> ScopeOptions {
        self.tasks_max = n;
        if n == 0 {
            self.zero = Some("tasks_max");
        }
        self
    }

    /// Refuses what can't work.
    pub(crate) fn check(&self) -> Result<(), ScopeError> {
        let name = || self.name.clone();
        if let Some(option) = self.zero {
            return Err(ScopeError::Zero { name: name(), option });
        }
        self.on_failure
            .check(|| self.name.clone(), KEPT)
            .map_err(|source| ScopeError::Policy { name: name(), source: Box::new(source) })
    }
}

impl fmt::Debug for dyn Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tasks(..)")
    }
}
