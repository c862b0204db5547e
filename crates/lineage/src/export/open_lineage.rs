//! Owns `OpenLineage` run events: what of a run and of a record goes where in them.
//!
//! A run is an `OpenLineage` run of the job named for its pipeline; an execution is one of the job
//! `<pipeline>.<step>`, with the run as its parent. Values are datasets named by their digests.

use std::io::Write;

use selvedge_event::{Digest, Outcome};
use serde_json::{Value, json};

use super::PAGE_LEN;
use crate::error::HistoryError;
use crate::filter::{Filter, Page};
use crate::history::History;
use crate::questions::Found;
use crate::run::{Run, RunId};
use crate::time::Timestamp;

/// The schema that the events follow: `OpenLineage` 2-0-2.
pub const SCHEMA_URL: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const PARENT_URL: &str =
    "https://openlineage.io/spec/facets/1-0-1/ParentRunFacet.json#/$defs/ParentRunFacet";
const ERROR_URL: &str = concat!(
    "https://openlineage.io/spec/facets/1-0-1/ErrorMessageRunFacet.json",
    "#/$defs/ErrorMessageRunFacet"
);

/// Writes a history as `OpenLineage` events.
///
/// ```
/// use selvedge_lineage::{Filter, History, export::OpenLineage};
/// let mut lines = Vec::new();
/// let events = OpenLineage { namespace: "shop", producer: "https://shop.example/pipelines" };
/// events.write(&History::in_memory(), &Filter::new(), &mut lines)?;
/// assert!(lines.is_empty());
/// # Ok::<(), selvedge_lineage::HistoryError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenLineage<'o> {
    /// The namespace of jobs and datasets: what tells yours from others'.
    pub namespace: &'o str,
    /// The URI of what made the events, as the schema wants it.
    pub producer: &'o str,
}

impl OpenLineage<'_> {
    /// Writes the events of all runs that the filter leaves, a line each: a run's start, its
    /// executions, its end if it has ended. Returns how many.
    ///
    /// # Errors
    ///
    /// The history could not be read, or the lines not be written.
    pub fn write(
        &self,
        history: &History,
        filter: &Filter,
        mut to: impl Write,
    ) -> Result<u64, HistoryError> {
        let mut n = 0;
        let mut write = |event: &Value| -> Result<(), HistoryError> {
            n += 1;
            writeln!(to, "{event}").map_err(HistoryError::Export)
        };
        let mut page = Page::first(PAGE_LEN);
        loop {
            let runs = history.runs(filter, &page)?;
            for run in &runs.items {
                write(&self.start(run))?;
                self.executions(history, run, &mut write)?;
                if let Some(event) = self.end(run) {
                    write(&event)?;
                }
            }
            match runs.next {
                Some(cursor) => page = page.after(cursor),
                None => return Ok(n),
            }
        }
    }

    fn executions(
        &self,
        history: &History,
        run: &Run,
        write: &mut impl FnMut(&Value) -> Result<(), HistoryError>,
    ) -> Result<(), HistoryError> {
        let mut page = Page::first(PAGE_LEN);
        loop {
            let found = history.of_run(run.id, &Filter::new(), &page)?;
            for found in &found.items {
                write(&self.execution(run, found))?;
            }
            match found.next {
                Some(cursor) => page = page.after(cursor),
                None => return Ok(()),
            }
        }
    }

    fn start(&self, run: &Run) -> Value {
        let mut event = self.event("START", run.started_at, run.id, &run.pipeline);
        event["inputs"] = run.parameters.values().map(|value| self.dataset(value)).collect();
        event
    }

    fn end(&self, run: &Run) -> Option<Value> {
        let end = run.end.as_ref()?;
        let mut event = self.event(kind_of(&end.outcome), end.at, run.id, &run.pipeline);
        self.put_error(&mut event, &end.outcome);
        Some(event)
    }

    fn execution(&self, run: &Run, found: &Found) -> Value {
        let record = &found.record;
        let id = RunId::named(&format!("{} {}", run.id, found.id.as_u64()));
        let job = format!("{}.{}", run.pipeline, record.step);
        let ended_at = record.started_at.after(record.own_duration);
        let mut event = self.event(kind_of(&record.outcome), ended_at, id, &job);
        event["run"]["facets"]["parent"] = json!({
            "_producer": self.producer,
            "_schemaURL": PARENT_URL,
            "run": { "runId": run.id },
            "job": { "namespace": self.namespace, "name": run.pipeline },
        });
        self.put_error(&mut event, &record.outcome);
        event["inputs"] = record.inputs.iter().map(|input| self.dataset(&input.digest)).collect();
        event["outputs"] = record.outputs.iter().map(|value| self.dataset(value)).collect();
        event
    }

    fn event(&self, kind: &str, at: Timestamp, run: RunId, job: &str) -> Value {
        json!({
            "eventType": kind,
            "eventTime": at.to_string(),
            "producer": self.producer,
            "schemaURL": SCHEMA_URL,
            "run": { "runId": run, "facets": {} },
            "job": { "namespace": self.namespace, "name": job },
            "inputs": [],
            "outputs": [],
        })
    }

    fn dataset(&self, value: &Digest) -> Value {
        json!({ "namespace": self.namespace, "name": value })
    }

    fn put_error(&self, event: &mut Value, outcome: &Outcome) {
        if let Outcome::Failed { error, .. } = outcome {
            event["run"]["facets"]["errorMessage"] = json!({
                "_producer": self.producer,
                "_schemaURL": ERROR_URL,
                "message": error,
                "programmingLanguage": "Rust",
            });
        }
    }
}

/// `OpenLineage` knows three ends: what was not needed counts as complete, what was called off or
/// given up as aborted.
fn kind_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded | Outcome::Skipped { .. } => "COMPLETE",
        Outcome::Failed { .. } | Outcome::TimedOut => "FAIL",
        _ => "ABORT",
    }
}
