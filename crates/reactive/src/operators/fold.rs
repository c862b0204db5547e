//! Owns `Fold`: a state per key, which every item changes.

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::{Machine, OperatorError, Outlet, at_least_one, called};

/// Keys unless told otherwise.
const KEYS_MAX: usize = 1 << 16;

/// When a [`Fold`] says what has become of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emission {
    /// When the phase ends, of each key that changed in it, in the order of their first changes.
    #[default]
    AtPhase,
    /// After each item.
    PerUpdate,
}

/// Folds the items of each key into a state, which goes on over phases unless it is told to
/// [forget](Self::forgetting). Emits the key and its state.
///
/// At most 65 536 keys unless told otherwise: one more is an error.
pub struct Fold<T, K, S, F, G> {
    key: F,
    step: G,
    initial: S,
    emission: Emission,
    forgets: bool,
    keys_max: usize,
    places: HashMap<K, usize>,
    states: Vec<Folded<K, S>>,
    /// Places of the keys that changed in this phase, in order.
    changed: Vec<usize>,
    item: PhantomData<fn(T)>,
}

struct Folded<K, S> {
    key: K,
    state: S,
    has_changed: bool,
}

impl<T, K, S, F, G> Fold<T, K, S, F, G>
where
    F: FnMut(&T) -> anyhow::Result<K>,
    G: FnMut(&mut S, T),
{
    /// Begins each key with `initial` and changes its state by `step`.
    #[must_use]
    pub fn new(key: F, initial: S, step: G) -> Fold<T, K, S, F, G> {
        Fold {
            key,
            step,
            initial,
            emission: Emission::default(),
            forgets: false,
            keys_max: KEYS_MAX,
            places: HashMap::new(),
            states: Vec::new(),
            changed: Vec::new(),
            item: PhantomData,
        }
    }

    /// When it emits.
    #[must_use]
    pub fn emission(mut self, emission: Emission) -> Fold<T, K, S, F, G> {
        self.emission = emission;
        self
    }

    /// Forgets all keys when a phase ends.
    #[must_use]
    pub fn forgetting(mut self) -> Fold<T, K, S, F, G> {
        self.forgets = true;
        self
    }

    /// How many keys there may be.
    ///
    /// # Errors
    ///
    /// Zero.
    pub fn keys_max(mut self, n: usize) -> Result<Fold<T, K, S, F, G>, OperatorError> {
        self.keys_max = at_least_one("Fold", "keys_max", n)?;
        Ok(self)
    }
}

impl<T, K, S, F, G> Machine for Fold<T, K, S, F, G>
where
    T: 'static,
    K: Hash + Eq + Clone + Send + 'static,
    S: Clone + Send + 'static,
    F: FnMut(&T) -> anyhow::Result<K> + Send + 'static,
    G: FnMut(&mut S, T) + Send + 'static,
{
    type In = T;
    type Out = (K, S);
    const NAME: &'static str = "Fold";
    const HEARS_PHASES: bool = true;
    // A step may change a state and panic then.
    const IS_ATOMIC: bool = false;

    fn item(&mut self, item: T, out: &mut impl Outlet<(K, S)>) -> Result<(), OperatorError> {
        let key = called(Self::NAME, "key", (self.key)(&item))?;
        let place = match self.places.entry(key) {
            Entry::Occupied(place) => *place.get(),
            Entry::Vacant(_) if self.states.len() >= self.keys_max => {
                let (what, limit, option) = ("keys", self.keys_max, "keys_max");
                return Err(OperatorError::Full { operator: Self::NAME, what, limit, option });
            }
            Entry::Vacant(vacant) => {
                let (key, state) = (vacant.key().clone(), self.initial.clone());
                self.states.push(Folded { key, state, has_changed: false });
                *vacant.insert(self.states.len() - 1)
            }
        };
        let folded = &mut self.states[place];
        (self.step)(&mut folded.state, item);
        match self.emission {
            Emission::PerUpdate => out.emit((folded.key.clone(), folded.state.clone())),
            Emission::AtPhase if folded.has_changed => {}
            Emission::AtPhase => {
                folded.has_changed = true;
                self.changed.push(place);
            }
        }
        Ok(())
    }

    fn phase(&mut self, out: &mut impl Outlet<(K, S)>) -> Result<(), OperatorError> {
        for place in self.changed.drain(..) {
            let folded = &mut self.states[place];
            folded.has_changed = false;
            out.emit((folded.key.clone(), folded.state.clone()));
        }
        if self.forgets {
            self.places.clear();
            self.states.clear();
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut impl Outlet<(K, S)>) -> Result<(), OperatorError> {
        self.phase(out)
    }
}

impl<T, K, S, F, G> fmt::Debug for Fold<T, K, S, F, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_keys = self.states.len();
        f.debug_struct("Fold").field("n_keys", &n_keys).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::super::harness::{Step, fed, trace};
    use super::*;

    type Sums = Fold<i32, bool, i32, fn(&i32) -> anyhow::Result<bool>, fn(&mut i32, i32)>;

    fn sums() -> Sums {
        Fold::new(|n| Ok(n % 2 == 0), 0, |sum, n| *sum += n)
    }

    #[test]
    fn states_go_on_unless_they_are_to_be_forgotten() {
        use Step::{Finish, Item, Phase};
        let script = [Item(1), Item(2), Item(3), Phase, Item(5), Phase, Finish];
        assert_snapshot!(trace(&mut sums(), &script), @r"
        1 -> 
        2 -> 
        3 -> 
        | -> (false, 4) (true, 2)
        5 -> 
        | -> (false, 9)
        $ -> 
        ");
        assert_snapshot!(trace(&mut sums().forgetting(), &script[..6]), @r"
        1 -> 
        2 -> 
        3 -> 
        | -> (false, 4) (true, 2)
        5 -> 
        | -> (false, 5)
        ");
        let mut every = sums().emission(Emission::PerUpdate).keys_max(1).unwrap();
        assert_snapshot!(trace(&mut every, &script[..4]), @r"
        1 -> (false, 1)
        2 -> Fold: it holds 1 keys already, use a larger keys_max if memory allows
        3 -> (false, 4)
        | -> 
        ");
    }

    proptest! {
        #[test]
        fn states_are_folds_of_lists(phases: Vec<Vec<i8>>) {
            let mut sum = std::collections::HashMap::new();
            let (mut updates, mut expected) = (Vec::new(), Vec::new());
            for phase in &phases {
                let mut order = Vec::new();
                for &n in phase {
                    let key = n % 2 == 0;
                    *sum.entry(key).or_insert(0) += i32::from(n);
                    updates.push((key, sum[&key]));
                    if !order.contains(&key) {
                        order.push(key);
                    }
                }
                expected.extend(order.into_iter().map(|key| (key, sum[&key])));
            }
            let wide: Vec<Vec<i32>> =
                phases.iter().map(|phase| phase.iter().map(|n| i32::from(*n)).collect()).collect();
            prop_assert_eq!(fed(&mut sums(), wide.clone()), expected);
            prop_assert_eq!(fed(&mut sums().emission(Emission::PerUpdate), wide), updates);
        }
    }
}
