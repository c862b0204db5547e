//! Owns the laws of stores: what every backend promises, checked from outside.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use selvedge_store::{
    Batch, Durability, Entry, KEY_BYTES_MAX, Memory, NAMESPACE_BYTES_MAX, Read, Scan, Store,
    StoreError, export, import,
};
use selvedge_sync::random::Rng;
use selvedge_sync::thread;

const DURABILITIES: [Durability; 3] = [Durability::Sync, Durability::Group, Durability::None];

/// Checks a durable backend against every law, a fresh directory each; `open` opens the store in
/// the directory, or makes it.
///
/// What only a killed process or a lost device can show isn't checked here: `cargo xtask crash` and
/// `cargo xtask powerloss` do that for our own backends.
///
/// ```
/// use selvedge_store::Durable;
///
/// selvedge_testkit::store_laws(|dir| Durable::open(dir).unwrap());
/// ```
///
/// # Panics
///
/// When a law is broken, naming it.
pub fn store_laws<S: Store + 'static>(open: impl Fn(&Path) -> S) {
    let dir = || tempfile::tempdir().expect("the laws need a temporary directory");
    for (name, law) in LAWS {
        let dir = dir();
        eprintln!("law: {name}");
        let store: Arc<dyn Store> = Arc::new(open(dir.path()));
        law(&store);
    }
    eprintln!("law: what was committed is there when the store is opened again");
    let dir = dir();
    let mut model = Model::new();
    for round in 0..4 {
        let store = open(dir.path());
        assert_same(&store, &model);
        random_commits(&store, &mut model, round);
    }
}

/// Checks a backend that outlives nothing against the laws that hold for it.
///
/// # Panics
///
/// When a law is broken, naming it.
pub fn store_laws_in_memory<S: Store + 'static>(make: impl Fn() -> S) {
    for (name, law) in LAWS {
        eprintln!("law: {name}");
        let store: Arc<dyn Store> = Arc::new(make());
        law(&store);
    }
}

