//! Owns what threads share of one scope: a count of what is outstanding, counts of what became of
//! its tasks, and a lock around the rest.
//!
//! The count holds a unit for each task that has not come to its end, each child scope, each handle
//! outside, each alarm, and each errand that admits. Whoever adds to it holds a unit, so that it is
//! zero once, and whoever takes the last one off sees to the scope's end.

use std::ops::Range;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use rustc_hash::FxHashMap;
use selvedge_event::{Canceller, Text};
use selvedge_sync::atomic::{AtomicBool, AtomicU64, Ordering};
use selvedge_sync::{Condvar, Mutex, MutexGuard};

use super::gate::Gate;
use super::leave::Tickets;
use super::{Armed, Body, Budgets, ScopeIdx, ScopeOptions, ScopeOutcome, ScopeReport, Tasks};
use crate::attempts::{Attempts, Fault, Verdict};
use crate::origin::Origin;
use crate::policy::FailurePolicy;
use crate::ready::{Errand, Job};

/// One scope.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) name: Text,
    pub(crate) priority: i32,
    pub(crate) tasks_max: u64,
    pub(crate) has_cap: bool,
    /// Itself, for turns, which borrow it.
    me: Weak<Cell>,
    /// Set when the scope begins.
    pub(crate) place: OnceLock<Place>,
    /// What is outstanding. Taken off with release and acquire: who takes the last off sees what
    /// all others did.
    pending: AtomicU64,
    /// No further task starts. Relaxed: a task more does no harm.
    stopped: AtomicBool,
    /// Alarms that are armed, or more. Relaxed: added to under the lock, where it is asked.
    n_alarms: AtomicU64,
    /// Relaxed, as each is brought up to date before what it counts is taken off `pending`.
    tally: Tally,
    /// Taken before the scheduler's lock, or a timer's, never inside.
    state: Mutex<State>,
    over: Condvar,
}

/// Where a scope has its place in the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) scope: ScopeIdx,
    pub(crate) band: u16,
    /// The how many-th scope of the run it is, from 1.
    pub(crate) number: u64,
}

impl Place {
    pub(crate) fn job(self, errand: Errand) -> Job {
        Job::Scope { scope: self.scope, band: self.band, errand }
    }
}

/// What became of tasks.
#[derive(Debug, Default)]
struct Tally {
    posted: AtomicU64,
    done: AtomicU64,
    dead: AtomicU64,
    cancelled: AtomicU64,
}

/// The same, as one worker counts it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) posted: u64,
    pub(crate) done: u64,
    pub(crate) dead: u64,
    pub(crate) cancelled: u64,
}

/// Why no further task starts.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    Failed { index: u32, cause: Arc<anyhow::Error>, panicked: bool },
    Cancelled(Canceller),
}

/// What only the lock's holder sees.
#[derive(Debug)]
pub(super) struct State {
    gate: Gate,
    body: Option<Arc<Body>>,
    pub(super) stop: Option<Stop>,
    /// Handles outside that hold a unit each.
    n_handles: u64,
    /// Nothing more comes from outside.
    pub(super) closed: bool,
    /// The last turn is being taken, or has been.
    ending: bool,
    parent: Option<Arc<Cell>>,
    /// By number. Each child takes itself out.
    children: FxHashMap<u64, Weak<Cell>>,
    attempts: Attempts,
    /// Tasks that wait for their next attempt, or are on leave.
    pub(super) tickets: Tickets,
    report: Option<ScopeReport>,
}

/// What a scope that was stopped leaves to be done.
pub(crate) struct Stopped {
    pub(crate) children: Vec<Arc<Cell>>,
    /// Whether some of its tasks wait for their next attempt, which they needn't any more.
    pub(crate) hasten: bool,
    /// For tasks that were on leave.
    pub(crate) called_off: Vec<Errand>,
    /// Whether alarms may be armed, each with a unit, which are of no use any more.
    pub(crate) disarm: bool,
    /// Whether nothing of it is left but its end.
    pub(crate) ends: bool,
}

