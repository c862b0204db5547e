//! Options that make no sense on an event.

use selvedge_event::Event;

#[derive(Event)]
#[event(kind = "start")]
struct Unknown;

#[derive(Event)]
#[event(name = "a", name = "b")]
struct Twice;

#[derive(Event)]
#[event(name = "")]
struct Empty;

#[derive(Event)]
union Either {
    signed: i8,
    unsigned: u8,
}

fn main() {}
