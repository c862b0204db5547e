//! Owns `Grouper` and `StreamGrouper`: items by key, of a phase or of a stretch.

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::{Machine, OperatorError, Outlet, at_least_one, called};

/// Keys of a phase unless told otherwise.
const KEYS_MAX: usize = 1 << 16;
/// Items held unless told otherwise.
const ITEMS_MAX: usize = 1 << 20;

/// Gathers items by key; when the phase ends it emits each key with its group, in the order in
/// which keys were first seen, and forgets them.
///
/// At most 65 536 keys and 1 048 576 items a phase, unless told otherwise: one more is an error.
pub struct Grouper<T, K, F> {
    key: F,
    places: HashMap<K, usize>,
    groups: Vec<(K, Vec<T>)>,
    n_items: usize,
    keys_max: usize,
    items_max: usize,
}

impl<T, K, F: FnMut(&T) -> anyhow::Result<K>> Grouper<T, K, F> {
    /// Groups by what `key` says of an item.
    #[must_use]
    pub fn new(key: F) -> Grouper<T, K, F> {
        Grouper {
            key,
            places: HashMap::new(),
            groups: Vec::new(),
            n_items: 0,
            keys_max: KEYS_MAX,
            items_max: ITEMS_MAX,
        }
    }

    /// How many keys a phase may have.
    ///
    /// # Errors
    ///
    /// Zero.
    pub fn keys_max(mut self, n: usize) -> Result<Grouper<T, K, F>, OperatorError> {
        self.keys_max = at_least_one("Grouper", "keys_max", n)?;
        Ok(self)
    }

    /// How many items a phase may have.
    ///
    /// # Errors
    ///
    /// Zero.
    pub fn items_max(mut self, n: usize) -> Result<Grouper<T, K, F>, OperatorError> {
        self.items_max = at_least_one("Grouper", "items_max", n)?;
        Ok(self)
    }
}

impl<T, K, F> Machine for Grouper<T, K, F>
where
    T: Send + 'static,
    K: Hash + Eq + Clone + Send + 'static,
    F: FnMut(&T) -> anyhow::Result<K> + Send + 'static,
{
    type In = T;
    type Out = (K, Vec<T>);
    const NAME: &'static str = "Grouper";
    const HEARS_PHASES: bool = true;

    fn item(&mut self, item: T, _: &mut impl Outlet<Self::Out>) -> Result<(), OperatorError> {
        let full =
            |what, limit, option| OperatorError::Full { operator: Self::NAME, what, limit, option };
        let key = called(Self::NAME, "key", (self.key)(&item))?;
        if self.n_items >= self.items_max {
            return Err(full("items of a phase", self.items_max, "items_max"));
        }
        match self.places.entry(key) {
            Entry::Occupied(place) => self.groups[*place.get()].1.push(item),
            Entry::Vacant(_) if self.groups.len() >= self.keys_max => {
                return Err(full("keys of a phase", self.keys_max, "keys_max"));
            }
            Entry::Vacant(vacant) => {
                self.groups.push((vacant.key().clone(), vec![item]));
                vacant.insert(self.groups.len() - 1);
            }
        }
        self.n_items += 1;
        Ok(())
    }

    fn phase(&mut self, out: &mut impl Outlet<Self::Out>) -> Result<(), OperatorError> {
        self.places.clear();
        self.n_items = 0;
        self.groups.drain(..).for_each(|group| out.emit(group));
        Ok(())
    }

    fn finish(&mut self, out: &mut impl Outlet<Self::Out>) -> Result<(), OperatorError> {
        self.phase(out)
    }
}

impl<T, K, F> fmt::Debug for Grouper<T, K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_keys = self.groups.len();
        f.debug_struct("Grouper").field("n_keys", &n_keys).finish_non_exhaustive()
    }
}

/// Gathers neighbours of one key, and emits the key with its group when another key comes; the last
/// group when the phase ends.
///
/// A group has at most 1 048 576 items unless told otherwise: one more is an error.
pub struct StreamGrouper<T, K, F> {
    key: F,
    group: Option<(K, Vec<T>)>,
    items_max: usize,
    item: PhantomData<fn(T)>,
}

impl<T, K, F: FnMut(&T) -> anyhow::Result<K>> StreamGrouper<T, K, F> {
    /// Groups by what `key` says of an item.
    #[must_use]
    pub fn new(key: F) -> StreamGrouper<T, K, F> {
        StreamGrouper { key, group: None, items_max: ITEMS_MAX, item: PhantomData }
    }

    /// How many items a group may have.
    ///
    /// # Errors
    ///
    /// Zero.
    pub fn items_max(mut self, n: usize) -> Result<StreamGrouper<T, K, F>, OperatorError> {
        self.items_max = at_least_one("StreamGrouper", "items_max", n)?;
        Ok(self)
    }
}

