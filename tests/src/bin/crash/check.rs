//! Owns the process that opens what is left and looks at every record.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use selvedge_store::{Read, Scan};
use serde::{Deserialize, Serialize};

use crate::Backend;
use crate::workload::{N_KEPT, N_THREADS, event, key, open};

/// What is there.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Found {
    /// The last event that each thread's head points to.
    pub(crate) heads: BTreeMap<u64, u64>,
    pub(crate) n_records: u64,
    /// Records that aren't what was written.
    pub(crate) n_wrong: u64,
    /// Records that are there or not, against what the head of their batch says.
    pub(crate) n_torn: u64,
    pub(crate) is_rebuilt: bool,
    pub(crate) open_ms: f64,
    /// How runs ended, in a history.
    #[serde(default)]
    pub(crate) runs: BTreeMap<String, String>,
}

pub(crate) fn run(backend: Backend, dir: &Path, seed: u64) -> Result<()> {
    let began = Instant::now();
    let store = open(backend, dir)?;
    let mut found = Found {
        open_ms: began.elapsed().as_secs_f64() * 1e3,
        is_rebuilt: store.opened().is_rebuilt,
        ..Found::default()
    };
    for thread in 0..N_THREADS {
        let head = store.get("heads", &thread.to_be_bytes())?;
        let head = head.and_then(|head| head.try_into().ok()).map_or(0, u64::from_be_bytes);
        found.heads.insert(thread, head);
        let mut wanted = (head.saturating_sub(N_KEPT) + 1..=head).peekable();
        for entry in store.scan(Scan::prefix("events", &thread.to_be_bytes())) {
            let entry = entry?;
            found.n_records += 1;
            while wanted.next_if(|&n| key(thread, n)[..] < entry.key[..]).is_some() {
                found.n_torn += 1;
            }
            match wanted.next_if(|&n| key(thread, n)[..] == entry.key[..]) {
                Some(n) => found.n_wrong += u64::from(entry.value != event(thread, n)),
                None => found.n_torn += 1,
            }
        }
        found.n_torn += wanted.count() as u64;
    }
    found.n_wrong += store.verify()?.len() as u64;
    println!("{}", serde_json::to_string(&found)?);
    if !seed.is_multiple_of(3) {
        // As if it was killed: nothing is closed.
        std::process::exit(0);
    }
    Ok(())
}
