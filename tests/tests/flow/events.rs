//! What is told of a run while it goes on.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use selvedge::flow::{
    Engine, Flow, Happened, HeardEnd, Listen, OnFull, Request, RunEvent, RunHandle, RunResult,
    StreamError, SubFlow, Told, map, node, run_info,
};
use selvedge::prelude::*;

use super::everywhere;

/// Where a step stands in a stream.
#[derive(Debug, Default, PartialEq)]
enum Step {
    #[default]
    Waits,
    /// At this attempt.
    Runs(u32),
    Retried(u32),
    Finished,
}

/// Panics unless the events are those of such a run: numbered without gaps, first its start, last
/// its end; no step starts twice at a time, each that starts ends, each that was wanted ends once.
pub(super) fn check(told: &[Told<RunEvent>], result: &RunResult) {
    let told_text = || told.iter().map(|told| format!("{}\n", told.event)).collect::<String>();
    let mut steps: BTreeMap<String, Step> = BTreeMap::new();
    let mut at = Duration::ZERO;
    for (told, seq) in told.iter().zip(1..) {
        assert_eq!((told.seq, told.event.run), (seq, result.run()));
        at = at.max(told.event.at);
        let is_edge = match &told.event.what {
            Happened::RunStarted { .. } => seq == 1,
            Happened::RunFinished { .. } => false,
            _ => seq > 1,
        };
        assert!(is_edge || told.event.to_string() == format!("run {}", result.ending()));
        let (step, next) = match &told.event.what {
            Happened::NodeStarted { step, attempt } => (step, Step::Runs(*attempt)),
            Happened::NodeRetried { step, attempt, .. } => (step, Step::Retried(*attempt)),
            Happened::NodeFinished { step, .. } | Happened::ItemFinished { step, .. } => {
                (step, Step::Finished)
            }
            _ => continue,
        };
        let now = steps.entry(step.to_string()).or_default();
        let is_item = step.ends_with(']');
        let follows = match (&*now, &next) {
            (Step::Waits, Step::Runs(1)) | (Step::Runs(_) | Step::Waits, Step::Finished) => true,
            (Step::Runs(a), Step::Retried(b)) => a == b,
            (Step::Retried(a), Step::Runs(b)) => a + 1 == *b,
            // Items are told of when they end, and between attempts.
            (Step::Waits | Step::Retried(_), Step::Retried(_) | Step::Finished) => is_item,
            _ => false,
        };
        assert!(follows, "{step} is {now:?}, then {next:?}\n{}", told_text());
        *now = next;
    }
    let last = told.last().expect("a run starts and finishes");
    assert!(matches!(last.event.what, Happened::RunFinished { .. }), "{}", told_text());
    for node in result.nodes() {
        let step = steps.get(node.id.as_str());
        match node.ending {
            Some(_) => assert_eq!(step, Some(&Step::Finished), "{}\n{}", node.id, told_text()),
            None => assert_ne!(step, Some(&Step::Finished), "{}\n{}", node.id, told_text()),
        }
    }
}

