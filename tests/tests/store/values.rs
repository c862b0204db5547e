//! Values by digest: counted, large ones as files.

use std::fs;
use std::sync::Arc;

use insta::assert_snapshot;
use selvedge_event::Digest;
use selvedge_store::{ContentStore, Damage, Durability, Memory, OsDisk};

fn digest(n: u8) -> Digest {
    Digest::from_bytes([n; 32])
}

fn values(dir: &std::path::Path) -> ContentStore {
    ContentStore::new(Arc::new(Memory::new()), Arc::new(OsDisk::new(dir).expect("a directory")))
}

#[test]
fn values_stay_as_long_as_somebody_counts_on_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let values = values(dir.path());
    let n_files = || fs::read_dir(dir.path().join("values")).map_or(0, Iterator::count);
    for (n, n_bytes) in [(1, 10), (2, 200_000)] {
        let (digest, value) = (digest(n), vec![n; n_bytes]);
        values.put(&digest, &value, Durability::Group).expect("there is room");
        assert!(values.retain(&digest, Durability::Group).expect("it is there"));
        assert_eq!(values.n_references(&digest).expect("it is there"), 2);
        values.release(&digest, Durability::Group).expect("it is there");
        assert_eq!(values.get(&digest).expect("it is sound"), Some(value));
        assert_eq!(n_files(), usize::from(n_bytes > 100));
        values.release(&digest, Durability::Group).expect("it is there");
        assert_eq!(values.get(&digest).expect("it is gone"), None);
        assert!(!values.retain(&digest, Durability::Group).expect("it is gone"));
        assert_eq!(n_files(), 0);
    }
}

#[test]
fn values_are_counted_by_many_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let values = values(dir.path());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..20u8 {
                    let n_bytes = if n % 5 == 0 { 70_000 } else { 70 };
                    let value = vec![n; n_bytes];
                    values.put(&digest(n), &value, Durability::Group).expect("there is room");
                    assert_eq!(values.get(&digest(n)).expect("it is sound"), Some(value));
                    values.release(&digest(n), Durability::Group).expect("it is there");
                }
            });
        }
    });
    assert_eq!((0..20).map(|n| values.n_references(&digest(n)).expect("sound")).sum::<u64>(), 0);
    assert_eq!(values.sweep().expect("it can be listed"), 0);
}

#[test]
fn a_file_that_is_not_what_was_put_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let values = values(dir.path());
    values.put(&digest(7), &[7; 100_000], Durability::Group).expect("there is room");
    let file = dir.path().join("values").join("07".repeat(32));
    fs::write(&file, [8; 100_000]).expect("it is there");
    let error = values.get(&digest(7)).expect_err("it was changed").to_string();
    assert_snapshot!(
        error.replace(&"07".repeat(32), "07…"),
        @"value b3:07… isn't what was put; erase it, and put it again"
    );
    let damages = values.verify().expect("all can be read");
    assert!(matches!(&damages[..], [Damage::Value { .. }]), "{damages:?}");
    values.erase(&digest(7), Durability::Sync).expect("it is there");
    assert_eq!(values.verify().expect("all can be read"), []);
    fs::write(&file, b"left behind").expect("the folder is there");
    assert_eq!(values.sweep().expect("it can be listed"), 1);
}
