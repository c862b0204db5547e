//! Owns tasks whose work an executor has: what it came to, and what stops it when nobody needs it
//! any more.
//!
//! A node's turn hands its work to the executor and takes leave. Whoever ends the work, in whatever
//! way, puts what it came to on the desk here and has the task come back; its next turn, the same
//! attempt, takes it from there: it ends the node, or fails, and then the node's policy counts.

use std::any::Any;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use rustc_hash::FxHasher;
use selvedge_runtime::{Leave, TaskContext};
use selvedge_sync::Mutex;

use super::wide::RunWide;
use super::{Execution, Took};
use crate::executor::{Executor, Home, Work, encoded};
use crate::input::Given;
use crate::limit::Limit;
use crate::outcome::{Declined, Outcome};
use crate::request::RunInfo;
use crate::spec::Kind;
use crate::value::Shared;

/// The tasks of one scope whose work is elsewhere, by number.
pub(crate) struct Elsewhere {
    wide: Arc<RunWide>,
    desk: Mutex<HashMap<u32, Visit, BuildHasherDefault<FxHasher>>>,
    /// What else is to be given up with a task: the items of a map.
    below: Mutex<HashMap<u32, GivesUp, BuildHasherDefault<FxHasher>>>,
}

type GivesUp = Box<dyn FnOnce() + Send>;

/// An attempt that is elsewhere, or back.
struct Visit {
    number: u64,
    attempt: u32,
    /// Until it is back, or not waited for.
    leave: Option<Leave>,
    came_to: Option<CameTo>,
    sent: Sent,
}

/// What is known of work that was sent away.
pub(crate) struct Sent {
    pub(crate) given: Vec<Given>,
    /// By the run's clock.
    pub(crate) started: Duration,
}

/// What work came to: a node's is a `Shared`, an item's what the map makes of it.
pub(crate) type CameTo = Result<Box<dyn Any + Send>, Fault>;

/// How work failed.
pub(crate) enum Fault {
    Error(anyhow::Error),
    Panic(Box<dyn Any + Send>),
}

impl Fault {
    /// A skip that was meant; everything else fails the turn, a panic by panicking.
    pub(crate) fn skips(self) -> Result<crate::outcome::Skip> {
        match self {
            Fault::Error(error) => Ok(error.downcast::<Declined>()?.0),
            Fault::Panic(panic) => resume_unwind(panic),
        }
    }
}

impl Elsewhere {
    pub(crate) fn new(wide: &Arc<RunWide>) -> Elsewhere {
        Elsewhere { wide: Arc::clone(wide), desk: Mutex::default(), below: Mutex::default() }
    }

    /// What came of the work of this attempt, if it was sent away and is back.
    pub(crate) fn returned(&self, task: u32, attempt: u32) -> Option<(CameTo, Sent)> {
        let mut desk = self.desk.lock();
        let visit = desk.get(&task)?;
        if visit.attempt != attempt || visit.came_to.is_none() {
            return None;
        }
        let Visit { number, came_to, sent, .. } = desk.remove(&task)?;
        drop(desk);
        self.wide.forget_stop(number);
        Some((came_to?, sent))
    }

    /// Sends a task's work to an executor, and the task on leave.
    pub(crate) fn send(
        &self,
        cx: &mut TaskContext<'_>,
        (home, task): (Arc<dyn Home>, u32),
        executor: &dyn Executor,
        info: RunInfo,
        sent: Sent,
    ) -> Sending {
        let goes = self.wide.may_go_elsewhere();
        let number = self.wide.next_visit();
        let (given, attempt) = (sent.given.clone(), cx.attempt());
        let leave = goes.then(|| cx.leave());
        let visit = Visit { number, attempt, leave, came_to: None, sent };
        let before = self.desk.lock().insert(task, visit);
        drop(before); // Of an attempt whose executor panicked.
        let work = Work { home, task, number, info, given, ended: false };
        if !goes {
            executor.execute_here(work);
            return Sending::Done;
        }
        if let Err(error) = executor.execute(work) {
            // Instead of what is said of work that was dropped.
            let error = error.context("its executor has not taken it in");
            let refused = Some(Err(Fault::Error(error)));
            let mut desk = self.desk.lock();
            let before = desk
                .get_mut(&task)
                .map(|visit| (std::mem::replace(&mut visit.came_to, refused), visit.leave.take()));
            drop(desk);
            drop(before); // The user's value is not dropped under the lock; the leave is over.
        }
        Sending::Away
    }

