//! Owns the verdict over a corrupted store: who found it, and whether what is left is right.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use selvedge::prelude::Digest;
use selvedge_store::{Backend, Durable, OnDamage, Read as _, Scan, StoreError};

use crate::image::{N_RECORDS, VALUE_BYTES, bytes, content, options, value};

/// Who found a corruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    Refused,
    Mended,
    Verified,
    Read,
    Harmless,
}

/// Who finds what is wrong with a store; an error is what nobody found.
pub(crate) fn judge(dir: &Path, backend: &dyn Backend, verify_first: bool) -> Result<Finding> {
    let Some(store) = open(dir, backend)? else { return Ok(Finding::Refused) };
    let is_rebuilt = store.opened().is_rebuilt;
    let finding = match verify_first {
        true if is_verified(dir, &store)? => Finding::Verified,
        true if is_read(dir, &store)? => Finding::Read,
        false if is_read(dir, &store)? => Finding::Read,
        false if is_verified(dir, &store)? => Finding::Verified,
        _ if is_rebuilt => Finding::Mended,
        _ => Finding::Harmless,
    };
    if finding == Finding::Harmless {
        // What nobody saw must not matter either when the log is all there is.
        store.rebuild();
    }
    drop(store);
    let Some(store) = open(dir, backend)? else {
        ensure!(finding != Finding::Harmless, "what was whole is refused when it is made anew");
        return Ok(finding);
    };
    let is_named = is_read(dir, &store)? || is_verified(dir, &store)?;
    // The file of a value stays what it is until somebody puts the value again.
    let is_value = finding == Finding::Read || finding == Finding::Verified;
    ensure!(!is_named || is_value, "{finding:?} is not all: more is named by the next open");
    Ok(finding)
}

/// The store, unless it is refused; then what is left is read and repaired.
fn open(dir: &Path, backend: &dyn Backend) -> Result<Option<Arc<Durable>>> {
    match options().open(dir, backend) {
        Ok(store) => Ok(Some(Arc::new(store))),
        Err(StoreError::Damaged { .. }) => salvage(dir, backend).map(|()| None),
        Err(StoreError::Foreign { .. } | StoreError::Newer { .. }) => Ok(None),
        Err(error) => Err(anyhow::Error::new(error).context("refused for another reason")),
    }
}

/// Reads what is left of a refused store, has it repaired, and reads it again.
fn salvage(dir: &Path, backend: &dyn Backend) -> Result<()> {
    for on_damage in [OnDamage::ReadOnly, OnDamage::Repair, OnDamage::Refuse] {
        let store = options().on_damage(on_damage).open(dir, backend)?;
        let is_told = !store.opened().damages.is_empty();
        ensure!(is_told || on_damage == OnDamage::Refuse, "{on_damage:?} tells of no damage");
        for entry in store.scan(Scan::all("n")) {
            let entry = entry?;
            let n = u64::from_be_bytes(entry.key.as_slice().try_into()?);
            ensure!(entry.value == value(n), "record {n} is silently another: {on_damage:?}");
        }
        if on_damage != OnDamage::ReadOnly {
            let damages = store.verify()?;
            ensure!(damages.is_empty(), "still damaged after {on_damage:?}: {damages:?}");
        }
    }
    Ok(())
}

/// Whether `verify` names something.
fn is_verified(dir: &Path, store: &Arc<Durable>) -> Result<bool> {
    match store.verify() {
        Ok(damages) if damages.is_empty() => Ok(!content(dir, store)?.verify()?.is_empty()),
        Ok(_) | Err(StoreError::Engine { .. }) => Ok(true),
        Err(error) => Err(anyhow::Error::new(error).context("can't be verified")),
    }
}

/// Whether a reader is told of something. Reads all there is, each way; nothing may be missing or
/// another.
fn is_read(dir: &Path, store: &Arc<Durable>) -> Result<bool> {
    let mut is_named = false;
    let mut named = |error: StoreError| match error {
        StoreError::DamagedRecord { .. }
        | StoreError::DamagedValue { .. }
        | StoreError::Engine { .. } => {
            is_named = true;
            Ok(())
        }
        error => Err(anyhow::Error::new(error).context("can't be read")),
    };
    for n in 0..N_RECORDS {
        match store.get("n", &n.to_be_bytes()) {
            Ok(Some(found)) => ensure!(found == value(n), "record {n} is silently another"),
            Ok(None) => bail!("record {n} is silently missing"),
            Err(error) => named(error)?,
        }
    }
    let content = content(dir, store)?;
    for (n, &n_bytes) in VALUE_BYTES.iter().enumerate() {
        match content.get(&Digest::of(&n)?) {
            Ok(Some(found)) => {
                ensure!(found == bytes(n as u64, n_bytes), "value {n} is silently another");
            }
            Ok(None) => bail!("value {n} is silently missing"),
            Err(error) => named(error)?,
        }
    }
    for scan in [Scan::all("n"), Scan::all("n").reverse()] {
        let mut found = BTreeMap::new();
        let mut has_ended = true;
        for entry in store.scan(scan) {
            match entry {
                Ok(entry) => drop(found.insert(entry.key, entry.value)),
                Err(error) => {
                    named(error)?;
                    has_ended = false;
                    break;
                }
            }
        }
        let wanted = || (0..N_RECORDS).map(|n| (n.to_be_bytes().to_vec(), value(n)));
        ensure!(!has_ended || found.into_iter().eq(wanted()), "a scan is silently another");
    }
    Ok(is_named)
}
