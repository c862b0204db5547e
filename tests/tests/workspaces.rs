//! Pipelines in a workspace: what is recorded of their runs, and what a later run makes of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use insta::assert_snapshot;
use selvedge::lineage::{Filter, Page, Run, RunId, Status};
use selvedge::prelude::*;
use selvedge::store::{Durability, Store};
use selvedge::{InWorkspace, Pruning, Workspace};
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
    assert_eq!(runs.iter().map(Run::status).collect::<Vec<_>>(), [Status::Succeeded; 2]);

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
fn what_is_reused_names_the_run_that_made_it_and_no_other_that_made_the_like() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let workspace = Workspace::open(dir.path()).expect("it is new");
    // `cup` is measured by the second run; the first has made the same length of `tea`.
    for (line, n_bodies) in [("tea", 2), ("cup", 2), ("cup", 0)] {
        assert_eq!(run(&workspace, &[line]), n_bodies);
    }
    let history = workspace.history();
    let runs = history.runs(&Filter::new(), &Page::default()).expect("it can be read").items;
    let third = history.of_run(runs[2].id, &Filter::new(), &Page::default());
    for found in third.expect("it can be read").items {
        assert_eq!(found.record.reused_from, Some(runs[1].id), "{}", found.record);
    }
}

#[test]
fn a_result_that_does_not_say_whose_it_is_was_made_by_the_first_that_history_knows() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let workspace = Workspace::open(dir.path()).expect("it is new");
    // As results were before they named a run.
    let builder = builder(&Arc::default()).store(workspace.store().clone());
    let pipeline = builder.build().expect("it is sound");
    pipeline.submit(Line("tea".to_owned())).expect("there is room");
    in_time(|| pipeline.run()).expect("nothing fails");
    for _ in 0..2 {
        assert_eq!(run(&workspace, &["tea"]), 0);
    }
    let history = workspace.history();
    let runs = history.runs(&Filter::new(), &Page::default()).expect("it can be read").items;
    let reused_in = |run: &Run| {
        let found = history.of_run(run.id, &Filter::new(), &Page::default());
        let items = found.expect("it can be read").items;
        items.into_iter().map(|found| found.record.reused_from).collect::<Vec<_>>()
    };
    assert_eq!(reused_in(&runs[0]), [None; 2], "nobody knows");
    assert_eq!(reused_in(&runs[1]), [Some(runs[0].id); 2]);
}

#[derive(Clone, Default)]
struct Join {
    words: String,
}

#[processor]
impl Processor for Join {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Word(word) => {
                anyhow::ensure!(word != "coffee", "no {word}");
                self.words += word;
                cx.emit(Line(self.words.clone()));
                cx.emit(Length(self.words.len()));
            }
            Phase { number: 1 } => cx.emit(Length(0)),
        }
        Ok(())
    }
}

/// What is on record of a run, without times.
fn told(workspace: &Workspace, step: &str) -> String {
    let history = workspace.history();
    let found = history.of_step(step, &Filter::new(), &Page::default()).expect("it can be read");
    let name = |digest: &Digest| {
        let lines = ["tea", "teatwo"].map(|text| Digest::of(&Line(text.to_owned())));
        let words = ["tea", "coffee", "two"].map(|text| Digest::of(&Word(text.to_owned())));
        let lengths = [0, 3, 6].map(|n| Digest::of(&Length(n)));
        let phases = [1, 2].map(|number| Digest::of(&selvedge::event::Phase { number }));
        let names = ["tea", "teatwo", "tea", "coffee", "two", "0", "3", "6", "phase 1", "phase 2"];
        let all = lines.into_iter().chain(words).chain(lengths).chain(phases);
        let mut named = all.map(|known| known.expect("it has one")).zip(names);
        named.find(|(known, _)| known == digest).map_or("?", |(_, name)| name)
    };
    let line = |found: &selvedge::lineage::Found| {
        let record = &found.record;
        let inputs =
            record.inputs.iter().map(|input| format!("{} {}", input.name, name(&input.digest)));
        let (inputs, outputs): (Vec<_>, Vec<_>) =
            (inputs.collect(), record.outputs.iter().map(name).collect());
        let attempt = record.attempt;
        format!("{inputs:?} -> {outputs:?}, {}, attempt {attempt}\n", record.outcome)
    };
    found.items.iter().map(line).collect()
}

