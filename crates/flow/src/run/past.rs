//! Owns what is known of the run that this one goes on from.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use rustc_hash::FxHasher;
use selvedge_event::{Digest, Outcome, Signature, Text};
use selvedge_lineage::{Filter, Page, Record, RunId};

use crate::error::JournalError;
use crate::journal::Journal;

/// What succeeded in a run, by step.
pub(crate) struct Past {
    pub(crate) run: RunId,
    steps: HashMap<Text, Done, BuildHasherDefault<FxHasher>>,
}

struct Done {
    signature: Signature,
    inputs: Vec<(Text, Digest)>,
    output: Digest,
    /// The run that computed it.
    run: RunId,
}

/// Records that are read at a time.
const PAGE: usize = 4_096;

impl Past {
    pub(crate) fn of(journal: &Journal, run: RunId) -> Result<Past, JournalError> {
        let mut past = Past { run, steps: HashMap::default() };
        let mut page = Page::first(PAGE);
        loop {
            let found = journal.history().of_run(run, &Filter::new(), &page)?;
            found.items.into_iter().for_each(|found| past.add(found.record));
            match found.next {
                Some(next) => page = Page::first(PAGE).after(next),
                None => return Ok(past),
            }
        }
    }

    fn add(&mut self, record: Record) {
        let Some(&output) = record.outputs.first() else { return };
        if record.outcome != Outcome::Succeeded {
            return;
        }
        let inputs = record.inputs.into_iter().map(|input| (input.name, input.digest)).collect();
        let run = record.reused_from.unwrap_or(record.run);
        let done = Done { signature: record.signature, inputs, output, run };
        self.steps.insert(record.step, done);
    }

    /// What a step made there, if it was the same step: code, constants, inputs.
    pub(crate) fn made(
        &self,
        step: &str,
        signature: &Signature,
        inputs: &[(Text, Digest)],
    ) -> Option<(Digest, RunId)> {
        let done = self.steps.get(step)?;
        let is_same = done.signature == *signature && done.inputs == inputs;
        is_same.then_some((done.output, done.run))
    }
}
