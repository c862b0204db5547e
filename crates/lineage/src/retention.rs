//! Owns what is kept and what goes: runs by age, number, status and tag, always with a plan first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use selvedge_event::{Digest, Text};

use crate::erase::Values;
use crate::error::HistoryError;
use crate::filter::Page;
use crate::history::History;
use crate::run::{Run, RunId, Status};
use crate::term::Term;
use crate::time::Timestamp;

/// Which runs to keep. One is kept if any rule says so; with no rule at all, every run is.
///
/// Runs that go on, are suspended or are under a legal hold are kept whatever the rules say.
///
/// ```
/// use std::time::Duration;
/// use selvedge_lineage::{Retention, Status};
/// const DAY: Duration = Duration::from_secs(86_400);
/// let retention = Retention::new().younger_than(30 * DAY).last(10).status(Status::Failed);
/// # let _ = retention;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    younger_than: Option<Duration>,
    last: Option<usize>,
    statuses: BTreeSet<Status>,
    tags: Vec<(Text, Text)>,
}

impl Retention {
    /// No rule: everything is kept.
    #[must_use]
    pub fn new() -> Retention {
        Retention::default()
    }

    /// Keeps runs that began less than so long ago.
    #[must_use]
    pub const fn younger_than(mut self, age: Duration) -> Retention {
        self.younger_than = Some(age);
        self
    }

    /// Keeps the last so many runs of each pipeline.
    #[must_use]
    pub const fn last(mut self, n: usize) -> Retention {
        self.last = Some(n);
        self
    }

    /// Keeps runs that ended so.
    #[must_use]
    pub fn status(mut self, status: Status) -> Retention {
        self.statuses.insert(status);
        self
    }

    /// Keeps runs with this tag.
    #[must_use]
    pub fn tag(mut self, name: &str, value: &str) -> Retention {
        self.tags.push((Text::from(name), Text::from(value)));
        self
    }

    /// Whether a run stays that is the `nth` latest of its pipeline, from zero.
    fn keeps(&self, run: &Run, nth: usize, now: Timestamp) -> bool {
        let has_rule = *self != Retention::default();
        let is_protected = run.held || matches!(run.status(), Status::Running | Status::Suspended);
        let is_tagged = |(name, value): &(Text, Text)| run.tags.get(name) == Some(value);
        !has_rule
            || is_protected
            || self.younger_than.is_some_and(|age| run.started_at > now.before(age))
            || self.last.is_some_and(|n| nth < n)
            || self.statuses.contains(&run.status())
            || self.tags.iter().any(is_tagged)
    }
}

/// What [`History::remove`] would do: to be looked at before it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionPlan {
    /// The runs that would go, the oldest first.
    pub remove: Vec<RunId>,
    /// How many stay.
    pub n_kept: usize,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Runs.
    pub n_runs: usize,
    /// Records of theirs.
    pub n_records: usize,
    /// Values that nothing referred to any more, and that are gone.
    pub n_values: usize,
}

/// Records removed at a time.
const PIECE_LEN: usize = 1_024;
/// Values remembered as looked into; 32 bytes each.
const EXAMINED_MAX: usize = 1_000_000;

impl History {
    /// Says which runs would go by these rules, and touches nothing.
    ///
    /// # Errors
    ///
    /// There are more runs than [`Options::compared_max`](crate::Options::compared_max); or the
    /// store failed.
    pub fn plan_retention(
        &self,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<RetentionPlan, HistoryError> {
        let mut runs = self.all_runs(|_| true)?;
        let n_runs = runs.len();
        let mut n_later: BTreeMap<Text, usize> = BTreeMap::new();
        // The last of each pipeline are counted from the end.
        runs.reverse();
        runs.retain(|run| {
            let nth = n_later.entry(run.pipeline.clone()).or_default();
            *nth += 1;
            !retention.keeps(run, *nth - 1, now)
        });
        runs.reverse();
        let remove: Vec<RunId> = runs.iter().map(|run| run.id).collect();
        Ok(RetentionPlan { n_kept: n_runs - remove.len(), remove })
    }

    /// Removes the runs of a plan with their records, and has the values go that nothing refers to
    /// any more. What has been put under a hold, or has been resumed, since the plan was made
    /// stays.
    ///
    /// The room is given back by [`compact`](Self::compact). A crash in between leaves some runs
    /// removed and others not; a new plan finds the rest.
    ///
    /// # Errors
    ///
    /// The store failed, or whoever keeps the values.
    pub fn remove(
        &self,
        plan: &RetentionPlan,
        values: &dyn Values,
    ) -> Result<Removed, HistoryError> {
        let mut leaving: BTreeSet<RunId> = plan.remove.iter().copied().collect();
        let staying = self.all_runs(|run| {
            run.held
                || matches!(run.status(), Status::Running | Status::Suspended)
                || !leaving.contains(&run.id)
        })?;
        for run in &staying {
            leaving.remove(&run.id);
        }
        let given: BTreeSet<Digest> =
            staying.iter().flat_map(|run| run.parameters.values().copied()).collect();
        let mut removed = Removed::default();
        // Who stays doesn't change meanwhile, so each value is looked into once.
        let mut examined = BTreeSet::new();
        for id in plan.remove.iter().filter(|id| leaving.contains(id)) {
            let Some(run) = self.backend.run(*id)? else { continue };
            let goes = |digest: &Digest| -> Result<bool, HistoryError> {
                if given.contains(digest) || examined.contains(digest) {
                    return Ok(false);
                }
                if examined.len() == EXAMINED_MAX {
                    examined.clear();
                }
                examined.insert(*digest);
                let stays = |run: RunId| !leaving.contains(&run);
                Ok(self.run_with(&Term::Output(*digest), stays)?.is_none()
                    && self.run_with(&Term::Input(*digest), stays)?.is_none())
            };
            self.remove_run(&run, goes, values, &mut removed)?;
        }
        Ok(removed)
    }

    /// Removes a run. Its values go before its records do, and those before the run itself: after a
    /// crash, what is left leads to what is left to do.
    fn remove_run(
        &self,
        run: &Run,
        mut goes: impl FnMut(&Digest) -> Result<bool, HistoryError>,
        values: &dyn Values,
        removed: &mut Removed,
    ) -> Result<(), HistoryError> {
        let mut release = |digests: BTreeSet<Digest>| -> Result<usize, HistoryError> {
            let mut n_gone = 0;
            for digest in digests {
                if goes(&digest)? {
                    let went = values.release(&digest).map_err(HistoryError::Values)?;
                    n_gone += usize::from(went);
                }
            }
            Ok(n_gone)
        };
        let term = Term::Run(run.id);
        let mut search = self.search(Some(&term), &Page::default())?;
        let mut positions = Vec::new();
        while let Some(piece) = search.piece()? {
            let mut digests = BTreeSet::new();
            for found in piece {
                digests.extend(found.record.inputs.iter().map(|input| input.digest));
                digests.extend(&found.record.outputs);
                positions.push(found.id.0);
            }
            removed.n_values += release(digests)?;
            if positions.len() >= PIECE_LEN {
                self.backend.remove_records(&positions)?;
                removed.n_records += positions.len();
                positions.clear();
            }
        }
        self.backend.remove_records(&positions)?;
        removed.n_records += positions.len();
        removed.n_values += release(run.parameters.values().copied().collect())?;
        self.backend.remove_run(run)?;
        removed.n_runs += 1;
        Ok(())
    }
}
