//! Owns the results that are kept in memory: so many, and so heavy together, at most. The oldest
//! goes first. Pure; what goes is handed back, to be dropped under no lock.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use selvedge_event::{Digest, Event, Text};

/// What a turn emitted.
#[derive(Debug)]
pub(super) struct Emissions {
    pub(super) events: Vec<Event>,
    pub(super) digests: Arc<[Digest]>,
    /// What the run that recorded them is called, if it was called anything.
    pub(super) origin: Option<Text>,
    /// What the events weigh.
    pub(super) bytes: usize,
}

impl Emissions {
    pub(super) fn new(
        events: Vec<Event>,
        digests: Arc<[Digest]>,
        origin: Option<Text>,
    ) -> Emissions {
        let bytes = size_of::<Emissions>() + events.iter().map(Event::bytes).sum::<usize>();
        Emissions { events, digests, origin, bytes }
    }
}

/// Results by memo key.
#[derive(Debug)]
pub(super) struct Memory {
    results: FxHashMap<Digest, Arc<Emissions>>,
    /// Oldest first.
    order: VecDeque<Digest>,
    bytes: usize,
    n_max: usize,
    bytes_max: usize,
    /// How many made room for others.
    pub(super) n_evicted: u64,
}

impl Memory {
    pub(super) fn new(n_max: usize, bytes_max: usize) -> Memory {
        let (results, order) = (FxHashMap::default(), VecDeque::new());
        Memory { results, order, bytes: 0, n_max, bytes_max, n_evicted: 0 }
    }

    pub(super) fn find(&self, key: &Digest) -> Option<Arc<Emissions>> {
        self.results.get(key).cloned()
    }

    /// Keeps a result; what makes room for it is handed back.
    #[must_use]
    pub(super) fn keep(&mut self, key: Digest, emissions: Arc<Emissions>) -> Vec<Arc<Emissions>> {
        let mut gone: Vec<_> = self.forget(&key).into_iter().collect();
        self.bytes += emissions.bytes;
        self.results.insert(key, emissions);
        self.order.push_back(key);
        while self.results.len() > self.n_max || self.bytes > self.bytes_max {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(emissions) = self.remove(&oldest) {
                self.n_evicted += 1;
                gone.push(emissions);
            }
        }
        gone
    }

    /// Takes a result back: whoever computed it failed after all.
    #[must_use]
    pub(super) fn forget(&mut self, key: &Digest) -> Option<Arc<Emissions>> {
        let emissions = self.remove(key)?;
        // From the end: it was kept a moment ago.
        if let Some(at) = self.order.iter().rposition(|other| other == key) {
            self.order.remove(at);
        }
        Some(emissions)
    }

    /// Takes out every result of which one of these values is part.
    #[must_use]
    pub(super) fn forget_with(&mut self, values: &BTreeSet<Digest>) -> Vec<Arc<Emissions>> {
        let has_any =
            |emissions: &Emissions| emissions.digests.iter().any(|digest| values.contains(digest));
        let unwanted: Vec<Digest> = self
            .results
            .iter()
            .filter(|(_, emissions)| has_any(emissions))
            .map(|(key, _)| *key)
            .collect();
        let gone = unwanted.iter().filter_map(|key| self.remove(key)).collect();
        self.order.retain(|key| self.results.contains_key(key));
        gone
    }

    fn remove(&mut self, key: &Digest) -> Option<Arc<Emissions>> {
        let emissions = self.results.remove(key)?;
        self.bytes -= emissions.bytes;
        Some(emissions)
    }
}
