//! Generated code neither warns nor depends on what the user's names mean.

#![deny(warnings)]
#![expect(non_camel_case_types, dead_code, reason = "names that generated code could trip over")]

use selvedge_event::Event;
use selvedge_runtime::{Context, Processor, Result, processor};

mod selvedge {
    pub(super) use selvedge_event as event;
}

struct Option;
struct Some;
struct None;
struct Vec;
struct String;
struct Probe;
struct Key;
struct Kind;
struct Interest;
struct Signature;
struct core;
struct std;

#[derive(Event)]
#[event(heap_bytes = owned)]
struct Base(#[key] u64);

fn owned(_: &Base) -> usize {
    1
}

#[derive(Event)]
#[event(extends = Base, crate = self::selvedge)]
struct Child {
    #[base]
    base: Base,
}

#[derive(Event)]
#[event(name = "list")]
struct List<T, const LENGTH: usize>([T; LENGTH]);

struct Subject;

#[processor(crate = selvedge, version = "1", strict)]
impl Processor for Subject {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            List::<Base, 2>(_) => cx.emit(Base(1)),
        }
        Ok(())
    }
}

struct Deaf;

#[processor]
impl Processor for Deaf {
    fn process(&mut self, _: &mut Context<'_>, _: &Event) -> Result {
        Ok(())
    }
}

#[test]
fn names_of_the_user_do_not_matter() {
    assert!(!Subject.interests().is_empty());
    assert!(Deaf.interests().catch_all().is_some());
}
