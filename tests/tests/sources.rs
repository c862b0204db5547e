//! Sources: pulled when there is room, in their band, until they are done or told to stop.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use anyhow::bail;
use insta::assert_snapshot;
use selvedge::prelude::*;
use selvedge::runtime::StopHandle;

use crate::failure::in_time;
use crate::routing::Log;

#[derive(Debug, Event)]
struct Load {
    n: u32,
}

#[derive(Debug, Event)]
struct Item {
    source: usize,
    n: u32,
}

/// Brings in numbered items, as many at a time as there is room for.
struct Numbers {
    source: usize,
    next: u32,
    end: u32,
    pulled: Arc<Pulled>,
}

/// What is known of all pulls of a run.
#[derive(Default)]
struct Pulled {
    room_max: AtomicUsize,
    in_flight: AtomicI64,
    in_flight_max: AtomicI64,
}

impl Pulled {
    fn bring(&self, n: usize) {
        let n = i64::try_from(n).expect("pulls are small");
        let now = self.in_flight.fetch_add(n, Ordering::Relaxed) + n;
        self.in_flight_max.fetch_max(now, Ordering::Relaxed);
    }
}

#[processor(strict)]
impl Processor for Numbers {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Load { n } => {
                self.end += n;
                cx.start_pulling();
            }
        }
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        let room = cx.room();
        assert!(room > 0, "a pull without room is no pull");
        self.pulled.room_max.fetch_max(room, Ordering::Relaxed);
        let last = self.end.min(self.next + u32::try_from(room)?);
        self.pulled.bring((last - self.next) as usize);
        for n in self.next..last {
            cx.emit(Item { source: self.source, n });
        }
        assert_eq!(cx.room(), room - (last - self.next) as usize);
        self.next = last;
        Ok(if self.next == self.end { Pull::Done } else { Pull::More })
    }
}

fn numbers(source: usize, pulled: &Arc<Pulled>) -> Numbers {
    Numbers { source, next: 0, end: 0, pulled: Arc::clone(pulled) }
}

