//! Owns erasing: values go everywhere they are, and the records keep their digests as a tombstone.

use std::collections::BTreeSet;

use selvedge_event::{Digest, Outcome, Text};

use crate::erase::{Erased, Values};
use crate::error::HistoryError;
use crate::filter::{Filter, Page};
use crate::history::History;
use crate::run::{Run, RunId};
use crate::term::Term;
use crate::time::Timestamp;

/// What stands for an error or a reason that was erased.
const ERASED: &str = "erased";

/// Takes out what an error or a reason says.
pub(crate) fn remove_text(outcome: &mut Outcome) {
    if let Outcome::Failed { error: text, .. } | Outcome::Skipped { reason: text } = outcome {
        ERASED.clone_into(text);
    }
}

/// What was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Values that were there and are gone.
    pub n_erased: usize,
    /// Values that were not there; they have their note all the same.
    pub n_missing: usize,
}

impl History {
    /// Erases a value, whoever refers to it, and notes why. Records go on naming its digest, which
    /// says nothing about it to those who don't know it; its room is given back by
    /// [`compact`](Self::compact).
    ///
    /// # Errors
    ///
    /// [`HistoryError::Held`] if a run under a legal hold made it, read it or was given it; or the
    /// value could not be erased, and the note says that it was wanted: try again.
    pub fn scrub(
        &self,
        value: &Digest,
        reason: &str,
        at: Timestamp,
        values: &dyn Values,
    ) -> Result<Scrubbed, HistoryError> {
        self.scrub_all(&BTreeSet::from([*value]), reason, at, values)
    }

    /// Erases all that a run made or was given from outside, parameters included, whoever else
    /// refers to it, and what its errors and reasons say. The run and its records stay.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Held`] if the run, or another one that has some of its values, is under a
    /// legal hold; otherwise as [`scrub`](Self::scrub).
    pub fn scrub_run(
        &self,
        run: RunId,
        reason: &str,
        at: Timestamp,
        values: &dyn Values,
    ) -> Result<Scrubbed, HistoryError> {
        let known = self.backend.run(run)?.ok_or(HistoryError::UnknownRun { run })?;
        let mut digests: BTreeSet<Digest> = known.parameters.values().copied().collect();
        let term = Term::Run(run);
        let mut positions = Vec::new();
        let mut search = self.search(Some(&term), &Page::default())?;
        while let Some(piece) = search.piece()? {
            for found in piece {
                let outside = found.record.inputs.iter().filter(|input| input.step.is_none());
                digests.extend(outside.map(|input| input.digest));
                digests.extend(&found.record.outputs);
                positions.push(found.id.0);
            }
            let n_max = self.options.compared_max;
            if positions.len() > n_max {
                return Err(HistoryError::TooMany { what: "erasing a run", n_max });
            }
        }
        if known.held {
            return Err(HistoryError::Held { run });
        }
        let scrubbed = self.scrub_all(&digests, reason, at, values)?;
        self.backend.remove_texts(&positions)?;
        self.change_run(run, "be erased", &[], |run| {
            run.end.iter_mut().for_each(|end| remove_text(&mut end.outcome));
        })?;
        Ok(scrubbed)
    }

    /// Gives back the room of all that was removed and erased, here and where values are kept, so
    /// that nothing of it is left in files or free pages. Takes a while, and room for what is left.
    ///
    /// # Errors
    ///
    /// The store failed, or whoever keeps the values.
    pub fn compact(&self, values: &dyn Values) -> Result<(), HistoryError> {
        self.backend.compact()?;
        values.compact().map_err(HistoryError::Values)
    }

    fn scrub_all(
        &self,
        digests: &BTreeSet<Digest>,
        reason: &str,
        at: Timestamp,
        values: &dyn Values,
    ) -> Result<Scrubbed, HistoryError> {
        self.refuse_held(digests)?;
        let mut scrubbed = Scrubbed::default();
        for &digest in digests {
            // The note first: a crash in between leaves a value that is known to be unwanted.
            let note = Erased { digest, at, reason: Text::from(reason) };
            self.backend.put_erased(&note)?;
            match values.erase(&digest).map_err(HistoryError::Values)? {
                true => scrubbed.n_erased += 1,
                false => scrubbed.n_missing += 1,
            }
        }
        Ok(scrubbed)
    }

    /// Refuses if a run under a legal hold has one of the values.
    fn refuse_held(&self, digests: &BTreeSet<Digest>) -> Result<(), HistoryError> {
        let held = self.all_runs(|run| run.held)?;
        for run in &held {
            if run.parameters.values().any(|value| digests.contains(value)) {
                return Err(HistoryError::Held { run: run.id });
            }
        }
        let held: BTreeSet<RunId> = held.into_iter().map(|run| run.id).collect();
        if held.is_empty() {
            return Ok(());
        }
        for &digest in digests {
            for term in [Term::Output(digest), Term::Input(digest)] {
                if let Some(run) = self.run_with(&term, |run| held.contains(&run))? {
                    return Err(HistoryError::Held { run });
                }
            }
        }
        Ok(())
    }

    /// The runs that are wanted, by start.
    pub(crate) fn all_runs(&self, wanted: impl Fn(&Run) -> bool) -> Result<Vec<Run>, HistoryError> {
        let mut page = Page::first(Page::N_MAX);
        let mut runs = Vec::new();
        loop {
            let paged = self.runs(&Filter::new(), &page)?;
            runs.extend(paged.items.into_iter().filter(&wanted));
            let n_max = self.options.compared_max;
            if runs.len() > n_max {
                return Err(HistoryError::TooMany { what: "a look at all runs", n_max });
            }
            match paged.next {
                Some(cursor) => page = page.after(cursor),
                None => return Ok(runs),
            }
        }
    }

    /// A run of those wanted that has a record that a term is of.
    pub(crate) fn run_with(
        &self,
        term: &Term<'_>,
        wanted: impl Fn(RunId) -> bool,
    ) -> Result<Option<RunId>, HistoryError> {
        let mut search = self.search(Some(term), &Page::default())?;
        while let Some(piece) = search.piece()? {
            let found = piece.into_iter().map(|found| found.record.run).find(|&run| wanted(run));
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
