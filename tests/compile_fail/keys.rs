//! An event has one key, of a type that can be one.

use selvedge_event::Event;

#[derive(Event)]
struct Twice {
    #[key]
    one: u64,
    #[key]
    two: u64,
}

#[derive(Event)]
struct Fraction {
    #[key]
    half: f64,
}

#[derive(Event)]
struct Argued {
    #[key(hash)]
    id: u64,
}

fn main() {}
