//! What a simulation says when it comes to nothing, and that a seed is a seed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use insta::assert_snapshot;
use selvedge::prelude::*;
use selvedge::runtime::simulation::{Await, Sim, SimError, SimRun, Strategy};
use selvedge_testkit::explore;

use super::{Log, SEEDS};

#[derive(Event)]
#[event(name = "ping")]
struct Ping(u32);

fn echo(to: u32) -> PipelineBuilder {
    Pipeline::builder().processor(on("echo", move |cx: &mut Context<'_>, ping: &Ping| {
        if ping.0 < to {
            cx.emit(Ping(ping.0 + 1));
        }
        Ok(())
    }))
}

fn sim() -> Sim {
    Sim::new(3).workers(2).strategy(Strategy::Random)
}

fn play(sim: Sim, builder: PipelineBuilder) -> SimRun {
    let pipeline = sim.build(builder).expect("it is sound");
    sim.run(pipeline)
}

fn error(sim: Sim, builder: PipelineBuilder) -> String {
    play(sim, builder).result.expect_err("it comes to nothing").to_string()
}

#[test]
fn a_trace_tells_what_happened() {
    let sim = sim()
        .submit_at(Duration::from_millis(2), Ping(8))
        .cost("echo", Duration::from_millis(5))
        .panic_turn("echo", 2);
    assert_snapshot!(play(sim, echo(9)).trace, @r"
    0ns client 0: goes on
    2ms client 0: goes on
    2ms client 0: submits ping to 1
    2ms client 0: is done
    7ms worker 0: `echo` on ping: 1 emitted
    12ms worker 0: `echo` on ping is made to panic
    12ms run: failed: processor `echo` panicked on ping: the simulation made this turn panic
    ");
}

#[test]
fn what_comes_to_nothing_says_why() {
    assert_snapshot!(error(sim().fail_turn("ecko", 1), echo(1)), @"there is no processor `ecko`: plan for one of echo");
    let sim_ = sim().steps_max(1_000).submit_at(Duration::ZERO, Ping(0));
    assert_snapshot!(error(sim_, echo(u32::MAX)), @"the run is not over after 1004 steps, of which these took most turns: `echo` 248; end it, or raise `Sim::steps_max`");
    let failing = sim().fail_turn("echo", 1).submit_at(Duration::ZERO, Ping(0));
    assert_snapshot!(error(failing, echo(1)), @"processor `echo` failed on ping: the simulation made this turn fail");
    let pipeline = echo(1).build().expect("it is sound");
    assert_snapshot!(sim().run(pipeline).result.expect_err("its time is real"), @"the pipeline was not built by `Sim::build` of this simulation: its time is real");
    let mut answer = None;
    let unheard = sim().client(move |client| match answer.take() {
        None => {
            answer = Some(client.ask::<Ping>(Dynamic::new("nobody hears this", 1)));
            Await::Answers
        }
        Some(answer) => {
            let reply: Option<Result<Typed<Ping>, _>> = answer.now();
            assert!(reply.is_some_and(|reply| reply.is_err()));
            Await::Done
        }
    });
    assert!(play(unheard, echo(1)).result.is_ok(), "a question that nobody hears is given up");
}

#[test]
fn a_run_that_waits_for_somebody_else_is_stuck() {
    let sim = sim();
    let pipeline = sim.build(echo(1)).expect("it is sound");
    let submitter = pipeline.submitter();
    let run = sim.run(pipeline);
    assert_snapshot!(run.result.expect_err("nobody drops it"), @"nothing can go on, and the run is not over: handles are open that are not the simulation's (1 submitters or scopes): drop them, or let a client submit or post");
    assert!(submitter.submit(Ping(0)).is_err());
}

/// What an exploration panics with.
fn panic(explored: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(explored)).expect_err("it finds something");
    match panic.downcast_ref::<&str>() {
        Some(message) => (*message).to_owned(),
        None => *panic.downcast::<String>().expect("it panics with a message"),
    }
}

#[test]
fn two_runs_that_share_something_are_found() {
    let mut n_runs = 0;
    let message = panic(|| {
        explore(1, |sim| {
            n_runs += 1;
            play(sim.submit_at(Duration::ZERO, Ping(n_runs)), echo(2))
        });
    });
    assert_snapshot!(message, @"two runs of seed 0 differ, so something in the pipeline doesn't follow from what it was given (time, randomness, the order of a hash map, state that is shared between runs); first by `0ns worker 0: `echo` on ping: 1 emitted` and `0ns worker 0: `echo` on ping: 0 emitted`");
}

#[test]
fn an_order_that_nobody_promised_is_found_not_to_be_kept() {
    let message = panic(|| {
        explore(SEEDS, |sim| {
            let log = Log::new();
            let add = |who: u32| {
                let log = log.clone();
                move |_: &mut Context<'_>, _: &Ping| {
                    log.add(who);
                    Ok(())
                }
            };
            let builder =
                Pipeline::builder().processor(on("one", add(1))).processor(on("two", add(2)));
            let run = play(sim.submit_at(Duration::ZERO, Ping(0)), builder);
            assert!(log.take() == [1, 2], "they come in order");
            run
        });
    });
    assert_snapshot!(message, @"they come in order");
}

/// Another type under the kind of the first.
struct Pong;

impl Payload for Pong {
    fn kind() -> Kind {
        Ping::kind()
    }
}

#[test]
fn what_can_not_be_routed_ends_the_simulation() {
    let run = play(sim().submit_at(Duration::ZERO, Pong), echo(1));
    assert!(matches!(run.result, Err(SimError::Refused { .. })), "{:?}", run.result);
    let endless = sim().steps_max(1_000).submit_at(Duration::ZERO, Ping(0));
    let run = play(endless, echo(u32::MAX));
    assert!(matches!(run.result, Err(SimError::TooManySteps { steps: 1_000.., .. })));
}
