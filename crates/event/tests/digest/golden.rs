//! The golden vectors: what each rule of the format gives, for good.
//!
//! `golden.json` is read by other implementations too, so it says in words what each value is. A
//! row missing on either side fails. To add one: put it here, run the test, copy the row it shows.

use std::collections::{BTreeMap, HashMap};

use selvedge_event::digest::set::Set;
use selvedge_event::{Digest, digest};
use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

use super::{hex, reference};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    value: String,
    /// Left out where it is long and the digest says as much.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<String>,
    digest: Digest,
}

#[derive(Serialize)]
struct Empty {}
#[derive(Serialize)]
struct Marker;
#[derive(Serialize)]
struct Meters(f64);
#[derive(Serialize)]
struct Pair(u8, &'static str);
#[derive(Serialize)]
struct Point {
    x: i32,
    y: i32,
}
#[derive(Serialize)]
#[serde(rename = "Point")]
struct Turned {
    y: i64,
    x: i8,
}
#[derive(Serialize)]
#[serde(rename = "Point")]
struct Renamed {
    x: i32,
    z: i32,
}
#[derive(Serialize)]
struct Spot {
    x: i32,
    y: i32,
}
#[derive(Serialize)]
#[serde(rename = "Point")]
struct Flat {
    #[serde(flatten)]
    inner: Spot,
}
#[derive(Serialize)]
enum Shape {
    Nothing,
    Square(u8),
    Rectangle(u8, u8),
    Circle { radius: u8 },
}
#[derive(Serialize)]
#[serde(rename = "Shape")]
enum Reordered {
    Circle { radius: u8 },
    Nothing,
}
#[derive(Serialize)]
pub(crate) struct Order {
    id: u64,
    customer: &'static str,
    paid: bool,
    lines: Vec<(&'static str, u32, f64)>,
    note: Option<&'static str>,
}

fn row<T: Serialize + ?Sized>(value: &str, of: &T) -> Row {
    let encoding = digest::encode(of).expect("the value has an encoding");
    let digest = Digest::of(of).expect("the value has a digest");
    assert_eq!(reference::digest(&encoding), digest, "{value}: not what the document says");
    let encoding = (encoding.len() <= 512).then(|| hex(&encoding));
    Row { value: value.to_owned(), encoding, digest }
}

fn scalars() -> Vec<Row> {
    vec![
        row("unit", &()),
        row("JSON null, which is unit", &serde_json::Value::Null),
        row("none", &None::<u8>),
        row("some(none)", &Some(None::<u8>)),
        row("some(1)", &Some(1)),
        row("some(unit)", &Some(())),
        row("false", &false),
        row("true", &true),
        row("integer 0", &0),
        row("integer 1 (u8)", &1u8),
        row("integer 1 (i128)", &1i128),
        row("integer 127", &127),
        row("integer 128", &128),
        row("integer 2^64 - 1", &u64::MAX),
        row("integer 2^64", &(u128::from(u64::MAX) + 1)),
        row("integer 2^128 - 1", &u128::MAX),
        row("integer -1", &-1),
        row("integer -128", &i8::MIN),
        row("integer -129", &-129),
        row("integer -2^63", &i64::MIN),
        row("integer -2^127", &i128::MIN),
        row("float 0.0", &0.0),
        row("float -0.0", &-0.0),
        row("float 1.0 (f64)", &1.0f64),
        row("float 1.0 (f32)", &1.0f32),
        row("float 0.1 (f64)", &0.1f64),
        row("float 0.1 (f32, that is 0.10000000149011612)", &0.1f32),
        row("float, the largest", &f64::MAX),
        row("float, the smallest above zero", &f64::from_bits(1)),
        row("character 1", &'1'),
        row("character U+1F9F5", &'🧵'),
        row("string 1", "1"),
        row("string, empty", ""),
        row("string U+00E9", "é"),
        row("string e, U+0301: not the same", "e\u{301}"),
        row("bytes, none", Bytes::new(b"")),
        row("bytes 31", Bytes::new(b"1")),
        row("string of 128 times x", &"x".repeat(128)),
        row("bytes, 20000 times 78", Bytes::new(&[b'x'; 20_000])),
    ]
}

fn containers() -> Vec<Row> {
    let deep = (0..3).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]));
    let long = |end: &str| "k".repeat(100) + end;
    vec![
        row("sequence, empty", &[(); 0]),
        row("sequence of the integer 31 hex", &[0x31u8]),
        row("sequence (1, 2) (tuple)", &(1, 2)),
        row("sequence (1, 2) (Vec)", &vec![1, 2]),
        row("sequence ((1), 2)", &((1,), 2)),
        row("sequence (1, (2))", &(1, (2,))),
        row("sequence ((((empty))))", &deep),
        row("sequence of the integers 0 to 9999", &(0..10_000).collect::<Vec<_>>()),
        row("map, empty", &BTreeMap::<u8, u8>::new()),
        row("map a: 1, b: 2", &BTreeMap::from([("a", 1), ("b", 2)])),
        row("map aa: 1, b: 2: shorter keys first", &BTreeMap::from([("aa", 1), ("b", 2)])),
        row("map 1: 1, \"1\": 2, 1.0: 3, as JSON can't have it", &mixed_keys()),
        row("map a: (map b: 1)", &serde_json::json!({"a": {"b": 1}})),
        row("map (1, 2): 3, a sequence as key", &HashMap::from([((1, 2), 3)])),
        row("map whose key is the map a: 1", &BTreeMap::from([(BTreeMap::from([("a", 1)]), 2)])),
        row(
            "map, keys of 100 times k and 1 or 2",
            &BTreeMap::from([(long("1"), 1), (long("2"), 2)]),
        ),
        row(
            "map a: string of 94 times x, the longest inline",
            &BTreeMap::from([("a", "x".repeat(94))]),
        ),
        row(
            "map a: string of 95 times x, the shortest hashed",
            &BTreeMap::from([("a", "x".repeat(95))]),
        ),
        row(
            "map from i to -i for i from 0 to 999",
            &(0..1000).map(|i| (i, -i)).collect::<HashMap<_, _>>(),
        ),
        row("set, empty", &Set([(); 0])),
        row("set 1, 2, 3", &Set([3, 1, 2])),
        row("set of the sets empty, 1", &Set([Set(vec![1]), Set(vec![])])),
        row("map a: (set x, y)", &BTreeMap::from([("a", Set(["y", "x"]))])),
        row("a digest as text", &Digest::from_bytes([0xab; 32])),
    ]
}