impl Cell {
    /// A scope that begins later. It has one unit: its opener's.
    pub(crate) fn new(options: ScopeOptions, tasks: Box<dyn Tasks>, origin: Origin) -> Arc<Cell> {
        let ScopeOptions {
            name,
            priority,
            concurrency_max,
            on_failure,
            time_budget,
            asks_budgets,
            tasks_max,
            ..
        } = options;
        let budgets = match asks_budgets {
            true => Some(Budgets::OfTasks { otherwise: time_budget }),
            false => time_budget.map(Budgets::Same),
        };
        let body = Body { tasks, origin, policy: on_failure, budgets };
        let cap = concurrency_max.map(std::num::NonZero::get);
        let state = State {
            gate: Gate::new(cap),
            body: Some(Arc::new(body)),
            stop: None,
            n_handles: 0,
            closed: false,
            ending: false,
            parent: None,
            children: FxHashMap::default(),
            attempts: Attempts::default(),
            tickets: Tickets::default(),
            report: None,
        };
        Arc::new_cyclic(|me| Cell {
            me: Weak::clone(me),
            name,
            priority,
            tasks_max,
            has_cap: cap.is_some(),
            place: OnceLock::new(),
            pending: AtomicU64::new(1),
            stopped: AtomicBool::new(false),
            n_alarms: AtomicU64::new(0),
            tally: Tally::default(),
            state: Mutex::new(state),
            over: Condvar::new(),
        })
    }

    /// Itself, for who keeps it beyond the turn that borrows it.
    pub(crate) fn shared(&self) -> Arc<Cell> {
        self.me.upgrade().expect("it is borrowed from where it is shared")
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn place(&self) -> Place {
        *self.place.get().expect("a scope has its place when it begins")
    }

    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// What is outstanding, roughly.
    #[inline]
    pub(crate) fn n_pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// What the next turn needs; `None` when the scope is over.
    pub(crate) fn body(&self) -> Option<Arc<Body>> {
        self.lock().body.clone()
    }

    pub(crate) fn parent(&self) -> Option<Arc<Cell>> {
        self.lock().parent.clone()
    }

    // ------------------------------------------------------------------ units

    /// Adds units; the caller has one.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.pending.fetch_add(n, Ordering::Relaxed);
    }

    /// Takes units off; says whether those were the last.
    #[inline]
    #[must_use]
    pub(crate) fn release(&self, n: u64) -> bool {
        n > 0 && self.pending.fetch_sub(n, Ordering::AcqRel) == n
    }

    /// Adds what a worker has counted; before it takes off the units of that.
    pub(crate) fn count(&self, counts: &Counts) {
        let Counts { posted, done, dead, cancelled } = *counts;
        let pairs = [
            (&self.tally.posted, posted),
            (&self.tally.done, done),
            (&self.tally.dead, dead),
            (&self.tally.cancelled, cancelled),
        ];
        for (total, n) in pairs {
            if n > 0 {
                total.fetch_add(n, Ordering::Relaxed);
            }
        }
    }

    // ------------------------------------------------------------------ tasks

    /// Takes tasks in; the caller has a unit. They are cancelled if none may start any more.
    pub(crate) fn post(&self, tasks: Range<u32>, errands: &mut Vec<Errand>) {
        let mut state = self.lock();
        self.post_locked(&mut state, tasks, errands);
    }

    fn post_locked(&self, state: &mut State, tasks: Range<u32>, errands: &mut Vec<Errand>) {
        let n = u64::from(tasks.end.saturating_sub(tasks.start));
        let n_before = errands.len();
        if state.gate.post(tasks, errands) {
            let admits = errands.get(n_before..).unwrap_or_default().contains(&Errand::Admit);
            self.count(&Counts { posted: n, ..Counts::default() });
            self.add(n + u64::from(admits));
        } else {
            self.count(&Counts { posted: n, cancelled: n, ..Counts::default() });
        }
    }

    /// Takes tasks in from outside; `false` if nothing may come from there any more.
    pub(crate) fn post_from_outside(&self, tasks: Range<u32>, errands: &mut Vec<Errand>) -> bool {
        let mut state = self.lock();
        if state.closed || state.stop.is_some() {
            return false;
        }
        self.post_locked(&mut state, tasks, errands);
        true
    }