    /// Work has ended, wherever that was.
    pub(crate) fn arrive(&self, task: u32, number: u64, came_to: CameTo) {
        let mut desk = self.desk.lock();
        let Some(visit) = desk.get_mut(&task).filter(|visit| visit.number == number) else {
            drop(desk);
            drop(came_to); // The user's value is not dropped under the lock.
            return;
        };
        visit.came_to = Some(came_to);
        let leave = visit.leave.take();
        drop(desk);
        if let Some(leave) = leave {
            leave.back();
        }
    }

    /// Has work stopped by this when nobody needs it any more.
    pub(crate) fn on_stop(&self, task: u32, number: u64, stop: Box<dyn FnOnce() + Send>) {
        let desk = self.desk.lock();
        let visit = desk.get(&task).filter(|visit| visit.number == number);
        match visit.map(|visit| visit.came_to.is_some()) {
            Some(true) => {}
            // Under the lock: whoever stops waiting for it finds the function, or was here before.
            Some(false) => {
                let refused = self.wide.on_stop(number, stop);
                drop(desk);
                refused.into_iter().for_each(|stop| stop());
            }
            None => {
                drop(desk);
                stop();
            }
        }
    }

    /// Waits no longer for a task: it comes back without its work, which is stopped.
    pub(crate) fn give_up(&self, task: u32) {
        let below = self.below.lock().remove(&task);
        below.into_iter().for_each(|gives_up| gives_up());
        let visit = self.desk.lock().remove(&task);
        if let Some(Visit { number, leave, .. }) = visit {
            self.wide.stop(number);
            drop(leave);
        }
    }

    /// Has this done when a task is given up.
    pub(crate) fn when_given_up(&self, task: u32, gives_up: impl FnOnce() + Send + 'static) {
        self.below.lock().insert(task, Box::new(gives_up));
    }

    /// The scope is over, or nobody needs it: all come back without their work.
    pub(crate) fn give_all_up(&self) {
        let visits = std::mem::take(&mut *self.desk.lock());
        for visit in visits.values() {
            self.wide.stop(visit.number);
        }
        drop(visits);
    }
}

/// What came of sending work away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    Away,
    /// It was done in the turn: what it came to is on the desk.
    Done,
}

/// What is left to do in the turn of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    All,
    /// It is on leave, or has ended.
    Nothing,
}

impl Execution {
    /// Whether more is to be seen to in a node's turn than what it does.
    #[inline]
    pub(crate) fn is_particular(&self, node: u32) -> bool {
        self.is_capped || self.plan.node(node).options.particular
    }

    /// Whether a node has used up its time.
    pub(crate) fn is_late(&self, node: u32) -> bool {
        self.timed.get(node).is_some_and(super::Limit::is_claimed)
    }

    /// What a node must have a permit of, in the order in which it asks.
    pub(crate) fn limits(&self, node: u32) -> impl Iterator<Item = &Limit> {
        let more = self.plan.node(node).options.more();
        let threads = more.and_then(|more| more.executor.as_ref()).and(self.wide.threads());
        let own = more.map(|more| &more.limits[..]).unwrap_or_default();
        own.iter().chain(&self.wide.cap).chain(threads)
    }

    /// Who computes a node, or the items of a map, if it is not the workers.
    pub(crate) fn executor(&self, node: u32) -> Option<&Arc<dyn Executor>> {
        self.plan.node(node).options.more()?.executor.as_ref()
    }

