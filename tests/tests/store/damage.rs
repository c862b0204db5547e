//! Files that aren't what was written: none of it is silent.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use insta::assert_snapshot;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use selvedge_store::{
    Backend, Durability, Durable, OnDamage, Options, Read, Redb, Scan, Sled, Store, StoreError,
};

const N_RECORDS: u64 = 400;

fn temp_dir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    dir.expect("a temporary directory")
}

fn value(n: u64) -> Vec<u8> {
    let mut value = vec![0; 100 + n as usize % 300];
    Xoshiro256PlusPlus::seed_from_u64(n).fill_bytes(&mut value);
    value
}

fn fill(store: &Durable) {
    for n in 0..N_RECORDS {
        let durability = if n % 40 == 39 { Durability::Sync } else { Durability::None };
        store.put("n", &n.to_be_bytes(), &value(n), durability).expect("there is room");
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("there is room");
    for entry in fs::read_dir(from).expect("it is there") {
        let path = entry.expect("it is there").path();
        let to = to.join(path.file_name().expect("it was listed"));
        if path.is_dir() { copy_dir(&path, &to) } else { drop(fs::copy(&path, &to)) }
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("it is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it is there").path()).collect();
    paths.sort();
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    paths.into_iter().flat_map(below).collect()
}

/// Changes one file; says how.
fn corrupt(dir: &Path, rng: &mut impl Rng) -> String {
    let files: Vec<PathBuf> =
        files(dir).into_iter().filter(|path| !path.ends_with("lock")).collect();
    let path = &files[rng.next_u64() as usize % files.len()];
    let mut bytes = fs::read(path).expect("it is there");
    if bytes.is_empty() {
        return "an empty file".to_owned();
    }
    let at = rng.next_u64() as usize % bytes.len();
    let block = at / 4096 * 4096..(at / 4096 * 4096 + 4096).min(bytes.len());
    let other = rng.next_u64() as usize % bytes.len();
    let how = match rng.next_u64() % 4 {
        0 => {
            bytes[at] ^= 1 << (rng.next_u64() % 8);
            "flipped"
        }
        1 => {
            bytes[block].fill(0);
            "zeroed"
        }
        2 => {
            bytes.truncate(at);
            "truncated"
        }
        _ => {
            bytes.swap(at, other);
            "swapped"
        }
    };
    fs::write(path, bytes).expect("there is room");
    format!("{} {how} at {at}", path.strip_prefix(dir).expect("it was listed").display())
}

/// What becomes of a corrupted store: refused, or whole.
fn outcome(dir: &Path, options: &Options, backend: &dyn Backend) -> Result<&'static str, String> {
    let store = match options.open(dir, backend) {
        Ok(store) => store,
        Err(StoreError::Damaged { .. } | StoreError::Foreign { .. } | StoreError::Newer { .. }) => {
            return Ok("refused");
        }
        Err(error) => return Err(format!("refused for another reason: {error}")),
    };
    let (mut found, mut is_named) = (BTreeMap::new(), false);
    for entry in store.scan(Scan::all("n")) {
        match entry {
            Ok(entry) => drop(found.insert(entry.key, entry.value)),
            Err(StoreError::DamagedRecord { .. } | StoreError::Engine { .. }) => {
                is_named = true;
                break;
            }
            Err(error) => return Err(format!("can't be read: {error}")),
        }
    }
    if is_named {
        drop(store);
        return match outcome(dir, options, backend) {
            Ok("mended" | "refused") => Ok("named, then mended"),
            other => Err(format!("not mended: {other:?}")),
        };
    }
    let wanted = (0..N_RECORDS).map(|n| (n.to_be_bytes().to_vec(), value(n))).collect();
    match found == wanted {
        true if store.opened().is_rebuilt => Ok("mended"),
        true => Ok("whole"),
        false => Err(format!("silent: {} records, {:?}", found.len(), store.opened())),
    }
}

/// Half of the corruptions of a store that was closed, half of one whose process was killed.
fn corrupt_often(n_rounds: u64, backend: &(dyn Backend + Sync)) -> BTreeMap<&'static str, u64> {
    let options = Options::new().segment_bytes(20_000);
    let (closed, killed) = (temp_dir(), temp_dir());
    let store = options.open(closed.path(), backend).expect("the directory is fine");
    fill(&store);
    copy_dir(closed.path(), killed.path());
    drop(store);
    let (round, counts) = (AtomicU64::new(0), std::sync::Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let round = round.fetch_add(1, Ordering::Relaxed);
                    if round >= n_rounds {
                        return;
                    }
                    let mut rng = Xoshiro256PlusPlus::seed_from_u64(round);
                    let dir = temp_dir();
                    let from = if round.is_multiple_of(2) { &closed } else { &killed };
                    copy_dir(from.path(), dir.path());
                    let how = corrupt(dir.path(), &mut rng);
                    let outcome = outcome(dir.path(), &options, backend);
                    let outcome = outcome.unwrap_or_else(|what| panic!("{round}: {how}: {what}"));
                    let mut counts = counts.lock().expect("nobody panics");
                    *counts.entry(outcome).or_default() += 1;
                }
            });
        }
    });
    counts.into_inner().expect("nobody panics")
}

