//! An event that extends another holds it, in exactly one marked field.

use selvedge_event::Event;

#[derive(Event)]
struct Parent;
#[derive(Event)]
struct Other;

#[derive(Event)]
#[event(extends = Parent)]
struct Unmarked {
    parent: Parent,
}

#[derive(Event)]
struct Unextended {
    #[base]
    parent: Parent,
}

#[derive(Event)]
#[event(extends = Parent)]
struct Twice {
    #[base]
    one: Parent,
    #[base]
    two: Parent,
}

#[derive(Event)]
#[event(extends = Parent)]
struct Wrong {
    #[base]
    other: Other,
}

#[derive(Event)]
#[event(extends = Parent)]
enum Choice {
    One(#[base] Parent),
}

fn main() {}
