//! An event has one key.

use selvedge_event::Event;

#[derive(Event)]
struct Twice {
    #[key]
    one: u64,
    #[key]
    two: u64,
}

#[derive(Event)]
struct Argued {
    #[key(hash)]
    id: u64,
}

fn main() {}
