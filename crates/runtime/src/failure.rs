//! Owns `Failure`: why a run fails, noted while it runs and explained when it returns.

use selvedge_event::{Event, Text};

use crate::core::{Core, Member};
use crate::error::RunError;
use crate::overflow::MailboxCapacity;
use crate::report::RunReport;
use crate::turn;

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
    /// What a cached processor emitted could not be recorded.
    Archive {
        processor: Text,
        cause: anyhow::Error,
    },
    /// Whoever fed the run failed.
    Feed {
        cause: anyhow::Error,
        panicked: bool,
    },
    /// A mailbox is at its capacity, and its policy is to fail the run.
    MailboxFull {
        processor: Text,
        capacity: MailboxCapacity,
    },
    TooManyEvents,
    TooManyBytes,
    NeverSettled,
    /// Too many workers were written off, or one could not be replaced.
    WorkersLost {
        processors: Vec<Text>,
        source: Option<std::io::Error>,
    },
}

impl Failure {
    /// The failure in a line, for who asks while the run has not returned yet. Shows the user's
    /// error, so it is called under no lock.
    pub(crate) fn describe(&self, core: &Core) -> String {
        match self {
            Failure::Turn { processor, cause, .. } => {
                format!("a turn of `{processor}` failed: {}", turn::describe(cause))
            }
            Failure::Pull { processor, cause, .. } => {
                format!("source `{processor}` failed: {}", turn::describe(cause))
            }
            Failure::Close { processor, cause } => {
                format!("`{processor}` failed to close: {}", turn::describe(cause))
            }
            Failure::Recorder { name, cause } => {
                format!("`{name}` failed: {}", turn::describe(cause))
            }
            Failure::Archive { processor, cause } => {
                format!("what `{processor}` emitted could not be recorded: {cause:#}")
            }
            Failure::Feed { cause, panicked } => {
                let verb = if *panicked { "panicked" } else { "failed" };
                format!("feeding the run {verb}: {}", turn::describe(cause))
            }
            Failure::TooManyEvents => {
                let limit = core.tuned.pipeline_events_max();
                format!("more than {limit} events wait in mailboxes")
            }
            Failure::TooManyBytes => {
                let limit = core.tuned.pipeline_bytes_max();
                format!("what is under way weighs more than {limit} bytes")
            }
            Failure::MailboxFull { processor, capacity } => {
                format!("the mailbox of `{processor}` is full: {capacity}")
            }
            Failure::WorkersLost { processors, .. } => {
                format!(
                    "turns that don't come back: {}",
                    processors.iter().map(Text::as_str).collect::<Vec<_>>().join(", ")
                )
            }
            Failure::NeverSettled => {
                format!("not settled after {} phases", core.limits.phase_max)
            }
        }
    }

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
            Failure::Archive { processor, cause } => RunError::Archive { processor, cause, report },
            Failure::Feed { cause, panicked } => RunError::Feed { cause, panicked, report },
            Failure::NeverSettled => {
                RunError::NeverSettled { phase_max: core.limits.phase_max, report }
            }
            Failure::MailboxFull { processor, capacity } => {
                RunError::MailboxFull { processor, capacity, report }
            }
            Failure::WorkersLost { processors, source } => {
                let leaked_max = core.limits.leaked_max;
                RunError::WorkersLost { processors, leaked_max, source, report }
            }
            Failure::TooManyEvents => {
                let limit = core.tuned.pipeline_events_max();
                RunError::TooManyEvents {
                    limit,
                    fullest: largest(core, Member::n_abandoned),
                    report,
                }
            }
            Failure::TooManyBytes => {
                let limit = core.tuned.pipeline_bytes_max();
                let largest = largest(core, Member::abandoned_bytes);
                RunError::TooManyBytes { limit, largest, report }
            }
        }
    }
}

/// The mailboxes in which most was given up.
fn largest<'c>(core: &'c Core, size: impl Fn(Member<'c>) -> u64) -> Vec<(Text, usize)> {
    const NAMED_MAX: usize = 3;
    let sizes = core.members().map(|member| (member, size(member)));
    let mut largest: Vec<_> = sizes.filter(|(_, n)| *n > 0).collect();
    largest.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    largest.truncate(NAMED_MAX);
    let named = |(member, n): (Member<'_>, u64)| {
        (member.name().clone(), usize::try_from(n).unwrap_or(usize::MAX))
    };
    largest.into_iter().map(named).collect()
}
