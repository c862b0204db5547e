//! The scenarios by which the runtime is accepted, and variants of each: the rule is tested, not
//! the example. A scenario that another module shows already is not repeated here;
//! `docs/verification.md` says where it is.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use anyhow::bail;
use proptest::collection::vec;
use proptest::prelude::*;
use selvedge::prelude::*;
use selvedge::runtime::BuildError;

use crate::failure::in_time;
use crate::routing::{Listener, Log};

#[derive(Debug, Event)]
struct Tick(u32);

#[derive(Debug, Event)]
struct Echo(u32);

fn build(builder: PipelineBuilder) -> Pipeline {
    builder.build().expect("the wiring is sound")
}

fn submit(pipeline: &Pipeline, event: impl IntoEvent) -> usize {
    pipeline.submit(event).expect("there is room")
}

// ---------------------------------------------------------------------- who hears what

#[derive(Event)]
struct Thing {
    #[expect(dead_code, reason = "it tells things apart in a report")]
    id: u32,
}

#[derive(Event)]
#[event(extends = Thing)]
struct Animal {
    #[base]
    thing: Thing,
}

#[derive(Event)]
#[event(extends = Animal)]
struct Bird {
    #[base]
    animal: Animal,
}

#[derive(Event)]
#[event(extends = Bird)]
struct Owl {
    #[base]
    bird: Bird,
}

fn owl(id: u32) -> Owl {
    Owl { bird: Bird { animal: Animal { thing: Thing { id } } } }
}

#[test]
fn an_event_reaches_the_listeners_of_all_its_ancestors_and_of_no_descendant() {
    let log = Log::default();
    let listener =
        |interest: Interest, name: &'static str| Listener::of(interest, &log).named(name);
    let pipeline = build(
        Pipeline::builder()
            .processor(listener(Interest::of::<Thing>(), "thing"))
            .processor(listener(Interest::of::<Animal>(), "animal"))
            .processor(listener(Interest::of::<Bird>(), "bird"))
            .processor(listener(Interest::of::<Owl>(), "owl"))
            .workers(1)
            .strict(),
    );
    let counts = [
        submit(&pipeline, owl(1)),
        submit(&pipeline, owl(1).bird),
        submit(&pipeline, owl(1).bird.animal),
        submit(&pipeline, Thing { id: 1 }),
    ];
    assert_eq!(counts, [4, 3, 2, 1]);
    pipeline.run().expect("nothing fails");
    let who: Vec<String> =
        log.lines().iter().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect();
    let n = |name: &str| who.iter().filter(|who| *who == name).count();
    assert_eq!(["thing", "animal", "bird", "owl"].map(n), [4, 3, 2, 1]);
}

#[test]
fn a_processor_hears_an_event_once_however_many_of_its_interests_match() {
    for overlapping in [
        vec![Interest::of::<Thing>(), Interest::of::<Animal>(), Interest::of::<Owl>()],
        vec![Interest::of::<Owl>(), Interest::of::<Owl>(), Interest::of::<Owl>().named("hoot")],
        vec![Interest::of::<Thing>().named("hoot"), Interest::of::<Bird>()],
    ] {
        let log = Log::default();
        let interests = Interests::listed(overlapping);
        let listener = Listener { interests, log: log.clone() };
        let pipeline = build(Pipeline::builder().processor(listener));
        assert_eq!(submit(&pipeline, Named("hoot", owl(7))), 1);
        assert_eq!(pipeline.run().expect("nothing fails").accepted, 1);
        assert_eq!(log.lines().len(), 1);
    }
}

#[test]
fn a_generic_listener_is_refused_by_strict_routing_and_counted_by_lenient() {
    let log = Log::default();
    let generic = |n: usize| {
        let interests = Interests::everything();
        (0..n)
            .map(|_| Listener { interests: interests.clone(), log: log.clone() })
            .collect::<Vec<_>>()
    };
    for n_generic in 0..4 {
        let tick = Listener::of(Interest::of::<Tick>(), &log);
        let builder = || Pipeline::builder().processors(generic(n_generic));
        match builder().strict().build() {
            Ok(_) => assert_eq!(n_generic, 0),
            Err(error) => assert!(matches!(error, BuildError::CatchAll { .. }), "{error}"),
        }
        let pipeline = build(builder().processor(tick));
        assert_eq!(submit(&pipeline, Tick(0)), 1 + n_generic);
        assert_eq!(submit(&pipeline, Echo(0)), n_generic);
        let report = pipeline.run().expect("nothing fails");
        assert_eq!(report.accepted as usize, 1 + 2 * n_generic);
    }
}

// ---------------------------------------------------------------------- who goes first

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_worker_starts_whom_an_event_reaches_by_priority_then_registration(
        priorities in vec(-2_i32..3, 1..40),
    ) {
        let log = Log::default();
        let listeners = priorities.iter().enumerate().map(|(n, &priority)| {
            let listener = Listener::of(Interest::of::<Tick>(), &log);
            listener.named(n.to_string()).priority(priority)
        });
        let pipeline = build(Pipeline::builder().processors(listeners).workers(1));
        submit(&pipeline, Tick(0));
        pipeline.run().expect("nothing fails");
        let lines = log.lines();
        let order = lines.iter().filter_map(|line| line.split(' ').next()?.parse().ok());
        let mut expected: Vec<usize> = (0..priorities.len()).collect();
        expected.sort_by_key(|&n| priorities[n]);
        prop_assert_eq!(order.collect::<Vec<usize>>(), expected);
    }
}

