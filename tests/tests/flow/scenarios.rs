//! What graphs were always supposed to do, one scenario a test.

use selvedge::flow::{Flow, Outcome, Request, map};
use selvedge::prelude::*;

use super::{everywhere, story};

#[test]
fn a_chain_computes_and_is_recorded() {
    let mut flow = Flow::builder("chain");
    let x = flow.parameter::<i64>("x");
    let d = flow.node("d", (x,), |x: &i64| Ok(x * 2));
    let answer = flow.node("answer", (x, d), |x: &i64, d: &i64| Ok(x + d));
    let flow = flow.build().unwrap();
    let told = everywhere(&flow, &Request::new().with("x", 5), |result| {
        assert_eq!(result.value(answer).unwrap(), &15);
        let mut records: Vec<String> = result
            .records()
            .iter()
            .map(|record| {
                let inputs: Vec<&str> =
                    record.inputs.iter().map(|input| input.name.as_str()).collect();
                format!("{} of {inputs:?}", record.step)
            })
            .collect();
        records.sort_unstable();
        format!("{}\n{}", story(result), records.join("\n"))
    });
    insta::assert_snapshot!(told, @r#"
    param:x: succeeded
    d: succeeded
    answer: succeeded
    run succeeded
    answer of ["param:x", "d"]
    d of ["param:x"]
    param:x of []
    "#);
}

#[test]
fn defaults_hold_until_the_request_says_otherwise() {
    let mut flow = Flow::builder("defaults");
    let x = flow.parameter_or::<i64>("x", 7);
    let d = flow.node("d", (x,), |x: &i64| Ok(x * 2));
    let flow = flow.build().unwrap();
    let d_of = |request| *flow.run(request).unwrap().value(d).unwrap();
    assert_eq!(d_of(Request::new()), 14);
    assert_eq!(d_of(Request::new().with("x", 100)), 200);
    assert_eq!(d_of(Request::new().with_json("x", selvedge::json!(3))), 6);
}

#[test]
fn runs_of_one_flow_at_once_have_parameters_of_their_own() {
    let mut flow = Flow::builder("concurrent");
    let x = flow.parameter::<u64>("x");
    let d = flow.node("d", (x,), |x: &u64| Ok(x * 2));
    let flow = flow.build().unwrap();
    let engine = selvedge::flow::Engine::with_workers(2).unwrap();
    let begin = |x: u64| engine.launch(&flow, Request::new().with("x", x)).unwrap();
    let runs: Vec<_> = (0..50).map(begin).collect();
    for (run, x) in runs.into_iter().zip(0..) {
        assert_eq!(run.wait().value(d).unwrap(), &(x * 2));
    }
    engine.close().unwrap();
}

#[test]
fn a_failure_skips_what_depends_on_it() {
    let mut flow = Flow::builder("failure");
    let x = flow.parameter_or::<i64>("x", 1);
    let b = flow.node("b", (x,), |_: &i64| -> Result<i64> { anyhow::bail!("boom") });
    flow.node("d", (b,), |b: &i64| Ok(b * 2));
    let flow = flow.build().unwrap();
    let told = everywhere(&flow, &Request::new(), |result| {
        let failures: Vec<_> = result.failures().map(ToString::to_string).collect();
        format!("{}\n{}", story(result), failures.join("\n"))
    });
    insta::assert_snapshot!(told, @r"
    param:x: succeeded
    b: failed: boom
    d: skipped: parent_failed_or_skipped
    run failed: node `b` failed: boom
    node `b` failed: boom
    ");
}

#[test]
fn whoever_receives_errors_runs_and_the_run_has_failed_all_the_same() {
    let mut flow = Flow::builder("receives");
    let b = flow.node("b", (), || -> Result<i64> { anyhow::bail!("boom") });
    let h = flow.node("h", (b.outcome(),), |b: Outcome<&i64>| {
        Ok(match b {
            Outcome::Ok(b) => format!("ok:{b}"),
            Outcome::Err(failure) => format!("err:{}", failure.error()),
            Outcome::Skipped(skip) => format!("skipped:{skip}"),
        })
    });
    let flow = flow.build().unwrap();
    let told = everywhere(&flow, &Request::new(), |result| {
        assert_eq!(result.value(h).unwrap(), "err:boom");
        story(result)
    });
    insta::assert_snapshot!(told, @r"
    b: failed: boom
    h: succeeded
    run failed: node `b` failed: boom
    ");
}

#[test]
fn a_branch_goes_one_way() {
    let mut flow = Flow::builder("branch");
    let text = flow.parameter::<String>("text");
    let choose = |text: &String| Ok(text.split(' ').next().unwrap_or_default().to_owned());
    let (_, [tool, resp]) = flow.branch("route", text, ["tool", "resp"], choose);
    flow.node("h_tool", (tool,), |text: &String| Ok(text.len()));
    flow.node("h_resp", (resp,), |text: &String| Ok(text.len()));
    let flow = flow.build().unwrap();
    let told = |text: &str| everywhere(&flow, &Request::new().with("text", text.to_owned()), story);
    insta::assert_snapshot!(told("tool do"), @r"
    param:text: succeeded
    route: succeeded
    route:tool: succeeded
    route:resp: skipped: branch_not_selected
    h_tool: succeeded
    h_resp: skipped: parent_failed_or_skipped
    run succeeded
    ");
    insta::assert_snapshot!(told("tol do"), @r"
    param:text: succeeded
    route: failed: chose `tol`, which is none of its arms `tool`, `resp`; did you mean `tool`?
    route:tool: skipped: parent_failed_or_skipped
    route:resp: skipped: parent_failed_or_skipped
    h_tool: skipped: parent_failed_or_skipped
    h_resp: skipped: parent_failed_or_skipped
    run failed: node `route` failed: chose `tol`, which is none of its arms `tool`, `resp`; did you mean `tool`?
    ");
}

#[test]
fn a_gate_lets_through_or_skips() {
    let mut flow = Flow::builder("gate");
    let x = flow.parameter::<i64>("x");
    let positive = flow.gate("positive", x, |x| Ok(*x > 0));
    let consumer = flow.node("consumer", (positive,), |x: &i64| Ok(x * 100));
    let flow = flow.build().unwrap();
    let open = flow.run(Request::new().with("x", 5)).unwrap();
    assert_eq!((open.value(positive).is_err(), open.value(consumer).unwrap()), (true, &500));
    insta::assert_snapshot!(everywhere(&flow, &Request::new().with("x", -3), story), @r"
    param:x: succeeded
    positive: skipped: gate_closed
    consumer: skipped: parent_failed_or_skipped
    run succeeded
    ");
}

#[test]
fn a_map_keeps_the_order_of_its_items() {
    let mut flow = Flow::builder("map");
    let list = flow.parameter::<Vec<i64>>("list");
    let prefix = flow.parameter_or("prefix", "n=".to_owned());
    let named = map(list, (prefix,), |n: &i64, prefix: &String| Ok(format!("{prefix}{n}")));
    let named = flow.add("named", named);
    let flow = flow.build().unwrap();
    let told = |list: &[i64]| {
        everywhere(&flow, &Request::new().with("list", list.to_vec()), |result| {
            let items = result.records().iter().filter(|record| record.step.contains('['));
            format!("{:?}, {} items recorded", result.value(named).unwrap(), items.count())
        })
    };
    assert_eq!(told(&[1, 2, 3]), r#"["n=1", "n=2", "n=3"], 3 items recorded"#);
    assert_eq!(told(&[]), "[], 0 items recorded");
}

#[test]
fn lists_are_reduced_whole_or_pairwise() {
    let mut flow = Flow::builder("reduce");
    let list = flow.parameter::<Vec<i64>>("list");
    let whole = flow.node("whole", (list,), |list: &Vec<i64>| Ok(list.iter().sum::<i64>()));
    let pairwise = flow.fold("pairwise", list, 100, |total, n: &i64| Ok(total + n));
    let flow = flow.build().unwrap();
    let told = |list: Vec<i64>| {
        everywhere(&flow, &Request::new().with("list", list), |result| {
            format!("{} {}", result.value(whole).unwrap(), result.value(pairwise).unwrap())
        })
    };
    assert_eq!(told(vec![1, 2, 3]), "6 106");
    assert_eq!(told(vec![]), "0 100");
}

#[test]
fn an_aggregator_reads_many() {
    let mut flow = Flow::builder("aggregate");
    let parts = [4, 8].map(|n| flow.node(&format!("n{n}"), (), move || Ok(n)));
    let sum = flow.aggregate("sum", parts, |parts: &[&i64]| Ok(parts.iter().copied().sum::<i64>()));
    let flow = flow.build().unwrap();
    let told = everywhere(&flow, &Request::new(), |result| result.value(sum).unwrap().to_string());
    assert_eq!(told, "12");
}

#[test]
fn equal_inputs_have_equal_digests_in_every_run() {
    let mut flow = Flow::builder("digests");
    let x = flow.parameter::<i64>("x");
    flow.node("d", (x,), |x: &i64| Ok(x * 2));
    let flow = flow.build().unwrap();
    let digest = |x: i64| {
        let result = flow.run(Request::new().with("x", x)).unwrap();
        let record = result.records().iter().find(|record| record.step.as_str() == "d").unwrap();
        record.outputs[0]
    };
    assert_eq!(digest(5), digest(5));
    assert_ne!(digest(5), digest(7));
    assert_eq!(digest(5), Digest::of(&10).unwrap());
    assert_eq!(digest(5).to_string().len(), 67);
}
