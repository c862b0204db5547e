//! Flows within flows: once, again and again, made on the way.

use selvedge::flow::{Flow, Grown, Node, Request, SubFlow, expand};

use super::{everywhere, story};

/// x → doubled; fails above 100.
fn doubling() -> (Flow, Node<i64>) {
    let mut flow = Flow::builder("doubling");
    let x = flow.parameter::<i64>("x");
    let small = flow.node("small", (x,), |x: &i64| {
        anyhow::ensure!(*x < 100, "{x} is too much");
        Ok(*x)
    });
    let doubled = flow.node("doubled", (small,), |x: &i64| Ok(x * 2));
    (flow.build().unwrap(), doubled)
}

#[test]
fn a_flow_is_a_node_of_another() {
    let (inner, doubled) = doubling();
    let mut flow = Flow::builder("outer");
    let x = flow.parameter::<i64>("x");
    let twice = flow.add("twice", SubFlow::of(&inner).given("x", x).making(doubled));
    let four = flow.add("four", SubFlow::of(&inner).given("x", twice).making(doubled));
    let flow = flow.build().unwrap();
    let told = |x: i64| {
        everywhere(&flow, &Request::new().with("x", x), |result| {
            let mut steps: Vec<_> = result.records().iter().map(|r| r.step.to_string()).collect();
            steps.sort_unstable();
            let value = result.value(four).map_err(|error| error.to_string());
            format!("{}\n{value:?}\n{}", story(result), steps.join(" "))
        })
    };
    insta::assert_snapshot!(told(7), @r"
    param:x: succeeded
    twice: succeeded
    four: succeeded
    run succeeded
    Ok(28)
    four four/doubled four/param:x four/small param:x twice twice/doubled twice/param:x twice/small
    ");
    insta::assert_snapshot!(told(60), @r#"
    param:x: succeeded
    twice: succeeded
    four: failed: node `four/small` failed: 120 is too much
    run failed: node `four` failed: node `four/small` failed: 120 is too much
    Err("there is no value of `four`: node `four` failed: node `four/small` failed: 120 is too much")
    four four/doubled four/param:x four/small param:x twice twice/doubled twice/param:x twice/small
    "#);
}

#[test]
fn a_loop_ends_when_it_is_done_or_has_failed() {
    let (inner, doubled) = doubling();
    let looped = |max: u32| {
        let mut flow = Flow::builder("loop");
        let x = flow.parameter::<i64>("x");
        let until = SubFlow::of(&inner).given("x", x).repeated("x", doubled, max, |x| *x > 50);
        let until = flow.add("until", until);
        (flow.build().unwrap(), until)
    };
    let told = |max: u32, x: i64| {
        let (flow, until) = looped(max);
        everywhere(&flow, &Request::new().with("x", x), |result| {
            let records = result.records().len();
            match result.value(until) {
                Ok(value) => format!("{value}, {records} records"),
                Err(error) => format!("{error}, {records} records"),
            }
        })
    };
    insta::assert_snapshot!(told(10, 1), @"64, 20 records");
    insta::assert_snapshot!(told(3, 1), @"there is no value of `until`: node `until` failed: it is not done after 3 rounds, 11 records");
    insta::assert_snapshot!(told(10, 200), @"there is no value of `until`: node `until` failed: node `until[0]/small` failed: 200 is too much, 5 records");
}

#[test]
fn a_flow_made_on_the_way_is_part_of_its_run() {
    fn level(depth: u32) -> anyhow::Result<Grown<u32>> {
        let mut grown = Flow::builder("level");
        let below = match depth {
            0 => grown.node("leaf", (), || Ok(1)),
            _ => grown.add("below", expand((), move || level(depth - 1))),
        };
        let sum = grown.node("sum", (below,), |below: &u32| Ok(below + 1));
        Ok(Grown::new(grown.build()?, Request::new(), sum))
    }
    let deep = |depth: u32| {
        let mut flow = Flow::builder("deep");
        let sum = flow.add("sum", expand((), move || level(depth)));
        let result = flow.build().unwrap().run(Request::new()).unwrap();
        let deepest = result.records().iter().map(|record| record.step.len()).max();
        let deepest = result.records().iter().find(|record| Some(record.step.len()) == deepest);
        let deepest = deepest.unwrap().step.to_string();
        match result.value(sum) {
            Ok(sum) => format!("{sum}, {deepest}"),
            Err(error) => error.to_string(),
        }
    };
    insta::assert_snapshot!(deep(3), @"5, sum/below/below/below/leaf");
    assert!(deep(40).contains("flows lie in each other 33 deep, 32 is allowed"));
}

#[test]
fn what_does_not_fit_is_told_when_the_flow_is_built() {
    let (inner, doubled) = doubling();
    let mut flow = Flow::builder("outer");
    let name = flow.parameter::<String>("name");
    let x = flow.parameter::<i64>("x");
    flow.add("typed", SubFlow::of(&inner).given("x", name).making(doubled));
    flow.add("named", SubFlow::of(&inner).given("y", x).making(doubled));
    flow.add("missing", SubFlow::of(&inner).making(doubled));
    flow.add("foreign", SubFlow::of(&inner).given("x", x).making(x));
    flow.add("never", SubFlow::of(&inner).given("x", x).repeated("x", doubled, 0, |_| true));
    flow.add("carried", SubFlow::of(&inner).given("x", x).repeated("z", doubled, 9, |_| true));
    let error = flow.build().unwrap_err();
    let told = error.list().iter().map(|problem| {
        let problem = problem.to_string();
        let (head, tail) = problem.split_once(" at ").unwrap();
        format!("{head}: {}", tail.split_once(": ").unwrap().1)
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r"
    nobody reads `param:name`, defined: read it, or leave it out
    node `typed`: parameter `x` of flow `doubling` is a `i64`, and a `alloc::string::String` is given
    node `named`: flow `doubling` has no parameter `y`
    node `missing`: parameter `x` of flow `doubling` is not given
    node `foreign`: what it makes is no node of flow `doubling`
    node `never`: a loop of no rounds makes nothing
    node `carried`: a loop carries a parameter that is given and has the type of what it makes, and `z` is none
    ");
}
