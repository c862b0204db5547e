//! Every question to an event, asked of one whose payload lies inline and of one that shares it.

use std::fmt::Debug;
use std::sync::Arc;

use insta::assert_snapshot;
use proptest::prelude::*;
use serde::Serialize;

use super::*;
use crate::lifecycle::{Ending, Init, Phase, Poison};
use crate::payload::Copies;
use crate::payload::generated::{Payloads, is_kind};

/// A prefix of the bytes, for each length that fits and the first that does not.
macro_rules! returns_prefixes {
    ($returns:ident: $bytes:expr; $($length:literal)*) => {
        $($returns::<[u8; $length]>(std::array::from_fn(|i| $bytes[i]));)*
    };
}

mod named;

/// Small and `Copy`, with padding between its fields.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, crate::Event)]
#[event(name = "small")]
struct Small {
    #[key]
    shop: u8,
    price: u32,
}

/// The same, but for the permission to be copied.
#[derive(Debug, PartialEq, Serialize, crate::Event)]
#[event(name = "large", heap_bytes = Large::owned)]
struct Large {
    #[key]
    shop: u8,
    text: String,
}

impl Large {
    fn owned(&self) -> usize {
        self.text.len()
    }
}

/// Extends a small one, and is small itself.
#[derive(Clone, Copy, Debug, PartialEq, crate::Event)]
#[event(name = "online", extends = Small)]
struct Online {
    #[base]
    small: Small,
    site: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, crate::Event)]
#[event(name = "online.abroad", extends = Online)]
struct Abroad(u16, #[base] Online);

#[derive(Clone, Copy, Debug, PartialEq, crate::Event)]
#[event(name = "item")]
struct Item<const N: u64>(u64);

/// The bounds say that it is `Copy`.
#[derive(Clone, Copy, Debug, PartialEq, crate::Event)]
#[event(name = "pair")]
struct Pair<T: Copy>(T, T);

/// The bounds don't say so.
#[derive(Clone, Copy, Debug, PartialEq, crate::Event)]
#[event(name = "couple")]
struct Couple<T>(T, T);

/// A payload that says nothing but its kind, with permission to be copied.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Raw<T>(T);

impl<T: Copy + Send + Sync + 'static> Payload for Raw<T> {
    const COPIES: Option<Copies<Self>> = Some(Copies::new());
    fn kind() -> Kind {
        Kind::literal("raw")
    }
}

/// One that needs no help to be small, but gives no permission.
#[derive(Clone, Copy)]
struct Silent;

impl Payload for Silent {
    fn kind() -> Kind {
        Kind::literal("silent")
    }
}

fn small() -> Event {
    Event::new(Small { shop: 7, price: 20 })
}

fn large() -> Event {
    Event::new(Large { shop: 7, text: "tea".to_owned() })
}

#[test]
fn an_event_is_three_words_and_goes_to_any_thread() {
    fn crosses_threads<T: Send + Sync + Clone + 'static>() {}
    crosses_threads::<Event>();
    assert_eq!(size_of::<Event>(), 24);
    assert_eq!(align_of::<Event>(), 8);
}

#[test]
fn what_is_copy_and_fits_lies_inline() {
    for event in [
        small(),
        Event::new(Init),
        Event::new(Phase { number: 1 }),
        Event::new(Poison { ending: Ending::Completed }),
        Event::new(Item::<3>(1)),
        Event::new(Pair(Item::<3>(1), Item::<3>(2))),
        Event::new(Raw([0_u8; 16])),
        Event::new(Raw([0_u64; 2])),
        Event::new(Raw(())),
    ] {
        assert!(event.is_inline(), "{event}");
    }
}

#[test]
fn what_is_not_copy_or_does_not_fit_is_shared() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(16))]
    struct Aligned(u8);

    for event in [
        large(),
        Event::new(Silent),
        Event::new(Couple(Item::<3>(1), Item::<3>(2))),
        Event::new(Raw([0_u8; 17])),
        Event::new(Raw([0_u64; 3])),
        Event::new(Raw(Aligned(1))),
        Event::new(Named("other", Small { shop: 1, price: 2 })),
        Event::new(Dynamic::new("small", 1)),
    ] {
        assert!(!event.is_inline(), "{event}");
    }
    let aligned = Event::new(Raw(Aligned(1)));
    assert_eq!(aligned.payload(), Some(&Raw(Aligned(1))));
}

#[test]
fn topics_are_those_of_the_type() {
    let inline = small();
    assert_eq!(inline.kind(), "small");
    assert_eq!(inline.name(), "small");
    assert_eq!(inline.key(), Some(Key::from(7)));
    assert_eq!(inline.topic().to_string(), "small [7]");
    assert_eq!(inline.to_string(), "small [7]");
    assert_eq!(large().topic().to_string(), "large [7]");
    let named = Event::new(Named("other", Small { shop: 1, price: 2 }));
    assert_eq!(named.topic().to_string(), "small \"other\" [1]");
    assert_eq!(Event::new(Item::<3>(1)).kind(), "item<3>");
    assert_eq!(Event::new(Init).topic().to_string(), "selvedge::Init");
    let dynamic = Event::new(Dynamic::new("row", 1).named("first").keyed(2));
    assert_eq!(dynamic.topic().to_string(), "row \"first\" [2]");
}

