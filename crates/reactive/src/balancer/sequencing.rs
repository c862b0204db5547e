//! Owns the node that numbers items and deals them out to workers.

use std::fmt;

use anyhow::bail;
use selvedge_event::{Digest, DigestError, Event, Interest};
use selvedge_runtime::Result;

use super::balance::Dedupe;
use super::dispatch::Dispatch;
use super::sequencer::Sequencer;
use super::working::{Done, Tagged};
use crate::artifact::{Artifact, Shared};
use crate::operator::{Hooks, Item, Operator, Out};
use crate::operators::Counter;
use crate::seen::{InputKey, Seen};
use crate::title::Title;

/// Items that are remembered.
const INPUTS_MAX: usize = 1 << 20;

/// What is remembered of items, and how they are known.
pub(super) struct Inputs {
    seen: Option<Seen>,
    digest: fn(Item<'_>) -> Result<Digest, DigestError>,
}

impl Inputs {
    pub(super) fn new(
        dedupe: Dedupe,
        digest: fn(Item<'_>) -> Result<Digest, DigestError>,
    ) -> Inputs {
        Inputs { seen: (dedupe == Dedupe::On).then(Seen::default), digest }
    }
}

/// Numbers items and deals them out.
pub(super) struct Sequencing<T> {
    sequencer: Sequencer,
    dispatch: Dispatch<Shared<T>>,
    inputs: Inputs,
    /// What a worker says that it is done under.
    word: Title,
    /// Whether every item is followed by a question what became of it.
    settles: bool,
    scaled_up: Counter,
}

impl<T> Sequencing<T> {
    pub(super) fn new(
        sequencer: Sequencer,
        dispatch: Dispatch<Shared<T>>,
        inputs: Inputs,
        word: Title,
        settles: bool,
        scaled_up: Counter,
    ) -> Sequencing<T> {
        Sequencing { sequencer, dispatch, inputs, word, settles, scaled_up }
    }
}

/// Sends an item to a worker.
fn send<T: Artifact>(
    out: &mut Out<'_, '_, Tagged<T>>,
    settles: bool,
    (worker, number, item): (usize, u64, Shared<T>),
) {
    out.emit_at(worker, Tagged::Item { number, item });
    if settles {
        out.emit_at(worker, Tagged::Settle { number });
    }
}

impl<T: Artifact> Operator for Sequencing<T> {
    type Made = Tagged<T>;

    fn item(&mut self, out: &mut Out<'_, '_, Tagged<T>>, _: usize, item: Item<'_>) -> Result {
        let Some(shared) = item.share::<T>() else { return Ok(()) };
        let key = match &self.inputs.seen {
            None => None,
            Some(seen) => {
                let key = InputKey::Digest((self.inputs.digest)(item)?);
                if seen.has(&key) {
                    return Ok(());
                }
                if seen.len() >= INPUTS_MAX {
                    bail!(
                        "{INPUTS_MAX} items are remembered already: turn dedupe off, or leave \
                         equal ones out before they are balanced"
                    );
                }
                Some(key)
            }
        };
        self.dispatch.check_room()?;
        let number = self.sequencer.tag()?;
        let n_active = self.dispatch.n_active();
        let settles = self.settles;
        self.dispatch.offer(number, shared, |worker, number, item| {
            send(out, settles, (worker, number, item));
        })?;
        self.scaled_up.add(self.dispatch.n_active().saturating_sub(n_active) as u64);
        if let (Some(seen), Some(key)) = (&mut self.inputs.seen, key) {
            seen.add(key);
        }
        Ok(())
    }

    fn hooks(&self) -> Hooks {
        Hooks::FINISH
    }

    fn finish(&mut self, _: &mut Out<'_, '_, Tagged<T>>) -> Result {
        Ok(self.sequencer.close()?)
    }

    fn hears(&self) -> Vec<Interest> {
        vec![Interest::of::<Done>().named(self.word.kept().clone())]
    }

    fn event(&mut self, out: &mut Out<'_, '_, Tagged<T>>, event: &Event) -> Result {
        if let Some(&Done { worker }) = event.payload() {
            let settles = self.settles;
            self.dispatch.done(worker as usize, |worker, number, item| {
                send(out, settles, (worker, number, item));
            });
        }
        Ok(())
    }

    fn is_atomic(&self) -> bool {
        true
    }
}

impl<T> fmt::Debug for Sequencing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequencing").field("sequencer", &self.sequencer).finish_non_exhaustive()
    }
}
