//! Owns `LineageRecorder`: writes what a run tells of itself into a history, as records.

use selvedge_event::{Canceller, Digest, Ending, Fact, Outcome, Text, Wants};
use selvedge_lineage::{Filter, History, Page, Record, Run, RunId, StepKind};
use selvedge_runtime::{Recorder, Result};

use super::now;

/// Records one run, and the turns of its cached processors.
pub(super) struct LineageRecorder {
    history: History,
    run: Run,
    /// How the run ended, once that is told.
    outcome: Option<Outcome>,
}

impl LineageRecorder {
    pub(super) fn new(history: History, run: Run) -> LineageRecorder {
        LineageRecorder { history, run, outcome: None }
    }

    /// The run that made the outputs of a turn which was replayed, if that is known.
    fn made_by(&self, origin: Option<&Text>, record: &Record) -> Result<Option<RunId>> {
        match origin.map(|origin| origin.parse()) {
            Some(Ok(run)) => Ok(Some(run)),
            // Recorded before results said so, or without a workspace: the history may know.
            Some(Err(_)) | None => self.first_to_make(record),
        }
    }

    fn first_to_make(&self, record: &Record) -> Result<Option<RunId>> {
        let Some(output) = record.outputs.first() else { return Ok(None) };
        let made = self.history.producers(output, &Filter::new(), &Page::first(1))?;
        Ok(made.items.first().map(|found| found.record.reused_from.unwrap_or(found.record.run)))
    }

    fn look_up(&self, fact: &Fact) -> Result<Option<Record>> {
        let Fact::LookedUp { processor, topic, signature, input, outputs, replayed, origin } = fact
        else {
            return Ok(None);
        };
        let record = Record::new(self.run.id, processor.clone(), signature.clone())
            .kind(StepKind::Turn)
            .input(topic.name.as_str(), None, *input);
        let add = |record: Record, output: &Digest| record.output(*output);
        let mut record = outputs.iter().fold(record, add);
        record.started_at = now();
        if *replayed {
            record.reused_from = self.made_by(origin.as_ref(), &record)?;
        }
        Ok(Some(record))
    }
}

impl Recorder for LineageRecorder {
    fn record(&mut self, facts: &[Fact]) -> Result {
        let mut records = Vec::new();
        for fact in facts {
            match fact {
                Fact::RunStarted { .. } => {
                    self.run.started_at = now();
                    self.history.begin_run(self.run.clone())?;
                }
                Fact::RunFinished { ending, .. } => self.outcome = Some(outcome(*ending)),
                fact => records.extend(self.look_up(fact)?),
            }
        }
        if !records.is_empty() {
            self.history.append(records)?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result {
        let outcome = self.outcome.take().unwrap_or(Outcome::Abandoned);
        self.history.end_run(self.run.id, outcome, now())?;
        Ok(self.history.flush()?)
    }

    fn wants(&self) -> Wants {
        Wants::RUN.and(Wants::LOOK_UPS)
    }
}

fn outcome(ending: Option<Ending>) -> Outcome {
    match ending {
        Some(Ending::Completed) => Outcome::Succeeded,
        Some(Ending::Interrupted) => Outcome::Cancelled { by: Canceller::Signal },
        Some(_) => Outcome::Cancelled { by: Canceller::User },
        None => Outcome::Failed { error: "the run failed".to_owned(), panicked: false },
    }
}
