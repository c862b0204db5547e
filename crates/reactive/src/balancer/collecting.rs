//! Owns the nodes that gather what workers make: in the order of the items, or as it comes.

use std::fmt;
use std::marker::PhantomData;

use selvedge_runtime::Result;

use super::resequencer::Resequencer;
use super::working::Results;
use crate::artifact::{Artifact, Shared};
use crate::operator::{Hooks, Item, Operator, Out};

/// Puts results in the order of their items.
pub(super) struct Collecting<U>(Resequencer<Shared<Results<U>>>);

impl<U> Collecting<U> {
    pub(super) fn new(resequencer: Resequencer<Shared<Results<U>>>) -> Collecting<U> {
        Collecting(resequencer)
    }
}

/// Sends all results of an item on.
fn emit<U: Artifact + Clone>(out: &mut Out<'_, '_, U>, made: &Results<U>) {
    made.results.iter().for_each(|result| out.emit(result.clone()));
}

impl<U: Artifact + Clone> Operator for Collecting<U> {
    type Made = U;

    fn item(&mut self, out: &mut Out<'_, '_, U>, _: usize, item: Item<'_>) -> Result {
        let Some(made) = item.share::<Results<U>>() else { return Ok(()) };
        Ok(self.0.offer(made.number, made, |made| emit(out, &made))?)
    }

    fn hooks(&self) -> Hooks {
        Hooks::FINISH
    }

    fn finish(&mut self, out: &mut Out<'_, '_, U>) -> Result {
        self.0.finish(|made| emit(out, &made));
        Ok(())
    }

    fn is_atomic(&self) -> bool {
        true
    }
}

/// Sends results on as they come.
pub(super) struct Unordered<U>(PhantomData<fn(U)>);

impl<U> Default for Unordered<U> {
    fn default() -> Unordered<U> {
        Unordered(PhantomData)
    }
}

impl<U: Artifact + Clone> Operator for Unordered<U> {
    type Made = U;

    fn item(&mut self, out: &mut Out<'_, '_, U>, _: usize, item: Item<'_>) -> Result {
        if let Some(made) = item.read::<Results<U>>() {
            emit(out, made);
        }
        Ok(())
    }

    fn is_atomic(&self) -> bool {
        true
    }
}

impl<U> fmt::Debug for Collecting<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<U> fmt::Debug for Unordered<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unordered")
    }
}
