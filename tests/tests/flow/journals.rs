//! What outlives a run: values that are taken from earlier runs, runs that go on from failed ones,
//! what would be computed and why.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use selvedge::Workspace;
use selvedge::flow::{Flow, Journal, Node, Request, RunError, RunResult, map, node};
use selvedge::lineage::{Filter, Page, Status, Values};
use selvedge::prelude::*;

/// How often bodies ran.
#[derive(Clone, Debug, Default)]
struct Calls(Arc<AtomicU32>);

impl Calls {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self) -> u32 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// x → square (cached) → shown.
fn squares(calls: &Calls, version: &str, factor: u64) -> (Flow, Node<String>) {
    let mut flow = Flow::builder("squares");
    let x = flow.parameter::<u64>("x");
    let calls = calls.clone();
    let square = node((x, selvedge::flow::constant(factor)), move |x: &u64, factor: &u64| {
        calls.count();
        Ok(x * x * factor)
    });
    let square = flow.add("square", square.version("tests::square", version).cached());
    let shown = flow.node("shown", (square,), |n: &u64| Ok(format!("{n}!")));
    (flow.build().unwrap(), shown)
}

#[test]
fn cached_nodes_are_computed_once_per_code_constants_and_inputs() {
    let journal = Journal::in_memory().unwrap();
    let calls = Calls::default();
    let run = |version: &str, factor: u64, x: u64| {
        let (flow, shown) = squares(&calls, version, factor);
        let flow = flow.in_journal(journal.clone());
        let result = flow.run(Request::new().with("x", x)).unwrap();
        (result.value(shown).unwrap().clone(), calls.take())
    };
    assert_eq!(run("1", 1, 12), ("144!".to_owned(), 1));
    assert_eq!(run("1", 1, 12), ("144!".to_owned(), 0));
    assert_eq!(run("1", 1, 13), ("169!".to_owned(), 1)); // Another input.
    assert_eq!(run("1", 2, 12), ("288!".to_owned(), 1)); // Another constant.
    assert_eq!(run("2", 1, 12), ("144!".to_owned(), 1)); // Other code.
    assert_eq!(run("1", 1, 12), ("144!".to_owned(), 0));
}

#[test]
fn a_workspace_remembers_over_processes() {
    let dir = tempfile::tempdir().unwrap();
    let calls = Calls::default();
    let mut runs = Vec::new();
    for n_calls in [1, 0] {
        let workspace = Workspace::open(dir.path()).unwrap();
        let (flow, shown) = squares(&calls, "1", 1);
        let flow = flow.in_journal(workspace.journal().unwrap());
        let result =
            flow.run(Request::new().with("x", 12_u64).actor("ann").tag("day", "1")).unwrap();
        assert_eq!((result.value(shown).unwrap().as_str(), calls.take()), ("144!", n_calls));
        runs.push(result.run());
        let run = workspace.history().run(result.run()).unwrap().unwrap();
        assert_eq!((run.status(), run.actor.unwrap().as_str()), (Status::Succeeded, "ann"));
        assert_eq!(run.parameters["x"], Digest::of(&12_u64).unwrap());
        let page = Page::default();
        let made = workspace.history().producers(&Digest::of(&144).unwrap(), &Filter::new(), &page);
        let made = made.unwrap().items;
        assert_eq!(made.len(), runs.len());
        assert_eq!(made.last().unwrap().record.reused_from, (n_calls == 0).then_some(runs[0]));
    }
}

/// numbers → halves (a map that fails for odd ones while `strict` says so) → sum; and one beside.
fn halves(calls: &Calls, broken: &Arc<AtomicU32>) -> (Flow, Node<i64>) {
    let mut flow = Flow::builder("halves");
    let numbers = flow.parameter::<Vec<i64>>("numbers");
    let half = {
        let (calls, broken) = (calls.clone(), Arc::clone(broken));
        map(numbers, (), move |n: &i64| {
            calls.count();
            anyhow::ensure!(broken.load(Ordering::Relaxed) == 0 || n % 2 == 0, "{n} is odd");
            Ok(n / 2)
        })
    };
    let halves = flow.add("halves", half.version("tests::half", "1"));
    let sum = flow.node("sum", (halves,), |all: &Vec<i64>| Ok(all.iter().sum::<i64>()));
    let calls = calls.clone();
    flow.node("beside", (numbers,), move |all: &Vec<i64>| {
        calls.count();
        Ok(all.len())
    });
    (flow.build().unwrap(), sum)
}

