//! What a source makes of files, pull by pull.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::write::GzEncoder;
use insta::assert_snapshot;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::*;
use crate::jsonl::compression::{Compression, Encoder};
use crate::jsonl::{Records, Writer, read};

#[derive(Clone, Debug, PartialEq, Event, Serialize, Deserialize)]
#[event(name = "shop::Order")]
struct Order {
    id: u32,
    #[serde(default)]
    note: String,
}

fn folder_with(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("a file");
    (folder, path)
}

/// Everything a source brings in until it is done or fails, `room` events at a time.
fn pull_all<T>(source: &mut Source<T>, room: usize) -> (Vec<Event>, Result<(), ReadError>) {
    let mut events = Vec::new();
    loop {
        let before = events.len();
        let pull = source.bring_in(room, &mut |event| events.push(event));
        assert!(events.len() - before <= room, "a pull keeps to the room there is");
        match pull {
            Ok(Pull::More) => {}
            Ok(_) => return (events, Ok(())),
            Err(error) => return (events, Err(error)),
        }
    }
}

/// Loads and tells what came, with paths cut to file names. The same whatever the room is.
fn trace_load<T>(make: impl Fn() -> Source<T>, load: &Load) -> String {
    let traced = [1, 2, 3, 100].map(|room| {
        let mut source = make();
        let (events, result) = match source.ask(load) {
            Ok(()) => pull_all(&mut source, room),
            Err(error) => (Vec::new(), Err(error)),
        };
        let mut told: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
        told.extend(result.err().map(|error| error.to_string()));
        let folder = source.path.parent().expect("a folder").display().to_string() + "/";
        told.join("\n").replace(&folder, "")
    });
    assert!(traced.iter().all(|trace| *trace == traced[0]), "room changes nothing: {traced:#?}");
    traced.into_iter().next().unwrap_or_default()
}

fn trace(bytes: &[u8]) -> String {
    let (_folder, path) = folder_with("orders.jsonl", bytes);
    trace_load(|| Source::<Order>::new("order", &path), &Load::all("order"))
}

