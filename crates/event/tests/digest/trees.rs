//! Random canonical trees, and trees that differ only in what doesn't count. No tests of its own.

use proptest::collection::vec;
use proptest::prelude::*;
use selvedge_event::digest::{self, Body, Canonical, Named};

/// Scalars with their edge cases.
fn scalar() -> impl Strategy<Value = Canonical> {
    let text = prop_oneof![4 => "[a-c]{0,2}", 2 => ".{0,12}", 1 => "[a-b]{90,110}"];
    prop_oneof![
        Just(Canonical::Unit),
        Just(Canonical::None),
        any::<bool>().prop_map(Canonical::Bool),
        (0u128..4).prop_map(Canonical::Unsigned),
        any::<u128>().prop_map(Canonical::Unsigned),
        any::<u64>().prop_map(|number| Canonical::Unsigned(number.into())),
        (i128::MIN..0).prop_map(Canonical::Signed),
        (-4i128..0).prop_map(Canonical::Signed),
        any::<f64>().prop_filter("finite", |float| float.is_finite()).prop_map(Canonical::Float),
        Just(Canonical::Float(-0.0)),
        Just(Canonical::Float(1.0)),
        any::<char>().prop_map(Canonical::Char),
        text.prop_map(Canonical::Str),
        vec(any::<u8>(), 0..4).prop_map(Canonical::Bytes),
    ]
}

fn name() -> impl Strategy<Value = String> {
    "[A-B]{0,2}"
}

/// Trees without equal keys or elements, in any order of entries.
pub(crate) fn tree() -> impl Strategy<Value = Canonical> {
    scalar().prop_recursive(5, 48, 6, |inner| {
        let fields = vec(("[a-f]{1,3}", inner.clone()), 0..5);
        let body = prop_oneof![
            Just(Body::Unit),
            inner.clone().prop_map(Body::Newtype),
            vec(inner.clone(), 0..4).prop_map(Body::Tuple),
            fields.prop_map(|fields| Body::Fields(distinct(fields, |(name, _)| name.clone()))),
        ];
        let named = (name(), proptest::option::of(name()), body);
        prop_oneof![
            inner.clone().prop_map(|value| Canonical::Some(Box::new(value))),
            vec(inner.clone(), 0..6).prop_map(Canonical::Seq),
            vec(inner.clone(), 0..6).prop_map(|items| Canonical::Set(distinct(items, encode))),
            vec((inner.clone(), inner), 0..6)
                .prop_map(|entries| Canonical::Map(distinct(entries, |(key, _)| encode(key)))),
            named.prop_map(|(name, variant, body)| {
                Canonical::Named(Box::new(Named { name, variant, body }))
            }),
        ]
    })
}

pub(crate) fn encode(tree: &Canonical) -> Vec<u8> {
    digest::encode(tree).expect("a tree without NaN and equal keys has an encoding")
}

/// The first item of each key.
fn distinct<T, K: PartialEq>(items: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut seen = Vec::new();
    let mut kept = Vec::new();
    for item in items {
        let key = key(&item);
        if !seen.contains(&key) {
            seen.push(key);
            kept.push(item);
        }
    }
    kept
}

/// The tree with the entries of every map, struct and set reversed and rotated.
pub(crate) fn disordered(tree: &Canonical, turn: usize) -> Canonical {
    let again = |tree: &Canonical| disordered(tree, turn);
    match tree {
        Canonical::Some(value) => Canonical::Some(Box::new(again(value))),
        Canonical::Seq(items) => Canonical::Seq(items.iter().map(again).collect()),
        Canonical::Set(items) => Canonical::Set(turned(items.iter().map(again).collect(), turn)),
        Canonical::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| (again(key), again(value)));
            Canonical::Map(turned(entries.collect(), turn))
        }
        Canonical::Named(named) => {
            let body = match &named.body {
                Body::Newtype(value) => Body::Newtype(again(value)),
                Body::Tuple(items) => Body::Tuple(items.iter().map(again).collect()),
                Body::Fields(fields) => {
                    let fields = fields.iter().map(|(name, value)| (name.clone(), again(value)));
                    Body::Fields(turned(fields.collect(), turn))
                }
                body => body.clone(),
            };
            Canonical::Named(Box::new(Named { body, ..(**named).clone() }))
        }
        scalar => scalar.clone(),
    }
}

fn turned<T>(mut items: Vec<T>, turn: usize) -> Vec<T> {
    items.reverse();
    let length = items.len().max(1);
    items.rotate_left(turn % length);
    items
}

/// The tree as text that two trees share only if they are equal but for the order of entries;
/// it knows nothing of tags, lengths and sub-digests.
pub(crate) fn fingerprint(tree: &Canonical) -> String {
    let list = |items: &[Canonical]| items.iter().map(fingerprint).collect::<Vec<_>>();
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        texts
    };
    match tree {
        Canonical::Unsigned(number) => format!("integer {number}"),
        Canonical::Signed(number) => format!("integer {number}"),
        Canonical::Float(float) => format!("float {:x}", float.to_bits()),
        Canonical::Some(value) => format!("some {:?}", fingerprint(value)),
        Canonical::Seq(items) => format!("seq {:?}", list(items)),
        Canonical::Set(items) => format!("set {:?}", sorted(list(items))),
        Canonical::Map(entries) => {
            let entry =
                |(key, value): &(_, _)| format!("{:?}", [fingerprint(key), fingerprint(value)]);
            format!("map {:?}", sorted(entries.iter().map(entry).collect()))
        }
        Canonical::Named(named) => {
            let Named { name, variant, body } = &**named;
            let body = match body {
                Body::Newtype(value) => format!("newtype {:?}", fingerprint(value)),
                Body::Tuple(items) => format!("tuple {:?}", list(items)),
                Body::Fields(fields) => {
                    let field =
                        |(name, value): &(_, _)| format!("{:?}", [name, &fingerprint(value)]);
                    format!("fields {:?}", sorted(fields.iter().map(field).collect()))
                }
                body => format!("{body:?}"),
            };
            format!("named {name:?} {variant:?} {body:?}")
        }
        scalar => format!("{scalar:?}"),
    }
}
