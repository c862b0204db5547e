//! What a hit is, and that nobody who hears of it could tell.

use proptest::collection::vec;
use proptest::prelude::*;
use selvedge::event::{Fact, Wants};
use selvedge::runtime::simulation::Sim;
use selvedge::runtime::{Observer, Solo};
use selvedge_testkit::explore;

use super::*;

#[test]
fn a_second_pipeline_replays_what_the_first_one_computed() {
    let (store, calls) = (memory(), Calls::default());
    let speller = || Speller { upper: true, calls: calls.clone() };
    let (first, report) = spell(speller().cached(), Some(store.clone()), &["ab"]);
    assert_eq!((calls.n(), n_replayed(&report)), (1, 0));
    insta::assert_snapshot!(first.join("\n"), @r#"
    Event(selvedge-tests::Letter "A")
    Event(selvedge-tests::Letter "B")
    Event(selvedge-tests::Length "ab" 2)
    Event(spelt [ab] "ab")
    "#);

    let (second, report) = spell(speller().cached(), Some(store), &["ab"]);
    assert_eq!((calls.n(), n_replayed(&report)), (1, 1), "the body ran once overall");
    assert_eq!(second, first);
    assert!(report.to_string().contains("1 replayed"), "{report}");
    assert_eq!(report.warnings.iter().filter(|w| w.contains("cache")).count(), 0);
}

#[test]
fn in_memory_a_result_lives_as_long_as_its_pipeline() {
    let calls = Calls::default();
    let speller = || Speller { upper: false, calls: calls.clone() };
    for round in 1..=2 {
        let (_, report) = spell(speller().cached(), None, &["a", "a", "b", "a"]);
        assert_eq!((calls.n(), n_replayed(&report)), (2 * round, 2));
    }
}

#[test]
fn what_an_input_is_called_is_part_of_it() {
    let speller = Speller::default();
    let mut solo = Solo::new(speller.clone().cached());
    for name in ["x", "y", "x"] {
        assert!(solo.turn(Named(name, word("a"))).result.is_ok());
    }
    assert_eq!(speller.calls.n(), 2);
}

#[test]
fn a_key_function_says_what_an_input_is_known_by() {
    let length = |event: &Event| {
        let length = event.payload::<Word>().map(|word| word.0.len());
        Ok(Digest::of(&length)?)
    };
    let speller = Speller::default();
    let cached = speller.clone().cached_with(Cache::new().digest_by(length));
    let (heard, report) = spell(cached, None, &["ab", "cd", "efg"]);
    assert_eq!((speller.calls.n(), n_replayed(&report)), (2, 1));
    assert!(!heard.join(" ").contains("'c'"), "it heard `ab` again: {heard:?}");
}

#[test]
fn a_failed_turn_keeps_nothing_and_of_a_retried_one_the_last_attempt_is_kept() {
    let (store, calls) = (memory(), Calls::default());
    let run = |attempts: u32| {
        let calls = calls.clone();
        let flaky = on_cached("flaky", "1", move |cx: &mut Context<'_>, word: &Word| {
            calls.count();
            let attempt = cx.attempt();
            anyhow::ensure!(attempt == 3, "not yet");
            Ok(Length(word.0.len() + attempt as usize))
        });
        let skip = Retry::times(attempts).then(LastResort::Skip);
        let mut pipeline = Pipeline::builder()
            .processor(flaky.on_failure(skip))
            .store(store.clone())
            .build()
            .expect("the wiring is sound");
        let lengths = pipeline.collect::<Length>();
        pipeline.submit(word("ab")).expect("there is room");
        let report = pipeline.run().expect("failures are skipped");
        let lengths: Vec<usize> = lengths.take().iter().map(|length| length.0).collect();
        let flaky = report.processor("flaky").expect("it is registered");
        (lengths, report.dead, flaky.replayed)
    };
    assert_eq!(run(2), (vec![], 1, 0));
    assert_eq!(calls.n(), 2);
    assert_eq!(run(3), (vec![5], 0, 0), "nothing of the failed turn was kept");
    assert_eq!(calls.n(), 5);
    assert_eq!(run(1), (vec![5], 0, 1));
    assert_eq!(calls.n(), 5);
}

/// Facts of look-ups, and nothing else.
struct LookUps(std::sync::mpsc::Sender<Fact>);

impl Observer for LookUps {
    fn observe(&self, facts: &[Fact]) {
        for fact in facts {
            let _ = self.0.send(fact.clone());
        }
    }

    fn wants(&self) -> Wants {
        Wants::LOOK_UPS
    }
}

