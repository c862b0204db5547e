//! Owns what is done about scopes apart from their tasks' turns: they begin, are posted to from
//! outside, are stopped, end, are given up.
//!
//! Who does something from outside counts as running meanwhile, so that nobody takes the run for
//! quiet before the jobs that come of it are where workers look.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Canceller, Fact, Wants};

use super::Core;
use crate::alarms::Alarm;
use crate::origin::Origin;
use crate::ready::{Errand, Job};
use crate::scope::{Armed, Body, Cell, Scope, ScopeError, ScopeOptions, ScopeReport, Stop, Tasks};
use crate::timers::TimerId;

impl Core {
    /// Opens a scope for a thread outside.
    pub(crate) fn open_scope(
        self: &Arc<Core>,
        options: ScopeOptions,
        tasks: Box<dyn Tasks>,
    ) -> Result<Scope, ScopeError> {
        options.check()?;
        if self.scopes.is_full() {
            let limit = self.scopes.scopes_max;
            return Err(ScopeError::TooMany { name: options.name, limit });
        }
        let mut sched = self.lock();
        let is_closed = sched.stopping.is_some() || sched.over || self.is_halted();
        if is_closed || !self.has_begun() {
            return Err(ScopeError::Closed { name: options.name });
        }
        sched.n_open += 1;
        drop(sched);
        let cell = Cell::new(options, tasks, Origin::outside());
        cell.hand_out();
        let number = self.begin_scope(&cell);
        self.listeners.tell(Fact::ScopeStarted { scope: number });
        let scope = Scope::new(self, cell);
        // Whoever stopped or halted the run in between has not seen the scope.
        if self.is_halted() {
            self.abandon_scopes();
        } else if self.lock().stopping.is_some() {
            self.close_scopes();
        }
        Ok(scope)
    }

    /// Gives a scope its place and its number.
    pub(crate) fn begin_scope(&self, cell: &Arc<Cell>) -> u64 {
        let band = u16::try_from(self.band_of(cell.priority)).unwrap_or(u16::MAX);
        self.scopes.insert(cell, band).number
    }

    /// Posts to a scope; `false` if it takes nothing more.
    pub(crate) fn post_from_outside(&self, cell: &Cell, tasks: Range<u32>) -> bool {
        self.enter();
        let mut errands = Vec::new();
        let is_accepted = cell.post_from_outside(tasks, &mut errands);
        let place = cell.place();
        self.exit(errands.into_iter().map(|errand| place.job(errand)));
        is_accepted
    }

    /// A turn of a scope takes a handle on it, for another thread; the turn has a unit. A run that
    /// is coming to its end takes nothing more from there.
    pub(crate) fn open_handle(self: &Arc<Core>, cell: Arc<Cell>) -> Scope {
        let mut sched = self.lock();
        sched.n_open += 1;
        let is_closed = sched.stopping.is_some() || sched.over || self.is_halted();
        drop(sched);
        // Whoever stops the run from here on finds the scope, and closes it.
        if is_closed {
            self.enter();
            let mut errands = Vec::new();
            let ends = cell.close(&mut errands);
            assert!(!ends, "whoever takes a handle has a unit of the scope");
            let place = cell.place();
            self.exit(errands.into_iter().map(|errand| place.job(errand)));
        }
        cell.open();
        Scope::new(self, cell)
    }

    /// A handle on a scope is gone.
    pub(crate) fn close_scope(&self, cell: &Cell) {
        self.enter();
        let ends = cell.close_one().then(|| cell.place().job(Errand::End));
        self.exit(ends.into_iter());
        self.close_one();
    }

    /// Takes nothing more for scopes from outside.
    pub(crate) fn close_scopes(&self) {
        self.enter();
        let all = self.scopes.all();
        let mut jobs: Vec<Job> = Vec::new();
        for cell in &all {
            let mut errands = Vec::new();
            if cell.close(&mut errands) {
                errands.push(Errand::End);
            }
            jobs.extend(errands.into_iter().map(|errand| cell.place().job(errand)));
        }
        self.exit(jobs.into_iter());
    }