#[test]
fn each_line_is_an_event_and_the_sentinel_follows() {
    assert_snapshot!(trace(b"\xEF\xBB\xBF{\"id\":1}\r\n\n{\"id\":2,\"note\":\"x\"}"), @r#"
    Event(shop::Order "order" {"id":1,"note":""})
    Event(shop::Order "order" {"id":2,"note":"x"})
    Event(selvedge::jsonl::Exhausted "order$" {"source":"order","lines":3,"emitted":2,"rejected":0})
    "#);
    assert_snapshot!(trace(b""), @r#"Event(selvedge::jsonl::Exhausted "order$" {"source":"order","lines":0,"emitted":0,"rejected":0})"#);
}

#[test]
fn an_error_holds_line_column_and_offset_as_data() {
    let (_folder, path) = folder_with("orders.jsonl", b"\xEF\xBB\xBF\r\n{\"\xC3\xA9\":x}");
    let Some(ReadError::Malformed { line, column, offset, .. }) = prefix(&path).1 else {
        panic!("the line is malformed");
    };
    assert_eq!((line, column, offset), (2, 6, 11));
}

#[test]
fn a_malformed_line_fails_after_the_events_before_it() {
    assert_snapshot!(trace(b"{\"id\":1}\n{\"id\":x}\n{\"id\":3}\n"), @r#"
    Event(shop::Order "order" {"id":1,"note":""})
    orders.jsonl:2:7: unexpected 'x' (expected a JSON value)
    "#);
    assert_snapshot!(trace(b"{\"id\":1}\n\n{\"id\":1,\"note\":\"\xC3\xA9\xFF\"}"), @r#"
    Event(shop::Order "order" {"id":1,"note":""})
    orders.jsonl:3:18: invalid UTF-8 at byte 0xff (expected UTF-8 text)
    "#);
}

#[test]
fn a_limit_counts_events_and_leaves_the_rest_unread() {
    let (_folder, path) = folder_with("orders.jsonl", b"{\"id\":1}\n{\"id\":2}\nnonsense\n");
    let make = || Source::<Order>::new("order", &path);
    let limited = |limit| trace_load(make, &Load { limit: Some(limit), ..Load::all("order") });
    assert_snapshot!(limited(2), @r#"
    Event(shop::Order "order" {"id":1,"note":""})
    Event(shop::Order "order" {"id":2,"note":""})
    Event(selvedge::jsonl::Exhausted "order$" {"source":"order","lines":2,"emitted":2,"rejected":0})
    "#);
    assert_snapshot!(limited(0), @r#"Event(selvedge::jsonl::Exhausted "order$" {"source":"order","lines":0,"emitted":0,"rejected":0})"#);
    assert_snapshot!(limited(3), @r#"
    Event(shop::Order "order" {"id":1,"note":""})
    Event(shop::Order "order" {"id":2,"note":""})
    orders.jsonl:3:2: unexpected 'o' (expected `true`, `false` or `null`)
    "#);
}

#[test]
fn dynamic_lines_keep_every_key_or_are_malformed() {
    let (_folder, path) = folder_with("orders.jsonl", b"{\"id\":1}\n[2]\n{\"id\":3,\"id\":4}\n");
    let load = Load::all("order");
    assert_snapshot!(trace_load(|| Source::dynamic("order", &path), &load), @r#"
    Event(order {"id":1})
    Event(order [2])
    orders.jsonl:3:12: duplicate key `id` (expected each key once)
    "#);
    let of_kind = || Source::dynamic("order", &path).kind("shop::Order").on_reject(Reject::Skip);
    assert_snapshot!(trace_load(of_kind, &load), @r#"
    Event(shop::Order "order" {"id":1})
    Event(shop::Order "order" [2])
    Event(selvedge::jsonl::Exhausted "order$" {"source":"order","lines":3,"emitted":2,"rejected":1})
    "#);
}

#[test]
fn rejected_lines_are_skipped_and_counted() {
    let (_folder, path) = folder_with("orders.jsonl", b"x\n{\"id\":1}\n{\"id\":-1}\n\0\n");
    let make = || Source::<Order>::new("order", &path).on_reject(Reject::Skip);
    assert_snapshot!(trace_load(make, &Load::all("order")), @r#"
    Event(shop::Order "order" {"id":1,"note":""})
    Event(selvedge::jsonl::Exhausted "order$" {"source":"order","lines":4,"emitted":1,"rejected":3})
    "#);
}

#[test]
fn rejected_lines_are_kept_byte_for_byte() {
    let bytes = b"x\n{\"id\":1}\n\"\xFF\"\r\n{\"id\":2,\"note\":\"much too long\"}\n{\"id\":3}";
    let (folder, path) = folder_with("orders.jsonl", bytes);
    let kept = folder.path().join("rejected.jsonl");
    let limits = Limits { line_bytes_max: 20, ..Limits::default() };
    let make = || {
        let source = Source::<Order>::new("order", &path).limits(limits);
        source.on_reject(Reject::Divert(kept.clone()))
    };
    assert_snapshot!(trace_load(make, &Load::all("order")), @r#"
    Event(shop::Order "order" {"id":1,"note":""})
    Event(shop::Order "order" {"id":3,"note":""})
    Event(selvedge::jsonl::Exhausted "order$" {"source":"order","lines":5,"emitted":2,"rejected":3})
    "#);
    let folder = format!("{}/", folder.path().display());
    let kept = fs::read_to_string(&kept).expect("a reject file");
    assert_snapshot!(kept.replace(&folder, ""), @r#"
    {"file":"orders.jsonl","line":1,"column":1,"reason":"unexpected 'x' (expected a JSON value)","raw":"x"}
    {"file":"orders.jsonl","line":3,"column":2,"reason":"invalid UTF-8 at byte 0xff (expected UTF-8 text)","raw_hex":"22ff22"}
    {"file":"orders.jsonl","line":4,"column":21,"reason":"a line of 31 bytes or more (expected at most 20: raise `line_bytes_max` if such lines are meant)","raw":"{\"id\":2,\"note\":\"much","cut":true}
    "#);
}

#[test]
fn a_reject_file_begins_anew_with_the_first_load_only() {
    let (folder, path) = folder_with("orders.jsonl", b"x\n");
    let kept = folder.path().join("rejected.jsonl");
    fs::write(&kept, "stale\n").expect("a file");
    let mut source = Source::<Order>::new("order", &path).on_reject(Reject::Divert(kept.clone()));
    for loads in 1..=2 {
        source.ask(&Load::all("order")).expect("it can be opened");
        pull_all(&mut source, 10).1.expect("rejects are no errors");
        assert_eq!(read::<serde_json::Value>(&kept).count(), loads, "flushed with each pull");
    }
    source.close(Ending::Completed).expect("it can be written");
    assert_eq!(read::<serde_json::Value>(&kept).filter_map(Result::ok).count(), 2);
}

#[test]
fn a_reject_file_that_can_not_be_written_fails_the_load() {
    let (folder, path) = folder_with("orders.jsonl", b"x\n");
    let divert_to = |path: PathBuf| Reject::Divert(path);
    let missing = folder.path().join("missing").join("rejected.jsonl");
    let mut source = Source::<Order>::new("order", &path).on_reject(divert_to(missing));
    assert!(matches!(source.ask(&Load::all("order")), Err(ReadError::Divert { .. })));
    if cfg!(target_os = "linux") {
        let mut source = Source::<Order>::new("order", &path);
        source = source.on_reject(divert_to(PathBuf::from("/dev/full")));
        source.ask(&Load::all("order")).expect("it can be opened");
        let error = pull_all(&mut source, 10).1.expect_err("the disk is full");
        assert_snapshot!(error, @"can't keep a rejected line: can't write `/dev/full`: No space left on device (os error 28); free space and run again; the file may end in half a line");
    }
}

#[test]
fn files_that_are_not_there_are_told_with_their_path() {
    let (folder, path) = folder_with("orders.jsonl", b"x\n");
    let load = Load::all("order");
    let missing = folder.path().join("missing.jsonl");
    assert_snapshot!(trace_load(|| Source::<Order>::new("order", &missing), &load), @"can't open `missing.jsonl`: No such file or directory (os error 2); check the path");
    let inside = || Source::<Order>::new("order", folder.path());
    let error = inside().ask(&load).expect_err("a directory");
    assert!(matches!(error, ReadError::Directory { .. }));
    let told = error.to_string();
    assert!(told.ends_with("it is a directory; name one file in it"), "{told}");
    let itself = || Source::dynamic("order", &path).on_reject(Reject::Divert(path.clone()));
    assert!(matches!(itself().ask(&load), Err(ReadError::DivertsIntoItself { .. })));
    let missing = || Source::<Order>::new("order", &missing);
    assert!(matches!(missing().ask(&load), Err(ReadError::Open { .. })));
    assert_snapshot!(trace_load(itself, &load), @"can't divert rejected lines into `orders.jsonl`: it is the file being read");
    assert_eq!(fs::read(&path).expect("a file"), b"x\n", "it is not emptied");
}

#[test]
fn loads_wait_for_each_other_up_to_a_limit() {
    let (_folder, path) = folder_with("orders.jsonl", b"{\"id\":1}\n");
    let limits = Limits { loads_waiting_max: 2, ..Limits::default() };
    let mut source = Source::<Order>::new("order", &path).limits(limits);
    for _ in 0..3 {
        source.ask(&Load::all("order")).expect("one is under way and two may wait");
    }
    let error = source.ask(&Load::all("order")).expect_err("a third may not");
    assert!(matches!(error, ReadError::TooManyLoads { waiting: 2, .. }));
    assert_snapshot!(error, @"can't queue another load of `order`: 2 wait already; send the next one after `order$`");
    let invalid = Load { sample: 2.0, ..Load::all("order") };
    assert!(matches!(source.ask(&invalid), Err(ReadError::Sample { .. })), "it is no share");
    let (events, result) = pull_all(&mut source, 10);
    result.expect("they can be read");
    let names: Vec<Name> = events.iter().map(Event::name).collect();
    assert_eq!(names, ["order", "order$", "order", "order$", "order", "order$"]);
}

#[test]
fn a_failed_load_gives_up_those_behind_it_and_the_next_starts_over() {
    let (_folder, path) = folder_with("orders.jsonl", b"{\"id\":1}\nx\n");
    let mut source = Source::<Order>::new("order", &path);
    for _ in 0..2 {
        source.ask(&Load::all("order")).expect("it can be opened");
        source.ask(&Load::all("order")).expect("one may wait");
        let (events, result) = pull_all(&mut source, 10);
        assert_eq!((events.len(), result.is_err()), (1, true));
        assert_eq!(source.counts(), Counts { lines: 2, emitted: 1, rejected: 1 });
        assert_eq!(pull_all(&mut source, 10).0.len(), 0);
    }
}

#[test]
fn a_pull_reads_a_bounded_number_of_bytes() {
    let long = format!("{}\n", "x".repeat(1_000_000));
    let (_folder, path) = folder_with("orders.jsonl", (long + "{\"id\":1}\n").as_bytes());
    let limits = Limits { line_bytes_max: 1000, pull_bytes_max: 1000, ..Limits::default() };
    let mut source = Source::<Order>::new("order", &path).limits(limits).on_reject(Reject::Skip);
    source.ask(&Load::all("order")).expect("it can be opened");
    let mut n_pulls = 0;
    let mut events = Vec::new();
    while source.bring_in(10, &mut |event| events.push(event)).expect("it can be read")
        == Pull::More
    {
        n_pulls += 1;
    }
    assert!(n_pulls >= 3, "{n_pulls} pulls for 1 MB");
    assert_eq!(source.counts(), Counts { lines: 2, emitted: 1, rejected: 1 });
    assert_eq!(source.bring_in(0, &mut |_| ()).expect("no room is no error"), Pull::Done);
}

#[test]
fn a_sample_takes_the_same_lines_every_time() {
    let lines: String = (0..1000).map(|id| format!("{{\"id\":{id}}}\n")).collect();
    let (_folder, path) = folder_with("orders.jsonl", lines.as_bytes());
    let ids = |load: &Load| -> Vec<u32> {
        let mut source = Source::<Order>::new("order", &path);
        source.ask(load).expect("it can be opened");
        let (events, _) = pull_all(&mut source, 7);
        events.iter().filter_map(|event| event.payload::<Order>()).map(|order| order.id).collect()
    };
    let sampled = ids(&Load { sample: 0.1, seed: 1, ..Load::all("order") });
    assert_eq!((sampled.len(), &sampled[..5]), (101, &[8, 12, 14, 48, 49][..]));
    let limited = ids(&Load { sample: 0.1, seed: 1, limit: Some(5), ..Load::all("order") });
    assert_eq!(limited, sampled[..5]);
}

/// Some lines that stress encodings and numbers, and the same as values.
fn orders() -> (Vec<Order>, Vec<u8>) {
    let orders: Vec<Order> = (0..8_u32)
        .map(|n| Order {
            id: n.pow(9),
            note: ["", "é\"\\\n", "{}", "\u{1F9F5}"][n as usize % 4].into(),
        })
        .collect();
    let mut lines = Vec::new();
    for order in &orders {
        lines.extend(serde_json::to_vec(order).expect("an order is JSON"));
        lines.push(b'\n');
    }
    (orders, lines)
}

/// What can be read of a file before the first error, and whether there was one.
fn prefix(path: &Path) -> (Vec<Order>, Option<ReadError>) {
    let mut orders = Vec::new();
    for order in read::<Order>(path) {
        match order {
            Ok(order) => orders.push(order),
            Err(error) => return (orders, Some(error)),
        }
    }
    (orders, None)
}

#[test]
fn a_file_cut_anywhere_gives_whole_lines_or_an_error() {
    let (orders, lines) = orders();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("orders.jsonl");
    for cut in 0..=lines.len() {
        fs::write(&path, &lines[..cut]).expect("a file");
        let (read, error) = prefix(&path);
        assert_eq!(read, orders[..read.len()], "cut at {cut}");
        let n_newlines = lines[..cut].iter().filter(|byte| **byte == b'\n').count();
        let tail = lines[..cut].rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let is_whole = tail.ends_with(b"}") && lines[cut] == b'\n';
        assert_eq!(read.len(), n_newlines + usize::from(is_whole), "cut at {cut}");
        assert_eq!(error.is_none(), tail.is_empty() || is_whole, "cut at {cut}: {error:?}");
    }
}

#[test]
fn a_compressed_file_cut_anywhere_is_an_error() {
    let (orders, lines) = orders();
    let gzip = |lines: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(lines).and_then(|()| encoder.finish()).expect("a vector")
    };
    let zstd = |lines: &[u8]| {
        let mut encoder = Encoder::new(Compression::Zstd, Vec::new()).expect("a vector");
        encoder.write_all(lines).and_then(|()| encoder.finish()).expect("a vector")
    };
    for (name, bytes) in [("orders.jsonl.gz", gzip(&lines)), ("orders.jsonl.zst", zstd(&lines))] {
        let (_folder, path) = folder_with(name, &bytes);
        assert_eq!(prefix(&path).0, orders);
        for cut in 0..bytes.len() {
            fs::write(&path, &bytes[..cut]).expect("a file");
            let (read, error) = prefix(&path);
            assert_eq!(read, orders[..read.len()], "{name} cut at {cut}");
            let error = error.unwrap_or_else(|| panic!("{name} cut at {cut} is no error"));
            assert!(matches!(error, ReadError::Truncated { .. }), "{name} cut at {cut}: {error}");
        }
        // A bit that changed is found, if it matters: by the format, its checksum, or the line.
        for flip in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[flip] ^= 0x10;
            fs::write(&path, &bytes).expect("a file");
            let (read, error) = prefix(&path);
            assert!(error.is_some() || read == orders, "{name} changed at {flip}");
        }
    }
}

#[test]
fn members_and_frames_follow_each_other() {
    let (orders, lines) = orders();
    let (first, second) = lines.split_at(lines.len() / 2);
    let member = |part: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(part).and_then(|()| encoder.finish()).expect("a vector")
    };
    let (_folder, path) = folder_with("orders.gz", &[member(first), member(second)].concat());
    assert_eq!(prefix(&path).0, orders);
    let frame = |part: &[u8]| zstd::encode_all(part, 1).expect("a vector");
    let (_folder, path) = folder_with("orders.ZST", &[frame(first), frame(second)].concat());
    assert_eq!(prefix(&path).0, orders);
}

#[test]
fn a_damaged_compression_names_the_line_reached() {
    let told = |name: &str, bytes: &[u8]| {
        let (folder, path) = folder_with(name, bytes);
        let error = prefix(&path).1.expect("an error").to_string();
        error.replace(&format!("{}/", folder.path().display()), "")
    };
    let lines = "{\"id\":1}\n".repeat(100);
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    let bytes = encoder.write_all(lines.as_bytes()).and_then(|()| encoder.finish());
    let mut bytes = bytes.expect("a vector");
    assert_snapshot!(told("orders.gz", &bytes[..bytes.len() - 1]), @"`orders.gz` is cut off after line 100: its gzip stream has no end; get a whole copy of the file");
    let checksum = bytes.len() - 8;
    bytes[checksum] ^= 1;
    let (_folder, path) = folder_with("orders.gz", &bytes);
    assert!(matches!(prefix(&path).1, Some(ReadError::Read { line: 100, .. })));
    assert_snapshot!(told("orders.gz", &bytes), @"can't read `orders.gz` after line 100: corrupt gzip stream does not have a matching checksum; the file is damaged, or is not what its extension says");
    assert_snapshot!(told("orders.gz", lines.as_bytes()), @"can't read `orders.gz` after line 0: invalid gzip header; the file is damaged, or is not what its extension says");
    assert_snapshot!(told("orders.zst", lines.as_bytes()), @"can't read `orders.zst` after line 0: Unknown frame descriptor; the file is damaged, or is not what its extension says");
    assert_snapshot!(told("orders.gz", b""), @"`orders.gz` is cut off after line 0: its gzip stream has no end; get a whole copy of the file");
    assert_snapshot!(told("orders.zst", b""), @"`orders.zst` is cut off after line 0: its zstd stream has no end; get a whole copy of the file");
}

#[test]
fn what_a_source_hears_depends_on_how_it_starts() {
    let heard = |interests: Interests| -> Vec<String> {
        interests.as_slice().iter().map(ToString::to_string).collect()
    };
    let source = Source::<Order>::new("order", "orders.jsonl");
    assert_eq!(source.default_priority(), 100);
    assert_eq!(heard(source.interests()), ["selvedge::jsonl::Load [order]"]);
    assert_eq!(
        heard(source.at_start().interests()),
        ["selvedge::jsonl::Load [order]", "selvedge::Init"]
    );
}

proptest! {
    #[test]
    fn no_bytes_upset_a_reader(
        bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), Just(b'\n'), Just(b'"'), Just(b'{'), Just(b'1')], 0..80
        ),
        line_bytes_max in 1_usize..40,
    ) {
        let (_folder, path) = folder_with("any.jsonl", &bytes);
        let limits = Limits { line_bytes_max, ..Limits::default() };
        let records: Records<serde_json::Value> = read(&path).limits(limits);
        let n_lines = bytes.split(|byte| *byte == b'\n').count();
        prop_assert!(records.count() <= n_lines);
    }

    #[test]
    fn what_is_written_is_read(
        values: Vec<(Option<i64>, String)>,
        name in "[a-z]{1,8}(\\.gz|\\.zst)?",
    ) {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(name);
        let mut writer = Writer::atomic(&path)?;
        for value in &values {
            writer.write(value)?;
        }
        prop_assert_eq!(writer.finish()?.lines, values.len() as u64);
        let read: Vec<(Option<i64>, String)> = read(&path).collect::<Result<_, _>>()?;
        prop_assert_eq!(read, values);
    }
}
