//! What comes back, and what doesn't.

use insta::assert_snapshot;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, PartialEq, crate::Event, Serialize, Deserialize)]
struct Price(f64);

#[derive(crate::Event, Serialize, Deserialize)]
#[event(version = 2)]
struct Word {
    #[serde(serialize_with = "shout")]
    text: String,
}

/// Doesn't read what it writes.
fn shout<S: serde::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{text}!"))
}

#[derive(crate::Event, Serialize, Deserialize)]
struct Table(Vec<(u8, u8)>, #[serde(with = "pairs")] Pairs);

type Pairs = Vec<((u8, u8), u8)>;

mod pairs {
    use super::Pairs;

    pub(super) fn serialize<S: serde::Serializer>(
        pairs: &[((u8, u8), u8)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(_: D) -> Result<Pairs, D::Error> {
        Ok(Vec::new())
    }
}

/// Version 1 was a text.
#[derive(crate::Event, Serialize, Deserialize)]
#[event(version = 3, upgrade = older_cup)]
struct Cup {
    n_bags: u32,
}

fn older_cup(version: u32, json: &str) -> Result<Cup, Box<dyn std::error::Error + Send + Sync>> {
    match version {
        1 => Ok(Cup { n_bags: serde_json::from_str::<String>(json)?.parse()? }),
        _ => Err(format!("version {version} held something else").into()),
    }
}

fn codecs() -> Codecs {
    Codecs::of::<(Price, Vec<Word>, Option<Table>, Cup)>()
}

fn line(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line += &format!(": {cause}");
        source = cause.source();
    }
    line
}

/// There and back.
fn check(event: &Event) -> String {
    let encoded = match codecs().encode(event) {
        Ok(encoded) => serde_json::to_string(&encoded).expect("it is plain data"),
        Err(error) => return line(&error),
    };
    read(&encoded)
}

fn read(written: &str) -> String {
    let encoded: Encoded = serde_json::from_str(written).expect("it is its own");
    match codecs().decode(&encoded) {
        Ok(event) => format!("{event:?}"),
        Err(error) => line(&error),
    }
}

#[test]
fn an_event_comes_back_as_it_was() {
    assert_snapshot!(check(&Event::new(Price(0.1))), @"Event(selvedge-event::Price 0.1)");
    assert_snapshot!(check(&Event::new(Named("tea", Price(-0.0)))), @r#"Event(selvedge-event::Price "tea" -0.0)"#);
    let dynamic = Dynamic::new("sold", serde_json::json!({"n": 3})).named("tea").keyed(7);
    assert_snapshot!(check(&Event::new(dynamic)), @r#"Event(sold "tea" [7] {"n":3})"#);
}

#[test]
fn what_would_not_come_back_is_refused_when_it_is_written() {
    assert_snapshot!(check(&Event::new(crate::Phase { number: 1 })), @"selvedge::Phase is of a type that was not declared: add it to what is emitted, which is `selvedge-event::Price`, `selvedge-event::Word`, `selvedge-event::Table`, `selvedge-event::Cup`");
    assert_snapshot!(check(&Event::new(Price(f64::NAN))), @"selvedge-event::Price can't be kept: NaN has no digest, give a missing number as an Option");
    assert_snapshot!(check(&Event::new(Table(Vec::new(), vec![((1, 2), 3)]))), @"selvedge-event::Table can't be written as JSON: key must be a string");
}

#[test]
fn what_came_back_as_something_else_is_told() {
    assert_snapshot!(check(&Event::new(Word { text: "tea".into() })), @"`selvedge-event::Word` comes back as b3:aa66ac9eb6727835febab8194e807dd0b69dd8f0f267d6a818a14094d42830ae, but was written as b3:8269fb6a292cfb7f1301e245cb7f2f1e446a755b7d63f2ee89b1cd62e6df8dbb: the bytes are damaged, or the type doesn't read what it writes");
    let digest = Digest::of(&Price(2.0)).expect("it has one");
    let written = |kind: &str, version: u32, value: &str| {
        read(&format!(
            r#"{{"kind":"selvedge-event::{kind}","version":{version},
            "digest":"{digest}","value":{value}}}"#
        ))
    };
    assert_snapshot!(written("Price", 1, "2.0"), @"Event(selvedge-event::Price 2.0)");
    assert_snapshot!(written("Price", 1, "3.0"), @"`selvedge-event::Price` comes back as b3:61dc52a0bb057a3c69eae310ecc1b6f1dd307fd4f8ac691c4a18a7f331abc5fd, but was written as b3:9fab915dbb1fa3ca7d4a5272433c792cd454fc96f7cbe3db68f68515f5602c6e: the bytes are damaged, or the type doesn't read what it writes");
    assert_snapshot!(written("Price", 1, "\"2\""), @r#"what is written of `selvedge-event::Price` can't be read as `selvedge_event::codec::tests::Price`: invalid type: string "2", expected f64 at line 1 column 3"#);
    assert_snapshot!(written("Price", 3, "2.0"), @"`selvedge-event::Price` is written in version 3, and the program has version 1");
    assert_snapshot!(written("Cup", 1, "\"3\""), @"Event(selvedge-event::Cup {\"n_bags\":3})");
    assert_snapshot!(written("Cup", 2, "\"many\""), @"`selvedge-event::Cup` is written in version 2, and can't be made one of 3: version 2 held something else");
    assert_snapshot!(written("Cup", 4, "3"), @"`selvedge-event::Cup` is written in version 4, and the program has version 3");
    assert_snapshot!(written("Prize", 1, "2.0"), @"selvedge-event::Prize is of a type that was not declared: add it to what is emitted, which is `selvedge-event::Price`, `selvedge-event::Word`, `selvedge-event::Table`, `selvedge-event::Cup`");
}
