//! Owns what maps go over: a list, two of them, a dictionary. What an item of it is, what it is
//! called, and what is made of what comes of the items.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::marker::PhantomData;

use anyhow::{Result, ensure};
use selvedge_event::{Digest, DigestError};

use crate::input::{Given, ItemFunction, PairFunction};
use crate::value::{Shared, Value, shared};

/// What a map goes over, and what it does with each item.
pub(super) trait Over: Send + Sync + 'static {
    /// The items in one run.
    type Items: Send + Sync + 'static;
    /// What comes of one.
    type Made: Value;

    /// The items of what the node has read.
    fn items(&self, values: Vec<Shared>) -> Result<Self::Items>;

    fn n_items(&self, items: &Self::Items) -> usize;

    fn call(&self, items: &Self::Items, index: usize, shared: &[Given]) -> Result<Self::Made>;

    /// Adds what an item is called, within brackets.
    fn label(&self, items: &Self::Items, index: usize, name: &mut String);

    /// What an item consists of: parts of which inputs, and what they are called after those.
    const PARTS: &'static [(usize, &'static str)];

    /// What these parts are.
    fn parts(&self, items: &Self::Items, index: usize) -> Result<Vec<Digest>, DigestError>;

    /// An item as whoever computes it elsewhere reads it: its parts, as JSON.
    fn json(&self, items: &Self::Items, index: usize) -> serde_json::Result<Vec<Vec<u8>>>;

    /// What the map makes of the items that made something, in order.
    fn collect(&self, items: &Self::Items, made: Vec<(usize, Self::Made)>) -> Shared;
}

/// What an item of a list is called, after the list.
const ITEM: &str = "[]";
/// What an entry's key is called, after the dictionary.
const KEY: &str = "[].key";

type Does<A, B, I, T> = PhantomData<fn(A, B, I) -> T>;

fn seen<T: Value>(value: &Shared) -> &T {
    value.seen_as().expect("a handle bears the type of what its node makes")
}

fn number(index: usize, name: &mut String) {
    // A string takes what it is given.
    let _ = write!(name, "{index}");
}

fn without_index<T: Value>(made: Vec<(usize, T)>) -> Shared {
    shared(made.into_iter().map(|(_, made)| made).collect::<Vec<T>>())
}

/// A list.
pub(super) struct List<F, A, I, T> {
    function: F,
    does: Does<A, (), I, T>,
}

impl<F, A, I, T> List<F, A, I, T> {
    pub(super) fn new(function: F) -> List<F, A, I, T> {
        List { function, does: PhantomData }
    }
}

impl<F, A, I, T> Over for List<F, A, I, T>
where
    A: Value,
    I: 'static,
    T: Value,
    F: ItemFunction<A, I, T>,
{
    type Items = Shared;
    type Made = T;

    fn items(&self, mut values: Vec<Shared>) -> Result<Shared> {
        Ok(values.swap_remove(0))
    }

    fn n_items(&self, list: &Shared) -> usize {
        seen::<Vec<A>>(list).len()
    }

    fn call(&self, list: &Shared, index: usize, shared: &[Given]) -> Result<T> {
        self.function.call_on(&seen::<Vec<A>>(list)[index], shared)
    }

    fn label(&self, _: &Shared, index: usize, name: &mut String) {
        number(index, name);
    }

    const PARTS: &'static [(usize, &'static str)] = &[(0, ITEM)];

    fn parts(&self, list: &Shared, index: usize) -> Result<Vec<Digest>, DigestError> {
        Ok(vec![Digest::of(&seen::<Vec<A>>(list)[index])?])
    }

    fn json(&self, list: &Shared, index: usize) -> serde_json::Result<Vec<Vec<u8>>> {
        Ok(vec![serde_json::to_vec(&seen::<Vec<A>>(list)[index])?])
    }

    fn collect(&self, _: &Shared, made: Vec<(usize, T)>) -> Shared {
        without_index(made)
    }
}

/// Two lists of one length.
pub(super) struct Pairs<F, A, B, I, T> {
    function: F,
    does: Does<A, B, I, T>,
}

impl<F, A, B, I, T> Pairs<F, A, B, I, T> {
    pub(super) fn new(function: F) -> Pairs<F, A, B, I, T> {
        Pairs { function, does: PhantomData }
    }
}

