//! Owns erasing in a workspace: from the content store, the history's texts and the caches.

use std::collections::BTreeSet;
use std::error::Error as StdError;

use selvedge_event::Digest;
use selvedge_lineage::{HeldValues, RunId, Scrubbed, Values};
use selvedge_sync::Mutex;

use super::{Workspace, now};
use crate::Error;

/// The values of the history, and which of them were to be erased.
#[derive(Debug)]
struct Noted<'v> {
    values: &'v HeldValues,
    /// Those that were there, and those that were not.
    erased: Mutex<(BTreeSet<Digest>, BTreeSet<Digest>)>,
}

impl Values for Noted<'_> {
    fn erase(&self, digest: &Digest) -> Result<bool, Box<dyn StdError + Send + Sync>> {
        let was_there = self.values.erase(digest)?;
        let mut erased = self.erased.lock();
        if was_there {
            erased.0.insert(*digest)
        } else {
            erased.1.insert(*digest)
        };
        Ok(was_there)
    }

    fn release(&self, digest: &Digest) -> Result<bool, Box<dyn StdError + Send + Sync>> {
        self.values.release(digest)
    }

    fn compact(&self) -> Result<(), Box<dyn StdError + Send + Sync>> {
        self.values.compact()
    }
}

impl Workspace {
    /// Erases a value wherever it is kept: in the content store, and with every result of a cached
    /// processor of which it is part, in the store and in the memory of this process's pipelines.
    /// The history notes why, and records go on naming its digest. What is left in the log and in
    /// free pages goes with [`compact`](Self::compact).
    ///
    /// A result that was erased is computed again when it is wanted again.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # use selvedge::Workspace;
    /// # use selvedge::prelude::Digest;
    /// let workspace = Workspace::open(dir.path())?;
    /// let secret = Digest::of("a secret")?;
    /// let scrubbed = workspace.scrub(&secret, "asked for by who it is about")?;
    /// assert_eq!(scrubbed.n_missing, 1); // It was never kept; now that is noted.
    /// workspace.compact()?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`History::scrub`](selvedge_lineage::History::scrub): nothing is erased if a legal
    /// hold protects it; the note stays if the value could not be erased, so try again.
    pub fn scrub(&self, value: &Digest, reason: &str) -> Result<Scrubbed, Error> {
        self.scrub_by(|noted| Ok(self.history().scrub(value, reason, now(), noted)?))
    }

    /// Erases all that a run made or was given from outside, wherever that is kept, and what its
    /// errors and reasons say; otherwise as [`scrub`](Self::scrub).
    ///
    /// # Errors
    ///
    /// As for [`History::scrub_run`](selvedge_lineage::History::scrub_run).
    pub fn scrub_run(&self, run: RunId, reason: &str) -> Result<Scrubbed, Error> {
        self.scrub_by(|noted| Ok(self.history().scrub_run(run, reason, now(), noted)?))
    }

    /// The caches are read through once, however many values there are.
    fn scrub_by(
        &self,
        scrub: impl FnOnce(&Noted<'_>) -> Result<Scrubbed, Error>,
    ) -> Result<Scrubbed, Error> {
        let noted = Noted { values: self.values(), erased: Mutex::default() };
        let mut scrubbed = scrub(&noted)?;
        let (there, missing) = noted.erased.into_inner();
        let found = self.caches().erase(&there.union(&missing).copied().collect())?;
        let n_cached_only = found.intersection(&missing).count();
        scrubbed.n_erased += n_cached_only;
        scrubbed.n_missing -= n_cached_only;
        Ok(scrubbed)
    }

    /// Gives back the room of all that was removed, pruned and erased. When the workspace has been
    /// closed and opened once more, nothing of it is left in any of its files. Takes a while, and
    /// room for what is left.
    ///
    /// # Errors
    ///
    /// The store's, or the history's.
    pub fn compact(&self) -> Result<(), Error> {
        Ok(self.history().compact(&**self.values())?)
    }
}
