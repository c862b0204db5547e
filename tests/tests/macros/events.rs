//! What `#[derive(Event)]` makes of types.

use std::collections::HashSet;

use selvedge_event::digest::{self, set::Set};
use selvedge_event::{Event, Key, Kind, Payload};
use serde::Serialize;

#[derive(Event)]
struct Plain;

#[derive(Event, Serialize)]
struct Written {
    text: String,
}

#[derive(Event)]
#[event(name = "shop.sold", heap_bytes = Sold::owned)]
struct Sold {
    #[key]
    shop: u64,
    item: String,
}

impl Sold {
    fn owned(&self) -> usize {
        self.item.capacity()
    }
}

#[derive(Event)]
#[event(extends = Sold)]
struct SoldOnline {
    #[base]
    sold: Sold,
    address: String,
}

#[derive(Event)]
#[event(extends = SoldOnline)]
struct SoldAbroad(#[key] String, #[base] SoldOnline);

#[derive(Event)]
enum Order {
    Placed {
        #[key]
        id: u32,
    },
    Lost(u8, #[key] String),
    Closed,
}

#[derive(Event)]
#[event(name = "batch")]
struct Batch<T, const LENGTH: usize>([T; LENGTH]);

#[derive(Event)]
#[event(name = "pair", extends = Batch<A, 1>)]
struct Pair<A, B: Serialize>
where
    A: Serialize,
{
    #[base]
    first: Batch<A, 1>,
    second: B,
}

#[derive(Event, Serialize)]
#[event(name = "envelope")]
struct Envelope<T: Serialize> {
    inside: T,
}

fn abroad() -> SoldAbroad {
    let sold = Sold { shop: 7, item: "tea".to_owned() };
    SoldAbroad("AT".to_owned(), SoldOnline { sold, address: "here".to_owned() })
}

#[test]
fn kinds_are_stable_names() {
    assert_eq!(Plain::kind(), "selvedge-tests::Plain");
    assert_eq!(Sold::kind(), "shop.sold");
    assert_eq!(Batch::<Plain, 3>::kind(), "batch<selvedge-tests::Plain,3>");
    assert_eq!(
        Pair::<Written, Envelope<Written>>::kind(),
        "pair<selvedge-tests::Written,envelope<selvedge-tests::Written>>"
    );
}

#[test]
fn a_child_is_seen_as_each_of_its_ancestors() {
    let event = Event::new(abroad());
    assert_eq!(SoldAbroad::ancestors(), [SoldOnline::kind(), Kind::from("shop.sold")]);
    assert_eq!(event.ancestors(), SoldAbroad::ancestors());
    assert_eq!(event.payload::<SoldAbroad>().map(|sold| &*sold.0), Some("AT"));
    assert_eq!(event.payload::<SoldOnline>().map(|sold| &*sold.address), Some("here"));
    assert_eq!(event.payload::<Sold>().map(|sold| &*sold.item), Some("tea"));
    assert!(!event.is::<Plain>());
    assert!(!Event::new(Plain).is::<SoldAbroad>());
    let pair =
        Pair { first: Batch([Written { text: String::new() }]), second: Envelope { inside: 1 } };
    assert_eq!(pair.second.inside, 1);
    assert_eq!(pair.first.0[0].text, "");
}

#[test]
fn keys_come_from_the_marked_field_or_the_parent() {
    fn key<T: Payload>(event: T) -> (bool, Option<Key>) {
        (T::CARRIES_KEY, Event::new(event).key())
    }
    assert_eq!(key(Plain), (false, None));
    assert_eq!(key(abroad().1.sold), (true, Some(Key::from(7_u64))));
    assert_eq!(key(abroad().1), (true, Some(Key::from(7_u64))));
    assert_eq!(key(abroad()), (true, Some(Key::from("AT"))));
    assert_eq!(key(Order::Placed { id: 3 }), (true, Some(Key::from(3_u64))));
    assert_eq!(key(Order::Lost(1, "x".to_owned())), (true, Some(Key::from("x"))));
    assert_eq!(key(Order::Closed), (true, None));
    assert!(matches!(Order::Lost(1, String::new()), Order::Lost(1, _)));
}

#[test]
fn a_child_owns_what_its_base_owns() {
    let event = abroad();
    assert_eq!(event.heap_bytes(), event.1.sold.item.capacity());
    assert_eq!(Plain.heap_bytes(), 0);
}

#[test]
fn serializable_events_are_found() {
    let written = Written { text: "tea".to_owned() };
    let json = written.encodable().map(serde_json::to_string);
    assert_eq!(json.and_then(Result::ok).as_deref(), Some(r#"{"text":"tea"}"#));
    assert!(Plain.encodable().is_none());
    assert!(abroad().encodable().is_none());
    // The bounds of the type say so, or nothing does.
    assert!(Envelope { inside: Written { text: String::new() } }.encodable().is_some());
    assert!(Batch([Written { text: String::new() }]).encodable().is_none());
}

#[derive(Event, Serialize)]
struct Tagged {
    #[serde(skip)]
    hashes: HashSet<u8>,
    #[serde(with = "digest::set")]
    tags: HashSet<u8>,
    groups: Vec<Set<HashSet<u8>>>,
}

#[test]
fn sets_that_are_marked_have_a_digest() {
    let digest = |tags: [u8; 3]| {
        let groups = vec![Set(HashSet::from(tags))];
        let tagged = Tagged { hashes: HashSet::from(tags), tags: HashSet::from(tags), groups };
        assert!(tagged.hashes.contains(&1));
        Event::new(tagged).payload_digest().ok()
    };
    assert!(digest([1, 2, 3]).is_some());
    assert_eq!(digest([1, 2, 3]), digest([3, 2, 1]));
}
