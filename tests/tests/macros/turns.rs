//! How the arms of a lowered `match` behave in a turn.

use std::fmt::Debug;
use std::marker::PhantomData;

use selvedge_event::{Dynamic, Event, IntoEvent, Key, Named, Payload};
use selvedge_runtime::{Context, Processor, Result, processor};
use serde_json::{Value, json};

use super::take_turn;
use crate::routing::Log;

#[derive(Event)]
struct Animal {
    legs: u32,
}
#[derive(Event)]
#[event(extends = Animal)]
struct Dog {
    #[base]
    animal: Animal,
    name: String,
}
#[derive(Event)]
#[event(extends = Dog)]
struct Puppy {
    #[base]
    dog: Dog,
    weeks: u32,
}
#[derive(Event)]
struct Stone;
#[derive(Event)]
struct Pebble(u32, Option<&'static str>);
#[derive(Event)]
enum Order {
    Placed {
        #[key]
        id: u64,
    },
    Lost(#[key] u64),
    Closed,
}

fn dog() -> Dog {
    Dog { animal: Animal { legs: 4 }, name: "Rex".to_owned() }
}

fn puppy() -> Puppy {
    Puppy { dog: dog(), weeks: 3 }
}

/// A processor that logs what its turn says.
macro_rules! scribe {
    ($name:ident, |$self:ident, $event:ident| $body:tt) => {
        struct $name(Log);

        #[processor]
        impl Processor for $name {
            fn process(&mut $self, _: &mut Context<'_>, $event: &Event) -> Result {
                $body
                Ok(())
            }
        }
    };
}

/// What a processor logs about an event, or how its turn fails.
fn trace<P: Processor>(processor: impl Fn(Log) -> P, event: impl IntoEvent) -> String {
    let log = Log::default();
    match take_turn(processor(log.clone()), Event::new(event)) {
        Ok(()) => log.lines().join(", "),
        Err(error) => format!("error: {error}"),
    }
}

scribe!(ByType, |self, event| {
    match event {
        Puppy { weeks, .. } if *weeks < 2 => self.0.add("newborn".to_owned()),
        dog @ Dog { name, .. } => self.0.add(format!("{name} on {}", dog.animal.legs)),
        Animal { legs: 0 | 2 } => self.0.add("few legs".to_owned()),
        Animal { legs } | Pebble(legs, None) => self.0.add(format!("{legs}")),
        Pebble(1, Some("flat")) | Stone => self.0.add("hard".to_owned()),
        Pebble(n, Some(shape)) => self.0.add(format!("{n} {shape}")),
    }
});

#[test]
fn arms_match_in_order_and_parents_match_children() {
    assert_eq!(trace(ByType, Puppy { weeks: 1, ..puppy() }), "newborn");
    assert_eq!(trace(ByType, puppy()), "Rex on 4");
    assert_eq!(trace(ByType, dog()), "Rex on 4");
    assert_eq!(trace(ByType, Animal { legs: 2 }), "few legs");
    assert_eq!(trace(ByType, Animal { legs: 4 }), "4");
    assert_eq!(trace(ByType, Pebble(8, None)), "8");
    assert_eq!(trace(ByType, Pebble(1, Some("flat"))), "hard");
    assert_eq!(trace(ByType, Pebble(2, Some("flat"))), "2 flat");
    assert_eq!(trace(ByType, Stone), "hard");
    assert_eq!(trace(ByType, Order::Closed), "", "nobody named it");
    assert_eq!(trace(ByType, Named("x", dog())), "Rex on 4");
}

scribe!(ByVariant, |self, event| {
    let id = match event {
        Order::Placed { id } | Order::Lost(id) => *id,
        Order::Closed => return Ok(()),
        _ => anyhow::bail!("a stone is no order"),
    };
    self.0.add(id.to_string());
});

#[test]
fn values_returns_and_errors_leave_the_match() {
    assert_eq!(trace(ByVariant, Order::Placed { id: 3 }), "3");
    assert_eq!(trace(ByVariant, Order::Lost(4)), "4");
    assert_eq!(trace(ByVariant, Order::Closed), "");
    assert_eq!(
        trace(ByVariant, Stone),
        "error: processor `ByVariant` failed on selvedge-tests::Stone: a stone is no order"
    );
}

scribe!(ByEnvelope, |self, event| {
    match event {
        Event { kind: "orders", name: name @ ("new" | "old"), value, .. } => {
            self.0.add(format!("{name} {}", value["id"]));
        }
        Event { kind: kind @ "selvedge-tests::Animal", name: "pet", .. } => {
            self.0.add(format!("pet, {kind}"));
        }
        Event { key: "tea" | 7, value: Value::Null, .. } => self.0.add("null".to_owned()),
        Event { key: key @ Key::Number(8..), .. } => self.0.add(format!("key {key}")),
        Dog { .. } => self.0.add("dog".to_owned()),
        Event { kind, name, .. } => self.0.add(format!("{kind} / {name}")),
    }
});

#[test]
fn the_envelope_shows_kind_name_key_and_value() {
    let order = |name: &str| Event::new(Dynamic::new("orders", json!({"id": 5})).named(name));
    assert_eq!(trace(ByEnvelope, order("new")), "new 5");
    assert_eq!(trace(ByEnvelope, order("old")), "old 5");
    assert_eq!(trace(ByEnvelope, order("odd")), "orders / odd");
    assert_eq!(trace(ByEnvelope, Named("new", Stone)), "selvedge-tests::Stone / new");
    // A kind is matched by those that extend it, as an interest in it hears them.
    assert_eq!(trace(ByEnvelope, Named("pet", puppy())), "pet, selvedge-tests::Puppy");
    assert_eq!(trace(ByEnvelope, puppy()), "dog");
    let keyed = |key: Key, value| Event::new(Dynamic::new("x", value).keyed(key));
    assert_eq!(trace(ByEnvelope, keyed("tea".into(), Value::Null)), "null");
    assert_eq!(trace(ByEnvelope, keyed(7_u64.into(), Value::Null)), "null");
    assert_eq!(trace(ByEnvelope, keyed(7_u64.into(), json!(1))), "x / x");
    assert_eq!(trace(ByEnvelope, keyed(9_u64.into(), json!(1))), "key 9");
    assert_eq!(trace(ByEnvelope, Order::Placed { id: 12 }), "key 12");
}

scribe!(Nested, |self, event| {
    let mut rounds = 0;
    'outer: loop {
        rounds += 1;
        match event {
            Animal { legs } => match event {
                Dog { name, .. } if rounds < 3 => {
                    self.0.add(format!("{name} {rounds}"));
                    continue 'outer;
                }
                Dog { .. } => break,
                _ => {
                    self.0.add(legs.to_string());
                    break 'outer;
                }
            },
            Stone => {
                let say = |word: &str| match event {
                    Stone => self.0.add(word.to_owned()),
                    #[unmatched]
                    _ => unreachable!("the arm around it matched"),
                };
                say("rolling");
                say("stone");
                break;
            }
            _ => break,
        }
    }
});

#[test]
fn matches_nest_in_loops_arms_and_closures() {
    assert_eq!(trace(Nested, dog()), "Rex 1, Rex 2");
    assert_eq!(trace(Nested, Animal { legs: 6 }), "6");
    assert_eq!(trace(Nested, Stone), "rolling, stone");
    assert_eq!(trace(Nested, Order::Closed), "");
}

/// Hears whatever it is made for.
struct Relay<T>(Log, PhantomData<fn(T)>);

#[processor]
impl<T: Payload + Debug> Processor for Relay<T> {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Batch::<T>(items) => self.0.add(format!("{items:?}")),
            item @ T => self.0.add(format!("{item:?}")),
        }
        Ok(())
    }
}

#[derive(Event)]
#[event(name = "batch")]
struct Batch<T>(Vec<T>);

#[derive(Debug, Event)]
struct Leaf(#[expect(dead_code, reason = "printed only")] u8);

#[test]
fn a_type_parameter_names_a_payload_too() {
    let relay = |log| Relay::<Leaf>(log, PhantomData);
    assert_eq!(trace(relay, Leaf(3)), "Leaf(3)");
    assert_eq!(trace(relay, Batch(vec![Leaf(1), Leaf(2)])), "[Leaf(1), Leaf(2)]");
    assert_eq!(trace(relay, Batch(vec![Stone])), "");
}
