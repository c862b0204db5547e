//! Files in: loads and their limits, samples, malformed lines, sentinels, names, backpressure.

use std::sync::atomic::{AtomicI64, Ordering};

use insta::assert_snapshot;
use selvedge::io::jsonl::{Load, Reject, Source};
use selvedge::prelude::*;
use selvedge::runtime::PipelineBuilder;
use serde::{Deserialize, Deserializer};

use super::{Folder, Hear, Row, rows, run, run_on};
use crate::routing::Log;

/// A pipeline whose source `name` reads this file, and the log of what comes of it.
fn reading(folder: &Folder, policy: Reject) -> (PipelineBuilder, Log) {
    let log = Log::default();
    let source = Source::<Row>::new("name", folder.path("rows.jsonl")).on_reject(policy);
    (Pipeline::builder().processor(source).processor(Hear(log.clone())), log)
}

/// What a load brings in, or why it fails.
fn check(folder: &Folder, policy: Reject, loads: impl IntoIterator<Item = Load>) -> String {
    let (builder, log) = reading(folder, policy);
    match run_on(builder, loads) {
        Ok(_) => log.lines().join("\n"),
        Err(error) => folder.told(&error),
    }
}

#[test]
fn a_limit_of_two_of_three_lines_brings_two_items_and_the_sentinel() {
    let folder = Folder::with_rows("rows.jsonl", 3);
    let two = Load { limit: Some(2), ..Load::all("name") };
    assert_snapshot!(check(&folder, Reject::Fail, [two]), @r"
    name 0
    name 1
    name$ of name: 2 lines, 2 emitted, 0 rejected
    ");
    let more = Load { limit: Some(4), ..Load::all("name") };
    assert_snapshot!(check(&folder, Reject::Fail, [more]), @r"
    name 0
    name 1
    name 2
    name$ of name: 3 lines, 3 emitted, 0 rejected
    ");
    let none = Load { limit: Some(0), ..Load::all("name") };
    assert_snapshot!(check(&folder, Reject::Fail, [none]), @"name$ of name: 0 lines, 0 emitted, 0 rejected");
}

#[test]
fn a_malformed_line_fails_the_run_with_its_place() {
    let folder = Folder::new();
    folder.put("rows.jsonl", "{\"id\":1}\n{\"id\":oops}\n{\"id\":3}\n");
    assert_snapshot!(check(&folder, Reject::Fail, [Load::all("name")]), @"source `Source` failed: rows.jsonl:2:7: unexpected 'o' (expected a JSON value)");
    folder.put("rows.jsonl", "{\"id\":1}\n{\"id\":\"2\"}\n{\"id\":3}\n");
    assert_snapshot!(check(&folder, Reject::Fail, [Load::all("name")]), @r#"source `Source` failed: rows.jsonl:2:9: invalid type: string "2" (expected u32)"#);
    // What is beyond the limit is not looked at.
    let one = Load { limit: Some(1), ..Load::all("name") };
    assert_snapshot!(check(&folder, Reject::Fail, [one]), @r"
    name 1
    name$ of name: 1 lines, 1 emitted, 0 rejected
    ");
}

#[test]
fn what_came_before_a_malformed_line_is_heard_and_the_sentinel_never() {
    for workers in [1, 2, 4] {
        let folder = Folder::new();
        folder.put("rows.jsonl", &(rows(0..100) + "oops\n"));
        let (builder, log) = reading(&folder, Reject::Fail);
        let error = run_on(builder.workers(workers), [Load::all("name")]).expect_err("a bad line");
        assert!(folder.told(&error).contains("rows.jsonl:101:1: unexpected 'o'"), "{error}");
        assert!(matches!(error, RunError::Pull { panicked: false, .. }), "{error:?}");
        let heard = log.lines();
        let expected: Vec<String> = (0..100).map(|id| format!("name {id}")).collect();
        assert_eq!(heard, expected[..heard.len()], "a failed run may hear less, in order");
    }
}

#[test]
fn a_file_that_is_not_there_fails_the_load_that_asks_for_it() {
    let folder = Folder::new();
    assert_snapshot!(check(&folder, Reject::Skip, [Load::all("name")]), @"processor `Source` failed on selvedge::jsonl::Load [name]: can't open `rows.jsonl`: No such file or directory (os error 2); check the path");
    // Nobody asks.
    assert_eq!(check(&folder, Reject::Fail, []), "");
}

#[test]
fn rejected_lines_are_skipped_and_counted() {
    let folder = Folder::new();
    folder.put("rows.jsonl", "{\"id\":1}\n\noops\n{\"id\":2}\n{\"id\":-3}\n{\"id\":4}");
    assert_snapshot!(check(&folder, Reject::Skip, [Load::all("name")]), @r"
    name 1
    name 2
    name 4
    name$ of name: 6 lines, 3 emitted, 2 rejected
    ");
    let limited = Load { limit: Some(2), ..Load::all("name") };
    assert_snapshot!(check(&folder, Reject::Skip, [limited]), @r"
    name 1
    name 2
    name$ of name: 4 lines, 2 emitted, 1 rejected
    ");
}

#[test]
fn rejected_lines_are_diverted_into_a_file() {
    let folder = Folder::new();
    folder.put("rows.jsonl", "{\"id\":1}\noops\n{\"id\":\"2\"}\n{\"id\":3}\n");
    let policy = Reject::Divert(folder.path("bad.jsonl"));
    assert_snapshot!(check(&folder, policy.clone(), [Load::all("name")]), @r"
    name 1
    name 3
    name$ of name: 4 lines, 2 emitted, 2 rejected
    ");
    let told = folder.text("bad.jsonl").replace(&format!("{}/", folder.0.path().display()), "");
    assert_snapshot!(told, @r#"
    {"file":"rows.jsonl","line":2,"column":1,"reason":"unexpected 'o' (expected a JSON value)","raw":"oops"}
    {"file":"rows.jsonl","line":3,"column":9,"reason":"invalid type: string \"2\" (expected u32)","raw":"{\"id\":\"2\"}"}
    "#);
    // It is JSON Lines itself, and can be loaded.
    let log = Log::default();
    let builder = Pipeline::builder()
        .processor(Source::dynamic("bad", folder.path("bad.jsonl")).at_start())
        .processor(Values(log.clone()));
    run(builder).expect("the reject file is sound");
    assert_snapshot!(log.lines().join("\n"), @r#"
    line 2: "oops"
    line 3: "{\"id\":\"2\"}"
    "#);
}

/// Hears dynamic events under three names.
struct Values(Log);

#[processor(strict)]
impl Processor for Values {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Event { name: "bad", value, .. } => {
                self.0.add(format!("line {}: {}", value["line"], value["raw"]));
            }
            Event { name: "orders", value, .. } => self.0.add(format!("order {}", value["id"])),
            Event { name: "refunds", value, .. } => self.0.add(format!("refund {}", value["id"])),
        }
        Ok(())
    }
}

#[test]
fn untyped_lines_are_routed_by_the_name_of_their_source() {
    let folder = Folder::new();
    folder.put("orders.jsonl", &rows([1, 2]));
    folder.put("refunds.jsonl", &rows([2]));
    folder.put("others.jsonl", &rows([7]));
    for workers in [1, 2] {
        let values = Log::default();
        let source =
            |name: &str| Source::dynamic(name, folder.path(&format!("{name}.jsonl"))).at_start();
        let builder = Pipeline::builder()
            .processor(source("orders").kind("shop::Order"))
            .processor(source("refunds"))
            .processor(source("others"))
            .processor(Values(values.clone()))
            .workers(workers);
        let report = run(builder).expect("the files are sound");
        let mut heard = values.lines();
        heard.sort();
        assert_eq!(heard, ["order 1", "order 2", "refund 2"]);
        // The third source's line, and three sentinels.
        assert_eq!(report.unrouted, 4);
    }
}

#[test]
fn a_load_takes_the_sample_that_its_seed_says() {
    let folder = Folder::with_rows("rows.jsonl", 1_000);
    let ids = |load: Load| -> Vec<u32> {
        let heard = check(&folder, Reject::Fail, [load]);
        let rows = heard.lines().filter_map(|line| line.strip_prefix("name "));
        rows.map(|id| id.parse().expect("a row has a number")).collect()
    };
    let sample = |seed| ids(Load { sample: 0.1, seed, ..Load::all("name") });
    assert_eq!(sample(1), sample(1));
    assert_ne!(sample(1), sample(2));
    assert_eq!((sample(1).len(), &sample(1)[..5]), (101, &[8, 12, 14, 48, 49][..]));
    let limited = ids(Load { sample: 0.1, seed: 1, limit: Some(7), ..Load::all("name") });
    assert_eq!(limited, sample(1)[..7]);
    assert!(ids(Load { sample: 0.0, ..Load::all("name") }).is_empty());
    assert_snapshot!(check(&folder, Reject::Fail, [Load { sample: 1.1, ..Load::all("name") }]), @"processor `Source` failed on selvedge::jsonl::Load [name]: can't load `name` with sample 1.1: give a number from 0 to 1");
}

#[test]
fn two_loads_follow_each_other() {
    let folder = Folder::with_rows("rows.jsonl", 2);
    let first = Load { limit: Some(1), ..Load::all("name") };
    assert_snapshot!(check(&folder, Reject::Fail, [first, Load::all("name")]), @r"
    name 0
    name$ of name: 1 lines, 1 emitted, 0 rejected
    name 0
    name 1
    name$ of name: 2 lines, 2 emitted, 0 rejected
    ");
}

#[test]
fn a_load_is_heard_by_the_source_it_names() {
    let folder = Folder::with_rows("rows.jsonl", 1);
    let other = Folder::with_rows("rows.jsonl", 2);
    let (builder, log) = reading(&folder, Reject::Fail);
    let builder = builder.processor(Source::<Row>::new("other", other.path("rows.jsonl")));
    let loads = [Load::all("other"), Load::all("nobody")];
    let report = run_on(builder, loads).expect("the files are sound");
    assert_eq!(report.unrouted, 1, "nobody hears a load of an unknown name");
    assert_snapshot!(log.lines().join("\n"), @r"
    other 0
    other 1
    other$ of other: 2 lines, 2 emitted, 0 rejected
    ");
}

#[test]
fn a_sentinel_may_ask_for_the_next_load() {
    /// Loads `name` again and again, a row more each time.
    struct Again {
        n: u64,
    }
    #[processor(strict)]
    impl Processor for Again {
        fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Event { name: "name$", .. } if self.n < 3 => {
                    self.n += 1;
                    cx.emit(Load { limit: Some(self.n), ..Load::all("name") });
                }
            }
            Ok(())
        }
    }
    let folder = Folder::with_rows("rows.jsonl", 3);
    let (builder, log) = reading(&folder, Reject::Fail);
    let first = Load { limit: Some(0), ..Load::all("name") };
    run_on(builder.processor(Again { n: 0 }), [first]).expect("the file is sound");
    assert_snapshot!(log.lines().join("\n"), @r"
    name$ of name: 0 lines, 0 emitted, 0 rejected
    name 0
    name$ of name: 1 lines, 1 emitted, 0 rejected
    name 0
    name 1
    name$ of name: 2 lines, 2 emitted, 0 rejected
    name 0
    name 1
    name 2
    name$ of name: 3 lines, 3 emitted, 0 rejected
    ");
}

/// Rows that are alive, now and at most.
static ALIVE: AtomicI64 = AtomicI64::new(0);
static ALIVE_MAX: AtomicI64 = AtomicI64::new(0);

/// A row that is counted while it is alive.
#[derive(Event)]
struct Counted;

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Counted, D::Error> {
        Row::deserialize(deserializer)?;
        let alive = ALIVE.fetch_add(1, Ordering::Relaxed) + 1;
        ALIVE_MAX.fetch_max(alive, Ordering::Relaxed);
        Ok(Counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_file_is_read_as_there_is_room() {
    const N: u32 = 50_000;
    let folder = Folder::with_rows("rows.jsonl", N);
    for workers in [1, 2, 4] {
        let mut limits = Limits::default();
        (limits.in_flight_max, limits.pull_max) = (200, 50);
        ALIVE_MAX.store(0, Ordering::Relaxed);
        let source = Source::<Counted>::new("row", folder.path("rows.jsonl")).at_start();
        let slow = on("slow", |_: &mut Context<'_>, _: &Counted| {
            (0..20).for_each(|_| std::hint::spin_loop());
            Ok(())
        });
        let builder = Pipeline::builder().processor(source).processor(slow);
        let report = run(builder.limits(limits).workers(workers)).expect("the file is sound");
        assert_eq!(report.processor("slow").expect("it is registered").turns, u64::from(N));
        assert_eq!(ALIVE.load(Ordering::Relaxed), 0, "all are gone in the end");
        // What is in flight, a pull under way, and a batch in the hands of its consumer.
        let most = ALIVE_MAX.load(Ordering::Relaxed);
        assert!((1..=200 + 50 + 128).contains(&most), "{most} rows at once");
    }
}