/// A map with keys of several types.
fn mixed_keys() -> digest::Canonical {
    use selvedge_event::digest::Canonical::{Float, Map, Str, Unsigned};
    Map(vec![
        (Float(1.0), Unsigned(3)),
        (Str("1".to_owned()), Unsigned(2)),
        (Unsigned(1), Unsigned(1)),
    ])
}

pub(crate) fn order() -> Order {
    let lines = vec![("tea", 2, 4.5), ("jam", 1, 3.25)];
    Order { id: 7, customer: "Ada", paid: true, lines, note: None }
}

fn named() -> Vec<Row> {
    vec![
        row("struct Marker (unit)", &Marker),
        row("struct Empty without fields", &Empty {}),
        row("struct Meters(2.5) (newtype)", &Meters(2.5)),
        row("struct Pair(1, a) (tuple)", &Pair(1, "a")),
        row("struct Point x: 1, y: 2", &Point { x: 1, y: 2 }),
        row("struct Point y: 2, x: 1, other widths", &Turned { y: 2, x: 1 }),
        row("struct Point x: 1, z: 2, a field renamed", &Renamed { x: 1, z: 2 }),
        row("struct Spot x: 1, y: 2, the struct renamed", &Spot { x: 1, y: 2 }),
        row("map x: 1, y: 2 (struct with flatten)", &Flat { inner: Spot { x: 1, y: 2 } }),
        row("enum Shape, Nothing", &Shape::Nothing),
        row("enum Shape, Nothing, at another index", &Reordered::Nothing),
        row("enum Shape, Square(3)", &Shape::Square(3)),
        row("enum Shape, Rectangle(3, 4)", &Shape::Rectangle(3, 4)),
        row("enum Shape, Circle radius: 5", &Shape::Circle { radius: 5 }),
        row("enum Shape, Circle radius: 5, at another index", &Reordered::Circle { radius: 5 }),
        row("Result Ok(1)", &Ok::<_, ()>(1)),
        row("struct Order, the second worked example", &order()),
    ]
}

#[test]
fn golden_vectors_hold() {
    let rows: Vec<Row> = [scalars(), containers(), named()].into_iter().flatten().collect();
    let golden: Vec<Row> =
        serde_json::from_str(include_str!("golden.json")).expect("golden.json holds rows");
    assert!(golden.len() >= 80, "rows went missing from golden.json");
    for row in &rows {
        let shown = serde_json::to_string_pretty(row).expect("a row is JSON");
        assert!(golden.contains(row), "not in golden.json:\n{shown}");
    }
    for row in &golden {
        assert!(rows.contains(row), "no value for the golden row {:?}", row.value);
    }
    assert_eq!(golden.len(), rows.len(), "a row occurs twice");
}

#[test]
fn only_what_the_rules_forgive_shares_a_digest() {
    let mut groups = BTreeMap::<Digest, Vec<String>>::new();
    for row in [scalars(), containers(), named()].into_iter().flatten() {
        groups.entry(row.digest).or_default().push(row.value);
    }
    let mut shared: Vec<_> = groups.into_values().filter(|values| values.len() > 1).collect();
    shared.sort();
    let shared: String = shared.iter().map(|values| values.join(" = ") + "\n").collect();
    insta::assert_snapshot!(shared, @r#"
    enum Shape, Circle radius: 5 = enum Shape, Circle radius: 5, at another index
    enum Shape, Nothing = enum Shape, Nothing, at another index
    float 1.0 (f64) = float 1.0 (f32)
    integer 1 (u8) = integer 1 (i128)
    sequence (1, 2) (tuple) = sequence (1, 2) (Vec)
    struct Point x: 1, y: 2 = struct Point y: 2, x: 1, other widths
    unit = JSON null, which is unit
    "#);
}
