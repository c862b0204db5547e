//! Who is told what happens: in order, without holding anyone up or with nothing lost, and what
//! comes of those who are slow, fail or panic.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use anyhow::bail;
use insta::assert_snapshot;
use selvedge::event::{Fact, Wants};
use selvedge::prelude::*;
use selvedge::runtime::{IntoRegistration, Observer, Recorder, RecorderPolicy, wanting};

use crate::failure::in_time;
use crate::routing::Log;

#[derive(Debug, Event)]
struct Step {
    #[key]
    n: u64,
}

#[derive(Debug, Event)]
struct Item;

/// Counts down: each turn emits the next step.
fn count_down(cx: &mut Context<'_>, step: &Step) -> Result {
    if step.n > 0 {
        cx.emit(Step { n: step.n - 1 });
    }
    Ok(())
}

fn built(builder: PipelineBuilder) -> Pipeline {
    builder.build().expect("the wiring is sound")
}

/// Notes every fact as a line.
fn noted(log: &Log) -> impl Fn(&[Fact]) + Send + Sync + 'static {
    let log = log.clone();
    move |facts| facts.iter().for_each(|fact| log.add(fact.to_string()))
}

fn recorded(log: &Log) -> impl FnMut(&[Fact]) -> Result + Send + 'static {
    let note = noted(log);
    move |facts| {
        note(facts);
        Ok(())
    }
}

#[test]
fn everyone_is_told_the_same_in_the_same_order() {
    let (looked, kept) = (Log::default(), Log::default());
    let pipeline = built(
        Pipeline::builder()
            .processor(on("down", count_down))
            .observer(wanting(Wants::ALL, noted(&looked)))
            .recorder(recorded(&kept))
            .workers(1),
    );
    pipeline.submit(Step { n: 1 }).expect("there is room");
    let report = pipeline.run().expect("nothing fails");
    assert_eq!(looked.lines(), kept.lines());
    assert_snapshot!(kept.lines().join("\n"), @r"");
    let (observer, recorder) = (&report.observers[0], &report.recorders[0]);
    assert_snapshot!(format!("{observer:?}\n{recorder:?}"), @r#"
    ObserverReport { name: "observer 1", told: 7, missed: 0, panicked: false }
    RecorderReport { name: "recorder 1", recorded: 7, error: None }
    "#);
}

/// What one processor did, over all workers, is told in the order in which it happened.
#[test]
fn facts_of_one_processor_stay_in_order_whoever_takes_its_turns() {
    const N: u64 = 2_000;
    let told: Arc<Mutex<Vec<Fact>>> = Arc::default();
    let log = Arc::clone(&told);
    let names = ["a", "b", "c"];
    let mut builder = Pipeline::builder().workers(4).recorder(move |facts: &[Fact]| {
        log.lock().expect("no panic").extend_from_slice(facts);
        Ok(())
    });
    for name in names {
        builder = builder.processor(on(name, |_: &mut Context<'_>, _: &Step| Ok(())));
    }
    let limits = Limits { batch_turns_max: 3, recorder_facts_max: 50, ..Limits::default() };
    let pipeline = built(builder.limits(limits));
    (0..N).for_each(|n| assert_eq!(pipeline.submit(Step { n }).expect("there is room"), 3));
    in_time(|| pipeline.run()).expect("nothing fails");
    let told = told.lock().expect("no panic");
    for name in names {
        let of_it = |fact: &Fact| match fact {
            Fact::TurnStarted { processor, topic } if &**processor == name => topic.key.clone(),
            Fact::TurnFinished { processor, topic, .. } if &**processor == name => {
                topic.key.clone()
            }
            _ => None,
        };
        let keys: Vec<Key> = told.iter().filter_map(of_it).collect();
        let in_order: Vec<Key> = (0..N).flat_map(|n| [Key::from(n), Key::from(n)]).collect();
        assert!(keys == in_order, "{name}");
    }
}

/// Stops whoever passes, until it is let go for good.
struct Gate {
    entered: mpsc::Sender<()>,
    go: Mutex<mpsc::Receiver<()>>,
}

impl Gate {
    /// The gate; who waits for somebody to stand at it; what opens it when dropped.
    fn new() -> (Gate, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (entered, has_entered) = mpsc::channel();
        let (opener, go) = mpsc::channel();
        (Gate { entered, go: Mutex::new(go) }, has_entered, opener)
    }

    fn pass(&self) {
        // Who waits for somebody may have seen enough.
        let _ = self.entered.send(());
        self.go.lock().expect("no panic").recv().expect_err("it is opened by being dropped");
    }
}

/// The first turn waits until somebody stands at a gate, then starts a count-down: from inside,
/// since what comes from outside might be held back.
fn starter(n: u64, entered: mpsc::Receiver<()>) -> impl IntoRegistration {
    on("starter", move |cx: &mut Context<'_>, _: &Init| {
        entered.recv().expect("somebody comes");
        cx.emit(Step { n });
        Ok(())
    })
}

/// Calls this when the turns are over, before the listeners hear of the run's end.
struct AtClose<F>(F);

impl<F: FnMut() + Send + 'static> Processor for AtClose<F> {
    fn process(&mut self, _: &mut Context<'_>, _: &Event) -> Result {
        Ok(())
    }

    fn close(&mut self, _: Ending) -> Result {
        (self.0)();
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Item>()])
    }
}