impl<F, A, B, I, T> Over for Pairs<F, A, B, I, T>
where
    A: Value,
    B: Value,
    I: 'static,
    T: Value,
    F: PairFunction<A, B, I, T>,
{
    type Items = [Shared; 2];
    type Made = T;

    fn items(&self, values: Vec<Shared>) -> Result<[Shared; 2]> {
        let lists: Result<[Shared; 2], _> = values.try_into();
        let lists = lists.expect("it goes over two");
        let n = [seen::<Vec<A>>(&lists[0]).len(), seen::<Vec<B>>(&lists[1]).len()];
        ensure!(n[0] == n[1], "a list of {} items and one of {} make no pairs", n[0], n[1]);
        Ok(lists)
    }

    fn n_items(&self, lists: &[Shared; 2]) -> usize {
        seen::<Vec<A>>(&lists[0]).len()
    }

    fn call(&self, lists: &[Shared; 2], index: usize, shared: &[Given]) -> Result<T> {
        let [first, second] = lists;
        let pair = (&seen::<Vec<A>>(first)[index], &seen::<Vec<B>>(second)[index]);
        self.function.call_on_both(pair.0, pair.1, shared)
    }

    fn label(&self, _: &[Shared; 2], index: usize, name: &mut String) {
        number(index, name);
    }

    const PARTS: &'static [(usize, &'static str)] = &[(0, ITEM), (1, ITEM)];

    fn parts(&self, lists: &[Shared; 2], index: usize) -> Result<Vec<Digest>, DigestError> {
        let first = Digest::of(&seen::<Vec<A>>(&lists[0])[index])?;
        let second = Digest::of(&seen::<Vec<B>>(&lists[1])[index])?;
        Ok(vec![first, second])
    }

    fn json(&self, lists: &[Shared; 2], index: usize) -> serde_json::Result<Vec<Vec<u8>>> {
        let first = serde_json::to_vec(&seen::<Vec<A>>(&lists[0])[index])?;
        Ok(vec![first, serde_json::to_vec(&seen::<Vec<B>>(&lists[1])[index])?])
    }

    fn collect(&self, _: &[Shared; 2], made: Vec<(usize, T)>) -> Shared {
        without_index(made)
    }
}

/// A dictionary.
pub(super) struct Entries<F, K, A, I, T> {
    function: F,
    does: Does<K, A, I, T>,
}

impl<F, K, A, I, T> Entries<F, K, A, I, T> {
    pub(super) fn new(function: F) -> Entries<F, K, A, I, T> {
        Entries { function, does: PhantomData }
    }
}

/// A dictionary with its keys in order: by number its entries are slow to find.
pub(super) struct Keyed<K> {
    entries: Shared,
    keys: Vec<K>,
}

impl<K: Value + Ord> Keyed<K> {
    fn value<A: Value>(&self, index: usize) -> &A {
        &seen::<BTreeMap<K, A>>(&self.entries)[&self.keys[index]]
    }
}

/// Bytes of a key that are part of an item's name; longer ones are called by their digests.
const LABEL_BYTES_MAX: usize = 128;

impl<F, K, A, I, T> Over for Entries<F, K, A, I, T>
where
    K: Value + Ord + Clone,
    A: Value,
    I: 'static,
    T: Value,
    F: PairFunction<K, A, I, T>,
{
    type Items = Keyed<K>;
    type Made = T;

    fn items(&self, mut values: Vec<Shared>) -> Result<Keyed<K>> {
        let entries = values.swap_remove(0);
        let keys = seen::<BTreeMap<K, A>>(&entries).keys().cloned().collect();
        Ok(Keyed { entries, keys })
    }

    fn n_items(&self, entries: &Keyed<K>) -> usize {
        entries.keys.len()
    }

    fn call(&self, entries: &Keyed<K>, index: usize, shared: &[Given]) -> Result<T> {
        self.function.call_on_both(&entries.keys[index], entries.value::<A>(index), shared)
    }

    fn label(&self, entries: &Keyed<K>, index: usize, name: &mut String) {
        let key = &entries.keys[index];
        // As JSON no key can look like the end of its brackets.
        let label = serde_json::to_string(key).ok();
        let label = label.filter(|label| label.len() <= LABEL_BYTES_MAX);
        let digest = || Digest::of(key).ok().map(|digest| digest.to_string());
        name.push_str(&label.or_else(digest).unwrap_or_else(|| index.to_string()));
    }

    const PARTS: &'static [(usize, &'static str)] = &[(0, KEY), (0, ITEM)];

    fn parts(&self, entries: &Keyed<K>, index: usize) -> Result<Vec<Digest>, DigestError> {
        Ok(vec![Digest::of(&entries.keys[index])?, Digest::of(entries.value::<A>(index))?])
    }

    fn json(&self, entries: &Keyed<K>, index: usize) -> serde_json::Result<Vec<Vec<u8>>> {
        let key = serde_json::to_vec(&entries.keys[index])?;
        Ok(vec![key, serde_json::to_vec(entries.value::<A>(index))?])
    }

    fn collect(&self, entries: &Keyed<K>, made: Vec<(usize, T)>) -> Shared {
        let keyed = made.into_iter().map(|(index, made)| (entries.keys[index].clone(), made));
        shared(keyed.collect::<BTreeMap<K, T>>())
    }
}