    /// Whether it is not what the node opens that does its work.
    fn works_itself(&self, node: u32) -> bool {
        !matches!(self.plan.node(node).kind, Kind::Map | Kind::SubFlow)
    }

    /// Who computes a node instead of a worker, in its turn.
    #[inline]
    pub(super) fn sends_to(&self, node: u32) -> Option<&Arc<dyn Executor>> {
        if !self.plan.node(node).options.particular {
            return None;
        }
        self.executor(node).filter(|_| self.works_itself(node))
    }

    /// Whether a node waits for permits, or was elsewhere and is back.
    #[cold]
    #[inline(never)]
    pub(super) fn step_in(
        self: &Arc<Execution>,
        node: u32,
        cx: &mut TaskContext<'_>,
    ) -> Result<Rest> {
        if !self.works_itself(node) {
            return Ok(Rest::All);
        }
        if !self.passes.enter(cx, node, self.priority(node), self.limits(node)) {
            return Ok(Rest::Nothing);
        }
        let Some((came_to, sent)) = self.elsewhere.returned(node, cx.attempt()) else {
            return Ok(Rest::All);
        };
        self.come_back(node, cx, came_to, &sent)?;
        Ok(Rest::Nothing)
    }

    fn come_back(
        &self,
        node: u32,
        cx: &mut TaskContext<'_>,
        came_to: CameTo,
        sent: &Sent,
    ) -> Result<()> {
        if let Some(limit) = self.timed.get(node) {
            limit.disarm(cx);
        }
        let outcome = match came_to {
            Ok(value) => match value.downcast::<Shared>() {
                Ok(value) => Outcome::Ok(*value),
                Err(_) => unreachable!("the work of a node makes a node's value"),
            },
            Err(fault) => Outcome::Skipped(fault.skips()?),
        };
        let took = Took::since(Some(sent.started), cx);
        self.end(node, outcome, &sent.given, took, &mut |node| cx.post(node));
        Ok(())
    }

    /// Sends a node to its executor.
    pub(super) fn send_away(
        self: &Arc<Execution>,
        node: u32,
        cx: &mut TaskContext<'_>,
        executor: &Arc<dyn Executor>,
        given: Vec<Given>,
    ) -> Result<()> {
        if let Some(limit) = self.timed.get(node) {
            limit.arm(cx, self.late_task(node));
        }
        let (info, sent) = (self.info(node, cx.attempt()), Sent { given, started: cx.elapsed() });
        let home: Arc<dyn Home> = Arc::clone(self) as Arc<dyn Home>;
        match self.elsewhere.send(cx, (home, node), &**executor, info, sent) {
            Sending::Away => Ok(()),
            Sending::Done => match self.elsewhere.returned(node, cx.attempt()) {
                Some((came_to, sent)) => self.come_back(node, cx, came_to, &sent),
                None => Err(anyhow!("its executor has kept work that it was to end at once")),
            },
        }
    }
}

impl Home for Execution {
    fn compute(&self, node: u32, given: &[Given]) -> Result<Box<dyn Any + Send>> {
        let computed = self.plan.node(node).body.compute(given);
        let none = || Err(anyhow!("this node has no function of its own: its executor answers it"));
        Ok(Box::new(computed.unwrap_or_else(none)?))
    }

    fn inputs_json(&self, node: u32, given: &[Given]) -> Result<Vec<u8>> {
        let values = encoded(self.plan.inputs(node).iter().zip(given))?;
        Ok([b"[", &values.join(&b","[..])[..], b"]"].concat())
    }

    fn read(&self, node: u32, json: &[u8]) -> serde_json::Result<Box<dyn Any + Send>> {
        Ok(Box::new((self.plan.node(node).read)(json)?))
    }

    fn elsewhere(&self) -> &Elsewhere {
        &self.elsewhere
    }
}
