//! Events enter graphs as artifacts, and artifacts leave them as events: typed and dynamic ones.

use std::fs;

use insta::assert_snapshot;
use selvedge::event::Dynamic;
use selvedge::io::jsonl::{Load, Sink, Source};
use selvedge::prelude::*;
use selvedge::reactive::{Action, JsonType, Reactive, Target, builder, from_dynamic, from_events};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{everywhere, on_threads, simulated};

#[derive(Clone, Debug, Event, Serialize, Deserialize)]
struct Sale {
    cents: u64,
}

#[test]
fn a_file_of_rows_goes_through_a_graph_that_is_made_of_names() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (prices, names) = (folder.path().join("prices.jsonl"), folder.path().join("names.jsonl"));
    fs::write(&prices, "{\"cents\": 450}\n{\"cents\": 120}\n")?;
    fs::write(&names, "\"tea\"\n\"jam\"\n")?;
    let out = folder.path().join("rows.jsonl");

    // As a file might say it: which targets there are, what they are, and what is made of them.
    let object = JsonType::object([("cents", JsonType::Integer)]);
    let mut graph = Reactive::new("shop");
    for (target, of_type) in [("prices", object), ("names", JsonType::String)] {
        let entry = from_dynamic(target).of_type(of_type).asking(Load::all(target));
        graph.add(entry);
    }
    let rows = builder(
        "rows",
        vec!["names", "prices"],
        |row: &[&Value]| json!({"name": row[0], "cents": row[1]["cents"]}),
    );
    let rows = graph.add(rows.made_as(JsonType::object([("name", JsonType::String)])));
    graph.to_events("rows out", &rows, |row: &Value| Dynamic::new("row", row.clone()));
    let explained = graph.network()?.explain("rows", None)?;
    assert_eq!(explained.steps[0].action, Action::Hear);
    assert_snapshot!(explained, @r"
    rows
      prices: hear, its artifacts come from outside of the graph, as events
      names: hear, its artifacts come from outside of the graph, as events
      rows: build, nothing of it outlives a run; inputs that it has built from in this run are left out
    ");

    let pipeline = Pipeline::builder()
        .processor(Source::dynamic("prices", prices))
        .processor(Source::dynamic("names", names))
        .processor(Sink::dynamic(&out, "row"));
    graph.install(pipeline)?.build()?.run()?;
    assert_snapshot!(fs::read_to_string(out)?, @r#"
    {"cents":450,"name":"tea"}
    {"cents":120,"name":"jam"}
    "#);
    Ok(())
}

#[test]
fn typed_events_come_and_go_whoever_emits_them() {
    let define = |graph: &mut Reactive| {
        let from = graph.source("sold", 1..=20_u64);
        graph.to_events("sales", &from, |cents: &u64| Sale { cents: *cents });
        let cents = graph.add(from_events("cents", |sale: &Sale| sale.cents));
        let odd = from_events("odd", |sale: &Sale| (sale.cents % 2 == 1).then_some(sale.cents));
        let odd: Target<u64> = graph.add(odd);
        (graph.collect(&cents), graph.collect(&odd))
    };
    everywhere(define, |(cents, odd)| {
        assert_eq!(cents.values(), (1..=20).collect::<Vec<_>>());
        assert_eq!(odd.values(), (1..=20).step_by(2).collect::<Vec<_>>());
    });
}

#[test]
fn typed_events_enter_a_dynamic_target_of_their_kind() {
    let define = |graph: &mut Reactive| {
        let rows = graph.add(from_dynamic("rows").kind(Sale::kind()));
        let numbers = graph.source("numbers", [1_u64, 2]);
        graph.to_events("sales", &numbers, |cents: &u64| Sale { cents: *cents });
        graph.collect(&rows)
    };
    let check = |rows: &selvedge::reactive::Artifacts<Value>| {
        assert_eq!(rows.values(), [json!({"cents": 1}), json!({"cents": 2})]);
    };
    simulated(define, |sim| sim, check);
}

#[test]
fn what_is_of_another_type_or_fails_is_named_with_target_and_digest() {
    let wrong = json!({"cents": "much"});
    let come = |graph: &mut Reactive, policy: FailurePolicy| {
        let of_type = JsonType::object([("cents", JsonType::Integer)]);
        let rows = graph.add(from_dynamic("rows").of_type(of_type).on_failure(policy));
        let values = [wrong.clone(), json!({"cents": 3})];
        let values = graph.source("values", values);
        graph.to_events("out", &values, |value: &Value| Dynamic::new("rows", value.clone()));
        graph.collect(&rows)
    };
    let (_, result) = on_threads(|graph| come(graph, FailurePolicy::Fail), |builder| builder);
    let told = result.expect_err("much is no number");
    assert_snapshot!(told, @"processor `rows` failed on rows: making `rows` in `rows` from input b3:dd3bdc67b27046883d923fe6877dc884eb4fe619661c5f70260dd49131c2085e failed: what comes is not what it should be: `/cents` is a string, and not an integer");
    assert!(told.contains(&Digest::of(&wrong).expect("it has one").to_string()), "{told}");
    let (seen, result) = on_threads(|graph| come(graph, FailurePolicy::Skip), |builder| builder);
    assert_eq!(
        (seen.values(), result.expect("it is skipped").dead),
        (vec![json!({"cents": 3})], 1)
    );

    // What serde can't write is no JSON.
    #[derive(Event)]
    #[event(name = "mute")]
    struct Mute;
    let mut graph = Reactive::new("graph");
    let rows = graph.add(from_dynamic("mute"));
    graph.want(&rows);
    let pipeline = graph.install(Pipeline::builder()).expect("sound").build().expect("sound");
    pipeline.submit(Mute).expect("there is room");
    let told = format!("{:#}", anyhow::Error::from(pipeline.run().expect_err("it is mute")));
    assert!(told.contains("mute can't be seen as JSON: derive `Serialize` for it"), "{told}");
}
