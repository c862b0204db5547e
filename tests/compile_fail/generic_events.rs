//! A generic event needs a name, and parameters that have one.

use selvedge_event::Event;

#[derive(Event)]
struct Nameless<T> {
    inner: T,
}

#[derive(Event)]
#[event(name = "named")]
struct Named<T> {
    inner: T,
}

#[derive(Event)]
#[event(name = "borrowed")]
struct Borrowed<'a> {
    inner: &'a str,
}

fn main() {
    let _ = Event::new(Named { inner: 3_u8 });
}