#[test]
fn turns_of_a_recorded_processor_are_on_record_with_what_they_read_and_made_and_how_they_ended() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let workspace = Workspace::open(dir.path()).expect("it is new");
    let skipping = Retry::times(2).then(selvedge::runtime::LastResort::Skip);
    let join = Join::default().restored_by_clone().on_failure(skipping).recorded();
    let joins = Pipeline::builder()
        .processor(join.named("join"))
        .processor(Join::default().named("untold").on_failure(FailurePolicy::Skip))
        .workers(1)
        .in_workspace(&workspace, workspace.new_run("words"))
        .build()
        .expect("it is sound");
    for word in ["tea", "coffee", "two"] {
        joins.submit(Word(word.to_owned())).expect("there is room");
    }
    in_time(|| joins.run()).expect("its policy skips");
    assert_snapshot!(told(&workspace, "join"), @r#"
    ["selvedge-tests::Word tea"] -> ["tea", "3"], succeeded, attempt 1
    ["selvedge-tests::Word coffee"] -> [], failed: no coffee, attempt 2
    ["selvedge-tests::Word two"] -> ["teatwo", "6"], succeeded, attempt 1
    ["selvedge::Phase phase 1"] -> ["0"], succeeded, attempt 1
    ["selvedge::Phase phase 2"] -> [], succeeded, attempt 1
    "#);
    assert_eq!(told(&workspace, "untold"), "");
    let found = workspace.history().of_step("join", &Filter::new(), &Page::first(1));
    let signature = found.expect("it can be read").items[0].record.signature.clone();
    assert_eq!(Some(signature), Join::default().signature());
}

#[test]
fn of_a_cached_processor_that_is_recorded_failures_are_on_record_too() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let workspace = Workspace::open(dir.path()).expect("it is new");
    let fails = on_cached("fails", "1", |_: &mut Context<'_>, word: &Word| {
        anyhow::ensure!(word.0 == "tea", "no {}", word.0);
        Ok(vec![Length(3)])
    });
    let pipeline = Pipeline::builder()
        .processor(fails.on_failure(FailurePolicy::Skip).recorded())
        .workers(1)
        .in_workspace(&workspace, workspace.new_run("words"))
        .build()
        .expect("it is sound");
    for word in ["tea", "coffee", "tea"] {
        pipeline.submit(Word(word.to_owned())).expect("there is room");
    }
    in_time(|| pipeline.run()).expect("its policy skips");
    assert_snapshot!(told(&workspace, "fails"), @r#"
    ["selvedge-tests::Word tea"] -> ["3"], succeeded, attempt 1
    ["selvedge-tests::Word coffee"] -> [], failed: no coffee, attempt 1
    ["selvedge-tests::Word tea"] -> ["3"], succeeded, attempt 1
    "#);
}

#[derive(Event)]
struct Unwritten;

