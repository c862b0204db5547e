//! The format of blocks: what was written is read, for ever, and damage is told.

use std::time::Duration;

use proptest::prelude::*;
use selvedge_event::{Canceller, Code, Digest, Outcome, Signature, Text};

use super::*;
use crate::record::Input;
use crate::segments::wire::Malformed;
use crate::time::Timestamp;

fn digest(n: u8) -> Digest {
    Digest::from_bytes([n; 32])
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let by = vec![Canceller::User, Canceller::ClientClosed, Canceller::Parent, Canceller::Signal];
    prop_oneof![
        Just(Outcome::Succeeded),
        (any::<String>(), any::<bool>())
            .prop_map(|(error, panicked)| Outcome::Failed { error, panicked }),
        any::<String>().prop_map(|reason| Outcome::Skipped { reason }),
        Just(Outcome::TimedOut),
        proptest::sample::select(by).prop_map(|by| Outcome::Cancelled { by }),
        Just(Outcome::Suspended),
        Just(Outcome::Abandoned),
    ]
}

fn signatures() -> impl Strategy<Value = Signature> {
    let code = prop_oneof![
        any::<u8>().prop_map(|n| Code::Hash(digest(n))),
        ("[a-c]", "[1-3]").prop_map(|(subject, version)| Code::Version {
            subject: Text::from(subject.as_str()),
            version: Text::from(version.as_str()),
        }),
    ];
    (code, proptest::option::of(any::<u8>().prop_map(digest)))
        .prop_map(|(code, constants)| Signature::from_parts(code, constants))
}

fn record() -> impl Strategy<Value = Record> {
    let kinds =
        vec![StepKind::Turn, StepKind::Build, StepKind::Node, StepKind::Step, StepKind::MapItem];
    let input = ("[a-c]", proptest::option::of("[a-c]{0,2}"), any::<u8>()).prop_map(
        |(name, step, value)| Input {
            name: Text::from(name.as_str()),
            step: step.map(|step| Text::from(step.as_str())),
            digest: digest(value),
        },
    );
    let whose = (0..3_u8, "[a-c]{0,2}", proptest::sample::select(kinds), signatures());
    let values = (
        proptest::collection::vec(input, 0..4),
        proptest::collection::vec(any::<u8>().prop_map(digest), 0..3),
    );
    let how = (outcome(), proptest::option::of(0..3_u8), any::<u32>());
    let when = (any::<u64>(), any::<u64>(), proptest::option::of(any::<u32>()));
    (whose, values, how, when).prop_map(|(whose, values, how, when)| Record {
        run: RunId::from_bytes([whose.0; 16]),
        step: Text::from(whose.1.as_str()),
        kind: whose.2,
        signature: whose.3,
        inputs: values.0,
        outputs: values.1,
        outcome: how.0,
        reused_from: how.1.map(|run| RunId::from_bytes([run; 16])),
        attempt: how.2,
        started_at: Timestamp::from_nanos(when.0),
        own_duration: Duration::from_nanos(when.1),
        worker: when.2,
    })
}

fn read(key: u64, bytes: &[u8]) -> Result<Vec<Placed>, Malformed> {
    Records::open(key, bytes)?.collect()
}

proptest! {
    #[test]
    fn a_block_is_read_as_it_was_written(
        key in 0..1_u64 << 50,
        records in proptest::collection::vec((0..9_u64, record()), 0..9),
    ) {
        let mut next = key;
        let mut placed = Vec::new();
        for (gap, record) in records {
            placed.push(Placed { position: next + gap, record });
            next += gap + 1;
        }
        let written = placed.iter().map(|placed| (placed.position, &placed.record));
        prop_assert_eq!(read(key, &encode(key, placed.len(), written)), Ok(placed));
    }

    #[test]
    fn damage_is_an_error_or_other_records_and_never_a_panic(
        records in proptest::collection::vec(record(), 1..4),
        at: proptest::sample::Index,
        flip in 1..=u8::MAX,
        cut: bool,
    ) {
        let mut bytes = encode(0, records.len(), (0..).zip(&records));
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
            prop_assert!(read(0, &bytes).is_err());
        } else {
            bytes[at] ^= flip;
            let _ = read(0, &bytes);
        }
    }
}

/// What version 1 wrote. If this test fails the format has changed: give it a new version, and keep
/// reading this one.
#[test]
fn version_1_is_read_for_ever() {
    let failed = Outcome::Failed { error: "no tea".to_owned(), panicked: true };
    let run = RunId::from_bytes([1; 16]);
    let first = Record::new(run, "load", Signature::of_code([2; 32]))
        .kind(StepKind::Turn)
        .input("day", None, digest(3))
        .output(digest(4))
        .at(Timestamp::from_nanos(1_000), Duration::from_nanos(200));
    let mut second = Record::new(run, "bill", Signature::of_version("shop::Bill", "7"))
        .input("order", Some("load"), digest(4))
        .outcome(failed)
        .at(Timestamp::from_nanos(900), Duration::from_nanos(5));
    second.worker = Some(1);
    second.reused_from = Some(RunId::from_bytes([5; 16]));
    let records = [(10, &first), (12, &second)];
    let bytes = encode(10, 2, records.into_iter());
    let hex: Vec<String> = bytes
        .chunks(32)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    insta::assert_snapshot!(hex.join("\n"), @r"
        0102010101010101010101010101010101010505050505050505050505050505
        050506046c6f6164036461790462696c6c056f726465720a73686f703a3a4269
        6c6c013702000202020202020202020202020202020202020202020202020202
        0202020202020001040500020000000000010100030303030303030303030303
        0303030303030303030303030303030303030303010404040404040404040404
        040404040404040404040404040404040404040404000001d00fc80100010002
        0301010301040404040404040404040404040404040404040404040404040404
        04040404040002066e6f207465610201c7010502
        ");
    let placed = records.map(|(position, record)| Placed { position, record: record.clone() });
    assert_eq!(read(10, &bytes), Ok(placed.to_vec()));
}
