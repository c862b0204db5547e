//! Owns the long form: a gigabyte in each store, how long it takes to open, and in what memory.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use selvedge_store::{Backend, Batch, Durability, Options, Read, Redb, Sled, Store};
use serde::Serialize;

use crate::VALUE;

const N_RECORDS: u64 = 4_000_000;
const N_BATCH: u64 = 1000;

#[derive(Debug, Serialize)]
struct Row {
    subject: &'static str,
    fill_secs: f64,
    fill_mib: u64,
    close_secs: f64,
    open_secs: f64,
    open_mib: u64,
    rebuild_secs: f64,
}

/// Memory of the process in MiB.
fn resident_mib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.context("the system tells a process's memory")?.trim().parse::<u64>()? / 1024)
}

pub(crate) fn run(is_json: bool) -> Result<()> {
    let rows = [measure(&Sled::default())?, measure(&Redb::default())?];
    if is_json {
        println!("{}", serde_json::to_string(&rows)?);
        return Ok(());
    }
    for row in rows {
        println!("{row:#?}");
    }
    Ok(())
}

fn measure(backend: &dyn Backend) -> Result<Row> {
    let dir = tempfile::tempdir()?;
    let open = |dir: &Path| Options::new().open(dir, backend);
    let secs = |began: Instant| began.elapsed().as_secs_f64();
    let (before, began) = (resident_mib()?, Instant::now());
    let store = open(dir.path())?;
    for begin in (0..N_RECORDS).step_by(N_BATCH as usize) {
        let put = |batch: Batch, n: u64| batch.put("n", &n.to_be_bytes(), VALUE);
        let batch = (begin..begin + N_BATCH).fold(Batch::new(), put);
        store.commit(batch, Durability::Group)?;
    }
    let (fill_secs, fill_mib) = (secs(began), resident_mib()?.saturating_sub(before));
    let began = Instant::now();
    drop(store);
    let close_secs = secs(began);
    let (before, began) = (resident_mib()?, Instant::now());
    let store = open(dir.path())?;
    store.get("n", &7u64.to_be_bytes())?;
    let (open_secs, open_mib) = (secs(began), resident_mib()?.saturating_sub(before));
    store.rebuild();
    drop(store);
    let began = Instant::now();
    drop(open(dir.path())?);
    let rebuild_secs = secs(began);
    let subject = backend.name();
    Ok(Row { subject, fill_secs, fill_mib, close_secs, open_secs, open_mib, rebuild_secs })
}
