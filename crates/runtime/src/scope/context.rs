//! Owns `TaskContext`: what a task's turn may do, and what it posts until it has succeeded.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use selvedge_event::{IntoEvent, Text};

use super::cell::Cell;
use super::{
    AlarmHandle, Armed, Handling, Leave, Scope, ScopeDraft, ScopeError, ScopeOptions, ScopeReport,
    TaskFailure, Tasks,
};
use crate::context::Context;
use crate::core::Core;
use crate::processor::Result;
use crate::ready::Errand;
use crate::timer_log::TimerHandle;
use crate::turn::{Attempted, Failed};

/// What the current task posts.
#[derive(Debug, Default)]
pub(crate) struct Posts {
    pub(crate) own: Vec<u32>,
    pub(crate) own_ranges: Vec<Range<u32>>,
    pub(crate) to_parent: Vec<Range<u32>>,
    pub(crate) cancels: bool,
    /// Where a scope's gate puts what comes of it; empty in between.
    pub(crate) errands: Vec<Errand>,
    /// What came of being told of a failed task; for who told.
    pub(crate) handling: Handling,
    /// The ticket of a leave that the turn has taken; for who takes turns.
    pub(crate) leave: Option<u32>,
    refusal: Option<Refusal>,
}

/// Why a task may not post what it wants to.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    Over,
    Full(u64),
    NoParent,
    Timers,
    Leave,
}

impl Refusal {
    fn explain(self, name: &Text) -> anyhow::Error {
        match self {
            Refusal::Over => anyhow!(
                "the last turn of scope `{name}` posted to it, and it is over: post to the parent, \
                 or open another scope"
            ),
            Refusal::Full(limit) => anyhow!(
                "more than {limit} tasks of scope `{name}` are outstanding: post ranges, post \
                 later, or raise `ScopeOptions::tasks_max`"
            ),
            Refusal::Timers => anyhow!(
                "scope `{name}` armed an alarm, and there are as many timers as there may be: \
                 cancel those that are not needed, or raise `Limits::timers_max`"
            ),
            Refusal::Leave => anyhow!(
                "a turn of scope `{name}` took leave that may not: each turn of a task takes one \
                 at most, and the turns after a failure and at the end none"
            ),
            Refusal::NoParent => anyhow!(
                "scope `{name}` has no parent to post to: only a scope that a task opens has one"
            ),
        }
    }
}

impl Posts {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty()
            && self.own_ranges.is_empty()
            && self.to_parent.is_empty()
            && !self.cancels
    }

    fn clear(&mut self) {
        self.own.clear();
        self.own_ranges.clear();
        self.to_parent.clear();
        self.cancels = false;
        self.refusal = None;
    }

    #[cold]
    fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }
}

/// An attempt at a task's turn, or another turn of a scope.
pub(crate) struct TaskTurn<'a> {
    pub(crate) tasks: &'a dyn Tasks,
    pub(crate) call: Call<'a>,
    pub(crate) cell: &'a Cell,
    pub(crate) core: &'a Core,
    pub(crate) posts: &'a mut Posts,
}

/// What is called.
#[derive(Clone, Copy)]
pub(crate) enum Call<'a> {
    Turn(u32),
    Failed(u32, &'a TaskFailure),
    Ended(&'a ScopeReport),
}

impl Attempted for TaskTurn<'_> {
    type Done = ();

    #[inline]
    fn run(&mut self, cx: &mut Context<'_>) -> Result {
        let is_last = matches!(self.call, Call::Ended(_));
        let (cell, core, posts) = (self.cell, self.core, &mut *self.posts);
        let task = if let Call::Turn(index) = self.call { Some(index) } else { None };
        let mut cx = TaskContext { cx: cx.reborrow(), cell, core, posts, is_last, task };
        match self.call {
            Call::Turn(index) => self.tasks.turn(&mut cx, index)?,
            Call::Failed(index, failure) => {
                let handling = self.tasks.failed(&mut cx, index, failure)?;
                self.posts.handling = handling;
            }
            Call::Ended(report) => self.tasks.ended(&mut cx, report)?,
        }
        match self.posts.refusal {
            None => Ok(()),
            Some(refusal) => Err(refusal.explain(&self.cell.name)),
        }
    }

    fn restore(&mut self, _: Failed) -> bool {
        self.posts.clear();
        true
    }
}

/// What a task's turn may do. Lives for one attempt, on the thread that makes it.
///
/// What is emitted, posted, opened and set with it takes effect when the turn succeeds, and not
/// otherwise.
pub struct TaskContext<'a> {
    cx: Context<'a>,
    cell: &'a Cell,
    core: &'a Core,
    posts: &'a mut Posts,
    is_last: bool,
    /// Whose turn it is, if it is a task's.
    task: Option<u32>,
}