#[test]
fn a_payload_is_found_by_its_own_type_only() {
    assert_eq!(small().payload(), Some(&Small { shop: 7, price: 20 }));
    assert_eq!(large().payload(), Some(&Large { shop: 7, text: "tea".to_owned() }));
    assert!(!small().is::<Large>());
    assert!(!large().is::<Small>());
    // The same layout, another type.
    let item = Event::new(Item::<3>(1));
    assert_eq!(item.payload(), Some(&Item::<3>(1)));
    assert!(!item.is::<Item<4>>());
    assert!(!item.is::<Raw<u64>>());
    let named = Event::new(Named("other", Item::<3>(1)));
    assert_eq!(named.payload(), Some(&Item::<3>(1)));
    assert!(!named.is::<Item<4>>());
    assert!(!Event::new(Dynamic::new("item<3>", 1)).is::<Item<3>>());
}

#[test]
fn the_way_is_the_type_under_its_default_name() {
    let (inline, shared) = (Way::of::<Small>(), Way::of::<Large>());
    assert_ne!(inline, shared);
    assert_eq!((small().way(), large().way()), (Some(inline), Some(shared)));
    assert_eq!(small().payload_type(), Some(TypeId::of::<Small>()));
    assert_eq!(large().payload_type(), Some(TypeId::of::<Large>()));
    assert_eq!(inline.default_of(), Some(TypeId::of::<Small>()));
    let named = Event::new(Named("other", Small { shop: 1, price: 2 }));
    assert_eq!((named.way(), named.payload_type()), (None, Some(TypeId::of::<Small>())));
    let dynamic = Event::new(Dynamic::new("small", 1));
    assert_eq!((dynamic.way(), dynamic.payload_type()), (None, None));
    assert_eq!(IntoEvent::way(&Small { shop: 1, price: 2 }), Some(inline));
    assert_eq!(IntoEvent::way(&small()), Some(inline));
    assert_eq!(IntoEvent::way(&Named("other", Small { shop: 1, price: 2 })), None);
    assert_eq!(IntoEvent::way(&Dynamic::new("small", 1)), None);
}

#[test]
fn a_small_child_is_seen_as_each_of_its_ancestors() {
    let small = Small { shop: 7, price: 20 };
    let online = Online { small, site: 3 };
    let abroad = Abroad(9, online);
    let inline = Event::new(online);
    let outer = Event::new(abroad);
    let named = Event::new(Named("other", abroad));
    assert!(inline.is_inline() && outer.is_inline() && !named.is_inline());

    assert_eq!(inline.ancestors(), ["small"].map(Kind::from));
    for event in [outer, named] {
        assert!(event.extends_others());
        assert_eq!(event.ancestors(), ["online", "small"].map(Kind::from));
        assert_eq!(event.payload(), Some(&abroad));
        assert_eq!(event.payload(), Some(&online));
        assert_eq!(event.payload(), Some(&small));
        assert!(!event.is::<Large>());
        assert_eq!(event.key(), Some(Key::from(7)));
        assert_eq!(Payloads::of(&event).seen_as(), Some(&small));
        assert_eq!(Payloads::of(&event).seen_as(), Some(&abroad));
        assert_eq!(Payloads::of(&event).seen_as::<Large>(), None);
        assert!(is_kind(&event, "small") && is_kind(&event, "online.abroad"));
        assert!(!is_kind(&event, "large"));
    }
}

#[test]
fn what_extends_nothing_has_no_ancestors() {
    for event in [small(), large(), Event::new(Dynamic::new("row", 1))] {
        assert!(!event.extends_others(), "{event}");
        assert!(event.ancestors().is_empty());
        assert!(!is_kind(&event, "other"));
    }
    assert_eq!(Payloads::of(&small()).seen_as(), Some(&Small { shop: 7, price: 20 }));
    assert_eq!(Payloads::of(&small()).seen_as::<Online>(), None);
}

/// Both answers agree: whoever is not told of an event is not shown it either.
#[test]
fn a_child_that_does_not_say_so_extends_nothing() {
    struct Shy(Small);
    impl Payload for Shy {
        fn kind() -> Kind {
            Kind::literal("shy")
        }
        fn ancestors() -> Vec<Kind> {
            vec![Small::kind()]
        }
        fn view(&self, _wanted: TypeId) -> Option<&dyn Any> {
            Some(&self.0)
        }
    }
    let event = Event::new(Shy(Small { shop: 1, price: 2 }));
    assert_eq!((event.extends_others(), event.ancestors()), (false, Vec::new()));
    assert!(event.is::<Shy>() && !event.is::<Small>());
}

