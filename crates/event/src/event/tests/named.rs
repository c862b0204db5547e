//! Every question to an event under a static name, whether it lies inline or is shared.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::topic::Interest;

static TEA: Name = Name::literal("tea");
/// The same characters elsewhere.
static ALSO_TEA: Name = Name::literal("tea");

fn tea() -> Event {
    Event::new(Named(&TEA, Small { shop: 7, price: 20 }))
}

/// Too large to lie beside a name.
fn wide() -> Event {
    Event::new(Named(&TEA, Pair(Item::<3>(1), Item::<3>(2))))
}

/// What a small child and its ancestors are, if they fit beside a name.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, crate::Event)]
#[event(name = "leaf", extends = Twig)]
struct Leaf(u8, #[base] Twig);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, crate::Event)]
#[event(name = "twig")]
struct Twig(u16);

#[test]
fn what_leaves_room_for_the_name_lies_inline() {
    #[derive(Clone, Copy)]
    struct Nothing;
    assert!(tea().is_inline());
    assert!(Event::new(Named(&TEA, Raw(Nothing))).is_inline());
    assert!(Event::new(Named(&TEA, Raw(u64::MAX))).is_inline());
    assert!(Event::new(Named(&TEA, Raw([0_u8; 8]))).is_inline());
    assert!(Event::new(Named(&TEA, Raw(&TEA))).is_inline());

    #[derive(Clone, Copy)]
    #[repr(align(16))]
    struct Aligned;
    assert!(!Event::new(Named(&TEA, Raw(Aligned))).is_inline());
    assert!(!Event::new(Named(&TEA, Raw([0_u8; 9]))).is_inline());
    assert!(!Event::new(Named(&TEA, Silent)).is_inline());
    assert!(!Event::new(Named(&TEA, Large { shop: 7, text: String::new() })).is_inline());
    assert!(!wide().is_inline());
    assert!(!Event::new(Named("tea", Raw(1_u8))).is_inline());
}

#[test]
fn topics_are_those_of_the_type_but_for_the_name() {
    for event in [tea(), tea().clone()] {
        assert_eq!(event.kind(), "small");
        assert_eq!(event.name(), "tea");
        assert_eq!(event.key(), Some(Key::from(7)));
        assert_eq!(event.topic().to_string(), "small \"tea\" [7]");
        assert_eq!(event.value(), None);
        assert!(!event.extends_others() && event.ancestors().is_empty());
    }
    assert_eq!(wide().topic().to_string(), "pair<item<3>> \"tea\"");
    let large = Event::new(Named(&TEA, Large { shop: 7, text: "x".to_owned() }));
    assert_eq!(large.to_string(), "large \"tea\" [7]");
    assert!(Interest::of::<Small>().named("tea").keyed(7).hears(&tea().topic(), &[]));
}

#[test]
fn payloads_are_found_by_their_own_type_only() {
    assert_eq!(tea().payload(), Some(&Small { shop: 7, price: 20 }));
    assert!(!tea().is::<Large>() && !tea().is::<Raw<u64>>());
    assert_eq!(wide().payload(), Some(&Pair(Item::<3>(1), Item::<3>(2))));
    assert!(!wide().is::<Pair<Item<4>>>());
    assert_eq!(tea().payload_type(), Some(TypeId::of::<Small>()));
    assert_eq!(wide().payload_type(), Some(TypeId::of::<Pair<Item<3>>>()));
    assert_eq!(Payloads::of(&tea()).seen_as(), Some(&Small { shop: 7, price: 20 }));
    assert_eq!(Payloads::of(&tea()).seen_as::<Large>(), None);

    let typed = tea().typed::<Small>().expect("it holds one");
    assert_eq!((typed.price, typed.event().name()), (20, TEA.clone()));
    let back = tea().typed::<Large>().expect_err("it holds another");
    assert_eq!(back.name(), "tea");
}

#[test]
fn ways_are_told_apart_by_type_and_place() {
    let way = Way::under::<Small>(&TEA);
    assert_eq!(tea().way(), Some(way));
    assert_eq!(IntoEvent::way(&Named(&TEA, Small { shop: 1, price: 2 })), Some(way));
    assert_eq!(wide().way(), Some(Way::under::<Pair<Item<3>>>(&TEA)));
    assert_eq!(way.default_of(), None);
    assert_ne!(way, Way::of::<Small>());
    assert_ne!(way, Way::under::<Large>(&TEA));
    assert_ne!(way, Way::under::<Small>(&ALSO_TEA));
}

#[test]
fn children_are_seen_as_their_ancestors() {
    let leaf = Leaf(3, Twig(9));
    let event = Event::new(Named(&TEA, leaf));
    let small = Small { shop: 7, price: 20 };
    let shared = Event::new(Named(&TEA, Online { small, site: 3 }));
    assert!(event.is_inline() && !shared.is_inline());
    assert!(event.extends_others() && shared.extends_others());
    assert_eq!(event.ancestors(), ["twig"].map(Kind::from));
    assert_eq!((event.payload(), event.payload()), (Some(&leaf), Some(&Twig(9))));
    assert_eq!(Payloads::of(&event).seen_as(), Some(&Twig(9)));
    assert_eq!(shared.payload(), Some(&small));
    assert!(!event.is::<Small>() && !shared.is::<Twig>());
    assert!(is_kind(&event, "twig") && is_kind(&event, "leaf") && !is_kind(&event, "tea"));
}

#[test]
fn bytes_digests_and_json_are_those_of_the_payload() {
    assert_eq!(tea().bytes(), size_of::<Event>());
    // The name is nobody's memory.
    static LONG: Name = Name::literal("a much longer name than tea is");
    let large = |name| Event::new(Named(name, Large { shop: 7, text: "tea".to_owned() })).bytes();
    assert_eq!(large(&TEA), large(&LONG));
    assert!(large(&TEA) >= size_of::<Event>() + size_of::<Large>() + 3);

    let digest = Digest::of(&Small { shop: 7, price: 20 }).expect("it is serializable");
    assert_eq!(tea().payload_digest().ok(), Some(digest));
    assert_eq!(tea().to_json(), small().to_json());
    assert_snapshot!(format!("{:?}", tea()), @r#"Event(small "tea" [7] {"shop":7,"price":20})"#);
    assert_snapshot!(format!("{:?}", wide()), @r#"Event(pair<item<3>> "tea")"#);
    let error = Event::new(Named(&TEA, Item::<3>(1))).payload_digest();
    assert_snapshot!(error.expect_err("it is not serializable"), @"events of kind `item<3>` are not serializable, derive Serialize for the payload");
}

/// Makes, moves, clones and drops a named event, and reads both its parts at last.
fn returns_named<T: Copy + Debug + PartialEq + Send + Sync + 'static>(value: T) {
    let event = Event::new(Named(&TEA, Raw(value)));
    assert_eq!(event.is_inline(), size_of::<T>() <= 8 && align_of::<T>() <= 8);
    let mut moved: Vec<Event> = (0..3).map(|_| event.clone()).collect();
    moved.push(event);
    moved.swap(0, 3);
    let boxed = Box::new(moved.pop().expect("four were put in"));
    drop(moved);
    assert_eq!(boxed.payload(), Some(&Raw(value)));
    assert_eq!((boxed.name(), boxed.kind()), (TEA.clone(), Kind::literal("raw")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn values_of_every_shape_return_with_their_name(
        bytes: [u8; 9], wide: u64, word: u32, byte: u8, letter: char
    ) {
        returns_prefixes!(returns_named: bytes; 0 1 2 3 4 5 6 7 8 9);
        returns_named(wide);
        returns_named((byte, word));
        returns_named((word, byte));
        returns_named(Some(word));
        returns_named(None::<u32>);
        returns_named((wide, byte));
        returns_named(Some(letter));
        let place: &'static u32 = &NUMBER;
        returns_named(place);
        returns_named("a literal");
    }
}

static NUMBER: u32 = 7;
