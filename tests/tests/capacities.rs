//! Mailboxes with a capacity, and the limits in bytes: what gives way, what fails the run, and that
//! every delivery is accounted for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use insta::assert_snapshot;
use selvedge::event::{Fact, Wants};
use selvedge::prelude::*;
use selvedge::runtime::{
    BuildError, MailboxCapacity, Observer, Overflow, Registration, RunReport, Submitter,
};

use crate::failure::in_time;

/// Has so many items emitted in one turn.
#[derive(Debug, Event)]
struct Burst(u32);

#[derive(Debug, Event)]
struct Item(u32);

/// Weighs something.
#[derive(Debug, Event)]
#[event(heap_bytes = Load::weight)]
struct Load(Vec<u8>);

impl Load {
    fn weight(&self) -> usize {
        self.0.len()
    }
}

type Seen = Arc<Mutex<Vec<u32>>>;

fn emitter() -> impl selvedge::runtime::IntoRegistration {
    on("emit", |cx: &mut Context<'_>, burst: &Burst| {
        (0..burst.0).for_each(|n| cx.emit(Item(n)));
        Ok(())
    })
    .priority(-1)
}

fn keeper(seen: &Seen) -> impl FnMut(&mut Context<'_>, &Item) -> Result + Send + 'static {
    let seen = Arc::clone(seen);
    move |_, item| {
        seen.lock().expect("nobody panics with it in hand").push(item.0);
        Ok(())
    }
}

fn taken(seen: &Seen) -> Vec<u32> {
    std::mem::take(&mut *seen.lock().expect("nobody panics with it in hand"))
}

/// One burst of ten at a processor with room for three.
fn burst(overflow: Overflow) -> (std::result::Result<RunReport, RunError>, Vec<u32>) {
    let seen = Seen::default();
    let keep = on("keep", keeper(&seen)).capacity(3).on_overflow(overflow);
    let pipeline = Pipeline::builder()
        .processor(emitter())
        .processor(keep)
        .processor(on("count", |_: &mut Context<'_>, _: &Item| Ok(())))
        .workers(1)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Burst(10)).expect("there is room");
    let result = in_time(|| pipeline.run());
    (result, taken(&seen))
}

#[test]
fn what_comes_to_a_full_mailbox_gives_way_or_what_has_waited_longest() {
    let (report, seen) = burst(Overflow::DropNewest);
    let report = report.expect("nothing fails");
    assert_eq!(seen, [0, 1, 2]);
    assert_eq!((report.accepted, report.handled, report.dropped), (21, 14, 7));
    assert_eq!(report.processor("keep").map(|keep| (keep.turns, keep.dropped)), Some((3, 7)));
    assert_eq!(report.processor("count").map(|count| count.dropped), Some(0));
    assert!(report.to_string().contains("7 dropped"), "{report}");

    let (report, seen) = burst(Overflow::DropOldest);
    let report = report.expect("nothing fails");
    assert_eq!(seen, [7, 8, 9]);
    assert_eq!((report.accepted, report.handled, report.dropped), (21, 14, 7));
}

#[test]
fn a_full_mailbox_fails_the_run_unless_it_may_drop() {
    let (result, _) = burst(Overflow::default());
    let error = result.expect_err("ten don't fit into three");
    assert_snapshot!(error, @"the mailbox of processor `keep` is at its capacity of 3 events: it takes turns more slowly than others emit; give it more, or let it drop some with `.on_overflow(…)`");
    assert!(error.report().is_some_and(RunReport::balances));
    let RunError::MailboxFull { processor, capacity, report } = error else { panic!("it says so") };
    assert_eq!((processor.as_str(), capacity), ("keep", MailboxCapacity::Events(3)));
    assert_eq!((report.accepted, report.dropped), (21, 0));
}

#[test]
fn a_capacity_in_bytes_counts_what_the_events_weigh() {
    let seen = Arc::new(AtomicUsize::new(0));
    let sum = Arc::clone(&seen);
    let weigh = on("weigh", move |_: &mut Context<'_>, load: &Load| {
        sum.fetch_add(load.0.len(), Ordering::Relaxed);
        Ok(())
    });
    let start = on("start", |cx: &mut Context<'_>, _: &Burst| {
        [9_000, 50, 700, 60].into_iter().for_each(|n| cx.emit(Load(vec![0; n])));
        Ok(())
    });
    let pipeline = Pipeline::builder()
        .processor(start.priority(-1))
        .processor(weigh.capacity_bytes(11_000).on_overflow(Overflow::DropOldest))
        .processor(
            on("spoon", |_: &mut Context<'_>, _: &Load| Ok(()))
                .capacity_bytes(500)
                .on_overflow(Overflow::DropNewest),
        )
        .workers(1)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Burst(0)).expect("there is room");
    let report = in_time(|| pipeline.run()).expect("nothing fails");
    // All fit into the one; the other was empty when the first came, and has no room after that.
    assert_eq!(seen.load(Ordering::Relaxed), 9_810);
    assert_eq!(report.processor("spoon").map(|spoon| (spoon.turns, spoon.dropped)), Some((1, 3)));
    assert_eq!(report.dropped, 3);
}