fn endings(result: &RunResult) -> String {
    let lines = result.nodes().map(|node| {
        let reused = if node.reused.is_some() { ", reused" } else { "" };
        format!("{}: {}{reused}", node.id, node.ending.map(|e| e.to_string()).unwrap_or_default())
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_run_goes_on_from_a_failed_one_in_maps_item_by_item() {
    let calls = Calls::default();
    let broken = Arc::new(AtomicU32::new(1));
    let (flow, sum) = halves(&calls, &broken);
    let flow = flow.in_journal(Journal::in_memory().unwrap());
    let failed = flow.run(Request::new().with("numbers", vec![2_i64, 3, 4, 5, 6])).unwrap();
    insta::assert_snapshot!(endings(&failed), @r"
    param:numbers: succeeded
    halves: failed: 3 is odd
    sum: skipped: parent_failed_or_skipped
    beside: succeeded
    ");
    assert_eq!(calls.take(), 6);

    broken.store(0, Ordering::Relaxed);
    let again = flow.request_of(failed.run()).unwrap().going_on_from(failed.run());
    let plan = flow.plan(&again).unwrap().to_string();
    insta::assert_snapshot!(plan.replace(&failed.run().to_string(), "RUN"), @r"
    halves: 2 of 4 nodes would be computed
      param:numbers: given
      halves: computed, run RUN has not, of the same with the same code
      sum: computed, it reads `halves`, which is
      beside: taken from run RUN
    ");
    let mended = flow.run(again).unwrap();
    insta::assert_snapshot!(endings(&mended), @r"
    param:numbers: succeeded
    halves: succeeded
    sum: succeeded
    beside: succeeded, reused
    ");
    assert_eq!(calls.take(), 2); // The two odd ones.
    assert_eq!(mended.value(sum).unwrap(), &9);
}

#[test]
fn a_plan_says_what_would_be_computed_and_why() {
    let journal = Journal::in_memory().unwrap();
    let calls = Calls::default();
    let (flow, _) = squares(&calls, "1", 1);
    let bare = flow.plan(&Request::new().with("x", 3_u64)).unwrap();
    insta::assert_snapshot!(bare, @r"
    squares: 2 of 3 nodes would be computed
      param:x: given
      square: computed, there is no journal
      shown: computed, there is no journal
    ");
    let flow = flow.in_journal(journal.clone());
    let request = Request::new().with("x", 3_u64);
    insta::assert_snapshot!(flow.plan(&request).unwrap(), @r"
    squares: 2 of 3 nodes would be computed
      param:x: given
      square: computed, with this code and these inputs it never was
      shown: computed, it is not cached
    ");
    let first = flow.run(request.clone()).unwrap().run().to_string();
    let plan = flow.plan(&request).unwrap();
    insta::assert_snapshot!(plan.to_string().replace(&first, "RUN"), @r"
    squares: 1 of 3 nodes would be computed
      param:x: given
      square: taken from run RUN
      shown: computed, it is not cached
    ");
    let json = serde_json::to_string(&plan).unwrap().replace(&first, "RUN");
    insta::assert_snapshot!(json, @r#"{"flow":"squares","nodes":[{"id":"param:x","action":"given"},{"id":"square","action":"reuse","run":"RUN"},{"id":"shown","action":"compute","why":{"why":"not_cached"}}]}"#);
    assert_eq!(calls.take(), 1); // Plans compute nothing.
}

#[test]
fn runs_that_can_not_be_gone_on_from_are_refused() {
    let calls = Calls::default();
    let (bare, _) = squares(&calls, "1", 1);
    let journal = Journal::in_memory().unwrap();
    let flow = bare.clone().in_journal(journal.clone());
    let other = {
        let mut other = Flow::builder("other");
        other.node("n", (), || Ok(1));
        other.build().unwrap().in_journal(journal)
    };
    let run = flow.run(Request::new().with("x", 3_u64)).unwrap().run();
    let unknown = selvedge::lineage::RunId::named("never");
    let told = [
        bare.request_of(run).unwrap_err(),
        bare.run(Request::new().with("x", 3_u64).going_on_from(run)).unwrap_err(),
        flow.request_of(unknown).unwrap_err(),
        other.request_of(run).unwrap_err(),
    ];
    let dir = tempfile::tempdir().unwrap();
    let erased = Workspace::open(dir.path()).unwrap();
    let flow = bare.in_journal(erased.journal().unwrap());
    let run_of_erased = flow.run(Request::new().with("x", 3_u64)).unwrap().run();
    erased.values().erase(&Digest::of(&3_u64).unwrap()).unwrap();
    let gone = flow.request_of(run_of_erased).unwrap_err();
    assert!(matches!(gone, RunError::ParameterGone { .. }), "{gone}");
    let told = told.map(|error| error.to_string().replace(&run.to_string(), "RUN"));
    insta::assert_snapshot!(told.join("\n"), @r"
    flow `squares` has no journal that knows of run RUN: give it one with `in_journal`
    flow `squares` has no journal that knows of run RUN: give it one with `in_journal`
    the journal knows no run e746da8e-e4c8-8b44-9ba4-22b123117a85 of flow `squares`
    the journal knows no run RUN of flow `other`: it is one of `squares`
    ");
}
