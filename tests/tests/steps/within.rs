//! Pipes within pipes: what is told of them, what becomes of the step that they are for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use selvedge::flow::steps::{Checkpoints, Control, Pipe, PipeResult, Resumed, Start, State};
use selvedge::prelude::*;
use selvedge::runtime::Retry;
use selvedge::store::{Memory, Store};

use super::{everywhere, happened, story};

/// A pipe whose one step does this.
fn one(act: impl Fn(State<u32>) -> Result<Control> + Send + Sync + 'static) -> Pipe<u32> {
    let mut pipe = Pipe::<u32>::builder("inner");
    pipe.step("c", act);
    pipe.build().unwrap()
}

/// Another around it, with a step that follows.
fn around(inner: &Pipe<u32>) -> Pipe<u32> {
    let mut pipe = Pipe::<u32>::builder("outer");
    pipe.sub("p", inner, |n: State<u32>| Ok(*n + 1), |n, inner| *n = *inner).to("after");
    pipe.step("after", || ());
    pipe.build().unwrap()
}

fn told(pipe: &Pipe<u32>) -> String {
    everywhere(
        pipe,
        || Start::with(1),
        |result| {
            let origins: BTreeSet<_> = happened(result).filter_map(|event| event.origin).collect();
            assert!(happened(result).all(|event| event.run == result.run()));
            assert!(origins.len() <= 2 && !origins.contains(&result.run()));
            format!("{}{}", story(result), result.state())
        },
    )
}

