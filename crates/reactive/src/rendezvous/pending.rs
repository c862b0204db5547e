//! Owns `Pending`: the keys that wait in memory, found by hash, and, for those who will ask, in the
//! order in which they came.
//!
//! A key lies in the table itself, with what it waits with: who looks for it touches one place. So
//! nothing else may know where that is. The order names keys by their hash and a number that is
//! given once; who leaves doesn't look for its place in the order, which is passed over when its
//! turn comes, and swept out when most of them are such.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use hashbrown::hash_table::OccupiedEntry;
use hashbrown::{DefaultHashBuilder, HashTable};

/// Places in the order that are not swept out though their keys have left.
const LEFT_MAX: usize = 1_024;

pub(super) struct Pending<K, L> {
    table: HashTable<Entry<K, L>>,
    hasher: DefaultHashBuilder,
    n_came: u64,
    /// Oldest first, if that will be asked for.
    order: Option<VecDeque<Came>>,
}

/// Laid out as it is written: a key that is a word and the lines of two streams, which every item
/// needs, are half a line of the cache, and the number is behind them.
#[repr(C)]
struct Entry<K, L> {
    key: K,
    lines: L,
    /// How many keys came before.
    number: u64,
}

/// A key that came, which may have left since.
struct Came {
    hash: u64,
    number: u64,
    born: Duration,
}

/// Whether somebody will ask for the key that has waited longest, before all are taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ages {
    /// They are not told apart.
    Ignored,
    /// They are.
    Kept,
}

/// A key that waits.
pub(super) struct Waiting<'p, K, L>(OccupiedEntry<'p, Entry<K, L>>);

impl<K, L> Waiting<'_, K, L> {
    pub(super) fn key(&self) -> &K {
        &self.0.get().key
    }

    /// What it waits with.
    #[inline]
    pub(super) fn lines(&mut self) -> &mut L {
        &mut self.0.get_mut().lines
    }

    /// Takes the key out.
    #[inline]
    pub(super) fn remove(self) -> L {
        self.0.remove().0.lines
    }
}

impl<K: Hash + Eq, L> Pending<K, L> {
    #[inline]
    pub(super) fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    #[inline]
    pub(super) fn find(&mut self, hash: u64, key: &K) -> Option<Waiting<'_, K, L>> {
        let found = self.table.find_entry(hash, |entry| entry.key == *key).ok()?;
        Some(Waiting(found))
    }

    /// Puts a key that isn't there behind the others.
    #[inline]
    pub(super) fn insert(
        &mut self,
        hash: u64,
        key: K,
        lines: L,
        born: Duration,
    ) -> Waiting<'_, K, L> {
        let number = self.n_came;
        self.n_came += 1;
        if self.order.is_some() {
            self.sweep();
            self.order.iter_mut().for_each(|order| order.push_back(Came { hash, number, born }));
        }
        let hasher = &self.hasher;
        let rehash = |entry: &Entry<K, L>| hasher.hash_one(&entry.key);
        Waiting(self.table.insert_unique(hash, Entry { key, lines, number }, rehash))
    }
}