/// Handles items, each for a while, and checks that they come in order.
fn slow(
    n_sources: usize,
    pulled: &Arc<Pulled>,
) -> impl FnMut(&mut Context<'_>, &Item) -> Result + Send + 'static {
    let (pulled, mut next) = (Arc::clone(pulled), vec![0; n_sources]);
    move |_, item| {
        assert_eq!(std::mem::replace(&mut next[item.source], item.n + 1), item.n);
        (0..50).for_each(|_| std::hint::spin_loop());
        pulled.in_flight.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn a_slow_consumer_holds_its_sources_back() {
    const N_SOURCES: usize = 3;
    const N_ITEMS: u32 = 5_000;
    for n_workers in [1, 2, 4] {
        for (in_flight_max, pull_max) in [(1, 1_024), (20, 7), (500, 64), (100, 100)] {
            let mut limits = Limits::default();
            (limits.in_flight_max, limits.pull_max) = (in_flight_max, pull_max);
            let pulled = Arc::new(Pulled::default());
            let pipeline = Pipeline::builder()
                .processors((0..N_SOURCES).map(|source| numbers(source, &pulled)))
                .processor(on("slow", slow(N_SOURCES, &pulled)))
                .limits(limits)
                .workers(n_workers)
                .build()
                .expect("the wiring is sound");
            pipeline.submit(Load { n: N_ITEMS }).expect("there is room");
            let report = in_time(|| pipeline.run()).expect("nothing fails");
            let slow = report.processor("slow").expect("it took turns");
            assert_eq!(slow.turns, N_SOURCES as u64 * u64::from(N_ITEMS));
            let asked = pulled.room_max.load(Ordering::Relaxed);
            assert!(asked <= pull_max.min(in_flight_max), "{asked} were asked for");
            let most = pulled.in_flight_max.load(Ordering::Relaxed);
            // Each worker knows what the others had told when it began to pull.
            let bound = in_flight_max + n_workers.min(N_SOURCES) * asked;
            assert!(most <= bound as i64, "{most} in flight, {in_flight_max} allowed");
        }
    }
}

#[test]
fn a_source_is_not_offered_more_than_a_turn_may_emit() {
    let limits = Limits { emissions_per_turn_max: 5, ..Limits::default() };
    let pulled = Arc::new(Pulled::default());
    let pipeline = Pipeline::builder().processor(numbers(0, &pulled)).limits(limits).build();
    let pipeline = pipeline.expect("the wiring is sound");
    pipeline.submit(Load { n: 12 }).expect("there is room");
    let report = pipeline.run().expect("it keeps to what it was offered");
    assert_eq!(pulled.room_max.load(Ordering::Relaxed), 5);
    assert_eq!((report.unrouted, report.processors[0].pulls), (12, 3));
}

#[test]
fn a_million_events_pass_through_a_few_places() {
    let pulled = Arc::new(Pulled::default());
    let mut limits = Limits::default();
    (limits.in_flight_max, limits.pull_max) = (256, 128);
    let (sum, total) = (Arc::new(AtomicI64::new(0)), 1_000_000_u32);
    let (adds, taken) = (Arc::clone(&sum), Arc::clone(&pulled));
    let pipeline = Pipeline::builder()
        .processor(numbers(0, &pulled))
        .processor(on("add", move |_: &mut Context<'_>, item: &Item| {
            adds.fetch_add(i64::from(item.n), Ordering::Relaxed);
            taken.in_flight.fetch_sub(1, Ordering::Relaxed);
            Ok(())
        }))
        .limits(limits)
        .workers(2)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Load { n: total }).expect("there is room");
    let report = in_time(|| pipeline.run()).expect("nothing fails");
    assert_eq!(report.handled, u64::from(total) + 1);
    assert_eq!(sum.load(Ordering::Relaxed), i64::from(total) * (i64::from(total) - 1) / 2);
    let most = pulled.in_flight_max.load(Ordering::Relaxed);
    assert!(most <= 256 + 128, "{most} in flight");
}

/// Brings in one item per pull and hears nudges meanwhile.
struct Nudged {
    log: Log,
    n: u32,
}

#[derive(Debug, Event)]
struct Nudge {
    n: u32,
}

#[processor(strict)]
impl Processor for Nudged {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Load { n } => {
                self.n = *n;
                cx.start_pulling();
            }
            Nudge { n } => self.log.add(format!("nudged {n}")),
        }
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        self.n -= 1;
        self.log.add(format!("pulled {}", self.n));
        cx.emit(Item { source: 0, n: self.n });
        Ok(if self.n == 0 { Pull::Done } else { Pull::More })
    }
}

#[test]
fn mail_does_not_wait_for_room() {
    for n_workers in [1, 2, 4] {
        let log = Log::default();
        let limits = Limits { in_flight_max: 1, ..Limits::default() };
        let pipeline = Pipeline::builder()
            .processor(Nudged { log: log.clone(), n: 0 })
            .processor(on("nudge", |cx: &mut Context<'_>, item: &Item| {
                cx.emit(Nudge { n: item.n });
                Ok(())
            }))
            .limits(limits)
            .workers(n_workers)
            .build()
            .expect("the wiring is sound");
        pipeline.submit(Load { n: 3 }).expect("there is room");
        in_time(|| pipeline.run()).expect("nothing fails");
        let expected = "pulled 2, nudged 2, pulled 1, nudged 1, pulled 0, nudged 0";
        assert_eq!(log.lines().join(", "), expected);
    }
}

