//! Owns the process that is killed: threads that write, and say what was acknowledged.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use selvedge_store::{Durability, Durable, Read, Store};

use crate::workload::{N_THREADS, batch, open};
use crate::{Backend, READY};

/// Never returns but by an error.
pub(crate) fn run(backend: Backend, dir: &Path, seed: u64) -> Result<()> {
    let store = open(backend, dir)?;
    println!("{READY}");
    std::thread::scope(|scope| {
        let store = &store;
        let threads: Vec<_> =
            (0..N_THREADS).map(|thread| scope.spawn(move || write(store, thread, seed))).collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a writer panicked"))??;
        }
        Ok(())
    })
}

fn write(store: &Durable, thread: u64, seed: u64) -> Result<()> {
    let head = store.get("heads", &thread.to_be_bytes())?;
    let head = head.map(|head| head.try_into().map(u64::from_be_bytes));
    let head = head.transpose().map_err(|_| anyhow!("a head is eight bytes long"))?;
    let mut n = head.unwrap_or_default();
    loop {
        n += 1;
        // What the process is told to be written survives it, whatever it asked for.
        let durability = match (seed ^ thread).wrapping_add(n) % 5 {
            0 => Durability::Sync,
            1 => Durability::None,
            _ => Durability::Group,
        };
        store.commit(batch(thread, n), durability)?;
        let line = format!("{thread} {n} 0\n");
        std::io::stdout().lock().write_all(line.as_bytes()).context("nobody listens")?;
    }
}