    /// Admits a chunk of what waits; says whether that is to be done again.
    pub(crate) fn admit(&self, errands: &mut Vec<Errand>) -> bool {
        self.lock().gate.admit_chunk(errands)
    }

    /// A task under a cap has come to its end, having posted others.
    pub(crate) fn finish_capped(
        &self,
        posted: impl Iterator<Item = Range<u32>>,
        errands: &mut Vec<Errand>,
    ) {
        let mut state = self.lock();
        posted.for_each(|tasks| self.post_locked(&mut state, tasks, errands));
        state.gate.finish(errands);
    }

    pub(crate) fn judge(
        &self,
        policy: &FailurePolicy,
        attempt: u32,
        worthwhile: bool,
        now: Duration,
    ) -> Verdict {
        let fault = Fault { worthwhile, usable: true, restartable: false };
        self.lock().attempts.judge(policy, &self.name, attempt, fault, now)
    }

    /// Lets a task wait for its next attempt; its ticket.
    pub(crate) fn wait_for_attempt(&self, index: u32, attempt: u32) -> u32 {
        self.lock().tickets.wait(index, attempt)
    }

    /// The task with this ticket, and its next attempt's number; `None` if it was called off.
    pub(crate) fn redeem(&self, ticket: u32) -> Option<(u32, u32)> {
        self.lock().tickets.redeem(ticket)
    }

    /// Has an alarm armed, with a unit of its own, unless no further task may start; the caller has
    /// a unit.
    pub(crate) fn arm(&self, arm: impl FnOnce() -> Armed) -> Armed {
        let state = self.lock();
        if state.stop.is_some() {
            return Armed::InVain;
        }
        self.add(1);
        self.n_alarms.fetch_add(1, Ordering::Relaxed);
        // Under the lock: whoever stops the scope finds the alarm, or has said so before.
        let armed = arm();
        drop(state);
        if !matches!(armed, Armed::Set(_)) {
            self.note_alarms_gone(1);
            let ends = self.release(1);
            assert!(!ends, "whoever arms an alarm has a unit of its scope");
        }
        armed
    }

    /// So many alarms are not armed any more.
    pub(crate) fn note_alarms_gone(&self, n: u64) {
        self.n_alarms.fetch_sub(n, Ordering::Relaxed);
    }

    // ------------------------------------------------------------------ handles and relatives

    /// One more handle outside; the caller has a unit.
    pub(crate) fn open(&self) {
        let mut state = self.lock();
        if !state.closed {
            state.n_handles += 1;
            self.add(1);
        }
    }

    /// Turns the opener's unit into that of a handle outside.
    pub(crate) fn hand_out(&self) {
        self.lock().n_handles += 1;
    }

