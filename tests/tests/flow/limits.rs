//! Nodes that take too long, that block, that are called off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use selvedge::flow::{Cause, Engine, Flow, Request, RunInfo, map, node, run_info};
use selvedge::prelude::*;
use selvedge_testkit::explore;

use super::{SEEDS, everywhere, story};

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_node_that_never_comes_back_fails_when_its_time_is_up() {
    let (give, take) = channel::<()>();
    let take = std::sync::Mutex::new(take);
    let mut flow = Flow::builder("stuck");
    let stuck = node((run_info(),), move |run: &RunInfo| {
        take.lock().unwrap().recv()?; // Until the test lets it go.
        anyhow::ensure!(run.is_cancelled(), "it was told");
        Ok(1)
    });
    let stuck = flow.add("stuck", stuck.time_limit(Duration::from_millis(20)));
    flow.node("after", (stuck,), |n: &i32| Ok(*n));
    let beside = flow.node("beside", (), || Ok(2));
    let flow = flow.build().unwrap();

    let engine = Engine::with_workers(2).unwrap();
    let result = engine.launch(&flow, Request::new()).unwrap().wait();
    insta::assert_snapshot!(story(&result), @r"
    stuck: timed out
    after: skipped: parent_failed_or_skipped
    beside: succeeded
    run failed: node `stuck` timed out: it took longer than 20ms
    ");
    assert_eq!(result.failures().next().unwrap().cause(), Cause::TimedOut);
    assert_eq!(result.value(beside).unwrap(), &2);
    give.send(()).unwrap();
    engine.close().unwrap(); // What comes late harms nobody.
}

#[test]
fn who_ends_in_time_ends_as_without_a_limit() {
    let mut flow = Flow::builder("in time");
    let list = flow.parameter_or("list", vec![1_u64, 2, 3]);
    let doubled = map(list, (), |n: &u64| Ok(n * 2)).time_limit(HOUR);
    let doubled = flow.add("doubled", doubled);
    let sum = node((doubled,), |all: &Vec<u64>| Ok(all.iter().sum::<u64>())).time_limit(HOUR);
    let sum = flow.add("sum", sum);
    let flaky = node((run_info(),), |run: &RunInfo| {
        assert!(run.attempt() > 1, "not yet");
        Ok(run.attempt())
    });
    flow.add("flaky", flaky.time_limit(HOUR).on_failure(Retry::times(2)));
    let flow = flow.build().unwrap();
    let told = everywhere(&flow, &Request::new(), |result| {
        assert_eq!(result.value(sum).unwrap(), &12);
        story(result)
    });
    insta::assert_snapshot!(told, @r"
    param:list: succeeded
    doubled: succeeded
    sum: succeeded
    flaky: succeeded
    run succeeded
    ");
}

#[test]
fn nodes_that_block_have_threads_of_their_own() {
    // Each waits for the next: as many threads as nodes, and no worker.
    let mut flow = Flow::builder("blocking");
    let mut before: Option<std::sync::mpsc::Receiver<u32>> = None;
    let mut last = None;
    for n in (0..8_u32).rev() {
        let (give, take) = channel();
        let waits = std::sync::Mutex::new(before.replace(take));
        let body = node((), move || {
            let got = match &*waits.lock().unwrap() {
                Some(waits) => waits.recv()?,
                None => 0,
            };
            give.send(got + n)?;
            Ok(got + n)
        });
        last = Some(flow.add(&format!("n{n}"), body.on_own_thread()));
    }
    let broken = node((), || -> Result<u32> { panic!("broken") }).on_own_thread().optional();
    let broken = flow.add("broken", broken);
    let flow = flow.build().unwrap();
    let engine = Engine::with_workers(1).unwrap();
    let result = engine.launch(&flow, Request::new()).unwrap().wait();
    assert_eq!(result.value(last.unwrap()).unwrap(), &28, "{result}");
    let failure = result.failures().next().unwrap();
    assert_eq!(failure.to_string(), "node `broken` panicked: broken");
    assert!(result.outcome(broken).is_err() && result.succeeded());
    engine.close().unwrap();
    drop(before);
}

#[test]
fn more_blocking_nodes_than_threads_wait_in_line() {
    let mut flow = Flow::builder("in line");
    let all: Vec<_> = (0..20_u32)
        .map(|n| flow.add(&format!("n{n}"), node((), move || Ok(n)).on_own_thread()))
        .collect();
    let sum = flow.aggregate("sum", all, |all: &[&u32]| Ok(all.iter().copied().sum::<u32>()));
    let flow = flow.build().unwrap();
    for threads_max in [0, 1, 3] {
        let result = flow.run(Request::new().threads_max(threads_max)).unwrap();
        assert_eq!(result.value(sum).unwrap(), &190);
    }
}

#[test]
fn a_run_that_is_called_off_tells_its_nodes_and_starts_no_more() {
    let (begun, begins) = channel();
    let (give, take) = channel::<()>();
    let take = std::sync::Mutex::new(take);
    let mut flow = Flow::builder("called off");
    let first = flow.node("first", (run_info(),), move |run: &RunInfo| {
        begun.send(())?;
        take.lock().unwrap().recv()?;
        anyhow::ensure!(run.is_cancelled());
        Ok(1)
    });
    let second = flow.node("second", (first,), |n: &i32| Ok(*n));
    let flow = flow.build().unwrap();
    let engine = Engine::with_workers(2).unwrap();
    let run = engine.launch(&flow, Request::new()).unwrap();
    begins.recv().unwrap();
    run.cancel();
    give.send(()).unwrap();
    let result = run.wait();
    assert_eq!(result.ending().to_string(), "cancelled by User");
    assert!(result.value(second).is_err());
    engine.close().unwrap();
}

#[test]
fn a_limit_strikes_at_its_time_and_only_then() {
    // An item takes an hour until its second attempt, and the limit is half of that or twice; all
    // of it virtual.
    for (limit, told) in [(HOUR / 2, "timed out"), (2 * HOUR, "succeeded")] {
        let mut flow = Flow::builder("timed");
        let list = flow.parameter_or("list", vec![1_u64]);
        let n_calls = AtomicU32::new(0);
        let slow = map(list, (), move |n: &u64| {
            anyhow::ensure!(n_calls.fetch_add(1, Ordering::Relaxed) % 2 == 1, "not yet");
            Ok(*n)
        });
        let retry = Retry::times(2).backoff(Backoff::fixed(HOUR));
        flow.add("slow", slow.time_limit(limit).on_failure(retry));
        let flow = flow.build().unwrap();
        explore(SEEDS / 10, |sim| {
            let begun = Arc::new(std::sync::Mutex::new(None));
            let opens = {
                let (begun, flow) = (Arc::clone(&begun), flow.clone());
                move |cx: &mut Context<'_>, _: &Init| {
                    *begun.lock().unwrap() = Some(flow.begin(cx, Request::new())?);
                    Ok(())
                }
            };
            let pipeline = Pipeline::builder().processor(on("opens", opens));
            let pipeline = sim.build(pipeline).unwrap();
            let run = sim.run(pipeline);
            let result = begun.lock().unwrap().take().unwrap().wait();
            assert!(story(&result).contains(told), "{}\n{}", story(&result), run.trace);
            run
        });
    }
}
