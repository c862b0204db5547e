//! Owns `Slots`: the items that wait, a side for each stream, typed or all of one type.
//!
//! The items of a stream lie together, whatever their keys, in places that are used again, last
//! freed first: while keys complete as fast as they come, the same few are touched. What a key
//! waits with is a line for each side, which says where its first and last item lie; each item
//! says where the next one does. So a key takes little room in its table, and to wait costs no
//! allocation.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

/// No place.
const NONE: u32 = u32::MAX;

/// Places that a side keeps when nothing waits in it any more: more are given back.
const KEPT_MAX: usize = 4_096;

/// What one stream has brought and what waits, of all keys.
pub struct Side<T> {
    places: Vec<Place<T>>,
    /// The place that was freed last.
    free: u32,
    n_waiting: usize,
}

enum Place<T> {
    /// The one that was freed before is the next.
    Free { next: u32 },
    /// The next is that of the item that came after this one.
    Taken { item: T, next: u32 },
}

impl<T> Place<T> {
    /// Where the next one is written, without looking which kind of place this is: that would wait
    /// for memory which has not been touched for long.
    #[inline]
    fn next(&mut self) -> &mut u32 {
        match self {
            Place::Free { next } | Place::Taken { next, .. } => next,
        }
    }
}

/// What one stream has brought of a key, in the order in which it came: where it lies.
#[derive(Debug)]
pub struct Line {
    first: u32,
    last: u32,
    n: u32,
}

impl Line {
    const EMPTY: Line = Line { first: NONE, last: NONE, n: 0 };

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.n == 0
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.n as usize
    }
}

/// Whether nothing waits under a key.
#[inline]
pub(super) fn are_empty(lines: &impl AsRef<[Line]>) -> bool {
    lines.as_ref().iter().all(Line::is_empty)
}

impl<T> Side<T> {
    fn new() -> Side<T> {
        Side { places: Vec::new(), free: NONE, n_waiting: 0 }
    }

    /// Puts an item at the end of a line.
    ///
    /// # Panics
    ///
    /// At 2³² - 1 items, which take 64 GiB if they are words.
    #[inline]
    pub(super) fn put(&mut self, line: &mut Line, item: T) {
        let taken = Place::Taken { item, next: NONE };
        let place = self.free;
        let place = match self.places.get_mut(place as usize) {
            Some(free) => match std::mem::replace(free, taken) {
                Place::Free { next } => {
                    self.free = next;
                    place
                }
                Place::Taken { .. } => unreachable!("free places name free ones only"),
            },
            None => {
                let place = u32::try_from(self.places.len()).ok().filter(|&place| place != NONE);
                self.places.push(taken);
                place.expect("a side has places for fewer than 2^32 items")
            }
        };
        if line.is_empty() {
            line.first = place;
        } else {
            *self.places[line.last as usize].next() = place;
        }
        line.last = place;
        line.n += 1;
        self.n_waiting += 1;
    }

    /// Takes the item at the front of a line.
    #[inline]
    pub(super) fn take(&mut self, line: &mut Line) -> Option<T> {
        if line.is_empty() {
            return None;
        }
        let free = Place::Free { next: self.free };
        match std::mem::replace(&mut self.places[line.first as usize], free) {
            Place::Taken { item, next } => {
                self.free = line.first;
                line.first = next;
                line.n -= 1;
                self.n_waiting -= 1;
                if self.n_waiting == 0 && self.places.len() > KEPT_MAX {
                    *self = Side::new();
                }
                Some(item)
            }
            Place::Free { .. } => unreachable!("a line names taken places only"),
        }
    }

    /// Forgets what is in a line.
    pub(super) fn clear(&mut self, line: &mut Line) {
        while self.take(line).is_some() {}
    }

    /// The items of a line.
    fn iter(&self, line: &Line) -> impl Iterator<Item = &T> {
        let mut place = line.first;
        (0..line.n).filter_map(move |_| match &self.places[place as usize] {
            Place::Taken { item, next } => {
                place = *next;
                Some(item)
            }
            Place::Free { .. } => None,
        })
    }
}

impl<T> fmt::Debug for Side<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side").field("n_waiting", &self.n_waiting).finish_non_exhaustive()
    }
}