#[test]
fn a_pipe_within_a_pipe_is_told_of_by_the_step_that_it_is_for() {
    let inner = one(|n| {
        n.update(|n| *n *= 10);
        Ok(Control::Next)
    });
    insta::assert_snapshot!(told(&around(&inner)), @r"
    start
    p starts
    p:system start
    p:c starts
    p:c ends
    p:system finish: succeeded
    p ends
    after starts
    after ends
    finish: succeeded
    20
    ");
}

#[test]
fn a_step_fails_as_the_pipe_within_it_does_and_its_state_stays_outside() {
    let inner = one(|n| {
        n.update(|n| *n *= 10);
        anyhow::bail!("boom")
    });
    insta::assert_snapshot!(told(&around(&inner)), @r"
    start
    p starts
    p:system start
    p:c starts
    p:c failed: boom
    p:system finish: failed: step `c` failed: boom
    p failed: the pipe within it failed: step `c` failed: boom
    after skipped: `p` failed
    finish: failed: step `p` failed: the pipe within it failed: step `c` failed: boom
    1
    ");
}

#[test]
fn a_pipe_within_is_attempted_again_whole() {
    let attempts = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let inner = one(move |_| {
        let n = attempts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        anyhow::ensure!(n % 2 == 1, "not yet");
        Ok(Control::Next)
    });
    let mut pipe = Pipe::<u32>::builder("outer");
    pipe.sub("p", &inner, |n: State<u32>| Ok(*n), |_, _| {}).on_failure(Retry::times(2));
    insta::assert_snapshot!(told(&pipe.build().unwrap()), @r"
    start
    p starts
    p:system start
    p:c starts
    p:c failed: not yet
    p:system finish: failed: step `c` failed: not yet
    p failed: the pipe within it failed: step `c` failed: not yet, again in 0ns
    p starts, #2
    p:system start
    p:c starts
    p:c ends
    p:system finish: succeeded
    p ends
    finish: succeeded
    1
    ");
}

/// Asks and waits, deep down.
fn asks() -> Pipe<u32> {
    let mut inner = Pipe::<u32>::builder("inner");
    inner.step("ask", || Control::suspend("how many?")).to("add");
    inner.step("add", |n: State<u32>, more: Resumed<u32>| {
        let more = more.0.unwrap_or_default();
        n.update(move |n| *n += more);
    });
    around(&around(&inner.build().unwrap()))
}

#[test]
fn a_run_waits_as_the_run_within_it_does_and_both_go_on() {
    let pipe = asks();
    let first = pipe.run_with(Start::with(1).keeping_events()).unwrap();
    assert_eq!(first.finished().reason.as_deref(), Some("how many?"));
    let second = pipe.resume(first.suspended().unwrap().clone(), (), &30).unwrap();
    insta::assert_snapshot!(format!("{}--\n{}", story(&first), later(&second)), @r"
    start
    p starts
    p:system start
    p:p starts
    p:p:system start
    p:p:ask starts
    p:p:ask suspended: how many?
    p:p:system finish: suspended
    p:system finish: suspended
    finish: suspended
    --
    resume
    p:system resume
    p:p:system resume
    p:p:add starts
    p:p:add ends
    p:p:system finish: succeeded
    p:p ends
    p:after starts
    p:after ends
    p:system finish: succeeded
    p ends
    after starts
    after ends
    finish: succeeded
    ");
    assert_eq!(*second.state(), 33);
}

fn later(result: &PipeResult<u32>) -> String {
    happened(result).map(|event| format!("{event}\n")).collect()
}

#[test]
fn runs_within_runs_are_kept_with_them() {
    let store = Arc::new(Memory::new());
    let kept = || Checkpoints::new(Arc::clone(&store) as Arc<dyn Store>);
    let run = asks().kept_in(&kept()).run(1).unwrap().run();
    assert_eq!(kept().list(10, None).unwrap()[0].reason.as_deref(), Some("how many?"));
    let result = asks().kept_in(&kept()).resume_run(run, (), &30).unwrap();
    assert!(result.succeeded());
    assert_eq!(*result.state(), 33);
}

#[test]
fn a_pipe_within_that_is_late_is_called_off() {
    let mut inner = Pipe::<u32>::builder("inner");
    inner.retries_max(u32::MAX);
    inner.step("again", || Control::Retry(Duration::from_millis(1)));
    let inner = inner.build().unwrap();
    let mut pipe = Pipe::<u32>::builder("outer");
    pipe.sub("p", &inner, |n: State<u32>| Ok(*n), |_, _| {})
        .time_limit(Duration::from_millis(20))
        .on_error(|| Control::skip("too slow"))
        .to("after");
    pipe.step("after", || ());
    let pipe = pipe.build().unwrap();
    let told = everywhere(
        &pipe,
        || Start::with(1),
        |result| {
            let outer = happened(result).filter(|event| event.origin.is_none());
            outer.map(|event| format!("{event}\n")).collect()
        },
    );
    insta::assert_snapshot!(told, @r"
    start
    p starts
    p skipped: too slow
    after skipped: `p` was skipped
    finish: succeeded
    ");
}

#[test]
fn pipes_that_lie_too_deep_in_each_other_are_refused() {
    let mut pipe = one(|_| Ok(Control::Next));
    for _ in 0..40 {
        pipe = around(&pipe);
    }
    let result = pipe.run(1).unwrap();
    let failure = result.finished().failure().unwrap();
    assert!(failure.error.contains("32 is allowed"), "{}", failure.error);
}

#[test]
fn what_a_step_emits_reaches_those_who_listen_and_waits_for_no_one_who_is_gone() {
    let mut inner = Pipe::<u32>::builder("inner");
    inner.step("say", |tokens: selvedge::flow::steps::Tokens| -> Result {
        ["a", "b"].iter().try_for_each(|word| tokens.emit(word))
    });
    let pipe = around(&inner.build().unwrap());
    let engine = selvedge::flow::Engine::with_workers(2).unwrap();
    let listen = selvedge::flow::Listen::new().queue_max(1);
    let mut run = pipe.launch(&engine, Start::with(1).with_events(listen)).unwrap();
    let events = run.events();
    let words: Vec<String> = events
        .filter_map(|told| match told.unwrap().event.what {
            selvedge::flow::steps::What::Token { value } => Some(value.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(words, ["\"a\"", "\"b\""]);
    assert!(run.wait().succeeded());
    let listen = selvedge::flow::Listen::new().queue_max(1);
    let mut run = pipe.launch(&engine, Start::with(1).with_events(listen)).unwrap();
    drop(run.events());
    assert!(run.wait().succeeded());
    engine.close().unwrap();
}
