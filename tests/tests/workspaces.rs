//! Pipelines in a workspace: what is recorded of their runs, and what a later run makes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use selvedge::lineage::{Filter, Page, Status};
use selvedge::prelude::*;
use selvedge::{InWorkspace, Workspace};
use serde::{Deserialize, Serialize};

use crate::failure::in_time;

#[derive(Event, Serialize, Deserialize)]
struct Line(String);

#[derive(Event, Serialize, Deserialize)]
struct Word(String);

#[derive(Event, Serialize, Deserialize)]
struct Length(usize);

/// Splits lines into words and measures them; counts the bodies that ran.
fn builder(n_bodies: &Arc<AtomicU64>) -> PipelineBuilder {
    let (splits, measures) = (Arc::clone(n_bodies), Arc::clone(n_bodies));
    let split = on_cached("split", "1", move |_: &mut Context<'_>, line: &Line| {
        splits.fetch_add(1, Ordering::Relaxed);
        Ok(line.0.split(' ').map(|word| Word(word.to_owned())).collect::<Vec<_>>())
    });
    let measure = on_cached("measure", "1", move |_: &mut Context<'_>, word: &Word| {
        measures.fetch_add(1, Ordering::Relaxed);
        Ok(vec![Length(word.0.len())])
    });
    Pipeline::builder().processor(split).processor(measure)
}

/// Runs over these lines and says how many bodies ran.
fn run(workspace: &Workspace, lines: &[&str]) -> u64 {
    let n_bodies = Arc::default();
    let run = workspace.new_run("words").tag("of", "a test");
    let pipeline = builder(&n_bodies).in_workspace(workspace, run).build().expect("it is sound");
    for line in lines {
        pipeline.submit(Line((*line).to_owned())).expect("there is room");
    }
    in_time(|| pipeline.run()).expect("nothing fails");
    n_bodies.load(Ordering::Relaxed)
}

#[test]
fn a_later_run_does_what_changed_and_says_what_came_from_where() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let workspace = Workspace::open(dir.path()).expect("it is new");
    assert_eq!(run(&workspace, &["tea for two", "two teas"]), 6);
    drop(workspace);

    let workspace = Workspace::open(dir.path()).expect("nobody else has it");
    assert_eq!(run(&workspace, &["tea for two", "two cups"]), 2, "a line and the word `cups`");

    let history = workspace.history();
    let runs = history.runs(&Filter::new().tag("of", "a test"), &Page::default());
    let runs = runs.expect("it can be read").items;
    assert_eq!(runs.iter().map(|run| run.status()).collect::<Vec<_>>(), [Status::Succeeded; 2]);

    // From a length back to the line, over two steps and both runs.
    let four = Digest::of(&Length(4)).expect("it has one");
    let upstream = history.upstream(&four, 2, &Filter::new(), &Page::default());
    let upstream = upstream.expect("it can be read").items;
    let told: Vec<_> = upstream.iter().map(|found| found.record.step.as_str()).collect();
    assert_eq!(told.iter().filter(|&&step| step == "measure").count(), 2, "teas and cups");
    let line = Digest::of(&Line("two cups".to_owned())).expect("it has one");
    let reads = |found: &&selvedge::lineage::Walked| found.record.inputs[0].digest == line;
    assert_eq!(upstream.iter().find(reads).expect("it is known").record.run, runs[1].id);

    let of_second = history.of_run(runs[1].id, &Filter::new(), &Page::default());
    let reused = of_second.expect("it can be read").items;
    let reused: Vec<_> = reused.iter().filter_map(|found| found.record.reused_from).collect();
    assert!(!reused.is_empty() && reused.iter().all(|&from| from == runs[0].id), "{reused:?}");
}

#[test]
fn a_run_that_fails_is_on_record_as_failed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let workspace = Workspace::open(dir.path()).expect("it is new");
    let fails = on("fails", |_: &mut Context<'_>, _: &Line| anyhow::bail!("no tea"));
    let builder = Pipeline::builder().processor(fails);
    let pipeline = builder.in_workspace(&workspace, workspace.new_run("words")).build();
    let pipeline = pipeline.expect("it is sound");
    pipeline.submit(Line("tea".to_owned())).expect("there is room");
    in_time(|| pipeline.run()).expect_err("it fails");
    let runs = workspace.history().runs(&Filter::new(), &Page::default());
    assert_eq!(runs.expect("it can be read").items[0].status(), Status::Failed);
}

#[test]
fn a_workspace_that_somebody_has_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let _first = Workspace::open(dir.path()).expect("it is new");
    let error = Workspace::open(dir.path()).expect_err("it is in use");
    let error = error.to_string();
    assert!(error.contains(&std::process::id().to_string()), "{error}");
}
