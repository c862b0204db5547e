//! Owns `Collector`: one batch per phase, and a bounded history of what was gathered.

use std::collections::VecDeque;
use std::sync::Arc;

use selvedge_sync::Mutex;

use super::{Counter, Machine, OperatorError, Outlet, at_least_one};

/// Items of a phase that are gathered unless a limit is set; one more is an error.
const ITEMS_MAX: usize = 1 << 20;
/// Values that the history keeps unless told otherwise.
const HISTORY_MAX: usize = 1 << 16;

/// Gathers the items of a phase, and emits them as one batch when it ends, if there are any.
///
/// With a [`limit`](Self::limit) it takes the first so many of each phase and counts the rest.
/// Without, a phase of more than 1 048 576 items is an error.
#[derive(Debug)]
pub struct Collector<T> {
    limit: Option<usize>,
    gathered: Vec<T>,
    left_out: Counter,
    history: History<T>,
}

impl<T> Collector<T> {
    /// Gathers all there is.
    #[must_use]
    pub fn new() -> Collector<T> {
        let kept = Kept { values: VecDeque::new(), max: HISTORY_MAX, n_forgotten: 0 };
        Collector {
            limit: None,
            gathered: Vec::new(),
            left_out: Counter::default(),
            history: History(Arc::new(Mutex::new(kept))),
        }
    }

    /// Takes the first `limit` items of each phase only.
    ///
    /// # Errors
    ///
    /// The limit is zero.
    pub fn limit(mut self, limit: usize) -> Result<Collector<T>, OperatorError> {
        self.limit = Some(at_least_one("Collector", "limit", limit)?);
        Ok(self)
    }

    /// How many values the history keeps, the latest ones; 65 536 unless told otherwise, and none
    /// if it is zero.
    #[must_use]
    pub fn history_max(self, n: usize) -> Collector<T> {
        self.history.0.lock().max = n;
        self
    }

    /// The history of all phases. The handle outlives the run.
    #[must_use]
    pub fn history(&self) -> History<T> {
        History(Arc::clone(&self.history.0))
    }

    /// How many items were left out because of the limit.
    #[must_use]
    pub fn left_out(&self) -> Counter {
        self.left_out.clone()
    }
}

impl<T> Default for Collector<T> {
    fn default() -> Collector<T> {
        Collector::new()
    }
}

impl<T: Clone + Send + 'static> Machine for Collector<T> {
    type In = T;
    type Out = Vec<T>;
    const NAME: &'static str = "Collector";
    const HEARS_PHASES: bool = true;

    fn item(&mut self, item: T, _: &mut impl Outlet<Vec<T>>) -> Result<(), OperatorError> {
        let n = self.gathered.len();
        match self.limit {
            Some(limit) if n >= limit => self.left_out.add(1),
            None if n >= ITEMS_MAX => {
                let (operator, what, option) = (Self::NAME, "items of a phase", "limit");
                return Err(OperatorError::Full { operator, what, limit: ITEMS_MAX, option });
            }
            Some(_) | None => self.gathered.push(item),
        }
        Ok(())
    }

    fn phase(&mut self, out: &mut impl Outlet<Vec<T>>) -> Result<(), OperatorError> {
        if !self.gathered.is_empty() {
            let batch = std::mem::take(&mut self.gathered);
            self.history.0.lock().keep(&batch);
            out.emit(batch);
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut impl Outlet<Vec<T>>) -> Result<(), OperatorError> {
        self.phase(out)
    }
}

/// What a [`Collector`] has gathered, the latest values of it.
#[derive(Debug)]
pub struct History<T>(Arc<Mutex<Kept<T>>>);

/// The lock guards what is kept; no other is taken under it.
#[derive(Debug)]
struct Kept<T> {
    values: VecDeque<T>,
    max: usize,
    n_forgotten: u64,
}

impl<T: Clone> Kept<T> {
    fn keep(&mut self, batch: &[T]) {
        let skipped = batch.len().saturating_sub(self.max);
        let surplus = (self.values.len() + batch.len() - skipped).saturating_sub(self.max);
        self.values.drain(..surplus);
        self.values.extend(batch[skipped..].iter().cloned());
        self.n_forgotten += (skipped + surplus) as u64;
    }
}

impl<T: Clone> History<T> {
    /// The values, oldest first.
    #[must_use]
    pub fn values(&self) -> Vec<T> {
        self.0.lock().values.iter().cloned().collect()
    }

    /// How many older ones were forgotten.
    #[must_use]
    pub fn n_forgotten(&self) -> u64 {
        self.0.lock().n_forgotten
    }
}

impl<T> Clone for History<T> {
    fn clone(&self) -> History<T> {
        History(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::super::harness::{Step, fed, told, trace};
    use super::*;

    #[test]
    fn a_batch_per_phase_that_had_items() {
        use Step::{Finish, Item, Phase};
        let script = [Item(1), Item(2), Item(3), Phase, Phase, Item(4), Finish];
        let mut collector = Collector::new().limit(2).unwrap();
        let (history, left_out) = (collector.history(), collector.left_out());
        assert_snapshot!(trace(&mut collector, &script), @r"
        1 -> 
        2 -> 
        3 -> 
        | -> [1, 2]
        | -> 
        4 -> 
        $ -> [4]
        ");
        assert_eq!((history.values(), left_out.count()), (vec![1, 2, 4], 1));
        let refused = Collector::<u8>::new().limit(0).unwrap_err();
        assert_snapshot!(told(&refused), @"Collector: limit is zero, use at least one");
    }

    #[test]
    fn without_a_limit_a_phase_too_large_is_an_error() {
        let mut collector = Collector::new();
        collector.gathered = vec![(); ITEMS_MAX];
        let error = collector.item((), &mut super::super::harness::Kept::default()).unwrap_err();
        assert!(matches!(error, OperatorError::Full { limit: ITEMS_MAX, .. }));
        assert_snapshot!(told(&error), @"Collector: it holds 1048576 items of a phase already, use a larger limit if memory allows");
    }

    proptest! {
        #[test]
        fn batches_and_history_are_those_of_lists(
            phases: Vec<Vec<u8>>, limit in 1_usize..6, history_max in 0_usize..12,
        ) {
            let mut collector = Collector::new().limit(limit).unwrap().history_max(history_max);
            let history = collector.history();
            let taken: Vec<Vec<u8>> = phases
                .iter()
                .map(|phase| phase.iter().take(limit).copied().collect())
                .filter(|batch: &Vec<u8>| !batch.is_empty())
                .collect();
            prop_assert_eq!(fed(&mut collector, phases), taken.clone());
            let all = taken.concat();
            let n_forgotten = all.len().saturating_sub(history_max);
            prop_assert_eq!(history.values(), &all[n_forgotten..]);
            prop_assert_eq!(history.n_forgotten(), n_forgotten as u64);
        }
    }
}
