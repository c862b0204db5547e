//! What holds for every value: one encoding, one digest, no dependence on order or width.

use std::collections::{BTreeMap, HashMap};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use selvedge_event::{Digest, digest};
use serde::Serialize;

use super::trees::{disordered, encode, fingerprint, tree};
use super::{bodies, reference};

fn of<T: Serialize + ?Sized>(value: &T) -> Digest {
    Digest::of(value).expect("the value has a digest")
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn decoding_undoes_encoding(tree in tree()) {
        let bytes = encode(&tree);
        let decoded = digest::decode(&bytes).expect("an encoding decodes");
        prop_assert_eq!(fingerprint(&decoded), fingerprint(&tree));
        prop_assert_eq!(encode(&decoded), bytes);
        prop_assert_eq!(of(&decoded), of(&tree));
    }

    #[test]
    fn the_order_of_entries_does_not_count(tree in tree(), turn in 0usize..7) {
        let other = disordered(&tree, turn);
        prop_assert_eq!(encode(&other), encode(&tree));
        prop_assert_eq!(of(&other), of(&tree));
    }

    #[test]
    fn distinct_trees_have_distinct_encodings_and_digests(left in tree(), right in tree()) {
        let same = fingerprint(&left) == fingerprint(&right);
        prop_assert_eq!(encode(&left) == encode(&right), same);
        prop_assert_eq!(of(&left) == of(&right), same);
    }

    #[test]
    fn the_documented_algorithm_gives_the_digest(tree in tree()) {
        prop_assert_eq!(reference::digest(&encode(&tree)), of(&tree));
    }

    #[test]
    fn a_mangled_encoding_is_refused_or_another_value(
        tree in tree(),
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
        cut in any::<bool>(),
    ) {
        let mut bytes = encode(&tree);
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
            let truncated = digest::DecodeError::Truncated { offset: at };
            prop_assert_eq!(digest::decode(&bytes), Err(truncated));
        } else {
            bytes[at] ^= flip;
            bodies::decode_any(&bytes);
            if let Ok(decoded) = digest::decode(&bytes) {
                prop_assert_ne!(fingerprint(&decoded), fingerprint(&tree));
            }
        }
    }

    #[test]
    fn random_bytes_do_not_panic(bytes in vec(prop_oneof![0u8..0x18, any::<u8>()], 0..64)) {
        bodies::decode_any(&bytes);
        bodies::decode_any(&[&[digest::VERSION], &bytes[..]].concat());
    }

    #[test]
    fn json_keeps_its_digest_through_print_and_parse(value in json()) {
        bodies::json_round_trip(&value.to_string());
    }

    #[test]
    fn random_text_does_not_panic(text in r#"[\[\]{}",:0-9eE.+\-ntf a]{0,24}"#) {
        bodies::json_round_trip(&text);
    }

    #[test]
    fn integers_count_by_value(number in any::<i8>(), wide in any::<u64>()) {
        let expected = of(&number);
        prop_assert_eq!(of(&i16::from(number)), expected);
        prop_assert_eq!(of(&i32::from(number)), expected);
        prop_assert_eq!(of(&i64::from(number)), expected);
        prop_assert_eq!(of(&i128::from(number)), expected);
        if let Ok(number) = u8::try_from(number) {
            prop_assert_eq!(of(&number), expected);
            prop_assert_eq!(of(&u128::from(number)), expected);
        }
        prop_assert_eq!(of(&wide), of(&i128::from(wide)));
        prop_assert_ne!(of(&wide), of(&(wide as f64)));
    }

    #[test]
    fn narrow_floats_count_as_the_wide_ones_of_equal_value(number in any::<f32>()) {
        prop_assume!(number.is_finite());
        prop_assert_eq!(of(&number), of(&f64::from(number)));
    }

    #[test]
    fn maps_of_any_kind_agree(entries in btree_map(".{0,5}", any::<u32>(), 0..40)) {
        let hashed: HashMap<_, _> = entries.clone().into_iter().collect();
        prop_assert_eq!(of(&hashed), of(&entries));
        let nested = BTreeMap::from([(entries, 1)]);
        let hashed = HashMap::from([(nested.keys().next().cloned(), 1)]);
        // `Option` keys are reported with their `Some`, so these two differ.
        prop_assert_ne!(of(&hashed), of(&nested));
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;

    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    scalar.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            btree_map(".{0,8}", inner, 0..8).prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

/// Sizes around every limit at which content moves from the buffer into a hasher.
#[test]
fn long_content_agrees_with_the_documented_algorithm() {
    for length in [0, 1, 93, 94, 95, 96, 97, 1024, 16_382, 16_383, 16_384, 16_385, 100_000] {
        let text = "x".repeat(length);
        let numbers: Vec<u32> = (0..length as u32).collect();
        let check = |value: &dyn erased_serde::Serialize| {
            let bytes = digest::encode(value).expect("the value has an encoding");
            assert_eq!(reference::digest(&bytes), of(value), "length {length}");
            bodies::decode_any(&bytes);
        };
        check(&text);
        check(&serde_bytes::Bytes::new(text.as_bytes()));
        check(&numbers);
        check(&[&numbers, &numbers]);
        check(&BTreeMap::from([(&text, &numbers)]));
        check(&BTreeMap::from([(&numbers, &text), (&vec![1], &text)]));
        check(&BTreeMap::from([(
            (&text, BTreeMap::from([(&text, 1), (&numbers_text(length), 2)])),
            3,
        )]));
        check(&numbers.iter().map(|number| (number, number)).collect::<HashMap<_, _>>());
    }
}

fn numbers_text(length: usize) -> String {
    "1".repeat(length + 1)
}

#[test]
fn seeds_of_the_fuzz_targets_keep_their_promises() {
    let texts = [
        "null",
        "-0.0",
        "0",
        "1e308",
        "18446744073709551615",
        "-9223372036854775808",
        "1e-7",
        "123456789012345678901234567890123456789012345678",
        r#""\u0000\ud83d\ude00""#,
        "[[[]]]",
        r#"{"b":1,"a":{"":null},"a":2}"#,
        r#"[{"$selvedge::digest::set":[1,1]}]"#,
    ];
    for text in texts {
        bodies::json_round_trip(text);
    }
    let deep = format!("{}{}", "[".repeat(127), "]".repeat(127));
    bodies::json_round_trip(&deep);
    bodies::json_round_trip(&"[".repeat(1_000_000));
    for bytes in [&b""[..], b"\x01", b"\x01\x0c", b"\x01\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f"] {
        bodies::decode_any(bytes);
    }
    bodies::decode_any(&[&[1][..], &[0x0c; 1_000_000]].concat());
    bodies::decode_any(&[&[1][..], &[0x0b; 1_000_000]].concat());
}
