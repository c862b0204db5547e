//! Owns `Pending`: the keys that wait in memory, found by hash and in the order in which they came.
//!
//! Entries lie in a slab, whose free places are used again, last freed first: while keys complete
//! as fast as they come, memory is touched in the same few places. The table holds numbers of
//! places only. Each entry keeps its hash, so that growing and removing ask no key for it.

use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use hashbrown::{DefaultHashBuilder, HashTable};

/// No place.
const NONE: u32 = u32::MAX;

pub(super) struct Pending<K, S> {
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    slab: Vec<Place<K, S>>,
    free: u32,
    oldest: u32,
    newest: u32,
}

enum Place<K, S> {
    /// With what the last key waited with, emptied: its queues keep their room for the next one.
    Free {
        next: u32,
        spare: Option<S>,
    },
    Taken(Entry<K, S>),
}

struct Entry<K, S> {
    key: K,
    slots: S,
    hash: u64,
    born: Duration,
    older: u32,
    newer: u32,
}

impl<K: Hash + Eq, S> Pending<K, S> {
    #[inline]
    pub(super) fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Where the key waits.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: &K) -> Option<usize> {
        let is_it = |&place: &u32| self.entry(place).key == *key;
        self.table.find(hash, is_it).map(|&place| place as usize)
    }
}

impl<K, S> Pending<K, S> {
    pub(super) fn new() -> Pending<K, S> {
        Pending {
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            slab: Vec::new(),
            free: NONE,
            oldest: NONE,
            newest: NONE,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    fn entry(&self, place: u32) -> &Entry<K, S> {
        match &self.slab[place as usize] {
            Place::Taken(entry) => entry,
            Place::Free { .. } => unreachable!("the table and the order name taken places only"),
        }
    }

    #[inline]
    fn entry_mut(&mut self, place: u32) -> &mut Entry<K, S> {
        match &mut self.slab[place as usize] {
            Place::Taken(entry) => entry,
            Place::Free { .. } => unreachable!("the table and the order name taken places only"),
        }
    }

    /// What waits there.
    #[inline]
    pub(super) fn slots(&mut self, place: usize) -> &mut S {
        &mut self.entry_mut(place as u32).slots
    }

    pub(super) fn key(&self, place: usize) -> &K {
        &self.entry(place as u32).key
    }

    /// Since when the key waits that has waited longest.
    pub(super) fn oldest_born(&self) -> Option<Duration> {
        (self.oldest != NONE).then(|| self.entry(self.oldest).born)
    }

    /// The keys with what waits under them, longest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &S, Duration)> {
        let mut place = self.oldest;
        std::iter::from_fn(move || {
            let entry = (place != NONE).then(|| self.entry(place))?;
            place = entry.newer;
            Some((&entry.key, &entry.slots, entry.born))
        })
    }

    /// Puts a key that isn't there behind the others.
    ///
    /// # Panics
    ///
    /// At 2³² - 1 keys, which no limit allows.
    pub(super) fn insert(
        &mut self,
        hash: u64,
        key: K,
        slots: impl FnOnce(Option<S>) -> S,
        born: Duration,
    ) -> usize {
        let (older, newer) = (self.newest, NONE);
        let place = self.free;
        let place = if place == NONE {
            let place = u32::try_from(self.slab.len()).ok().filter(|&place| place != NONE);
            let slots = slots(None);
            self.slab.push(Place::Taken(Entry { key, slots, hash, born, older, newer }));
            place.expect("limits allow fewer keys")
        } else {
            let Place::Free { next, spare } = &mut self.slab[place as usize] else {
                unreachable!("the free list names free places only")
            };
            self.free = *next;
            let slots = slots(spare.take());
            self.slab[place as usize] =
                Place::Taken(Entry { key, slots, hash, born, older, newer });
            place
        };
        match self.newest {
            NONE => self.oldest = place,
            newest => self.entry_mut(newest).newer = place,
        }
        self.newest = place;
        let slab = &self.slab;
        self.table.insert_unique(hash, place, |&place| match &slab[place as usize] {
            Place::Taken(entry) => entry.hash,
            Place::Free { .. } => unreachable!("the table names taken places only"),
        });
        place as usize
    }

    /// Takes a key out that waits with nothing any more.
    pub(super) fn vacate(&mut self, place: usize) {
        let (_, slots) = self.remove(place);
        if let Place::Free { spare, .. } = &mut self.slab[place] {
            *spare = Some(slots);
        }
    }

    /// Takes a key out.
    pub(super) fn remove(&mut self, place: usize) -> (K, S) {
        let place = place as u32;
        let free = Place::Free { next: self.free, spare: None };
        let taken = std::mem::replace(&mut self.slab[place as usize], free);
        self.free = place;
        let Place::Taken(entry) = taken else { unreachable!("only what waits is taken out") };
        match self.table.find_entry(entry.hash, |&other| other == place) {
            Ok(found) => drop(found.remove()),
            Err(_) => unreachable!("what waits is in the table"),
        }
        match entry.older {
            NONE => self.oldest = entry.newer,
            older => self.entry_mut(older).newer = entry.newer,
        }
        match entry.newer {
            NONE => self.newest = entry.older,
            newer => self.entry_mut(newer).older = entry.older,
        }
        (entry.key, entry.slots)
    }

    /// Takes out the key that has waited longest.
    pub(super) fn pop_oldest(&mut self) -> Option<(K, S)> {
        (self.oldest != NONE).then(|| self.remove(self.oldest as usize))
    }

    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.slab.clear();
        (self.free, self.oldest, self.newest) = (NONE, NONE, NONE);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_list_of_keys(steps in prop::collection::vec((0_u8..4, 0_u8..12), 0..200)) {
            let mut pending = Pending::new();
            let mut list: VecDeque<(u8, usize)> = VecDeque::new();
            for (number, (what, key)) in steps.into_iter().enumerate() {
                let hash = pending.hash(&key);
                let place = pending.find(hash, &key);
                let at = list.iter().position(|(other, _)| *other == key);
                prop_assert_eq!(place.is_some(), at.is_some());
                match (what, place, at) {
                    (0, _, _) => prop_assert_eq!(pending.pop_oldest(), list.pop_front()),
                    (_, None, _) | (_, _, None) => {
                        let born = Duration::from_secs(number as u64);
                        pending.insert(hash, key, |_| number, born);
                        list.push_back((key, number));
                    }
                    (1, Some(place), Some(at)) => {
                        prop_assert_eq!(Some(pending.remove(place)), list.remove(at));
                    }
                    (_, Some(place), Some(at)) => {
                        prop_assert_eq!(*pending.slots(place), list[at].1);
                        prop_assert_eq!(*pending.key(place), key);
                    }
                }
                let oldest = list.front().map(|(_, number)| Duration::from_secs(*number as u64));
                prop_assert_eq!(pending.oldest_born(), oldest);
                prop_assert_eq!(pending.len(), list.len());
                let listed: Vec<_> = pending.iter().map(|(key, slots, _)| (*key, *slots)).collect();
                prop_assert_eq!(listed, Vec::from(list.clone()));
                // Places are used again.
                prop_assert!(pending.slab.len() <= 12);
            }
        }
    }
}
