//! What is refused, and in which words.

use selvedge::flow::{DefinitionProblem, Flow, Request, RunError, constant, node};
use selvedge::prelude::*;

/// A definition's problems, without the places.
fn problems(define: impl Fn(&mut selvedge::flow::FlowBuilder)) -> String {
    let mut flow = Flow::builder("shop");
    define(&mut flow);
    let error = flow.build().unwrap_err().to_string();
    let lines = error.lines().map(|line| {
        let mut words = line.split(' ');
        let shown = words
            .by_ref()
            .map(|word| if word.contains(".rs:") { "PLACE".to_owned() } else { word.to_owned() });
        shown.collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn definitions_are_told_all_that_is_wrong_at_once() {
    let mut other = Flow::builder("other");
    let foreign = other.parameter::<i64>("foreign");
    let told = problems(|flow| {
        flow.parameter::<i64>("unused");
        let x = flow.parameter_or::<i64>("x", 0);
        flow.check(x, |x| if *x > 0 { Ok(()) } else { Err("must be positive".to_owned()) });
        flow.node("d", (x,), |x: &i64| Ok(x * 2));
        flow.node("d", (x,), |x: &i64| Ok(x * 3));
        flow.node("two words\n", (x,), |x: &i64| Ok(*x));
        flow.node("reads", (foreign,), |x: &i64| Ok(*x));
        flow.node("nan", (x, constant(f64::NAN)), |x: &i64, _: &f64| Ok(*x));
        flow.add("kept", node((x,), |x: &i64| Ok(*x)).cached());
    });
    insta::assert_snapshot!(told, @r"
    the flow can't be built, 7 problems
    - node `d` is defined twice, at PLACE and at PLACE give one of them another name; `d-2` is free
    - node `two words\n` at PLACE has a malformed name: `␣` (byte 3) is not allowed in a name; call it `two-words`, for example
    - input 0 of node `reads` at PLACE is a handle of another flow: use one that this flow's builder gave, or run the other flow within this one
    - nobody reads `param:unused`, defined at PLACE read it, or leave it out
    - the default of `param:x`, defined at PLACE is refused by its check: must be positive
    - node `kept` at PLACE is cached, but nothing is known of its code: declare its `version`, or make it of a function with `#[node]`
    - the constants of node `nan` have no digest: NaN has no digest, give a missing number as an Option
    ");
}

#[test]
fn a_default_is_checked_as_what_is_given() {
    let mut flow = Flow::builder("shop");
    let n = flow.parameter_or::<u32>("n", 0);
    flow.check(n, |n| if *n > 0 { Ok(()) } else { Err("must be above 0".to_owned()) });
    flow.node("half", (n,), |n: &u32| Ok(n / 2));
    let error = flow.build().unwrap_err();
    assert!(matches!(error.list(), [DefinitionProblem::BadDefault { .. }]), "{error}");
}

#[test]
fn a_node_reads_a_million_others_and_not_more() {
    let mut flow = Flow::builder("wide");
    let one = flow.node("one", (), || Ok(1_u8));
    flow.aggregate("all", (0..=1 << 20).map(|_| one), |all: &[&u8]| Ok(all.len()));
    let error = flow.build().unwrap_err();
    assert!(matches!(error.list(), [DefinitionProblem::TooManyInputs { max: 1_048_576, .. }]));
    let told = selvedge::Error::Definition(error).to_string();
    assert!(told.contains("has 1048577 inputs, 1048576 are allowed: read lists instead"), "{told}");
}

#[test]
fn an_engine_without_workers_is_refused() {
    let error = selvedge::flow::Engine::with_workers(0).unwrap_err();
    assert!(matches!(error, RunError::Workers { .. }));
    assert_eq!(error.to_string(), "no workers for flow `engine`");
}

#[test]
fn requests_are_told_what_they_lack() {
    let mut flow = Flow::builder("shop");
    let price = flow.parameter::<u32>("price");
    let name = flow.parameter_or("name", "tea".to_owned());
    flow.check(price, |price| match price {
        0 => Err("must be above 0".to_owned()),
        _ => Ok(()),
    });
    flow.node("label", (price, name), |price: &u32, name: &String| Ok(format!("{name} {price}")));
    let flow = flow.build().unwrap();
    let told = |request: Request| flow.run(request).unwrap_err().to_string();
    let requests = [
        told(Request::new()),
        told(Request::new().with("pice", 7)),
        told(Request::new().with("price", "seven".to_owned())),
        told(Request::new().with("price", -7)),
        told(Request::new().with_json("price", selvedge::json!([7]))),
        told(Request::new().with("price", 0)),
        told(Request::new().with("price", 7).only(["lable"])),
        told(Request::new().with("price", 7).only(Vec::<&str>::new())),
    ];
    insta::assert_snapshot!(requests.join("\n"), @r#"
    parameter `price` of flow `shop` is missing: give it a value in the request
    flow `shop` has no parameter `pice`; did you mean `price`?
    parameter `price` of flow `shop` is a `u32`, and a `alloc::string::String` was given that is none: invalid type: string "seven", expected u32
    parameter `price` of flow `shop` is a `u32`, and a `i32` was given that is none: invalid value: integer `-7`, expected u32
    parameter `price` of flow `shop` is a `u32`, and the JSON given is none: invalid type: sequence, expected u32
    parameter `price` of flow `shop` must be above 0
    flow `shop` has no node `lable` to ask for; did you mean `label`?
    nothing of flow `shop` is asked for: add a node, or name one in the request
    "#);
}

#[test]
fn values_that_are_not_there_say_why() {
    let mut flow = Flow::builder("shop");
    let x = flow.parameter_or::<i64>("x", 1);
    let read = flow.node("read", (x,), |x: &i64| Ok(*x));
    let failed = flow.node("failed", (read,), |_: &i64| -> Result<i64> { anyhow::bail!("boom") });
    let skipped = flow.node("skipped", (failed,), |x: &i64| Ok(*x));
    let unasked = flow.node("unasked", (read,), |x: &i64| Ok(*x));
    let mut other = Flow::builder("other");
    let foreign = other.node("foreign", (), || Ok(1_i64));
    let result = flow.build().unwrap().run(Request::new().only(["skipped"])).unwrap();
    let told = [read, failed, skipped, unasked, foreign]
        .map(|node| result.value(node).unwrap_err().to_string());
    insta::assert_snapshot!(told.join("\n"), @r"
    the value of `read` was dropped when its last reader had read it: `keep` it, or ask for the node in the request
    there is no value of `failed`: node `failed` failed: boom
    there is no value of `skipped`: it was skipped, parent_failed_or_skipped
    there is no value of `unasked`: it did not run, nobody asked for it
    the handle is of another flow than `shop`
    ");
}
