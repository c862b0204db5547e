//! Owns the operators that hold nothing: map, filter, flat-map, tee and merge.

use std::marker::PhantomData;

use super::{Machine, OperatorError, Outlet, called, opaque};

/// Makes one item of each.
pub struct Map<T, U, F> {
    function: F,
    item: PhantomData<fn(T) -> U>,
}

impl<T, U, F: FnMut(T) -> anyhow::Result<U>> Map<T, U, F> {
    /// Applies `function` to each item.
    #[must_use]
    pub fn new(function: F) -> Map<T, U, F> {
        Map { function, item: PhantomData }
    }
}

impl<T, U, F> Machine for Map<T, U, F>
where
    T: 'static,
    U: 'static,
    F: FnMut(T) -> anyhow::Result<U> + Send + 'static,
{
    type In = T;
    type Out = U;
    const NAME: &'static str = "Map";

    fn item(&mut self, item: T, out: &mut impl Outlet<U>) -> Result<(), OperatorError> {
        out.emit(called(Self::NAME, "map", (self.function)(item))?);
        Ok(())
    }
}

opaque!(Map<T, U, F>);

/// Lets through what a function says yes to.
pub struct Filter<T, F> {
    keeps: F,
    item: PhantomData<fn(T)>,
}

impl<T, F: FnMut(&T) -> anyhow::Result<bool>> Filter<T, F> {
    /// Lets through the items that `keeps` is true of.
    #[must_use]
    pub fn new(keeps: F) -> Filter<T, F> {
        Filter { keeps, item: PhantomData }
    }
}

impl<T, F> Machine for Filter<T, F>
where
    T: 'static,
    F: FnMut(&T) -> anyhow::Result<bool> + Send + 'static,
{
    type In = T;
    type Out = T;
    const NAME: &'static str = "Filter";

    fn item(&mut self, item: T, out: &mut impl Outlet<T>) -> Result<(), OperatorError> {
        if called(Self::NAME, "filter", (self.keeps)(&item))? {
            out.emit(item);
        }
        Ok(())
    }
}

opaque!(Filter<T, F>);

/// Makes any number of items of each, in the order in which they are yielded.
pub struct FlatMap<T, I, F> {
    function: F,
    item: PhantomData<fn(T) -> I>,
}

impl<T, I, F> FlatMap<T, I, F>
where
    I: IntoIterator,
    F: FnMut(T) -> anyhow::Result<I>,
{
    /// Emits what `function` yields of each item. What it yields in one turn is bounded by the
    /// pipeline's limit of emissions.
    #[must_use]
    pub fn new(function: F) -> FlatMap<T, I, F> {
        FlatMap { function, item: PhantomData }
    }
}

impl<T, I, F> Machine for FlatMap<T, I, F>
where
    T: 'static,
    I: IntoIterator + 'static,
    F: FnMut(T) -> anyhow::Result<I> + Send + 'static,
{
    type In = T;
    type Out = I::Item;
    const NAME: &'static str = "FlatMap";

    fn item(&mut self, item: T, out: &mut impl Outlet<I::Item>) -> Result<(), OperatorError> {
        let items = called(Self::NAME, "map", (self.function)(item))?;
        items.into_iter().for_each(|item| out.emit(item));
        Ok(())
    }
}

opaque!(FlatMap<T, I, F>);

/// Lets everything through and shows each item to a function on the way. (To send a stream to
/// several recipients nothing is needed: any number of them may hear it.)
pub struct Tee<T, F> {
    shows: F,
    item: PhantomData<fn(T)>,
}

impl<T, F: FnMut(&T) -> anyhow::Result<()>> Tee<T, F> {
    /// Shows each item to `shows`.
    #[must_use]
    pub fn new(shows: F) -> Tee<T, F> {
        Tee { shows, item: PhantomData }
    }
}

