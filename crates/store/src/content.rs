//! Owns the content store: values by digest, put once, kept as long as somebody counts on them.
//!
//! Small values are records; large ones are files named by their digest, written so that they are
//! there whole or not at all, before the record that says so. A file that no record names is what
//! a crash left behind, and is removed when the value is put again or the store is swept.

use std::io;
use std::sync::Arc;

use selvedge_event::Digest;
use selvedge_sync::Mutex;

use crate::batch::{Batch, Durability};
use crate::damage::Damage;
use crate::disk::{Disk, read_whole, write_whole};
use crate::error::{StoreError, io_error};
use crate::scan::Scan;
use crate::store::Store;

/// Values above this many bytes are files.
pub const FILE_BYTES_MIN: usize = 64 << 10;

/// The namespace of values and of how often they are counted on.
const VALUES: &str = "values";
const DIR: &str = "values";

const INLINE: u8 = 0;
const IN_FILE: u8 = 1;
const HEAD_LEN: usize = 9;

/// Values by digest, counted by whoever holds digests.
///
/// A value is put under the digest of what it means (see [`Digest::of`]), so the store can't tell
/// the digest from the bytes; it keeps a checksum of the bytes beside them.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// use std::sync::Arc;
/// use selvedge_event::Digest;
/// use selvedge_store::{ContentStore, Durability, Memory, OsDisk};
///
/// let values = ContentStore::new(Arc::new(Memory::new()), Arc::new(OsDisk::new(dir)?));
/// let digest = Digest::of("tea")?;
/// values.put(&digest, b"tea", Durability::Group)?;
/// values.put(&digest, b"tea", Durability::Group)?; // Counted twice, kept once.
/// values.release(&digest, Durability::Group)?;
/// assert_eq!(values.get(&digest)?, Some(b"tea".to_vec()));
/// values.release(&digest, Durability::Group)?;
/// assert_eq!(values.get(&digest)?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ContentStore {
    store: Arc<dyn Store>,
    disk: Arc<dyn Disk>,
    /// One at a time changes which files there are.
    files: Mutex<()>,
}

/// What a value's record says.
#[derive(Debug)]
struct Record {
    n_references: u64,
    kind: u8,
    /// The value, or the checksum of its file.
    rest: Vec<u8>,
}

impl Record {
    fn decode(bytes: &[u8]) -> Option<Record> {
        let (head, rest) = bytes.split_at_checked(HEAD_LEN)?;
        let n_references = u64::from_le_bytes(head[..8].try_into().ok()?);
        Some(Record { n_references, kind: head[8], rest: rest.to_vec() })
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.n_references.to_le_bytes().to_vec();
        bytes.push(self.kind);
        bytes.extend_from_slice(&self.rest);
        bytes
    }
}

fn file_name(digest: &Digest) -> String {
    // Without the `b3:`, which some file systems refuse.
    digest.to_string().split_off(3)
}