/// What was told, without times and what depends on who was first.
fn sorted(told: &[Told<RunEvent>]) -> String {
    let mut lines: Vec<String> = told.iter().map(|told| told.event.to_string()).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Has a callback note what it is told.
fn noting(request: Request) -> (Request, Arc<Mutex<Vec<Told<RunEvent>>>>) {
    let noted = Arc::new(Mutex::new(Vec::new()));
    let notes = {
        let noted = Arc::clone(&noted);
        move |told: &Told<RunEvent>| noted.lock().unwrap().push(told.clone())
    };
    (request.listener(Listen::new(), notes), noted)
}

#[test]
fn a_run_tells_of_every_kind_of_step() {
    let mut inner = Flow::builder("inner");
    let n = inner.parameter::<u32>("n");
    let root = inner.node("root", (n,), |n: &u32| Ok(n.isqrt()));
    let inner = inner.build().unwrap();

    let mut flow = Flow::builder("outer");
    let n = flow.parameter_or("n", 16_u32);
    let root = flow.add("sub", SubFlow::of(&inner).given("n", n).making(root));
    let list = flow.node("list", (root,), |n: &u32| Ok((0..*n).collect::<Vec<u32>>()));
    let flaky = |n: &u32| match n {
        2 => anyhow::bail!("two"),
        3 => Err(selvedge::flow::skip("three")),
        n => Ok(*n),
    };
    let all = map(list, (), flaky).on_failure(Retry::times(2));
    let all = flow.add("all", all.optional());
    flow.node("after", (all,), |all: &Vec<u32>| Ok(all.len()));
    let flow = flow.build().unwrap();
    let (request, noted) = noting(Request::new());
    let told = everywhere(&flow, &Request::new(), |result| result.ending().to_string());
    assert_eq!(told, "succeeded");
    let result = flow.run(request).unwrap();
    assert_eq!(result.listeners()[0].end, HeardEnd::Over);
    insta::assert_snapshot!(sorted(&noted.lock().unwrap()), @r"
    after skipped: parent_failed_or_skipped
    all failed: two
    all has 4 items
    all started
    all[0] succeeded
    all[1] succeeded
    all[2] failed in attempt 1: two
    all[2] failed: two
    all[3] skipped: three
    list started
    list succeeded
    param:n succeeded
    run of outer started
    run succeeded
    sub started
    sub succeeded
    sub/param:n succeeded
    sub/root started
    sub/root succeeded
    ");
}

#[test]
fn attempts_are_told_one_by_one() {
    let mut flow = Flow::builder("attempts");
    let flaky = node((run_info(),), |run: &selvedge::flow::RunInfo| match run.attempt() {
        1 => anyhow::bail!("not yet"),
        2 => panic!("nor now"),
        n => Ok(n),
    });
    flow.add("flaky", flaky.on_failure(Retry::times(3)));
    let flow = flow.build().unwrap();
    let (request, noted) = noting(Request::new());
    assert!(flow.run(request).unwrap().succeeded());
    let told: Vec<_> = noted.lock().unwrap().iter().map(|told| told.event.to_string()).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    run of attempts started
    flaky started
    flaky failed in attempt 1: not yet
    flaky started, attempt 2
    flaky panicked in attempt 2: nor now
    flaky started, attempt 3
    flaky succeeded
    run succeeded
    ");
}

/// A chain of so many.
fn chain(n: usize) -> Flow {
    let mut flow = Flow::builder("chain");
    let mut last = flow.node("n0", (), || Ok(0_u32));
    for at in 1..n {
        last = flow.node(&format!("n{at}"), (last,), |n: &u32| Ok(n + 1));
    }
    flow.build().unwrap()
}

#[test]
fn whoever_does_not_read_holds_nothing_up() {
    let flow = chain(1_000);
    let engine = Engine::with_workers(1).unwrap();
    let tight = Listen::new().queue_max(1);
    let spills = Request::new().with_events(tight.clone());
    let ends = Request::new().with_events(tight.clone().on_full(OnFull::End));
    let [spills, ends] = [spills, ends].map(|request| engine.launch(&flow, request).unwrap());
    let [spilled, mut ended] = [spills.events(), ends.events()];
    drop(spills.events());
    let [spills, ends] = [spills, ends].map(RunHandle::wait);
    assert!(spills.succeeded() && ends.succeeded());
    // Read after the run is over: most of it comes back from a file.
    let spilled: Vec<_> = spilled.collect::<Result<_, _>>().unwrap();
    assert_eq!(spilled.len(), 2 * 1_000 + 2);
    check(&spilled, &spills);
    assert_eq!(ended.next().unwrap().unwrap().seq, 1);
    let error = ended.next().unwrap().unwrap_err();
    assert!(matches!(error, StreamError::Lagged { from_seq: 2, .. }), "{error}");
    assert!(ended.next().is_none());
    engine.close().unwrap();
}

#[test]
fn a_listener_that_fails_fails_no_run() {
    let (give, take) = channel::<()>();
    let request = Request::new()
        .on_event(|event| assert!(!event.to_string().starts_with("n1 "), "no ones"))
        .listener(Listen::new().farewell_max(Duration::ZERO), move |_: &Told<RunEvent>| {
            let _ = take.recv();
        })
        .listener(Listen::new().queue_max(1).on_full(OnFull::Miss), |_: &Told<RunEvent>| ());
    let result = chain(3).run(request).unwrap();
    assert!(result.succeeded());
    let [panicked, late, lossy] = result.listeners() else { panic!("there were three") };
    assert_eq!(panicked.end, HeardEnd::Panicked { message: "no ones".to_owned() });
    assert_eq!(late.end, HeardEnd::Late);
    assert_eq!((lossy.end.clone(), lossy.n_told + lossy.n_missed), (HeardEnd::Over, 8));
    drop(give);
}

#[test]
fn a_run_that_is_called_off_tells_its_end() {
    let (begun, begins) = channel();
    let (give, take) = channel::<()>();
    let take = Mutex::new(take);
    let mut flow = Flow::builder("called off");
    let first = flow.node("first", (), move || {
        begun.send(())?;
        Ok(take.lock().unwrap().recv()?)
    });
    flow.node("second", (first,), |(): &()| Ok(2));
    let flow = flow.build().unwrap();
    let engine = Engine::with_workers(2).unwrap();
    let run = engine.launch(&flow, Request::new().with_events(Listen::new())).unwrap();
    begins.recv().unwrap();
    let (events, late) = (run.events(), run.events());
    run.cancel();
    give.send(()).unwrap();
    let result = run.wait();
    let told: Vec<_> = events.collect::<Result<_, _>>().unwrap();
    check(&told, &result);
    let told: Vec<_> = told.iter().map(|told| told.event.to_string()).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    run of called off started
    first started
    first succeeded
    run cancelled by User
    ");
    // Whoever came later was told what came later, under the same numbers.
    let late: Vec<_> = late.map(|told| told.unwrap().seq).collect();
    assert_eq!(late.last(), Some(&(told.len() as u64)));
    assert!(late.len() < told.len());
    engine.close().unwrap();
}

#[test]
fn events_are_json_for_whoever_stores_them() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = {
        let told = Arc::clone(&told);
        move |event: &RunEvent| told.lock().unwrap().push(event.clone())
    };
    chain(1).run(Request::new().on_event(notes)).unwrap();
    for event in &*told.lock().unwrap() {
        let text = serde_json::to_string(event).unwrap();
        assert_eq!(&serde_json::from_str::<RunEvent>(&text).unwrap(), event, "{text}");
        assert!(text.contains(r#""event":"#), "{text}");
    }
}
