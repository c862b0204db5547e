//! Owns what is remembered of inputs that were built from: so many in memory, and the rest in the
//! pipeline's store, if it has one. Refuses to forget: to forget an input is to build from it
//! twice.

use anyhow::Context as _;
use selvedge_runtime::{Aside, Journal, Result};

use crate::seen::{InputKey, Seen};

/// Keys that are put aside at once: one batch of writes instead of many.
const AT_ONCE: usize = 1_024;

/// What is remembered of inputs.
pub(crate) struct Memory {
    seen: Seen,
    inputs_max: usize,
    /// Whose place in the store takes what is too much.
    journal: Journal,
    spilled: Option<Box<Spilled>>,
}

/// What is in the store, and what is to go there next.
struct Spilled {
    aside: Aside,
    next: Seen,
    keys: Vec<Box<[u8]>>,
}

impl Memory {
    pub(crate) fn new(inputs_max: usize, journal: Journal) -> Memory {
        Memory { seen: Seen::default(), inputs_max, journal, spilled: None }
    }

    /// How many inputs memory is to hold.
    pub(crate) fn inputs_max(&self) -> usize {
        self.inputs_max
    }

    /// Whether an input was built from.
    #[inline]
    pub(crate) fn has(&self, key: &InputKey) -> Result<bool> {
        if self.seen.has(key) {
            return Ok(true);
        }
        match &self.spilled {
            None => Ok(false),
            Some(spilled) => spilled.has(key),
        }
    }

    /// Makes room for one more; says whether there is any.
    #[inline]
    pub(crate) fn make_room(&mut self) -> Result<bool> {
        if self.seen.len() < self.inputs_max { Ok(true) } else { self.spill() }
    }

    #[cold]
    fn spill(&mut self) -> Result<bool> {
        let failed = "inputs that are too many for memory can't be put into the store";
        if self.spilled.is_none() {
            let Some(aside) = self.journal.aside() else { return Ok(false) };
            aside.clear().context(failed)?;
            let (next, keys) = (Seen::default(), Vec::new());
            self.spilled = Some(Box::new(Spilled { aside, next, keys }));
        }
        if let Some(spilled) = &mut self.spilled
            && spilled.keys.len() >= AT_ONCE
        {
            spilled.aside.put(&spilled.keys).context(failed)?;
            spilled.keys.clear();
            spilled.next = Seen::default();
        }
        Ok(true)
    }

    /// Remembers an input, for which [room](Self::make_room) was made.
    #[inline]
    pub(crate) fn add(&mut self, key: InputKey) {
        match &mut self.spilled {
            None => self.seen.add(key),
            Some(spilled) => {
                spilled.keys.push(bytes(&key));
                spilled.next.add(key);
            }
        }
    }

    /// The run is over: the next one finds out anew.
    pub(crate) fn close(&mut self) -> Result {
        match self.spilled.take() {
            None => Ok(()),
            Some(spilled) => Ok(spilled.aside.clear()?),
        }
    }
}

impl Spilled {
    #[cold]
    fn has(&self, key: &InputKey) -> Result<bool> {
        if self.next.has(key) {
            return Ok(true);
        }
        let found = self.aside.has(&bytes(key));
        found.context("inputs that are too many for memory can't be looked up in the store")
    }
}

/// What a key is known by in the store: numbers are shorter than digests, so they never meet.
fn bytes(key: &InputKey) -> Box<[u8]> {
    match key {
        InputKey::Word(word) => word.to_be_bytes().into(),
        InputKey::Digest(digest) => digest.as_bytes().as_slice().into(),
    }
}
