//! Owns `Feeder`: outside submissions by the thread that runs the pipeline.

use std::fmt;

use selvedge_event::IntoEvent;

use crate::error::SubmitError;
use crate::worker::Worker;

/// Submits events on the thread that runs the pipeline, which takes turns itself whenever the
/// pipeline has no room for more: no thread is idle, and none more is needed.
///
/// Made by [`Pipeline::run_with`](crate::Pipeline::run_with).
pub struct Feeder<'r> {
    worker: &'r mut Worker,
}

impl<'r> Feeder<'r> {
    pub(crate) fn new(worker: &'r mut Worker) -> Feeder<'r> {
        Feeder { worker }
    }

    /// Submits an event and says how many processors hear it; zero is legal.
    ///
    /// Up to 255 events wait to be published together when they come fast: until more are
    /// submitted, [`flush`](Self::flush) is called, or feeding ends.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Closed`], with the event, when the run takes nothing more: it failed or is
    /// being stopped.
    #[inline]
    pub fn submit(&mut self, event: impl IntoEvent) -> Result<usize, SubmitError> {
        self.worker.feed(event)
    }

    /// Publishes what waits for company.
    pub fn flush(&mut self) {
        self.worker.publish_fed();
    }
}

impl fmt::Debug for Feeder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feeder")
    }
}
