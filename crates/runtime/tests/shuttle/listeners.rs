//! Listeners with tiny queues: who waits for a recorder is woken when it has caught up, or is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::bail;
use selvedge_event::{Fact, Init, Wants};
use selvedge_runtime::{
    Context, Limits, Pipeline, PipelineBuilder, Processor, Pull, RecorderPolicy, Result, RunError,
    on, processor, wanting,
};

use super::{Ping, build, explore, join, start, thread, tight};

/// Limits under which every fact is one too many.
fn tiny() -> Limits {
    let mut limits = tight();
    (limits.observer_facts_max, limits.recorder_facts_max) = (1, 1);
    limits
}

fn hears() -> PipelineBuilder {
    let hears = |_: &mut Context<'_>, _: &Ping| Ok(());
    Pipeline::builder().limits(tiny()).processor(on("hears", hears))
}

/// Counts what it is told.
fn counts(n: &Arc<AtomicU64>) -> impl Fn(&[Fact]) + Send + Sync + 'static {
    let n = Arc::clone(n);
    move |facts| {
        let missed = |fact: &Fact| match fact {
            Fact::Missed { facts } => *facts,
            _ => 1,
        };
        n.fetch_add(facts.iter().map(missed).sum(), Ordering::Relaxed);
    }
}

struct Three(u64);

#[processor(strict)]
impl Processor for Three {
    fn process(&mut self, cx: &mut Context<'_>, event: &selvedge_event::Event) -> Result {
        match event {
            Init => cx.start_pulling(),
        }
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        self.0 += 1;
        cx.emit(Ping(self.0));
        Ok(if self.0 == 3 { Pull::Done } else { Pull::More })
    }
}

#[test]
fn a_source_that_is_held_back_is_pulled_when_the_recorder_has_caught_up() {
    explore(|| {
        let n_recorded = Arc::new(AtomicU64::new(0));
        let count = counts(&n_recorded);
        let recorder = move |facts: &[Fact]| {
            count(facts);
            Ok(())
        };
        let report =
            build(hears().processor(Three(0)).recorder(recorder)).run().expect("nothing fails");
        assert_eq!((report.handled, n_recorded.load(Ordering::Relaxed)), (4, 2 + 2 * 4 + 3));
    });
}

#[test]
fn submitters_that_are_held_back_come_in_when_the_recorder_has_caught_up() {
    explore(|| {
        let running = start(build(hears().recorder(|_: &[Fact]| Ok(()))));
        let submitter = running.submitter();
        let submits = thread(move || (0..3).all(|n| submitter.submit(Ping(n)).is_ok()));
        let report = running.finish().expect("nothing fails");
        assert!(join(submits));
        assert_eq!((report.handled, report.recorders[0].recorded), (3, 2 + 2 * 3));
    });
}

#[test]
fn a_recorder_that_is_gone_lets_everyone_in() {
    explore(|| {
        let mut n_calls = 0;
        let fails = move |_: &[Fact]| {
            n_calls += 1;
            if n_calls == 2 { bail!("planted") } else { Ok(()) }
        };
        let builder = hears().processor(Three(0));
        let pipeline = build(builder.recorder_with("gone", RecorderPolicy::Warn, fails));
        let report = pipeline.run().expect("it goes on without it");
        assert_eq!((report.handled, report.warnings.len()), (4, 1));
    });
}

#[test]
fn a_recorder_that_fails_ends_the_run_whenever() {
    explore(|| {
        let fails = |_: &[Fact]| bail!("planted");
        let running = start(build(hears().recorder(fails)));
        let submitter = running.submitter();
        // Not until it fails: by priorities, nobody else might ever have a turn.
        let submits = thread(move || (0..3).filter(|n| submitter.submit(Ping(*n)).is_ok()).count());
        let error = running.finish().expect_err("its policy is to fail the run");
        assert!(join(submits) <= 3);
        assert!(matches!(error, RunError::Recorder { .. }), "{error}");
    });
}

#[test]
fn what_an_observer_is_told_and_what_it_misses_is_all_there_was() {
    explore(|| {
        let n_told = Arc::new(AtomicU64::new(0));
        let pipeline = build(hears().observer(wanting(Wants::ALL, counts(&n_told))));
        for n in 0..3 {
            pipeline.submit(Ping(n)).expect("there is room");
        }
        let report = pipeline.run().expect("nothing fails");
        let observer = &report.observers[0];
        assert_eq!(observer.told + observer.missed, 2 + 2 * 3);
        assert_eq!(n_told.load(Ordering::Relaxed), 2 + 2 * 3);
    });
}

#[test]
fn an_abort_lets_listeners_go() {
    explore(|| {
        let pipeline = build(hears().processor(Three(0)).recorder(|_: &[Fact]| Ok(())));
        let stop = pipeline.stop_handle();
        let aborts = thread(move || stop.abort());
        match pipeline.run() {
            Ok(report) => assert_eq!(report.handled, 4),
            Err(error) => assert!(matches!(error, RunError::Aborted { .. }), "{error}"),
        }
        join(aborts);
    });
}
