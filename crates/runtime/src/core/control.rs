//! Owns what becomes of a run from outside while it goes on: paused, resumed, drained, given other
//! limits, stopped by a deadline. Everything here is off the workers' way: they read one word.

use std::time::Duration;

use selvedge_event::{Ending, Fact};
use selvedge_sync::atomic::{AtomicUsize, Ordering};

use super::{Core, Sched};
use crate::control::{ControlError, Drained, RunState};
use crate::failure::Failure;
use crate::limits::Limits;

/// What keeps turns from starting. Written under the scheduler's lock; Relaxed between turns, where
/// a turn more does no harm.
#[derive(Debug, Default)]
pub(super) struct Hold(AtomicUsize);

/// Turns have ceased for good.
const HALTED: usize = 1;
/// Turns start again when the run is resumed.
const PAUSED: usize = 2;

impl Hold {
    #[inline]
    fn bits(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn halt(&self) {
        self.0.fetch_or(HALTED, Ordering::Relaxed);
    }
}

/// The part of the scheduler's state that is about the handles of outsiders.
#[derive(Debug, Default)]
pub(crate) struct Outsiders {
    /// Threads that wait for turns to end; telling nobody would cost a system call.
    n_waiting: usize,
    /// How often everything was handled while somebody waited for that.
    n_drained: u64,
    /// Whether the processors have heard `Init`: a pause begins after that.
    initialized: bool,
    paused_before: bool,
    pub(super) paused_since: Option<Duration>,
    /// When a stop ceases to wait.
    stop_by: Option<Duration>,
    pub(crate) stopped_hard: bool,
    /// Whether somebody leads the run to its end.
    led: bool,
    /// Whether the run failed, after its failure was taken out too.
    pub(super) failed: bool,
}

impl Core {
    /// Whether no further turn is to start, for now or for good.
    #[inline]
    pub(crate) fn holds_turns(&self) -> bool {
        self.hold.bits() != 0
    }

    /// Whether turns have ceased.
    #[inline]
    pub(crate) fn is_halted(&self) -> bool {
        self.hold.bits() & HALTED != 0
    }

    #[inline]
    pub(crate) fn is_paused(&self) -> bool {
        self.hold.bits() & PAUSED != 0
    }

    /// No further turn starts. A run that is on its way to its end is not held up.
    pub(crate) fn pause(&self) {
        let mut sched = self.lock();
        if sched.stopping.is_some() || self.is_paused() || self.is_halted() {
            return;
        }
        if !sched.outsiders.initialized {
            sched.outsiders.paused_before = true;
            return;
        }
        self.shut(&mut sched);
        drop(sched);
        self.listeners.tell(Fact::Paused);
    }

    fn shut(&self, sched: &mut Sched) {
        self.hold.0.fetch_or(PAUSED, Ordering::Relaxed);
        sched.outsiders.paused_since = Some(self.clock.now());
        self.note_rest(sched);
    }

    /// The processors have heard `Init`: what was asked for before takes effect.
    pub(crate) fn note_initialized(&self) {
        let mut sched = self.lock();
        sched.outsiders.initialized = true;
        if std::mem::take(&mut sched.outsiders.paused_before) && sched.stopping.is_none() {
            self.shut(&mut sched);
            drop(sched);
            self.listeners.tell(Fact::Paused);
        }
    }

    pub(crate) fn resume(&self) {
        let mut sched = self.lock();
        sched.outsiders.paused_before = false;
        if !self.is_paused() {
            return;
        }
        self.hold.0.fetch_and(!PAUSED, Ordering::Relaxed);
        sched.outsiders.paused_since = None;
        self.publish_takeable(&mut sched);
        self.wake_all();
        drop(sched);
        self.listeners.tell(Fact::Resumed);
    }

    /// Called under the lock when a thread has nothing in hand any more.
    pub(super) fn note_rest(&self, sched: &mut Sched) {
        if sched.outsiders.n_waiting > 0 && sched.n_running == 0 {
            sched.outsiders.n_drained += u64::from(self.is_drained(sched));
            self.quiet.notify_all();
        }
    }

    /// Waits until the run is paused and no turn is under way.
    pub(crate) fn await_paused(&self) -> Result<(), ControlError> {
        let mut sched = self.lock();
        sched.outsiders.n_waiting += 1;
        let ended = loop {
            let begun = self.has_begun();
            if self.is_halted() || sched.over {
                break Err(self.why_ended(&sched));
            }
            let paused = self.is_paused() && sched.n_running == 0;
            if paused || (!begun && sched.outsiders.paused_before) {
                break Ok(());
            }
            if !self.is_paused() && !sched.outsiders.paused_before {
                break Err(ControlError::NotPaused);
            }
            sched = self.quiet.wait(sched);
        };
        sched.outsiders.n_waiting -= 1;
        ended
    }