#[test]
fn a_capacity_of_nothing_is_refused() {
    let item = || on("item", |_: &mut Context<'_>, _: &Item| Ok(()));
    let build = |item: Registration<_>| Pipeline::builder().processor(item).build();
    let error = build(item().capacity(0)).expect_err("nothing could wait");
    assert_snapshot!(error, @"processor `item` is registered with room for no events: give it more, or leave it out");
    assert!(matches!(error, BuildError::ZeroInPolicy { .. }));
    let error = build(item().capacity_bytes(0)).expect_err("nothing could wait");
    assert_snapshot!(error, @"processor `item` is registered with room for no bytes: give it more, or leave it out");
}

#[test]
fn what_is_dropped_is_told() {
    struct Losses(Arc<Mutex<Vec<String>>>);
    impl Observer for Losses {
        fn observe(&self, facts: &[Fact]) {
            let dropped = facts.iter().filter(|fact| matches!(fact, Fact::Dropped { .. }));
            let mut told = self.0.lock().expect("nobody panics with it in hand");
            told.extend(dropped.map(ToString::to_string));
        }

        fn wants(&self) -> Wants {
            Wants::FAILURES
        }
    }
    let told = Arc::new(Mutex::new(Vec::new()));
    let pipeline = Pipeline::builder()
        .processor(emitter())
        .processor(
            on("keep", |_: &mut Context<'_>, _: &Item| Ok(()))
                .capacity(2)
                .on_overflow(Overflow::DropOldest),
        )
        .observer(Losses(Arc::clone(&told)))
        .workers(1)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Burst(5)).expect("there is room");
    in_time(|| pipeline.run()).expect("nothing fails");
    let told = told.lock().expect("nobody panics with it in hand").join("\n");
    assert_snapshot!(told, @"keep: 3 events dropped by `drop_oldest`");
}

/// Submits in order, from several threads, to a processor that forgets.
#[test]
fn what_is_not_dropped_keeps_its_order_whoever_works() {
    for (n_workers, overflow) in
        [(1, Overflow::DropOldest), (2, Overflow::DropNewest), (4, Overflow::DropOldest)]
    {
        const N: u32 = 20_000;
        let seen: [Seen; 2] = Default::default();
        let [first, second] = &seen;
        let (mut first, mut second) = (keeper(first), keeper(second));
        let relay = on("relay", |cx: &mut Context<'_>, item: &Item| {
            cx.emit(Burst(item.0));
            Ok(())
        });
        let narrow = on("narrow", move |cx: &mut Context<'_>, item: &Item| first(cx, item));
        let after = on("after", move |cx: &mut Context<'_>, n: &Burst| second(cx, &Item(n.0)));
        let pipeline = Pipeline::builder()
            .processor(narrow.capacity(3).on_overflow(overflow))
            .processor(relay)
            .processor(after.capacity(7).on_overflow(overflow))
            .limits(Limits { batch_turns_max: 5, ..Limits::default() })
            .workers(n_workers)
            .build()
            .expect("the wiring is sound");
        let submitter = pipeline.submitter();
        let submit = move |submitter: Submitter| {
            (0..N).for_each(|n| assert!(submitter.submit(Item(n)).is_ok(), "the run goes on"));
        };
        let thread = std::thread::spawn(move || submit(submitter));
        let report = in_time(|| pipeline.run()).expect("nothing fails");
        thread.join().expect("it does not panic");
        assert!(report.balances(), "{report}");
        assert_eq!(report.abandoned, 0);
        let mut n_seen = 0;
        for seen in &seen {
            let seen = taken(seen);
            assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "out of order");
            n_seen += seen.len() as u64;
        }
        assert_eq!(n_seen + u64::from(N), report.handled);
        assert_eq!(report.handled + report.dropped, u64::from(3 * N));
    }
}

#[test]
fn what_waits_for_another_attempt_keeps_its_place_and_the_others_theirs() {
    let seen = Seen::default();
    let mut keep = keeper(&seen);
    let flaky = on("flaky", move |cx: &mut Context<'_>, item: &Item| {
        anyhow::ensure!(cx.attempt() > 1 || item.0 != 1, "not yet");
        keep(cx, item)
    });
    let retry = Retry::times(2).backoff(Backoff::fixed(std::time::Duration::from_millis(1)));
    let pipeline = Pipeline::builder()
        .processor(emitter())
        .processor(flaky.stateless().on_failure(retry).capacity(4))
        .workers(2)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Burst(4)).expect("there is room");
    let report = in_time(|| pipeline.run()).expect("the second attempt succeeds");
    assert_eq!(taken(&seen), [0, 1, 2, 3]);
    assert_eq!((report.handled, report.dropped), (5, 0));
}

