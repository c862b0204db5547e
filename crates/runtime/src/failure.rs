//! Owns `Failure`: why a run fails, noted while it runs and explained when it returns.

use selvedge_event::{Event, Text};

use crate::core::Core;
use crate::error::RunError;
use crate::report::RunReport;

/// Why no further turn may start.
#[derive(Debug)]
pub(crate) enum Failure {
    Turn {
        processor: Text,
        event: Event,
        cause: anyhow::Error,
        panicked: bool,
    },
    Pull {
        processor: Text,
        cause: anyhow::Error,
        panicked: bool,
    },
    Close {
        processor: Text,
        cause: anyhow::Error,
    },
    Recorder {
        name: Text,
        cause: anyhow::Error,
    },
    /// Whoever fed the run failed.
    Feed {
        cause: anyhow::Error,
        panicked: bool,
    },
    /// A timer that a turn set could not be told.
    Timer {
        cause: anyhow::Error,
    },
    TooManyEvents,
    NeverSettled,
}

impl Failure {
    /// The error that a run with this report returns.
    pub(crate) fn explain(self, core: &Core, report: RunReport) -> RunError {
        let report = Box::new(report);
        match self {
            Failure::Turn { processor, event, cause, panicked } => {
                RunError::Turn { processor, event, cause, panicked, report }
            }
            Failure::Pull { processor, cause, panicked } => {
                RunError::Pull { processor, cause, panicked, report }
            }
            Failure::Close { processor, cause } => RunError::Close { processor, cause, report },
            Failure::Recorder { name, cause } => RunError::Recorder { name, cause, report },
            Failure::Feed { cause, panicked } => RunError::Feed { cause, panicked, report },
            Failure::Timer { cause } => RunError::Timer { cause, report },
            Failure::NeverSettled => {
                RunError::NeverSettled { phase_max: core.limits.phase_max, report }
            }
            Failure::TooManyEvents => {
                const NAMED_MAX: usize = 3;
                let mut fullest: Vec<_> = core
                    .slots()
                    .iter()
                    .map(|slot| (slot.info.name.clone(), slot.n_abandoned()))
                    .map(|(name, n)| (name, usize::try_from(n).unwrap_or(usize::MAX)))
                    .filter(|(_, n)| *n > 0)
                    .collect();
                fullest.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
                fullest.truncate(NAMED_MAX);
                RunError::TooManyEvents { limit: core.limits.pipeline_events_max, fullest, report }
            }
        }
    }
}