impl TaskContext<'_> {
    /// Posts another task of the same scope.
    #[inline]
    pub fn post(&mut self, index: u32) {
        let n = self.posts.own.len() as u64;
        if self.is_last {
            self.posts.refuse(Refusal::Over);
        } else if self.cell.n_pending() + n >= self.cell.tasks_max {
            self.posts.refuse(Refusal::Full(self.cell.tasks_max));
        } else {
            self.posts.own.push(index);
        }
    }

    /// Posts a task of the same scope for every number of a range. They start in order, as there is
    /// room for them: memory does not depend on how many there are.
    pub fn post_range(&mut self, range: Range<u32>) {
        match self.is_last {
            true => self.posts.refuse(Refusal::Over),
            false => self.posts.own_ranges.push(range),
        }
    }

    /// Posts a task of the scope whose task opened this one: a scope that stands for a task of
    /// another goes on there with what comes next. Without a parent the turn fails.
    pub fn post_to_parent(&mut self, index: u32) {
        if self.cell.parent().is_none() {
            self.posts.refuse(Refusal::NoParent);
        } else {
            self.posts.to_parent.push(index..index.saturating_add(1));
        }
    }

    /// Has the scope post one of its tasks after `delay`: a limit of time for something that is
    /// under way elsewhere, or for a group of tasks. The alarm is armed **at once**, and stays so
    /// whether or not this turn succeeds. The scope waits for it as for a task, and ends without
    /// it when it is cancelled, or the scope is stopped. It is counted as posted when the time has
    /// come, and not before.
    ///
    /// A scope that starts no further task arms nothing. Where there are as many timers as there
    /// may be ([`Limits::timers_max`](crate::Limits::timers_max)) or tasks
    /// ([`ScopeOptions::tasks_max`]), and in the last turn of a scope, nothing is armed and the
    /// turn fails. A run that is stopped early lets alarms come when they are due: what they limit
    /// stays limited.
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use std::time::Duration;
    /// use selvedge_runtime::{AlarmHandle, Pipeline, Result, ScopeOptions, TaskContext, Tasks};
    ///
    /// /// 0 begins something that 1 ends; 2 is for when that takes too long.
    /// #[derive(Default)]
    /// struct Limited(Mutex<Option<AlarmHandle>>);
    ///
    /// impl Tasks for Limited {
    ///     fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
    ///         match index {
    ///             0 => {
    ///                 *self.0.lock().unwrap() = Some(cx.alarm(Duration::from_secs(3_600), 2));
    ///                 cx.post(1);
    ///             }
    ///             1 => {
    ///                 let alarm = self.0.lock().unwrap().take();
    ///                 assert!(alarm.is_some_and(|alarm| cx.cancel_alarm(alarm)));
    ///             }
    ///             _ => cx.cancel_scope(),
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let running = Pipeline::builder().build()?.start()?;
    /// let scope = running.scope(ScopeOptions::named("limited"), Limited::default())?;
    /// scope.post(0)?;
    /// let report = scope.wait();
    /// assert!(report.outcome.is_success());
    /// assert_eq!(report.posted, 2);
    /// running.finish()?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn alarm(&mut self, delay: Duration, index: u32) -> AlarmHandle {
        let mut handle = AlarmHandle { timer: None, scope: self.scope_number() };
        if self.is_last {
            self.posts.refuse(Refusal::Over);
        } else if self.cell.n_pending() >= self.cell.tasks_max {
            self.posts.refuse(Refusal::Full(self.cell.tasks_max));
        } else {
            match self.core.arm_for_scope(self.cell, delay, index) {
                Armed::Set(timer) => handle.timer = Some(timer),
                Armed::InVain => {}
                Armed::TooMany => self.posts.refuse(Refusal::Timers),
            }
        }
        handle
    }

    /// Cancels an alarm of this scope, **at once**, whether or not this turn succeeds. Says whether
    /// it was in time: otherwise the alarm's task is posted already, or the alarm was cancelled
    /// before.
    pub fn cancel_alarm(&mut self, alarm: AlarmHandle) -> bool {
        match alarm.timer {
            Some(timer) if alarm.scope == self.scope_number() => {
                self.core.disarm_for_scope(self.cell, timer)
            }
            _ => false,
        }
    }

    /// A handle on this scope, for work that goes to another thread or process and comes back: it
    /// posts the task that goes on. As long as it is there, neither the scope nor the run ends,
    /// whether or not this turn succeeds. See [`Scope`].
    ///
    /// In a run that is being stopped, and in the last turn of a scope, it is closed from the
    /// start: it keeps nothing open, and what it posts is refused. In a simulation nobody waits for
    /// other threads; a run that can't go on without them says that handles are open. A handle
    /// that a client of the simulation posts with is as good as any.
    ///
    /// ```
    /// use selvedge_runtime::{Pipeline, ScopeOptions, TaskContext, tasks};
    /// let running = Pipeline::builder().build()?.start()?;
    /// let work = tasks(|cx: &mut TaskContext<'_>, index| {
    ///     if index == 0 {
    ///         let scope = cx.handle();
    ///         // Something that blocks for long.
    ///         std::thread::spawn(move || scope.post(1));
    ///     }
    ///     Ok(())
    /// });
    /// let scope = running.scope(ScopeOptions::named("elsewhere"), work)?;
    /// scope.post(0)?;
    /// assert_eq!(scope.wait().done, 2);
    /// running.finish()?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> Scope {
        self.cx.core().open_handle(self.cell.shared())
    }

    /// Takes leave: when this turn has succeeded, the task is not over but away, and no worker
    /// waits for it. Whoever has the [`Leave`] has it [come back](Leave::back), from anywhere: then
    /// its turn is taken again, as the same attempt, so that what came of the work elsewhere can
    /// still fail it. A task that is away keeps its place under the scope's
    /// [cap](ScopeOptions::concurrency_max), and keeps scope and run open. When one of them is
    /// stopped, it is cancelled there and then. A turn that fails has not taken leave.
    ///
    /// A turn takes one leave at most, and the turns after a failure and at a scope's end none:
    /// otherwise it fails.
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use selvedge_runtime::{Pipeline, Result, ScopeOptions, TaskContext, Tasks};
    ///
    /// /// Each task's work is done by a thread of its own.
    /// struct Blocking(Mutex<Vec<u32>>);
    ///
    /// impl Tasks for Blocking {
    ///     fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
    ///         if self.0.lock().unwrap().contains(&index) {
    ///             return Ok(()); // It is back.
    ///         }
    ///         self.0.lock().unwrap().push(index);
    ///         let leave = cx.leave();
    ///         std::thread::spawn(move || leave.back()); // After something that blocks for long.
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let running = Pipeline::builder().build()?.start()?;
    /// let options = ScopeOptions::named("blocking").concurrency_max(2);
    /// let scope = running.scope(options, Blocking(Mutex::default()))?;
    /// scope.post_range(0..10)?;
    /// let report = scope.wait();
    /// assert_eq!((report.posted, report.done), (10, 10));
    /// running.finish()?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn leave(&mut self) -> Leave {
        let Some(index) = self.task.filter(|_| self.posts.leave.is_none()) else {
            self.posts.refuse(Refusal::Leave);
            return Leave::refused();
        };
        let task = (index, self.cx.attempt());
        let (leave, ticket) = Leave::take(Arc::clone(self.cx.core()), self.cell.shared(), task);
        self.posts.leave = Some(ticket);
        leave
    }

    /// Whether this turn has taken leave.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.posts.leave.is_some()
    }

    /// Opens a scope within this one. It begins when this turn has succeeded; this scope ends after
    /// it, and cancels it when it is stopped itself. How the child ends is told by its
    /// [`Tasks::ended`] alone: a failure of it fails nothing else.
    ///
    /// In the last turn of a scope, what is opened is a child of that scope's parent.
    ///
    /// # Errors
    ///
    /// [`ScopeError`], when the options can't work or too many scopes are open.
    pub fn scope(
        &mut self,
        options: ScopeOptions,
        tasks: impl Tasks,
    ) -> Result<ScopeDraft<'_>, ScopeError> {
        self.cx.scope(options, tasks)
    }

    /// Cancels this scope, when the turn has succeeded: what was looked for is found.
    pub fn cancel_scope(&mut self) {
        self.posts.cancels = true;
    }

    /// Whether the scope starts no further task, or the run no further turn: what this turn does is
    /// not needed any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cell.is_stopped() || self.core.is_halted()
    }

    /// The scope's name.
    #[must_use]
    pub fn scope_name(&self) -> &Text {
        &self.cell.name
    }

    /// The scope's number in the run, by which listeners are told of it.
    #[must_use]
    pub fn scope_number(&self) -> u64 {
        self.cell.place().number
    }

    /// Emits an event to all processors that hear it. See [`Context::emit`].
    pub fn emit(&mut self, event: impl IntoEvent) {
        self.cx.emit(event);
    }

    /// Answers the question that the turn that opened the scope was asked. See [`Context::reply`].
    pub fn reply(&mut self, event: impl IntoEvent) {
        self.cx.reply(event);
    }

    /// Whether somebody awaits a reply.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.cx.is_asked()
    }

    /// Emits an event after `delay`. See [`Context::emit_after`].
    pub fn emit_after(&mut self, delay: Duration, event: impl IntoEvent) -> TimerHandle {
        self.cx.emit_after(delay, event)
    }

    /// Emits an event every `period`. See [`Context::emit_every`].
    pub fn emit_every(&mut self, period: Duration, event: impl IntoEvent) -> TimerHandle {
        self.cx.emit_every(period, event)
    }

    /// Cancels a timer. See [`Context::cancel`].
    pub fn cancel(&mut self, timer: TimerHandle) {
        self.cx.cancel(timer);
    }

    /// The time since the run began, by the run's clock.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.core.clock.now()
    }

    /// Which attempt at this turn this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.cx.attempt()
    }
}

impl fmt::Debug for TaskContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext").field("scope", &self.cell.name).finish_non_exhaustive()
    }
}
