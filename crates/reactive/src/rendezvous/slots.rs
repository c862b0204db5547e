//! Owns `Slots`: what one key waits with, a side for each stream, typed or all of one type.

use std::collections::VecDeque;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Room that an emptied queue keeps for what comes next: more is given back.
const KEPT_MAX: usize = 16;

/// What one stream has brought of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side<T>(Held<T>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Held<T> {
    #[default]
    Nothing,
    One(T),
    Many(VecDeque<T>),
}

impl<T> Side<T> {
    pub(super) fn is_empty(&self) -> bool {
        match &self.0 {
            Held::Nothing => true,
            Held::One(_) => false,
            Held::Many(items) => items.is_empty(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Held::Nothing => 0,
            Held::One(_) => 1,
            Held::Many(items) => items.len(),
        }
    }

    #[inline]
    pub(super) fn put(&mut self, item: T) {
        self.0 = match std::mem::take(&mut self.0) {
            Held::Nothing => Held::One(item),
            Held::One(first) => Held::Many(VecDeque::from([first, item])),
            Held::Many(mut items) => {
                items.push_back(item);
                Held::Many(items)
            }
        };
    }

    #[inline]
    pub(super) fn take(&mut self) -> Option<T> {
        match &mut self.0 {
            Held::Nothing => None,
            Held::One(_) => match std::mem::take(&mut self.0) {
                Held::One(item) => Some(item),
                Held::Nothing | Held::Many(_) => None,
            },
            Held::Many(items) => {
                let item = items.pop_front();
                if items.is_empty() && items.capacity() > KEPT_MAX {
                    self.0 = Held::Nothing;
                }
                item
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.0 = Held::Nothing;
    }
}

/// What a key waits with: a tuple of one to four [`Side`]s, or a `Vec` of them for streams of one
/// type.
pub trait Slots: Send + 'static {
    /// A tuple of all.
    type Complete;
    /// The same with the missing ones marked.
    type Partial;

    /// How many sides there are, if the type says so.
    const ARITY: Option<usize>;

    /// Nothing is there.
    fn empty(n_streams: usize) -> Self;

    /// Whether nothing is there.
    fn is_empty(&self) -> bool;

    /// Takes one of each, if there is one of each.
    fn take_row(&mut self) -> Option<Self::Complete>;

    /// Takes one of those that are there.
    fn take_partial(&mut self) -> Self::Partial;

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
            const ARITY: Option<usize> = Some($arity);

            #[inline]
            fn empty(_: usize) -> Self {
                ($(Side::<$item>(Held::Nothing),)+)
            }

            #[inline]
            fn is_empty(&self) -> bool {
                $(self.$index.is_empty())&&+
            }

            #[inline]
            fn take_row(&mut self) -> Option<Self::Complete> {
                if $(self.$index.is_empty())||+ {
                    return None;
                }
                Some(($(self.$index.take()?,)+))
            }

            fn take_partial(&mut self) -> Self::Partial {
                ($(self.$index.take(),)+)
            }

            fn marked(complete: Self::Complete) -> Self::Partial {
                ($(Some(complete.$index),)+)
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
    const ARITY: Option<usize> = None;

    fn empty(n_streams: usize) -> Self {
        (0..n_streams).map(|_| Side(Held::Nothing)).collect()
    }

    fn is_empty(&self) -> bool {
        self.iter().all(Side::is_empty)
    }

    fn take_row(&mut self) -> Option<Vec<T>> {
        if self.iter().any(Side::is_empty) {
            return None;
        }
        self.iter_mut().map(Side::take).collect()
    }

    fn take_partial(&mut self) -> Vec<Option<T>> {
        self.iter_mut().map(Side::take).collect()
    }

    fn marked(complete: Vec<T>) -> Vec<Option<T>> {
        complete.into_iter().map(Some).collect()
    }
}

/// As a list of what is there.
impl<T: Serialize> Serialize for Side<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Held::Nothing => serializer.collect_seq(None::<T>),
            Held::One(item) => serializer.collect_seq([item]),
            Held::Many(items) => serializer.collect_seq(items.iter()),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Side<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Side<T>, D::Error> {
        struct Items<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = Side<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of items")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Side<T>, A::Error> {
                let mut side = Side(Held::Nothing);
                while let Some(item) = items.next_element()? {
                    side.put(item);
                }
                Ok(side)
            }
        }
        deserializer.deserialize_seq(Items(std::marker::PhantomData))
    }
}
