//! Owns `Durable`: a store in a directory, on whichever engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::batch::{Batch, Durability};
use crate::core::{Core, Limits};
use crate::damage::Damage;
use crate::disk::{Disk, OsDisk};
use crate::engine::Backend;
use crate::error::{StoreError, io_error};
use crate::lock::Lock;
use crate::open::{self, OnDamage, Opened, Place, verify_log};
use crate::read::Past;
use crate::scan::{Entries, Scan};
use crate::session::Session;
use crate::store::{Read, Snapshot, Store};

/// How a [`Durable`] store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    limits: Limits,
    on_damage: OnDamage,
}

impl Default for Options {
    fn default() -> Options {
        let limits = Limits {
            group_wait: Duration::from_millis(1),
            group_bytes_max: 64 << 20,
            segment_bytes: 64 << 20,
            snapshot_bytes_max: 256 << 20,
        };
        Options { limits, on_damage: OnDamage::default() }
    }
}

impl Options {
    /// What [`Durable::open`] uses.
    #[must_use]
    pub fn new() -> Options {
        Options::default()
    }

    /// How long a batch under [`Durability::Group`] may wait for others before the device is asked
    /// (1 ms). It waits only while fewer batches wait than the last group had.
    #[must_use]
    pub fn group_wait(mut self, wait: Duration) -> Options {
        self.limits.group_wait = wait;
        self
    }

    /// Bytes of the batches that are written at once at most (64 MiB); one batch always is.
    #[must_use]
    pub fn group_bytes_max(mut self, n_bytes: usize) -> Options {
        self.limits.group_bytes_max = n_bytes;
        self
    }

    /// Bytes after which a segment of the log ends (64 MiB). What is replayed after the process was
    /// killed is about one segment; the log is four of them long, or twice the records, before it
    /// is shortened.
    #[must_use]
    pub fn segment_bytes(mut self, n_bytes: u64) -> Options {
        self.limits.segment_bytes = n_bytes;
        self
    }

    /// Bytes that a snapshot keeps aside at most of what is replaced while it is held (256 MiB);
    /// over that it is [too old](StoreError::SnapshotTooOld).
    #[must_use]
    pub fn snapshot_bytes_max(mut self, n_bytes: usize) -> Options {
        self.limits.snapshot_bytes_max = n_bytes;
        self
    }

    /// What to do if something durable is lost.
    #[must_use]
    pub fn on_damage(mut self, on_damage: OnDamage) -> Options {
        self.on_damage = on_damage;
        self
    }

    /// Opens a store in a directory, or makes one, on an engine of choice; the one it was opened
    /// with before or another.
    ///
    /// # Errors
    ///
    /// The store is in use, damaged beyond what the log can mend, or of a newer format; the system
    /// or the engine refuse.
    pub fn open(&self, dir: &Path, backend: &dyn Backend) -> Result<Durable, StoreError> {
        let disk = OsDisk::new(dir);
        let disk = disk.map_err(|error| io_error("create", &dir.display().to_string(), error))?;
        self.open_on(Arc::new(disk), dir, backend)
    }

    /// As [`open`](Self::open), with the log on a disk of choice; lock and engine are in the
    /// directory. For tests that lose power or room.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_on(
        &self,
        disk: Arc<dyn Disk>,
        dir: &Path,
        backend: &dyn Backend,
    ) -> Result<Durable, StoreError> {
        let lock = Lock::take(dir)?;
        open::check_format(&*disk)?;
        let engine_dir = dir.join(backend.name());
        let session = Session::begin(Arc::clone(&disk), &engine_dir, backend.name(), lock);
        let session = Arc::new(session);
        let place = Place { disk, engine_dir: &engine_dir, backend, session };
        let (core, opened) = open::open(place, self.limits.clone(), self.on_damage)?;
        let core = Arc::new(core);
        core.shorten_log();
        Ok(Durable { core, opened })
    }
}

/// A store in a directory: a log that keeps every promise, and an engine that makes it quick to
/// read.
///
/// Dropping it closes it: the log is made durable and the engine's files are read through once, so
/// that the next open can trust them. (It takes a second for a few gigabytes.) A snapshot keeps it
/// open.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// use selvedge_store::{Durability, Durable, Read, Store};
///
/// let store = Durable::open(dir)?;
/// store.put("runs", b"7", b"began", Durability::Group)?;
/// drop(store);
/// assert_eq!(Durable::open(dir)?.get("runs", b"7")?, Some(b"began".to_vec()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Durable {
    core: Arc<Core>,
    opened: Opened,
}

impl Durable {
    /// Opens a store in a directory, or makes one, on sled.
    ///
    /// # Errors
    ///
    /// As [`Options::open`].
    #[cfg(feature = "sled")]
    pub fn open(dir: &Path) -> Result<Durable, StoreError> {
        Options::new().open(dir, &crate::Sled::default())
    }

    /// What had to be done when it was opened.
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Reads everything, the records in the engine and the log, and lists what isn't what was
    /// written. Commits wait meanwhile.
    ///
    /// A damaged record is mended when the store is opened again, from the log; for damage of the
    /// log there is [`OnDamage`].
    ///
    /// # Errors
    ///
    /// The system or the engine failed in another way.
    pub fn verify(&self) -> Result<Vec<Damage>, StoreError> {
        let log = self.core.log.lock();
        let disk = self.core.session.disk();
        let mut damages = verify_log(disk, &log.files, log.end())?;
        for namespace in self.core.namespaces()? {
            for entry in self.core.scan(Scan::all(&namespace)) {
                match entry {
                    Ok(_) => {}
                    Err(StoreError::DamagedRecord { at }) => damages.push(Damage::Record { at }),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(damages)
    }

    /// Writes a base, so that the log holds nothing that was replaced or deleted before, and has
    /// the engine made anew when the store is opened next: after that nothing of it is left in the
    /// store's files. It takes as long as reading and writing all records.
    ///
    /// # Errors
    ///
    /// A record is damaged; the system or the engine failed.
    pub fn compact(&self) -> Result<(), StoreError> {
        self.core.compact()?;
        self.rebuild();
        Ok(())
    }

    /// Has the engine made anew from the log when the store is opened next.
    pub fn rebuild(&self) {
        self.core.session.spoil();
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        self.core.compactor.stop();
    }
}

impl Store for Durable {
    fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        self.core.commit(batch, durability)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(Past::new(&self.core)))
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.core.flush()
    }
}

impl Read for Durable {
    fn get(&self, namespace: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.core.get(namespace, key)
    }

    fn scan(&self, scan: Scan) -> Entries<'_> {
        self.core.scan(scan)
    }

    fn namespaces(&self) -> Result<Vec<String>, StoreError> {
        self.core.namespaces()
    }
}

#[cfg(all(test, feature = "sled"))]
mod tests {
    use super::*;

    #[test]
    fn what_was_committed_is_there_again() -> Result<(), StoreError> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let options = Options::new().segment_bytes(10_000);
        for round in 0u32..5 {
            let store = options.open(dir.path(), &crate::Sled::default())?;
            assert_eq!(store.opened().is_rebuilt, round == 0, "{:?}", store.opened());
            assert_eq!(store.opened().n_replayed, 0);
            assert_eq!(store.scan(Scan::all("n")).count(), 300 * round as usize);
            for n in 0u32..300 {
                let key = (round * 300 + n).to_be_bytes();
                let durability =
                    [Durability::None, Durability::Group, Durability::Sync][n as usize % 3];
                store.put("n", &key, &[7; 100], durability)?;
            }
            assert_eq!(store.verify()?, []);
        }
        Ok(())
    }
}
