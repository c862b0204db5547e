//! Owns what goes of a workspace's caches: by age, number and use, always with a plan first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use selvedge_event::{Digest, Text};
use selvedge_lineage::RunId;
use selvedge_runtime::{CacheUse, CachedResult};
use selvedge_store::StoreError;

use super::Workspace;
use crate::Error;

/// Which results of cached processors go. One goes if any rule says so; with no rule at all, none
/// does. What goes is computed again if it is wanted again.
///
/// Caches that a pipeline of this process has open don't go as a whole, whatever the rules say.
///
/// ```
/// use std::time::Duration;
/// use selvedge::Pruning;
/// const DAY: Duration = Duration::from_secs(86_400);
/// let pruning = Pruning::new().unused_for(30 * DAY).superseded_by(2).results_max(100_000);
/// # let _ = pruning;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruning {
    unused_for: Option<Duration>,
    superseded_by: Option<usize>,
    older_than: Option<Duration>,
    results_max: Option<usize>,
}

impl Pruning {
    /// No rule: nothing goes.
    #[must_use]
    pub fn new() -> Pruning {
        Pruning::default()
    }

    /// Caches that no pipeline was built with for so long: old signatures, or processors that are
    /// gone.
    #[must_use]
    pub const fn unused_for(mut self, age: Duration) -> Pruning {
        self.unused_for = Some(age);
        self
    }

    /// Caches of a processor of which so many others were used later: its old signatures.
    #[must_use]
    pub const fn superseded_by(mut self, n: usize) -> Pruning {
        self.superseded_by = Some(n);
        self
    }

    /// Results recorded so long ago, also of signatures in use. How old one is tells the id of the
    /// run that recorded it; one without stays.
    #[must_use]
    pub const fn older_than(mut self, age: Duration) -> Pruning {
        self.older_than = Some(age);
        self
    }

    /// Results over so many in one cache, the oldest first.
    #[must_use]
    pub const fn results_max(mut self, n: usize) -> Pruning {
        self.results_max = Some(n);
        self
    }

    /// Whether a cache goes as a whole that is the `nth` latest of its processor, from zero.
    fn drops(&self, cache: &CacheUse, nth: usize, now: SystemTime) -> bool {
        let unused_for = cache.used_at.and_then(|used_at| now.duration_since(used_at).ok());
        let is_over = |age| unused_for.is_some_and(|unused| unused >= age);
        let is_late = cache.used_at.is_some() && self.superseded_by.is_some_and(|n| nth >= n);
        !cache.is_live && (is_late || self.unused_for.is_some_and(is_over))
    }

    /// The results that go of a cache that stays.
    fn results(
        &self,
        results: impl Iterator<Item = Result<CachedResult, StoreError>>,
        now: SystemTime,
    ) -> Result<Vec<CachedResult>, StoreError> {
        let (mut old, mut kept) = (Vec::new(), Vec::new());
        for result in results {
            let result = result?;
            let at = recorded_at(&result);
            let age = at.and_then(|at| now.duration_since(at).ok());
            let is_old = self.older_than.is_some_and(|max| age.is_some_and(|age| age >= max));
            if is_old { old.push(result) } else { kept.push((at, result)) }
        }
        let n_over = self.results_max.map_or(0, |n| kept.len().saturating_sub(n));
        kept.sort_by_key(|(at, _)| *at);
        old.extend(kept.into_iter().take(n_over).map(|(_, result)| result));
        Ok(old)
    }
}

/// When a result was recorded, if its run has an id of a time.
fn recorded_at(result: &CachedResult) -> Option<SystemTime> {
    let id: RunId = result.origin.as_ref()?.parse().ok()?;
    let bytes = id.as_bytes();
    let is_of_a_time = bytes[6] >> 4 == 7;
    let millis = bytes[..6].iter().fold(0, |millis, &byte| millis << 8 | u64::from(byte));
    is_of_a_time.then(|| SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
}

/// What [`Workspace::prune`] would do: to be looked at before it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruningPlan {
    /// The caches that would go as a whole.
    pub caches: Vec<CacheUse>,
    /// The results that would go of others, by the cache's namespace.
    pub results: BTreeMap<String, BTreeSet<Digest>>,
    /// All results that would go.
    pub n_results: u64,
    /// Bytes of theirs.
    pub n_bytes: u64,
}

impl Workspace {
    /// Says which results of cached processors would go by these rules, and touches nothing.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # use std::time::{Duration, SystemTime};
    /// # use selvedge::{Pruning, Workspace};
    /// # let workspace = Workspace::open(dir.path())?;
    /// let rules = Pruning::new().unused_for(Duration::from_secs(30 * 86_400)).superseded_by(2);
    /// let plan = workspace.plan_pruning(&rules, SystemTime::now())?;
    /// println!("{} results, {} bytes would go", plan.n_results, plan.n_bytes);
    /// workspace.prune(&plan)?;
    /// workspace.compact()?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn plan_pruning(&self, rules: &Pruning, now: SystemTime) -> Result<PruningPlan, Error> {
        let mut uses = self.caches().uses()?;
        // The latest first.
        uses.sort_by_key(|cache| std::cmp::Reverse(cache.used_at));
        let mut n_later: BTreeMap<Option<Text>, usize> = BTreeMap::new();
        let mut plan = PruningPlan::default();
        for cache in uses {
            let nth = n_later.entry(cache.processor.clone()).or_default();
            *nth += 1;
            if rules.drops(&cache, *nth - 1, now) {
                plan.n_results += cache.n_results;
                plan.n_bytes += cache.n_bytes;
                plan.caches.push(cache);
                continue;
            }
            let results = rules.results(self.caches().results(&cache.namespace), now)?;
            plan.n_results += results.len() as u64;
            plan.n_bytes += results.iter().map(|result| result.n_bytes).sum::<u64>();
            if !results.is_empty() {
                let keys = results.into_iter().map(|result| result.key).collect();
                plan.results.insert(cache.namespace, keys);
            }
        }
        Ok(plan)
    }

    /// Removes the results of a plan; says how many were there still. What pipelines of this
    /// process have of them in memory stays there. The room is given back by
    /// [`compact`](Self::compact).
    ///
    /// # Errors
    ///
    /// The store's; some may be gone then, and a new plan finds the rest.
    pub fn prune(&self, plan: &PruningPlan) -> Result<u64, Error> {
        let mut n_removed = 0;
        for cache in &plan.caches {
            n_removed += self.caches().remove(&cache.namespace)?;
        }
        for (namespace, keys) in &plan.results {
            n_removed += self.caches().remove_results(namespace, keys)?;
        }
        Ok(n_removed)
    }
}
