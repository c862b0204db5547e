//! Stores: the laws for every backend, and what only broken devices show.

use selvedge_store::{Durable, Memory, Options, Sled};
use selvedge_testkit::{store_laws, store_laws_in_memory};

#[test]
fn memory_keeps_the_laws() {
    store_laws_in_memory(Memory::new);
}

#[test]
fn sled_keeps_the_laws() {
    store_laws(|dir| Durable::open(dir).expect("the directory is fine"));
}

#[test]
fn short_segments_keep_the_laws() {
    let options = Options::new().segment_bytes(20_000).group_bytes_max(1000);
    store_laws(|dir| options.open(dir, &Sled::default()).expect("the directory is fine"));
}