type Law = (&'static str, fn(&Arc<dyn Store>));

const LAWS: [Law; 9] = [
    ("a store reads as a sorted map does", reads_as_a_map),
    ("namespaces don't meet", namespaces_are_apart),
    ("scans take any range, both ways", scans_take_any_range),
    ("of two writes to a key in a batch the later one counts", the_later_write_counts),
    ("a batch whose condition fails writes nothing", conditions_are_all_or_nothing),
    ("of many that compare and set one wins", one_of_many_wins),
    ("a snapshot stays what it is", snapshots_stay),
    ("nobody sees half of a batch", batches_are_seen_whole),
    ("an export holds everything", exports_hold_everything),
];

type Model = BTreeMap<(String, Vec<u8>), Vec<u8>>;

/// Keys that sort in ways to be got wrong: empty, with the lowest and the highest bytes, prefixes
/// of each other.
fn random_key(rng: &mut Rng) -> Vec<u8> {
    (0..rng.below(4)).map(|_| [0, 1, b'a', 0xfe, 0xff][rng.below(5) as usize]).collect()
}

fn random_commits(store: &(impl Store + ?Sized), model: &mut Model, seed: u64) {
    let mut rng = Rng::seeded(seed);
    for _ in 0..60 {
        let mut batch = Batch::new();
        for _ in 0..rng.below(5) {
            let namespace = ["a", "ab", "b"][rng.below(3) as usize];
            let key = random_key(&mut rng);
            if rng.below(3) == 0 {
                model.remove(&(namespace.to_owned(), key.clone()));
                batch = batch.delete(namespace, &key);
            } else {
                let value = vec![rng.below(256) as u8; rng.below(3000) as usize];
                model.insert((namespace.to_owned(), key.clone()), value.clone());
                batch = batch.put(namespace, &key, value);
            }
        }
        let durability = DURABILITIES[rng.below(3) as usize];
        store.commit(batch, durability).expect("a batch within the limits is taken");
    }
    store.flush().expect("a store in order can be flushed");
}

fn all(store: &(impl Read + ?Sized), scan: Scan) -> Vec<Entry> {
    store.scan(scan).collect::<Result<_, _>>().expect("a store in order can be scanned")
}

fn assert_same(store: &(impl Read + ?Sized), model: &Model) {
    let mut found = Model::new();
    for namespace in store.namespaces().expect("a store in order has namespaces") {
        for entry in all(store, Scan::all(&namespace)) {
            found.insert((namespace.clone(), entry.key), entry.value);
        }
    }
    assert_eq!(found, *model, "a scan finds what was written");
    for ((namespace, key), value) in model {
        assert_eq!(get(store, namespace, key).as_ref(), Some(value), "so does a get");
    }
}

fn get(store: &(impl Read + ?Sized), namespace: &str, key: &[u8]) -> Option<Vec<u8>> {
    store.get(namespace, key).expect("a store in order can be read")
}

fn put(store: &Arc<dyn Store>, namespace: &str, key: &[u8], value: &[u8]) {
    store.put(namespace, key, value, Durability::Group).expect("a store in order can be written");
}

fn reads_as_a_map(store: &Arc<dyn Store>) {
    let mut model = Model::new();
    for seed in 0..4 {
        random_commits(&**store, &mut model, seed);
        assert_same(&**store, &model);
    }
    assert_eq!(get(&**store, "a", b"never written"), None);
    assert_eq!(get(&**store, "never written", b"k"), None);
}

fn namespaces_are_apart(store: &Arc<dyn Store>) {
    let long = "n".repeat(NAMESPACE_BYTES_MAX);
    let names = ["a", "ab", "b", long.as_str()];
    for name in names {
        put(store, name, b"k", name.as_bytes());
        put(store, name, b"\xff\xff", b"");
    }
    for name in names {
        assert_eq!(get(&**store, name, b"k").as_deref(), Some(name.as_bytes()));
        assert_eq!(all(&**store, Scan::all(name)).len(), 2);
        assert_eq!(all(&**store, Scan::all(name).reverse()).len(), 2);
    }
    let mut found = store.namespaces().expect("a store in order has namespaces");
    found.sort();
    assert_eq!(found, names, "each is listed");
    for name in ["", &"n".repeat(NAMESPACE_BYTES_MAX + 1)] {
        let refused = store.get(name, b"k");
        assert!(matches!(refused, Err(StoreError::BadNamespace { .. })), "{refused:?}");
    }
    let refused = store.put("a", &[0; KEY_BYTES_MAX + 1], b"", Durability::None);
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    put(store, "a", &[0; KEY_BYTES_MAX], b"the longest key");
}

fn scans_take_any_range(store: &Arc<dyn Store>) {
    let mut rng = Rng::seeded(7);
    let mut keys: Vec<Vec<u8>> = (0..300).map(|_| random_key(&mut rng)).collect();
    for key in &keys {
        put(store, "n", key, key);
    }
    keys.sort();
    keys.dedup();
    for _ in 0..500 {
        let mut bound = || {
            let key = random_key(&mut rng);
            match rng.below(5) {
                0 => Bound::Unbounded,
                1 | 2 => Bound::Included(key),
                _ => Bound::Excluded(key),
            }
        };
        let (from, to) = (bound(), bound());
        let is_in = |key: &&Vec<u8>| {
            let is_behind = match &from {
                Bound::Included(from) => *key >= from,
                Bound::Excluded(from) => *key > from,
                Bound::Unbounded => true,
            };
            let is_before = match &to {
                Bound::Included(to) => *key <= to,
                Bound::Excluded(to) => *key < to,
                Bound::Unbounded => true,
            };
            is_behind && is_before
        };
        let wanted: Vec<&Vec<u8>> = keys.iter().filter(is_in).collect();
        let range = (from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice));
        let scan = Scan::range("n", range);
        let found = all(&**store, scan.clone());
        assert_eq!(found.iter().map(|entry| &entry.key).collect::<Vec<_>>(), wanted, "{scan:?}");
        let mut found = all(&**store, scan.clone().reverse());
        found.reverse();
        assert_eq!(found.iter().map(|entry| &entry.key).collect::<Vec<_>>(), wanted, "{scan:?}");
    }
    for prefix in [&b""[..], b"a", b"\xff", b"\xff\xff", b"a\xff"] {
        let wanted = keys.iter().filter(|key| key.starts_with(prefix)).count();
        assert_eq!(all(&**store, Scan::prefix("n", prefix)).len(), wanted, "{prefix:?}");
    }
}

fn the_later_write_counts(store: &Arc<dyn Store>) {
    let batch = Batch::new().put("n", b"a", b"1").delete("n", b"a").put("n", b"a", b"2");
    let batch = batch.put("n", b"b", b"1").delete("n", b"b").delete("n", b"never written");
    store.commit(batch, Durability::Sync).expect("it is within the limits");
    assert_eq!(get(&**store, "n", b"a"), Some(b"2".to_vec()));
    assert_eq!(get(&**store, "n", b"b"), None);
    store.commit(Batch::new(), Durability::Sync).expect("an empty batch is fine");
}