#[test]
fn a_recorded_turn_on_what_has_no_digest_fails_and_code_that_is_unknown_is_said_to_be() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let workspace = Workspace::open(dir.path()).expect("it is new");
    let heeds = on("heeds", |_: &mut Context<'_>, _: &Unwritten| Ok(()));
    let hears = on("hears", |_: &mut Context<'_>, _: &Word| Ok(()));
    let pipeline = Pipeline::builder()
        .processor(heeds.recorded())
        .processor(hears.recorded())
        .workers(1)
        .in_workspace(&workspace, workspace.new_run("words"))
        .build()
        .expect("it is sound");
    pipeline.submit(Word("tea".to_owned())).expect("there is room");
    pipeline.submit(Unwritten).expect("there is room");
    let error = in_time(|| pipeline.run()).expect_err("it fails");
    let error = format!("{:#}", anyhow::Error::from(error));
    assert!(error.contains("Unwritten can't be recorded: derive `Serialize`"), "{error}");
    let found = workspace.history().of_step("hears", &Filter::new(), &Page::default());
    let record = found.expect("it can be read").items.remove(0).record;
    assert_eq!(record.signature, Signature::of_version("hears", "unknown"));
}

#[test]
fn a_run_that_fails_is_on_record_with_why_and_where() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let workspace = Workspace::open(dir.path()).expect("it is new");
    let fails = on("fails", |_: &mut Context<'_>, _: &Line| {
        anyhow::bail!("no tea: password=hunter2 was refused")
    });
    let builder = Pipeline::builder().processor(fails);
    let pipeline = builder.in_workspace(&workspace, workspace.new_run("words")).build();
    let pipeline = pipeline.expect("it is sound");
    pipeline.submit(Line("tea".to_owned())).expect("there is room");
    in_time(|| pipeline.run()).expect_err("it fails");
    let runs = workspace.history().runs(&Filter::new(), &Page::default());
    let run = runs.expect("it can be read").items.remove(0);
    assert_eq!(run.status(), Status::Failed);
    let outcome = run.end.expect("it has ended").outcome;
    assert_eq!(
        outcome.to_string(),
        "failed: a turn of `fails` failed: no tea: password=*** was refused"
    );
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    assert_eq!(run.host.as_deref(), host.as_deref().map(str::trim));
}

#[test]
fn a_workspace_that_somebody_has_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let _first = Workspace::open(dir.path()).expect("it is new");
    let error = Workspace::open(dir.path()).expect_err("it is in use");
    let error = error.to_string();
    assert!(error.contains(&std::process::id().to_string()), "{error}");
}

/// Every file below a directory that holds this text.
fn files_with(dir: &Path, text: &[u8]) -> Vec<PathBuf> {
    let (mut found, mut dirs) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).expect("it is there") {
            let path = entry.expect("it is there").path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let bytes = std::fs::read(&path).expect("it is there");
                let is_in = bytes.windows(text.len()).any(|window| window == text);
                found.extend(is_in.then_some(path));
            }
        }
    }
    found
}

#[test]
fn a_value_that_is_scrubbed_is_in_no_cache_and_after_compacting_in_no_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let text = "teacup-7431";
    let workspace = Workspace::open(dir.path()).expect("it is new");
    assert_eq!(run(&workspace, &["tea for two", text]), 6);
    let word = Digest::of(&Word(text.to_owned())).expect("it has one");
    workspace.values().keep(&word, text.as_bytes(), Durability::Sync).expect("there is room");
    assert!(!files_with(dir.path(), text.as_bytes()).is_empty());

    let scrubbed = workspace.scrub(&word, "a test").expect("nothing protects it");
    assert_eq!((scrubbed.n_erased, scrubbed.n_missing), (1, 0));
    assert_eq!(workspace.scrub(&word, "again").expect("nothing protects it").n_missing, 1);
    workspace.compact().expect("there is room");
    drop(workspace);
    drop(Workspace::open(dir.path()).expect("nobody else has it"));
    assert_eq!(files_with(dir.path(), text.as_bytes()), [] as [PathBuf; 0]);

    // Who asks for it again has it made again; nothing else is.
    let workspace = Workspace::open(dir.path()).expect("nobody else has it");
    assert_eq!(run(&workspace, &["tea for two", text]), 1);
}

#[test]
fn what_is_scrubbed_while_a_pipeline_has_it_in_memory_is_made_again() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let workspace = Workspace::open(dir.path()).expect("it is new");
    let n_bodies = Arc::default();
    let pipeline = builder(&n_bodies).in_workspace(&workspace, workspace.new_run("words"));
    let pipeline = pipeline.build().expect("it is sound");
    let running = pipeline.start().expect("threads can be had");
    let submitter = running.submitter();
    let send = |text: &str| {
        submitter.submit(Line(text.to_owned())).expect("it goes on");
        running.drain().expect("it goes on");
    };
    send("tea");
    send("tea");
    assert_eq!(n_bodies.load(Ordering::Relaxed), 2);
    let value = Digest::of(&Length(3)).expect("it has one");
    let scrubbed = workspace.scrub(&value, "a test").expect("nothing protects it");
    assert_eq!((scrubbed.n_erased, scrubbed.n_missing), (1, 0));
    send("tea");
    assert_eq!(n_bodies.load(Ordering::Relaxed), 3, "the length is measured again");
    drop(submitter);
    in_time(move || running.finish()).expect("nothing fails");
}

