//! Owns `Spill`: pending keys in a store, with an index of their digests and ages in memory.
//!
//! A record is the key, since when it waits, and what it waits with, as JSON, under the key's
//! digest. What is lost in a crash is lost with the run, so records are written without waiting
//! for the device.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use selvedge_event::Digest;
use selvedge_store::{Batch, Durability, Scan};
use serde::Serialize;

use super::error::RendezvousError;
use super::pending::Pending;
use super::slots::are_empty;
use super::{Slots, SpillTo, Spilled};

/// What part of the keys in memory is moved at once: one batch of writes instead of many.
const MOVED_PART: usize = 8;
/// Records removed in a batch.
const REMOVED_MAX: usize = 1_024;

pub(super) struct Spill<K, S: Slots> {
    to: SpillTo,
    /// When each key in the store was born, and which of its times there this is.
    known: HashMap<Digest, (Duration, u64)>,
    /// Oldest first. One that is not known, or by another number, has been fetched meanwhile.
    order: VecDeque<(Digest, u64)>,
    n_moves: u64,
    codec: Codec<K, S>,
}

/// How keys and what they wait with are written: known where their types are.
struct Codec<K, S: Slots> {
    digest: fn(&K) -> Result<Digest, RendezvousError>,
    write: fn(&S, &S::Lines) -> Result<Vec<u8>, RendezvousError>,
    read: fn(&mut S, &[u8]) -> Result<S::Lines, RendezvousError>,
}

impl<K, S> Spill<K, S>
where
    K: Hash + Eq + Debug + Serialize,
    S: Spilled,
{
    /// Empties the namespace.
    pub(super) fn opened(to: SpillTo) -> Result<Spill<K, S>, RendezvousError> {
        loop {
            let mut batch = Batch::new();
            for entry in to.store.scan(Scan::all(&to.namespace)).take(REMOVED_MAX) {
                batch = batch.delete(&to.namespace, &entry.map_err(RendezvousError::Store)?.key);
            }
            if batch.is_empty() {
                break;
            }
            to.store.commit(batch, Durability::None).map_err(RendezvousError::Store)?;
        }
        let codec = Codec {
            digest: |key| Digest::of(key).map_err(RendezvousError::NoDigest),
            write: |sides: &S, lines| sides.write(lines).map_err(RendezvousError::Record),
            read: |sides: &mut S, bytes| sides.read(bytes).map_err(RendezvousError::Record),
        };
        let (known, order) = (HashMap::new(), VecDeque::new());
        Ok(Spill { to, known, order, n_moves: 0, codec })
    }
}

impl<K, S: Slots> Spill<K, S> {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn oldest_born(&self) -> Option<Duration> {
        self.order.iter().find_map(|(digest, number)| self.born(digest, *number))
    }

    fn born(&self, digest: &Digest, number: u64) -> Option<Duration> {
        self.known.get(digest).filter(|(_, known)| *known == number).map(|(born, _)| *born)
    }

    /// Takes a key out of the store, if it is there.
    pub(super) fn fetch(
        &mut self,
        key: &K,
        sides: &mut S,
    ) -> Result<Option<(Duration, S::Lines)>, RendezvousError> {
        if self.known.is_empty() {
            return Ok(None);
        }
        let digest = (self.codec.digest)(key)?;
        let Some(&(born, _)) = self.known.get(&digest) else { return Ok(None) };
        let lines = self.take(&digest, sides)?;
        Ok(lines.map(|lines| (born, lines)))
    }

    /// Takes a record out of the store.
    fn take(
        &mut self,
        digest: &Digest,
        sides: &mut S,
    ) -> Result<Option<S::Lines>, RendezvousError> {
        let SpillTo { store, namespace, .. } = &self.to;
        let bytes = store.get(namespace, digest.as_bytes()).map_err(RendezvousError::Store)?;
        let lines = bytes.map(|bytes| (self.codec.read)(sides, &bytes)).transpose()?;
        if let Err(error) = store.delete(namespace, digest.as_bytes(), Durability::None) {
            lines.into_iter().for_each(|lines| forget(sides, lines));
            return Err(RendezvousError::Store(error));
        }
        self.known.remove(digest);
        Ok(lines)
    }

    /// Moves the oldest keys to the store if there are too many in memory, and says how many.
    pub(super) fn make_room(
        &mut self,
        pending: &mut Pending<K, S::Lines>,
        sides: &mut S,
    ) -> Result<u64, RendezvousError> {
        if pending.len() < self.to.in_memory_max {
            return Ok(0);
        }
        let n = (self.to.in_memory_max / MOVED_PART).max(1);
        let mut batch = Batch::new();
        let mut moved = Vec::with_capacity(n);
        for (key, lines, born) in pending.iter().take(n) {
            let digest = (self.codec.digest)(key)?;
            let record = (self.codec.write)(sides, lines)?;
            batch = batch.put(&self.to.namespace, digest.as_bytes(), record);
            moved.push((digest, born));
        }
        self.to.store.commit(batch, Durability::None).map_err(RendezvousError::Store)?;
        let n_moved = moved.len() as u64;
        for (digest, born) in moved {
            self.n_moves += 1;
            pending.pop_oldest().into_iter().for_each(|lines| forget(sides, lines));
            self.known.insert(digest, (born, self.n_moves));
            self.order.push_back((digest, self.n_moves));
        }
        if self.order.len() > 2 * self.known.len() + REMOVED_MAX {
            // Those that were fetched behind one that stays.
            let known = &self.known;
            self.order.retain(|(digest, n)| known.get(digest).is_some_and(|(_, known)| known == n));
        }
        Ok(n_moved)
    }

    /// Takes out the key that has been in the store longest.
    pub(super) fn take_oldest(
        &mut self,
        sides: &mut S,
    ) -> Result<Option<S::Lines>, RendezvousError> {
        let Some((digest, _)) = self.oldest() else { return Ok(None) };
        let lines = self.take(&digest, sides)?;
        self.order.pop_front();
        Ok(lines)
    }

    /// Takes out the oldest keys as long as they were born at such a time.
    pub(super) fn take_while(
        &mut self,
        sides: &mut S,
        is_over: impl Fn(Duration) -> bool,
    ) -> Result<Vec<S::Lines>, RendezvousError> {
        let mut taken = Vec::new();
        while let Some((_, born)) = self.oldest()
            && is_over(born)
        {
            taken.extend(self.take_oldest(sides)?);
        }
        Ok(taken)
    }

    /// The key at the front that is still there.
    fn oldest(&mut self) -> Option<(Digest, Duration)> {
        loop {
            let &(digest, number) = self.order.front()?;
            match self.born(&digest, number) {
                Some(born) => return Some((digest, born)),
                None => self.order.pop_front(),
            };
        }
    }

    pub(super) fn clear(&mut self) -> Result<(), RendezvousError> {
        while !self.known.is_empty() {
            let mut batch = Batch::new();
            let digests: Vec<Digest> = self.known.keys().take(REMOVED_MAX).copied().collect();
            for digest in &digests {
                batch = batch.delete(&self.to.namespace, digest.as_bytes());
            }
            self.to.store.commit(batch, Durability::None).map_err(RendezvousError::Store)?;
            for digest in &digests {
                self.known.remove(digest);
            }
        }
        self.order.clear();
        Ok(())
    }
}

/// Takes what a key waits with out of its sides.
fn forget<S: Slots>(sides: &mut S, mut lines: S::Lines) {
    while !are_empty(&lines) {
        sides.take_partial(&mut lines);
    }
}
