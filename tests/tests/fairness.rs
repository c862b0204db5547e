//! Who goes next: nobody starves, and lower bands go first, however many threads work.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use selvedge::prelude::*;

use crate::failure::in_time;

#[derive(Debug, Event)]
struct Busy(u32);

#[derive(Debug, Event)]
struct Rare(u32);

/// Goes round: its own event is all that keeps it busy.
fn busy(stop: &Arc<AtomicBool>, n_turns: &Arc<AtomicUsize>) -> impl Processor + use<> {
    struct Loop(Arc<AtomicBool>, Arc<AtomicUsize>);
    #[processor(strict)]
    impl Processor for Loop {
        fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Busy(n) => {
                    self.1.fetch_add(1, Ordering::SeqCst);
                    if !self.0.load(Ordering::SeqCst) {
                        // Some mail stays in any case: the mailbox is never found empty.
                        cx.emit(Busy(n + 1));
                    }
                }
            }
            Ok(())
        }
    }
    Loop(Arc::clone(stop), Arc::clone(n_turns))
}

/// A busy processor never stops by itself: only the other's turn ends it. Were it to starve the
/// other, the run would not end.
#[test]
fn a_busy_processor_starves_nobody() {
    for (n_workers, n_mails) in [(1, 1), (1, 300), (2, 300), (4, 1_000)] {
        let stop = Arc::new(AtomicBool::new(false));
        let turns = Arc::new(AtomicUsize::new(0));
        let rare = {
            let stop = Arc::clone(&stop);
            on("rare", move |cx: &mut Context<'_>, rare: &Rare| {
                match rare.0 {
                    0 => stop.store(true, Ordering::SeqCst),
                    n => cx.emit(Rare(n - 1)),
                }
                Ok(())
            })
        };
        let pipeline = Pipeline::builder()
            .processor(busy(&stop, &turns).named("busy"))
            .processor(rare)
            .workers(n_workers)
            .build()
            .expect("the wiring is sound");
        (0..n_mails).for_each(|_| assert!(pipeline.submit(Busy(0)).is_ok(), "there is room"));
        pipeline.submit(Rare(20)).expect("there is room");
        let report = in_time(|| pipeline.run()).expect("nothing fails");
        assert_eq!(report.processor("rare").map(|rare| rare.turns), Some(21));
    }
}

/// With one worker and a batch of so many turns, the other is served after each batch.
#[test]
fn one_worker_looks_up_after_every_batch() {
    const BATCH: usize = 10;
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |who: char| {
        let order = Arc::clone(&order);
        move || order.lock().expect("nobody panics with it in hand").push(who)
    };
    let (many, few) = (note('m'), note('f'));
    let start = on("start", |cx: &mut Context<'_>, _: &Rare| {
        (0..95).for_each(|n| cx.emit(Busy(n)));
        (0..25).for_each(|n| cx.emit(Dynamic::new("few", n)));
        Ok(())
    });
    struct Few<F>(F);
    impl<F: FnMut() + Send + 'static> Processor for Few<F> {
        fn process(&mut self, _: &mut Context<'_>, _: &Event) -> Result {
            (self.0)();
            Ok(())
        }

        fn interests(&self) -> Interests {
            Interests::listed([Interest::kind("few")])
        }
    }
    let pipeline = Pipeline::builder()
        .processor(start.priority(-1))
        .processor(on("many", move |_: &mut Context<'_>, _: &Busy| {
            many();
            Ok(())
        }))
        .processor(Few(few).named("few"))
        .limits(Limits {
            batch_turns_max: BATCH,
            batch_time_max: std::time::Duration::MAX,
            ..Limits::default()
        })
        .workers(1)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Rare(0)).expect("there is room");
    in_time(|| pipeline.run()).expect("nothing fails");
    let order: String = order.lock().expect("nobody panics with it in hand").iter().collect();
    let [m, f] = ["m", "f"].map(|who| who.repeat(BATCH));
    let rest = "m".repeat(95 - 2 * BATCH - BATCH);
    assert_eq!(order, format!("{m}{f}{m}{f}{m}fffff{rest}"));
}

/// Several workers are kept at a gate while mail comes for many processors in two bands; when the
/// gates open, whoever looks for work takes all of the lower band before any of the other.
#[test]
fn lower_bands_go_first_whoever_works() {
    for n_workers in [1, 2, 3] {
        const N: u32 = 12;
        let order = Arc::new(Mutex::new(Vec::new()));
        let (entered, wait_entered) = mpsc::channel();
        let gates = (0..n_workers).map(|worker| {
            let (go_on, gate) = mpsc::channel::<()>();
            let entered = entered.clone();
            let keep = on(&format!("gate {worker}"), move |_: &mut Context<'_>, _: &Rare| {
                entered.send(()).expect("the test listens");
                let _ = gate.recv();
                Ok(())
            });
            (go_on, keep.priority(-1))
        });
        let (go_on, gates): (Vec<_>, Vec<_>) = gates.unzip();
        let hearers = (0..N).map(|n| {
            let order = Arc::clone(&order);
            // Interleaved, so that the order of registration says nothing about the bands.
            let band = i32::try_from(n % 2).expect("a small number");
            on(&format!("hearer {n}"), move |_: &mut Context<'_>, _: &Busy| {
                order.lock().expect("nobody panics with it in hand").push(band);
                Ok(())
            })
            .priority(band)
        });
        let pipeline = Pipeline::builder()
            .processors(gates)
            .processors(hearers)
            .workers(n_workers)
            .build()
            .expect("the wiring is sound");
        let running = pipeline.start().expect("there is room for threads");
        running.submit(Rare(0)).expect("the run goes on");
        (0..n_workers).for_each(|_| wait_entered.recv().expect("every worker comes to its gate"));
        running.submit(Busy(0)).expect("the run goes on");
        // One worker posts what waits in the lane and takes turns; the others come as they are
        // let go. Each notes a turn as it begins, so a worker that was let in late may note a
        // turn of the first band when others note the second: as many as there are workers.
        drop(go_on);
        let report = in_time(move || running.finish()).expect("nothing fails");
        assert_eq!(report.handled, n_workers as u64 + u64::from(N));
        let order = order.lock().expect("nobody panics with it in hand");
        let first_of_second = order.iter().position(|&band| band == 1).expect("it has turns");
        let late = order[first_of_second..].iter().filter(|&&band| band == 0).count();
        assert!(late < n_workers, "{late} turns of the first band came late: {order:?}");
    }
}
