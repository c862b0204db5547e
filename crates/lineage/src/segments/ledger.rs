//! Owns what is known of runs and of erased values, a record of the store each, as a byte for the
//! version and JSON. There are few of them beside what runs do, and people read them.

use std::ops::Bound;

use selvedge_event::Digest;
use selvedge_store::{Batch, Scan};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Shared, refuse_newer};
use crate::backend::RunPlace;
use crate::erase::Erased;
use crate::error::HistoryError;
use crate::filter::Order;
use crate::run::{Run, RunId};

/// Runs by id.
const RUNS: &str = "lineage.runs";
/// Ids of runs by start, then id; the values are empty.
const BY_START: &str = "lineage.runs.by-start";
/// Ids of the runs that have not ended; the values are empty.
const RUNNING: &str = "lineage.runs.running";
/// Notes on erased values by digest.
const ERASED: &str = "lineage.erased";
const VERSION: u8 = 1;

impl Shared {
    pub(super) fn put_run(&self, run: &Run) -> Result<(), HistoryError> {
        let batch = Batch::new().put(RUNS, run.id.as_bytes(), encode(run)).put(
            BY_START,
            &place_key((run.started_at, run.id)),
            [],
        );
        let batch = match run.end {
            None => batch.put(RUNNING, run.id.as_bytes(), []),
            Some(_) => batch.delete(RUNNING, run.id.as_bytes()),
        };
        Ok(self.store.commit(batch, self.options.durability)?)
    }

    pub(super) fn remove_run(&self, run: &Run) -> Result<(), HistoryError> {
        let batch = Batch::new()
            .delete(RUNS, run.id.as_bytes())
            .delete(BY_START, &place_key((run.started_at, run.id)))
            .delete(RUNNING, run.id.as_bytes());
        Ok(self.store.commit(batch, self.options.durability)?)
    }

    pub(super) fn run(&self, id: RunId) -> Result<Option<Run>, HistoryError> {
        let bytes = self.store.get(RUNS, id.as_bytes())?;
        bytes.map(|bytes| decode(&bytes, || format!("run {id}"))).transpose()
    }

    pub(super) fn runs(
        &self,
        behind: Option<RunPlace>,
        order: Order,
        n_max: usize,
    ) -> Result<Vec<Run>, HistoryError> {
        let behind = behind.map(place_key);
        let behind = behind.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(&key[..]));
        let scan = match order {
            Order::OldestFirst => Scan::range(BY_START, (behind, Bound::Unbounded)),
            Order::NewestFirst => Scan::range(BY_START, (Bound::Unbounded, behind)).reverse(),
        };
        let mut runs = Vec::new();
        for entry in self.store.scan(scan).take(n_max) {
            // A run may be removed between the two looks.
            runs.extend(self.run(id_of(&entry?.key)?)?);
        }
        Ok(runs)
    }

    pub(super) fn running(&self) -> Result<Vec<Run>, HistoryError> {
        let mut runs = Vec::new();
        for entry in self.store.scan(Scan::all(RUNNING)) {
            runs.extend(self.run(id_of(&entry?.key)?)?);
        }
        Ok(runs)
    }

    pub(super) fn put_erased(&self, erased: &Erased) -> Result<(), HistoryError> {
        let digest = erased.digest.as_bytes();
        Ok(self.store.put(ERASED, digest, &encode(erased), self.options.durability)?)
    }

    pub(super) fn erased(&self, digest: &Digest) -> Result<Option<Erased>, HistoryError> {
        let bytes = self.store.get(ERASED, digest.as_bytes())?;
        bytes.map(|bytes| decode(&bytes, || format!("the note on erased {digest}"))).transpose()
    }
}

fn place_key((started_at, id): RunPlace) -> [u8; 24] {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&started_at.as_nanos().to_be_bytes());
    key[8..].copy_from_slice(id.as_bytes());
    key
}

/// The id at the end of a key.
fn id_of(key: &[u8]) -> Result<RunId, HistoryError> {
    let id = key.last_chunk().copied().map(RunId::from_bytes);
    id.ok_or(HistoryError::Damaged { what: "the list of runs".to_owned(), expected: "an id" })
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, value).expect("texts and numbers are JSON");
    bytes
}

fn decode<T: DeserializeOwned>(bytes: &[u8], what: impl Fn() -> String) -> Result<T, HistoryError> {
    refuse_newer(bytes, VERSION)?;
    let json = bytes.strip_prefix(&[VERSION]);
    let value = json.and_then(|json| serde_json::from_slice(json).ok());
    value.ok_or_else(|| HistoryError::Damaged { what: what(), expected: "version 1 and JSON" })
}
