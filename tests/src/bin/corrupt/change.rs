//! Owns the ways in which a file is corrupted.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rand_xoshiro::rand_core::Rng;

use crate::image::files;

const PAGE: usize = 4096;
const SECTOR: usize = 512;

/// Corrupts one file of a store, any but the lock, which says nothing; tells how.
pub(crate) fn change(dir: &Path, rng: &mut impl Rng) -> Result<String> {
    loop {
        let files: Vec<PathBuf> =
            files(dir)?.into_iter().filter(|path| !path.ends_with("lock")).collect();
        let path = &files[rng.next_u64() as usize % files.len()];
        let old = fs::read(path)?;
        let Some(at) = (rng.next_u64() as usize).checked_rem(old.len()) else { continue };
        let mut bytes = old.clone();
        let how = change_bytes(&mut bytes, at, rng);
        // A page that was zeros, or two bytes that are the same: nothing happened.
        if bytes == old {
            continue;
        }
        fs::write(path, bytes)?;
        return Ok(format!("{} {how} at {at}", path.strip_prefix(dir).unwrap_or(path).display()));
    }
}

fn change_bytes(bytes: &mut Vec<u8>, at: usize, rng: &mut impl Rng) -> &'static str {
    let piece = |n: usize| at / n * n..(at / n * n + n).min(bytes.len());
    let (page, sector) = (piece(PAGE), piece(SECTOR));
    let other = rng.next_u64() as usize % bytes.len();
    match rng.next_u64() % 6 {
        0 => {
            bytes[at] ^= 1 << (rng.next_u64() % 8);
            "flipped"
        }
        1 => {
            bytes[page].fill(0);
            "with a page zeroed"
        }
        2 => {
            bytes.truncate(at);
            "truncated"
        }
        3 => {
            bytes.swap(at, other);
            "with bytes swapped"
        }
        4 => {
            rng.fill_bytes(&mut bytes[sector]);
            "with a sector overwritten"
        }
        _ => {
            let from = other / SECTOR * SECTOR;
            let n = sector.len().min(bytes.len() - from);
            bytes.copy_within(from..from + n, sector.start);
            "with another sector in the place of one"
        }
    }
}
