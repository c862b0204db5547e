//! Owns snapshots over engines that have none: what a write replaces is kept aside for those that
//! are older.
//!
//! Who writes keeps the old value aside first and then writes; who reads asks the engine first and
//! then looks at what was kept aside. Whichever value the engine gave, the old one is found.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use selvedge_sync::{Mutex, MutexGuard};

use crate::engine::{EngineWrite, Pairs};
use crate::error::StoreError;
use crate::scan::Order;

/// The snapshots that are held.
#[derive(Debug, Default)]
pub(crate) struct Views(Mutex<Vec<Arc<View>>>);

/// What one snapshot needs beside the engine.
#[derive(Debug)]
pub(crate) struct View {
    replaced: Mutex<Replaced>,
    n_bytes_max: usize,
}

#[derive(Debug, Default)]
struct Replaced {
    /// Engine keys with the values they had; none if they weren't there.
    values: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    n_bytes: usize,
}

/// The list of snapshots, which stays as it is while a batch is applied.
pub(crate) type Held<'v> = MutexGuard<'v, Vec<Arc<View>>>;

impl Views {
    /// Holds off snapshots while a batch is applied; none of them sees half of it.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.0.lock()
    }

    pub(crate) fn open(&self, n_bytes_max: usize) -> Arc<View> {
        let view = Arc::new(View { replaced: Mutex::default(), n_bytes_max });
        self.0.lock().push(Arc::clone(&view));
        view
    }

    pub(crate) fn close(&self, view: &Arc<View>) {
        self.0.lock().retain(|other| !Arc::ptr_eq(other, view));
    }
}

/// Keeps aside what the writes will replace.
pub(crate) fn keep_aside(
    held: &Held<'_>,
    writes: &[EngineWrite],
    get: impl Fn(&[u8]) -> Result<Option<Vec<u8>>, StoreError>,
) -> Result<(), StoreError> {
    if held.is_empty() {
        return Ok(());
    }
    for (key, _) in writes {
        let old = get(key)?;
        for view in held.iter() {
            view.keep(key, old.as_ref());
        }
    }
    Ok(())
}

impl View {
    fn keep(&self, key: &[u8], old: Option<&Vec<u8>>) {
        let mut replaced = self.replaced.lock();
        if replaced.n_bytes > self.n_bytes_max || replaced.values.contains_key(key) {
            return;
        }
        replaced.n_bytes += key.len() + old.map_or(0, Vec::len);
        if replaced.n_bytes > self.n_bytes_max {
            replaced.values.clear();
        } else {
            replaced.values.insert(key.to_vec(), old.cloned());
        }
    }

    fn check(&self, replaced: &Replaced) -> Result<(), StoreError> {
        if replaced.n_bytes > self.n_bytes_max {
            return Err(StoreError::SnapshotTooOld { n_bytes_max: self.n_bytes_max });
        }
        Ok(())
    }

    /// The value in this view, given the one that the engine gave.
    pub(crate) fn get(
        &self,
        key: &[u8],
        current: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let replaced = self.replaced.lock();
        self.check(&replaced)?;
        Ok(replaced.values.get(key).map_or(current, Clone::clone))
    }

    /// A page in this view, given the one that the engine gave for a range.
    pub(crate) fn page(
        &self,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        order: Order,
        current: Pairs,
    ) -> Result<Pairs, StoreError> {
        let replaced = self.replaced.lock();
        self.check(&replaced)?;
        let mut records: BTreeMap<Vec<u8>, Vec<u8>> = current.into_iter().collect();
        for (key, old) in replaced.values.range::<[u8], _>(range) {
            match old {
                Some(old) => records.insert(key.clone(), old.clone()),
                None => records.remove(key),
            };
        }
        Ok(match order {
            Order::Ascending => records.into_iter().collect(),
            Order::Descending => records.into_iter().rev().collect(),
        })
    }
}
