//! Init first, phases only when nothing is outstanding, poison last, bands strict to within a
//! batch; sources are pulled to their end.

use selvedge::prelude::*;
use selvedge::runtime::simulation::SimRun;
use selvedge_testkit::{Sim, explore};

use super::{Log, SEEDS};

#[derive(Event)]
struct Job(u32);
#[derive(Event)]
struct Part(u32);

/// What happened: a letter and a number.
type Entry = (char, u32);

/// Brings in jobs, and some more in the first two phases.
struct Source {
    left: u32,
    log: Log<Entry>,
}

#[processor]
impl Processor for Source {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Init => cx.start_pulling(),
            Phase { number } => {
                self.log.add(('p', *number));
                if *number <= 2 {
                    cx.emit(Job(100 * number));
                }
            }
            Poison { .. } => self.log.add(('x', 0)),
        }
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        let n = self.left.min(u32::try_from(cx.room()).unwrap_or(u32::MAX)).min(4);
        (0..n).for_each(|k| cx.emit(Job(self.left - k)));
        self.left -= n;
        Ok(if self.left == 0 { Pull::Done } else { Pull::More })
    }
}

struct Splitter(Log<Entry>);

#[processor]
impl Processor for Splitter {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Job(n) => {
                (0..3).for_each(|_| cx.emit(Part(*n)));
                self.0.add(('j', *n));
            }
            Poison { .. } => self.0.add(('x', 1)),
        }
        Ok(())
    }

    fn close(&mut self, _: Ending) -> Result {
        self.0.add(('c', 1));
        Ok(())
    }
}

struct Sink(Log<Entry>);

#[processor]
impl Processor for Sink {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Part(n) => self.0.add(('e', *n)),
        }
        Ok(())
    }
}

fn play(sim: Sim) -> (SimRun, Vec<Entry>) {
    let log = Log::new();
    let limits = Limits { in_flight_max: 6, batch_turns_max: 4, ..Limits::default() };
    let builder = Pipeline::builder()
        .processor(Source { left: 20, log: log.clone() })
        .processor(Splitter(log.clone()))
        .processors((0..2).map(|n| Sink(log.clone()).named(format!("sink {n}")).priority(-1)))
        .limits(limits);
    let pipeline = sim.build(builder).expect("the wiring is sound");
    (sim.run(pipeline), log.take())
}

#[test]
fn phases_begin_when_all_is_handled_and_poison_comes_last() {
    explore(SEEDS, |sim| {
        let (run, entries) = play(sim);
        let report = run.result.as_ref().expect("nothing fails");
        assert!(report.balances() && report.phases == 3, "{report}");
        let (mut open, mut n_jobs) = (0, 0);
        let mut stage = 0;
        for &(what, number) in &entries {
            match what {
                'j' => {
                    assert!(stage < 4, "{entries:?}");
                    (open, n_jobs) = (open + 6, n_jobs + 1);
                }
                'e' => open -= 1,
                'p' => {
                    assert_eq!((open, stage + 1), (0, number), "{entries:?}");
                    assert_eq!(n_jobs, 20 + stage, "{entries:?}");
                    stage = number;
                }
                'x' => {
                    assert!(open == 0 && stage >= 3, "{entries:?}");
                    stage = 4;
                }
                _ => assert!(stage == 4, "{entries:?}"),
            }
        }
        assert_eq!(entries.last(), Some(&('c', 1)));
        run
    });
}

#[test]
fn the_first_band_waits_no_longer_than_the_batches_under_way() {
    explore(SEEDS, |sim| {
        let workers = sim.workers_played();
        let (run, entries) = play(sim);
        // Between two turns of the first band, the others take what they had begun: a batch of the
        // splitter and one pull, and nothing more, on any number of workers.
        let mut since = 0;
        let mut open = 0;
        for &(what, _) in &entries {
            match what {
                'j' => {
                    open += 6;
                    since += 1;
                }
                'e' => {
                    open -= 1;
                    since = 0;
                }
                _ => since = 0,
            }
            assert!(open == 0 || since <= 4 * workers, "{entries:?}");
        }
        run
    });
}
