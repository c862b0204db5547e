//! A set has no order to hash in.

use std::collections::HashSet;

use selvedge_event::Event;
use serde::Serialize;

#[derive(Event, Serialize)]
struct Tags {
    tags: HashSet<String>,
}

#[derive(Event, Serialize)]
enum Nested {
    Tags(Vec<Option<HashSet<String>>>),
}

#[derive(Event)]
#[event(name = "generic")]
struct Generic<T> {
    inner: T,
    tags: HashSet<String>,
}

/// Not serializable, hence without a digest: nothing to refuse.
#[derive(Event)]
struct Plain {
    tags: HashSet<String>,
}

fn main() {}
