//! Owns `Distinct`: each key goes through once, exactly, as far as memory or a store reaches.

use std::collections::VecDeque;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use hashbrown::HashSet;
use selvedge_event::Digest;
use selvedge_store::{Batch, Durability, Store};
use serde::Serialize;

use super::{Counter, Machine, OperatorError, Outlet, at_least_one, called};

/// Keys remembered in memory unless told otherwise.
const WINDOW: usize = 1 << 20;
/// What part of the window is moved to the store at once: one batch of writes instead of many.
const MOVED_PART: usize = 8;

/// What becomes of the oldest keys when the window is full.
#[derive(Clone)]
pub enum Beyond {
    /// Nothing: a further key is an error. What goes through is exact, or nothing goes.
    Refuse,
    /// They are forgotten: what comes again after that goes through again.
    Forget,
    /// Their digests go to this namespace of a store, where they are looked up: exact, slower, and
    /// bounded by the disk. What the namespace holds already counts as seen.
    Store(Arc<dyn Store>, String),
}

/// Lets an item through if its key is new.
///
/// The last 1 048 576 keys are remembered unless told otherwise; [`Beyond`] says what becomes of
/// older ones.
pub struct Distinct<T, K, F> {
    key: F,
    seen: HashSet<K>,
    /// The same keys, oldest first.
    order: VecDeque<K>,
    window: usize,
    beyond: Beyond,
    /// How a key is known to the store. Asked if there is one.
    digest: fn(&K) -> Result<Digest, OperatorError>,
    n_moved: Counter,
    item: PhantomData<fn(T)>,
}

impl<T, K, F> Distinct<T, K, F>
where
    K: Hash + Eq + Clone + Serialize,
    F: FnMut(&T) -> anyhow::Result<K>,
{
    /// Tells items apart by what `key` says of them. Beyond the window it refuses.
    #[must_use]
    pub fn new(key: F) -> Distinct<T, K, F> {
        Distinct {
            key,
            seen: HashSet::new(),
            order: VecDeque::new(),
            window: WINDOW,
            beyond: Beyond::Refuse,
            digest: |key| {
                Digest::of(key)
                    .map_err(|source| OperatorError::NoDigest { operator: "Distinct", source })
            },
            n_moved: Counter::default(),
            item: PhantomData,
        }
    }

    /// How many keys are remembered in memory.
    ///
    /// # Errors
    ///
    /// Zero.
    pub fn window(mut self, n: usize) -> Result<Distinct<T, K, F>, OperatorError> {
        self.window = at_least_one("Distinct", "window", n)?;
        Ok(self)
    }

    /// What becomes of keys beyond the window.
    #[must_use]
    pub fn beyond(mut self, beyond: Beyond) -> Distinct<T, K, F> {
        self.beyond = beyond;
        self
    }

    /// How many keys have left memory, for the store or for good.
    #[must_use]
    pub fn moved(&self) -> Counter {
        self.n_moved.clone()
    }

    /// Whether the store has the key.
    fn is_stored(&self, key: &K) -> Result<bool, OperatorError> {
        let Beyond::Store(store, namespace) = &self.beyond else { return Ok(false) };
        let found = store.get(namespace, (self.digest)(key)?.as_bytes()).map_err(failed)?;
        Ok(found.is_some())
    }

    /// Makes room for one more key.
    fn make_room(&mut self) -> Result<(), OperatorError> {
        if self.seen.len() < self.window {
            return Ok(());
        }
        let n_moved = match &self.beyond {
            Beyond::Refuse => {
                return Err(OperatorError::Full {
                    operator: "Distinct",
                    what: "keys",
                    limit: self.window,
                    option: "window",
                });
            }
            Beyond::Forget => 1,
            Beyond::Store(store, namespace) => {
                let n = (self.window / MOVED_PART).max(1);
                let mut batch = Batch::new();
                for key in self.order.iter().take(n) {
                    batch = batch.put(namespace, (self.digest)(key)?.as_bytes(), Vec::new());
                }
                // What is lost of these in a crash is at worst let through again, as what was
                // only in memory is.
                store.commit(batch, Durability::None).map_err(failed)?;
                n
            }
        };
        for key in self.order.drain(..n_moved) {
            self.seen.remove(&key);
        }
        self.n_moved.add(n_moved as u64);
        Ok(())
    }
}