#[test]
fn a_run_that_is_scrubbed_leaves_no_result() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let workspace = Workspace::open(dir.path()).expect("it is new");
    assert_eq!(run(&workspace, &["tea for two"]), 4);
    let runs = workspace.history().runs(&Filter::new(), &Page::default());
    let id = runs.expect("it can be read").items[0].id;
    workspace.history().hold_run(id, true).expect("it is known");
    workspace.scrub_run(id, "a test").expect_err("a hold protects it");
    assert_eq!(run(&workspace, &["tea for two"]), 0, "and its results");
    workspace.history().hold_run(id, false).expect("it is known");
    let scrubbed = workspace.scrub_run(id, "a test").expect("nothing protects it");
    assert_eq!(scrubbed.n_erased, 4, "three words and their one length");
    assert_eq!(run(&workspace, &["tea for two"]), 4);
}

#[test]
fn what_goes_of_caches_is_planned_first() {
    const DAY: Duration = Duration::from_secs(86_400);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let workspace = Workspace::open(dir.path()).expect("it is new");
    let start = SystemTime::UNIX_EPOCH + 20_000 * DAY;
    for (day, version) in ["1", "2", "3"].into_iter().enumerate() {
        let echo =
            on_cached("echo", version, |_: &mut Context<'_>, line: &Line| Ok(Word(line.0.clone())));
        let at = start + day as u32 * DAY;
        let mut run = workspace.new_run("words");
        run.started_at = at.into();
        let pipeline = Pipeline::builder().processor(echo).in_workspace(&workspace, run).build();
        let pipeline = pipeline.expect("it is sound");
        for line in ["tea", "milk"] {
            pipeline.submit(Line(line.to_owned())).expect("there is room");
        }
        in_time(|| pipeline.run()).expect("nothing fails");
    }
    let check = |rules: &Pruning| {
        let plan = workspace.plan_pruning(rules, start + 2 * DAY).expect("it can be read");
        let mut told: Vec<_> =
            plan.caches.iter().filter_map(|cache| cache.signature.as_deref()).collect();
        told.sort_unstable();
        (told.join(", "), plan.n_results, plan.results.len())
    };
    assert_eq!(check(&Pruning::new()), (String::new(), 0, 0));
    let old = || "echo version 1".to_owned();
    assert_eq!(check(&Pruning::new().unused_for(2 * DAY)), (old(), 2, 0));
    assert_eq!(check(&Pruning::new().superseded_by(2)), (old(), 2, 0));
    assert_eq!(check(&Pruning::new().superseded_by(2).results_max(1)), (old(), 4, 2));

    // How old a result is tells the run that recorded it.
    let caches = workspace.caches().uses().expect("it can be read");
    let id = RunId::at(start.into(), [7; 10]);
    let entry = format!(r#"{{"format":1,"origin":"{id}","emissions":[]}}"#);
    let (store, key) = (workspace.store(), [7; 32]);
    let put = store.put(&caches[0].namespace, &key, entry.as_bytes(), Durability::Sync);
    put.expect("there is room");
    assert_eq!(check(&Pruning::new().older_than(3 * DAY)), (String::new(), 0, 0));
    assert_eq!(check(&Pruning::new().older_than(2 * DAY)), (String::new(), 1, 1));

    let rules = Pruning::new().superseded_by(1).results_max(1);
    let plan = workspace.plan_pruning(&rules, start + 2 * DAY).expect("it can be read");
    assert_eq!(workspace.prune(&plan).expect("it can be written"), plan.n_results);
    let left = workspace.caches().uses().expect("it can be read");
    let left: Vec<_> =
        left.iter().map(|cache| (cache.signature.as_deref(), cache.n_results)).collect();
    assert_eq!(left, [(Some("echo version 3"), 1)]);
}
