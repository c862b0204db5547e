//! Owns reading from a durable store, as it is or as it was: pages of the engine, checked.

use std::ops::Bound;
use std::sync::Arc;

use crate::batch::check_namespace;
use crate::core::Core;
use crate::engine::{Pairs, decode_key, encode_key, encode_range};
use crate::error::StoreError;
use crate::scan::{Entries, Entry, Order, Scan, after_prefix};
use crate::store::{Read, Snapshot};
use crate::views::View;

/// Records of the first page of a scan, of a later one at most, and bytes after which pages become
/// shorter.
const PAGE_LEN_MIN: usize = 16;
const PAGE_LEN_MAX: usize = 512;
const PAGE_BYTES: usize = 1 << 20;

impl Core {
    fn get_in(
        &self,
        view: Option<&View>,
        namespace: &str,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        check_namespace(namespace)?;
        let key = encode_key(namespace, key);
        let mut value = self.get_raw(&key)?;
        if let Some(view) = view {
            value = view.get(&key, value)?;
        }
        value.map(|value| self.sound(&key, value)).transpose()
    }

    fn scan_in<'s>(&'s self, view: Option<&'s View>, scan: &Scan) -> Entries<'s> {
        if let Err(error) = check_namespace(&scan.namespace) {
            return Entries::new(std::iter::once(Err(error)));
        }
        let n_prefix = 1 + scan.namespace.len();
        let pages = Pages::new(self, view, scan);
        Entries::new(pages.flatten().map(move |record| {
            let (mut key, value) = record?;
            let value = self.sound(&key, value)?;
            key.drain(..n_prefix);
            Ok(Entry { key, value })
        }))
    }

    fn namespaces_in(&self, view: Option<&View>) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        // Behind the position's key.
        let mut from = vec![1];
        loop {
            let mut pages = Pages {
                core: self,
                view,
                from: Bound::Included(from),
                to: Bound::Unbounded,
                order: Order::Ascending,
                n_max: 1,
                is_done: false,
            };
            let Some(first) = pages.by_ref().flatten().next() else { return Ok(names) };
            let Some(at) = decode_key(&first?.0) else { return Ok(names) };
            let Bound::Excluded(end) = after_prefix(&encode_key(&at.namespace, b"")) else {
                return Ok(names);
            };
            from = end;
            names.push(at.namespace);
        }
    }
}

/// The pages of a range of the engine, one after the other.
struct Pages<'s> {
    core: &'s Core,
    view: Option<&'s View>,
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
    order: Order,
    n_max: usize,
    is_done: bool,
}

impl<'s> Pages<'s> {
    fn new(core: &'s Core, view: Option<&'s View>, scan: &Scan) -> Pages<'s> {
        let (from, to) = encode_range(scan);
        let (order, is_done) = (scan.order, scan.is_empty());
        Pages { core, view, from, to, order, n_max: PAGE_LEN_MIN, is_done }
    }

    fn page(&mut self) -> Result<Pairs, StoreError> {
        let range = (bytes(&self.from), bytes(&self.to));
        let engine = &self.core.engine;
        let page = self.core.guard("scan", || engine.page(range, self.order, self.n_max))?;
        self.is_done = page.len() < self.n_max;
        let n_bytes: usize = page.iter().map(|(key, value)| key.len() + value.len()).sum();
        self.n_max = if n_bytes < PAGE_BYTES {
            (2 * self.n_max).min(PAGE_LEN_MAX)
        } else {
            self.n_max.div_ceil(2)
        };
        let Some((last, _)) = page.last() else { return self.in_view(page, None) };
        let last = last.clone();
        self.in_view(page, Some(last))
    }

    /// What the page is in the view, and goes on behind what it covers: up to the last record, or
    /// to the end of the range.
    fn in_view(&mut self, page: Pairs, last: Option<Vec<u8>>) -> Result<Pairs, StoreError> {
        let end = last.filter(|_| !self.is_done);
        let (from, to) = match (&end, self.order) {
            (None, _) => (bytes(&self.from), bytes(&self.to)),
            (Some(last), Order::Ascending) => (bytes(&self.from), Bound::Included(&last[..])),
            (Some(last), Order::Descending) => (Bound::Included(&last[..]), bytes(&self.to)),
        };
        let page = match self.view {
            Some(view) => view.page((from, to), self.order, page)?,
            None => page,
        };
        if let Some(last) = end {
            match self.order {
                Order::Ascending => self.from = Bound::Excluded(last),
                Order::Descending => self.to = Bound::Excluded(last),
            }
        }
        Ok(page)
    }
}

fn bytes(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

impl Iterator for Pages<'_> {
    type Item = Vec<Result<(Vec<u8>, Vec<u8>), StoreError>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        match self.page() {
            Ok(page) => Some(page.into_iter().map(Ok).collect()),
            Err(error) => {
                self.is_done = true;
                Some(vec![Err(error)])
            }
        }
    }
}

impl Read for Core {
    fn get(&self, namespace: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.get_in(None, namespace, key)
    }

    fn scan(&self, scan: Scan) -> Entries<'_> {
        self.scan_in(None, &scan)
    }

    fn namespaces(&self) -> Result<Vec<String>, StoreError> {
        self.namespaces_in(None)
    }
}

/// A durable store as it was. It keeps the store open.
#[derive(Debug)]
pub(crate) struct Past {
    core: Arc<Core>,
    view: Arc<View>,
}

impl Past {
    pub(crate) fn new(core: &Arc<Core>) -> Past {
        let view = core.views.open(core.limits.snapshot_bytes_max);
        Past { core: Arc::clone(core), view }
    }
}

impl Drop for Past {
    fn drop(&mut self) {
        self.core.views.close(&self.view);
    }
}

impl Snapshot for Past {}

impl Read for Past {
    fn get(&self, namespace: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.core.get_in(Some(&self.view), namespace, key)
    }

    fn scan(&self, scan: Scan) -> Entries<'_> {
        self.core.scan_in(Some(&self.view), &scan)
    }

    fn namespaces(&self) -> Result<Vec<String>, StoreError> {
        self.core.namespaces_in(Some(&self.view))
    }
}