fn failed(source: selvedge_store::StoreError) -> OperatorError {
    OperatorError::Store { operator: "Distinct", source }
}

impl<T, K, F> Machine for Distinct<T, K, F>
where
    T: 'static,
    K: Hash + Eq + Clone + Serialize + Send + 'static,
    F: FnMut(&T) -> anyhow::Result<K> + Send + 'static,
{
    type In = T;
    type Out = T;
    const NAME: &'static str = "Distinct";

    fn item(&mut self, item: T, out: &mut impl Outlet<T>) -> Result<(), OperatorError> {
        let key = called(Self::NAME, "key", (self.key)(&item))?;
        if self.seen.contains(&key) || self.is_stored(&key)? {
            return Ok(());
        }
        self.make_room()?;
        self.order.push_back(key.clone());
        self.seen.insert(key);
        out.emit(item);
        Ok(())
    }
}

impl<T, K, F> fmt::Debug for Distinct<T, K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_seen = self.order.len();
        f.debug_struct("Distinct").field("n_seen", &n_seen).finish_non_exhaustive()
    }
}

impl fmt::Debug for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Beyond::Refuse => f.write_str("Refuse"),
            Beyond::Forget => f.write_str("Forget"),
            Beyond::Store(_, namespace) => f.debug_tuple("Store").field(namespace).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;
    use selvedge_store::Memory;

    use super::super::harness::{Kept, fed, items_then_end, told, trace};
    use super::*;

    fn distinct(window: usize, beyond: Beyond) -> impl Machine<In = u8, Out = u8> {
        Distinct::new(|n: &u8| Ok(*n)).window(window).unwrap().beyond(beyond)
    }

    #[test]
    fn beyond_the_window_it_refuses_unless_told_otherwise() {
        let script = items_then_end([1, 2, 1, 3, 2]);
        assert_snapshot!(trace(&mut distinct(2, Beyond::Refuse), &script), @r"
        1 -> 1
        2 -> 2
        1 -> 
        3 -> Distinct: it holds 2 keys already, use a larger window if memory allows
        2 -> 
        | -> 
        $ -> 
        ");
        let script = items_then_end([1, 2, 3, 3, 1]);
        assert_snapshot!(trace(&mut distinct(2, Beyond::Forget), &script), @r"
        1 -> 1
        2 -> 2
        3 -> 3
        3 -> 
        1 -> 1
        | -> 
        $ -> 
        ");
    }

    #[test]
    fn what_a_store_has_seen_is_not_new() {
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        let beyond = Beyond::Store(store, "seen".to_owned());
        let first = fed(&mut distinct(1, beyond.clone()), [vec![1, 2, 3]]);
        let second = fed(&mut distinct(1, beyond.clone()), [vec![1, 2, 3]]);
        // The last key of the first was still in its memory.
        assert_eq!((first, second), (vec![1, 2, 3], vec![3]));
        let beyond = Beyond::Store(Arc::new(Memory::new()), "x".repeat(300));
        let mut refused = distinct(1, beyond);
        let error = refused.item(1, &mut Kept::default()).unwrap_err();
        assert!(matches!(error, OperatorError::Store { .. }));
        assert!(told(&error).starts_with("Distinct: the store that takes what is too much"));
    }

    proptest! {
        #[test]
        fn exact_with_a_store_or_within_the_window(
            items in prop::collection::vec(0_u8..40, 0..120), window in 1_usize..50,
        ) {
            let mut firsts = Vec::new();
            for item in &items {
                if !firsts.contains(item) {
                    firsts.push(*item);
                }
            }
            let stored = Beyond::Store(Arc::new(Memory::new()), "seen".to_owned());
            prop_assert_eq!(&fed(&mut distinct(window, stored), [items.clone()]), &firsts);
            let forgetful = fed(&mut distinct(window, Beyond::Forget), [items]);
            if firsts.len() <= window {
                prop_assert_eq!(&forgetful, &firsts);
            }
            // Between two appearances of a key at least a window of others went through.
            for (place, item) in forgetful.iter().enumerate() {
                let before = &forgetful[place.saturating_sub(window)..place];
                prop_assert!(!before.contains(item), "{:?}", forgetful);
            }
        }
    }
}
