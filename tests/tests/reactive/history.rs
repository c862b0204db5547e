//! What is known of a graph without building, and of its builds afterwards: explanations,
//! drawings, lineage.

use std::time::Duration;

use insta::assert_snapshot;
use selvedge::event::Outcome;
use selvedge::lineage::{Filter, Page, StepKind};
use selvedge::prelude::*;
use selvedge::reactive::balancer::{Options, balance_persisted};
use selvedge::reactive::{Action, ExplainError, Reactive, Target, builder, once};
use selvedge::runtime::{LastResort, Retry};
use selvedge::store::{Store, StoreError};
use selvedge::{InWorkspace, Workspace};

/// Products of numbers and of their negatives; something that nobody needs for it.
fn products() -> Reactive {
    let mut graph = Reactive::new("products");
    let numbers = graph.source("numbers", [1_i64, 2, 3]);
    let negated = graph.add(builder("negated", &numbers, |n: &i64| -n).version("1").persist());
    let products =
        graph.builder("products", (&numbers, &negated), |n: &i64, negated: &i64| n * negated);
    graph.builder("halves", &numbers, |n: &i64| n / 2);
    graph.want(&products);
    graph
}

#[test]
fn each_build_is_on_record_with_its_inputs_and_says_which_run_it_reuses() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let workspace = Workspace::open(folder.path())?;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let run = workspace.new_run("products");
        runs.push(run.id);
        let pipeline = Pipeline::builder().in_workspace(&workspace, run);
        products().install(pipeline)?.build()?.run()?;
    }
    let digest = |n: i64| Digest::of(&n).expect("a number has one");
    let producers = |n: i64| {
        let found = workspace.history().producers(&digest(n), &Filter::new(), &Page::default());
        let records = found.expect("it can be read").items;
        records.into_iter().map(|found| found.record).collect::<Vec<_>>()
    };
    let of_products = producers(-9);
    assert_eq!(of_products.len(), 2);
    for record in &of_products {
        assert_eq!((record.step.as_str(), record.kind), ("products", StepKind::Build));
        let inputs: Vec<_> =
            record.inputs.iter().map(|input| (input.name.as_str(), input.digest)).collect();
        assert_eq!(inputs, [("numbers", digest(3)), ("negated", digest(-3))]);
        assert_eq!(record.reused_from, None);
    }
    let negated = producers(-2);
    let told: Vec<_> = negated.iter().map(|one| (one.run, one.reused_from)).collect();
    assert!(
        told.contains(&(runs[0], None)) && told.contains(&(runs[1], Some(runs[0]))),
        "{told:?}"
    );
    Ok(())
}

#[test]
fn what_would_happen_is_explained_without_building() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let workspace = Workspace::open(folder.path())?;
    let store: &dyn Store = &**workspace.store();
    let explain = |target: &str| products().network().expect("sound").explain(target, Some(store));
    assert_snapshot!(explain("products")?, @r"
    products
      numbers: pull, a source has no memory
      negated: build, nothing is kept under negated version 1: it is new, or its code is
      products: build, nothing of it outlives a run; inputs that it has built from in this run are left out
      halves: skip, nothing that `products` is built from requires it
    ");
    let pipeline = Pipeline::builder().in_workspace(&workspace, workspace.new_run("products"));
    products().install(pipeline)?.build()?.run()?;
    let explained = explain("products")?;
    assert_snapshot!(explained, @r"
    products
      numbers: pull, a source has no memory
      negated: replay, 3 builds are kept under negated version 1; inputs that they were built from are left out
      products: build, nothing of it outlives a run; inputs that it has built from in this run are left out
      halves: skip, nothing that `products` is built from requires it
    ");
    assert_eq!(explained.steps[1].action, Action::Replay);
    assert_snapshot!(serde_json::to_string(&explained.steps[1])?, @r#"{"node":"negated","provides":["negated"],"requires":["numbers"],"action":"replay","n_kept":3,"why":"3 builds are kept under negated version 1; inputs that they were built from are left out"}"#);

    let error = explain("product").expect_err("there is none");
    assert!(matches!(error, ExplainError::NoProvider { .. }));
    assert_snapshot!(error, @"nobody provides `product`; did you mean `products`?");
    let broken = StoreError::Io {
        doing: "read",
        name: "log".to_owned(),
        source: std::io::Error::other("the device is gone"),
    };
    let error = ExplainError::from(broken);
    assert!(matches!(error, ExplainError::Store(_)));
    assert!(error.to_string().starts_with("what is kept can't be counted: "), "{error}");
    Ok(())
}

#[test]
fn a_graph_is_drawn_with_what_a_run_did() -> anyhow::Result<()> {
    let network = products().network()?;
    let report = products().install(Pipeline::builder().workers(1))?.build()?.run()?;
    assert_snapshot!(network.drawing_of(&report).mermaid(), @r#"
    flowchart TB
        n0(["numbers<br/>2 turns#44; 3 events"])
        n1["negated<br/>4 turns#44; 4 events"]
        n2["products<br/>7 turns#44; 5 events"]
        n3["halves<br/>3 turns#44; 0 events"]
        n0 --> n1
        n0 --> n2
        n1 --> n2
        n0 --> n3
        class n0,n1,n2,n3 ok
        classDef ok fill:#d3f2d3,stroke:#2e7d32,color:#1b1b1b
    "#);
    assert!(network.drawing().dot().starts_with("digraph"));
    Ok(())
}

/// What became of the builds of a step, with their inputs.
fn builds(workspace: &Workspace, step: &str) -> Vec<(Outcome, Vec<Digest>)> {
    let found = workspace.history().of_step(step, &Filter::new(), &Page::default());
    let records = found.expect("it can be read").items.into_iter().map(|found| found.record);
    let told = records.map(|record| {
        assert_eq!(record.kind, StepKind::Build);
        assert!(record.inputs.iter().all(|input| input.name.as_str() == "numbers"));
        let outcome = match record.outcome {
            Outcome::Failed { error, panicked } => Outcome::Failed {
                error: error.rsplit(": ").next().unwrap_or_default().to_owned(),
                panicked,
            },
            outcome => outcome,
        };
        (outcome, record.inputs.iter().map(|input| input.digest).collect::<Vec<_>>())
    });
    let mut told: Vec<_> = told.collect();
    told.sort_by_key(|(_, inputs)| inputs.clone());
    told
}

#[test]
fn a_build_that_fails_panics_or_is_attempted_again_is_on_record() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let workspace = Workspace::open(folder.path())?;
    let picky = |n: &u64| -> Result<u64> {
        assert!(*n != 2, "two is too much");
        anyhow::ensure!(*n != 3, "three is a crowd");
        Ok(n * 10)
    };
    let mut graph = Reactive::new("failing");
    let numbers = graph.source("numbers", [1_u64, 2, 3]);
    let tens = graph.merge::<u64>("tens");
    for (name, policy) in
        [("skips", FailurePolicy::Skip), ("retries", Retry::times(3).then(LastResort::Skip).into())]
    {
        graph.add(builder(&tens, &numbers, picky).named(name).on_failure(policy));
    }
    graph.want(&tens);
    let pipeline = Pipeline::builder().in_workspace(&workspace, workspace.new_run("failing"));
    graph.install(pipeline)?.build()?.run()?;
    let digest = |n: u64| Digest::of(&n).expect("a number has one");
    let failed = |error: &str, panicked| Outcome::Failed { error: error.to_owned(), panicked };
    let mut expected = vec![
        (Outcome::Succeeded, vec![digest(1)]),
        (failed("two is too much", true), vec![digest(2)]),
        (failed("three is a crowd", false), vec![digest(3)]),
    ];
    expected.sort_by_key(|(_, inputs)| inputs.clone());
    for step in ["skips", "retries"] {
        assert_eq!(builds(&workspace, step), expected, "{step}");
    }
    let found = workspace.history().of_step("retries", &Filter::new(), &Page::default())?;
    let mut attempts: Vec<u32> = found.items.iter().map(|found| found.record.attempt).collect();
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 3, 3]);
    Ok(())
}