#[test]
fn a_blocked_observer_holds_nobody_up_and_is_left_behind() {
    let (gate, entered, opener) = Gate::new();
    let log = Log::default();
    let (note, others) = (noted(&log), Log::default());
    let observer = move |facts: &[Fact]| {
        gate.pass();
        note(facts);
    };
    let limits = Limits { observer_drain_max: Duration::ZERO, ..Limits::default() };
    let pipeline = built(
        Pipeline::builder()
            .processor(starter(10, entered))
            .processor(on("down", count_down))
            .observer_named("stuck", wanting(Wants::ALL, observer))
            .recorder(recorded(&others))
            .limits(limits)
            .workers(1),
    );
    let report = in_time(|| pipeline.run()).expect("nothing fails");
    let n_facts = others.lines().len() as u64;
    assert_eq!((report.handled, n_facts), (12, 2 * 12 + 11 + 2));
    let stuck = &report.observers[0];
    assert_eq!((stuck.told, stuck.missed), (1, n_facts - 1));
    assert_eq!(log.lines(), [""; 0], "it is still at the gate");
    drop(opener);
    let shown = report.to_string();
    assert_snapshot!(shown.lines().skip(3).collect::<Vec<_>>().join("\n"), @r"
    `stuck` was told 1 facts, missed 36
    warning: `stuck` was still busy 0ns after the run's end and was left to itself: make it faster, let it want fewer facts, or raise `Limits::observer_drain_max`
    ");
}

#[test]
fn what_an_observer_misses_is_counted_where_it_is_missing() {
    let (gate, entered, opener) = Gate::new();
    let (slow, all) = (Log::default(), Log::default());
    let note = noted(&slow);
    let observer = move |facts: &[Fact]| {
        gate.pass();
        note(facts);
    };
    let mut opener = Some(opener);
    let limits = Limits { observer_facts_max: 1, ..Limits::default() };
    let pipeline = built(
        Pipeline::builder()
            .processor(starter(10, entered))
            .processor(on("down", count_down))
            .processor(AtClose(move || drop(opener.take())))
            .observer(wanting(Wants::ALL, observer))
            .recorder(recorded(&all))
            .limits(limits)
            .workers(1),
    );
    let report = in_time(|| pipeline.run()).expect("nothing fails");
    let (slow, all) = (slow.lines(), all.lines());
    let observer = &report.observers[0];
    assert_eq!(observer.told + observer.missed, all.len() as u64);
    // Whether it was back in time for the last fact is for the system to say.
    let turns = all.len() - 2;
    match &slow[..] {
        [begun, missed, ended] => {
            assert_eq!(missed, &format!("{turns} facts missed"));
            assert_eq!([begun, ended], [&all[0], &all[turns + 1]]);
        }
        [begun, missed] => {
            assert_eq!(missed, &format!("{} facts missed", turns + 1));
            assert_eq!(begun, &all[0]);
        }
        other => panic!("{other:#?}"),
    }
}

#[test]
fn an_observer_that_panics_is_told_nothing_more() {
    struct Dies(Wants);
    impl Observer for Dies {
        fn observe(&self, _: &[Fact]) {
            panic!("planted");
        }
        fn wants(&self) -> Wants {
            self.0
        }
    }
    struct DiesLast;
    impl Observer for DiesLast {
        fn observe(&self, _: &[Fact]) {}
        fn wants(&self) -> Wants {
            Wants::ALL
        }
    }
    impl Drop for DiesLast {
        fn drop(&mut self) {
            panic!("planted");
        }
    }
    let pipeline = built(
        Pipeline::builder()
            .processor(on("down", count_down))
            .observer_named("dies", Dies(Wants::RUN))
            .observer_named("dies unheard", Dies(Wants::TASKS))
            .observer_named("dies last", DiesLast)
            .observer_named("lives", wanting(Wants::ALL, |_: &[Fact]| ()))
            .workers(1),
    );
    pipeline.submit(Step { n: 3 }).expect("there is room");
    let report = in_time(|| pipeline.run()).expect("observers are guests");
    // What it was told at once it was told, and nothing later.
    let [dies, unheard, last, lives] = &report.observers[..] else { panic!("{report:?}") };
    assert!(dies.panicked && dies.told > 0 && dies.told + dies.missed == 2, "{dies:?}");
    assert_eq!((unheard.told, unheard.missed, unheard.panicked), (0, 0, false));
    assert_eq!((last.told, last.missed, last.panicked), (13, 0, true));
    assert_eq!((lives.told, lives.missed, lives.panicked), (13, 0, false));
}

/// Fails on its first attempt, or on each.
#[derive(Clone, Copy, Debug, Event)]
struct Spark {
    #[key]
    n: u64,
}

fn sparks(cx: &mut Context<'_>, spark: &Spark) -> Result {
    cx.emit(Item);
    if spark.n > cx.attempt().into() {
        bail!("planted");
    }
    cx.emit(Item);
    Ok(())
}

fn tried_twice() -> PipelineBuilder {
    let twice = Retry::times(2).then(LastResort::Skip);
    Pipeline::builder()
        .processor(on("sparks", sparks).stateless().on_failure(twice))
        .processor(on("item", |_: &mut Context<'_>, _: &Item| Ok(())))
        .workers(1)
}

#[test]
fn an_observer_is_told_what_is_notable_unless_it_asks_for_more() {
    let (notable, all) = (Log::default(), Log::default());
    let builder = tried_twice().observer(noted(&notable));
    let pipeline = built(builder.observer(wanting(Wants::ALL, noted(&all))));
    (0..4).for_each(|n| assert_eq!(pipeline.submit(Spark { n }).expect("there is room"), 1));
    let report = in_time(|| pipeline.run()).expect("failures are skipped");
    assert_eq!((report.observers[0].told, report.observers[0].missed), (5, 0));
    assert_snapshot!(notable.lines().join("\n"), @r"
    run of 2 processors
    sparks: retries selvedge-tests::Spark [2] after attempt 1 failed: planted
    sparks: retries selvedge-tests::Spark [3] after attempt 1 failed: planted
    sparks: gives up selvedge-tests::Spark [3] after 2 attempts: planted
    run Completed
    ");
    // A turn's own facts surround those of what it emitted, whatever became of it.
    assert_snapshot!(all.lines()[9..22].join("\n"), @r"
    sparks: begins selvedge-tests::Spark [2]
    sparks: retries selvedge-tests::Spark [2] after attempt 1 failed: planted
    sparks: begins selvedge-tests::Spark [2]
    sparks: emits selvedge-tests::Item to 1
    sparks: emits selvedge-tests::Item to 1
    sparks: selvedge-tests::Spark [2] succeeded, 2 emitted, attempt 2
    sparks: begins selvedge-tests::Spark [3]
    sparks: retries selvedge-tests::Spark [3] after attempt 1 failed: planted
    sparks: begins selvedge-tests::Spark [3]
    sparks: selvedge-tests::Spark [3] failed: planted, 0 emitted, attempt 2
    sparks: gives up selvedge-tests::Spark [3] after 2 attempts: planted
    item: begins selvedge-tests::Item
    item: selvedge-tests::Item succeeded, 0 emitted
    ");
}

/// While nobody has room, facts are only counted: as many as would have been told to each.
#[test]
fn what_is_missed_is_counted_by_what_each_wants() {
    const N: u64 = 100;
    let all_wants =
        [Wants::ALL, Wants::TURNS, Wants::EMISSIONS, Wants::TURN_STARTS | Wants::FAILURES];
    let limits = Limits { observer_facts_max: 1, ..Limits::default() };
    let mut builder = tried_twice().limits(limits);
    let mut openers = Vec::new();
    let mut stand = Vec::new();
    for wants in all_wants {
        let (gate, entered, opener) = Gate::new();
        openers.push(opener);
        stand.push(entered);
        builder = builder
            .observer(wanting(wants | Wants::RUN, move |_: &[Fact]| gate.pass()))
            .recorder(wanting(wants | Wants::RUN, |_: &[Fact]| Ok(())));
    }
    let starts = on("starts", move |cx: &mut Context<'_>, _: &Init| {
        stand.iter().for_each(|entered| entered.recv().expect("it is told that the run began"));
        (0..N).for_each(|n| cx.emit(Spark { n: n % 4 }));
        Ok(())
    });
    let builder = builder.processor(starts).processor(AtClose(move || openers.clear()));
    let report = in_time(|| built(builder).run()).expect("failures are skipped");
    for (observer, recorder) in report.observers.iter().zip(&report.recorders) {
        assert_eq!(observer.told + observer.missed, recorder.recorded, "{observer:?}");
        assert!(observer.told <= 3 && recorder.recorded > N, "{observer:?}");
    }
}

#[test]
fn everyone_is_told_what_they_want() {
    struct Wanting(Wants, Log);
    impl Observer for Wanting {
        fn observe(&self, facts: &[Fact]) {
            noted(&self.1)(facts);
        }
        fn wants(&self) -> Wants {
            self.0
        }
    }
    impl Recorder for Wanting {
        fn record(&mut self, facts: &[Fact]) -> Result {
            noted(&self.1)(facts);
            Ok(())
        }
        fn wants(&self) -> Wants {
            self.0
        }
    }
    let logs = [(); 4].map(|()| Log::default());
    let wanting = |at: usize, wants| Wanting(wants, logs[at].clone());
    let pipeline = built(
        Pipeline::builder()
            .processor(on("down", count_down))
            .observer(wanting(0, Wants::RUN))
            .observer(wanting(1, Wants::NONE))
            .recorder(wanting(2, Wants::TURNS | Wants::RUN))
            .recorder(wanting(3, Wants::EMISSIONS))
            .workers(1),
    );
    pipeline.submit(Step { n: 1 }).expect("there is room");
    let report = pipeline.run().expect("nothing fails");
    let shown = logs.map(|log| log.lines().join("\n")).join("\n--\n");
    assert_snapshot!(shown, @r"
    run of 1 processor
    run Completed
    --

    --
    run of 1 processor
    down: selvedge-tests::Step [1] succeeded, 1 emitted
    down: selvedge-tests::Step [0] succeeded, 0 emitted
    run Completed
    --
    down: emits selvedge-tests::Step [0] to 1
    ");
    assert_eq!((report.observers[0].told, report.observers[0].missed), (2, 0));

    let log = Log::default();
    let alone = Pipeline::builder().recorder(Wanting(Wants::WARNINGS, log.clone()));
    built(alone).run().expect("nothing fails");
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn a_recorder_loses_nothing_however_small_its_queue() {
    const N: u64 = 20_000;
    for n_workers in [1, 3] {
        let n_facts = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&n_facts);
        let recorder = move |facts: &[Fact]| {
            count.fetch_add(facts.len() as u64, Ordering::Relaxed);
            Ok(())
        };
        let limits = Limits { recorder_facts_max: 3, lane_max: 7, ..Limits::default() };
        let down = (0..4).map(|n| on(&format!("down {n}"), count_down));
        let builder = Pipeline::builder().processors(down).limits(limits).workers(n_workers);
        let running = built(builder.recorder(recorder)).start().expect("there is room");
        let submitter = running.submitter();
        let submits = std::thread::spawn(move || {
            (0..N / 4).try_for_each(|_| submitter.submit(Step { n: 0 }).map(drop))
        });
        let report = in_time(|| running.finish()).expect("nothing fails");
        submits.join().expect("no panic").expect("the run is open");
        assert_eq!(report.handled, N);
        assert_eq!(n_facts.load(Ordering::Relaxed), 2 * N + 2);
        assert_eq!(report.recorders[0].recorded, 2 * N + 2);
    }
}

/// Brings in items, a few at a time, in the first band.
struct Items {
    n_left: usize,
    n_pulled: Arc<AtomicU64>,
}

#[processor(strict)]
impl Processor for Items {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Init => cx.start_pulling(),
        }
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        let n = self.n_left.min(cx.room());
        self.n_left -= n;
        self.n_pulled.fetch_add(n as u64, Ordering::Relaxed);
        (0..n).for_each(|_| cx.emit(Item));
        Ok(if self.n_left == 0 { Pull::Done } else { Pull::More })
    }
}

/// While the recorder stands at the gate, a count-down of a thousand turns goes on, and the source
/// in the first band gets no further than the recorder's queue lets it.
#[test]
fn a_blocked_recorder_holds_back_sources_and_nothing_else() {
    const N: usize = 5_000;
    const PULL_MAX: usize = 10;
    for (n_workers, facts_max) in [(1, 1), (1, 100), (3, 1), (3, 100)] {
        let (gate, entered, opener) = Gate::new();
        let n_pulled = Arc::new(AtomicU64::new(0));
        let n_pulled_while_blocked = Arc::new(AtomicU64::new(0));
        let recorder = move |_: &[Fact]| {
            gate.pass();
            Ok(())
        };
        let (now, noted) = (Arc::clone(&n_pulled), Arc::clone(&n_pulled_while_blocked));
        let mut opener = Some(opener);
        let counts_down = move |cx: &mut Context<'_>, step: &Step| {
            if step.n == 0 {
                noted.store(now.load(Ordering::Relaxed), Ordering::Relaxed);
                drop(opener.take());
            }
            count_down(cx, step)
        };
        let limits =
            Limits { recorder_facts_max: facts_max, pull_max: PULL_MAX, ..Limits::default() };
        let pipeline = built(
            Pipeline::builder()
                .processor(starter(1_000, entered))
                .processor(Items { n_left: N, n_pulled }.priority(-1))
                .processor(on("down", counts_down))
                .processor(on("item", |_: &mut Context<'_>, _: &Item| Ok(())))
                .recorder(recorder)
                .limits(limits)
                .workers(n_workers),
        );
        let report = in_time(|| pipeline.run()).expect("nothing fails");
        let while_blocked = n_pulled_while_blocked.load(Ordering::Relaxed);
        assert!(while_blocked <= (facts_max + n_workers * PULL_MAX) as u64, "{while_blocked}");
        assert_eq!(report.handled, 2 + 1_001 + N as u64);
        let emitted: u64 = report.processors.iter().map(|p| p.emitted).sum();
        assert_eq!(report.recorders[0].recorded, 2 * report.handled + emitted + 2);
    }
}

/// Logs what it is asked to do; at the third fact, or at its end, it does as it is told.
struct Mortal {
    log: Log,
    n_facts: usize,
    dies: Dies,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dies {
    Never,
    Recording,
    Closing,
    Dropped,
}

impl Recorder for Mortal {
    fn record(&mut self, facts: &[Fact]) -> Result {
        self.n_facts += facts.len();
        if self.dies == Dies::Recording && self.n_facts > 2 {
            bail!("no space left");
        }
        noted(&self.log)(facts);
        Ok(())
    }

    fn close(&mut self) -> Result {
        self.log.add("close");
        if self.dies == Dies::Closing {
            bail!("no space left");
        }
        Ok(())
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if self.dies == Dies::Dropped {
            panic!("planted");
        }
    }
}

#[test]
fn a_recorder_that_fails_fails_the_run_or_is_warned_of() {
    let mut table = String::new();
    for policy in [RecorderPolicy::Fail, RecorderPolicy::Warn] {
        for dies in [Dies::Never, Dies::Recording, Dies::Closing, Dies::Dropped] {
            let log = Log::default();
            let recorder = Mortal { log: log.clone(), n_facts: 0, dies };
            let limits = Limits { recorder_facts_max: 1, ..Limits::default() };
            let builder = Pipeline::builder().processor(on("down", count_down)).limits(limits);
            let pipeline = built(builder.recorder_with("log", policy, recorder).workers(1));
            pipeline.submit(Step { n: 0 }).expect("there is room");
            let (end, report) = match in_time(|| pipeline.run()) {
                Ok(report) => (report.warnings.join(", "), report),
                Err(error) => {
                    let report = error.report().expect("a failed run has a report").clone();
                    assert!(matches!(error, RunError::Recorder { .. }), "{error}");
                    (error.to_string(), report)
                }
            };
            let kept = log.lines();
            assert_eq!(
                report.recorders[0].recorded,
                kept.iter().filter(|l| *l != "close").count() as u64
            );
            if dies != Dies::Recording {
                assert_eq!(report.handled, 1);
                assert_eq!(kept.last().map(String::as_str), Some("close"));
            }
            table += &format!("{policy:?} {dies:?}: {end}\n");
        }
    }
    assert_snapshot!(table, @r"
    Fail Never: 
    Fail Recording: `log` failed, and what happened since is not recorded: no space left; to go on without it, register it with `RecorderPolicy::Warn`
    Fail Closing: `log` failed, and what happened since is not recorded: cannot close: no space left; to go on without it, register it with `RecorderPolicy::Warn`
    Fail Dropped: `log` failed, and what happened since is not recorded: panicked: planted; to go on without it, register it with `RecorderPolicy::Warn`
    Warn Never: 
    Warn Recording: `log` failed, and what happened since is not recorded: no space left
    Warn Closing: `log` failed, and what happened since is not recorded: cannot close: no space left
    Warn Dropped: `log` failed, and what happened since is not recorded: panicked: planted
    ");
}

#[test]
fn a_recorder_that_is_gone_holds_nothing_back() {
    let (gate, entered, opener) = Gate::new();
    let recorder = move |_: &[Fact]| {
        gate.pass();
        panic!("planted");
    };
    let n_pulled = Arc::new(AtomicU64::new(0));
    let mut opener = Some(opener);
    let counts_down = move |cx: &mut Context<'_>, step: &Step| {
        if step.n == 0 {
            drop(opener.take());
        }
        count_down(cx, step)
    };
    let limits = Limits { recorder_facts_max: 1, ..Limits::default() };
    let pipeline = built(
        Pipeline::builder()
            .processor(starter(100, entered))
            .processor(Items { n_left: 500, n_pulled })
            .processor(on("down", counts_down))
            .processor(on("item", |_: &mut Context<'_>, _: &Item| Ok(())))
            .recorder_with("log", RecorderPolicy::Warn, recorder)
            .limits(limits)
            .workers(2),
    );
    let report = in_time(|| pipeline.run()).expect("it goes on without it");
    assert_eq!(report.handled, 2 + 101 + 500);
    assert_snapshot!(report.warnings.join("\n"), @r"`log` failed, and what happened since is not recorded: panicked: planted");
    assert_eq!(report.recorders[0].recorded, 0);
}

#[test]
fn recorders_are_closed_after_a_run_that_failed() {
    let log = Log::default();
    let recorder = Mortal { log: log.clone(), n_facts: 0, dies: Dies::Never };
    let fails = on("fails", |_: &mut Context<'_>, _: &Step| bail!("planted"));
    let pipeline = built(Pipeline::builder().processor(fails).recorder(recorder).workers(1));
    pipeline.submit(Step { n: 0 }).expect("there is room");
    pipeline.run().expect_err("the turn fails");
    assert_snapshot!(log.lines().join("\n"), @r"
    run of 1 processor
    fails: begins selvedge-tests::Step [0]
    fails: selvedge-tests::Step [0] failed: planted, 0 emitted
    run failed
    close
    ");
}

#[test]
fn an_abort_waits_for_no_recorder() {
    for at_close in [false, true] {
        let (gate, entered, opener) = Gate::new();
        let recorder = move |_: &[Fact]| {
            gate.pass();
            Ok(())
        };
        let limits = Limits { observer_drain_max: Duration::ZERO, ..Limits::default() };
        let (over, is_over) = mpsc::channel();
        let closes = AtClose(move || over.send(()).expect("somebody waits"));
        let builder = Pipeline::builder().processor(starter(10, entered)).processor(closes);
        let pipeline = built(builder.recorder(recorder).limits(limits).workers(1));
        let stop = pipeline.stop_handle();
        if at_close {
            let aborts = std::thread::spawn(move || {
                is_over.recv().expect("the run comes to its end");
                stop.abort();
            });
            let end = in_time(|| pipeline.run());
            assert!(matches!(end, Err(RunError::Aborted { .. })), "{end:?}");
            aborts.join().expect("no panic");
        } else {
            let running = pipeline.start().expect("there is room");
            drop(in_time(|| running));
        }
        drop(opener);
    }
}
