//! Owns `Scan`, what to read in order, and `Entries`, what comes of it.

use std::fmt;
use std::ops::{Bound, RangeBounds};

use crate::error::StoreError;

/// A record as a scan finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

/// Which end of a range comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By the bytes of the keys.
    Ascending,
    /// The other way round.
    Descending,
}

/// Which records of a namespace to read, and in which order: ascending by the bytes of their keys,
/// unless [`reverse`](Scan::reverse)d.
///
/// ```
/// use selvedge_store::{Batch, Durability, Memory, Read, Scan, Store};
///
/// let store = Memory::new();
/// let batch = (0u8..4).fold(Batch::new(), |batch, n| batch.put("n", &[n], [n * n]));
/// store.commit(batch, Durability::Sync)?;
/// let last: Vec<_> = store.scan(Scan::all("n").reverse()).take(2).collect::<Result<_, _>>()?;
/// assert_eq!((last[0].value[0], last[1].value[0]), (9, 4));
/// # Ok::<(), selvedge_store::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    pub(crate) namespace: String,
    pub(crate) from: Bound<Vec<u8>>,
    pub(crate) to: Bound<Vec<u8>>,
    pub(crate) order: Order,
}

impl Scan {
    /// Every record of a namespace.
    #[must_use]
    pub fn all(namespace: &str) -> Scan {
        Scan::prefix(namespace, b"")
    }

    /// The records whose keys begin with a prefix.
    #[must_use]
    pub fn prefix(namespace: &str, prefix: &[u8]) -> Scan {
        let from = Bound::Included(prefix.to_owned());
        Scan {
            namespace: namespace.to_owned(),
            from,
            to: after_prefix(prefix),
            order: Order::Ascending,
        }
    }

    /// The records whose keys lie in a range, such as `&b"a"[..]..&b"b"[..]`. One that ends before
    /// it begins is empty.
    #[must_use]
    pub fn range<'k>(namespace: &str, range: impl RangeBounds<&'k [u8]>) -> Scan {
        let owned = |bound: Bound<&&'k [u8]>| bound.map(|key| key.to_vec());
        Scan {
            namespace: namespace.to_owned(),
            from: owned(range.start_bound()),
            to: owned(range.end_bound()),
            order: Order::Ascending,
        }
    }

    /// The same records, the last first.
    #[must_use]
    pub fn reverse(mut self) -> Scan {
        self.order = match self.order {
            Order::Ascending => Order::Descending,
            Order::Descending => Order::Ascending,
        };
        self
    }

    /// Whether no key can lie in the range. (A `BTreeMap` panics on some of those.)
    pub(crate) fn is_empty(&self) -> bool {
        match (&self.from, &self.to) {
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (
                Bound::Included(from) | Bound::Excluded(from),
                Bound::Included(to) | Bound::Excluded(to),
            ) => from >= to,
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        }
    }
}

/// The end of the keys that begin with a prefix: the prefix with its last byte counted up.
pub(crate) fn after_prefix(prefix: &[u8]) -> Bound<Vec<u8>> {
    match prefix.iter().rposition(|&byte| byte != u8::MAX) {
        Some(last) => {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            Bound::Excluded(end)
        }
        None => Bound::Unbounded,
    }
}

/// The records that a scan finds, read bit by bit; made by [`Read::scan`](crate::Read::scan).
///
/// After an error it goes on with the next record that can be read, if there is one.
pub struct Entries<'s>(Box<dyn Iterator<Item = Result<Entry, StoreError>> + Send + 's>);

impl<'s> Entries<'s> {
    /// What a backend's own iterator gives.
    pub fn new(entries: impl Iterator<Item = Result<Entry, StoreError>> + Send + 's) -> Self {
        Entries(Box::new(entries))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entries(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_no_key_can_begin_with_it() {
        let check = |prefix: &[u8]| match after_prefix(prefix) {
            Bound::Excluded(end) => end.escape_ascii().to_string(),
            _ => "open".to_owned(),
        };
        assert_eq!(check(b"ab"), "ac");
        assert_eq!(check(b"a\xff\xff"), "b");
        assert_eq!(check(b"\xff"), "open");
        assert_eq!(check(b""), "open");
    }
}
