//! Owns what would run again: if a value or some code changed, every execution that this reaches,
//! and why.

use std::collections::{BTreeSet, VecDeque};

use selvedge_event::{Digest, Signature, Text};
use serde::Serialize;

use crate::error::HistoryError;
use crate::filter::{Page, Paged};
use crate::history::History;
use crate::questions::{Found, RecordId};
use crate::record::Record;
use crate::run::RunId;
use crate::term::Term;
use crate::walk::{cut, nth};

/// What is imagined to change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// This value is another one.
    Input(Digest),
    /// This code, with these constants, is other code.
    Code(Signature),
}

/// An execution that would run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rerun {
    /// Which record.
    pub id: RecordId,
    /// What it says.
    pub record: Record,
    /// Why, by the shortest way from the change.
    pub why: Why,
}

/// Why an execution would run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Why {
    /// It read the value, under this name.
    Input(Text),
    /// It is the code.
    Code,
    /// It read, under this name, what a step made that would run again.
    Upstream {
        /// The name.
        input: Text,
        /// The step.
        step: Text,
    },
}

impl History {
    /// What would run again, and why, if something changed: in a run, or in all runs. Executions
    /// that would be reached only by values that turn out the same are counted in: nobody knows
    /// before they run.
    ///
    /// Two steps that made equal values are told apart where the records say which step an input
    /// came from.
    ///
    /// # Errors
    ///
    /// It would visit more records than [`Options::compared_max`](crate::Options::compared_max); or
    /// the store failed.
    pub fn would_run_again(
        &self,
        change: &Change,
        within: Option<RunId>,
        page: &Page,
    ) -> Result<Paged<Rerun>, HistoryError> {
        let mut reached =
            Reached { history: self, within, seen: BTreeSet::new(), found: Vec::new() };
        match change {
            Change::Input(value) => reached.all_of(&Term::Input(*value), |record| {
                let input = record.inputs.iter().find(|input| input.digest == *value)?;
                Some(Why::Input(input.name.clone()))
            })?,
            Change::Code(signature) => {
                reached.all_of(&Term::Signature(signature), |_| Some(Why::Code))?;
            }
        }
        let n_wanted = nth(page) + page.len();
        let mut to_follow: VecDeque<usize> = (0..reached.found.len()).collect();
        while let Some(next) = to_follow.pop_front().filter(|_| reached.found.len() <= n_wanted) {
            let producer = reached.found[next].record.clone();
            let n_before = reached.found.len();
            for value in &producer.outputs {
                let why = |record: &Record| reads(record, &producer, value);
                reached.all_of(&Term::Input(*value), why)?;
            }
            to_follow.extend(n_before..reached.found.len());
        }
        Ok(cut(reached.found, page))
    }
}

/// Whether a record read what a producer made, and under which name.
fn reads(record: &Record, producer: &Record, value: &Digest) -> Option<Why> {
    let input = record.inputs.iter().find(|input| {
        let from_there = input.step.as_ref().is_none_or(|step| *step == producer.step);
        input.digest == *value && (from_there || record.run != producer.run)
    })?;
    Some(Why::Upstream { input: input.name.clone(), step: producer.step.clone() })
}

/// What has been reached so far.
#[derive(Debug)]
struct Reached<'h> {
    history: &'h History,
    within: Option<RunId>,
    seen: BTreeSet<RecordId>,
    found: Vec<Rerun>,
}

impl Reached<'_> {
    /// Adds all that a term is of and for which there is a reason.
    fn all_of(
        &mut self,
        term: &Term<'_>,
        why: impl Fn(&Record) -> Option<Why>,
    ) -> Result<(), HistoryError> {
        let mut search = self.history.search(Some(term), &Page::default())?;
        while let Some(piece) = search.piece()? {
            for Found { id, record } in piece {
                if self.within.is_some_and(|run| run != record.run) || self.seen.contains(&id) {
                    continue;
                }
                let Some(why) = why(&record) else { continue };
                self.seen.insert(id);
                self.found.push(Rerun { id, record, why });
            }
            let n_max = self.history.options.compared_max;
            if self.found.len() > n_max {
                return Err(HistoryError::TooMany { what: "a walk along changes", n_max });
            }
        }
        Ok(())
    }
}
