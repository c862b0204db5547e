//! Marked sets: order doesn't count, equal elements are refused, other formats see a sequence.

use std::collections::{BTreeSet, HashMap, HashSet};

use selvedge_event::digest::set::Set;
use selvedge_event::digest::{self, DigestProblem};
use selvedge_event::{Digest, DigestError};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Ticket {
    #[serde(with = "selvedge_event::digest::set")]
    labels: HashSet<String>,
    #[serde(with = "selvedge_event::digest::set")]
    watchers: Option<BTreeSet<u32>>,
}

fn of<T: Serialize + ?Sized>(value: &T) -> Digest {
    Digest::of(value).expect("the value has a digest")
}

fn problem<T: Serialize>(value: &T) -> DigestProblem {
    Digest::of(value).expect_err("the value has no digest").problem().clone()
}

#[test]
fn order_does_not_count() {
    let elements = [
        "a",
        "b",
        "an element of more than ninety-six bytes when encoded, which is \
        why its place in the order is that of its hash",
    ];
    let mut turned = elements;
    for _ in 0..elements.len() {
        turned.rotate_left(1);
        assert_eq!(of(&Set(turned)), of(&Set(elements)));
        assert_eq!(digest::encode(&Set(turned)), digest::encode(&Set(elements)));
    }
    assert_eq!(of(&Set(BTreeSet::from([1, 2]))), of(&Set(vec![2, 1])));
    assert_ne!(of(&Set([1, 2])), of(&[1, 2]));
    assert_ne!(of(&Set([1, 2])), of(&Set([1, 3])));
    assert_eq!(of(&Set(Set([1]))), of(&Set([1])));
    let erased: &dyn erased_serde::Serialize = &Set([2, 1]);
    assert_eq!(of(erased), of(&Set([1, 2])));
}

#[test]
fn elements_may_be_anything() {
    let nested = |order: [u8; 3]| {
        Set(order.map(|n| HashMap::from([(n, Some(Set(vec![n, n + 1]))), (n + 1, None)])))
    };
    assert_eq!(of(&nested([1, 2, 3])), of(&nested([3, 1, 2])));
    assert_ne!(of(&nested([1, 2, 3])), of(&nested([1, 2, 4])));
}

#[test]
fn json_shows_a_sequence_and_reads_it_back() {
    let ticket = Ticket { labels: ["urgent".to_owned()].into(), watchers: Some([2, 1].into()) };
    let text = serde_json::to_string(&ticket).expect("JSON can show it");
    assert_eq!(text, r#"{"labels":["urgent"],"watchers":[1,2]}"#);
    assert_eq!(serde_json::from_str::<Ticket>(&text).expect("JSON reads it"), ticket);
    assert_eq!(serde_json::from_str::<Set<Vec<u8>>>("[1]").expect("JSON reads it"), Set(vec![1]));
}

#[test]
fn equal_elements_are_refused() {
    let element = "1".to_owned();
    assert_eq!(problem(&Set([2u64, 1, 1])), DigestProblem::DuplicateElement { element });
    let element = "of more than 96 bytes".to_owned();
    let long = "x".repeat(200);
    assert_eq!(problem(&Set([&long, &long])), DigestProblem::DuplicateElement { element });
}

#[test]
fn only_sequences_can_be_marked() {
    #[derive(Serialize)]
    struct Pair(HashSet<u8>, u8);
    #[derive(Serialize)]
    struct Fields {
        set: HashSet<u8>,
    }
    let refused = DigestProblem::NotASequence;
    assert_eq!(problem(&Set(1)), refused);
    assert_eq!(problem(&Set("text")), refused);
    assert_eq!(problem(&Set(Pair(HashSet::new(), 1))), refused);
    assert_eq!(problem(&Set(Fields { set: HashSet::new() })), refused);
    assert_eq!(problem(&Set(HashMap::from([(1, [1])]))), refused);
    assert_eq!(problem(&Set(Some(HashMap::from([(1, [1])])))), refused);
}

#[test]
fn an_absent_set_is_none() -> Result<(), DigestError> {
    let ticket = |watchers| Ticket { labels: HashSet::new(), watchers };
    assert_ne!(Digest::of(&ticket(None))?, Digest::of(&ticket(Some(BTreeSet::new())))?);
    Ok(())
}