/// What waits: a tuple of one to four [`Side`]s, or a `Vec` of them for streams of one type.
pub trait Slots: Send + 'static {
    /// A tuple of one item of each side.
    type Complete;
    /// The same with the missing ones marked.
    type Partial;
    /// What a key waits with: a line for each side.
    type Lines: AsRef<[Line]> + AsMut<[Line]> + Send + 'static;

    /// How many sides there are, if the type says so.
    const ARITY: Option<usize>;

    /// Nothing waits.
    fn empty(n_streams: usize) -> Self;

    /// What a key waits with that has just come.
    fn lines(n_streams: usize) -> Self::Lines;

    /// Takes one of each line, if there is one of each.
    fn take_row(&mut self, lines: &mut Self::Lines) -> Option<Self::Complete>;

    /// Takes one of each line that has one.
    fn take_partial(&mut self, lines: &mut Self::Lines) -> Self::Partial;

    /// A complete tuple as one of which nothing is missing.
    fn marked(complete: Self::Complete) -> Self::Partial;
}

/// That there is an `I`-th side, and what it holds.
pub trait Slot<const I: usize>: Slots {
    /// What the stream brings.
    type Item;

    /// The side.
    fn side(&mut self) -> &mut Side<Self::Item>;
}

/// Sides whose items can go to a store: they are serializable, and can be read back.
pub trait Spilled: Slots {
    /// What a key waits with, written down: a list for each side.
    #[doc(hidden)]
    fn write(&self, lines: &Self::Lines) -> serde_json::Result<Vec<u8>>;

    /// Has it wait again.
    #[doc(hidden)]
    fn read(&mut self, bytes: &[u8]) -> serde_json::Result<Self::Lines>;
}

/// What a rendezvous makes of a key.
pub enum Row<S: Slots> {
    /// All streams have brought something.
    Complete(S::Complete),
    /// Some have not, and the key is given up.
    Partial(S::Partial),
}

impl<S: Slots> fmt::Debug for Row<S>
where
    S::Complete: fmt::Debug,
    S::Partial: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Row::Complete(row) => write!(f, "{row:?}"),
            Row::Partial(row) => write!(f, "{row:?}"),
        }
    }
}

impl<S: Slots> PartialEq for Row<S>
where
    S::Complete: PartialEq,
    S::Partial: PartialEq,
{
    fn eq(&self, other: &Row<S>) -> bool {
        match (self, other) {
            (Row::Complete(this), Row::Complete(that)) => this == that,
            (Row::Partial(this), Row::Partial(that)) => this == that,
            (Row::Complete(_), Row::Partial(_)) | (Row::Partial(_), Row::Complete(_)) => false,
        }
    }
}

