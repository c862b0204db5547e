//! What step pipelines were always supposed to do, one scenario a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use selvedge::flow::steps::{
    Cancel, CancelToken, Caught, Control, Item, Join, Pipe, PipeResult, Start, State, What,
};
use selvedge::prelude::*;

use super::{everywhere, happened, sorted_story, story};

fn start() -> Start<()> {
    Start::with(())
}

/// Where events are in the order of a run.
fn at<S>(result: &PipeResult<S>, line: &str) -> usize {
    let mut events = happened(result);
    events.position(|event| event.to_string() == line).unwrap_or_else(|| panic!("no `{line}`"))
}

#[test]
fn a_chain_is_told_in_order() {
    let mut pipe = Pipe::<()>::builder("chain");
    pipe.step("a", || ()).to("b");
    pipe.step("b", || ());
    let pipe = pipe.build().unwrap();
    insta::assert_snapshot!(everywhere(&pipe, start, story), @r"
    start
    a starts
    a ends
    b starts
    b ends
    finish: succeeded
    ");
}

#[test]
fn what_runs_side_by_side_meets_in_a_join() {
    let mut pipe = Pipe::<()>::builder("diamond");
    pipe.step("r", || ()).to(["a", "b"]);
    pipe.step("a", || ()).to("j");
    pipe.step("b", || ()).to("j");
    pipe.step("j", || ());
    let pipe = pipe.build().unwrap();
    let told = everywhere(&pipe, start, |result| {
        let at = |line| at(result, line);
        assert!(at("r ends") < at("a starts") && at("r ends") < at("b starts"));
        assert!(at("a ends") < at("j starts") && at("b ends") < at("j starts"));
        result.ending().to_string()
    });
    assert_eq!(told, "succeeded");
}

#[test]
fn a_failure_ends_the_run_and_is_known_by_kind_and_step() {
    let mut pipe = Pipe::<()>::builder("failure");
    pipe.step("a", || -> Result { anyhow::bail!("boom") });
    let pipe = pipe.build().unwrap();
    let told = everywhere(&pipe, start, |result| {
        let failure = result.finished().failure().unwrap();
        let known = serde_json::to_string(failure).unwrap();
        format!("{}{known}", story(result))
    });
    insta::assert_snapshot!(told, @r#"
    start
    a starts
    a failed: boom
    finish: failed: step `a` failed: boom
    {"kind":"step","source":"user_code","reason":"step_error","error":"boom","step":"a"}
    "#);
}

#[test]
fn a_suspended_run_starts_nothing_until_it_is_resumed() {
    let mut pipe = Pipe::<Vec<&'static str>>::builder("suspends");
    pipe.step("a", |seen: State<Vec<&'static str>>| {
        seen.update(|seen| seen.push("a"));
        Control::suspend("r")
    })
    .to("b");
    pipe.step("b", |seen: State<Vec<&'static str>>| seen.update(|seen| seen.push("b")));
    let pipe = pipe.build().unwrap();
    let told = everywhere(
        &pipe,
        || Start::with(Vec::new()),
        |result| {
            let waiting = result.suspended().unwrap().clone();
            assert_eq!(
                (waiting.reason(), waiting.state().as_slice()),
                (Some("r"), ["a"].as_slice())
            );
            let resumed = pipe.resume(waiting, (), &()).unwrap();
            assert_eq!(resumed.state(), &["a", "b"]);
            let later: String = resumed
                .events()
                .iter()
                .map(|told| format!("{} {}\n", told.seq, told.event))
                .collect();
            format!("{}--\n{later}", story(result))
        },
    );
    insta::assert_snapshot!(told, @r"
    start
    a starts
    a suspended: r
    finish: suspended
    --
    5 resume
    6 b starts
    7 b ends
    8 finish: succeeded
    ");
}

#[test]
fn an_empty_pipe_fails_between_its_hooks() {
    let seen = Arc::new(AtomicU32::new(0));
    let mut pipe = Pipe::<()>::builder("empty");
    for n in [1, 10] {
        let seen = Arc::clone(&seen);
        let hook = move || {
            seen.fetch_add(n, Ordering::Relaxed);
        };
        if n == 1 {
            pipe.on_startup(hook)
        } else {
            pipe.on_shutdown(hook)
        };
    }
    let pipe = pipe.build().unwrap();
    let told = everywhere(&pipe, start, |result| {
        let failure = result.finished().failure().unwrap();
        format!("{}{:?} {}", story(result), failure.kind, failure.reason)
    });
    let n = seen.load(Ordering::Relaxed);
    assert!(n >= 11 && n.is_multiple_of(11), "both hooks run each time: {n}");
    insta::assert_snapshot!(told, @r"
    system failed: no steps are registered
    finish: failed: no steps are registered
    Validation no_steps
    ");
}

#[test]
fn a_step_that_looks_is_cancelled_and_has_not_failed() {
    let mut pipe = Pipe::<()>::builder("cancelled");
    pipe.step("a", |cancel: Cancel| -> Result { Ok(cancel.checkpoint()?) });
    let pipe = pipe.build().unwrap();
    let token = CancelToken::new();
    token.cancel("u");
    let told = everywhere(
        &pipe,
        move || start().cancelled_by(&token),
        |result| {
            assert!(result.finished().failure().is_none());
            assert_eq!(result.finished().reason.as_deref(), Some("u"));
            story(result)
        },
    );
    insta::assert_snapshot!(told, @r"
    start
    a starts
    a cancelled: u
    finish: cancelled by User
    ");
}

#[test]
fn a_join_of_any_starts_once_with_the_first() {
    let mut pipe = Pipe::<u32>::builder("any");
    pipe.several_roots();
    pipe.step("fast", || ()).to("j");
    pipe.step("slow", |n: State<u32>| {
        // After `j` alone: until then it asks for another attempt.
        if *n == 0 { Control::Retry(std::time::Duration::from_millis(1)) } else { Control::Next }
    })
    .to("j");
    pipe.step("j", |n: State<u32>| n.update(|n| *n += 1)).join(Join::Any);
    let mut pipe = pipe;
    pipe.retries_max(1_000_000);
    let pipe = pipe.build().unwrap();
    let told = everywhere(
        &pipe,
        || Start::with(0),
        |result| {
            assert!(at(result, "j starts") < at(result, "slow ends"));
            format!("{} {}", result.state(), result.ending())
        },
    );
    assert_eq!(told, "1 succeeded");
}

#[test]
fn joins_of_any_and_of_all_mix() {
    let mut pipe = Pipe::<()>::builder("mixed");
    pipe.several_roots();
    pipe.step("a", || ()).to("c");
    pipe.step("b", || ()).to("c");
    pipe.step("c", || ()).to("e").join(Join::Any);
    pipe.step("d", || ()).to("e");
    pipe.step("e", || ());
    let pipe = pipe.build().unwrap();
    let told = everywhere(&pipe, start, |result| {
        let at = |line| at(result, line);
        assert!(at("c ends") < at("e starts") && at("d ends") < at("e starts"));
        let starts = happened(result).filter(|event| event.what == What::StepStart);
        let mut starts: Vec<&str> = starts.map(|event| event.stage.as_str()).collect();
        starts.sort_unstable();
        starts.join(" ")
    });
    assert_eq!(told, "a b c d e");
}

#[test]
fn a_switch_goes_one_way_and_an_unknown_key_fails() {
    let mut pipe = Pipe::<&'static str>::builder("switch");
    pipe.switch("s", |key: State<&'static str>| *key).on("b", "B").on("a", "A");
    pipe.step("A", || ()).to("after");
    pipe.step("B", || ()).to("after");
    pipe.step("after", || ());
    let pipe = pipe.build().unwrap();
    let told = |key: &'static str| everywhere(&pipe, move || Start::with(key), story);
    insta::assert_snapshot!(told("b"), @r"
    start
    s starts
    s ends
    B starts
    B ends
    after starts
    after ends
    finish: succeeded
    ");
    insta::assert_snapshot!(told("c"), @r"
    start
    s starts
    s failed: `c` matches no route of switch `s`
    B skipped: `s` failed
    A skipped: `s` failed
    after skipped: `A` was skipped
    finish: failed: step `s` failed: `c` matches no route of switch `s`
    ");
}

#[test]
fn a_jump_goes_there_instead() {
    let mut pipe = Pipe::<()>::builder("jump");
    pipe.step("a", || Control::jump("dyn")).to("static").may_jump_to("dyn");
    pipe.step("static", || ());
    pipe.step("dyn", || ());
    let pipe = pipe.build().unwrap();
    insta::assert_snapshot!(everywhere(&pipe, || start().at("a"), story), @r"
    start
    a starts
    a ends
    dyn starts
    dyn ends
    finish: succeeded
    ");
}

#[test]
fn a_jump_to_nowhere_fails_with_what_is_near() {
    let mut pipe = Pipe::<()>::builder("nowhere");
    pipe.step("first", || Control::jump("secnd")).to("second");
    pipe.step("second", || ());
    let pipe = pipe.build().unwrap();
    insta::assert_snapshot!(everywhere(&pipe, start, story), @r"
    start
    first starts
    first failed: it jumps to `secnd`, and there is no such step; did you mean `second`?
    second skipped: `first` failed
    finish: failed: step `first` failed: it jumps to `secnd`, and there is no such step; did you mean `second`?
    ");
}

#[test]
fn a_handler_that_fails_hands_over_to_the_pipes() {
    let mut pipe = Pipe::<()>::builder("handlers");
    pipe.on_error(|caught: Caught| {
        assert_eq!(caught.error().to_string(), "l");
        Control::skip("known")
    });
    pipe.step("a", || -> Result { anyhow::bail!("boom") }).on_error(|caught: Caught| -> Result {
        assert_eq!(caught.error().to_string(), "boom");
        anyhow::bail!("l")
    });
    let pipe = pipe.build().unwrap();
    insta::assert_snapshot!(everywhere(&pipe, start, story), @r"
    start
    a starts
    a skipped: known
    finish: succeeded
    ");
}

#[test]
fn what_is_skipped_prunes_what_follows() {
    let mut pipe = Pipe::<()>::builder("pruned");
    pipe.step("a", || -> Result { anyhow::bail!("boom") })
        .on_error(|| Control::skip("not today"))
        .to("b");
    pipe.step("b", || ());
    let pipe = pipe.build().unwrap();
    insta::assert_snapshot!(everywhere(&pipe, start, story), @r"
    start
    a starts
    a skipped: not today
    b skipped: `a` was skipped
    finish: succeeded
    ");
}

#[test]
fn what_fails_prunes_what_follows() {
    let mut pipe = Pipe::<()>::builder("failed");
    pipe.step("a", || -> Result { anyhow::bail!("boom") }).to("b");
    pipe.step("b", || ());
    let pipe = pipe.build().unwrap();
    insta::assert_snapshot!(everywhere(&pipe, start, story), @r"
    start
    a starts
    a failed: boom
    b skipped: `a` failed
    finish: failed: step `a` failed: boom
    ");
}

#[test]
fn a_map_one_at_a_time_is_in_order() {
    let mut pipe = Pipe::<Vec<u32>>::builder("sequential");
    pipe.map("m", "w", || (0..3_u32).collect::<Vec<_>>()).at_a_time(1).to("after");
    pipe.step("w", |n: Item<u32>, seen: State<Vec<u32>>| {
        let n = *n;
        seen.update(move |seen| seen.push(n));
    });
    pipe.step("after", || ());
    let pipe = pipe.build().unwrap();
    insta::assert_snapshot!(everywhere(&pipe, || Start::with(Vec::new()), story), @r"
    start
    m starts
    m maps 3 items to w
    w[0]
    w[0] starts
    w[0] ends
    w[1]
    w[1] starts
    w[1] ends
    w[2]
    w[2] starts
    w[2] ends
    m has done 3 items
    m ends
    after starts
    after ends
    finish: succeeded
    ");
}

#[test]
fn a_map_has_no_more_under_way_than_it_may_and_changes_in_order() {
    let mut pipe = Pipe::<Vec<u32>>::builder("capped");
    pipe.map("m", "w", || (0..10_u32).collect::<Vec<_>>()).at_a_time(3);
    pipe.step("w", |n: Item<u32>, seen: State<Vec<u32>>| {
        let n = *n;
        seen.update(move |seen| seen.push(n));
    });
    let pipe = pipe.build().unwrap();
    let told = everywhere(
        &pipe,
        || Start::with(Vec::new()),
        |result| {
            assert!(result.finished().metrics.peak_items <= 3);
            format!("{:?}\n{}", result.state(), sorted_story(result))
        },
    );
    assert!(told.starts_with("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"), "{told}");
}

#[test]
fn an_empty_map_completes() {
    let mut pipe = Pipe::<()>::builder("empty");
    pipe.map("m", "w", Vec::<u32>::new).to("after");
    pipe.step("w", |_: Item<u32>| ());
    pipe.step("after", || ());
    let pipe = pipe.build().unwrap();
    insta::assert_snapshot!(everywhere(&pipe, start, story), @r"
    start
    m starts
    m maps 0 items to w
    m has done 0 items
    m ends
    after starts
    after ends
    finish: succeeded
    ");
}

#[test]
fn an_item_that_fails_fails_its_map_and_no_other_item() {
    let mut pipe = Pipe::<Vec<u32>>::builder("one_fails");
    pipe.map("m", "w", || (0..4_u32).collect::<Vec<_>>()).at_a_time(1).to("after");
    pipe.step("w", |n: Item<u32>, seen: State<Vec<u32>>| -> Result<Control> {
        let n = *n;
        seen.update(move |seen| seen.push(n));
        match n {
            1 => anyhow::bail!("odd"),
            2 => Ok(Control::skip("two")),
            _ => Ok(Control::Next),
        }
    });
    pipe.step("after", || ());
    let pipe = pipe.build().unwrap();
    let told = everywhere(
        &pipe,
        || Start::with(Vec::new()),
        |result| format!("{:?}\n{}", result.state(), story(result)),
    );
    insta::assert_snapshot!(told, @r"
    [0, 2, 3]
    start
    m starts
    m maps 4 items to w
    w[0]
    w[0] starts
    w[0] ends
    w[1]
    w[1] starts
    w[1] failed: odd
    w[2]
    w[2] starts
    w[2] skipped: two
    w[3]
    w[3] starts
    w[3] ends
    m has done 4 items
    m failed: item 1 failed: odd
    after skipped: `m` failed
    finish: failed: step `m` failed: item 1 failed: odd
    ");
}

#[test]
fn a_retry_has_an_end_for_each_start() {
    let mut pipe = Pipe::<()>::builder("retries");
    let attempts = |attempt: selvedge::flow::steps::Attempt| -> Result {
        anyhow::ensure!(attempt.0 == 3, "not yet");
        Ok(())
    };
    pipe.step("a", attempts).on_failure(selvedge::runtime::Retry::times(3));
    let pipe = pipe.build().unwrap();
    insta::assert_snapshot!(everywhere(&pipe, start, story), @r"
    start
    a starts
    a failed: not yet, again in 0ns
    a starts, #2
    a failed: not yet, again in 0ns
    a starts, #3
    a ends
    finish: succeeded
    ");
}