impl<K, L> Pending<K, L> {
    pub(super) fn new(ages: Ages) -> Pending<K, L> {
        Pending {
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            n_came: 0,
            order: (ages == Ages::Kept).then(VecDeque::new),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Since when the key waits that has waited longest.
    pub(super) fn oldest_born(&mut self) -> Option<Duration> {
        let order = self.order.as_mut()?;
        while let Some(&Came { hash, number, born }) = order.front() {
            if self.table.find(hash, |entry| entry.number == number).is_some() {
                return Some(born);
            }
            order.pop_front();
        }
        None
    }

    /// The keys with what they wait with, longest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &L, Duration)> {
        self.order.iter().flatten().filter_map(|&Came { hash, number, born }| {
            let entry = self.table.find(hash, |entry| entry.number == number)?;
            Some((&entry.key, &entry.lines, born))
        })
    }

    /// Takes out the key that has waited longest.
    pub(super) fn pop_oldest(&mut self) -> Option<L> {
        let order = self.order.as_mut()?;
        while let Some(Came { hash, number, .. }) = order.pop_front() {
            if let Ok(found) = self.table.find_entry(hash, |entry| entry.number == number) {
                return Some(found.remove().0.lines);
            }
        }
        None
    }

    /// Takes out all keys, the one that has waited longest first, whether ages were kept or not.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = L> + use<K, L> {
        let mut entries: Vec<Entry<K, L>> = self.table.drain().collect();
        entries.sort_unstable_by_key(|entry| entry.number);
        self.clear();
        entries.into_iter().map(|entry| entry.lines)
    }

    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.order.iter_mut().for_each(VecDeque::clear);
    }

    /// Sweeps out of the order those who have left, if they are more than those who wait.
    fn sweep(&mut self) {
        let Some(order) = &mut self.order else { return };
        if order.len() > 2 * self.table.len() + LEFT_MAX {
            let table = &self.table;
            order.retain(|came| {
                table.find(came.hash, |entry| entry.number == came.number).is_some()
            });
        }
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
            let mut pending = Pending::new(Ages::Kept);
            let mut unaged = Pending::new(Ages::Ignored);
            let mut list: VecDeque<(u8, usize)> = VecDeque::new();
            for (number, (what, key)) in steps.into_iter().enumerate() {
                let hash = pending.hash(&key);
                let born = Duration::from_secs(number as u64);
                let at = list.iter().position(|(other, _)| *other == key);
                prop_assert_eq!(pending.find(hash, &key).is_some(), at.is_some());
                match (what, at) {
                    (0, _) => {
                        let oldest = list.pop_front();
                        prop_assert_eq!(pending.pop_oldest(), oldest.map(|(_, number)| number));
                        if let Some((key, _)) = oldest {
                            let hash = unaged.hash(&key);
                            unaged.find(hash, &key).expect("it waits").remove();
                        }
                    }
                    (_, None) => {
                        pending.insert(hash, key, number, born);
                        unaged.insert(unaged.hash(&key), key, number, born);
                        list.push_back((key, number));
                    }
                    (1, Some(at)) => {
                        pending.find(hash, &key).expect("it waits").remove();
                        let hash = unaged.hash(&key);
                        unaged.find(hash, &key).expect("it waits").remove();
                        list.remove(at);
                    }
                    (_, Some(at)) => {
                        let mut waiting = pending.find(hash, &key).expect("it waits");
                        prop_assert_eq!(*waiting.lines(), list[at].1);
                        prop_assert_eq!(*waiting.key(), key);
                    }
                }
                let oldest = list.front().map(|(_, number)| Duration::from_secs(*number as u64));
                prop_assert_eq!(pending.oldest_born(), oldest);
                prop_assert_eq!(unaged.oldest_born(), None);
                prop_assert_eq!((pending.len(), unaged.len()), (list.len(), list.len()));
                let listed: Vec<_> = pending.iter().map(|(key, lines, _)| (*key, *lines)).collect();
                prop_assert_eq!(listed, Vec::from(list.clone()));
            }
            let numbers: Vec<_> = list.iter().map(|(_, number)| *number).collect();
            prop_assert_eq!(unaged.take_all().collect::<Vec<_>>(), numbers.clone());
            prop_assert_eq!(pending.take_all().collect::<Vec<_>>(), numbers);
            prop_assert_eq!((pending.len(), pending.oldest_born(), unaged.len()), (0, None, 0));
        }
    }

    #[test]
    fn the_order_forgets_those_who_have_left() {
        let mut pending = Pending::new(Ages::Kept);
        let insert = |pending: &mut Pending<u64, ()>, key: u64| {
            pending.insert(pending.hash(&key), key, (), Duration::ZERO);
        };
        insert(&mut pending, 0);
        for key in 1..10_000 {
            insert(&mut pending, key);
            let hash = pending.hash(&key);
            pending.find(hash, &key).expect("it waits").remove();
            let n_order = pending.order.as_ref().map_or(0, VecDeque::len);
            assert!(n_order <= LEFT_MAX + 4);
        }
        assert_eq!(pending.iter().map(|(key, ..)| *key).collect::<Vec<_>>(), [0]);
    }
}