// ---------------------------------------------------------------------- phases

/// Emits in each phase up to one of its own, and notes the phases it sees.
struct Flusher {
    until: u32,
    log: Log,
}

#[processor(strict)]
impl Processor for Flusher {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Phase { number } => {
                self.log.add(format!("{} {number}", self.until));
                if *number <= self.until {
                    cx.emit(Tick(*number));
                }
            }
            Poison { .. } => self.log.add(format!("{} poison", self.until)),
        }
        Ok(())
    }
}

#[test]
fn phases_go_on_until_the_last_emitter_is_done_and_all_see_each_of_them() {
    for (untils, n_workers) in [(vec![3], 1), (vec![3, 1, 2], 1), (vec![0, 3], 2), (vec![2, 2], 4)]
    {
        let last = 1 + untils.iter().max().expect("there is one");
        let logs: Vec<Log> = untils.iter().map(|_| Log::default()).collect();
        let flushers = untils.iter().zip(&logs);
        let flushers = flushers.map(|(&until, log)| Flusher { until, log: log.clone() });
        let ticks = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&ticks);
        let pipeline = build(
            Pipeline::builder()
                .processors(flushers)
                .processor(on("ticks", move |_: &mut Context<'_>, _: &Tick| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                }))
                .workers(n_workers),
        );
        let report = in_time(|| pipeline.run()).expect("nothing fails");
        assert_eq!(report.phases, last);
        assert_eq!(ticks.load(Ordering::Relaxed), untils.iter().sum::<u32>());
        for (until, log) in untils.iter().zip(logs) {
            let phases = (1..=last).map(|number| format!("{until} {number}"));
            let expected: Vec<String> = phases.chain([format!("{until} poison")]).collect();
            assert_eq!(log.lines(), expected);
        }
    }
}

// ---------------------------------------------------------------------- outside threads

#[test]
fn threads_that_begin_while_the_run_is_on_are_waited_for_and_lose_nothing() {
    const N_THREADS: u32 = 50;
    const N_EACH: u32 = 1_000;
    for n_workers in [1, 4] {
        let times =
            Arc::new((0..N_THREADS * N_EACH).map(|_| AtomicU32::new(0)).collect::<Vec<_>>());
        let n_open = Arc::new(AtomicUsize::new(N_THREADS as usize));
        let (heard, open) = (Arc::clone(&times), Arc::clone(&n_open));
        let pipeline = build(
            Pipeline::builder()
                .processor(on("relay", |cx: &mut Context<'_>, tick: &Tick| {
                    cx.emit(Echo(tick.0));
                    Ok(())
                }))
                .processor(on("hear", move |_: &mut Context<'_>, echo: &Echo| {
                    heard[echo.0 as usize].fetch_add(1, Ordering::Relaxed);
                    Ok(())
                }))
                .processor(on("phase", move |_: &mut Context<'_>, _: &Phase| {
                    assert_eq!(open.load(Ordering::SeqCst), 0, "a submitter is left");
                    Ok(())
                }))
                .workers(n_workers),
        );
        let running = pipeline.start().expect("there is room for threads");
        let begin = Arc::new(Barrier::new(N_THREADS as usize));
        let threads: Vec<_> = (0..N_THREADS)
            .map(|thread| {
                let (submitter, begin) = (running.submitter(), Arc::clone(&begin));
                let n_open = Arc::clone(&n_open);
                std::thread::spawn(move || {
                    begin.wait();
                    for n in 0..N_EACH {
                        submitter.submit(Tick(thread * N_EACH + n)).expect("the run is open");
                    }
                    n_open.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        let report = in_time(|| running.finish()).expect("nothing fails");
        threads.into_iter().for_each(|thread| thread.join().expect("no submitter panics"));
        assert!(times.iter().all(|times| times.load(Ordering::Relaxed) == 1));
        let n_events = u64::from(N_THREADS * N_EACH);
        assert_eq!((report.submitted, report.phases), (n_events, 1));
        assert_eq!(report.handled, 2 * n_events + 1);
    }
}

// ---------------------------------------------------------------------- failing turns

#[test]
fn a_turn_that_fails_at_any_point_is_heard_by_nobody() {
    for n_before in [0, 1, 2, 600] {
        for panics in [false, true] {
            let log = Log::default();
            let pipeline = build(
                Pipeline::builder()
                    .processor(on("fragile", move |cx: &mut Context<'_>, tick: &Tick| {
                        (0..n_before).for_each(|n| cx.emit(Echo(n)));
                        cx.emit(Named("last words", Echo(tick.0)));
                        match panics {
                            true => std::panic::resume_unwind(Box::new("planted")),
                            false => bail!("planted"),
                        }
                    }))
                    .processor(Listener::of(Interest::of::<Echo>(), &log)),
            );
            submit(&pipeline, Tick(5));
            let error = pipeline.run().expect_err("a turn fails");
            let RunError::Turn { processor, event, panicked, report, .. } = error else {
                panic!("a turn failed, not {error}");
            };
            assert_eq!((processor.as_str(), panicked), ("fragile", panics));
            assert_eq!(event.payload::<Tick>().map(|tick| tick.0), Some(5));
            assert!(log.lines().is_empty(), "{:?}", log.lines());
            assert_eq!((report.accepted, report.dead, report.handled), (1, 1, 0));
        }
    }
}