#[test]
fn a_stop_ends_sources_early() {
    for n_workers in [1, 2, 4] {
        let pulled = Arc::new(Pulled::default());
        let (hand, stops) = mpsc::channel::<StopHandle>();
        let mut n_items = 0;
        let pipeline = Pipeline::builder()
            .processors((0..2).map(|source| numbers(source, &pulled)))
            .processor(on("enough", move |_: &mut Context<'_>, _: &Item| {
                n_items += 1;
                if n_items == 1_000 {
                    stops.recv()?.stop();
                }
                Ok(())
            }))
            .workers(n_workers)
            .build()
            .expect("the wiring is sound");
        hand.send(pipeline.stop_handle()).expect("the turn listens");
        pipeline.submit(Load { n: u32::MAX }).expect("there is room");
        let report = in_time(|| pipeline.run()).expect("a stop is not a failure");
        assert_eq!(report.ending, Some(Ending::Stopped));
        let emitted: u64 = report.processors[..2].iter().map(|source| source.emitted).sum();
        assert!((1_000..100_000).contains(&emitted), "{emitted}");
        assert_eq!(report.handled, emitted + 2, "what came in is handled");
    }
}

/// Logs its pulls, three in all.
struct Logged {
    log: Log,
    name: &'static str,
    n: u32,
}

#[processor(strict)]
impl Processor for Logged {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Init => cx.start_pulling(),
        }
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        self.n += 1;
        self.log.add(self.name);
        cx.emit(Item { source: 0, n: self.n });
        Ok(if self.n == 3 { Pull::Done } else { Pull::More })
    }
}

#[test]
fn sources_are_pulled_in_their_band_and_take_turns_within_it() {
    let log = Log::default();
    let source = |name, priority| Logged { log: log.clone(), name, n: 0 }.priority(priority);
    let heard = log.clone();
    let pipeline = Pipeline::builder()
        .processor(source("late", 3).named("late"))
        .processor(source("a", 1).named("a"))
        .processor(source("b", 1).named("b"))
        .processor(
            on("hear", move |_: &mut Context<'_>, item: &Item| {
                heard.add(item.n.to_string());
                Ok(())
            })
            .priority(2),
        )
        .workers(1)
        .build()
        .expect("the wiring is sound");
    pipeline.run().expect("nothing fails");
    assert_snapshot!(log.lines().join(" "), @"a b a b a b 1 1 2 2 3 3 late 1 late 2 late 3");
}

/// Brings in one item each time it is started; fails to start at zero.
struct Again(u32);

#[processor(strict)]
impl Processor for Again {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Load { n } => {
                self.0 = *n;
                cx.start_pulling();
                if *n == 0 {
                    bail!("nothing to load");
                }
            }
        }
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        cx.emit(Item { source: 0, n: self.0 });
        Ok(Pull::Done)
    }
}

#[test]
fn a_source_can_be_started_again_and_a_failed_turn_starts_none() {
    let pipeline = Pipeline::builder()
        .processor(Again(0).on_failure(FailurePolicy::Skip))
        .processor(on("next", |cx: &mut Context<'_>, item: &Item| {
            cx.emit(Load { n: item.n - 1 });
            Ok(())
        }))
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Load { n: 5 }).expect("there is room");
    let report = in_time(|| pipeline.run()).expect("failures are skipped");
    assert_eq!((report.processors[0].pulls, report.dead), (5, 1));
}

#[test]
fn what_a_phase_starts_to_pull_keeps_the_phases_going() {
    struct Flush(Log);
    #[processor(strict)]
    impl Processor for Flush {
        fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Phase { number } => {
                    self.0.add(format!("phase {number}"));
                    if *number == 1 {
                        cx.start_pulling();
                    }
                }
                Load { .. } => cx.start_pulling(),
            }
            Ok(())
        }

        fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
            self.0.add("pulled");
            cx.emit(Item { source: 0, n: 0 });
            Ok(Pull::Done)
        }
    }
    let log = Log::default();
    let pipeline = Pipeline::builder().processor(Flush(log.clone())).workers(1).build();
    let pipeline = pipeline.expect("the wiring is sound");
    pipeline.submit(Load { n: 0 }).expect("there is room");
    pipeline.run().expect("nothing fails");
    assert_snapshot!(log.lines().join(", "), @"pulled, phase 1, pulled, phase 2");
}