    /// Waits for a moment in which nothing is outstanding, whoever may still submit.
    pub(crate) fn drain(&self) -> Result<Drained, ControlError> {
        let mut sched = self.lock();
        let (before, tally) = (sched.outsiders.n_drained, sched.tally);
        sched.outsiders.n_waiting += 1;
        let drained = loop {
            if sched.aborted || self.has_failed(&sched) {
                break Err(self.why_ended(&sched));
            }
            if sched.outsiders.n_drained > before || self.is_drained(&sched) || sched.over {
                break Ok(Drained {
                    handled: sched.tally.handled - tally.handled,
                    dead: sched.tally.dead - tally.dead,
                });
            }
            sched = self.quiet.wait(sched);
        };
        sched.outsiders.n_waiting -= 1;
        drained
    }

    /// Whether turns have ceased other than by the run's end.
    fn has_failed(&self, sched: &Sched) -> bool {
        let noted = sched.outsiders.failed || sched.failure.is_some() || sched.worker_panicked;
        noted || (self.is_halted() && !sched.over)
    }

    fn why_ended(&self, sched: &Sched) -> ControlError {
        if sched.aborted {
            ControlError::Aborted
        } else if self.has_failed(sched) {
            ControlError::Failed { cause: self.failure_text().unwrap_or_default() }
        } else {
            ControlError::Over
        }
    }

    /// What the run's failure says, if it has failed.
    pub(crate) fn failure_text(&self) -> Option<String> {
        self.failure_text.get().cloned()
    }

    /// The run fails, unless it has already: too much waits. Called under the lock, so only with
    /// failures that show nothing of the user's.
    pub(super) fn fail_for_excess(&self, sched: &mut Sched, failure: Failure) {
        if sched.failure.is_none() {
            let _ = self.failure_text.set(failure.describe(self));
            sched.failure = Some(failure);
        }
        self.halt();
    }

    pub(crate) fn state(&self) -> RunState {
        let sched = self.lock();
        if sched.aborted {
            RunState::Aborted
        } else if sched.outsiders.failed || sched.failure.is_some() {
            RunState::Failed
        } else if sched.over {
            RunState::Over
        } else if sched.stopping.is_some() {
            RunState::Stopping
        } else if self.is_paused() {
            if sched.n_running == 0 { RunState::Paused } else { RunState::Pausing }
        } else if !sched.outsiders.initialized {
            RunState::Waiting
        } else if sched.n_open == 0 {
            RunState::Draining
        } else {
            RunState::Running
        }
    }

    // ------------------------------------------------------------------ limits

    /// The limits as they are now.
    pub(crate) fn limits_now(&self) -> Limits {
        self.tuned.table(&self.limits)
    }

    pub(crate) fn reconfigure(&self, change: impl FnOnce(&mut Limits)) -> Result<(), ControlError> {
        let before = self.limits_now();
        let mut after = before.clone();
        change(&mut after);
        after.check().map_err(|refused| ControlError::Refused { why: refused.to_string() })?;
        if !self.tuned.change(&before, &after) {
            return Err(ControlError::FixedLimit);
        }
        for lane in &self.lanes {
            lane.reconsider(self.tuned.lane_max());
        }
        self.reconsider();
        // There may be work for several of those who wait.
        self.idle.notify_all();
        Ok(())
    }

    // ------------------------------------------------------------------ stop by a deadline

    /// Asks for an early end, and says when to cease to wait for it.
    pub(crate) fn stop_by(&self, within: Duration) {
        let mut sched = self.lock();
        let by = self.clock.now().saturating_add(within);
        let sooner = sched.outsiders.stop_by.is_none_or(|other| by < other);
        if sooner {
            sched.outsiders.stop_by = Some(by);
        }
        drop(sched);
        self.stop(Ending::Stopped);
    }

    /// Waits until the run is over, or ends it at its deadline.
    pub(crate) fn enforce_stop(&self) {
        let mut sched = self.lock();
        sched.outsiders.n_waiting += 1;
        loop {
            let left_alone = !sched.outsiders.led && self.is_quiet(&sched);
            if sched.over || sched.aborted || left_alone {
                break;
            }
            sched = self.wait_quiet(sched);
        }
        sched.outsiders.n_waiting -= 1;
    }

    /// Waits for the state to change, no longer than a stop's deadline; then ends the run.
    pub(super) fn wait_quiet<'a>(
        &'a self,
        sched: selvedge_sync::MutexGuard<'a, Sched>,
    ) -> selvedge_sync::MutexGuard<'a, Sched> {
        let Some(by) = sched.outsiders.stop_by else { return self.quiet.wait(sched) };
        let now = self.clock.now();
        if now < by {
            return self.quiet.wait_for(sched, by.saturating_sub(now));
        }
        drop(sched);
        self.end_at_once(|sched| {
            sched.outsiders.stopped_hard |= !sched.aborted;
            sched.aborted = true;
        });
        self.lock()
    }

    /// Takes the failure out, and remembers that there was one.
    pub(crate) fn take_failure(&self) -> Option<Failure> {
        let mut sched = self.lock();
        sched.outsiders.failed |= sched.failure.is_some();
        sched.failure.take()
    }

    /// Somebody leads the run to its end from now on.
    pub(crate) fn note_led(&self) {
        self.lock().outsiders.led = true;
    }
}
