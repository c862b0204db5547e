//! Stores: the laws for every backend, and what only broken devices show.

mod damage;
mod engines;
mod faults;
mod full;
mod values;

use selvedge_store::{Durable, Memory, Options, Redb, Sled};
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

#[test]
fn redb_keeps_the_laws() {
    let options = Options::new().segment_bytes(20_000);
    store_laws(|dir| options.open(dir, &Redb::default()).expect("the directory is fine"));
}

#[test]
fn an_engine_takes_over_from_another() {
    // A law opens its store several times: every time the other engine has it made anew.
    let n_opened = std::cell::Cell::new(0);
    store_laws(|dir| {
        n_opened.set(n_opened.get() + 1);
        let options = Options::new();
        let opened = if n_opened.get() % 2 == 0 {
            options.open(dir, &Sled::default())
        } else {
            options.open(dir, &Redb::default())
        };
        opened.expect("the directory is fine")
    });
}
