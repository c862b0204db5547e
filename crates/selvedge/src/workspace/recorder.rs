//! Owns `LineageRecorder`: writes what a run tells of itself into a history, as records.

use selvedge_event::{Canceller, Digest, Ending, Fact, Outcome, Signature, Text, Wants};
use selvedge_lineage::{
    Filter, History, Page, Record, Run, RunId, StepKind, Timestamp, Writer, WriterOptions,
};
use selvedge_runtime::{Recorder, Result};

use super::now;

/// Records one run, and the turns of its cached and of its recorded processors.
pub(super) struct LineageRecorder {
    history: History,
    run: Run,
    /// Gathers records while others are made durable; from the run's start to its end.
    writer: Option<Writer>,
    /// How the run ended, once that is told.
    outcome: Option<Outcome>,
}

impl LineageRecorder {
    pub(super) fn new(history: History, run: Run) -> LineageRecorder {
        LineageRecorder { history, run, writer: None, outcome: None }
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
        let Fact::LookedUp { processor, topic, signature, input, outputs, replayed, .. } = fact
        else {
            return Ok(None);
        };
        let Fact::LookedUp { origin, built_from, .. } = fact else { return Ok(None) };
        let record = Record::new(self.run.id, processor.clone(), signature.clone());
        let record = match built_from {
            None => record.kind(StepKind::Turn).input(topic.name.as_str(), None, *input),
            Some(inputs) => built(record, inputs),
        };
        let add = |record: Record, output: &Digest| record.output(*output);
        let mut record = outputs.iter().fold(record, add);
        record.started_at = now();
        if *replayed {
            record.reused_from = self.made_by(origin.as_ref(), &record)?;
        }
        Ok(Some(record))
    }
}

/// What stands for the code of a processor of which nothing is known.
const UNKNOWN: &str = "unknown";

/// A record of a build, with what it was built from by target.
fn built(record: Record, inputs: &[(Text, Digest)]) -> Record {
    let add = |record: Record, (target, digest): &(Text, Digest)| {
        record.input(target, Some(target), *digest)
    };
    inputs.iter().fold(record.kind(StepKind::Build), add)
}

/// The record of a turn that was neither looked up nor replayed, or of a build that failed.
fn turn(run: RunId, fact: &Fact) -> Option<Record> {
    let Fact::Recorded { processor, topic, signature, input, outputs, outcome, .. } = fact else {
        return None;
    };
    let Fact::Recorded { attempt, took, built_from, .. } = fact else { return None };
    let signature = signature.clone();
    let signature = signature.unwrap_or_else(|| Signature::of_version(processor.clone(), UNKNOWN));
    let record = Record::new(run, processor.clone(), signature);
    let record = match built_from {
        None => record.kind(StepKind::Turn).input(topic.name.as_str(), None, *input),
        Some(inputs) => built(record, inputs),
    };
    let record = record.outcome(outcome.clone());
    let ended_at = now().as_nanos();
    let took_nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    let started_at = Timestamp::from_nanos(ended_at.saturating_sub(took_nanos));
    let mut record = record.at(started_at, *took);
    record.outputs.clone_from(outputs);
    record.attempt = *attempt;
    Some(record)
}

impl Recorder for LineageRecorder {
    fn record(&mut self, facts: &[Fact]) -> Result {
        let mut records = Vec::new();
        for fact in facts {
            match fact {
                Fact::RunStarted { .. } => {
                    self.run.started_at = now();
                    self.history.begin_run(self.run.clone())?;
                    let options = WriterOptions::default();
                    self.writer = Some(Writer::start(self.history.clone(), options)?);
                }
                Fact::RunFinished { ending, .. } => self.outcome = Some(outcome(*ending)),
                Fact::Recorded { .. } => records.extend(turn(self.run.id, fact)),
                fact => records.extend(self.look_up(fact)?),
            }
        }
        match &self.writer {
            Some(writer) => Ok(writer.record_all(records)?),
            None => Ok(self.history.append(records)?),
        }
    }

    fn close(&mut self) -> Result {
        let outcome = self.outcome.take().unwrap_or(Outcome::Abandoned);
        if let Some(writer) = self.writer.take() {
            writer.flush()?;
        }
        self.history.end_run(self.run.id, outcome, now())?;
        Ok(self.history.flush()?)
    }

    fn wants(&self) -> Wants {
        Wants::RUN.and(Wants::LOOK_UPS).and(Wants::RECORDED)
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