/// `SELVEDGE_CORRUPTIONS` stands in for the number.
fn n_rounds() -> u64 {
    let set = std::env::var("SELVEDGE_CORRUPTIONS").ok();
    set.map_or(500, |n| n.parse().expect("SELVEDGE_CORRUPTIONS holds a number"))
}

#[test]
fn no_corruption_is_silent_on_sled() {
    let counts = corrupt_often(n_rounds(), &Sled::default());
    eprintln!("sled: {counts:?}");
    assert!(counts["mended"] > 0 && counts["whole"] > 0, "{counts:?}");
}

#[test]
fn no_corruption_is_silent_on_redb() {
    let counts = corrupt_often(n_rounds(), &Redb::default());
    eprintln!("redb: {counts:?}");
    assert!(counts["mended"] > 0 && counts["whole"] > 0, "{counts:?}");
}

/// A message in lines that fit here.
fn lines(error: &StoreError) -> String {
    error.to_string().replace(": ", "\n").replace("; ", "\n").replace(", or ", ", or\n")
}

/// A store without an engine, and with a hole in its log.
fn with_a_hole() -> tempfile::TempDir {
    let dir = temp_dir();
    let store = Durable::open(dir.path()).expect("the directory is fine");
    fill(&store);
    drop(store);
    fs::remove_dir_all(dir.path().join("sled")).expect("it is there");
    let segment = dir.path().join("log/00000000000000000001.segment");
    let mut bytes = fs::read(&segment).expect("it is there");
    bytes[20_000] ^= 1;
    fs::write(&segment, bytes).expect("there is room");
    dir
}

#[test]
fn what_is_left_can_be_read_and_then_kept() {
    let dir = with_a_hole();
    let error = Durable::open(dir.path()).expect_err("a batch is lost");
    assert_snapshot!(lines(&error), @r"
    log/00000000000000000001.segment at byte 19902
    a frame isn't what was written (and 1 more)
    open it with `OnDamage::ReadOnly` to read the rest, or
    with `OnDamage::Repair` to give the damaged part up
    ");
    let open = |on_damage| Options::new().on_damage(on_damage).open(dir.path(), &Sled::default());
    let store = open(OnDamage::ReadOnly).expect("the rest can be read");
    assert_eq!(store.scan(Scan::all("n")).count() as u64, N_RECORDS - 1);
    let refused = store.put("n", b"k", b"v", Durability::Sync).expect_err("it is read only");
    assert_snapshot!(lines(&refused), @r"
    the store is read only
    it is damaged
    log/00000000000000000001.segment at byte 19902
    a frame isn't what was written
    once that is mended, open it again
    ");
    drop(store);
    Durable::open(dir.path()).expect_err("nobody has consented yet");
    let store = open(OnDamage::Repair).expect("the rest can be kept");
    assert_eq!(store.opened().damages.len(), 2);
    store.put("n", b"k", b"v", Durability::Sync).expect("it is repaired");
    assert_eq!(store.verify().expect("it can be read"), []);
    assert!(dir.path().join("quarantine/00000000000000000001.segment").exists());
    drop(store);
    let store = Durable::open(dir.path()).expect("it is repaired");
    assert_eq!(store.scan(Scan::all("n")).count() as u64, N_RECORDS);
}

#[test]
fn a_lost_tail_is_seen() {
    let dir = temp_dir();
    let store = Durable::open(dir.path()).expect("the directory is fine");
    fill(&store);
    drop(store);
    let segment = dir.path().join("log/00000000000000000001.segment");
    let bytes = fs::read(&segment).expect("it is there");
    fs::write(&segment, &bytes[..bytes.len() / 2]).expect("there is room");
    let error = Durable::open(dir.path()).expect_err("the log has lost its tail");
    assert_snapshot!(lines(&error), @r"
    log/00000000000000000001.segment at byte 59491
    a frame is cut short (and 1 more)
    open it with `OnDamage::ReadOnly` to read the rest, or
    with `OnDamage::Repair` to give the damaged part up
    ");
    // The engine has what the log has lost: nothing has to be given up.
    let options = Options::new().on_damage(OnDamage::Repair);
    let store = options.open(dir.path(), &Sled::default()).expect("it can be repaired");
    assert_eq!(store.scan(Scan::all("n")).count() as u64, N_RECORDS);
    drop(store);
    Durable::open(dir.path()).expect("it is repaired");
}

#[test]
fn a_compacted_store_holds_nothing_of_what_was_deleted() {
    let dir = temp_dir();
    let secret = b"a secret that nobody may find again";
    let holds = || {
        let holds = |path: &PathBuf| {
            let bytes = fs::read(path).expect("it is there");
            bytes.windows(secret.len()).any(|window| window == secret)
        };
        files(dir.path()).iter().any(holds)
    };
    let store = Durable::open(dir.path()).expect("the directory is fine");
    store.put("n", b"k", secret, Durability::Sync).expect("there is room");
    assert!(holds());
    store.delete("n", b"k", Durability::Sync).expect("there is room");
    store.put("n", b"other", b"stays", Durability::Sync).expect("there is room");
    store.compact().expect("it is in order");
    drop(store);
    let store = Durable::open(dir.path()).expect("it is in order");
    assert_eq!(store.get("n", b"other").expect("it is in order"), Some(b"stays".to_vec()));
    drop(store);
    assert!(!holds());
}
