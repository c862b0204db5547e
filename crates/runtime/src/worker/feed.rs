//! Owns what a worker does for events that its own thread submits: they are published in good
//! company, and when there is no room for more it takes turns.

use std::time::Duration;

use selvedge_event::IntoEvent;

use super::Worker;
use super::post::Posting;
use crate::core::Until;
use crate::error::SubmitError;
use crate::log::NotTaken;
use crate::origin::Origin;

/// Events fed that are published together at the latest.
const FED_MAX: usize = 256;

/// After how many events fed to look whether others are kept waiting.
const FED_LOOK: usize = 16;

/// How long events fed may wait for company while a worker sleeps: somewhat longer than it takes to
/// wake it.
const FED_WAIT_MAX: Duration = Duration::from_micros(100);

impl Worker {
    /// Adds an event from outside to what is published next, and says how many processors hear it.
    #[inline]
    pub(crate) fn feed(&mut self, source: impl IntoEvent) -> Result<usize, SubmitError> {
        if self.core.is_closed() {
            return Err(SubmitError::Closed { event: source.into_event() });
        }
        let n_recipients = match self.hands.outbox.log.take_in(source, &Origin::outside()) {
            Ok(n_recipients) => n_recipients,
            Err(NotTaken { event, clash: Some(clash) }) => {
                return Err(SubmitError::KindClash { event, clash });
            }
            Err(NotTaken { clash: None, .. }) => {
                self.hands.n_fed += 1;
                self.hands.tally.unrouted += 1;
                return Ok(0);
            }
        };
        self.hands.n_fed += 1;
        let n_waiting = self.hands.outbox.len();
        if n_waiting >= FED_MAX || (n_waiting % FED_LOOK == 1 && self.keeps_others_waiting()) {
            self.publish_fed();
        }
        Ok(n_recipients)
    }

    /// Whether somebody sleeps, and has slept since the last time that something was published:
    /// whoever is fed slowly is fed at once, and whoever is fed fast is not woken for each bite.
    fn keeps_others_waiting(&self) -> bool {
        self.core.has_sleepers()
            && self.core.clock.now().saturating_sub(self.hands.fed_at) >= FED_WAIT_MAX
    }

    /// Publishes what was fed; if there is no room for more, takes turns until there is.
    #[inline(never)]
    pub(crate) fn publish_fed(&mut self) {
        self.shift().publish(Posting::Midway);
        if !self.hand_over() {
            self.shift().work(Until::Room);
        }
        self.hands.fed_at = self.core.clock.now();
    }

    /// How many events were fed.
    pub(crate) fn n_fed(&self) -> u64 {
        self.hands.n_fed
    }
}
