//! Owns what a balancer that is persisted keeps of its items: a record each, under the item's
//! number, written with the turn of the worker that made its results. One journal for all workers:
//! in later runs the collector brings results back in the order of the items, and the sequencer
//! finds there which items were worked on. Refuses to depend on how many workers there are.

use selvedge_event::Digest;
use selvedge_runtime::{Context, Journal, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::artifact::{self, Artifact, Shared};
use crate::persist::{Codec, Shelf};

/// What keeps results, one for each node that has to do with them.
pub(super) struct Keeping<T, U> {
    journal: Journal,
    codec: Codec<U>,
    digest: fn(&Shared<T>) -> Result<Digest>,
}

impl<T: Artifact + Serialize, U: Artifact + Serialize + DeserializeOwned> Keeping<T, U> {
    pub(super) fn new(journal: Journal) -> Keeping<T, U> {
        let digest = |item: &Shared<T>| Ok(artifact::digest::<T>(item.event())?);
        Keeping { journal, codec: Codec::new(), digest }
    }
}

impl<T: Artifact, U: Artifact> Keeping<T, U> {
    /// The results, to be brought back.
    pub(super) fn shelf(&self) -> Shelf<U> {
        Shelf::new(self.journal.clone(), self.codec)
    }

    /// The digests of results.
    pub(super) fn digests<'u>(&self, results: impl Iterator<Item = &'u U>) -> Vec<Digest> {
        results.filter_map(|result| self.codec.digest(result)).collect()
    }

    /// Has what the turn that is being taken makes of an item written with it.
    pub(super) fn keep<'u>(
        &self,
        cx: &mut Context<'_>,
        (number, item): (u64, &Shared<T>),
        results: impl Iterator<Item = &'u U>,
    ) -> Result {
        let input = (self.digest)(item)?;
        let record = self.codec.record(&self.journal, input, results)?;
        cx.keep(&self.journal, &number.to_be_bytes(), record)
    }
}

impl<T, U> Clone for Keeping<T, U> {
    fn clone(&self) -> Keeping<T, U> {
        Keeping { journal: self.journal.clone(), codec: self.codec, digest: self.digest }
    }
}
