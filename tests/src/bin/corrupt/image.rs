//! Owns the stores that are corrupted: what is in them, and copies of their files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use selvedge_store::{Backend, ContentStore, Durability, Durable, Options, OsDisk, Store};
use selvedge_tests::copy_dir;

use selvedge::prelude::Digest;

pub(crate) const N_RECORDS: u64 = 300;
/// Two of them are files.
pub(crate) const VALUE_BYTES: [usize; 4] = [70, 700, 70_000, 90_000];

/// The files of a store.
pub(crate) struct Image {
    dir: tempfile::TempDir,
    state: &'static str,
}

/// In memory where there is such a file system: files are copied thousands of times.
pub(crate) fn temp_dir() -> Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    dir.context("a temporary directory can't be made")
}

pub(crate) fn bytes(n: u64, n_bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; n_bytes];
    Xoshiro256PlusPlus::seed_from_u64(n).fill_bytes(&mut bytes);
    bytes
}

pub(crate) fn value(n: u64) -> Vec<u8> {
    bytes(n, 100 + n as usize % 300)
}

/// So short that there are several segments, so long that no base is written behind our back.
pub(crate) fn options() -> Options {
    Options::new().segment_bytes(30_000)
}

pub(crate) fn content(dir: &Path, store: &Arc<Durable>) -> Result<ContentStore> {
    Ok(ContentStore::new(store.clone(), Arc::new(OsDisk::new(dir)?)))
}

impl Image {
    /// A store with a base, segments after it, records in both and values beside them: as it is
    /// when it was closed, and as it is when its process was killed.
    pub(crate) fn closed_and_killed(backend: &dyn Backend) -> Result<[Image; 2]> {
        let (closed, killed) = (temp_dir()?, temp_dir()?);
        let open = || options().open(closed.path(), backend);
        let put = |store: &Durable, begin: u64, end: u64| {
            (begin..end).try_for_each(|n| {
                let is_last = n % 30 == 29;
                let durability = if is_last { Durability::Sync } else { Durability::None };
                store.put("n", &n.to_be_bytes(), &value(n), durability)
            })
        };
        let store = open()?;
        put(&store, 0, N_RECORDS / 2)?;
        store.compact()?;
        drop(store);
        put(&open()?, N_RECORDS / 2, N_RECORDS - 30)?;
        let store = Arc::new(open()?);
        let content = content(closed.path(), &store)?;
        for (n, &n_bytes) in VALUE_BYTES.iter().enumerate() {
            let digest = Digest::of(&n)?;
            content.put(&digest, &bytes(n as u64, n_bytes), Durability::Group)?;
        }
        put(&store, N_RECORDS - 30, N_RECORDS)?;
        copy_dir(closed.path(), killed.path())?;
        drop((content, store));
        Ok([Image { dir: closed, state: "closed" }, Image { dir: killed, state: "killed" }])
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn state(&self) -> &'static str {
        self.state
    }
}

/// All files below a directory, sorted.
pub(crate) fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut paths =
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}
