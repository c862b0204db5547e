//! Owns `Memory`: the store that lives as long as its process. For tests, and where nothing is to
//! be kept.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use selvedge_sync::Mutex;

use crate::batch::{Batch, Durability, check_namespace};
use crate::error::StoreError;
use crate::scan::{Entries, Entry, Order, Scan};
use crate::store::{Read, Snapshot, Store};

type Records = BTreeMap<Vec<u8>, Vec<u8>>;
/// Shared with snapshots, copied when written to beside one.
type Namespaces = BTreeMap<String, Arc<Records>>;

/// Records read under one lock by a scan.
const PAGE_LEN: usize = 128;

/// A store in memory. It keeps every promise but to outlive its process.
///
/// A snapshot costs nothing; the first write to a namespace while one is held copies the namespace.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Namespaces>);

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Memory {
        Memory::default()
    }
}

impl Store for Memory {
    fn commit(&self, batch: Batch, _durability: Durability) -> Result<(), StoreError> {
        batch.check()?;
        let mut namespaces = self.0.lock();
        for condition in &batch.conditions {
            let found = namespaces.get(&condition.at.namespace);
            let found = found.and_then(|records| records.get(&condition.at.key));
            if found != condition.value.as_ref() {
                return Err(StoreError::Conflict { at: condition.at.clone() });
            }
        }
        for write in batch.writes {
            let records = Arc::make_mut(namespaces.entry(write.at.namespace).or_default());
            match write.value {
                Some(value) => records.insert(write.at.key, value),
                None => records.remove(&write.at.key),
            };
        }
        Ok(())
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(Frozen(self.0.lock().clone())))
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Read for Memory {
    fn get(&self, namespace: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        check_namespace(namespace)?;
        Ok(self.0.lock().get(namespace).and_then(|records| records.get(key).cloned()))
    }

    fn contains(&self, namespace: &str, key: &[u8]) -> Result<bool, StoreError> {
        check_namespace(namespace)?;
        Ok(self.0.lock().get(namespace).is_some_and(|records| records.contains_key(key)))
    }

    fn scan(&self, scan: Scan) -> Entries<'_> {
        entries(scan, |scan| page(&self.0.lock(), scan))
    }

    fn namespaces(&self) -> Result<Vec<String>, StoreError> {
        Ok(names(&self.0.lock()))
    }
}

/// What [`Memory`] held once.
#[derive(Debug)]
struct Frozen(Namespaces);

impl Snapshot for Frozen {}

impl Read for Frozen {
    fn get(&self, namespace: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        check_namespace(namespace)?;
        Ok(self.0.get(namespace).and_then(|records| records.get(key).cloned()))
    }

    fn scan(&self, scan: Scan) -> Entries<'_> {
        entries(scan, |scan| page(&self.0, scan))
    }

    fn namespaces(&self) -> Result<Vec<String>, StoreError> {
        Ok(names(&self.0))
    }
}

fn names(namespaces: &Namespaces) -> Vec<String> {
    let filled = namespaces.iter().filter(|(_, records)| !records.is_empty());
    filled.map(|(name, _)| name.clone()).collect()
}

/// Reads page after page, each from where the last one ended.
fn entries<'s>(mut scan: Scan, page: impl Fn(&Scan) -> Vec<Entry> + Send + 's) -> Entries<'s> {
    if let Err(error) = check_namespace(&scan.namespace) {
        return Entries::new(std::iter::once(Err(error)));
    }
    let mut is_done = false;
    let pages = std::iter::from_fn(move || {
        if is_done || scan.is_empty() {
            return None;
        }
        let page = page(&scan);
        is_done = page.len() < PAGE_LEN;
        if let Some(last) = page.last() {
            let end = match scan.order {
                Order::Ascending => &mut scan.from,
                Order::Descending => &mut scan.to,
            };
            *end = Bound::Excluded(last.key.clone());
        }
        Some(page)
    });
    Entries::new(pages.flatten().map(Ok))
}

fn page(namespaces: &Namespaces, scan: &Scan) -> Vec<Entry> {
    let Some(records) = namespaces.get(&scan.namespace) else { return Vec::new() };
    let range = records.range::<Vec<u8>, _>((scan.from.as_ref(), scan.to.as_ref()));
    let entry =
        |(key, value): (&Vec<u8>, &Vec<u8>)| Entry { key: key.clone(), value: value.clone() };
    match scan.order {
        Order::Ascending => range.take(PAGE_LEN).map(entry).collect(),
        Order::Descending => range.rev().take(PAGE_LEN).map(entry).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scans_go_over_pages_both_ways() -> Result<(), StoreError> {
        let store = Memory::new();
        let batch = (0u32..1000)
            .fold(Batch::new(), |batch, n| batch.put("n", &n.to_be_bytes(), n.to_string()));
        store.commit(batch, Durability::None)?;
        let all: Vec<Entry> = store.scan(Scan::all("n")).collect::<Result<_, _>>()?;
        let mut reverse: Vec<Entry> =
            store.scan(Scan::all("n").reverse()).collect::<Result<_, _>>()?;
        reverse.reverse();
        assert_eq!((all.len(), &all), (1000, &reverse));
        Ok(())
    }

    #[test]
    fn refusals_say_what_to_do() {
        let store = Memory::new();
        let check = |batch: Batch| match store.commit(batch, Durability::None) {
            Ok(()) => "fine".to_owned(),
            Err(error) => error.to_string(),
        };
        let long = vec![0; 5000];
        insta::assert_snapshot!(
            [
                check(Batch::new().put("", b"k", b"")),
                check(Batch::new().put("n", &long, b"")),
                check(Batch::new().require("n", b"\x00key", Some(b"1")).delete("n", b"k")),
            ]
            .join("\n"),
            @r"
        `` can't be a namespace, use 1 to 255 bytes
        a key of 5000 bytes is over the limit of 4096, split it up
        n/\x00key isn't what the batch requires, nothing was written; read it again and retry
        "
        );
    }
}
