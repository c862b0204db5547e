//! Owns what a worker does after an attempt at a task that failed: another one, at once or later,
//! or the turn that is told of it, and then what the policy says in the end.

use std::sync::Arc;

use selvedge_event::{Fact, Outcome, Wants};

use super::{Tab, Task, finished, topic};
use crate::alarms::Alarm;
use crate::attempts::{Attempts, Fault, Verdict, Why};
use crate::policy::LastResort;
use crate::ready::{Errand, Newly};
use crate::roster::Who;
use crate::scope::{Body, Call, Cell, Handling, KEPT, Stop, TaskFailure, TaskRetry, TaskTurn};
use crate::spans;
use crate::turn::{self, Seat, TurnFailure};
use crate::worker::{Hands, Shift};

impl Shift<'_> {
    /// Does what is to be done about an attempt that failed; the next one's number, if that is to
    /// be made at once.
    #[cold]
    #[inline(never)]
    pub(super) fn judge(
        &mut self,
        index: u32,
        attempt: u32,
        mut failure: TurnFailure,
    ) -> Result<Task, u32> {
        let (core, wants) = (self.core, self.core.listeners.wants());
        let Hands { tab, notes, posts, .. } = &mut *self.hands;
        let Some(Tab { cell, body, place, counts, .. }) = tab.as_mut() else {
            return Ok(Task::Waits);
        };
        if let Some(ticket) = posts.leave.take() {
            cell.forget_leave(ticket);
        }
        let now = core.clock.now();
        let verdict = verdict(cell, body, index, attempt, &failure, now).and_then(|verdict| {
            tell_of_retry(body, index, attempt, &failure, now, &verdict)?;
            Ok(verdict)
        });
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(refusal) => {
                failure.cause = failure.cause.context(refusal);
                match body.policy.last_resort() {
                    LastResort::Skip => Verdict::Dead,
                    _ => Verdict::Fail(Why::Policy),
                }
            }
        };
        let TurnFailure { cause, panicked, .. } = failure;
        if let Verdict::Again { attempt: next, after, .. } = verdict {
            notes.note(wants, Wants::FAILURES, || Fact::Retrying {
                processor: cell.name.clone(),
                topic: topic(&cell.name, index),
                attempt,
                error: turn::describe(&cause),
                delay: after,
            });
            if after.is_zero() {
                return Err(next);
            }
            let ticket = cell.wait_for_attempt(index, next);
            core.arm(after, Alarm::Attempt(place.job(Errand::Again(ticket))));
            if cell.is_stopped() {
                // Whoever stopped it may have come too early to find the timer.
                core.hasten_attempts(cell);
            }
            return Ok(Task::Waits);
        }
        let outcome = || Outcome::Failed { error: turn::describe(&cause), panicked };
        let scope = place.number;
        notes.note(wants, Wants::TASKS, || finished(scope, index, outcome(), attempt));
        counts.dead += 1;
        let failure = TaskFailure { cause: Arc::new(cause), panicked, attempts: attempt };
        let stop = match self.tell_of_failure(index, &failure) {
            Ok(Handling::Handled) => None,
            Ok(Handling::Unhandled) if verdict == Verdict::Dead => None,
            Ok(Handling::Unhandled) => {
                Some(Stop::Failed { index, cause: failure.into_cause(), panicked })
            }
            Err(TurnFailure { cause, panicked, .. }) => {
                let cause = cause.context(format!(
                    "what was to be done after task {index} failed ({}) failed too",
                    turn::describe(&failure.cause)
                ));
                Some(Stop::Failed { index, cause: Arc::new(cause), panicked })
            }
        };
        if let Some(why) = stop {
            self.stop_own_scope(why);
        }
        Ok(Task::Ended)
    }

    /// Takes the turn that is told of a task that failed for good. What it did takes effect when
    /// the task is finished.
    fn tell_of_failure(
        &mut self,
        index: u32,
        failure: &TaskFailure,
    ) -> Result<Handling, TurnFailure> {
        let core = self.core;
        let Hands { outbox, posts, tab, notes, .. } = &mut *self.hands;
        let Some(Tab { cell, body, .. }) = tab.as_ref() else { return Ok(Handling::Unhandled) };
        let _span = spans::task(&cell.name, index, failure.attempts);
        let (tasks, call) = (&*body.tasks, Call::Failed(index, failure));
        let mut turn = TaskTurn { tasks, call, cell, core, posts };
        let seat = Seat { who: &Who::Called(&cell.name), room: 0, attempt: 1 };
        outbox.descend_from(&body.origin);
        turn::attempt(&mut turn, outbox, seat)?;
        notes.emitted_by(core.listeners.wants(), &cell.name, outbox);
        Ok(std::mem::take(&mut posts.handling))
    }

    /// Stops the scope that this worker has a tab of.
    fn stop_own_scope(&mut self, why: Stop) {
        let Hands { tab, newly, .. } = &mut *self.hands;
        let Some(Tab { cell, .. }) = tab.as_ref() else { return };
        let mut jobs = Vec::new();
        self.core.stop_scope(cell, why, &mut jobs);
        newly.extend(jobs.into_iter().map(Newly::Ready));
    }
}

/// Tells the tasks that there is another attempt, if there is; how that panicked, if it did.
fn tell_of_retry(
    body: &Body,
    index: u32,
    attempt: u32,
    failure: &TurnFailure,
    elapsed: std::time::Duration,
    verdict: &Verdict,
) -> Result<(), String> {
    let &Verdict::Again { after, .. } = verdict else { return Ok(()) };
    let TurnFailure { cause, panicked, .. } = failure;
    let retry = TaskRetry { cause, panicked: *panicked, attempt, after, elapsed };
    turn::asked(|| body.tasks.retries(index, &retry)).map_err(|error| {
        format!("what is told of another attempt at task {index} failed: {error:#}")
    })
}

/// What the task's policy, or the scope's, says about an attempt that failed; or why the task's
/// can't work.
fn verdict(
    cell: &Cell,
    body: &Body,
    index: u32,
    attempt: u32,
    failure: &TurnFailure,
    now: std::time::Duration,
) -> Result<Verdict, String> {
    let refusal = |error: &anyhow::Error| {
        let name = &cell.name;
        format!("the failure policy of task {index} of scope `{name}` can't work: {error:#}")
    };
    let own = turn::asked(|| body.tasks.policy(index)).map_err(|error| refusal(&error))?;
    let Some(own) = own else {
        let worthwhile = turn::is_worthwhile(&body.policy, &failure.cause);
        return Ok(cell.judge(&body.policy, attempt, worthwhile, now));
    };
    let name = format!("{}[{index}]", cell.name);
    own.check(|| name.clone().into(), KEPT).map_err(|error| refusal(&error.into()))?;
    let worthwhile = turn::is_worthwhile(own, &failure.cause);
    let fault = Fault { worthwhile, usable: true, restartable: false };
    // Without a memory, its jitter is drawn from its name and attempt: whatever other tasks do, it
    // waits as long.
    let draws_by = format!("{name} {attempt}");
    Ok(Attempts::default().judge(own, &draws_by, attempt, fault, now))
}
