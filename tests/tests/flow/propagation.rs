//! What becomes of a node, for each policy and each end of a parent, optional or not: the table of
//! the book, played.

use selvedge::flow::{Flow, FlowBuilder, Node, NodeSpec, Outcome, Request, node, skip};
use selvedge::prelude::*;

use super::everywhere;

type End = fn() -> Result<u8>;
type Marked = fn(NodeSpec<u8>) -> NodeSpec<u8>;

/// The parents: each end, of a node that is optional (`?`) and of one that is not.
fn parents(flow: &mut FlowBuilder) -> Vec<(String, Node<u8>)> {
    let ends: [(&str, End); 3] =
        [("ok", || Ok(1)), ("err", || anyhow::bail!("boom")), ("skipped", || Err(skip("why not")))];
    let mut all = Vec::new();
    for (name, end) in ends {
        let both: [(&str, Marked); 2] = [("", |spec| spec), ("-optional", NodeSpec::optional)];
        for (mark, options) in both {
            let id = format!("{name}{mark}");
            let parent = flow.add(&id, options(node((), end)));
            all.push((id, parent));
        }
    }
    all
}

#[test]
fn each_policy_meets_each_end_of_a_parent() {
    let mut flow = Flow::builder("table");
    for (name, parent) in parents(&mut flow) {
        flow.node(&format!("{name}.default"), (parent,), |n: &u8| Ok(*n));
        let requires = node((parent,), |n: &u8| Ok(*n)).require_all_parents();
        flow.add(&format!("{name}.requires"), requires);
        flow.node(&format!("{name}.receives"), (parent.outcome(),), |n: Outcome<&u8>| {
            Ok(n.ending().to_string())
        });
    }
    let flow = flow.build().unwrap();
    let told = everywhere(&flow, &Request::new(), |result| {
        let children = result.nodes().filter(|node| node.id.contains('.'));
        let lines = children.map(|node| format!("{}: {}\n", node.id, node.ending.unwrap()));
        let heard = result.records().iter().filter(|record| record.step.ends_with(".receives"));
        assert_eq!(heard.count(), 6);
        lines.collect()
    });
    insta::assert_snapshot!(told, @r"
    ok.default: succeeded
    ok.requires: succeeded
    ok.receives: succeeded
    ok-optional.default: succeeded
    ok-optional.requires: succeeded
    ok-optional.receives: succeeded
    err.default: skipped: parent_failed_or_skipped
    err.requires: failed: it requires all its parents, and there is no `err`
    err.receives: succeeded
    err-optional.default: skipped: parent_failed_or_skipped
    err-optional.requires: failed: it requires all its parents, and there is no `err-optional`
    err-optional.receives: succeeded
    skipped.default: skipped: parent_failed_or_skipped
    skipped.requires: failed: it requires all its parents, and there is no `skipped`
    skipped.receives: succeeded
    skipped-optional.default: skipped: parent_failed_or_skipped
    skipped-optional.requires: failed: it requires all its parents, and there is no `skipped-optional`
    skipped-optional.receives: succeeded
    ");
}

#[test]
fn only_failures_that_are_not_optional_fail_a_run() {
    let parents_of = |wanted: &str| {
        let mut flow = Flow::builder("table");
        parents(&mut flow);
        let flow = flow.build().unwrap();
        flow.run(Request::new().only([wanted])).unwrap().ending().to_string()
    };
    let ids = ["ok", "ok-optional", "err", "err-optional", "skipped", "skipped-optional"];
    let told: Vec<String> = ids.map(|id| format!("{id}: {}", parents_of(id))).into();
    insta::assert_snapshot!(told.join("\n"), @r"
    ok: succeeded
    ok-optional: succeeded
    err: failed: node `err` failed: boom
    err-optional: succeeded
    skipped: succeeded
    skipped-optional: succeeded
    ");
}
