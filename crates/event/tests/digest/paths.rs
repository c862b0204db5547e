//! What has no digest: the problem, and the path to it.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use selvedge_event::digest::{self, DigestProblem, MAX_DEPTH, ParseDigestError};
use selvedge_event::{Digest, DigestError};
use serde::ser::{Error, SerializeMap, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

/// The error of a value, which is the same for both forms.
fn check<T: Serialize + ?Sized>(value: &T) -> String {
    let error = Digest::of(value).expect_err("the value has no digest");
    // `NaN` isn't equal to itself, so the errors are compared as text.
    let other = digest::encode(value).expect_err("the value has no encoding either");
    assert_eq!(error.to_string(), other.to_string());
    error.to_string()
}

#[derive(Serialize)]
struct Basket {
    orders: Vec<Order>,
}

#[derive(Clone, Serialize)]
struct Order {
    price: Price,
    notes: BTreeMap<String, f64>,
}

#[derive(Clone, Serialize)]
enum Price {
    Free,
    Fixed(f64),
    Range(f64, f64),
    PerUnit { price: Option<f64> },
}

fn basket(price: Price) -> Basket {
    let order = |price| Order { price, notes: BTreeMap::new() };
    Basket { orders: vec![order(Price::Free), order(price)] }
}

/// A `Serialize` implementation that breaks a rule of serde.
enum Broken {
    /// Announces a length and gives another number of items.
    Seq { announced: usize, given: usize },
    /// The same for a struct.
    Struct { announced: usize },
    /// Makes these calls on a map: `k`ey, `v`alue, `b`ad value.
    Map(&'static str),
    /// Goes on after the error of an item.
    Deaf,
    /// Reports an error.
    Refusing,
}

impl Serialize for Broken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Seq { announced, given } => {
                let mut seq = serializer.serialize_seq(Some(announced))?;
                (0..given).try_for_each(|item| seq.serialize_element(&item))?;
                seq.end()
            }
            Self::Struct { announced } => {
                let mut fields = serializer.serialize_struct("Broken", announced)?;
                fields.serialize_field("only", &1)?;
                fields.end()
            }
            Self::Map(calls) => {
                let mut map = serializer.serialize_map(None)?;
                for call in calls.chars() {
                    match call {
                        'k' => map.serialize_key("key")?,
                        'v' => map.serialize_value(&1)?,
                        _ => map.serialize_value(&f64::NAN)?,
                    }
                }
                map.end()
            }
            Self::Deaf => {
                let mut seq = serializer.serialize_seq(None)?;
                let nested = BTreeMap::from([("a", BTreeMap::from([("b", f64::NAN)]))]);
                drop(seq.serialize_element(&nested));
                drop(seq.serialize_element(&nested));
                seq.end()
            }
            Self::Refusing => Err(S::Error::custom("the file is gone")),
        }
    }
}

#[test]
fn floats_must_be_finite() {
    assert_snapshot!(check(&f64::NAN), @"NaN has no digest, give a missing number as an Option");
    assert_snapshot!(
        check(&[f32::INFINITY]),
        @"[0]: inf has no digest, give a missing number as an Option"
    );
    assert_snapshot!(
        check(&(1, (2, f64::NEG_INFINITY))),
        @"[1][1]: -inf has no digest, give a missing number as an Option"
    );
}

#[test]
fn paths_lead_through_fields_variants_and_indices() {
    assert_snapshot!(
        check(&basket(Price::Fixed(f64::NAN))),
        @"orders[1].price.Fixed: NaN has no digest, give a missing number as an Option"
    );
    assert_snapshot!(
        check(&basket(Price::Range(0.0, f64::NAN))),
        @"orders[1].price.Range[1]: NaN has no digest, give a missing number as an Option"
    );
    assert_snapshot!(
        check(&basket(Price::PerUnit { price: Some(f64::NAN) })),
        @"orders[1].price.PerUnit.price: NaN has no digest, give a missing number as an Option"
    );
}

