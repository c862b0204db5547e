//! Devices that fill up or fail, processes that meet, formats of others.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use insta::assert_snapshot;
use proptest::prelude::*;
use selvedge_store::{
    Batch, Disk, Durability, Durable, Memory, Options, OsDisk, Read, Scan, Sled, Store, StoreError,
    export, import,
};
use selvedge_testkit::{Failure, Loss, SimDisk};

fn temp_dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn open(disk: &SimDisk, dir: &Path) -> Result<Durable, StoreError> {
    let options = Options::new().segment_bytes(1000);
    options.open_on(Arc::new(disk.clone()), dir, &Sled::default())
}

fn key(n: u64) -> [u8; 8] {
    n.to_be_bytes()
}

/// Writes until it fails, at the operation with this number, or not at all; returns how many
/// batches were acknowledged, and whether one failed.
fn write_until(disk: &SimDisk, dir: &Path, at: usize, failure: Failure) -> (u64, bool) {
    disk.fail_at(at, failure);
    let Ok(store) = open(disk, dir) else { return (0, true) };
    for n in 0..12 {
        let put = store.put("n", &key(n), &[n as u8; 200], Durability::Sync);
        let Err(error) = put else { continue };
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
        let again = store.put("n", b"again", b"", Durability::None);
        assert!(again.is_err(), "nothing is written after a failure");
        for n in 0..n {
            let found = store.get("n", &key(n)).expect("reading goes on");
            assert!(found.is_some(), "what was acknowledged is read");
        }
        return (n, true);
    }
    (12, false)
}

/// Fails each operation in turn, and opens the store again.
fn fail_everywhere(failure: Failure, reopen: impl Fn(&SimDisk) -> SimDisk) {
    for at in 0.. {
        let (disk, dir) = (SimDisk::new(), temp_dir());
        let (n_acknowledged, has_failed) = write_until(&disk, dir.path(), at, failure);
        disk.make_room();
        let store = open(&reopen(&disk), dir.path());
        let store = store.unwrap_or_else(|error| panic!("operation {at}: {error}"));
        for n in 0..n_acknowledged {
            let found = store.get("n", &key(n)).expect("it is in order");
            assert_eq!(found, Some(vec![n as u8; 200]), "operation {at}, batch {n}");
        }
        store.put("n", b"again", b"", Durability::Sync).expect("it is in order");
        assert_eq!(store.verify().expect("it can be read"), []);
        if !has_failed && disk.n_ops() < at {
            return;
        }
    }
}

#[test]
fn a_full_disk_loses_nothing_and_goes_on_when_there_is_room() {
    fail_everywhere(Failure::Full, SimDisk::after_kill);
}

#[test]
fn a_device_that_fails_is_not_asked_again() {
    fail_everywhere(Failure::Sync, SimDisk::after_kill);
    fail_everywhere(Failure::Sync, |disk| disk.after_power_loss(disk.n_ops(), Loss::Dropped, 7));
}

#[test]
fn one_of_many_opens_a_store() {
    let dir = temp_dir();
    let n_opened = AtomicUsize::new(0);
    let barrier = std::sync::Barrier::new(20);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                barrier.wait();
                let opened = Durable::open(dir.path());
                match &opened {
                    Ok(_) => drop(n_opened.fetch_add(1, Ordering::Relaxed)),
                    Err(StoreError::Locked { pid, .. }) => assert_eq!(*pid, std::process::id()),
                    Err(error) => panic!("{error}"),
                }
                // Nobody closes before all have tried.
                barrier.wait();
            });
        }
    });
    assert_eq!(n_opened.into_inner(), 1);
    let store = Durable::open(dir.path()).expect("a lock that is left behind is nobody's");
    let error = Durable::open(dir.path()).expect_err("it is open").to_string();
    let error = error.replace(dir.path().to_str().expect("it is text"), "DIR");
    let error = error.replace(&std::process::id().to_string(), "PID");
    assert_snapshot!(error, @"DIR is in use by process PID, which has to close it first");
    drop(store);
}

#[test]
fn formats_of_others_are_refused() {
    let check = |text: &str| {
        let dir = temp_dir();
        let disk = OsDisk::new(dir.path()).expect("a directory");
        let file = disk.create("format").expect("a file");
        file.write_at(text.as_bytes(), 0).expect("there is room");
        Durable::open(dir.path()).expect_err("it isn't ours").to_string()
    };
    assert_snapshot!(
        check("selvedge-store 2\n"),
        @"format has format 2, newer than 1; use the program that wrote it"
    );
    assert_snapshot!(check("hello"), @"format isn't a store's: it doesn't begin as ours do");
    let mut stream = Vec::new();
    let from = Memory::new();
    from.put("n", b"k", &[7; 100], Durability::None).expect("memory takes all");
    export(&from, &mut stream).expect("a vector takes all");
    let import = |stream: &[u8]| import(&Memory::new(), stream).expect_err("broken").to_string();
    assert_snapshot!(
        import(&stream[..stream.len() - 56]),
        @"the exported stream isn't a store's: it is cut short"
    );
    stream[100] ^= 1;
    assert_snapshot!(
        import(&stream),
        @"the exported stream isn't a store's: a frame isn't what was written"
    );
    let missing = OsDisk::new(Path::new("/proc/nowhere")).expect_err("it can't be made");
    let error = StoreError::Io { doing: "create", name: "here".to_owned(), source: missing };
    assert_snapshot!(error, @"failed to create here");
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(u8, u8, Option<u8>)>, Durability),
    CompareAndSet(u8, Option<u8>, u8),
    Close,
    Kill,
    LosePower(u64),
    Fail(usize, Failure),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let durability =
        prop_oneof![Just(Durability::Sync), Just(Durability::Group), Just(Durability::None)];
    let writes = prop::collection::vec((0u8..2, 0u8..6, any::<Option<u8>>()), 0..5);
    let failure = prop_oneof![Just(Failure::Full), Just(Failure::Sync)];
    let step = prop_oneof![
        12 => (writes, durability).prop_map(|(writes, how)| Step::Commit(writes, how)),
        3 => (0u8..6, any::<Option<u8>>(), any::<u8>())
            .prop_map(|(key, old, new)| Step::CompareAndSet(key, old, new)),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
        1 => any::<u64>().prop_map(Step::LosePower),
        1 => (0usize..8, failure).prop_map(|(after, failure)| Step::Fail(after, failure)),
    ];
    prop::collection::vec(step, 1..40)
}

