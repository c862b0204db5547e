//! How the arms of a lowered `match` behave in a turn.

use selvedge_event::{Dynamic, Event, Key, Named, Payload};
use selvedge_runtime::{Context, Processor, Result, processor};
use serde_json::{Value, json};

use super::take_turn;

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

/// What a processor writes down about an event.
fn trace<P: Processor + Into<Vec<String>>>(mut processor: P, event: &Event) -> String {
    match take_turn(&mut processor, event) {
        Ok(()) => processor.into().join(", "),
        Err(error) => format!("error: {error}"),
    }
}

/// A processor that writes down what its turn says.
macro_rules! scribe {
    ($name:ident, |$self:ident, $event:ident| $body:tt) => {
        #[derive(Default)]
        struct $name(Vec<String>);

        impl From<$name> for Vec<String> {
            fn from(scribe: $name) -> Vec<String> {
                scribe.0
            }
        }

        #[processor]
        impl Processor for $name {
            fn process(&mut $self, _: &mut Context<'_>, $event: &Event) -> Result {
                $body
                Ok(())
            }
        }
    };
}

scribe!(ByType, |self, event| {
    match event {
        Puppy { weeks, .. } if *weeks < 2 => self.0.push("newborn".to_owned()),
        dog @ Dog { name, .. } => self.0.push(format!("{name} on {}", dog.animal.legs)),
        Animal { legs: 0 | 2 } => self.0.push("few legs".to_owned()),
        Animal { legs } | Pebble(legs, None) => self.0.push(format!("{legs}")),
        Pebble(1, Some("flat")) | Stone => self.0.push("hard".to_owned()),
        Pebble(n, Some(shape)) => self.0.push(format!("{n} {shape}")),
    }
});

#[test]
fn arms_match_in_order_and_parents_match_children() {
    let trace = |event: Event| trace(ByType::default(), &event);
    assert_eq!(trace(Event::new(Puppy { weeks: 1, ..puppy() })), "newborn");
    assert_eq!(trace(Event::new(puppy())), "Rex on 4");
    assert_eq!(trace(Event::new(dog())), "Rex on 4");
    assert_eq!(trace(Event::new(Animal { legs: 2 })), "few legs");
    assert_eq!(trace(Event::new(Animal { legs: 4 })), "4");
    assert_eq!(trace(Event::new(Pebble(8, None))), "8");
    assert_eq!(trace(Event::new(Pebble(1, Some("flat")))), "hard");
    assert_eq!(trace(Event::new(Pebble(2, Some("flat")))), "2 flat");
    assert_eq!(trace(Event::new(Stone)), "hard");
    assert_eq!(trace(Event::new(Order::Closed)), "", "nobody named it");
    assert_eq!(trace(Event::new(Named("x", dog()))), "Rex on 4");
}

scribe!(ByVariant, |self, event| {
    let id = match event {
        Order::Placed { id } | Order::Lost(id) => *id,
        Order::Closed => return Ok(()),
        other => anyhow_error(&other.to_string())?,
    };
    self.0.push(id.to_string());
});

fn anyhow_error(message: &str) -> Result<u64> {
    Err(std::io::Error::other(message.to_owned()).into())
}

#[test]
fn values_returns_and_errors_leave_the_match() {
    let trace = |event: Event| trace(ByVariant::default(), &event);
    assert_eq!(trace(Event::new(Order::Placed { id: 3 })), "3");
    assert_eq!(trace(Event::new(Order::Lost(4))), "4");
    assert_eq!(trace(Event::new(Order::Closed)), "");
    assert_eq!(trace(Event::new(Stone)), "error: selvedge-tests::Stone");
}

scribe!(ByEnvelope, |self, event| {
    match event {
        Event { kind: "orders", name: name @ ("new" | "old"), value, .. } => {
            self.0.push(format!("{name} {}", value["id"]));
        }
        Event { kind: kind @ "selvedge-tests::Animal", name: "pet", .. } => {
            self.0.push(format!("pet, {kind}"));
        }
        Event { key: "tea" | 7, value: Value::Null, .. } => self.0.push("null".to_owned()),
        Event { key: key @ Key::Number(8..), .. } => self.0.push(format!("key {key}")),
        Dog { .. } => self.0.push("dog".to_owned()),
        Event { kind, name, .. } => self.0.push(format!("{kind} / {name}")),
    }
});

#[test]
fn the_envelope_shows_kind_name_key_and_value() {
    let trace = |event: Event| trace(ByEnvelope::default(), &event);
    let order = |name: &str| Event::new(Dynamic::new("orders", json!({"id": 5})).named(name));
    assert_eq!(trace(order("new")), "new 5");
    assert_eq!(trace(order("old")), "old 5");
    assert_eq!(trace(order("odd")), "orders / odd");
    assert_eq!(trace(Event::new(Named("new", Stone))), "selvedge-tests::Stone / new");
    // A kind is matched by those that extend it, as an interest in it hears them.
    assert_eq!(trace(Event::new(Named("pet", puppy()))), "pet, selvedge-tests::Puppy");
    assert_eq!(trace(Event::new(puppy())), "dog");
    let keyed = |key: Key, value| Event::new(Dynamic::new("x", value).keyed(key));
    assert_eq!(trace(keyed("tea".into(), Value::Null)), "null");
    assert_eq!(trace(keyed(7_u64.into(), Value::Null)), "null");
    assert_eq!(trace(keyed(7_u64.into(), json!(1))), "x / x");
    assert_eq!(trace(keyed(9_u64.into(), json!(1))), "key 9");
    assert_eq!(trace(Event::new(Order::Placed { id: 12 })), "key 12");
}

scribe!(Nested, |self, event| {
    let mut rounds = 0;
    'outer: loop {
        rounds += 1;
        match event {
            Animal { legs } => match event {
                Dog { name, .. } if rounds < 3 => {
                    self.0.push(format!("{name} {rounds}"));
                    continue 'outer;
                }
                Dog { .. } => break,
                _ => {
                    self.0.push(legs.to_string());
                    break 'outer;
                }
            },
            Stone => {
                let mut say = |word: &str| match event {
                    Stone => self.0.push(word.to_owned()),
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
    let trace = |event: Event| trace(Nested::default(), &event);
    assert_eq!(trace(Event::new(dog())), "Rex 1, Rex 2");
    assert_eq!(trace(Event::new(Animal { legs: 6 })), "6");
    assert_eq!(trace(Event::new(Stone)), "rolling, stone");
    assert_eq!(trace(Event::new(Order::Closed)), "");
    assert_eq!(Order::kind(), "selvedge-tests::Order");
}
