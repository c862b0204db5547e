//! Owns the threads that take a run's turns: started, replaced when written off, joined.

use std::io;
use std::sync::Arc;

use selvedge_sync::Mutex;
use selvedge_sync::thread::{self, Caught, JoinHandle};

use super::{Plan, WorkerStart};
use crate::board::Board;
use crate::core::{Core, Counted, LostTurn};
use crate::report::{RunReport, StuckTurn};
use crate::routes::{RouteCache, RouteTable};
use crate::spans::RunSpan;
use crate::worker::Worker;

/// The workers of a run that have threads.
pub(super) struct Crew {
    core: Arc<Core>,
    routes: Arc<RouteTable>,
    on_start: Option<WorkerStart>,
    span: RunSpan,
    roll: Mutex<Roll>,
}

/// Who is there. Taken with nothing else inside.
struct Roll {
    hands: Vec<Hand>,
    /// Keeps the timers of all workers apart, those that are gone included.
    next_number: usize,
}

struct Hand {
    seat: usize,
    board: Arc<Board>,
    thread: JoinHandle<()>,
}

impl Crew {
    pub(super) fn new(plan: &Plan, span: &RunSpan) -> Crew {
        Crew {
            core: Arc::clone(&plan.core),
            routes: Arc::clone(&plan.routes),
            on_start: plan.on_worker_start.clone(),
            span: span.clone(),
            // The workers' own numbers, and the lead's.
            roll: Mutex::new(Roll { hands: Vec::new(), next_number: plan.n_workers + 1 }),
        }
    }

    /// Starts a worker on this seat.
    pub(super) fn hire(&self, seat: usize) -> io::Result<()> {
        self.start(seat, seat, &mut self.roll.lock())
    }

    /// Leaves the thread of a worker to itself that was written off.
    pub(super) fn dismiss(&self, board: &Arc<Board>) {
        self.roll.lock().hands.retain(|hand| !Arc::ptr_eq(&hand.board, board));
    }

    /// Starts a worker in the place of one that was written off.
    pub(super) fn replace(&self, seat: usize) -> io::Result<()> {
        let mut roll = self.roll.lock();
        let number = roll.next_number;
        roll.next_number += 1;
        self.start(seat, number, &mut roll)
    }

    fn start(&self, seat: usize, number: usize, roll: &mut Roll) -> io::Result<()> {
        let routes = RouteCache::new(Arc::clone(&self.routes));
        let mut worker = Worker::numbered(Arc::clone(&self.core), routes, seat, number);
        let board = Arc::clone(worker.board());
        let guard = HaltOnPanic { core: Arc::clone(&self.core), board: Arc::clone(&board) };
        let (on_start, span) = (self.on_start.clone(), self.span.clone());
        let thread = thread::spawn(&format!("selvedge-worker-{seat}"), move || {
            let _guard = guard;
            let _in_run = span.enter();
            if let Some(on_start) = on_start {
                on_start(seat);
            }
            worker.serve();
        })?;
        roll.hands.push(Hand { seat, board, thread });
        Ok(())
    }

    /// The seats, and what is to be seen of who sits there.
    pub(super) fn boards(&self) -> Vec<(usize, Arc<Board>)> {
        let roll = self.roll.lock();
        roll.hands.iter().map(|hand| (hand.seat, Arc::clone(&hand.board))).collect()
    }

    /// Waits for the threads that were not left to themselves.
    pub(super) fn join(&self) -> Caught<()> {
        let hands = std::mem::take(&mut self.roll.lock().hands);
        let ends: Vec<_> = hands.into_iter().map(|hand| hand.thread.join()).collect();
        ends.into_iter().collect()
    }
}

/// A worker that panics outside of a turn must not leave the others waiting for it; nobody waits
/// for one that was written off.
struct HaltOnPanic {
    core: Arc<Core>,
    board: Arc<Board>,
}

impl Drop for HaltOnPanic {
    fn drop(&mut self) {
        if thread::is_panicking() && !self.core.is_written_off(&self.board) {
            self.core.note_panicked_worker();
        }
    }
}

impl super::Run {
    /// The turns that were written off.
    pub(super) fn stuck_turns(&self) -> Vec<StuckTurn> {
        let core = &self.plan.core;
        let stuck = |turn: LostTurn| {
            let member = core.member(turn.owner);
            StuckTurn {
                processor: member.name().clone(),
                worker: turn.worker,
                stuck_for: turn.stuck_for,
                abandoned: member.n_unhandled(),
            }
        };
        core.lost_turns().into_iter().map(stuck).collect()
    }

    /// Tells which turns were written off, and counts what their workers have not told.
    pub(super) fn settle_stuck(&self, report: &mut RunReport) {
        let core = &self.plan.core;
        report.stuck = self.stuck_turns();
        let Counted { accepted, handled, dead, dropped } = core.counted();
        let in_lanes = report.accepted - core.lock().tally.accepted;
        if report.stuck.is_empty() {
            let told = (report.accepted - in_lanes, report.handled, report.dead, report.dropped);
            let agrees = (accepted, handled, dead, dropped) == told;
            debug_assert!(agrees, "tallies differ from {:?}: {report:?}", core.counted());
            return;
        }
        report.accepted = accepted + in_lanes;
        (report.handled, report.dead, report.dropped) = (handled, dead, dropped);
        let known = handled + dead + dropped + report.abandoned;
        report.abandoned += report.accepted.saturating_sub(known);
    }
}
