//! One artifact per target: asked for, built once, answered in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use selvedge::prelude::*;
use selvedge::reactive::{Got, Reactive, Target, once};
use selvedge::runtime::simulation::Await;
use selvedge::runtime::{Answer, LastResort, Retry};
use selvedge_testkit::explore;

use super::{Calls, SEEDS};

/// A graph of `a`, `b` and the pair of them, which notes when it builds.
fn pair(graph: &mut Reactive, calls: &Calls<&'static str>) -> Target<String> {
    let part = |name: &'static str, part: &'static str| {
        let calls = calls.clone();
        once(name, (), move || {
            calls.note(name);
            part.to_owned()
        })
    };
    let (a, b) = (graph.add(part("a", "A")), graph.add(part("b", "B")));
    let calls = calls.clone();
    graph.add(once("pair", (&a, &b), move |a: &String, b: &String| {
        calls.note("pair");
        format!("{a}|{b}")
    }))
}

#[test]
fn a_pair_is_built_once_and_each_who_asks_is_answered() {
    explore(SEEDS, |sim| {
        let calls = Calls::new();
        let mut graph = Reactive::new("pairs");
        let pair = pair(&mut graph, &calls);
        let answers = Calls::<String>::new();
        let noted = answers.clone();
        let (mut answer, mut n_asked): (Option<Answer<Got<String>>>, _) = (None, 0);
        let question = pair.clone();
        let sim = sim.client(move |client| {
            if let Some(answer) = answer.take() {
                let got = answer.now().expect("it was awaited").expect("there is one");
                noted.note((**got).to_owned());
            }
            n_asked += 1;
            if n_asked > 3 {
                return Await::Done;
            }
            let asked = client.ask::<Got<String>>(question.ask());
            answer = Some(asked);
            Await::Answers
        });
        let pipeline = graph.install(Pipeline::builder()).expect("sound");
        let pipeline = sim.build(pipeline).expect("sound");
        let early = [pipeline.ask::<Got<String>>(pair.ask()), pipeline.ask(pair.ask())];
        let run = sim.run(pipeline);
        assert!(run.result.is_ok(), "{:?}", run.result);
        for answer in early {
            assert_eq!(**answer.expect("there is room").wait().expect("there is one"), "A|B");
        }
        assert_eq!(answers.take(), ["A|B"; 3]);
        let mut calls = calls.take();
        assert_eq!(calls.pop(), Some("pair"));
        calls.sort_unstable();
        assert_eq!(calls, ["a", "b"]);
        run
    });
}

#[test]
fn those_who_wait_are_answered_in_the_order_in_which_they_asked() {
    let calls = Calls::new();
    let mut graph = Reactive::new("slow");
    let part = graph.input::<u64>("part");
    let whole = graph.add(once("whole", &part, |n: &u64| *n));
    let noted = calls.clone();
    graph.each("hearer", &whole, move |n: &u64| noted.note(*n));
    let pipeline = graph.install(Pipeline::builder()).expect("sound").build().expect("sound");
    let mut answers: Vec<_> =
        (0..5).map(|_| pipeline.ask::<Got<u64>>(whole.ask()).expect("there is room")).collect();
    // The first counts.
    pipeline.submit(part.made(7)).expect("there is room");
    pipeline.submit(part.made(8)).expect("there is room");
    answers.push(pipeline.ask(whole.ask()).expect("there is room"));
    pipeline.run().expect("nothing fails");
    for answer in answers {
        assert_eq!(**answer.wait().expect("there is one"), 7);
    }
    assert_eq!(calls.take(), [7]);
}

#[test]
fn an_iterator_is_materialised_and_a_requirement_listed_twice_is_fetched_once() {
    let calls = Calls::new();
    let mut graph = Reactive::new("lists");
    let noted = calls.clone();
    let list: Target<Vec<u64>> = graph.add(once("list", (), move || {
        noted.note("list");
        (1..4_u64).map(|n| n * n)
    }));
    let sums = graph.add(once("sums", (&list, &list), |a: &Vec<u64>, b: &Vec<u64>| {
        a.iter().chain(b).sum::<u64>()
    }));
    let pipeline = graph.install(Pipeline::builder()).expect("sound").build().expect("sound");
    let answer = pipeline.ask::<Got<u64>>(sums.ask()).expect("there is room");
    pipeline.run().expect("nothing fails");
    assert_eq!(**answer.wait().expect("there is one"), 28);
    assert_eq!(calls.take(), ["list"]);
}

#[test]
fn whoever_asks_for_what_can_not_be_built_is_told_so() {
    let n_calls = Arc::new(AtomicU32::new(0));
    for (policy, n_expected) in
        [(FailurePolicy::Skip, 1), (Retry::times(3).then(LastResort::Skip).into(), 3)]
    {
        n_calls.store(0, Ordering::Relaxed);
        let mut graph = Reactive::new("failing");
        let part = graph.add(once("part", (), || 1_u64));
        let count = Arc::clone(&n_calls);
        let whole: Target<u64> = graph.add(
            once("whole", &part, move |_: &u64| -> Result<u64> {
                count.fetch_add(1, Ordering::Relaxed);
                anyhow::bail!("it can't be done")
            })
            .on_failure(policy),
        );
        let pipeline = graph.install(Pipeline::builder()).expect("sound").build().expect("sound");
        let answers: Vec<_> =
            (0..2).map(|_| pipeline.ask::<Got<u64>>(whole.ask()).expect("room")).collect();
        let report = pipeline.run().expect("failures are skipped");
        assert!(answers.into_iter().all(|answer| answer.wait().is_err()));
        assert_eq!(report.dead, 1);
        let error = &report.dead_letters[0].error;
        assert!(error.contains("building `whole` in builder `whole` from input b3:"), "{error}");
        assert_eq!(n_calls.load(Ordering::Relaxed), n_expected);
    }
}