    /// A handle outside is gone. Says whether the scope ends with it.
    pub(crate) fn close_one(&self) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        state.n_handles -= 1;
        self.release(1)
    }

    /// Takes nothing more from outside. Says whether the scope ends with it.
    pub(crate) fn close(&self, errands: &mut Vec<Errand>) -> bool {
        let mut state = self.lock();
        state.closed = true;
        state.tickets.call_off(errands);
        let n = std::mem::take(&mut state.n_handles);
        self.release(n)
    }

    /// Gives a scope that begins its parent, whose unit the caller has. Says whether the parent
    /// starts no further task.
    pub(crate) fn descend_from(self: &Arc<Cell>, parent: &Arc<Cell>) -> bool {
        parent.add(1);
        self.lock().parent = Some(Arc::clone(parent));
        let mut state = parent.lock();
        state.children.insert(self.place().number, Arc::downgrade(self));
        state.stop.is_some()
    }

    // ------------------------------------------------------------------ the end

    /// Lets no further task start; `None` if that is so already. The first reason stays.
    pub(crate) fn stop(&self, why: Stop) -> Option<Stopped> {
        let mut state = self.lock();
        if state.stop.is_some() || state.ending {
            drop(state);
            // The user's error: what it does when dropped is not done under the lock.
            drop(why);
            return None;
        }
        state.stop = Some(why);
        self.stopped.store(true, Ordering::Relaxed);
        let n = state.gate.shut();
        self.count(&Counts { cancelled: n, ..Counts::default() });
        let children = state.children.values().filter_map(Weak::upgrade).collect();
        let hasten = state.tickets.waits();
        let mut called_off = Vec::new();
        state.tickets.call_off(&mut called_off);
        let disarm = self.n_alarms.load(Ordering::Relaxed) > 0;
        let ends = self.release(n);
        Some(Stopped { children, hasten, called_off, disarm, ends })
    }

    /// Begins the last turn: how the scope ended, if that turn does not fail, and what the turn
    /// needs. `None` if the run ended first.
    pub(crate) fn begin_end(&self) -> Option<(ScopeReport, Arc<Body>)> {
        let mut state = self.lock();
        let body = state.body.clone()?;
        state.ending = true;
        // Nothing can come any more: a handle that the last turn takes is closed from the start.
        state.closed = true;
        let outcome = match state.stop.take() {
            None => ScopeOutcome::Succeeded,
            Some(Stop::Failed { index, cause, panicked }) => {
                ScopeOutcome::Failed { index: Some(index), cause, panicked }
            }
            Some(Stop::Cancelled(by)) => ScopeOutcome::Cancelled { by },
        };
        drop(state);
        let report = self.report(outcome);
        assert!(report.balances(), "the tasks of a scope don't balance at its end: {report:?}");
        Some((report, body))
    }

    fn report(&self, outcome: ScopeOutcome) -> ScopeReport {
        let count = |total: &AtomicU64| total.load(Ordering::Relaxed);
        let Tally { posted, done, dead, cancelled } = &self.tally;
        ScopeReport {
            name: self.name.clone(),
            number: self.place.get().map_or(0, |place| place.number),
            outcome,
            // What is counted as ended was posted before.
            done: count(done),
            dead: count(dead),
            cancelled: count(cancelled),
            posted: count(posted),
            abandoned: 0,
        }
    }

    /// Gives the scope up: the run has ended, or the turn that would have opened it failed. What is
    /// returned is to be dropped under no lock; `None` if the scope is over already.
    pub(crate) fn give_up(self: &Arc<Cell>) -> Option<Remains> {
        let mut report = self.report(ScopeOutcome::Abandoned);
        let ended = report.done + report.dead + report.cancelled;
        // A worker's posts may be on its own books still, with what came of them.
        report.posted = report.posted.max(ended);
        report.abandoned = report.posted - ended;
        self.settle(report)
    }

    /// Ends the scope with this report and takes out what it kept.
    pub(crate) fn settle(self: &Arc<Cell>, report: ScopeReport) -> Option<Remains> {
        let mut state = self.lock();
        if state.report.is_some() {
            return None;
        }
        self.stopped.store(true, Ordering::Relaxed);
        state.report = Some(report);
        state.tickets.clear();
        state.closed = true;
        state.ending = true;
        let remains = Remains {
            _body: state.body.take(),
            _stop: state.stop.take(),
            parent: state.parent.take(),
            _tell: Tell(Arc::clone(self)),
        };
        Some(remains)
    }

    /// Forgets a child that is over.
    pub(crate) fn forget_child(&self, number: u64) {
        self.lock().children.remove(&number);
    }

    /// Waits until the scope is over.
    pub(crate) fn wait(&self) -> ScopeReport {
        let state = self.lock();
        let state = self.over.wait_while(state, |state| state.report.is_none());
        state.report.clone().expect("it was there just now")
    }

    /// How the scope ended, if it has.
    pub(crate) fn outcome(&self) -> Option<ScopeReport> {
        self.lock().report.clone()
    }
}

/// What a scope kept until its end, to be dropped under no lock; then who waits is told.
pub(crate) struct Remains {
    // In this order: a destructor of the user's that panics keeps nobody waiting.
    _body: Option<Arc<Body>>,
    _stop: Option<Stop>,
    pub(crate) parent: Option<Arc<Cell>>,
    _tell: Tell,
}

/// Wakes who waits for the end of a scope, when dropped.
struct Tell(Arc<Cell>);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.over.notify_all();
    }
}
