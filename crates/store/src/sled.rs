//! Owns the backend on sled, the default.
//!
//! Its `flush` doesn't wait for the device on Linux, and it reuses the room of what it thinks is
//! durable elsewhere: after a loss of power its files prove nothing. The log does.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use selvedge_sync::{Clock, Condvar, Mutex};

use crate::engine::{Backend, Engine, EngineError, EngineWrite, KeyRange, Pairs};
use crate::scan::Order;

/// sled, with its settings.
#[derive(Clone, Debug)]
pub struct Sled {
    cache_bytes_max: u64,
}

impl Default for Sled {
    fn default() -> Sled {
        Sled { cache_bytes_max: 64 << 20 }
    }
}

impl Sled {
    /// Bytes that sled is told to cache at most (64 MiB). It counts roughly, and keeps more.
    #[must_use]
    pub fn cache_bytes_max(mut self, n_bytes: u64) -> Sled {
        self.cache_bytes_max = n_bytes;
        self
    }
}

impl Backend for Sled {
    fn name(&self) -> &'static str {
        "sled"
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Engine>, EngineError> {
        // Its own flusher would wait for the device every half second, for nothing.
        let config = sled::Config::new().path(dir).cache_capacity(self.cache_bytes_max);
        let db = config.flush_every_ms(None).open()?;
        Ok(Box::new(Tree { db, _closed: Closed { file: dir.join("db") } }))
    }
}

/// One tree: a batch over all namespaces is one batch of sled's.
struct Tree {
    db: sled::Db,
    /// Dropped after sled.
    _closed: Closed,
}

/// Waits, when dropped, until sled has let go of its file: its threads may still write to it when
/// the last handle is gone, and whoever opens it again would be refused.
struct Closed {
    file: PathBuf,
}

const CLOSED_WAIT_MAX: Duration = Duration::from_secs(10);
const CLOSED_WAIT_STEP: Duration = Duration::from_millis(1);

impl Drop for Closed {
    fn drop(&mut self) {
        let (clock, nobody) = (Clock::real(), (Mutex::new(()), Condvar::new()));
        let is_held = || File::open(&self.file).is_ok_and(|file| file.try_lock().is_err());
        while is_held() && clock.now() < CLOSED_WAIT_MAX {
            drop(nobody.1.wait_for(nobody.0.lock(), CLOSED_WAIT_STEP));
        }
    }
}

impl std::fmt::Debug for Tree {
    /// sled's own would print every record.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tree(sled)")
    }
}

impl Engine for Tree {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.db.get(key)?.map(|value| value.to_vec()))
    }

    fn page(&self, range: KeyRange<'_>, order: Order, n_max: usize) -> Result<Pairs, EngineError> {
        let records = self.db.range::<&[u8], _>(range);
        let pair = |record: sled::Result<(sled::IVec, sled::IVec)>| {
            record.map(|(key, value)| (key.to_vec(), value.to_vec())).map_err(EngineError::from)
        };
        match order {
            Order::Ascending => records.take(n_max).map(pair).collect(),
            Order::Descending => records.rev().take(n_max).map(pair).collect(),
        }
    }

    fn apply(&self, writes: Vec<EngineWrite>) -> Result<(), EngineError> {
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        Ok(self.db.apply_batch(batch)?)
    }

    fn hand_over(&self) -> Result<(), EngineError> {
        self.db.flush()?;
        Ok(())
    }
}