#[test]
fn a_build_that_ends_the_run_is_on_record_as_is_one_that_never_comes_back() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let workspace = Workspace::open(folder.path())?;
    let run = |graph: Reactive, limits: Limits| -> anyhow::Result<RunReport> {
        let pipeline = Pipeline::builder().workers(2).limits(limits);
        let pipeline = pipeline.in_workspace(&workspace, workspace.new_run("failing"));
        Ok(graph.install(pipeline)?.build()?.start()?.finish()?)
    };
    let mut graph = Reactive::new("failing");
    let numbers = graph.source("numbers", [7_u64]);
    let once: Target<u64> =
        graph.add(once("once", &numbers, |n: &u64| -> Result<u64> { anyhow::bail!("{n} is odd") }));
    graph.want(&once);
    let told = run(graph, Limits::default()).expect_err("seven is odd").to_string();
    let digest = Digest::of(&7_u64)?;
    let failed = Outcome::Failed { error: "7 is odd".to_owned(), panicked: false };
    assert_eq!(builds(&workspace, "once"), [(failed, vec![digest])], "{told}");

    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let mut graph = Reactive::new("stuck");
    let numbers = graph.source("numbers", [7_u64]);
    let waits = graph.add(builder("waits", &numbers, move |n: &u64| {
        // Until the test is over.
        let _ = held.lock().expect("one turn at a time").recv();
        *n
    }));
    graph.want(&waits);
    let (watchdog_interval, leak_after) = (Duration::from_millis(5), Duration::from_millis(50));
    let limits = Limits { watchdog_interval, leak_after, ..Limits::default() };
    let report = run(graph, limits)?;
    assert_eq!(&*report.stuck[0].processor, "waits");
    assert_eq!(builds(&workspace, "waits"), [(Outcome::TimedOut, vec![digest])]);
    drop(release);
    Ok(())
}

#[test]
fn what_balanced_workers_do_is_on_record_too() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let workspace = Workspace::open(folder.path())?;
    let mut graph = Reactive::new("graph");
    let numbers = graph.source("numbers", [1_u64, 2, 3]);
    let options = Options::new(1).on_failure(FailurePolicy::Skip);
    let tens = balance_persisted(&mut graph, "tens", &numbers, options, "1", |_| {
        |n: &u64| {
            anyhow::ensure!(*n != 2, "two is too much");
            Ok([n * 10])
        }
    })?;
    graph.want(&tens.target);
    let pipeline = Pipeline::builder().in_workspace(&workspace, workspace.new_run("tens"));
    graph.install(pipeline)?.build()?.run()?;
    let digest = |n: u64| Digest::of(&n).expect("a number has one");
    let failed = Outcome::Failed { error: "two is too much".to_owned(), panicked: false };
    let mut expected = vec![
        (Outcome::Succeeded, vec![digest(1)]),
        (failed, vec![digest(2)]),
        (Outcome::Succeeded, vec![digest(3)]),
    ];
    expected.sort_by_key(|(_, inputs)| inputs.clone());
    assert_eq!(builds(&workspace, "graph/numbers->tens/worker-0"), expected);
    let made = workspace.history().producers(&digest(30), &Filter::new(), &Page::default())?;
    assert_eq!(made.items[0].record.signature.to_string(), "tens version 1");
    Ok(())
}