impl<T, F> Machine for Tee<T, F>
where
    T: 'static,
    F: FnMut(&T) -> anyhow::Result<()> + Send + 'static,
{
    type In = T;
    type Out = T;
    const NAME: &'static str = "Tee";

    fn item(&mut self, item: T, out: &mut impl Outlet<T>) -> Result<(), OperatorError> {
        called(Self::NAME, "tee", (self.shows)(&item))?;
        out.emit(item);
        Ok(())
    }
}

opaque!(Tee<T, F>);

/// Makes one stream of several of one type, in the order in which their items come: each stream's
/// own order is kept, that between streams is nobody's promise.
#[derive(Debug)]
pub struct Merge<T>(PhantomData<fn(T)>);

impl<T> Merge<T> {
    /// Merges whatever it is fed.
    #[must_use]
    pub fn new() -> Merge<T> {
        Merge(PhantomData)
    }
}

impl<T> Default for Merge<T> {
    fn default() -> Merge<T> {
        Merge::new()
    }
}

impl<T: 'static> Machine for Merge<T> {
    type In = T;
    type Out = T;
    const NAME: &'static str = "Merge";

    fn item(&mut self, item: T, out: &mut impl Outlet<T>) -> Result<(), OperatorError> {
        out.emit(item);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use anyhow::{bail, ensure};
    use insta::assert_snapshot;
    use proptest::prelude::*;
    use selvedge_sync::Mutex;

    use super::super::harness::{fed, items_then_end, trace};
    use super::*;

    #[test]
    fn a_function_that_fails_takes_its_item_only() {
        let script = items_then_end([1, 0, 2]);
        let mut inverses = Map::new(|n: i32| {
            ensure!(n != 0, "zero has no inverse");
            Ok(12 / n)
        });
        assert_snapshot!(trace(&mut inverses, &script), @r"
        1 -> 12
        0 -> Map: its map function failed on an item: zero has no inverse
        2 -> 6
        | -> 
        $ -> 
        ");
        let mut even =
            Filter::new(|n: &i32| if *n == 0 { bail!("not zero") } else { Ok(n % 2 == 0) });
        assert_snapshot!(trace(&mut even, &script), @r"
        1 -> 
        0 -> Filter: its filter function failed on an item: not zero
        2 -> 2
        | -> 
        $ -> 
        ");
        let mut counts = FlatMap::new(|n: i32| if n == 0 { bail!("none") } else { Ok(0..n) });
        assert_snapshot!(trace(&mut counts, &script), @r"
        1 -> 0
        0 -> FlatMap: its map function failed on an item: none
        2 -> 0 1
        | -> 
        $ -> 
        ");
        let mut unseen = Tee::new(|n: &i32| if *n == 0 { bail!("unseen") } else { Ok(()) });
        assert_snapshot!(trace(&mut unseen, &script), @r"
        1 -> 1
        0 -> Tee: its tee function failed on an item: unseen
        2 -> 2
        | -> 
        $ -> 
        ");
    }

    proptest! {
        #[test]
        fn they_do_what_iterators_do(items: Vec<u8>) {
            let of = |items: &Vec<u8>| [items.clone()];
            let halved: Vec<u8> = items.iter().map(|n| n / 2).collect();
            prop_assert_eq!(fed(&mut Map::new(|n: u8| Ok(n / 2)), of(&items)), halved);
            let odd: Vec<u8> = items.iter().copied().filter(|n| n % 2 == 1).collect();
            prop_assert_eq!(fed(&mut Filter::new(|n: &u8| Ok(n % 2 == 1)), of(&items)), odd);
            let spread: Vec<u8> = items.iter().flat_map(|n| 0..n % 4).collect();
            prop_assert_eq!(fed(&mut FlatMap::new(|n: u8| Ok(0..n % 4)), of(&items)), spread);
            let seen = Arc::new(Mutex::new(Vec::new()));
            let shown = Arc::clone(&seen);
            let mut tee = Tee::new(move |n: &u8| {
                shown.lock().push(*n);
                Ok(())
            });
            prop_assert_eq!(&fed(&mut tee, of(&items)), &items);
            prop_assert_eq!(&*seen.lock(), &items);
            prop_assert_eq!(&fed(&mut Merge::new(), of(&items)), &items);
        }
    }
}
