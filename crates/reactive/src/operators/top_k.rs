//! Owns `TopK`: the items of a phase that score highest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;

use super::{Machine, OperatorError, Outlet, at_least_one, called};

/// Keeps the `k` items of a phase with the highest scores, and emits them with it when the phase
/// ends, highest first; among equals those that came first. Then it forgets them.
pub struct TopK<T, S, F> {
    k: usize,
    score: F,
    kept: BinaryHeap<Scored<T, S>>,
    n_seen: u64,
}

/// The greatest is the first to go: the lowest score, of equal ones the one that came last.
struct Scored<T, S> {
    order: (Reverse<S>, u64),
    item: T,
}

impl<T, S: Ord, F: FnMut(&T) -> anyhow::Result<S>> TopK<T, S, F> {
    /// The `k` best by `score`.
    ///
    /// # Errors
    ///
    /// `k` is zero.
    pub fn new(k: usize, score: F) -> Result<TopK<T, S, F>, OperatorError> {
        let k = at_least_one("TopK", "k", k)?;
        Ok(TopK { k, score, kept: BinaryHeap::new(), n_seen: 0 })
    }
}

impl<T, S, F> Machine for TopK<T, S, F>
where
    T: Send + 'static,
    S: Ord + Send + 'static,
    F: FnMut(&T) -> anyhow::Result<S> + Send + 'static,
{
    type In = T;
    type Out = (S, T);
    const NAME: &'static str = "TopK";
    const HEARS_PHASES: bool = true;

    fn item(&mut self, item: T, _: &mut impl Outlet<(S, T)>) -> Result<(), OperatorError> {
        let score = called(Self::NAME, "score", (self.score)(&item))?;
        let scored = Scored { order: (Reverse(score), self.n_seen), item };
        self.n_seen += 1;
        if self.kept.len() < self.k {
            self.kept.push(scored);
        } else if let Some(mut worst) = self.kept.peek_mut()
            && scored < *worst
        {
            *worst = scored;
        }
        Ok(())
    }

    fn phase(&mut self, out: &mut impl Outlet<(S, T)>) -> Result<(), OperatorError> {
        self.n_seen = 0;
        let best = std::mem::take(&mut self.kept).into_sorted_vec();
        best.into_iter()
            .for_each(|Scored { order: (Reverse(score), _), item }| out.emit((score, item)));
        Ok(())
    }

    fn finish(&mut self, out: &mut impl Outlet<(S, T)>) -> Result<(), OperatorError> {
        self.phase(out)
    }
}

impl<T, S: Ord> Ord for Scored<T, S> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order.cmp(&other.order)
    }
}

impl<T, S: Ord> PartialOrd for Scored<T, S> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T, S: Ord> PartialEq for Scored<T, S> {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl<T, S: Ord> Eq for Scored<T, S> {}

impl<T, S, F> fmt::Debug for TopK<T, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopK").field("k", &self.k).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::super::harness::{fed, items_then_end, told, trace};
    use super::*;

    #[test]
    fn the_best_first_and_of_equals_the_first() {
        let mut longest = TopK::new(2, |word: &&str| Ok(word.len())).unwrap();
        let script = items_then_end(["a", "bee", "cat", "do", "elk"]);
        assert_snapshot!(trace(&mut longest, &script), @r#"
        "a" -> 
        "bee" -> 
        "cat" -> 
        "do" -> 
        "elk" -> 
        | -> (3, "bee") (3, "cat")
        $ -> 
        "#);
        let error = TopK::new(0, |n: &u8| Ok(*n)).unwrap_err();
        assert_snapshot!(told(&error), @"TopK: k is zero, use at least one");
    }

    proptest! {
        #[test]
        fn it_is_a_stable_sort_cut_off(phases: Vec<Vec<u8>>, k in 1_usize..6) {
            let best = |phase: &Vec<u8>| {
                let mut all: Vec<(u8, u8)> = phase.iter().map(|n| (n % 7, *n)).collect();
                all.sort_by_key(|(score, _)| Reverse(*score));
                all.truncate(k);
                all
            };
            let expected: Vec<(u8, u8)> = phases.iter().flat_map(best).collect();
            prop_assert_eq!(fed(&mut TopK::new(k, |n: &u8| Ok(n % 7)).unwrap(), phases), expected);
        }
    }
}