    /// Stops a scope from outside.
    pub(crate) fn cancel_scope(&self, cell: &Arc<Cell>, why: Stop) {
        self.enter();
        let mut jobs = Vec::new();
        self.stop_scope(cell, why, &mut jobs);
        self.exit(jobs.into_iter());
    }

    /// Lets no further task of a scope start, nor of its descendants. The caller counts as running
    /// and sees to the jobs.
    pub(crate) fn stop_scope(&self, cell: &Arc<Cell>, why: Stop, jobs: &mut Vec<Job>) {
        let mut to_stop = vec![(Arc::clone(cell), why)];
        while let Some((cell, why)) = to_stop.pop() {
            let Some(stopped) = cell.stop(why) else { continue };
            let by_parent = |child| (child, Stop::Cancelled(Canceller::Parent));
            to_stop.extend(stopped.children.into_iter().map(by_parent));
            if stopped.hasten {
                self.hasten_attempts(&cell);
            }
            jobs.extend(stopped.called_off.into_iter().map(|errand| cell.place().job(errand)));
            if stopped.disarm {
                self.disarm_all(&cell, jobs);
            }
            if stopped.ends {
                jobs.push(cell.place().job(Errand::End));
            }
        }
    }

    /// Has a scope post a task to itself after a while; the caller has a unit.
    pub(crate) fn arm_for_scope(&self, cell: &Cell, after: Duration, index: u32) -> Armed {
        let job = cell.place().job(Errand::Due(index));
        cell.arm(|| self.arm_alarm(after, job))
    }

    /// Takes an alarm of a scope back; `false` if it has come, or is none of the scope's. The
    /// caller has a unit.
    pub(crate) fn disarm_for_scope(&self, cell: &Cell, timer: TimerId) -> bool {
        let is_disarmed = self.disarm_alarm(timer, cell.place().scope);
        if is_disarmed {
            cell.note_alarms_gone(1);
            let ends = cell.release(1);
            assert!(!ends, "whoever takes an alarm back has a unit of its scope");
        }
        is_disarmed
    }

    /// Takes all alarms of a scope that is stopped back.
    fn disarm_all(&self, cell: &Cell, jobs: &mut Vec<Job>) {
        let n = self.disarm_alarms(cell.place().scope);
        cell.note_alarms_gone(n);
        if cell.release(n) {
            jobs.push(cell.place().job(Errand::End));
        }
    }

    /// Lets the tasks of a scope that wait for their next attempt wait no longer.
    pub(crate) fn hasten_attempts(&self, cell: &Cell) {
        let wanted = cell.place().scope;
        self.hasten_alarms(|alarm| match alarm {
            Alarm::Attempt(Job::Scope { scope, .. }) => *scope == wanted,
            _ => false,
        });
    }

    /// Notes how a scope ended. What its turns needed is dropped, before who waits is told.
    pub(crate) fn end_scope(
        &self,
        cell: &Arc<Cell>,
        report: ScopeReport,
        body: Arc<Body>,
        jobs: &mut Vec<Job>,
    ) {
        let number = report.number;
        let Some(mut remains) = cell.settle(report) else { return };
        self.scopes.remove(cell);
        let parent = remains.parent.take();
        drop(body);
        drop(remains);
        if let Some(parent) = parent {
            parent.forget_child(number);
            if parent.release(1) {
                jobs.push(parent.place().job(Errand::End));
            }
        }
    }

    /// Gives up all scopes, since no further turn starts.
    pub(super) fn abandon_scopes(&self) {
        let wanted = self.listeners.wants().contains(Wants::TASKS);
        self.scopes.abandon(|report| {
            if wanted {
                let outcome = report.outcome.describe();
                self.listeners.tell(Fact::ScopeEnded { scope: report.number, outcome });
            }
        });
    }

    /// The caller, which has entered, has nothing in hand any more but these.
    pub(crate) fn exit(&self, jobs: impl Iterator<Item = Job>) {
        let mut sched = self.lock();
        for job in jobs {
            sched.ready.push(job, self.band(job));
        }
        self.publish_takeable(&mut sched);
        self.leave(&mut sched);
    }
}
