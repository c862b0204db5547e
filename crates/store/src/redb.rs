//! Owns the backend on redb, a B-tree in one file.
//!
//! It could keep what it is given by itself. It isn't asked to: a commit that waits for the device
//! is only made when a segment of the log ends.

use std::fs;
use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use crate::engine::{Backend, Engine, EngineError, EngineWrite, KeyRange, Pairs};
use crate::scan::Order;

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// redb, with its settings.
#[derive(Clone, Debug)]
pub struct Redb {
    cache_bytes_max: usize,
}

impl Default for Redb {
    fn default() -> Redb {
        Redb { cache_bytes_max: 64 << 20 }
    }
}

impl Redb {
    /// Bytes that redb caches at most (64 MiB).
    #[must_use]
    pub fn cache_bytes_max(mut self, n_bytes: usize) -> Redb {
        self.cache_bytes_max = n_bytes;
        self
    }
}

impl Backend for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Engine>, EngineError> {
        fs::create_dir_all(dir)?;
        let mut builder = Database::builder();
        let table = Table(builder.set_cache_size(self.cache_bytes_max).create(dir.join("db"))?);
        // So that readers find the table.
        table.write(Vec::new(), Durability::None)?;
        Ok(Box::new(table))
    }
}

#[derive(Debug)]
struct Table(Database);

impl Table {
    fn write(&self, writes: Vec<EngineWrite>, durability: Durability) -> Result<(), EngineError> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(durability)?;
        // What it costs at a commit that waits, it saves after the process was killed.
        transaction.set_quick_repair(matches!(durability, Durability::Immediate));
        {
            let mut records = transaction.open_table(RECORDS)?;
            for (key, value) in writes {
                match value {
                    Some(value) => drop(records.insert(&key[..], &value[..])?),
                    None => drop(records.remove(&key[..])?),
                }
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Engine for Table {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let records = self.0.begin_read()?.open_table(RECORDS)?;
        Ok(records.get(key)?.map(|value| value.value().to_vec()))
    }

    fn page(&self, range: KeyRange<'_>, order: Order, n_max: usize) -> Result<Pairs, EngineError> {
        let records = self.0.begin_read()?.open_table(RECORDS)?;
        let range = records.range::<&[u8]>(range)?;
        let range: Box<dyn Iterator<Item = _>> = match order {
            Order::Ascending => Box::new(range),
            Order::Descending => Box::new(range.rev()),
        };
        let mut pairs = Pairs::new();
        for record in range.take(n_max) {
            let (key, value) = record?;
            pairs.push((key.value().to_vec(), value.value().to_vec()));
        }
        Ok(pairs)
    }

    fn apply(&self, writes: Vec<EngineWrite>) -> Result<(), EngineError> {
        self.write(writes, Durability::None)
    }

    fn hand_over(&self) -> Result<(), EngineError> {
        self.write(Vec::new(), Durability::Immediate)
    }

    /// Its pages carry checksums that nobody looks at when they are read: one page in the place of
    /// another would hide records.
    fn is_sound(&mut self) -> Result<bool, EngineError> {
        Ok(self.0.check_integrity()?)
    }
}