fn conditions_are_all_or_nothing(store: &Arc<dyn Store>) {
    put(store, "n", b"is", b"1");
    let commit = |batch: Batch| store.commit(batch, Durability::Group);
    let wrong: [(&[u8], Option<&[u8]>); 3] =
        [(b"is", Some(b"2")), (b"is", None), (b"isn't", Some(b"1"))];
    for (key, value) in wrong {
        let batch = Batch::new().require("n", b"is", Some(b"1")).require("n", key, value);
        let refused = commit(batch.put("n", b"is", b"3").put("m", b"new", b"3"));
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    }
    assert_eq!(get(&**store, "n", b"is"), Some(b"1".to_vec()));
    assert_eq!(get(&**store, "m", b"new"), None);
    let right = Batch::new().require("n", b"is", Some(b"1")).require("n", b"isn't", None);
    commit(right.delete("n", b"is")).expect("the conditions hold");
    assert_eq!(get(&**store, "n", b"is"), None);
}

fn one_of_many_wins(store: &Arc<dyn Store>) {
    const N_THREADS: u64 = 4;
    const N_WINS: u64 = 25;
    put(store, "n", b"count", &0u64.to_le_bytes());
    let count = |store: &Arc<dyn Store>| {
        let value = get(&**store, "n", b"count").expect("it was written");
        u64::from_le_bytes(value.try_into().expect("it is eight bytes long"))
    };
    let increment = move |store: &Arc<dyn Store>, durability| {
        let mut n_wins = 0;
        while n_wins < N_WINS {
            let old = count(store);
            let (old, new) = (old.to_le_bytes(), (old + 1).to_le_bytes());
            match store.compare_and_set("n", b"count", Some(&old), Some(&new), durability) {
                Ok(()) => n_wins += 1,
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    let durabilities = DURABILITIES.into_iter().cycle().take(N_THREADS as usize);
    let threads: Vec<_> = durabilities
        .map(|durability| {
            let store = Arc::clone(store);
            thread::spawn("law", move || increment(&store, durability)).expect("a thread")
        })
        .collect();
    for thread in threads {
        thread.join().expect("nobody panics");
    }
    assert_eq!(count(store), N_THREADS * N_WINS, "no increment is lost");
}

fn snapshots_stay(store: &Arc<dyn Store>) {
    let mut model = Model::new();
    let mut snapshots = Vec::new();
    for seed in 10..14 {
        let snapshot = store.snapshot().expect("a store in order has snapshots");
        snapshots.push((snapshot, model.clone()));
        random_commits(&**store, &mut model, seed);
    }
    for (snapshot, model) in &snapshots {
        assert_same(&**snapshot, model);
        let namespaces = snapshot.namespaces().expect("a store in order has namespaces");
        for namespace in namespaces {
            let mut back = all(&**snapshot, Scan::all(&namespace).reverse());
            back.reverse();
            assert_eq!(back, all(&**snapshot, Scan::all(&namespace)), "both ways");
        }
    }
    drop(snapshots);
    assert_same(&**store, &model);
}

fn batches_are_seen_whole(store: &Arc<dyn Store>) {
    const N_BATCHES: u32 = 100;
    let write = |store: &Arc<dyn Store>, n: u32| {
        let batch = Batch::new().put("a", b"k", n.to_le_bytes()).put("b", b"k", n.to_le_bytes());
        store.commit(batch, Durability::None).expect("a store in order can be written");
    };
    write(store, 0);
    let writer = Arc::clone(store);
    let writer = thread::spawn("law", move || (1..=N_BATCHES).for_each(|n| write(&writer, n)));
    let writer = writer.expect("a thread");
    loop {
        let snapshot = store.snapshot().expect("a store in order has snapshots");
        let (a, b) = (get(&*snapshot, "a", b"k"), get(&*snapshot, "b", b"k"));
        assert_eq!(a, b, "both were written by one batch");
        if a.as_deref() == Some(&N_BATCHES.to_le_bytes()) {
            break;
        }
    }
    writer.join().expect("nobody panics");
}

fn exports_hold_everything(store: &Arc<dyn Store>) {
    let mut model = Model::new();
    random_commits(&**store, &mut model, 42);
    let mut stream = Vec::new();
    let snapshot = store.snapshot().expect("a store in order has snapshots");
    let n_records = export(&*snapshot, &mut stream).expect("a vector takes all that is written");
    assert_eq!(n_records, model.len() as u64);
    let copy = Memory::new();
    assert_eq!(import(&copy, &stream[..]).expect("it was exported"), n_records);
    assert_same(&copy, &model);
}
