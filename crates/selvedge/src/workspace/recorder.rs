//! Owns `LineageRecorder`: writes what a run tells of itself into a history, as records.

use std::mem;
use std::time::Duration;

use selvedge_event::{Canceller, Digest, Ending, Fact, Outcome, Signature, Text, Topic, Wants};
use selvedge_lineage::{
    Filter, History, Input, Page, Record, Run, RunId, StepKind, Timestamp, Writer, WriterOptions,
};
use selvedge_runtime::{Recorder, Result};

use super::now;

/// Records one run, and the turns of its cached and of its recorded processors.
pub(super) struct LineageRecorder {
    history: History,
    run: Run,
    /// Gathers records while others are made durable; from the run's start to its end.
    writer: Option<Writer>,
    /// Written before, and to be filled in anew.
    records: Vec<Record>,
    /// How the run ended, once that is told.
    outcome: Option<Outcome>,
}

impl LineageRecorder {
    pub(super) fn new(history: History, run: Run) -> LineageRecorder {
        LineageRecorder { history, run, writer: None, records: Vec::new(), outcome: None }
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
            None => {
                let mut record = record.kind(StepKind::Turn);
                read(&mut record, topic, *input);
                record
            }
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
const UNKNOWN: Text = Text::literal("unknown");

/// A record of a build, with what it was built from by target.
fn built(mut record: Record, inputs: &[(Text, Digest)]) -> Record {
    record.kind = StepKind::Build;
    read_all(&mut record, inputs);
    record
}

/// Adds what a build was built from, by target.
fn read_all(record: &mut Record, inputs: &[(Text, Digest)]) {
    let input = |(target, digest): &(Text, Digest)| Input {
        name: target.clone(),
        step: Some(target.clone()),
        digest: *digest,
    };
    record.inputs.extend(inputs.iter().map(input));
}

/// Adds the event that was read. The name is shared, not copied.
fn read(record: &mut Record, topic: &Topic, digest: Digest) {
    record.inputs.push(Input { name: Text::from(&topic.name), step: None, digest });
}

/// When the newest of these turns ended, by the pipeline's clock.
fn newest_end(facts: &[Fact]) -> Duration {
    let ends = facts.iter().filter_map(|fact| match fact {
        Fact::Recorded { began, took, .. } => Some(*began + *took),
        _ => None,
    });
    ends.max().unwrap_or_default()
}

/// Fills in the record of a turn that was neither looked up nor replayed, or of a build that
/// failed. `told` is when it was told of, by the time of day and by the pipeline's clock.
fn fill(record: &mut Record, run: RunId, fact: &Fact, told: (Timestamp, Duration)) {
    let Fact::Recorded { processor, topic, signature, input, outputs, outcome, .. } = fact else {
        return;
    };
    let Fact::Recorded { attempt, began, took, built_from, .. } = fact else { return };
    let (told_at, by_clock) = told;
    let before = by_clock.saturating_sub(*began).as_nanos();
    let before = u64::try_from(before).unwrap_or(u64::MAX);
    record.run = run;
    record.step.clone_from(processor);
    let unknown = || Signature::of_version(processor.clone(), UNKNOWN);
    record.signature = signature.clone().unwrap_or_else(unknown);
    record.inputs.clear();
    match built_from {
        None => {
            record.kind = StepKind::Turn;
            read(record, topic, *input);
        }
        Some(inputs) => {
            record.kind = StepKind::Build;
            read_all(record, inputs);
        }
    }
    record.outputs.clone_from(outputs);
    record.outcome.clone_from(outcome);
    record.reused_from = None;
    record.attempt = *attempt;
    record.started_at = Timestamp::from_nanos(told_at.as_nanos().saturating_sub(before));
    record.own_duration = *took;
    record.worker = None;
}

/// Records that are being told of. The list begins with some that were written, which are filled in
/// anew.
#[derive(Debug)]
struct Telling {
    list: Vec<Record>,
    n_told: usize,
}

impl Telling {
    /// The next record, with whatever it held before.
    fn next(&mut self, run: RunId) -> &mut Record {
        if self.n_told == self.list.len() {
            let nobody = Signature::of_version(UNKNOWN, UNKNOWN);
            self.list.push(Record::new(run, UNKNOWN, nobody));
        }
        self.n_told += 1;
        &mut self.list[self.n_told - 1]
    }
}

impl Recorder for LineageRecorder {
    fn record(&mut self, facts: &[Fact]) -> Result {
        let mut telling = Telling { list: mem::take(&mut self.records), n_told: 0 };
        // The newest turn ended just now; what came before it is as long ago as the clock says.
        let told = (now(), newest_end(facts));
        for fact in facts {
            match fact {
                Fact::RunStarted { .. } => {
                    self.run.started_at = now();
                    self.history.begin_run(self.run.clone())?;
                    let options = WriterOptions::default();
                    self.writer = Some(Writer::start(self.history.clone(), options)?);
                }
                Fact::RunFinished { ending, failure, .. } => {
                    self.outcome = Some(outcome(*ending, failure.as_deref()));
                }
                Fact::Recorded { .. } => fill(telling.next(self.run.id), self.run.id, fact, told),
                fact => {
                    if let Some(record) = self.look_up(fact)? {
                        *telling.next(self.run.id) = record;
                    }
                }
            }
        }
        let Telling { mut list, n_told } = telling;
        list.truncate(n_told);
        match &self.writer {
            Some(writer) => writer.exchange(&mut list)?,
            None => self.history.append(mem::take(&mut list))?,
        }
        self.records = list;
        Ok(())
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

fn outcome(ending: Option<Ending>, failure: Option<&str>) -> Outcome {
    match ending {
        Some(Ending::Completed) => Outcome::Succeeded,
        Some(Ending::Interrupted) => Outcome::Cancelled { by: Canceller::Signal },
        Some(_) => Outcome::Cancelled { by: Canceller::User },
        None => {
            let error = failure.unwrap_or("the run failed").to_owned();
            Outcome::Failed { error, panicked: false }
        }
    }
}