impl ContentStore {
    /// Values in a store, the large ones on a disk; usually the store's own directory.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, disk: Arc<dyn Disk>) -> ContentStore {
        ContentStore { store, disk, files: Mutex::new(()) }
    }

    /// Keeps a value, or counts it once more.
    ///
    /// # Errors
    ///
    /// The store's, or the system's if the value is large.
    pub fn put(
        &self,
        digest: &Digest,
        value: &[u8],
        durability: Durability,
    ) -> Result<(), StoreError> {
        self.change(digest, durability, |record| match record {
            Some(record) => Ok(Some(Record { n_references: record.n_references + 1, ..record })),
            None if value.len() < FILE_BYTES_MIN => {
                Ok(Some(Record { n_references: 1, kind: INLINE, rest: value.to_vec() }))
            }
            None => {
                self.write_file(digest, value)?;
                let rest = blake3::hash(value).as_bytes().to_vec();
                Ok(Some(Record { n_references: 1, kind: IN_FILE, rest }))
            }
        })
    }

    /// Counts a value that is there once more; whether it was.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn retain(&self, digest: &Digest, durability: Durability) -> Result<bool, StoreError> {
        let mut is_there = false;
        self.change(digest, durability, |record| {
            is_there = record.is_some();
            Ok(record.map(|record| Record { n_references: record.n_references + 1, ..record }))
        })?;
        Ok(is_there)
    }

    /// Counts a value once less, and erases it if nobody counts on it any more. One that isn't
    /// there stays so.
    ///
    /// # Errors
    ///
    /// The store's, or the system's if the value is large.
    pub fn release(&self, digest: &Digest, durability: Durability) -> Result<(), StoreError> {
        self.change(digest, durability, |record| {
            let left = record.filter(|record| record.n_references > 1);
            Ok(left.map(|record| Record { n_references: record.n_references - 1, ..record }))
        })
    }

    /// Erases a value, whoever counts on it. What is left of it in the log and in the engine's free
    /// pages goes with [`Durable::compact`](crate::Durable::compact).
    ///
    /// # Errors
    ///
    /// The store's, or the system's if the value is large.
    pub fn erase(&self, digest: &Digest, durability: Durability) -> Result<(), StoreError> {
        self.change(digest, durability, |_| Ok(None))
    }

    /// A value, if it is there.
    ///
    /// # Errors
    ///
    /// [`StoreError::DamagedValue`] if it isn't what was put; the store's and the system's.
    pub fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        match self.read(digest) {
            // A large one may have been released and put again meanwhile.
            Err(StoreError::DamagedValue { .. }) => {
                let _files = self.files.lock();
                self.read(digest)
            }
            read => read,
        }
    }

    fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(bytes) = self.store.get(VALUES, digest.as_bytes())? else { return Ok(None) };
        let damaged = || StoreError::DamagedValue { digest: digest.to_string() };
        let record = Record::decode(&bytes).ok_or_else(damaged)?;
        if record.kind == INLINE {
            return Ok(Some(record.rest));
        }
        let value = self.read_file(digest)?.ok_or_else(damaged)?;
        let is_sound = blake3::hash(&value).as_bytes()[..] == record.rest;
        if is_sound { Ok(Some(value)) } else { Err(damaged()) }
    }

    /// How often a value is counted on; 0 if it isn't there.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn n_references(&self, digest: &Digest) -> Result<u64, StoreError> {
        let bytes = self.store.get(VALUES, digest.as_bytes())?;
        let record = bytes.as_deref().and_then(Record::decode);
        Ok(record.map_or(0, |record| record.n_references))
    }

    /// Reads every value, and lists those that aren't what was put.
    ///
    /// # Errors
    ///
    /// The system's, and the store's other than of damaged records.
    pub fn verify(&self) -> Result<Vec<Damage>, StoreError> {
        let mut damages = Vec::new();
        for digest in self.digests() {
            match digest.and_then(|digest| self.get(&digest)) {
                Ok(_) => {}
                Err(StoreError::DamagedValue { digest }) => damages.push(Damage::Value { digest }),
                Err(StoreError::DamagedRecord { at }) => damages.push(Damage::Record { at }),
                Err(error) => return Err(error),
            }
        }
        Ok(damages)
    }

    /// Removes the files of values that nobody counts on: what crashes left behind. Returns how
    /// many there were.
    ///
    /// # Errors
    ///
    /// The store's and the system's.
    pub fn sweep(&self) -> Result<u64, StoreError> {
        let _files = self.files.lock();
        let mut n_removed = 0;
        for file in self.disk.list(DIR).map_err(|error| io_error("list", DIR, error))? {
            let digest: Option<Digest> = format!("b3:{file}").parse().ok();
            let is_named = match digest {
                Some(digest) => self.n_references(&digest)? > 0,
                None => false,
            };
            if !is_named {
                let name = format!("{DIR}/{file}");
                self.disk.remove(&name).map_err(|error| io_error("remove", &name, error))?;
                n_removed += 1;
            }
        }
        Ok(n_removed)
    }

    fn digests(&self) -> impl Iterator<Item = Result<Digest, StoreError>> {
        self.store.scan(Scan::all(VALUES)).filter_map(|entry| {
            let bytes = entry.map(|entry| entry.key.try_into().ok()).transpose()?;
            Some(bytes.map(Digest::from_bytes))
        })
    }

    /// Replaces a value's record by what is made of it; nothing erases it. Files appear before
    /// their records, and go after them.
    fn change(
        &self,
        digest: &Digest,
        durability: Durability,
        mut change: impl FnMut(Option<Record>) -> Result<Option<Record>, StoreError>,
    ) -> Result<(), StoreError> {
        loop {
            let old = self.store.get(VALUES, digest.as_bytes())?;
            let record = old.as_deref().and_then(Record::decode);
            let is_file = record.as_ref().is_some_and(|record| record.kind == IN_FILE);
            // Small values change beside each other, and groups serve many of them.
            let files = (is_file || old.is_none()).then(|| self.files.lock());
            if files.is_some() && self.store.get(VALUES, digest.as_bytes())? != old {
                continue;
            }
            let new = change(record)?;
            let new_bytes = new.as_ref().map(Record::encode);
            if new_bytes.is_none() && old.is_none() {
                return Ok(());
            }
            let files =
                files.filter(|_| is_file || matches!(&new, Some(new) if new.kind == IN_FILE));
            let batch = Batch::new().require(VALUES, digest.as_bytes(), old.as_deref());
            let batch = match new_bytes {
                Some(bytes) => batch.put(VALUES, digest.as_bytes(), bytes),
                None => batch.delete(VALUES, digest.as_bytes()),
            };
            let is_gone = is_file && new.is_none();
            // A record that is lost with the power must find its file.
            let durability = if is_gone { Durability::Sync } else { durability };
            match self.store.commit(batch, durability) {
                Err(StoreError::Conflict { .. }) => drop(files),
                Ok(()) if is_gone => {
                    let name = format!("{DIR}/{}", file_name(digest));
                    let removed = self.disk.remove(&name);
                    return removed.map_err(|error| io_error("remove", &name, error));
                }
                result => return result,
            }
        }
    }

    fn write_file(&self, digest: &Digest, value: &[u8]) -> Result<(), StoreError> {
        let name = file_name(digest);
        let write = || {
            self.disk.create_dir(DIR)?;
            self.disk.sync_dir(".")?;
            write_whole(&*self.disk, DIR, &name, value)
        };
        write().map_err(|error: io::Error| io_error("write", &format!("{DIR}/{name}"), error))
    }

    fn read_file(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let name = format!("{DIR}/{}", file_name(digest));
        read_whole(&*self.disk, &name).map_err(|error| io_error("read", &name, error))
    }
}
