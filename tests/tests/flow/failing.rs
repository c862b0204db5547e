//! Nodes that fail in every way there is, and how far the run goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use selvedge::flow::{Cause, Flow, Request, map, node, skip};
use selvedge::prelude::*;

use super::{everywhere, story};

#[test]
fn a_panic_is_a_failure_of_its_node() {
    let mut flow = Flow::builder("panics");
    let x = flow.parameter_or::<i64>("x", 0);
    let broken = flow.node("broken", (x,), |x: &i64| Ok(7 / x));
    flow.node("after", (broken,), |x: &i64| Ok(*x));
    flow.node("beside", (x,), |x: &i64| Ok(x + 1));
    let flow = flow.build().unwrap();
    let told = everywhere(&flow, &Request::new(), |result| {
        assert_eq!(result.failures().next().unwrap().cause(), Cause::Panic);
        story(result)
    });
    insta::assert_snapshot!(told, @r"
    param:x: succeeded
    broken: panicked: attempt to divide by zero
    after: skipped: parent_failed_or_skipped
    beside: succeeded
    run failed: node `broken` panicked: attempt to divide by zero
    ");
}

#[test]
fn an_optional_failure_is_recorded_and_seen_as_skipped() {
    let mut flow = Flow::builder("optional");
    let b = node((), || -> Result<i64> { anyhow::bail!("boom") }).optional();
    let b = flow.add("b", b);
    flow.node("default", (b,), |b: &i64| Ok(*b));
    flow.add("requires", node((b,), |b: &i64| Ok(*b)).require_all_parents().optional());
    flow.node("receives", (b.outcome(),), |b: selvedge::flow::Outcome<&i64>| {
        anyhow::ensure!(b.is_skipped());
        Ok(b.ending().to_string())
    });
    let flow = flow.build().unwrap();
    insta::assert_snapshot!(everywhere(&flow, &Request::new(), story), @r"
    b: failed: boom
    default: skipped: parent_failed_or_skipped
    requires: failed: it requires all its parents, and there is no `b`
    receives: succeeded
    run succeeded
    ");
}

#[test]
fn attempts_are_counted_per_node() {
    let calls = Arc::new(AtomicU32::new(0));
    let mut flow = Flow::builder("retries");
    let flaky = {
        let calls = Arc::clone(&calls);
        node((selvedge::flow::run_info(),), move |run: &selvedge::flow::RunInfo| {
            calls.fetch_add(1, Ordering::Relaxed);
            anyhow::ensure!(run.attempt() == 3, "not yet");
            Ok(run.attempt())
        })
    };
    let flaky = flow.add("flaky", flaky.on_failure(Retry::times(3)));
    let hopeless = node((), || -> Result<i64> { anyhow::bail!("never") });
    flow.add("hopeless", hopeless.on_failure(Retry::times(2)));
    let flow = flow.build().unwrap();
    let told = everywhere(&flow, &Request::new(), |result| {
        assert_eq!(result.value(flaky).unwrap(), &3);
        let attempts = result.records().iter().map(|r| format!("{}: {}", r.step, r.attempt));
        let mut attempts: Vec<String> = attempts.collect();
        attempts.sort_unstable();
        format!("{}\n{}", story(result), attempts.join("\n"))
    });
    insta::assert_snapshot!(told, @r"
    flaky: succeeded
    hopeless: failed: never
    run failed: node `hopeless` failed: never
    flaky: 3
    hopeless: 2
    ");
}

#[test]
fn items_that_fail_or_decline_leave_the_others_alone() {
    let mut flow = Flow::builder("items");
    let list = flow.parameter::<Vec<i64>>("list");
    let halves = map(list, (), |n: &i64| match n % 4 {
        0 => Err(skip("divisible")),
        3 => anyhow::bail!("{n} is odd"),
        1 => panic!("{n} is one"),
        _ => Ok(n / 2),
    });
    let halves = flow.add("halves", halves);
    let flow = flow.build().unwrap();
    let told = |list: &[i64]| {
        everywhere(&flow, &Request::new().with("list", list.to_vec()), |result| {
            match result.value(halves) {
                Ok(halves) => format!("{halves:?}"),
                Err(error) => format!("{error}, {} recorded", result.records().len()),
            }
        })
    };
    insta::assert_snapshot!(told(&[2, 4, 6]), @"[1, 3]");
    insta::assert_snapshot!(told(&[2, 3, 6, 7]), @"there is no value of `halves`: node `halves[1]` failed: 3 is odd, 6 recorded");
    insta::assert_snapshot!(told(&[2, 5, 6, 7]), @"there is no value of `halves`: node `halves[1]` panicked: 5 is one, 6 recorded");
}

#[test]
fn a_value_without_a_digest_fails_the_node_that_made_it() {
    let mut flow = Flow::builder("nan");
    let x = flow.parameter_or::<f64>("x", 0.0);
    let nan = flow.node("nan", (x,), |x: &f64| Ok(x / x));
    flow.node("after", (nan,), |x: &f64| Ok(*x));
    let flow = flow.build().unwrap();
    insta::assert_snapshot!(everywhere(&flow, &Request::new(), story), @r"
    param:x: succeeded
    nan: failed: what it made has no digest: NaN has no digest, give a missing number as an Option
    after: skipped: parent_failed_or_skipped
    run failed: node `nan` failed: what it made has no digest: NaN has no digest, give a missing number as an Option
    ");
    assert!(flow.without_lineage().run(Request::new()).unwrap().succeeded());
}

#[test]
fn long_chains_and_wide_flows_cost_no_stack() {
    let mut flow = Flow::builder("deep");
    let mut last = flow.node("n0", (), || -> Result<u64> { anyhow::bail!("boom") });
    for n in 1..10_000 {
        last = flow.node(&format!("n{n}"), (last,), |n: &u64| Ok(n + 1));
    }
    let wide: Vec<_> =
        (0..10_000).map(|n| flow.node(&format!("w{n}"), (), move || Ok(n))).collect();
    let sum = flow.aggregate("sum", wide, |all: &[&u64]| Ok(all.iter().copied().sum::<u64>()));
    let result = flow.build().unwrap().run(Request::new()).unwrap();
    assert!(result.outcome(last).is_skipped());
    assert_eq!(result.value(sum).unwrap(), &(9_999 * 10_000 / 2));
}
