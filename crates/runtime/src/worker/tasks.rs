//! Owns what a worker does for scopes: the turns of tasks, what they post, the last turn.
//!
//! A worker that goes from task to task of one scope keeps a tab: what it has done counts there
//! first, and the scope's own counts are brought up to date when it leaves. As long as the tab is
//! there it holds a unit at least, so the scope is not over. What comes after an attempt that
//! failed is in `judging`.

mod judging;

use std::sync::Arc;

use selvedge_event::{Fact, Name, Outcome, Text, Topic, Wants};

use super::post::Posting;
use super::{Hands, Shift};
use crate::budget::measured;
use crate::ready::{Errand, Newly, ScopeIdx};
use crate::roster::Who;
use crate::scope::{
    Body, Budgets, Call, Cell, Counts, Departure, Draft, Place, ScopeOutcome, ScopeReport, Stop,
    TaskTurn,
};
use crate::spans;
use crate::turn::{self, Seat, TurnFailure};

/// The scope of which a worker takes tasks.
pub(super) struct Tab {
    cell: Arc<Cell>,
    body: Arc<Body>,
    place: Place,
    counts: Counts,
    /// Units to be taken off what is outstanding.
    debt: u64,
}

impl Tab {
    /// Counts the current task's posts as outstanding, out of the debt as far as that goes; a unit
    /// of it stays.
    #[inline]
    fn lend(&mut self, n: u64) {
        self.counts.posted += n;
        if self.debt > n {
            self.debt -= n;
        } else {
            self.cell.add(n + 1 - self.debt);
            self.debt = 1;
        }
    }
}

/// Whether a task has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Ended,
    Waits,
}

