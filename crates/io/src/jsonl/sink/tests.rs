//! What a sink makes of events and endings.

use std::fs;

use insta::assert_snapshot;
use selvedge_event::{Kind, Named};
use serde_json::json;
use tempfile::TempDir;

use super::*;

#[derive(Serialize)]
struct Order {
    id: u32,
    price: f64,
}

impl Payload for Order {
    fn kind() -> Kind {
        Kind::literal("shop::Order")
    }
}

fn order(id: u32) -> Event {
    Event::new(Named("sold", Order { id, price: 0.5 }))
}

fn folder_with_old_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("orders.jsonl");
    fs::write(&path, "old\n").expect("a file");
    (folder, path)
}

/// The file after a run that hears two orders and ends, or does not end, in this way.
fn trace(make: impl Fn(Sink<Order>) -> Sink<Order>, ending: Option<Ending>) -> String {
    let (folder, path) = folder_with_old_file();
    let mut sink = make(Sink::new(&path));
    sink.writer().expect("it can be opened");
    for id in [1, 2] {
        sink.take(&order(id)).expect("there is room");
    }
    if let Some(ending) = ending {
        sink.end(ending).expect("there is room");
        assert!(matches!(sink.take(&order(3)), Err(WriteError::Closed { .. })));
        assert_eq!(sink.written().lines, 2);
    }
    drop(sink);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left over");
    fs::read_to_string(&path).expect("a file")
}

#[test]
fn only_a_run_that_completed_replaces_the_file() {
    assert_snapshot!(trace(|sink| sink, Some(Ending::Completed)), @r#"
    {"id":1,"price":0.5}
    {"id":2,"price":0.5}
    "#);
    assert_snapshot!(trace(|sink| sink, Some(Ending::Stopped)), @"old");
    assert_snapshot!(trace(|sink| sink, Some(Ending::Interrupted)), @"old");
    assert_snapshot!(trace(|sink| sink.flush(Flush::EveryLine), None), @"old");
}

#[test]
fn a_file_written_in_place_keeps_lines_whatever_the_ending() {
    for ending in [Some(Ending::Completed), Some(Ending::Interrupted), None] {
        let lines = "{\"id\":1,\"price\":0.5}\n{\"id\":2,\"price\":0.5}\n";
        assert_eq!(trace(Sink::append, ending), format!("old\n{lines}"));
        assert_eq!(trace(Sink::truncate, ending), lines);
        assert_eq!(trace(|sink| sink.truncate().flush(Flush::AtClose), ending), lines);
    }
}

#[test]
fn a_run_without_events_writes_an_empty_file_only_if_it_began() {
    let (_folder, path) = folder_with_old_file();
    let mut sink = Sink::<Order>::new(&path);
    sink.end(Ending::Completed).expect("nothing was opened");
    assert_eq!(fs::read_to_string(&path).expect("a file"), "old\n");
    let mut sink = Sink::<Order>::new(&path);
    sink.writer().expect("it can be opened");
    sink.end(Ending::Completed).expect("there is room");
    assert_eq!(fs::read_to_string(&path).expect("a file"), "");
}

#[test]
fn other_payloads_under_the_name_are_ignored() {
    let (_folder, path) = folder_with_old_file();
    let mut typed = Sink::<Order>::new(&path);
    let dynamic_order = Event::new(Dynamic::new("shop::Order", json!({"id": 3})).named("sold"));
    for event in [order(1), dynamic_order.clone()] {
        typed.take(&event).expect("there is room");
    }
    typed.end(Ending::Completed).expect("there is room");
    assert_snapshot!(fs::read_to_string(&path).expect("a file"), @r#"{"id":1,"price":0.5}"#);
    let mut dynamic = Sink::dynamic(&path, "sold");
    for event in [order(1), dynamic_order] {
        dynamic.take(&event).expect("there is room");
    }
    dynamic.end(Ending::Completed).expect("there is room");
    assert_snapshot!(fs::read_to_string(&path).expect("a file"), @r#"{"id":3}"#);
}

#[test]
fn a_value_that_is_no_json_fails_its_turn_and_no_other() {
    let (_folder, path) = folder_with_old_file();
    let mut sink = Sink::<Order>::new(&path);
    let refused = Event::new(Order { id: 2, price: f64::INFINITY });
    sink.take(&order(1)).expect("there is room");
    assert!(matches!(sink.take(&refused), Err(WriteError::NotFinite { line: 2, .. })));
    sink.take(&order(3)).expect("there is room");
    sink.end(Ending::Completed).expect("there is room");
    assert_snapshot!(fs::read_to_string(&path).expect("a file"), @r#"
    {"id":1,"price":0.5}
    {"id":3,"price":0.5}
    "#);
}

#[test]
fn a_folder_that_is_missing_fails_before_the_work() {
    let (folder, _path) = folder_with_old_file();
    let mut sink = Sink::<Order>::new(folder.path().join("missing").join("orders.jsonl"));
    assert!(matches!(sink.writer(), Err(WriteError::Io { operation: "create", .. })));
}

#[test]
fn a_sink_hears_the_lifecycle_and_its_payload() {
    let heard = |interests: Interests| -> Vec<String> {
        interests.as_slice().iter().map(ToString::to_string).collect()
    };
    let lifecycle = ["selvedge::Init", "selvedge::Poison"];
    let typed = Sink::<Order>::new("orders.jsonl");
    assert_eq!(typed.default_priority(), -100);
    assert_eq!(heard(typed.interests()), [&lifecycle[..], &["shop::Order"]].concat());
    let named = typed.hears_only("sold");
    assert_eq!(heard(named.interests()), [&lifecycle[..], &["shop::Order \"sold\""]].concat());
    let dynamic = Sink::dynamic("orders.jsonl", "sold");
    assert_eq!(heard(dynamic.interests()), [&lifecycle[..], &["any \"sold\""]].concat());
}
