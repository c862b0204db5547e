//! Owns a recorded run: what was written, when it was acknowledged, and what may be left of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use selvedge_store::{Batch, Durability, Durable, Options, Read, Redb, Scan, Sled, Store};
use selvedge_testkit::{Loss, SimDisk};
use selvedge_tests::copy_dir;
use tempfile::TempDir;

use crate::Backend;

const N_SESSIONS: u64 = 4;
const BATCHES_PER_SESSION: u64 = 15;

type Model = BTreeMap<(String, Vec<u8>), Vec<u8>>;

pub(crate) struct Run {
    backend: Backend,
    disk: SimDisk,
    /// What the store held after each batch; after none first.
    models: Vec<Model>,
    /// Operations done when so many batches were durable.
    durable: Vec<(usize, usize)>,
    /// Operations done when the engine was closed, and its files then.
    closed: Vec<(usize, TempDir)>,
}

pub(crate) struct Outcome {
    pub(crate) is_rebuilt: bool,
}

/// In memory where there is such a place: nothing here waits for the real device.
fn temp_dir() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    dir.context("no temporary directory")
}

fn open(backend: Backend, disk: &SimDisk, dir: &Path) -> Result<Durable> {
    // So short that bases are written too.
    let options = Options::new().segment_bytes(1500);
    let disk = Arc::new(disk.clone());
    Ok(match backend {
        Backend::Sled => options.open_on(disk, dir, &Sled::default()),
        Backend::Redb => options.open_on(disk, dir, &Redb::default()),
    }?)
}

fn random_batch(rng: &mut impl Rng, n: u64, model: &mut Model) -> Batch {
    // No two states of the store are equal.
    let mut batch = Batch::new().put("a", b"count", n.to_le_bytes());
    model.insert(("a".to_owned(), b"count".to_vec()), n.to_le_bytes().to_vec());
    for _ in 0..rng.next_u64() % 5 {
        let namespace = ["a", "b"][rng.next_u64() as usize % 2];
        let key = vec![b'k', (rng.next_u64() % 40) as u8];
        if rng.next_u64().is_multiple_of(4) {
            model.remove(&(namespace.to_owned(), key.clone()));
            batch = batch.delete(namespace, &key);
        } else {
            let value = vec![rng.next_u64() as u8; rng.next_u64() as usize % 700];
            model.insert((namespace.to_owned(), key.clone()), value.clone());
            batch = batch.put(namespace, &key, value);
        }
    }
    batch
}

impl Run {
    pub(crate) fn record(backend: Backend, seed: u64) -> Result<Run> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let (disk, dir) = (SimDisk::new(), temp_dir()?);
        let mut run = Run {
            backend,
            disk: disk.clone(),
            models: vec![Model::new()],
            durable: vec![(0, 0)],
            closed: Vec::new(),
        };
        let mut model = Model::new();
        for _ in 0..N_SESSIONS {
            let store = open(backend, &disk, dir.path())?;
            for _ in 0..BATCHES_PER_SESSION {
                let batch = random_batch(&mut rng, run.models.len() as u64, &mut model);
                run.models.push(model.clone());
                let durability = [Durability::Sync, Durability::Group, Durability::None]
                    [rng.next_u64() as usize % 3];
                store.commit(batch, durability)?;
                if durability != Durability::None {
                    run.durable.push((disk.n_ops(), run.models.len() - 1));
                }
            }
            drop(store);
            // What was closed is durable whatever it asked for.
            run.durable.push((disk.n_ops(), run.models.len() - 1));
            let copy = temp_dir()?;
            copy_dir(dir.path(), copy.path())?;
            run.closed.push((disk.n_ops(), copy));
        }
        Ok(run)
    }

    pub(crate) fn n_ops(&self) -> usize {
        self.disk.n_ops()
    }

    pub(crate) fn n_acknowledged(&self) -> usize {
        self.durable.len() - 1
    }

    pub(crate) fn after_power_loss(&self, n_ops: usize, loss: Loss, seed: u64) -> SimDisk {
        self.disk.after_power_loss(n_ops, loss, seed)
    }

    /// Opens what is left, twice, and holds it against what was written.
    pub(crate) fn check(&self, disk: &SimDisk, n_ops: usize, seed: u64) -> Result<Outcome> {
        let dir = temp_dir()?;
        self.leave_engine(dir.path(), n_ops, seed)?;
        let store = open(self.backend, disk, dir.path())?;
        let is_rebuilt = store.opened().is_rebuilt;
        let n_durable = self.durable.iter().rev().find(|(at, _)| *at <= n_ops);
        let n_durable = n_durable.map_or(0, |(_, n_batches)| *n_batches);
        let found = read_all(&store)?;
        let Some(n_found) = self.models.iter().position(|model| *model == found) else {
            bail!("no batch ended like this: {} records", found.len());
        };
        ensure!(n_found >= n_durable, "{n_durable} batches were durable, {n_found} are there");
        let damages = store.verify()?;
        ensure!(damages.is_empty(), "{damages:?}");
        store.put("after", b"k", b"v", Durability::Sync)?;
        drop(store);
        let store = open(self.backend, disk, dir.path())?;
        ensure!(store.get("after", b"k")?.is_some(), "what was written after that is lost");
        Ok(Outcome { is_rebuilt })
    }

    /// Puts into a directory what may be left of the engine.
    fn leave_engine(&self, dir: &Path, n_ops: usize, seed: u64) -> Result<()> {
        let closed = self.closed.iter().rev().find(|(at, _)| *at <= n_ops);
        let Some((_, closed)) = closed.filter(|_| !seed.is_multiple_of(3)) else { return Ok(()) };
        copy_dir(closed.path(), dir)?;
        if seed % 3 == 1 {
            let name = match self.backend {
                Backend::Sled => "sled/db",
                Backend::Redb => "redb/db",
            };
            let mut bytes = fs::read(dir.join(name))?;
            let n_blocks = bytes.len().div_ceil(4096).max(1);
            let begin = (seed as usize / 3 % n_blocks) * 4096;
            let end = (begin + 4096).min(bytes.len());
            bytes[begin..end].fill(0);
            fs::write(dir.join(name), bytes)?;
        }
        Ok(())
    }
}

/// All records, but for those that a check wrote itself.
fn read_all(store: &Durable) -> Result<Model> {
    let mut found = Model::new();
    for namespace in store.namespaces()?.into_iter().filter(|name| name != "after") {
        for entry in store.scan(Scan::all(&namespace)) {
            let entry = entry?;
            found.insert((namespace.clone(), entry.key), entry.value);
        }
    }
    Ok(found)
}
