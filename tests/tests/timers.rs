//! Timers: set with the turn that sets them, waited for, cancelled, ended with the run; and the
//! waits of retries, which are timers of the runtime's own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::bail;
use selvedge::prelude::*;
use selvedge::runtime::{Backoff, IntoRegistration, Retry, TimerHandle};

const SOON: Duration = Duration::from_millis(1);
const NEVER: Duration = Duration::from_secs(86_400);

#[derive(Clone, Copy, Debug, Event)]
struct Start(u32);

#[derive(Clone, Copy, Debug, Event)]
struct Rung(u32);

type Heard = Arc<Mutex<Vec<u32>>>;

fn hears(heard: &Heard) -> impl IntoRegistration {
    let heard = Arc::clone(heard);
    on("hears", move |_: &mut Context<'_>, rung: &Rung| {
        heard.lock().expect("nobody panics with it in hand").push(rung.0);
        Ok(())
    })
}

fn taken(heard: &Heard) -> Vec<u32> {
    std::mem::take(&mut *heard.lock().expect("nobody panics with it in hand"))
}

#[test]
fn a_run_waits_for_its_timers_and_tells_them_in_order() {
    let heard = Heard::default();
    let pipeline = Pipeline::builder()
        .processor(hears(&heard))
        .processor(on("sets", |cx: &mut Context<'_>, start: &Start| {
            for n in (1..=start.0).rev() {
                cx.emit_after(SOON * n, Rung(n));
            }
            Ok(())
        }))
        .workers(2)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Start(5)).expect("there is room");
    let report = pipeline.run().expect("nothing fails");
    assert_eq!((taken(&heard), report.handled), (vec![1, 2, 3, 4, 5], 6));
}

#[test]
fn a_failed_turn_has_set_no_timer() {
    let heard = Heard::default();
    let fails = on("fails", |cx: &mut Context<'_>, start: &Start| {
        cx.emit_after(SOON, Rung(start.0));
        if start.0 == 1 { bail!("planted") } else { Ok(()) }
    });
    let pipeline = Pipeline::builder()
        .processor(hears(&heard))
        .processor(fails.on_failure(FailurePolicy::Skip))
        .build()
        .expect("the wiring is sound");
    for n in 1..=2 {
        pipeline.submit(Start(n)).expect("there is room");
    }
    pipeline.run().expect("failures are skipped");
    assert_eq!(taken(&heard), [2]);
}

/// Hears three ticks, then cancels what ticks, and what the run would wait for.
#[derive(Default)]
struct Ticker {
    n_ticks: u32,
    timers: Vec<TimerHandle>,
}

#[processor(strict)]
impl Processor for Ticker {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Start(_) => {
                self.timers.extend([cx.emit_every(SOON, Rung(0)), cx.emit_after(NEVER, Rung(9))]);
            }
            Rung(n) => {
                assert_eq!(*n, 0, "the other one is cancelled");
                self.n_ticks += 1;
                if self.n_ticks == 3 {
                    self.timers.drain(..).for_each(|timer| cx.cancel(timer));
                }
            }
        }
        Ok(())
    }
}

#[test]
fn a_cancelled_timer_is_waited_for_no_longer() {
    let pipeline = Pipeline::builder().processor(Ticker::default()).build();
    let pipeline = pipeline.expect("the wiring is sound");
    pipeline.submit(Start(0)).expect("there is room");
    let report = pipeline.run().expect("nothing fails");
    assert!(report.handled >= 4, "{report}");
}

#[test]
fn a_run_does_not_wait_for_what_repeats() {
    let ticks = on("ticks", |cx: &mut Context<'_>, _: &Start| {
        cx.emit_every(NEVER, Rung(0));
        Ok(())
    });
    let pipeline = Pipeline::builder().processor(ticks).build().expect("the wiring is sound");
    pipeline.submit(Start(0)).expect("there is room");
    assert_eq!(pipeline.run().expect("nothing fails").handled, 1);
}

#[test]
fn an_early_stop_ends_timers() {
    let heard = Heard::default();
    let (set, is_set) = std::sync::mpsc::channel();
    let sets = on("sets", move |cx: &mut Context<'_>, _: &Start| {
        cx.emit_after(NEVER, Rung(1));
        set.send(()).expect("the test waits");
        Ok(())
    });
    let pipeline = Pipeline::builder().processor(hears(&heard)).processor(sets).build();
    let running = pipeline.expect("the wiring is sound").start().expect("there is room");
    running.submit(Start(0)).expect("the run is open");
    is_set.recv().expect("the turn is taken");
    let report = running.stop().expect("a stop is not a failure");
    assert_eq!((report.ending, taken(&heard)), (Some(Ending::Stopped), vec![]));
}

/// Fails each event twice and notes what it handles.
fn flaky(retry: Retry, heard: &Heard) -> impl IntoRegistration {
    let heard = Arc::clone(heard);
    on("flaky", move |cx: &mut Context<'_>, start: &Start| {
        if start.0 == 1 && cx.attempt() < 3 {
            bail!("attempt {}", cx.attempt());
        }
        heard.lock().expect("nobody panics with it in hand").push(start.0);
        Ok(())
    })
    .stateless()
    .on_failure(retry)
}

#[test]
fn while_a_retry_waits_so_does_the_mailbox_unless_others_may_pass() {
    let run = |retry: Retry| {
        let heard = Heard::default();
        let pipeline = Pipeline::builder().processor(flaky(retry, &heard)).workers(2).build();
        let pipeline = pipeline.expect("the wiring is sound");
        for n in 1..=3 {
            pipeline.submit(Start(n)).expect("there is room");
        }
        let report = pipeline.run().expect("the third attempt succeeds");
        assert_eq!((report.handled, report.dead), (3, 0));
        taken(&heard)
    };
    let waits = Retry::times(3).backoff(Backoff::fixed(SOON));
    assert_eq!(run(waits.clone()), [1, 2, 3]);
    assert_eq!(run(waits.reorder()), [2, 3, 1]);
    assert_eq!(run(Retry::times(3)), [1, 2, 3]);
}

#[test]
fn a_stop_makes_the_wait_for_an_attempt_short() {
    let heard = Heard::default();
    let (tried, is_tried) = std::sync::mpsc::channel();
    let notes = Arc::clone(&heard);
    let flaky = on("flaky", move |cx: &mut Context<'_>, start: &Start| {
        if cx.attempt() == 1 {
            tried.send(()).expect("the test waits");
            bail!("planted");
        }
        notes.lock().expect("nobody panics with it in hand").push(start.0);
        Ok(())
    });
    let retry = Retry::times(2).backoff(Backoff::fixed(NEVER));
    let pipeline = Pipeline::builder().processor(flaky.stateless().on_failure(retry)).build();
    let running = pipeline.expect("the wiring is sound").start().expect("there is room");
    running.submit(Start(7)).expect("the run is open");
    is_tried.recv().expect("the turn is taken");
    running.stop().expect("the second attempt succeeds");
    assert_eq!(taken(&heard), [7]);
}