#[test]
fn listeners_are_told_of_what_was_recorded_and_replayed() {
    let (log, told) = std::sync::mpsc::channel();
    let pipeline = Pipeline::builder()
        .processor(Speller::default().cached().named("speller"))
        .observer(LookUps(log))
        .origin("monday")
        .workers(1)
        .build()
        .expect("the wiring is sound");
    for text in ["a", "a"] {
        pipeline.submit(word(text)).expect("there is room");
    }
    pipeline.run().expect("nothing fails");
    let told: Vec<Fact> = told.iter().collect();
    let [Fact::LookedUp { input, outputs, signature, replayed: false, origin, .. }, second] =
        &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!(outputs[0], Digest::of(&Letter('a')).expect("it has one"));
    assert_eq!(origin.as_deref(), Some("monday"));
    let mut expected = told[0].clone();
    if let Fact::LookedUp { replayed, .. } = &mut expected {
        *replayed = true;
    }
    assert_eq!(*second, expected, "the same input {input}, outputs and signature {signature}");
}

#[test]
fn a_key_for_the_outside_is_the_same_over_attempts_and_runs() {
    let keys = |event: Event| {
        let (log, keys) = std::sync::mpsc::channel();
        let log = std::sync::Mutex::new(log);
        let cached = on_cached("bank", "1", move |cx: &mut Context<'_>, event: &Word| {
            let key = cx.idempotency_key(&Event::new(event.clone()));
            log.lock().expect("nobody panics with it").send(key).expect("it is read");
            anyhow::ensure!(cx.attempt() == 3, "not yet");
            Ok(())
        });
        let mut solo = Solo::new(cached.on_failure(Retry::times(3)));
        assert!(solo.turn(event).result.is_ok());
        drop(solo);
        keys.iter().collect::<Vec<_>>()
    };
    let ab = keys(Event::new(word("ab")));
    assert_eq!(ab.len(), 3);
    assert!(ab[0].is_some() && ab.iter().all(|key| *key == ab[0]));
    assert_eq!(keys(Event::new(word("ab"))), ab, "in another run");
    assert_ne!(keys(Event::new(word("cd")))[0], ab[0]);
}

#[test]
fn in_the_simulator_a_turn_that_fails_afterwards_keeps_nothing() {
    let calls = Calls::default();
    let sim = Sim::new(7).workers(1).panic_turn("speller", 1);
    let speller = Speller { upper: false, calls: calls.clone() };
    let builder = Pipeline::builder()
        .processor(speller.cached().named("speller").on_failure(Retry::times(2)));
    let pipeline = sim.build(builder).expect("the wiring is sound");
    pipeline.submit(word("a")).expect("there is room");
    let report = sim.run(pipeline).result.expect("the second attempt succeeds");
    assert_eq!((calls.n(), n_replayed(&report)), (2, 0));
}

#[test]
fn whatever_the_interleaving_and_the_failures_hits_and_misses_are_heard_alike() {
    explore(60, |sim| {
        let seed = sim.seed();
        let sim = sim.fail_any_turn(1 + seed % 11).panic_any_turn(3 + seed % 7);
        let store = memory();
        // Some of it is there already.
        spell(
            Speller::default().cached(),
            Some(store.clone()),
            &["b", "cc"][..(seed % 3) as usize],
        );
        let speller = Speller::default();
        let cached = speller.clone().cached().named("speller").on_failure(Retry::times(5));
        let log = Arc::default();
        let hearer = Hearer(Arc::clone(&log)).named("hearer").stateless();
        let builder = Pipeline::builder()
            .processor(cached)
            .processor(hearer.on_failure(Retry::times(5)))
            .store(store);
        let pipeline = sim.build(builder).expect("the wiring is sound");
        let words = ["a", "b", "a", "cc", "b", "a"];
        for text in words {
            pipeline.submit(word(text)).expect("there is room");
        }
        let run = sim.run(pipeline);
        let report = run.result.as_ref().expect("a later attempt succeeds");
        let heard = std::mem::take(&mut *log.lock().expect("nobody panics with it"));
        let is_length = |line: &&String| line.contains("Length");
        let lengths: Vec<_> = heard.iter().filter(is_length).cloned().collect();
        // A panic of the simulator's comes after the hearer has written.
        assert!(lengths.len() >= words.len(), "{lengths:?}");
        assert!(n_replayed(report) >= 3, "{report}");
        run
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_cached_run_is_heard_as_an_uncached_one(
        first in vec("[ab]{0,2}", 0..12),
        second in vec("[ab]{0,2}", 0..12),
    ) {
        fn texts(words: &[String]) -> Vec<&str> {
            words.iter().map(String::as_str).collect()
        }
        let store = memory();
        spell(Speller::default().cached(), Some(store.clone()), &texts(&first));
        let (cached, _) = spell(Speller::default().cached(), Some(store), &texts(&second));
        let mut expected = Vec::new();
        for text in texts(&second) {
            // Each on its own: nothing to replay.
            expected.extend(spell(Speller::default().cached(), None, &[text]).0);
        }
        prop_assert_eq!(cached, expected);
    }
}
