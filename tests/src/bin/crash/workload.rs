//! Owns what is written: records that follow from their thread and number, so that a checker can
//! tell what must be there.

use std::path::Path;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use selvedge_store::{Batch, Durable, Options, Redb, Sled, StoreError};

use crate::Backend;

pub(crate) const N_THREADS: u64 = 4;
/// Events that a thread keeps; older ones are deleted.
pub(crate) const N_KEPT: u64 = 300;

/// Short segments, so that bases are written all the time.
pub(crate) fn open(backend: Backend, dir: &Path) -> Result<Durable, StoreError> {
    let options = Options::new().segment_bytes(1 << 20);
    match backend {
        Backend::Sled => options.open(dir, &Sled::default()),
        Backend::Redb => options.open(dir, &Redb::default()),
    }
}

/// The batch number `n` of a thread: an event, the head that points to it, and the oldest gone.
pub(crate) fn batch(thread: u64, n: u64) -> Batch {
    let batch = Batch::new().put("events", &key(thread, n), event(thread, n)).put(
        "heads",
        &thread.to_be_bytes(),
        n.to_be_bytes(),
    );
    match n.checked_sub(N_KEPT) {
        Some(old) if old > 0 => batch.delete("events", &key(thread, old)),
        _ => batch,
    }
}

pub(crate) fn key(thread: u64, n: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&thread.to_be_bytes());
    key[8..].copy_from_slice(&n.to_be_bytes());
    key
}

/// 64 bytes to 1 KiB, and now and then 20 to 60 KB.
pub(crate) fn event(thread: u64, n: u64) -> Vec<u8> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(thread << 48 ^ n);
    let n_bytes = match rng.next_u64() % 50 {
        0 => 20_000 + rng.next_u64() % 40_000,
        _ => 64 + rng.next_u64() % 960,
    };
    let mut bytes = vec![0; n_bytes as usize];
    rng.fill_bytes(&mut bytes);
    bytes
}
