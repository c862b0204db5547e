//! Owns what is measured: our stores, and the engines by themselves, each commit durable in the
//! engine's own way.

use std::path::Path;

use anyhow::{Result, ensure};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use selvedge_store::{Batch, Durability, Durable, Options, Read, Redb, Scan, Sled, Store};

use crate::VALUE;

pub(crate) trait Subject: Send + Sync {
    /// Writes a record under each key, in one batch, durable on return.
    fn commit(&self, keys: &[[u8; 8]]) -> Result<()>;
    fn get(&self, key: [u8; 8]) -> Result<()>;
    /// Reads all records; returns how many there are.
    fn scan(&self) -> Result<u64>;
}

pub(crate) fn subjects(dir: &Path) -> Result<Vec<(&'static str, Box<dyn Subject>)>> {
    let options = Options::new();
    let sled = options.open(&dir.join("ours-sled"), &Sled::default())?;
    let redb = options.open(&dir.join("ours-redb"), &Redb::default())?;
    let plain_redb = Database::create(dir.join("plain-redb"))?;
    Ok(vec![
        ("store on sled", Box::new(sled)),
        ("store on redb", Box::new(redb)),
        ("sled (no fsync)", Box::new(plain_sled(&dir.join("plain-sled"))?)),
        ("redb", Box::new(plain_redb)),
    ])
}

pub(crate) fn plain_sled(dir: &Path) -> Result<sled::Db> {
    Ok(sled::Config::new().path(dir).flush_every_ms(None).open()?)
}

impl Subject for Durable {
    fn commit(&self, keys: &[[u8; 8]]) -> Result<()> {
        let batch = keys.iter().fold(Batch::new(), |batch, key| batch.put("n", key, VALUE));
        Ok(Store::commit(self, batch, Durability::Group)?)
    }

    fn get(&self, key: [u8; 8]) -> Result<()> {
        ensure!(Read::get(self, "n", &key)?.is_some(), "it was written");
        Ok(())
    }

    fn scan(&self) -> Result<u64> {
        let mut n = 0;
        for entry in Read::scan(self, Scan::all("n")) {
            n += u64::from(!entry?.value.is_empty());
        }
        Ok(n)
    }
}

impl Subject for sled::Db {
    fn commit(&self, keys: &[[u8; 8]]) -> Result<()> {
        let mut batch = sled::Batch::default();
        keys.iter().for_each(|key| batch.insert(key, &VALUE[..]));
        self.apply_batch(batch)?;
        self.flush()?;
        Ok(())
    }

    fn get(&self, key: [u8; 8]) -> Result<()> {
        ensure!(sled::Tree::get(self, key)?.is_some(), "it was written");
        Ok(())
    }

    fn scan(&self) -> Result<u64> {
        let mut n = 0;
        for record in self.iter() {
            n += u64::from(!record?.1.is_empty());
        }
        Ok(n)
    }
}

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("n");

impl Subject for Database {
    fn commit(&self, keys: &[[u8; 8]]) -> Result<()> {
        let transaction = self.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for key in keys {
                table.insert(&key[..], &VALUE[..])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn get(&self, key: [u8; 8]) -> Result<()> {
        let table = self.begin_read()?.open_table(TABLE)?;
        ensure!(table.get(&key[..])?.is_some(), "it was written");
        Ok(())
    }

    fn scan(&self) -> Result<u64> {
        let table = self.begin_read()?.open_table(TABLE)?;
        let mut n = 0;
        for record in table.iter()? {
            n += u64::from(!record?.1.value().is_empty());
        }
        Ok(n)
    }
}
