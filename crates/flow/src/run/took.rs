//! Owns how long something took.

use std::time::Duration;

use selvedge_lineage::RunId;
use selvedge_runtime::TaskContext;

/// How long a node took, in the run's time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Took {
    pub(crate) started: Duration,
    pub(crate) duration: Duration,
    pub(crate) attempt: u32,
    /// The run that did it, if it was not done anew.
    pub(crate) reused: Option<RunId>,
}

impl Took {
    /// From then until now, at this attempt; no time at all if nobody is to know it.
    #[inline]
    pub(crate) fn since(started: Option<Duration>, cx: &TaskContext<'_>) -> Took {
        let took = Took { attempt: cx.attempt(), ..Took::default() };
        match started {
            Some(started) => Took { started, ..took }.until(cx),
            None => took,
        }
    }

    /// The same, but until now.
    pub(crate) fn until(self, cx: &TaskContext<'_>) -> Took {
        Took { duration: cx.elapsed().saturating_sub(self.started), ..self }
    }

    /// The same, but not done anew.
    pub(crate) fn reused_from(self, run: RunId) -> Took {
        Took { reused: Some(run), ..self }
    }

    /// The same after so many attempts.
    pub(crate) fn attempts(self, attempts: u32) -> Took {
        Took { attempt: attempts, ..self }
    }
}
