//! Owns the timers of a run under the scheduler's lock: set, cancelled, due, given up.

use std::time::Duration;

use selvedge_event::Ending;
use selvedge_sync::atomic::Ordering;

use super::{Core, Sched};
use crate::alarms::Alarm;
use crate::ready::{Job, ScopeIdx};
use crate::scope::Armed;
use crate::timer_log::{TimerLog, TimerWish};
use crate::timers::TimerId;

/// Alarms seen to at a time.
const DUE_MAX: usize = 256;

/// No timer is running.
const NEVER: u64 = u64::MAX;

impl Core {
    /// Carries out what turns wished of timers.
    #[cold]
    pub(crate) fn carry_out(&self, log: &mut TimerLog) {
        let mut sched = self.lock();
        let now = self.clock.now();
        // Nothing waits for a time that a run which is ending will not see.
        let ending = sched.stopping.is_some() || self.is_halted();
        let mut dropped = Vec::new();
        for wish in log.drain() {
            match wish {
                TimerWish::Set { event, origin, .. } if ending => {
                    dropped.push(Alarm::Emit { event, origin });
                }
                TimerWish::Set { id, after, repeat, event, origin } => {
                    let alarm = Alarm::Emit { event, origin };
                    sched.timers.set(id, now.saturating_add(after), repeat, alarm);
                }
                TimerWish::Cancel(id) => dropped.extend(sched.timers.cancel(id)),
            }
        }
        log.allow(self.tuned.timers_max().saturating_sub(sched.timers.len()));
        self.publish_alarms(&mut sched);
        drop(sched);
        // The user's events: what they do when dropped is not done under the lock.
        drop(dropped);
    }

    /// Lets something happen after a while.
    pub(crate) fn arm(&self, after: Duration, alarm: Alarm) {
        let mut sched = self.lock();
        // A run that is stopped early does not wait.
        let stopped = sched.stopping.is_some_and(|ending| ending != Ending::Completed);
        let after = if stopped { Duration::ZERO } else { after };
        let due = self.clock.now().saturating_add(after);
        if let Some(owner) = alarm.puts_off() {
            sched.lost.n_put_off += 1;
            // Its turn is counted, and it waits for another.
            self.member(owner).slot.note_posted(1);
        }
        let after_the_end = self.is_halted();
        if after_the_end {
            self.note_given_up(&alarm);
            drop(sched);
            drop(alarm);
            return;
        }
        sched.timers.arm(due, alarm);
        self.publish_alarms(&mut sched);
    }

    /// Tells workers when to look, and the idle ones to wait no longer than that.
    fn publish_alarms(&self, sched: &mut Sched) {
        let next = sched
            .timers
            .next_due()
            .map_or(NEVER, |due| u64::try_from(due.as_nanos()).unwrap_or(NEVER - 1));
        let before = self.next_alarm.swap(next, Ordering::Relaxed);
        if next < before {
            // Whoever waits for a later one, or for none, has to wait anew.
            sched.timekeeping = false;
            self.idle.notify_all();
        }
    }

    /// Whether some timer runs: then workers look more often.
    #[inline]
    pub(crate) fn has_alarms(&self) -> bool {
        self.next_alarm.load(Ordering::Relaxed) != NEVER
    }

    /// Whether a timer is due.
    #[inline]
    pub(crate) fn is_alarm_due(&self) -> bool {
        let next = self.next_alarm.load(Ordering::Relaxed);
        next != NEVER && self.clock.now() >= Duration::from_nanos(next)
    }

    /// When the next timer is due, if one is running.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let next = self.next_alarm.load(Ordering::Relaxed);
        (next != NEVER).then(|| Duration::from_nanos(next))
    }

    /// Takes out what is due.
    pub(crate) fn take_due(&self) -> Vec<Alarm> {
        let mut sched = self.lock();
        let now = self.clock.now();
        let due = std::iter::from_fn(|| sched.timers.pop_due(now));
        let due: Vec<_> = due.take(DUE_MAX).map(|fired| fired.alarm).collect();
        self.publish_alarms(&mut sched);
        due
    }

    /// Ends all timers of turns, since the run comes to its end; what waits for another attempt
    /// waits no longer.
    pub(super) fn end_timers(&self, sched: &mut Sched) -> Vec<Alarm> {
        let mut dropped = Vec::new();
        // A scope's alarms are kept: it comes to its end, and what it limits stays limited.
        for alarm in sched.timers.extract(|alarm| !matches!(alarm, Alarm::Due(_))) {
            match alarm {
                Alarm::Emit { .. } => dropped.push(alarm),
                Alarm::Wake(_) | Alarm::Redeliver { .. } | Alarm::Attempt(_) | Alarm::Due(_) => {
                    sched.timers.arm(Duration::ZERO, alarm);
                }
            }
        }
        self.publish_alarms(sched);
        dropped
    }

    /// Lets the alarms that are like this wait no longer.
    pub(super) fn hasten_alarms(&self, is_like: impl Fn(&Alarm) -> bool) {
        let mut sched = self.lock();
        sched.timers.hasten(self.clock.now(), is_like);
        self.publish_alarms(&mut sched);
    }

    /// Has a job done after a while, unless turns have ceased or there are as many timers as there
    /// may be.
    pub(super) fn arm_alarm(&self, after: Duration, job: Job) -> Armed {
        let mut sched = self.lock();
        if self.is_halted() {
            return Armed::InVain;
        }
        if sched.timers.len() >= self.tuned.timers_max() {
            return Armed::TooMany;
        }
        let due = self.clock.now().saturating_add(after);
        let timer = sched.timers.arm(due, Alarm::Due(job));
        self.publish_alarms(&mut sched);
        Armed::Set(timer)
    }

    /// Takes an alarm of this scope out; `false` if it is not running.
    pub(super) fn disarm_alarm(&self, timer: TimerId, wanted: ScopeIdx) -> bool {
        let mut sched = self.lock();
        let is_found = sched.timers.alarm(timer).is_some_and(|alarm| is_of(alarm, wanted));
        if is_found {
            let _ = sched.timers.cancel(timer);
            self.publish_alarms(&mut sched);
        }
        is_found
    }

    /// Takes all alarms of a scope out; how many they were.
    pub(super) fn disarm_alarms(&self, wanted: ScopeIdx) -> u64 {
        let mut sched = self.lock();
        let n = sched.timers.extract(|alarm| is_of(alarm, wanted)).len();
        self.publish_alarms(&mut sched);
        n as u64
    }

    /// Gives up all timers: turns have ceased.
    pub(super) fn abandon_timers(&self) {
        let mut sched = self.lock();
        let alarms = sched.timers.abandon();
        alarms.iter().for_each(|alarm| self.note_given_up(alarm));
        self.publish_alarms(&mut sched);
        drop(sched);
        drop(alarms);
    }

    fn note_given_up(&self, alarm: &Alarm) {
        if let Some(owner) = alarm.delivers_to() {
            self.member(owner).note_abandoned(1, 0);
        }
    }
}

/// Whether an alarm is one of this scope's.
fn is_of(alarm: &Alarm, wanted: ScopeIdx) -> bool {
    matches!(alarm, Alarm::Due(Job::Scope { scope, .. }) if *scope == wanted)
}
