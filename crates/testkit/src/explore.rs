//! Owns the exploration of a pipeline's interleavings: many seeds, each played twice, and how to
//! have the one again that failed.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use selvedge::runtime::simulation::{Sim, SimRun};
use selvedge_sync::thread;

/// Plays a test under this many seeds, from 0 on, and twice each: both times the same must happen.
///
/// The test gets a simulation whose workers and strategy are drawn from its seed, adds what it
/// wants to, runs it, checks the result and hands it back. What it checks must hold under every
/// interleaving.
///
/// When it panics, what to type to have that seed again is printed: with `SELVEDGE_SIM_SEED` set,
/// that one seed is played and nothing else. `SELVEDGE_SIM_SEEDS` stands in for `n_seeds`, and
/// `SELVEDGE_SIM_FIRST` for the first.
///
/// ```
/// use selvedge::prelude::*;
///
/// #[derive(Event)]
/// struct Sold(u64);
/// #[derive(Event)]
/// struct Total(u64);
///
/// #[derive(Default)]
/// struct Till(u64);
/// #[processor]
/// impl Processor for Till {
///     fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
///         match event {
///             Sold(price) => self.0 += price,
///             Phase { number: 1 } => cx.emit(Total(self.0)),
///             Phase { .. } => (),
///         }
///         Ok(())
///     }
/// }
///
/// selvedge_testkit::explore(20, |sim| {
///     let mut pipeline = sim.build(Pipeline::builder().processor(Till::default())).unwrap();
///     let totals = pipeline.collect::<Total>();
///     (1..=4).for_each(|price| drop(pipeline.submit(Sold(price)).unwrap()));
///     let run = sim.run(pipeline);
///     assert_eq!(totals.take()[0].0, 10);
///     run
/// });
/// ```
///
/// # Panics
///
/// When the test does; when a seed's two runs differ; when one of the variables holds no number.
pub fn explore(n_seeds: u64, mut test: impl FnMut(Sim) -> SimRun) {
    let n_seeds = number("SELVEDGE_SIM_SEEDS").unwrap_or(n_seeds);
    let first = number("SELVEDGE_SIM_FIRST").unwrap_or(0);
    let seeds = match number("SELVEDGE_SIM_SEED") {
        Some(seed) => seed..=seed,
        None => first..=first.saturating_add(n_seeds.saturating_sub(1)),
    };
    for seed in seeds {
        let played = catch_unwind(AssertUnwindSafe(|| {
            let first = test(Sim::new(seed));
            compare(&first, &test(Sim::new(seed)));
        }));
        if let Err(panic) = played {
            eprintln!("{}", again(seed));
            resume_unwind(panic);
        }
    }
}

/// What to type to have a seed again.
fn again(seed: u64) -> String {
    let thread = thread::current();
    let test = match thread.name() {
        Some(name) if name != "main" => format!(" {name}"),
        _ => String::new(),
    };
    format!("to have it again: SELVEDGE_SIM_SEED={seed} cargo test{test}")
}

fn compare(first: &SimRun, second: &SimRun) {
    let (one, other) = (&first.trace, &second.trace);
    if one.hash() == other.hash() {
        return;
    }
    let difference = match one.first_difference(other) {
        Some((one, other)) => format!("`{one}` and `{other}`"),
        None => "steps between lines".to_owned(),
    };
    panic!(
        "two runs of seed {} differ, so something in the pipeline doesn't follow from what it was \
         given (time, randomness, the order of a hash map, state that is shared between runs); \
         first by {difference}",
        first.seed
    );
}

fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is to be a number, and is `{value}`")))
}
