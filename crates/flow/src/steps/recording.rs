//! Owns how runs of steps are written down: the state that a step read and the one that it left, by
//! digest, with the code that did it. One history holds runs of every layer.

use selvedge_event::{Canceller, Digest, Outcome};
use selvedge_lineage::{Record, Run, RunId, Timestamp};

use super::event::What;
use super::state::Shares;
use crate::error::JournalError;
use crate::journal::{Journal, JournalPolicy};
use crate::value::Value;

/// What a pipe asks of its journal, whatever its state is.
pub(crate) trait Records<S>: Send + Sync {
    fn journal(&self) -> &Journal;

    /// What a state is known by; nothing, if it can't be.
    fn digest(&self, state: &S) -> Option<Digest>;

    /// Keeps a state.
    fn keep(&self, state: &S, digest: &Digest) -> Result<(), JournalError>;
}

impl<S: Shares + Value> Records<S> for Journal {
    fn journal(&self) -> &Journal {
        self
    }

    fn digest(&self, state: &S) -> Option<Digest> {
        Digest::of(state).ok()
    }

    fn keep(&self, state: &S, digest: &Digest) -> Result<(), JournalError> {
        let bytes = serde_json::to_vec(state);
        let bytes = bytes.map_err(|source| JournalError::Value { digest: *digest, source })?;
        self.keep_bytes(&bytes, digest, None)
    }
}

/// How a step ended, as a history has it; nothing of what is no end.
pub(crate) fn outcome(what: &What) -> Option<Outcome> {
    match what {
        What::StepEnd => Some(Outcome::Succeeded),
        What::StepError { error, panicked, retry_in: None } => {
            Some(Outcome::Failed { error: error.clone(), panicked: *panicked })
        }
        What::TimedOut { .. } => Some(Outcome::TimedOut),
        What::Skipped { reason } => Some(Outcome::Skipped { reason: reason.clone() }),
        What::Suspended { .. } => Some(Outcome::Suspended),
        What::Cancelled { .. } => Some(Outcome::Cancelled { by: Canceller::User }),
        _ => None,
    }
}

/// Writes that a run begins, or goes on.
pub(crate) fn begin(journal: &Journal, run: Run, goes_on: bool) -> Result<(), JournalError> {
    if goes_on {
        let id = run.id;
        if journal.history().run(id)?.is_some() {
            return Ok(journal.history().resume_run(id)?);
        }
    }
    Ok(journal.begin(run)?)
}

/// Writes what a step has done.
pub(crate) fn record(journal: &Journal, record: Record) -> Result<(), JournalError> {
    Ok(journal.record(record)?)
}

/// Writes that a leg of a run has ended. What could not be written fails it, or does not, as the
/// journal says.
pub(crate) fn end(
    journal: &Journal,
    run: RunId,
    outcome: Outcome,
    at: Timestamp,
    lost: Option<String>,
) -> Result<(), String> {
    let ended = journal.end(run, outcome, at);
    let ended = ended.map_err(|error| format!("{:#}", anyhow::Error::new(error)));
    match (journal.on_failure(), lost.map_or(ended, Err)) {
        (JournalPolicy::Fail, Err(error)) => {
            Err(format!("the run could not be written down: {error}"))
        }
        _ => Ok(()),
    }
}
