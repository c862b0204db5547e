//! Owns the node that numbers items and deals them out to workers.

use std::fmt;

use anyhow::bail;
use selvedge_event::{Digest, DigestError, Event, Interest};
use selvedge_runtime::{Journal, Pull, Result};

use super::balance::Dedupe;
use super::dispatch::Dispatch;
use super::sequencer::Sequencer;
use super::working::{Done, Tagged};
use crate::artifact::{Artifact, Shared};
use crate::memory::Memory;
use crate::operator::{Hooks, Item, Operator, Out};
use crate::operators::Counter;
use crate::persist;
use crate::seen::InputKey;
use crate::title::Title;

/// Items that are remembered in memory.
const INPUTS_MAX: usize = 1 << 20;

/// Records that are read at a time.
const PAGE: usize = 256;

/// What is remembered of items, and how they are known.
pub(super) struct Inputs {
    seen: Option<Memory>,
    digest: fn(Item<'_>) -> Result<Digest, DigestError>,
    /// Where earlier runs have noted theirs, if they did, and the key that was read last.
    journal: Option<Journal>,
    last: Option<Vec<u8>>,
}

impl Inputs {
    pub(super) fn new(
        dedupe: Dedupe,
        digest: fn(Item<'_>) -> Result<Digest, DigestError>,
        aside: &Journal,
        journal: Option<Journal>,
    ) -> Inputs {
        let seen = (dedupe == Dedupe::On).then(|| Memory::new(INPUTS_MAX, aside.clone()));
        Inputs { seen, digest, journal, last: None }
    }

    /// Takes some of what earlier runs worked on in; the number that comes next, when that was all.
    fn read_on(&mut self) -> Result<Option<u64>> {
        let Some(journal) = &self.journal else { return Ok(Some(0)) };
        let page = journal.read_after(self.last.as_deref(), PAGE)?;
        for (_, record) in &page {
            // What means nothing is told by the collector, and worked on again.
            let Some(input) = persist::input(record) else { continue };
            let key = InputKey::Digest(input);
            if let Some(seen) = &mut self.seen
                && !seen.has(&key)?
                && seen.make_room()?
            {
                seen.add(key);
            }
        }
        let is_all = page.len() < PAGE;
        if let Some((last, _)) = page.into_iter().next_back() {
            self.last = Some(last);
        }
        let number = |key: &Vec<u8>| key.first_chunk::<8>().map(|it| u64::from_be_bytes(*it));
        let next = self.last.as_ref().and_then(number).map_or(0, |last| last.saturating_add(1));
        Ok(is_all.then_some(next))
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
        let key = match &mut self.inputs.seen {
            None => None,
            Some(seen) => {
                let key = InputKey::Digest((self.inputs.digest)(item)?);
                if seen.has(&key)? {
                    return Ok(());
                }
                if !seen.make_room()? {
                    bail!(
                        "{INPUTS_MAX} items are remembered already: give the pipeline a store for \
                         the rest, turn dedupe off, or leave equal ones out before they are balanced"
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

    fn has_past(&self) -> bool {
        self.inputs.journal.as_ref().is_some_and(Journal::is_durable)
    }

    fn bring_back(&mut self, _: &mut Out<'_, '_, Tagged<T>>) -> Result<Pull> {
        let Some(next) = self.inputs.read_on()? else { return Ok(Pull::More) };
        self.sequencer.begin_at(next);
        Ok(Pull::Done)
    }

    fn close(&mut self) -> Result {
        self.inputs.seen.as_mut().map_or(Ok(()), Memory::close)
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
