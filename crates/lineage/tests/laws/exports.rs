//! Exports: what other tools read.

use std::time::Duration;

use insta::assert_snapshot;
use selvedge_event::Outcome;
use selvedge_lineage::{Filter, History, HistoryError, Record, Run, Timestamp, export};
use serde_json::Value;

use super::model::{run_id, signature, value};

fn history() -> Result<History, HistoryError> {
    let history = History::in_memory();
    let at = Timestamp::from_nanos(1_700_000_000_000_000_000);
    history.begin_run(Run::new(run_id(0), "shop", at).parameter("day", value(9)))?;
    let error = "password=hunter2 was refused".to_owned();
    history.append(vec![
        Record::new(run_id(0), "=load, all", signature(0))
            .input("day", None, value(9))
            .output(value(1))
            .at(at, Duration::from_millis(1_500)),
        Record::new(run_id(0), "bill", signature(0))
            .input("orders", Some("=load, all"), value(1))
            .outcome(Outcome::Failed { error, panicked: false }),
    ])?;
    history.end_run(run_id(0), Outcome::TimedOut, at.after(Duration::from_secs(2)))?;
    Ok(history)
}

#[test]
fn edges_are_cells_that_no_spreadsheet_runs() -> Result<(), HistoryError> {
    let mut csv = Vec::new();
    export::edges(&history()?, &Filter::new(), &mut csv)?;
    let csv = String::from_utf8(csv).expect("CSV is text");
    assert_snapshot!(csv, @r#"
        run,from_step,to_step,input,digest
        1cecb142-2017-864d-9ee4-c356495af926,,"'=load, all",day,b3:9521b6bd4ed32daea95957ef537ed85b2c7fa56c7c72f963cdf0cc0f54424071
        1cecb142-2017-864d-9ee4-c356495af926,"'=load, all",bill,orders,b3:48069bb3d99a29b590f262110977f9f4fe903e21ec8d55ca39c9d0e1af3dcbbb
        "#);
    Ok(())
}

#[test]
fn records_are_read_back_from_their_lines() -> Result<(), HistoryError> {
    let history = history()?;
    let mut lines = Vec::new();
    let n = export::records(&history, &Filter::new(), &mut lines)?;
    let lines = String::from_utf8(lines).expect("JSON is text");
    assert_eq!((n, lines.lines().count()), (2, 2));
    let all = history.records(&Filter::new(), &selvedge_lineage::Page::default())?;
    for (line, found) in lines.lines().zip(all.items) {
        let record: Record = serde_json::from_str(line).expect("a record");
        assert_eq!(record, found.record);
    }
    assert!(lines.contains("password=*** was refused"), "{lines}");
    Ok(())
}

/// What the published schema requires of a run event, of its run and job, of datasets and of
/// facets.
fn check_required(event: &Value) {
    let text = |at: &str| {
        let found = event.pointer(at).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no {at} in {event}")).to_owned()
    };
    let time = text("/eventTime");
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time} is no date-time");
    assert!(text("/producer").contains(':'), "a URI");
    assert_eq!(text("/schemaURL"), export::SCHEMA_URL);
    assert!(["START", "COMPLETE", "FAIL", "ABORT"].contains(&text("/eventType").as_str()));
    assert!(text("/run/runId").parse::<selvedge_lineage::RunId>().is_ok(), "a UUID");
    assert!(!text("/job/namespace").is_empty() && !text("/job/name").is_empty());
    for datasets in ["inputs", "outputs"] {
        for dataset in event[datasets].as_array().expect("an array") {
            assert!(dataset["namespace"].is_string() && dataset["name"].is_string());
        }
    }
    for facet in event["run"]["facets"].as_object().expect("facets").values() {
        assert!(facet["_producer"].is_string() && facet["_schemaURL"].is_string());
    }
}

#[test]
fn open_lineage_events_have_what_the_schema_requires() -> Result<(), HistoryError> {
    let mut lines = Vec::new();
    let events = export::OpenLineage { namespace: "shop", producer: "https://shop.example/p" };
    assert_eq!(events.write(&history()?, &Filter::new(), &mut lines)?, 4);
    let lines = String::from_utf8(lines).expect("JSON is text");
    let events: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    events.iter().for_each(check_required);
    let kinds: Vec<_> = events
        .iter()
        .map(|event| format!("{} {}", event["eventType"], event["job"]["name"]))
        .collect();
    assert_snapshot!(kinds.join("\n"), @r#"
        "START" "shop"
        "COMPLETE" "shop.=load, all"
        "FAIL" "shop.bill"
        "FAIL" "shop"
        "#);
    assert_eq!(events[2]["run"]["facets"]["parent"]["run"]["runId"], events[0]["run"]["runId"]);
    assert_eq!(events[2]["run"]["facets"]["errorMessage"]["message"], "password=*** was refused");
    Ok(())
}
