//! Fills a store until there is no more room, in a process of its own: whoever starts it limits its
//! files or gives it a small file system, and ends it if it hangs. `tests/store/full.rs` does.
//!
//! On a full disk everything but writing goes on: reading, closing, an attempt to open it again.
//! When there is room, by `--remount` or in another process, all that was acknowledged is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use selvedge_store::{
    Backend, Durability, Durable, Options, Read as _, Redb, Sled, Store, StoreError,
};

/// Fills a store, or checks one that was filled.
#[derive(Parser)]
struct Args {
    #[arg(long, value_enum)]
    engine: Engine,
    /// After how many bytes a segment of the log ends
    #[arg(long, value_name = "BYTES")]
    segment: u64,
    /// The file system on which the store is, to be made larger when it is full
    #[arg(long, value_name = "DIR")]
    remount: Option<PathBuf>,
    /// Whether the engine may come to lack room, and not the log alone
    #[arg(long)]
    is_engine_full: bool,
    /// Fill nothing: there were so many acknowledged
    #[arg(long, value_name = "N")]
    acknowledged: Option<u64>,
    dir: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Engine {
    Sled,
    Redb,
}

const VALUE_BYTES: usize = 50_000;
/// Ten times what fits.
const N_MAX: u64 = 5000;

fn main() -> Result<()> {
    let args = Args::parse();
    let n_acknowledged = match args.acknowledged {
        Some(n_acknowledged) => n_acknowledged,
        None => fill(&args)?,
    };
    if args.acknowledged.is_some() || args.remount.is_some() {
        check(&args, n_acknowledged)?;
    }
    println!("{n_acknowledged}");
    Ok(())
}

fn open(args: &Args) -> Result<Durable, StoreError> {
    let backend: Box<dyn Backend> = match args.engine {
        Engine::Sled => Box::new(Sled::default()),
        Engine::Redb => Box::new(Redb::default()),
    };
    Options::new().segment_bytes(args.segment).open(&args.dir, &*backend)
}

fn value(n: u64) -> Vec<u8> {
    vec![n as u8; VALUE_BYTES]
}

/// Writes until it fails; returns how many were acknowledged.
fn fill(args: &Args) -> Result<u64> {
    let store = open(args)?;
    let put = |n: u64| store.put("n", &n.to_be_bytes(), &value(n), Durability::Sync);
    let failed = (0..N_MAX).find_map(|n| Some((n, put(n).err()?)));
    let (n_acknowledged, error) = failed.context("it never gets full")?;
    ensure!(matches!(error, StoreError::ReadOnly { .. }), "another error: {error}");
    ensure!(n_acknowledged > 10, "there was room for {n_acknowledged} only");
    ensure!(put(n_acknowledged + 1).is_err(), "nothing is written after a failure");
    for n in 0..n_acknowledged {
        match store.get("n", &n.to_be_bytes()) {
            Ok(found) => ensure!(found == Some(value(n)), "{n} is read as another"),
            // sled reads nothing any more once it could not write itself.
            Err(StoreError::Engine { engine: "sled", .. }) if args.is_engine_full => {}
            Err(error) => return Err(anyhow::Error::new(error).context("reading doesn't go on")),
        }
    }
    drop(store);
    // There may be room for it or not; it doesn't hang, and what there is is right.
    if let Ok(store) = open(args)
        && let Ok(found) = store.get("n", &0u64.to_be_bytes())
    {
        ensure!(found == Some(value(0)), "opened on a full disk, it has lost what was there");
    }
    if let Some(dir) = &args.remount {
        remount(dir)?;
    }
    Ok(n_acknowledged)
}

fn remount(dir: &Path) -> Result<()> {
    let status = Command::new("mount").args(["-o", "remount,size=256m"]).arg(dir).status()?;
    if !status.success() {
        bail!("the file system can't be made larger");
    }
    Ok(())
}

fn check(args: &Args, n_acknowledged: u64) -> Result<()> {
    let store = open(args)?;
    for n in 0..n_acknowledged {
        let found = store.get("n", &n.to_be_bytes())?;
        ensure!(found == Some(value(n)), "{n} was acknowledged and is lost");
    }
    store.put("n", b"again", b"", Durability::Sync)?;
    let damages = store.verify()?;
    ensure!(damages.is_empty(), "it is damaged: {damages:?}");
    Ok(())
}