#[test]
fn bytes_are_those_of_the_event_and_of_what_it_shares() {
    assert_eq!(small().bytes(), 24);
    assert_eq!(Event::new(Poison { ending: Ending::Completed }).bytes(), 24);
    let large = |text: &str| Event::new(Large { shop: 1, text: text.to_owned() }).bytes();
    assert_eq!(large("") + 5, large("12345"));
    assert!(large("") >= 24 + size_of::<Large>());
    let named = |name: &str| Event::new(Named(name, Small { shop: 1, price: 2 })).bytes();
    assert_eq!(named("x") + 5, named("xxxxxx"));
    assert!(named("") >= 24 + size_of::<Name>() + size_of::<Small>());
    let row = Event::new(Dynamic::new("row", "x".repeat(1_000)));
    assert_eq!(row.bytes(), row.clone().bytes());
    assert_eq!(row.bytes(), 1_000 + Event::new(Dynamic::new("row", "")).bytes());
}

#[test]
fn digests_and_json_are_those_of_the_value() {
    let value = Small { shop: 7, price: 20 };
    let digest = Digest::of(&value).expect("it is serializable");
    for event in [small(), small().clone(), Event::new(Named("other", value))] {
        assert_eq!(event.payload_digest().ok(), Some(digest));
        assert_eq!(event.payload_digest().ok(), Some(digest), "the second time");
    }
    let shared = Digest::of(&Large { shop: 7, text: "tea".to_owned() });
    assert_eq!(large().payload_digest().ok(), shared.ok());
    let error = Event::new(Item::<3>(1)).payload_digest().expect_err("it is not serializable");
    assert_snapshot!(error, @"events of kind `item<3>` are not serializable, derive Serialize for the payload");
    assert_snapshot!(format!("{:?}", small()), @r#"Event(small [7] {"shop":7,"price":20})"#);
    assert_snapshot!(format!("{:?}", large()), @r#"Event(large [7] {"shop":7,"text":"tea"})"#);
    assert_snapshot!(format!("{:?}", Event::new(Item::<3>(1))), @"Event(item<3>)");
    assert_snapshot!(format!("{:?}", Event::new(Phase { number: 2 })), @r#"Event(selvedge::Phase {"number":2})"#);
    assert_eq!(small().value(), None);
}

#[test]
fn a_typed_event_reads_as_its_payload() {
    let typed = small().typed::<Small>().expect("it holds one");
    assert_eq!((typed.price, typed.event().kind()), (20, Kind::literal("small")));
    assert_eq!(typed.clone().shop, 7);
    let back = small().typed::<Large>().expect_err("it holds another");
    assert_eq!(back.payload(), Some(&Small { shop: 7, price: 20 }));
}

#[test]
fn clones_outlive_what_they_were_cloned_from() {
    let first = small();
    let second = first.clone();
    drop(first);
    assert_eq!(second.payload(), Some(&Small { shop: 7, price: 20 }));

    let counted = Arc::new(());
    struct Counted(Arc<()>);
    impl Payload for Counted {
        fn kind() -> Kind {
            Kind::literal("counted")
        }
    }
    let first = Event::new(Counted(counted.clone()));
    let second = first.clone();
    drop(first);
    assert_eq!(second.payload::<Counted>().map(|held| Arc::strong_count(&held.0)), Some(2));
    drop(second);
    assert_eq!(Arc::strong_count(&counted), 1);
}

/// Makes, moves, clones and drops an event, and reads it at last.
fn returns<T: Copy + Debug + PartialEq + Send + Sync + 'static>(value: T) {
    let event = Event::new(Raw(value));
    assert_eq!(event.is_inline(), size_of::<T>() <= 16 && align_of::<T>() <= 8);
    let mut moved: Vec<Event> = (0..3).map(|_| event.clone()).collect();
    moved.push(event);
    moved.swap(0, 3);
    let boxed = Box::new(moved.pop().expect("four were put in"));
    drop(moved);
    assert_eq!(boxed.payload(), Some(&Raw(value)));
    assert_eq!(boxed.kind(), "raw");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn values_of_every_shape_return(
        bytes: [u8; 17], wide: u64, other: u64, word: u32, byte: u8, letter: char
    ) {
        returns_prefixes!(returns: bytes; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17);
        // Padding inside, at the end, and around what a variant does not use.
        returns((byte, word));
        returns((wide, byte));
        returns((byte, other));
        returns((byte, word, byte));
        returns(Some(wide));
        returns(None::<u64>);
        returns(Err::<u8, (u32, u8)>((word, byte)));
        returns(Ok::<u8, (u32, u8)>(byte));
        returns((letter, Some(letter)));
        returns(f64::from_bits(wide).to_bits());
        returns([wide, other]);
        returns([wide, other, wide]);
        returns(u128::from(wide) << 64 | u128::from(other));
    }
}

/// Pointers keep what they may point to.
#[test]
fn references_return() {
    static NUMBERS: [u32; 3] = [1, 2, 3];
    returns("a literal");
    returns(&NUMBERS[..]);
    returns((&NUMBERS, &NUMBERS[1]));
    let event = Event::new(Raw((|| "completed") as fn() -> &'static str));
    let read = event.payload::<Raw<fn() -> &'static str>>().map(|raw| (raw.0)());
    assert_eq!(read, Some("completed"));
}

#[test]
fn a_proof_says_what_it_proves() {
    let proof = Copies::<u8>::new();
    assert_eq!(format!("{:?}", proof.clone()), "Copies<u8>");
}
