//! Virtual time: timers fire in order, attempts wait for their backoff, budgets are overrun by slow
//! turns only, and a day passes in a moment.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use selvedge::event::Fact;
use selvedge::prelude::*;
use selvedge::runtime::simulation::{Await, Sim, Strategy};
use selvedge_testkit::explore;

use super::{Log, SEEDS};

#[derive(Event)]
struct Tick(u64);
#[derive(Event)]
struct Start;

const SECOND: Duration = Duration::from_secs(1);

/// Sets one timer per tick heard, `n` times.
struct Metronome;

#[processor]
impl Processor for Metronome {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Tick(0) => (),
            Tick(n) => {
                cx.emit_after(SECOND, Tick(n - 1));
            }
        }
        Ok(())
    }
}

#[test]
fn a_thousand_seconds_pass_in_much_less_than_one() {
    let sim = Sim::new(1).workers(2).strategy(Strategy::Random);
    let pipeline = sim.build(Pipeline::builder().processor(Metronome)).expect("it is sound");
    pipeline.submit(Tick(100_000)).expect("there is room");
    let began = Instant::now();
    let run = sim.run(pipeline);
    let took = began.elapsed();
    assert_eq!(run.elapsed, 100_000 * SECOND);
    println!("{} steps, {:.0} virtual seconds per second", run.steps, 1e5 / took.as_secs_f64());
    assert_eq!(run.result.expect("nothing fails").handled, 100_001);
}

#[test]
fn timers_fire_when_they_are_due_in_order() {
    explore(SEEDS, |sim| {
        let heard = Log::new();
        let log = heard.clone();
        let pipeline = Pipeline::builder()
            .processor(on("setter", |cx: &mut Context<'_>, _: &Start| {
                for millis in [5, 3, 9, 3, 1] {
                    cx.emit_after(Duration::from_millis(millis), Tick(millis));
                }
                Ok(())
            }))
            .processor(on("hearer", move |_: &mut Context<'_>, tick: &Tick| {
                log.add(tick.0);
                Ok(())
            }));
        let sim = sim.submit_at(SECOND, Start);
        let pipeline = sim.build(pipeline).expect("it is sound");
        let run = sim.run(pipeline);
        assert_eq!(heard.take(), [1, 3, 3, 5, 9]);
        assert_eq!(run.elapsed, SECOND + Duration::from_millis(9));
        run
    });
}

#[test]
fn attempts_wait_for_their_backoff_and_hold_up_what_comes_after() {
    explore(SEEDS, |sim| {
        let heard = Log::new();
        let log = heard.clone();
        let worker = on("worker", move |cx: &mut Context<'_>, tick: &Tick| {
            log.add((tick.0, cx.attempt()));
            Ok(())
        });
        let retry = Retry::times(3).backoff(Backoff::fixed(10 * SECOND));
        let builder = Pipeline::builder().processor(worker.stateless().on_failure(retry));
        let sim = sim
            .fail_turn("worker", 1)
            .fail_turn("worker", 2)
            .submit_at(Duration::ZERO, Tick(1))
            .submit_at(SECOND, Tick(2));
        let pipeline = sim.build(builder).expect("it is sound");
        let run = sim.run(pipeline);
        assert_eq!(run.result.as_ref().expect("the third attempt succeeds").handled, 2);
        assert_eq!(heard.take(), [(1, 3), (2, 1)]);
        assert!(run.elapsed >= 10 * SECOND, "{:?}", run.elapsed);
        run
    });
}

#[test]
fn a_slow_turn_is_over_its_budget_and_holds_up_its_worker_only() {
    let budgets: Arc<Mutex<Vec<Fact>>> = Arc::default();
    explore(SEEDS, |sim| {
        let heard = Log::new();
        let log = heard.clone();
        let facts = Arc::clone(&budgets);
        let builder = Pipeline::builder()
            .processor(on("slow", |_: &mut Context<'_>, _: &Start| Ok(())).time_budget(2 * SECOND))
            .processor(on("quick", move |_: &mut Context<'_>, tick: &Tick| {
                log.add(tick.0);
                Ok(())
            }))
            .recorder(move |seen: &[Fact]| {
                let over = seen.iter().filter(|fact| matches!(fact, Fact::OverBudget { .. }));
                facts.lock().expect("nobody panics with it in hand").extend(over.cloned());
                Ok(())
            });
        let sim = sim
            .workers(2)
            .cost("slow", SECOND)
            .stall_turn("slow", 2, 5 * SECOND)
            .submit_at(Duration::ZERO, Start)
            .submit_at(10 * SECOND, Start)
            .submit_at(11 * SECOND, Tick(1));
        let pipeline = sim.build(builder).expect("it is sound");
        let run = sim.run(pipeline);
        assert!(run.result.is_ok() && run.faults == 1);
        assert_eq!(run.elapsed, 16 * SECOND);
        assert_eq!(heard.take(), [1]);
        let over = std::mem::take(&mut *budgets.lock().expect("nobody panics with it in hand"));
        let [Fact::OverBudget { elapsed, budget, .. }] = &over[..] else { panic!("{over:?}") };
        assert_eq!((*elapsed, *budget), (6 * SECOND, 2 * SECOND));
        let quick = run.trace.lines().find(|line| line.contains("`quick`")).expect("it had a turn");
        assert!(quick.starts_with("11s "), "{quick}");
        run
    });
}

#[test]
fn who_asks_waits_for_the_answer_and_for_room() {
    explore(SEEDS, |sim| {
        let echo = on("echo", |cx: &mut Context<'_>, tick: &Tick| {
            match tick.0 {
                7 => (),
                n => cx.reply(Tick(n + 1)),
            }
            Ok(())
        });
        let limits = Limits { lane_max: 1, ..Limits::default() };
        let answers = Log::new();
        let log = answers.clone();
        let (mut asked, mut n) = (None, 4);
        let sim = sim.jitter(SECOND).client(move |client| {
            if let Some(answer) = asked.take() {
                let answer: selvedge::runtime::Answer<Tick> = answer;
                let reply = answer.now().expect("that is what was awaited");
                log.add(reply.map_or(0, |tick| tick.0));
            }
            n += 1;
            if n == 9 {
                return Await::Done;
            }
            (0..3).for_each(|_| client.submit(Tick(7)));
            asked = Some(client.ask::<Tick>(Tick(n)));
            Await::Answers
        });
        let pipeline = Pipeline::builder().processor(echo).limits(limits);
        let pipeline = sim.build(pipeline).expect("it is sound");
        let run = sim.run(pipeline);
        assert_eq!(run.result.as_ref().expect("nothing fails").handled, 16);
        assert_eq!(answers.take(), [6, 7, 0, 9]);
        run
    });
}