impl Shift<'_> {
    /// Does something for a scope.
    #[inline]
    pub(super) fn run_errand(&mut self, scope: ScopeIdx, errand: Errand) {
        if errand == Errand::End {
            return self.end_scope(scope);
        }
        if !self.sit_down(scope) {
            return;
        }
        let Some(tab) = &mut self.hands.tab else { return };
        match errand {
            Errand::Task(index) => self.take_task(index, 1),
            Errand::Again(ticket) => match tab.cell.redeem(ticket) {
                Some((index, attempt)) => self.take_task(index, attempt),
                None => {
                    tab.counts.cancelled += 1;
                    self.finish_task();
                }
            },
            Errand::Admit => {
                let errands = &mut self.hands.posts.errands;
                let more = tab.cell.admit(errands);
                tab.debt += u64::from(!more);
                let (place, debt) = (tab.place, tab.debt);
                self.hands.newly.extend(errands.drain(..).map(|e| Newly::Ready(place.job(e))));
                if debt == 0 {
                    self.leave_scope();
                }
            }
            Errand::Due(index) => {
                let errands = &mut self.hands.posts.errands;
                tab.cell.note_alarms_gone(1);
                tab.cell.post(index..index.saturating_add(1), errands);
                // The alarm's unit; the task has one of its own.
                tab.debt += 1;
                let place = tab.place;
                self.hands.newly.extend(errands.drain(..).map(|e| Newly::Ready(place.job(e))));
            }
            Errand::End => {}
        }
    }

    /// Opens a tab for a scope; `false` if it is over, since the run has ended.
    #[inline]
    fn sit_down(&mut self, scope: ScopeIdx) -> bool {
        if self.hands.tab.as_ref().is_some_and(|tab| tab.place.scope == scope) {
            return true;
        }
        self.leave_scope();
        let found = self.core.scopes.find(scope);
        let found = found.and_then(|cell| Some((cell.body()?, cell)));
        let Some((body, cell)) = found else {
            assert!(self.core.is_halted(), "a job is left of scope {scope}, which is over");
            return false;
        };
        let place = cell.place();
        self.hands.tab = Some(Tab { cell, body, place, counts: Counts::default(), debt: 0 });
        true
    }

    /// Settles the tab, if there is one.
    #[inline]
    pub(super) fn leave_scope(&mut self) {
        if let Some(tab) = self.hands.tab.take() {
            self.settle_tab(tab);
        }
    }

    fn settle_tab(&mut self, tab: Tab) {
        let Tab { cell, body, place, counts, debt } = tab;
        if body.origin.question.is_some() {
            self.hands.outbox.log.forget_question();
        }
        // Before the units are taken off: who ends the scope may drop it.
        drop(body);
        cell.count(&counts);
        if cell.release(debt) {
            self.hands.newly.push(Newly::Ready(place.job(Errand::End)));
        }
    }

    /// Takes the turn of a task, from this attempt on.
    fn take_task(&mut self, index: u32, attempt: u32) {
        let Some(tab) = &self.hands.tab else { return };
        // Two functions: the usual way of an attempt's result must not meet that of a timed one,
        // or it goes through memory.
        let task = match tab.body.budgets {
            None => self.attempt_until_ended::<false>(index, attempt),
            Some(_) => self.attempt_in_time_until_ended(index, attempt),
        };
        match task {
            Task::Ended => self.finish_task(),
            // Its unit goes on without the tab.
            Task::Waits => self.leave_scope(),
        }
    }

    #[inline(never)]
    fn attempt_in_time_until_ended(&mut self, index: u32, attempt: u32) -> Task {
        self.attempt_until_ended::<true>(index, attempt)
    }

    #[inline(always)]
    fn attempt_until_ended<const TIMED: bool>(&mut self, index: u32, mut attempt: u32) -> Task {
        loop {
            let Some(tab) = &mut self.hands.tab else { return Task::Waits };
            if tab.cell.is_stopped() {
                tab.counts.cancelled += 1;
                return Task::Ended;
            }
            let result = match TIMED {
                true => self.attempt_task_in_time(index, attempt),
                false => self.attempt_task(index, attempt),
            };
            match result {
                Ok(()) if self.hands.posts.leave.is_some() => match self.depart() {
                    Departure::Away => return Task::Waits,
                    Departure::Back => {}
                    Departure::CalledOff => {
                        let Some(tab) = &mut self.hands.tab else { return Task::Waits };
                        tab.counts.cancelled += 1;
                        return Task::Ended;
                    }
                },
                Ok(()) => {
                    let Some(tab) = &mut self.hands.tab else { return Task::Waits };
                    tab.counts.done += 1;
                    return Task::Ended;
                }
                Err(failure) => match self.judge(index, attempt, failure) {
                    Ok(ended) => return ended,
                    Err(next) => attempt = next,
                },
            }
        }
    }

    /// One attempt at a task.
    #[inline(always)]
    fn attempt_task(&mut self, index: u32, attempt: u32) -> Result<(), TurnFailure> {
        let core = self.core;
        let wants = core.listeners.wants();
        let Hands { outbox, posts, tab, notes, .. } = &mut *self.hands;
        let Some(Tab { cell, body, place, .. }) = tab.as_ref() else { return Ok(()) };
        let name = &cell.name;
        let _span = spans::task(name, index, attempt);
        let mut turn = TaskTurn { tasks: &*body.tasks, call: Call::Turn(index), cell, core, posts };
        let seat = Seat { who: &Who::Called(name), room: 0, attempt };
        outbox.descend_from(&body.origin);
        turn::attempt(&mut turn, outbox, seat)?;
        if wants.is_empty() {
            return Ok(());
        }
        notes.emitted_by(wants, name, outbox);
        if posts.leave.is_some() {
            return Ok(());
        }
        let scope = place.number;
        notes.note(wants, Wants::TASKS, || finished(scope, index, Outcome::Succeeded, attempt));
        Ok(())
    }

    /// The same, timed; how long it should take may be the task's to say.
    fn attempt_task_in_time(&mut self, index: u32, attempt: u32) -> Result<(), TurnFailure> {
        let core = self.core;
        let Some(tab) = &self.hands.tab else { return Ok(()) };
        let budget = match tab.body.budgets {
            None => None,
            Some(Budgets::Same(budget)) => Some(budget),
            Some(Budgets::OfTasks { otherwise }) => {
                match turn::asked(|| tab.body.tasks.time_budget(index)) {
                    Ok(own) => own.or(otherwise),
                    Err(cause) => {
                        return Err(TurnFailure { cause, panicked: true, usable: true });
                    }
                }
            }
        };
        let run = || self.attempt_task(index, attempt);
        let (result, overrun) = measured(budget, &core.clock, run);
        let Hands { tab, notes, .. } = &mut *self.hands;
        if let (Some(overrun), Some(tab)) = (overrun, tab) {
            let name = &tab.cell.name;
            notes.note(core.listeners.wants(), Wants::WARNINGS, || Fact::OverBudget {
                processor: name.clone(),
                topic: topic(name, index),
                budget: overrun.budget,
                elapsed: overrun.elapsed,
            });
        }
        result
    }

    /// The current task has taken leave: what it did takes effect, then the leave begins.
    #[cold]
    #[inline(never)]
    fn depart(&mut self) -> Departure {
        let ticket = self.hands.posts.leave.take();
        self.take_effect::<false>();
        let Some(tab) = &self.hands.tab else { return Departure::Away };
        ticket.map_or(Departure::Back, |ticket| tab.cell.depart(ticket))
    }

    /// The current task has come to its end: what it did takes effect.
    #[inline]
    fn finish_task(&mut self) {
        let Some(tab) = &mut self.hands.tab else { return };
        tab.debt += 1;
        self.take_effect::<true>();
    }

    /// Has what the current turn did take effect.
    #[inline]
    fn take_effect<const ENDED: bool>(&mut self) {
        let Hands { outbox, posts, tab, notes, newly, .. } = &mut *self.hands;
        let Some(tab) = tab else { return };
        let place = tab.place;
        if !tab.cell.has_cap && posts.own_ranges.is_empty() {
            if !posts.own.is_empty() {
                tab.lend(posts.own.len() as u64);
                let errands = posts.own.drain(..).map(Errand::Task);
                newly.extend(errands.map(|errand| Newly::Ready(place.job(errand))));
            }
        } else {
            let own = posts.own.drain(..).map(|index| index..index.saturating_add(1));
            let ranges = own.chain(posts.own_ranges.drain(..));
            let errands = &mut posts.errands;
            if ENDED && tab.cell.has_cap {
                tab.cell.finish_capped(ranges, errands);
            } else {
                ranges.for_each(|range| tab.cell.post(range, errands));
            }
            newly.extend(errands.drain(..).map(|errand| Newly::Ready(place.job(errand))));
        }
        if !posts.is_empty() {
            let (cell, parent) = (Arc::clone(&tab.cell), tab.cell.parent());
            self.carry_out_posts(&cell, parent.as_ref());
        } else if outbox.is_empty() && outbox.timers.is_empty() && outbox.scopes.is_empty() {
            notes.hand_over(&self.core.listeners);
            return;
        }
        self.publish(Posting::Midway);
    }

    /// Does what a turn wished for beyond its own scope's tasks.
    #[cold]
    fn carry_out_posts(&mut self, cell: &Arc<Cell>, parent: Option<&Arc<Cell>>) {
        let Hands { posts, newly, .. } = &mut *self.hands;
        if let Some(parent) = parent {
            let mut errands = Vec::new();
            posts.to_parent.drain(..).for_each(|range| parent.post(range, &mut errands));
            let place = parent.place();
            newly.extend(errands.into_iter().map(|errand| Newly::Ready(place.job(errand))));
        }
        if std::mem::take(&mut posts.cancels) {
            let mut jobs = Vec::new();
            let why = Stop::Cancelled(selvedge_event::Canceller::User);
            self.core.stop_scope(cell, why, &mut jobs);
            newly.extend(jobs.into_iter().map(Newly::Ready));
        }
    }

    /// Begins the scopes that turns have opened; in a task they are children of its scope.
    #[cold]
    pub(super) fn begin_scopes(&mut self) {
        let parent = self.hands.tab.as_ref().map(|tab| Arc::clone(&tab.cell));
        self.begin_children(parent.as_ref());
    }

    fn begin_children(&mut self, parent: Option<&Arc<Cell>>) {
        let core = self.core;
        let mut jobs = Vec::new();
        for mut draft in self.hands.outbox.scopes.take() {
            let Draft { cell, posts } = &mut draft;
            let scope = core.begin_scope(cell);
            let wants = core.listeners.wants();
            self.hands.notes.note(wants, Wants::TASKS, || Fact::ScopeStarted { scope });
            if parent.is_some_and(|parent| cell.descend_from(parent)) {
                let why = Stop::Cancelled(selvedge_event::Canceller::Parent);
                core.stop_scope(cell, why, &mut jobs);
            }
            let (place, mut errands) = (cell.place(), Vec::new());
            posts.drain(..).for_each(|range| cell.post(range, &mut errands));
            jobs.extend(errands.into_iter().map(|errand| place.job(errand)));
            if cell.release(1) {
                jobs.push(place.job(Errand::End));
            }
        }
        self.hands.newly.extend(jobs.into_iter().map(Newly::Ready));
    }

    /// Takes the last turn of a scope.
    fn end_scope(&mut self, scope: ScopeIdx) {
        self.leave_scope();
        let core = self.core;
        let found = core.scopes.find(scope);
        let found = found.and_then(|cell| Some((cell.begin_end()?, cell)));
        let Some(((mut report, body), cell)) = found else {
            assert!(core.is_halted(), "scope {scope} ends twice");
            return;
        };
        if let Err(failure) = self.last_turn(&cell, &body, &report)
            && report.outcome.is_success()
        {
            let TurnFailure { cause, panicked, .. } = failure;
            let cause = Arc::new(cause);
            report.outcome = ScopeOutcome::Failed { index: None, cause, panicked };
        }
        let parent = cell.parent();
        if !self.hands.posts.is_empty() {
            self.carry_out_posts(&cell, parent.as_ref());
        }
        self.begin_children(parent.as_ref());
        let wants = core.listeners.wants();
        self.hands.notes.note(wants, Wants::TASKS, || {
            let outcome = report.outcome.describe();
            Fact::ScopeEnded { scope: report.number, outcome }
        });
        self.publish(Posting::Midway);
        self.hands.outbox.log.forget_question();
        let mut jobs = Vec::new();
        core.end_scope(&cell, report, body, &mut jobs);
        self.hands.newly.extend(jobs.into_iter().map(Newly::Ready));
    }

    fn last_turn(
        &mut self,
        cell: &Cell,
        body: &Body,
        report: &ScopeReport,
    ) -> Result<(), TurnFailure> {
        let core = self.core;
        let Hands { outbox, posts, notes, .. } = &mut *self.hands;
        let (tasks, call) = (&*body.tasks, Call::Ended(report));
        let mut turn = TaskTurn { tasks, call, cell, core, posts };
        let seat = Seat { who: &Who::Called(&cell.name), room: 0, attempt: 1 };
        outbox.descend_from(&body.origin);
        turn::attempt(&mut turn, outbox, seat)?;
        notes.emitted_by(core.listeners.wants(), &cell.name, outbox);
        Ok(())
    }
}

fn finished(scope: u64, index: u32, outcome: Outcome, attempt: u32) -> Fact {
    Fact::TaskFinished { scope, index: index as usize, outcome, attempt }
}

/// A task, where listeners are told of turns.
fn topic(name: &Text, index: u32) -> Topic {
    let name = Name::from(name.as_str());
    Topic { kind: "selvedge::Task".into(), name, key: Some(index.into()) }
}