#[test]
fn paths_lead_through_map_keys() {
    let note = |key: &str| BTreeMap::from([("a".to_owned(), 1.0), (key.to_owned(), f64::NAN)]);
    let order = |key| Order { price: Price::Free, notes: note(key) };
    assert_snapshot!(
        check(&order("weight")),
        @"notes.weight: NaN has no digest, give a missing number as an Option"
    );
    assert_snapshot!(
        check(&order("gross weight")),
        @r#"notes["gross weight"]: NaN has no digest, give a missing number as an Option"#
    );
    let error = Digest::of(&order(&"long, ".repeat(40))).expect_err("a NaN");
    assert_snapshot!(error.path(), @r#"notes["long, long, long, long, long, l…]"#);
    assert_snapshot!(
        check(&BTreeMap::from([(1, 0.0), (7, f64::NAN)])),
        @"[7]: NaN has no digest, give a missing number as an Option"
    );
    assert_snapshot!(
        check(&BTreeMap::from([((1, "x"), f64::NAN)])),
        @r#"[[1,"x"]]: NaN has no digest, give a missing number as an Option"#
    );
    // The key itself; and a value whose key is gone.
    let pairs = Pairs(vec![(Number(0.0), 0.0), (Number(f64::NAN), 0.0)]);
    assert_snapshot!(
        check(&pairs),
        @"{key 1}: NaN has no digest, give a missing number as an Option"
    );
    assert_snapshot!(
        check(&Broken::Map("kvkb")),
        @"{entry 1}: NaN has no digest, give a missing number as an Option"
    );
}

/// A map of anything, equal keys included.
struct Pairs<K>(Vec<(K, f64)>);

impl<K: Serialize> Serialize for Pairs<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

#[derive(Serialize)]
struct Number(f64);

#[test]
fn keys_occur_once() {
    #[derive(Serialize)]
    struct Clash {
        id: u8,
        #[serde(rename = "id")]
        other: u8,
    }
    assert_snapshot!(
        check(&Pairs(vec![("a", 1.0), ("b", 1.0), ("a", 2.0)])),
        @r#"the key "a" occurs twice, drop or rename one"#
    );
    assert_snapshot!(
        check(&[Pairs(vec![(1u8, 1.0), (1u8, 1.0)])]),
        @"[0]: the key 1 occurs twice, drop or rename one"
    );
    let long = "key ".repeat(40);
    let pairs = Pairs(vec![(&long, 1.0), (&long, 1.0)]);
    assert_eq!(
        Digest::of(&pairs).expect_err("equal keys").to_string(),
        "the key of more than 96 bytes occurs twice, drop or rename one",
    );
    assert_snapshot!(
        digest::encode(&pairs).expect_err("equal keys"),
        @r#"the key "key key key key key key key key… occurs twice, drop or rename one"#
    );
    assert_snapshot!(
        check(&Clash { id: 1, other: 2 }),
        @r#"the key "id" occurs twice, drop or rename one"#
    );
}

#[test]
fn implementations_keep_what_they_announce() {
    assert_snapshot!(
        check(&Broken::Seq { announced: 3, given: 2 }),
        @"3 items announced but 2 given, correct the Serialize implementation"
    );
    assert_snapshot!(
        check(&[Broken::Seq { announced: 0, given: 1 }]),
        @"[0]: 0 items announced but 1 given, correct the Serialize implementation"
    );
    assert_snapshot!(
        check(&Broken::Struct { announced: 2 }),
        @"2 items announced but 1 given, correct the Serialize implementation"
    );
    assert_snapshot!(
        check(&Broken::Map("k")),
        @"a map key without a value or a value without a key, correct the Serialize implementation"
    );
    assert_snapshot!(
        check(&Broken::Map("kk")),
        @"a map key without a value or a value without a key, correct the Serialize implementation"
    );
    assert_snapshot!(
        check(&Broken::Map("v")),
        @"a map key without a value or a value without a key, correct the Serialize implementation"
    );
    assert_snapshot!(
        check(&("x", Broken::Deaf)),
        @"[1]: an earlier error was dropped, return it from the Serialize implementation"
    );
    assert_snapshot!(
        check(&("x", Broken::Refusing)),
        @"[1]: the Serialize implementation failed: the file is gone"
    );
}

#[test]
fn nesting_is_bounded() {
    /// So many levels of one kind of nesting around a number.
    struct Nested(Kind, usize);
    #[derive(Clone, Copy, Debug)]
    enum Kind {
        Some,
        Seq,
        Map,
        Newtype,
        Struct,
        Variant,
    }
    impl Serialize for Nested {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let Self(kind, levels) = *self;
            if levels == 0 {
                return serializer.serialize_u8(1);
            }
            let inner = Self(kind, levels - 1);
            match kind {
                Kind::Some => serializer.serialize_some(&inner),
                Kind::Seq => serializer.collect_seq([inner]),
                Kind::Map => serializer.collect_map([(1, inner)]),
                Kind::Newtype => serializer.serialize_newtype_struct("N", &inner),
                Kind::Struct => {
                    let mut fields = serializer.serialize_struct("S", 1)?;
                    fields.serialize_field("f", &inner)?;
                    fields.end()
                }
                Kind::Variant => serializer.serialize_newtype_variant("E", 0, "V", &inner),
            }
        }
    }
    for kind in [Kind::Some, Kind::Seq, Kind::Map, Kind::Newtype, Kind::Struct, Kind::Variant] {
        let deepest = Nested(kind, MAX_DEPTH);
        let bytes = digest::encode(&deepest).expect("as deep as allowed");
        let tree = digest::decode(&bytes).expect("as deep as allowed");
        assert_eq!(Digest::of(&tree), Digest::of(&deepest), "{kind:?}");
        for levels in [MAX_DEPTH + 1, 100_000] {
            let error = Digest::of(&Nested(kind, levels)).expect_err("too deep");
            assert_eq!(error.problem(), &DigestProblem::TooDeep { max: MAX_DEPTH }, "{kind:?}");
        }
    }
    assert_snapshot!(
        check(&Nested(Kind::Some, MAX_DEPTH + 1)),
        @"nested deeper than 128 levels, flatten the value"
    );
}