#[test]
fn what_a_full_mailbox_holds_when_the_run_is_given_up_is_accounted_for() {
    let (entered, wait_entered) = mpsc::channel();
    let (go_on, gate) = mpsc::channel::<()>();
    let hold = on("hold", move |_: &mut Context<'_>, item: &Item| {
        if item.0 == 0 {
            entered.send(()).expect("the test waits for it");
            gate.recv().expect("the test says when");
            anyhow::bail!("planted");
        }
        Ok(())
    });
    let pipeline = Pipeline::builder()
        .processor(hold.capacity(100))
        .workers(2)
        .build()
        .expect("the wiring is sound");
    let running = pipeline.start().expect("there is room for threads");
    running.submit(Item(0)).expect("the run goes on");
    wait_entered.recv().expect("the turn begins");
    (1..50).for_each(|n| assert!(running.submit(Item(n)).is_ok(), "the run goes on"));
    go_on.send(()).expect("the turn waits for it");
    let error = in_time(move || running.finish()).expect_err("the turn fails");
    let report = error.report().expect("there is one");
    assert_eq!((report.dead, report.handled, report.dropped), (1, 0, 0));
    assert_eq!(report.abandoned + report.dead, report.accepted);
    assert_eq!(report.accepted, 50);
}

/// Brings in loads for as long as there is room.
struct Loads {
    n_left: u32,
    weight: usize,
    /// Bytes brought in and not yet heard.
    under_way: Arc<AtomicUsize>,
    max: Arc<AtomicUsize>,
}

#[processor(strict)]
impl Processor for Loads {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Init => cx.start_pulling(),
        }
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        let now = self.under_way.fetch_add(self.weight, Ordering::Relaxed) + self.weight;
        self.max.fetch_max(now, Ordering::Relaxed);
        cx.emit(Load(vec![0; self.weight]));
        self.n_left -= 1;
        Ok(if self.n_left == 0 { Pull::Done } else { Pull::More })
    }
}

#[test]
fn a_source_waits_for_a_slow_hearer_in_bytes_and_in_number() {
    const WEIGHT: usize = 1_000;
    for (limits, bound) in [
        (Limits { in_flight_bytes_max: 20 * WEIGHT, ..Limits::default() }, 20),
        (Limits { in_flight_max: 30, ..Limits::default() }, 30),
    ] {
        let under_way = Arc::new(AtomicUsize::new(0));
        let max = Arc::new(AtomicUsize::new(0));
        let loads = Loads {
            n_left: 3_000,
            weight: WEIGHT,
            under_way: Arc::clone(&under_way),
            max: Arc::clone(&max),
        };
        let hear = on("hear", move |_: &mut Context<'_>, load: &Load| {
            under_way.fetch_sub(load.0.len(), Ordering::Relaxed);
            Ok(())
        });
        let pipeline = Pipeline::builder()
            // Before the hearer: it is pulled from as long as there is room.
            .processor(loads.priority(-1))
            .processor(hear)
            .limits(limits)
            .workers(1)
            .build()
            .expect("the wiring is sound");
        let report = in_time(|| pipeline.run()).expect("nothing fails");
        assert_eq!(report.handled, 3_001);
        let max = max.load(Ordering::Relaxed);
        assert!(max <= (bound + 1) * WEIGHT, "{max} bytes under way");
        assert!(max > bound / 2 * WEIGHT, "{max} bytes is not what the limit allows");
    }
}

#[test]
fn submitters_wait_while_a_lane_weighs_too_much() {
    const WEIGHT: usize = 1_000;
    let (go_on, gate) = mpsc::channel::<()>();
    let (entered, wait_entered) = mpsc::channel();
    let hold = on("hold", move |_: &mut Context<'_>, _: &Load| {
        entered.send(()).expect("the test listens");
        let _ = gate.recv();
        Ok(())
    });
    let limits = Limits { in_flight_max: 1, lane_bytes_max: 10 * WEIGHT, ..Limits::default() };
    let pipeline = Pipeline::builder()
        .processor(hold)
        .limits(limits)
        .workers(1)
        .build()
        .expect("the wiring is sound");
    let running = pipeline.start().expect("there is room for threads");
    running.submit(Load(vec![0; WEIGHT])).expect("the run goes on");
    wait_entered.recv().expect("the first turn begins");
    let accepted = (0..100).map(|_| running.try_submit(Load(vec![0; WEIGHT])));
    let accepted: Vec<_> = accepted.map_while(std::result::Result::ok).collect();
    assert!((9..=10).contains(&accepted.len()), "{} fit", accepted.len());
    drop(go_on);
    let report = in_time(move || running.finish()).expect("nothing fails");
    assert_eq!(report.handled, 1 + accepted.len() as u64);
}

