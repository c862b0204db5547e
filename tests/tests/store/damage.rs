//! Files that aren't what was written: none of it is silent.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use insta::assert_snapshot;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use selvedge_store::{Durability, Durable, OnDamage, Options, Read, Scan, Sled, Store, StoreError};

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

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("it is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it is there").path()).collect();
    paths.sort();
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    paths.into_iter().flat_map(below).collect()
}

/// A short form of `cargo xtask corrupt`.
fn check_corruptions(backend: &str) {
    let mut corrupt = Command::new(env!("CARGO_BIN_EXE_corrupt"));
    corrupt.args(["--backend", backend, "--rounds", "100", "--json"]);
    let output = corrupt.output().expect("it can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let counts: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    for finder in ["refused_by_open", "mended_by_open", "found_by_verify", "found_by_read"] {
        assert!(counts[finder].as_u64() > Some(0), "{finder} in {counts}");
    }
}

#[test]
fn no_corruption_is_silent_on_sled() {
    check_corruptions("sled");
}

#[test]
fn no_corruption_is_silent_on_redb() {
    check_corruptions("redb");
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