type Model = BTreeMap<(String, Vec<u8>), Vec<u8>>;

/// A store beside what it may hold: one of the states after a batch that was written, from the last
/// durable one on.
struct Pair {
    disk: SimDisk,
    dir: tempfile::TempDir,
    store: Option<Durable>,
    states: Vec<Model>,
    n_durable: usize,
}

impl Pair {
    fn now(&self) -> &Model {
        self.states.last().expect("the first is empty")
    }

    /// Opens the store on what is left, and finds out which state that is.
    fn reopen(&mut self, disk: SimDisk) {
        self.disk = disk;
        let store = open(&self.disk, self.dir.path()).expect("nothing durable is damaged");
        let mut found = Model::new();
        for namespace in store.namespaces().expect("it can be read") {
            for entry in store.scan(Scan::all(&namespace)) {
                let entry = entry.expect("no record is damaged");
                found.insert((namespace.clone(), entry.key), entry.value);
            }
        }
        let state = self.states[self.n_durable..].iter().position(|state| *state == found);
        let state = state.unwrap_or_else(|| panic!("{found:?} is none of {:?}", self.states));
        self.states = vec![self.states[self.n_durable + state].clone()];
        self.n_durable = 0;
        self.store = Some(store);
    }

    fn commit(&mut self, batch: Batch, next: Model, durability: Durability) {
        let store = self.store.as_ref().expect("it is open");
        match store.commit(batch, durability) {
            Ok(()) => {
                self.states.push(next);
                if durability != Durability::None {
                    self.n_durable = self.states.len() - 1;
                }
            }
            Err(StoreError::ReadOnly { .. }) => {
                // Whether it was written shows when it is opened again.
                self.states.push(next);
                self.store = None;
                self.disk.make_room();
                self.reopen(self.disk.after_kill());
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Commit(writes, durability) => {
                let (mut next, mut batch) = (self.now().clone(), Batch::new());
                for (namespace, key, value) in writes {
                    let (namespace, key) = (["a", "b"][usize::from(*namespace)], vec![*key]);
                    let at = (namespace.to_owned(), key.clone());
                    batch = match value {
                        Some(value) => batch.put(namespace, &key, vec![*value; 90]),
                        None => batch.delete(namespace, &key),
                    };
                    match value {
                        Some(value) => next.insert(at, vec![*value; 90]),
                        None => next.remove(&at),
                    };
                }
                self.commit(batch, next, *durability);
            }
            Step::CompareAndSet(key, old, new) => {
                let at = ("a".to_owned(), vec![*key]);
                let old = old.map(|old| vec![old; 90]).or_else(|| self.now().get(&at).cloned());
                let batch = Batch::new().require("a", &[*key], old.as_deref());
                let batch = batch.put("a", &[*key], vec![*new; 90]);
                let mut next = self.now().clone();
                next.insert(at.clone(), vec![*new; 90]);
                if self.now().get(&at) == old.as_ref() {
                    self.commit(batch, next, Durability::Group);
                } else {
                    let store = self.store.as_ref().expect("it is open");
                    let refused = store.commit(batch, Durability::Group);
                    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
                }
            }
            Step::Close => {
                self.store = None;
                self.disk.make_room();
                self.reopen(self.disk.clone());
            }
            Step::Kill => {
                let image = self.disk.after_kill();
                self.store = None;
                self.disk.make_room();
                self.reopen(image);
            }
            Step::LosePower(seed) => {
                let loss = [Loss::Dropped, Loss::Torn, Loss::Reordered][(seed % 3) as usize];
                let image = self.disk.after_power_loss(self.disk.n_ops(), loss, *seed);
                self.store = None;
                self.reopen(image);
            }
            Step::Fail(after, failure) => self.disk.fail_at(self.disk.n_ops() + after, *failure),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_store_is_a_sorted_map_whatever_fails(steps in steps()) {
        let (disk, dir) = (SimDisk::new(), temp_dir());
        let store = open(&disk, dir.path()).expect("an empty disk is fine");
        let states = vec![Model::new()];
        let mut pair = Pair { disk, dir, store: Some(store), states, n_durable: 0 };
        for step in &steps {
            pair.take(step);
        }
    }
}