#[test]
fn events_that_weigh_too_much_fail_the_run_and_the_heaviest_mailboxes_are_named() {
    let start = on("start", |cx: &mut Context<'_>, _: &Burst| {
        (0..100).for_each(|_| cx.emit(Load(vec![0; 100_000])));
        (0..10).for_each(|n| cx.emit(Item(n)));
        Ok(())
    });
    let pipeline = Pipeline::builder()
        .processor(start.priority(-1))
        .processor(on("light", |_: &mut Context<'_>, _: &Item| Ok(())))
        .processor(on("heavy", |_: &mut Context<'_>, _: &Load| Ok(())))
        .limits(Limits { pipeline_bytes_max: 5_000_000, ..Limits::default() })
        .workers(1)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Burst(0)).expect("there is room");
    let error = in_time(|| pipeline.run()).expect_err("it is too much");
    let shown = error.to_string();
    let RunError::TooManyBytes { limit, largest, report } = error else { panic!("{error}") };
    assert_eq!(limit, 5_000_000);
    let names: Vec<_> = largest.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["heavy", "light"]);
    assert!(largest[0].1 >= 100 * 100_000, "{largest:?}");
    assert!(shown.contains("weigh more than 5000000 bytes, most of them those for `heavy` ("));
    assert!(report.balances());
    assert_eq!(report.abandoned, 110);
}

#[test]
fn limits_of_zero_under_which_nothing_could_happen_are_refused() {
    type Zero = fn(&mut Limits);
    let refused: [(&str, Zero); 12] = [
        ("in_flight_max", |limits| limits.in_flight_max = 0),
        ("in_flight_bytes_max", |limits| limits.in_flight_bytes_max = 0),
        ("lane_max", |limits| limits.lane_max = 0),
        ("lane_bytes_max", |limits| limits.lane_bytes_max = 0),
        ("pull_max", |limits| limits.pull_max = 0),
        ("emissions_per_turn_max", |limits| limits.emissions_per_turn_max = 0),
        ("pipeline_events_max", |limits| limits.pipeline_events_max = 0),
        ("pipeline_bytes_max", |limits| limits.pipeline_bytes_max = 0),
        ("batch_turns_max", |limits| limits.batch_turns_max = 0),
        ("phase_max", |limits| limits.phase_max = 0),
        ("observer_facts_max", |limits| limits.observer_facts_max = 0),
        ("recorder_facts_max", |limits| limits.recorder_facts_max = 0),
    ];
    for (name, zero) in refused {
        let mut limits = Limits::default();
        zero(&mut limits);
        match Pipeline::builder().limits(limits).build() {
            Err(BuildError::ZeroLimit { limit }) => assert_eq!(limit, name),
            other => panic!("{name} of zero: {other:?}"),
        }
    }
    let nothing_kept = Limits {
        backlog_max: 0,
        dead_letters_max: 0,
        dead_letters_bytes_max: 0,
        collected_max: 0,
        collected_bytes_max: 0,
        timers_max: 0,
        ..Limits::default()
    };
    let pipeline = Pipeline::builder().limits(nothing_kept).build().expect("legal wishes");
    in_time(|| pipeline.run()).expect("nothing happens");
}

#[test]
fn what_is_kept_for_later_is_limited_in_bytes_too() {
    let limits = Limits { dead_letters_bytes_max: 25_000, ..Limits::default() };
    let fails = on("fails", |_: &mut Context<'_>, _: &Load| anyhow::bail!("planted"));
    let pipeline = Pipeline::builder()
        .processor(fails.on_failure(FailurePolicy::Skip))
        .limits(limits)
        .build()
        .expect("the wiring is sound");
    (0..5).for_each(|_| assert_eq!(pipeline.submit(Load(vec![0; 10_000])).expect("room"), 1));
    let report = in_time(|| pipeline.run()).expect("it skips");
    assert_eq!((report.dead, report.dead_letters.len()), (5, 2));

    let limits = Limits { collected_bytes_max: 25_000, ..Limits::default() };
    let mut pipeline = Pipeline::builder().limits(limits).build().expect("the wiring is sound");
    let loads = pipeline.collect::<Load>();
    (0..3).for_each(|_| assert_eq!(pipeline.submit(Load(vec![0; 10_000])).expect("room"), 1));
    let error = in_time(|| pipeline.run()).expect_err("two fit");
    let RunError::Turn { cause, .. } = error else { panic!("a turn fails, not {error}") };
    assert_snapshot!(cause, @"what is collected would weigh more than 25000 bytes: take it during the run, write it to a sink, or raise `Limits::collected_bytes_max`");
    assert_eq!(loads.len(), 2);
}
