//! Owns what differs between two runs, step by step.

use std::collections::BTreeMap;
use std::time::Duration;

use selvedge_event::Text;
use serde::Serialize;

use crate::error::HistoryError;
use crate::filter::{Page, Paged};
use crate::history::History;
use crate::record::Record;
use crate::run::RunId;
use crate::term::Term;
use crate::walk::cut;

/// What differs between an earlier and a later run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDifference {
    /// The executions that differ in more than time, by step.
    pub changed: Paged<StepDifference>,
    /// How many don't.
    pub n_same: usize,
    /// The time that all executions of the earlier and of the later run took together.
    pub own_durations: (Duration, Duration),
}

/// An execution of the earlier run beside the one of the later that it corresponds to.
///
/// Executions of one step correspond if they read the same; those that are left, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepDifference {
    /// Whose executions.
    pub step: Text,
    /// That of the earlier run.
    pub before: Option<Record>,
    /// That of the later run.
    pub after: Option<Record>,
}

/// In what two executions differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Changed {
    /// Only the later run has it.
    Added,
    /// Only the earlier run has it.
    Gone,
    /// It read other values, under these names.
    Inputs(Vec<Text>),
    /// It was other code, or other constants.
    Code,
    /// It made other values.
    Output,
    /// It ended otherwise.
    Outcome,
}

impl StepDifference {
    /// In what they differ, time aside.
    #[must_use]
    pub fn changes(&self) -> Vec<Changed> {
        let (before, after) = match (&self.before, &self.after) {
            (Some(before), Some(after)) => (before, after),
            (None, _) => return vec![Changed::Added],
            (_, None) => return vec![Changed::Gone],
        };
        let mut changes = Vec::new();
        let inputs = other_inputs(before, after);
        if !inputs.is_empty() {
            changes.push(Changed::Inputs(inputs));
        }
        let others = [
            (before.signature != after.signature, Changed::Code),
            (before.outputs != after.outputs, Changed::Output),
            (before.outcome != after.outcome, Changed::Outcome),
        ];
        changes.extend(others.into_iter().filter_map(|(differs, what)| differs.then_some(what)));
        changes
    }

    /// How long each took; nothing for one that is missing.
    #[must_use]
    pub fn own_durations(&self) -> (Duration, Duration) {
        let of =
            |record: &Option<Record>| record.as_ref().map_or(Duration::ZERO, |r| r.own_duration);
        (of(&self.before), of(&self.after))
    }
}

/// The names of inputs that are not the same values on both sides.
fn other_inputs(before: &Record, after: &Record) -> Vec<Text> {
    let mut names: Vec<Text> = Vec::new();
    for input in before.inputs.iter().chain(&after.inputs) {
        let values = |record: &Record| -> Vec<_> {
            let of_name = record.inputs.iter().filter(|other| other.name == input.name);
            of_name.map(|other| other.digest).collect()
        };
        if !names.contains(&input.name) && values(before) != values(after) {
            names.push(input.name.clone());
        }
    }
    names
}

impl History {
    /// What differs between two runs: steps that came and went, other inputs, code, outputs and
    /// outcomes, and the time it all took.
    ///
    /// Holds the records of both runs in memory.
    ///
    /// # Errors
    ///
    /// They have more records than [`Options::compared_max`](crate::Options::compared_max); or the
    /// store failed.
    pub fn difference(
        &self,
        before: RunId,
        after: RunId,
        page: &Page,
    ) -> Result<RunDifference, HistoryError> {
        let earlier = self.whole_run(before)?;
        let later = self.whole_run(after)?;
        let total = |records: &[Record]| records.iter().map(|record| record.own_duration).sum();
        let own_durations = (total(&earlier), total(&later));
        let mut steps: BTreeMap<Text, (Vec<Record>, Vec<Record>)> = BTreeMap::new();
        for record in earlier {
            steps.entry(record.step.clone()).or_default().0.push(record);
        }
        for record in later {
            steps.entry(record.step.clone()).or_default().1.push(record);
        }
        let pairs: Vec<StepDifference> = steps
            .into_iter()
            .flat_map(|(step, (earlier, later))| pairs(&step, earlier, later))
            .collect();
        let n = pairs.len();
        let changed: Vec<StepDifference> =
            pairs.into_iter().filter(|pair| !pair.changes().is_empty()).collect();
        let n_same = n - changed.len();
        Ok(RunDifference { changed: cut(changed, page), n_same, own_durations })
    }

    /// All records of a run, in order.
    pub(crate) fn whole_run(&self, run: RunId) -> Result<Vec<Record>, HistoryError> {
        let term = Term::Run(run);
        let mut search = self.search(Some(&term), &Page::default())?;
        let mut records = Vec::new();
        while let Some(piece) = search.piece()? {
            records.extend(piece.into_iter().map(|found| found.record));
            if records.len() > self.options.compared_max {
                let n_max = self.options.compared_max;
                return Err(HistoryError::TooMany { what: "a comparison of runs", n_max });
            }
        }
        Ok(records)
    }
}

/// Which executions of a step correspond: those that read the same, then the others in order.
fn pairs(step: &Text, earlier: Vec<Record>, later: Vec<Record>) -> Vec<StepDifference> {
    let mut by_inputs: BTreeMap<Vec<(Text, [u8; 32])>, Vec<usize>> = BTreeMap::new();
    for (n, record) in later.iter().enumerate().rev() {
        by_inputs.entry(inputs_of(record)).or_default().push(n);
    }
    let mut later: Vec<Option<Record>> = later.into_iter().map(Some).collect();
    let mut paired = Vec::new();
    let mut left = Vec::new();
    for before in earlier {
        match by_inputs.get_mut(&inputs_of(&before)).and_then(Vec::pop) {
            Some(n) => {
                let after = later[n].take();
                paired.push(StepDifference { step: step.clone(), before: Some(before), after });
            }
            None => left.push(before),
        }
    }
    let mut later = later.into_iter().flatten();
    for before in left {
        let after = later.next();
        paired.push(StepDifference { step: step.clone(), before: Some(before), after });
    }
    let added =
        later.map(|after| StepDifference { step: step.clone(), before: None, after: Some(after) });
    paired.extend(added);
    paired
}

fn inputs_of(record: &Record) -> Vec<(Text, [u8; 32])> {
    let named = |input: &crate::Input| (input.name.clone(), *input.digest.as_bytes());
    record.inputs.iter().map(named).collect()
}
