//! Owns what is known of the run that this one goes on from.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use rustc_hash::FxHasher;
use selvedge_event::{Digest, Outcome, Signature, Text};
use selvedge_lineage::{Filter, Input, Page, Record, RunId};

use crate::error::JournalError;
use crate::journal::Journal;

/// What succeeded in a run, by step.
pub(crate) struct Past {
    pub(crate) run: RunId,
    steps: HashMap<Text, Done, BuildHasherDefault<FxHasher>>,
}

/// Parts of a record, as they came: a past may have a million.
struct Done {
    signature: Signature,
    inputs: Vec<Input>,
    output: Digest,
    /// The run that computed it.
    run: RunId,
}

/// Records that are read at a time.
const PAGE: usize = 4_096;

impl Past {
    /// What the run did, of which about so many steps are expected.
    pub(crate) fn of(journal: &Journal, run: RunId, n: usize) -> Result<Past, JournalError> {
        let mut past = Past { run, steps: HashMap::default() };
        let mut page = Page::first(PAGE);
        loop {
            let found = journal.history().of_run(run, &Filter::new(), &page)?;
            // Room for all, once it is known that there are many.
            if found.next.is_some() && past.steps.is_empty() {
                past.steps.reserve(n);
            }
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
        let Record { step, signature, inputs, .. } = record;
        let run = record.reused_from.unwrap_or(record.run);
        self.steps.insert(step, Done { signature, inputs, output, run });
    }

    /// What a step made there, if it was the same step: code, constants, inputs.
    pub(crate) fn made<'i>(
        &self,
        step: &str,
        signature: &Signature,
        mut inputs: impl Iterator<Item = (&'i Text, Digest)>,
    ) -> Option<(Digest, RunId)> {
        let done = self.steps.get(step)?;
        let mut was = done.inputs.iter();
        let is_next = |(name, digest): (&Text, Digest)| {
            was.next().is_some_and(|input| input.name == *name && input.digest == digest)
        };
        let is_same = done.signature == *signature && inputs.all(is_next);
        (is_same && was.next().is_none()).then_some((done.output, done.run))
    }
}
