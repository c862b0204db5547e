//! A run that is paused, drained and stopped by its deadline while others submit and take turns.

use std::time::Duration;

use selvedge_runtime::{ControlError, Pipeline, RunError, RunState, Running, on};

use super::{Context, Ping, Pong, build, explore, join, start, thread, tight};

fn relay() -> Running {
    let relay = |cx: &mut Context<'_>, ping: &Ping| {
        cx.emit(Pong(ping.0));
        Ok(())
    };
    let hears = |_: &mut Context<'_>, _: &Pong| Ok(());
    let builder = Pipeline::builder().limits(tight());
    start(build(builder.processor(on("relay", relay)).processor(on("hears", hears))))
}

#[test]
fn a_pause_meets_submitters_and_a_drain_sees_all() {
    explore(|| {
        let running = relay();
        let (submitter, control) = (running.submitter(), running.control());
        let submits = thread(move || (0..3).all(|n| submitter.submit(Ping(n)).is_ok()));
        let pauses = thread(move || {
            control.pause();
            control.await_paused().expect("nobody else resumes it");
            // Workers that begin only now, and submissions that come, change nothing.
            assert_eq!(control.state(), RunState::Paused);
            selvedge_sync::thread::yield_now();
            assert_eq!(control.state(), RunState::Paused);
            control.resume();
        });
        assert!(join(submits));
        join(pauses);
        running.drain().expect("nothing fails");
        let turns: u64 = running.monitor().progress().iter().map(|p| p.turns).sum();
        assert_eq!(turns, 6, "all is handled");
        assert_eq!(running.finish().expect("nothing fails").handled, 6);
    });
}

#[test]
fn a_pause_meets_a_stop() {
    explore(|| {
        let running = relay();
        let control = running.control();
        running.submit(Ping(0)).expect("the run is open");
        let pauses = thread(move || {
            control.pause();
            match control.await_paused() {
                Ok(()) | Err(ControlError::NotPaused | ControlError::Over) => (),
                Err(error) => panic!("{error}"),
            }
        });
        assert_eq!(running.stop().expect("nothing fails").handled, 2);
        join(pauses);
    });
}

#[test]
fn a_stop_at_its_deadline_accounts_for_all() {
    explore(|| {
        let running = relay();
        let submitter = running.submitter();
        let submits = thread(move || (0..3).all(|n| submitter.submit(Ping(n)).is_ok()));
        match running.stop_within(Duration::ZERO) {
            Ok(report) => assert!(report.balances(), "{report}"),
            Err(RunError::StoppedHard { report, .. }) => assert!(report.balances(), "{report}"),
            Err(error) => panic!("{error}"),
        }
        join(submits);
    });
}
