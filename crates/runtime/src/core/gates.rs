//! Owns the keys under which turns in flight are limited, while a pipeline runs.

use std::num::NonZeroUsize;

use super::Core;
use crate::limiter::Gate;

impl Core {
    /// Every key's gate, in order of declaration; none before the run.
    #[inline]
    pub(crate) fn gates(&self) -> &[Gate] {
        self.wired.get().map_or(&[], |wired| &wired.gates)
    }

    /// Changes how many turns may be in flight under a key; `false` if there is no such key, or the
    /// run has not begun.
    ///
    /// Whoever waits is let in here and now: under the scheduler's lock, so that nobody takes the
    /// run for quiet while a job that was let in is in no ready set.
    #[expect(dead_code, reason = "called once a run can be reconfigured")]
    pub(crate) fn set_concurrency(&self, key: &str, cap: NonZeroUsize) -> bool {
        let Some(gate) = self.gates().iter().find(|gate| gate.key.as_str() == key) else {
            return false;
        };
        let mut sched = self.lock();
        for job in gate.set_cap(cap) {
            let band = self.band(job);
            sched.ready.push(job, band);
        }
        self.publish_takeable(&mut sched);
        // It wakes one, and whoever takes one thing wakes another if something is left.
        true
    }
}