#[test]
fn text_that_is_no_digest_is_refused() -> Result<(), DigestError> {
    let parse = |text: &str| text.parse::<Digest>();
    let digest = Digest::of("x")?;
    let text = digest.to_string();
    assert_eq!(parse(&text), Ok(digest));
    assert_eq!(format!("{digest:?}"), text);
    assert_eq!(parse(&text[3..]), Err(ParseDigestError::Prefix));
    assert_eq!(parse(&text[..66]), Err(ParseDigestError::Length { found: 63 }));
    let upper = "b3:aB".to_owned() + &text[5..];
    assert_eq!(parse(&upper), Err(ParseDigestError::Digit { found: 'B', at: 4 }));
    assert_eq!(parse("b3:é"), Err(ParseDigestError::Digit { found: 'é', at: 3 }));
    assert_snapshot!(ParseDigestError::Prefix, @r#"a digest starts with "b3:""#);
    assert_snapshot!(
        ParseDigestError::Length { found: 63 },
        @r#"63 digits after "b3:" where a digest has 64"#
    );
    assert_snapshot!(
        ParseDigestError::Digit { found: 'B', at: 4 },
        @"'B' at byte 4 is not a lowercase hex digit"
    );

    let json = serde_json::to_string(&digest).expect("JSON can show it");
    assert_eq!(json, format!("{text:?}"));
    assert_eq!(serde_json::from_str::<Digest>(&json).expect("JSON reads it"), digest);
    let error = serde_json::from_str::<Digest>("\"b3:\"").expect_err("no digits");
    assert_snapshot!(error, @r#"0 digits after "b3:" where a digest has 64 at line 1 column 5"#);
    Ok(())
}

#[test]
fn problems_carry_their_data() {
    let problem = |value: &dyn erased_serde::Serialize| {
        Digest::of(value).expect_err("the value has no digest").problem().clone()
    };
    let twice = Pairs(vec![(1u8, 1.0), (1u8, 1.0)]);
    assert_eq!(problem(&f32::INFINITY), DigestProblem::NotFinite { value: f64::INFINITY });
    assert_eq!(problem(&twice), DigestProblem::DuplicateKey { key: "1".to_owned() });
    assert_eq!(
        problem(&Broken::Seq { announced: 3, given: 2 }),
        DigestProblem::Length { announced: 3, found: 2 },
    );
    assert_eq!(problem(&Broken::Map("v")), DigestProblem::Unpaired);
    let message = "the file is gone".to_owned();
    assert_eq!(problem(&Broken::Refusing), DigestProblem::Custom { message });
    // Erasure would panic on what this one does.
    let error = Digest::of(&Broken::Deaf).expect_err("an error was dropped");
    assert_eq!(error.problem(), &DigestProblem::ErrorDropped);
    let erased: &dyn erased_serde::Serialize = &basket(Price::PerUnit { price: Some(f64::NAN) });
    let error = Digest::of(erased).expect_err("a NaN");
    assert_eq!(error.path(), "orders[1].price.PerUnit.price");
}