impl<T, K, F> Machine for StreamGrouper<T, K, F>
where
    T: Send + 'static,
    K: Eq + Send + 'static,
    F: FnMut(&T) -> anyhow::Result<K> + Send + 'static,
{
    type In = T;
    type Out = (K, Vec<T>);
    const NAME: &'static str = "StreamGrouper";
    const HEARS_PHASES: bool = true;

    fn item(&mut self, item: T, out: &mut impl Outlet<Self::Out>) -> Result<(), OperatorError> {
        let key = called(Self::NAME, "key", (self.key)(&item))?;
        match &mut self.group {
            Some((current, items)) if *current == key => {
                if items.len() >= self.items_max {
                    return Err(OperatorError::Full {
                        operator: Self::NAME,
                        what: "items of a group",
                        limit: self.items_max,
                        option: "items_max",
                    });
                }
                items.push(item);
            }
            group => {
                if let Some(done) = group.replace((key, vec![item])) {
                    out.emit(done);
                }
            }
        }
        Ok(())
    }

    fn phase(&mut self, out: &mut impl Outlet<Self::Out>) -> Result<(), OperatorError> {
        if let Some(done) = self.group.take() {
            out.emit(done);
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut impl Outlet<Self::Out>) -> Result<(), OperatorError> {
        self.phase(out)
    }
}

impl<T, K: fmt::Debug, F> fmt::Debug for StreamGrouper<T, K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.group.as_ref().map(|(key, _)| key);
        f.debug_struct("StreamGrouper").field("key", &key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::super::harness::{Step, fed, items_then_end, trace};
    use super::*;

    fn parity(n: &i32) -> anyhow::Result<bool> {
        match n {
            0 => bail!("zero is neither"),
            n => Ok(n % 2 == 0),
        }
    }

    #[test]
    fn groups_come_in_the_order_of_their_first_items() {
        let script = items_then_end([3, 2, 0, 5, 4]);
        assert_snapshot!(trace(&mut Grouper::new(parity), &script), @r"
        3 -> 
        2 -> 
        0 -> Grouper: its key function failed on an item: zero is neither
        5 -> 
        4 -> 
        | -> (false, [3, 5]) (true, [2, 4])
        $ -> 
        ");
        assert_snapshot!(trace(&mut StreamGrouper::new(parity), &script), @r"
        3 -> 
        2 -> (false, [3])
        0 -> StreamGrouper: its key function failed on an item: zero is neither
        5 -> (true, [2])
        4 -> (false, [5])
        | -> (true, [4])
        $ -> 
        ");
    }

    #[test]
    fn limits_refuse_an_item_and_keep_the_rest() {
        let same = |n: &i32| Ok(*n);
        let script = [1, 1, 2, 1].map(Step::Item).into_iter().chain([Step::Phase]);
        let script: Vec<_> = script.collect();
        let mut grouper = Grouper::new(same).keys_max(1).unwrap().items_max(2).unwrap();
        assert_snapshot!(trace(&mut grouper, &script), @r"
        1 -> 
        1 -> 
        2 -> Grouper: it holds 2 items of a phase already, use a larger items_max if memory allows
        1 -> Grouper: it holds 2 items of a phase already, use a larger items_max if memory allows
        | -> (1, [1, 1])
        ");
        let mut grouper = Grouper::new(same).keys_max(1).unwrap();
        assert_snapshot!(trace(&mut grouper, &script), @r"
        1 -> 
        1 -> 
        2 -> Grouper: it holds 1 keys of a phase already, use a larger keys_max if memory allows
        1 -> 
        | -> (1, [1, 1, 1])
        ");
        let mut grouper = StreamGrouper::new(same).items_max(1).unwrap();
        assert_snapshot!(trace(&mut grouper, &script), @r"
        1 -> 
        1 -> StreamGrouper: it holds 1 items of a group already, use a larger items_max if memory allows
        2 -> (1, [1])
        1 -> (2, [2])
        | -> (1, [1])
        ");
    }

    proptest! {
        #[test]
        fn groups_are_those_of_lists(phases: Vec<Vec<u8>>) {
            let mut expected: Vec<(u8, Vec<u8>)> = Vec::new();
            let mut stretches: Vec<(u8, Vec<u8>)> = Vec::new();
            for phase in &phases {
                let (from, since) = (expected.len(), stretches.len());
                for &n in phase {
                    let key = n % 5;
                    match expected[from..].iter_mut().find(|(other, _)| *other == key) {
                        Some((_, group)) => group.push(n),
                        None => expected.push((key, vec![n])),
                    }
                    match stretches[since..].last_mut() {
                        Some((last, group)) if *last == key => group.push(n),
                        _ => stretches.push((key, vec![n])),
                    }
                }
            }
            let key = |n: &u8| Ok(n % 5);
            prop_assert_eq!(fed(&mut Grouper::new(key), phases.clone()), expected);
            prop_assert_eq!(fed(&mut StreamGrouper::new(key), phases), stretches);
        }
    }
}
