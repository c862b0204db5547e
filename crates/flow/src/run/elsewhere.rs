//! Owns nodes that have a thread of their own, since they block: at most so many at a time, the
//! others wait in line.
//!
//! A node's turn hands what it reads to a thread, with a handle on the run's scope, and is over.
//! The thread's last deed, even if it panics, is to post the node's return; that task joins the
//! thread and ends the node.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use rustc_hash::FxHasher;
use selvedge_runtime::{Scope, TaskContext};
use selvedge_sync::Mutex;
use selvedge_sync::thread::{self, JoinHandle};

use super::{Execution, Took};
use crate::input::Given;
use crate::outcome::{Cause, Declined, Failure, Outcome};
use crate::value::Shared;

/// The threads of one run.
#[derive(Default)]
pub(super) struct Elsewhere(Mutex<Threads>);

#[derive(Default)]
struct Threads {
    under_way: HashMap<u32, Visit, BuildHasherDefault<FxHasher>>,
    waiting: VecDeque<(u32, Vec<Given>)>,
}

/// A node on its thread.
struct Visit {
    thread: JoinHandle<Result<Shared>>,
    given: Vec<Given>,
    /// By the run's clock.
    started: Duration,
}

/// Threads that nodes of one run may have at a time, unless its request says otherwise.
pub(crate) const THREADS_MAX: usize = 64;

impl Execution {
    /// Gives a node a thread, or lets it wait for one.
    pub(super) fn send_away(
        self: &Arc<Execution>,
        cx: &mut TaskContext<'_>,
        node: u32,
        given: Vec<Given>,
    ) -> Result<()> {
        let mut threads = self.elsewhere.0.lock();
        if threads.under_way.len() >= self.threads_max {
            threads.waiting.push_back((node, given));
            return Ok(());
        }
        let visit = self.visit(cx, node, given)?;
        threads.under_way.insert(node, visit);
        Ok(())
    }

    fn visit(
        self: &Arc<Execution>,
        cx: &mut TaskContext<'_>,
        node: u32,
        given: Vec<Given>,
    ) -> Result<Visit> {
        let started = cx.elapsed();
        if let Some(limit) = self.timed.get(node) {
            limit.arm(cx, self.late_task(node));
        }
        let returns = Returns { scope: cx.handle(), task: self.return_task(node) };
        let (execution, read) = (Arc::clone(self), given.clone());
        let work = move || {
            let _returns = returns;
            let computed = execution.plan.node(node).body.compute(&read);
            computed.unwrap_or_else(|| Err(anyhow!("this kind of node has no work of its own")))
        };
        let thread = thread::spawn(&format!("selvedge-node-{node}"), work)?;
        Ok(Visit { thread, given, started })
    }

    /// A node is back from its thread: ends it, and gives the thread's place to the next.
    pub(super) fn come_back(self: &Arc<Execution>, cx: &mut TaskContext<'_>, node: u32) {
        let visit = self.elsewhere.0.lock().under_way.remove(&node);
        let Some(Visit { thread, given, started }) = visit else { return };
        let outcome = match thread.join() {
            Ok(Ok(value)) => Outcome::Ok(value),
            Ok(Err(error)) => match error.downcast::<Declined>() {
                Ok(Declined(skip)) => Outcome::Skipped(skip),
                Err(error) => Outcome::Err(Failure::of_error(self.step(node), &error)),
            },
            Err(panic) => {
                let message = thread::panic_message(&*panic);
                Outcome::Err(Failure::new(self.step(node), Cause::Panic, message))
            }
        };
        if let Some(limit) = self.timed.get(node) {
            limit.disarm(cx);
        }
        let took = Took::since(started, cx);
        self.end(node, outcome, &given, took, &mut |node| cx.post(node));
        let next = self.elsewhere.0.lock().waiting.pop_front();
        if let Some((next, given)) = next
            && let Err(error) = self.send_away(cx, next, given)
        {
            let outcome = Outcome::Err(Failure::of_error(self.step(next), &error));
            let given = self.gather(next, 1);
            self.end(next, outcome, &given, Took::since(started, cx), &mut |node| cx.post(node));
        }
    }
}

/// Posts a node's return when its thread is through, in whatever way.
struct Returns {
    scope: Scope,
    task: u32,
}

impl Drop for Returns {
    fn drop(&mut self) {
        // A run that was stopped in between has no use for it.
        let _ = self.scope.post(self.task);
    }
}