macro_rules! slots {
    ($arity:literal: $($item:ident $index:tt),+) => {
        impl<$($item: Send + 'static),+> Slots for ($(Side<$item>,)+) {
            type Complete = ($($item,)+);
            type Partial = ($(Option<$item>,)+);
            type Lines = [Line; $arity];
            const ARITY: Option<usize> = Some($arity);

            fn empty(_: usize) -> Self {
                ($(Side::<$item>::new(),)+)
            }

            #[inline]
            fn lines(_: usize) -> Self::Lines {
                [const { Line::EMPTY }; $arity]
            }

            #[inline]
            fn take_row(&mut self, lines: &mut Self::Lines) -> Option<Self::Complete> {
                if lines.iter().any(Line::is_empty) {
                    return None;
                }
                Some(($(self.$index.take(&mut lines[$index])?,)+))
            }

            fn take_partial(&mut self, lines: &mut Self::Lines) -> Self::Partial {
                ($(self.$index.take(&mut lines[$index]),)+)
            }

            fn marked(complete: Self::Complete) -> Self::Partial {
                ($(Some(complete.$index),)+)
            }
        }

        impl<$($item),+> Spilled for ($(Side<$item>,)+)
        where
            $($item: Serialize + DeserializeOwned + Send + 'static),+
        {
            fn write(&self, lines: &Self::Lines) -> serde_json::Result<Vec<u8>> {
                serde_json::to_vec(&($(Listed(&self.$index, &lines[$index]),)+))
            }

            fn read(&mut self, bytes: &[u8]) -> serde_json::Result<Self::Lines> {
                let lists: ($(Vec<$item>,)+) = serde_json::from_slice(bytes)?;
                let mut lines = Self::lines($arity);
                $(lists.$index.into_iter().for_each(|item| {
                    self.$index.put(&mut lines[$index], item);
                });)+
                Ok(lines)
            }
        }
    };
}

slots!(1: A 0);
slots!(2: A 0, B 1);
slots!(3: A 0, B 1, C 2);
slots!(4: A 0, B 1, C 2, D 3);

macro_rules! slot {
    ($index:tt $held:ident of $($item:ident),+) => {
        impl<$($item: Send + 'static),+> Slot<$index> for ($(Side<$item>,)+) {
            type Item = $held;

            #[inline]
            fn side(&mut self) -> &mut Side<$held> {
                &mut self.$index
            }
        }
    };
}

slot!(0 A of A);
slot!(0 A of A, B);
slot!(1 B of A, B);
slot!(0 A of A, B, C);
slot!(1 B of A, B, C);
slot!(2 C of A, B, C);
slot!(0 A of A, B, C, D);
slot!(1 B of A, B, C, D);
slot!(2 C of A, B, C, D);
slot!(3 D of A, B, C, D);

impl<T: Send + 'static> Slots for Vec<Side<T>> {
    type Complete = Vec<T>;
    type Partial = Vec<Option<T>>;
    type Lines = Box<[Line]>;
    const ARITY: Option<usize> = None;

    fn empty(n_streams: usize) -> Self {
        (0..n_streams).map(|_| Side::new()).collect()
    }

    fn lines(n_streams: usize) -> Box<[Line]> {
        (0..n_streams).map(|_| Line::EMPTY).collect()
    }

    fn take_row(&mut self, lines: &mut Box<[Line]>) -> Option<Vec<T>> {
        if lines.iter().any(Line::is_empty) {
            return None;
        }
        self.iter_mut().zip(lines).map(|(side, line)| side.take(line)).collect()
    }

    fn take_partial(&mut self, lines: &mut Box<[Line]>) -> Vec<Option<T>> {
        self.iter_mut().zip(lines).map(|(side, line)| side.take(line)).collect()
    }

    fn marked(complete: Vec<T>) -> Vec<Option<T>> {
        complete.into_iter().map(Some).collect()
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Spilled for Vec<Side<T>> {
    fn write(&self, lines: &Box<[Line]>) -> serde_json::Result<Vec<u8>> {
        let lists: Vec<_> = self.iter().zip(lines).map(|(side, line)| Listed(side, line)).collect();
        serde_json::to_vec(&lists)
    }

    fn read(&mut self, bytes: &[u8]) -> serde_json::Result<Box<[Line]>> {
        let mut lists: Vec<Vec<T>> = serde_json::from_slice(bytes)?;
        lists.resize_with(self.len(), Vec::new);
        let mut lines = Self::lines(self.len());
        for ((side, line), list) in self.iter_mut().zip(&mut lines).zip(lists) {
            list.into_iter().for_each(|item| side.put(line, item));
        }
        Ok(lines)
    }
}

/// The items of a line, as a list.
struct Listed<'s, T>(&'s Side<T>, &'s Line);

impl<T: Serialize> Serialize for Listed<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter(self.1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_of_one_side_are_lists(
            steps in prop::collection::vec((0_usize..4, prop::bool::weighted(0.6)), 0..200),
        ) {
            let mut side = Side::new();
            let mut lines = [const { Line::EMPTY }; 4];
            let mut lists = vec![VecDeque::new(); 4];
            let mut n_most = 0;
            for (number, (at, comes)) in steps.into_iter().enumerate() {
                if comes {
                    side.put(&mut lines[at], number);
                    lists[at].push_back(number);
                } else {
                    prop_assert_eq!(side.take(&mut lines[at]), lists[at].pop_front());
                }
                for (line, list) in lines.iter().zip(&lists) {
                    prop_assert_eq!(line.len(), list.len());
                    prop_assert!(side.iter(line).eq(list));
                }
                let n: usize = lists.iter().map(VecDeque::len).sum();
                n_most = n_most.max(n);
                // Places are used again.
                prop_assert_eq!((side.n_waiting, side.places.len()), (n, n_most));
            }
        }
    }

    #[test]
    fn a_side_that_was_large_gives_its_memory_back() {
        let (mut side, mut line) = (Side::new(), Line::EMPTY);
        for n in [KEPT_MAX, KEPT_MAX + 1] {
            (0..n).for_each(|item| side.put(&mut line, item));
            side.clear(&mut line);
            assert!(line.is_empty() && side.places.len() <= KEPT_MAX);
        }
        assert_eq!(side.places.capacity(), 0);
    }
}
