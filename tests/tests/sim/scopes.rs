//! Scopes under virtual time: limits of time on what is under way elsewhere, which a client plays.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use selvedge::event::Init;
use selvedge::prelude::*;
use selvedge::runtime::simulation::Await;
use selvedge::runtime::{AlarmHandle, Scope, ScopeOptions, ScopeReport, TaskContext, Tasks};
use selvedge_testkit::explore;

use super::{Log, SEEDS};

const SECOND: Duration = Duration::from_secs(1);

/// Work that is done elsewhere: the handle with which it comes back.
type Desk = Arc<Mutex<Option<Scope>>>;

/// 0 sends work elsewhere, 1 is its coming back, 2 is that it takes too long.
struct Limited {
    limit: Duration,
    desk: Desk,
    alarm: Mutex<Option<AlarmHandle>>,
    log: Log<&'static str>,
}

impl Tasks for Limited {
    fn turn(&self, cx: &mut TaskContext<'_>, index: u32) -> Result {
        let mut alarm = self.alarm.lock().expect("nobody panics");
        match index {
            0 => {
                *self.desk.lock().expect("nobody panics") = Some(cx.handle());
                *alarm = Some(cx.alarm(self.limit, 2));
            }
            1 => {
                let in_time = alarm.take().is_some_and(|alarm| cx.cancel_alarm(alarm));
                self.log.add(if in_time { "in time" } else { "late" });
            }
            _ => self.log.add("limit"),
        }
        Ok(())
    }

    fn ended(&self, _: &mut TaskContext<'_>, report: &ScopeReport) -> Result {
        assert!(report.balances() && report.outcome.is_success(), "{report:?}");
        Ok(())
    }
}

/// What is told of work that takes so long under such a limit, and how long the run takes.
fn check(limit: Duration, takes: Duration, expected: &[&'static str], elapsed: Duration) {
    explore(SEEDS, |sim| {
        let (desk, log) = (Desk::default(), Log::new());
        let (given, told) = (Arc::clone(&desk), log.clone());
        let opens = on("opens", move |cx: &mut Context<'_>, _: &Init| {
            let (desk, log) = (Arc::clone(&given), told.clone());
            let work = Limited { limit, desk, alarm: Mutex::default(), log };
            cx.scope(ScopeOptions::named("limited"), work)?.post(0);
            Ok(())
        });
        let mut until = None;
        let sim = sim.client(move |client| {
            let mut desk = desk.lock().expect("nobody panics");
            match (desk.is_some(), until) {
                (false, _) => Await::Time(SECOND / 1_000),
                (true, None) => {
                    until = Some(client.now() + takes);
                    Await::Time(takes)
                }
                (true, Some(_)) => {
                    let scope = desk.take().expect("it is there");
                    scope.post(1).expect("its handle keeps it open");
                    Await::Done
                }
            }
        });
        let pipeline = sim.build(Pipeline::builder().processor(opens)).expect("it is sound");
        let run = sim.run(pipeline);
        assert!(run.result.is_ok(), "{:?}", run.result);
        assert_eq!(log.take(), expected);
        assert!(run.elapsed >= elapsed && run.elapsed < elapsed + SECOND, "{:?}", run.elapsed);
        run
    });
}

#[test]
fn work_elsewhere_that_comes_back_in_time_leaves_no_alarm() {
    check(100 * SECOND, 9 * SECOND, &["in time"], 9 * SECOND);
}

#[test]
fn work_elsewhere_that_takes_too_long_is_told_when_its_limit_is_over() {
    check(9 * SECOND, 100 * SECOND, &["limit", "late"], 100 * SECOND);
}

#[test]
fn a_handle_that_nobody_plays_is_named() {
    let desk = Desk::default();
    let given = Arc::clone(&desk);
    let opens = on("opens", move |cx: &mut Context<'_>, _: &Init| {
        let (limit, desk, log) = (SECOND, Arc::clone(&given), Log::new());
        let work = Limited { limit, desk, alarm: Mutex::default(), log };
        cx.scope(ScopeOptions::named("limited"), work)?.post(0);
        Ok(())
    });
    let sim = selvedge_testkit::Sim::new(1);
    let pipeline = sim.build(Pipeline::builder().processor(opens)).expect("it is sound");
    let run = sim.run(pipeline);
    insta::assert_snapshot!(run.result.expect_err("nobody posts"), @"nothing can go on, and the run is not over: handles are open that are not the simulation's (1 submitters or scopes): drop them, or let a client submit or post");
    drop(desk);
}
