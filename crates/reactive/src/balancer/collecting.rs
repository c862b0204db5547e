//! Owns the nodes that gather what workers make: in the order of the items, or as it comes.

use std::fmt;

use selvedge_runtime::{Pull, Result};

use super::resequencer::Resequencer;
use super::working::Results;
use crate::artifact::{Artifact, Shared};
use crate::operator::{Hooks, Item, Operator, Out};
use crate::persist::{Brought, Shelf};

/// Puts results in the order of their items.
pub(super) struct Collecting<U>(Resequencer<Shared<Results<U>>>, Option<Shelf<U>>);

impl<U> Collecting<U> {
    pub(super) fn new(
        resequencer: Resequencer<Shared<Results<U>>>,
        shelf: Option<Shelf<U>>,
    ) -> Collecting<U> {
        Collecting(resequencer, shelf)
    }
}

/// Emits what earlier runs have kept; says whether that was all.
fn bring_back<U: Artifact>(out: &mut Out<'_, '_, U>, shelf: &mut Shelf<U>) -> Result<bool> {
    while out.cx.room() > 0 {
        let Some(Brought { made, .. }) = shelf.bring_back()? else { return Ok(true) };
        made.into_iter().for_each(|result| out.emit(result));
        shelf.journal.count_replay();
    }
    Ok(false)
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

    fn has_past(&self) -> bool {
        has_past(self.1.as_ref())
    }

    fn bring_back(&mut self, out: &mut Out<'_, '_, U>) -> Result<Pull> {
        let Collecting(resequencer, Some(shelf)) = self else { return Ok(Pull::Done) };
        if !bring_back(out, shelf)? {
            return Ok(Pull::More);
        }
        resequencer.begin_at(shelf.n_kept());
        Ok(Pull::Done)
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

fn has_past<U>(shelf: Option<&Shelf<U>>) -> bool {
    shelf.is_some_and(|shelf| shelf.journal.is_durable())
}

/// Sends results on as they come.
pub(super) struct Unordered<U>(Option<Shelf<U>>);

impl<U> Unordered<U> {
    pub(super) fn new(shelf: Option<Shelf<U>>) -> Unordered<U> {
        Unordered(shelf)
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

    fn has_past(&self) -> bool {
        has_past(self.0.as_ref())
    }

    fn bring_back(&mut self, out: &mut Out<'_, '_, U>) -> Result<Pull> {
        let Unordered(Some(shelf)) = self else { return Ok(Pull::Done) };
        Ok(if bring_back(out, shelf)? { Pull::Done } else { Pull::More })
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
