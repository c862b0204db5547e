//! Random pipes, held against an interpreter that knows nothing of threads: which steps run, how
//! each ends, what the run comes to; and what holds of every stream of events.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use proptest::prelude::*;
use selvedge::flow::Told;
use selvedge::flow::steps::{Control, Item, Join, Pipe, PipeResult, Start, State, StepEvent, What};

/// What a step does when it is its turn.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    Ends,
    Fails,
    /// Fails, and succeeds at the second attempt.
    FailsOnce,
    /// Fails, and its handler recovers.
    Recovers,
    Skips,
    Suspends,
    /// Chooses one of its targets, by their number.
    Chooses(usize),
    /// So many items, of which this one fails.
    Maps(u32, Option<u32>),
}

#[derive(Clone, Debug)]
struct Plan {
    does: Vec<Does>,
    /// Later steps that come after each.
    to: Vec<Vec<usize>>,
    any: Vec<bool>,
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        6 => Just(Does::Ends),
        1 => Just(Does::Fails),
        1 => Just(Does::FailsOnce),
        1 => Just(Does::Recovers),
        1 => Just(Does::Skips),
        1 => Just(Does::Suspends),
        2 => (0..4_usize).prop_map(Does::Chooses),
        1 => (0..5_u32, proptest::option::of(0..5_u32)).prop_map(|(n, bad)| Does::Maps(n, bad)),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    (2..9_usize).prop_flat_map(|n| {
        let edges = proptest::collection::vec(proptest::collection::vec(0.0..1.0_f64, n), n);
        let does = proptest::collection::vec(does(), n);
        (does, edges, proptest::collection::vec(any::<bool>(), n)).prop_map(|(does, edges, any)| {
            let later = |from: usize, chances: &Vec<f64>| {
                let to = chances.iter().enumerate().skip(from + 1);
                to.filter(|(_, chance)| **chance < 0.4).map(|(to, _)| to).collect::<Vec<_>>()
            };
            let to: Vec<Vec<usize>> =
                edges.iter().enumerate().map(|(from, chances)| later(from, chances)).collect();
            // A switch without targets is none.
            let does = does.into_iter().zip(&to).map(|(does, to)| match does {
                Does::Chooses(_) if to.is_empty() => Does::Ends,
                does => does,
            });
            Plan { does: does.collect(), to, any }
        })
    })
}

/// What becomes of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Ended,
    Failed,
    /// By itself, or because of those before it.
    Skipped,
    Unselected,
}

/// The rules, and nothing else: steps in order, each after those that lead to it.
fn interpret(plan: &Plan) -> Vec<(Fate, bool)> {
    let mut fates: Vec<(Fate, bool)> = Vec::new();
    for step in 0..plan.does.len() {
        let parents = (0..step).filter(|&from| plan.to[from].contains(&step));
        let words: Vec<Fate> = parents
            .map(|from| match (fates[from].0, plan.does[from]) {
                (Fate::Ended, Does::Chooses(n)) => {
                    let to = &plan.to[from];
                    if to[n % to.len()] == step { Fate::Ended } else { Fate::Unselected }
                }
                (fate, _) => fate,
            })
            .collect();
        let has = |fate| words.contains(&fate);
        let is_lost = has(Fate::Failed) || has(Fate::Skipped);
        let (runs, otherwise) = if words.is_empty() {
            (true, Fate::Ended)
        } else if plan.any[step] {
            (has(Fate::Ended), if is_lost { Fate::Skipped } else { Fate::Unselected })
        } else {
            (has(Fate::Ended) && !is_lost, if is_lost { Fate::Skipped } else { Fate::Unselected })
        };
        let fate = match plan.does[step] {
            _ if !runs => otherwise,
            Does::Fails => Fate::Failed,
            Does::Maps(n, Some(bad)) if bad < n => Fate::Failed,
            Does::Skips => Fate::Skipped,
            _ => Fate::Ended,
        };
        fates.push((fate, runs));
    }
    fates
}

fn name(step: usize) -> String {
    format!("s{step}")
}

/// The same as a pipe.
fn build(plan: &Plan) -> Pipe<BTreeSet<String>> {
    type Seen = BTreeSet<String>;
    let mut pipe = Pipe::<Seen>::builder("random");
    pipe.several_roots();
    for (step, does) in plan.does.iter().copied().enumerate() {
        let me = name(step);
        let to: Vec<String> = plan.to[step].iter().copied().map(name).collect();
        let join = if plan.any[step] { Join::Any } else { Join::All };
        let note = {
            let me = me.clone();
            move |seen: &State<Seen>| {
                let me = me.clone();
                seen.update(move |seen| {
                    seen.insert(me);
                });
            }
        };
        match does {
            Does::Chooses(n) => {
                let chosen = to[n % to.len()].clone();
                let mut switch = pipe.switch(&me, move |seen: State<Seen>| {
                    note(&seen);
                    chosen.clone()
                });
                switch.join(join);
                for to in &to {
                    switch.on(to.as_str(), to);
                }
            }
            Does::Maps(n, bad) => {
                let each = format!("{me}_item");
                let items = move |seen: State<Seen>| {
                    note(&seen);
                    (0..n).collect::<Vec<_>>()
                };
                pipe.map(&me, &each, items).to(to).join(join).at_a_time(2);
                pipe.step(&each, move |n: Item<u32>| -> anyhow::Result<()> {
                    anyhow::ensure!(Some(*n) != bad, "bad item");
                    Ok(())
                });
            }
            _ => {
                let act = move |seen: State<Seen>, attempt: selvedge::flow::steps::Attempt| {
                    note(&seen);
                    match does {
                        Does::Fails | Does::Recovers => anyhow::bail!("fails"),
                        Does::FailsOnce if attempt.0 == 1 => anyhow::bail!("fails once"),
                        Does::Skips => Ok(Control::skip("skips")),
                        Does::Suspends => Ok(Control::suspend("waits")),
                        _ => Ok(Control::Next),
                    }
                };
                let mut step = pipe.step(&me, act);
                step.to(to).join(join);
                match does {
                    Does::FailsOnce => {
                        step.on_failure(selvedge::runtime::Retry::times(2));
                    }
                    Does::Recovers => {
                        step.on_error(|| ());
                    }
                    _ => {}
                }
            }
        }
    }
    pipe.build().unwrap()
}

/// Starts that have not come to an end: a map may wait for the next leg.
type Open = BTreeMap<(u64, u32), String>;

/// What holds of the events of every leg.
fn check_stream(events: &[Told<StepEvent>], seq: &mut u64, open: &mut Open) {
    for Told { seq: number, event, .. } in events {
        *seq += 1;
        assert_eq!(number, seq, "numbers have no gaps");
        let start = (event.invocation.unwrap_or(0), event.attempt);
        match &event.what {
            What::StepStart => {
                assert!(open.insert(start, event.to_string()).is_none(), "{event} again");
            }
            What::StepEnd
            | What::StepError { .. }
            | What::TimedOut { .. }
            | What::Suspended { .. }
            | What::Cancelled { .. }
            | What::Skipped { .. }
                if event.invocation.is_some() =>
            {
                assert!(open.remove(&start).is_some(), "{event} without a start");
            }
            _ => {}
        }
    }
    let finishes = events.iter().filter(|told| matches!(told.event.what, What::Finish(_)));
    assert_eq!(finishes.count(), 1);
    assert!(matches!(events.last().unwrap().event.what, What::Finish(_)));
    assert!(matches!(events[0].event.what, What::Start | What::Resume));
}

/// Runs it, and resumes it as often as it waits.
fn play(pipe: &Pipe<BTreeSet<String>>) -> (PipeResult<BTreeSet<String>>, Vec<StepEvent>) {
    let mut result = pipe.run_with(Start::with(BTreeSet::new()).keeping_events()).unwrap();
    let (mut all, mut seq, mut open) = (Vec::new(), 0, Open::new());
    loop {
        check_stream(result.events(), &mut seq, &mut open);
        all.extend(result.events().iter().map(|told| told.event.clone()));
        let Some(waiting) = result.suspended().cloned() else {
            assert!(open.is_empty(), "starts without an end: {open:?}");
            return (result, all);
        };
        result = pipe.resume(waiting, (), &()).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_pipe_does_what_the_rules_say(plan in plan()) {
        let pipe = build(&plan);
        let (result, events) = play(&pipe);
        let fates = interpret(&plan);
        let mut told = String::new();
        for (step, (fate, runs)) in fates.iter().enumerate() {
            let stage = name(step);
            let about = events.iter().filter(|event| event.stage.as_str() == stage);
            let (mut seen, mut started) = (Fate::Unselected, false);
            for event in about {
                match &event.what {
                    What::StepStart => started = true,
                    What::StepEnd | What::Suspended { .. } => seen = Fate::Ended,
                    What::StepError { retry_in: None, .. } => seen = Fate::Failed,
                    What::Skipped { .. } => seen = Fate::Skipped,
                    _ => {}
                }
            }
            if (seen, started) != (*fate, *runs) {
                writeln!(told, "{stage}: {seen:?} {started}, and not {fate:?} {runs}").unwrap();
            }
        }
        prop_assert_eq!(told, "");
        let has_failed = fates.iter().any(|(fate, _)| *fate == Fate::Failed);
        prop_assert_eq!(result.succeeded(), !has_failed, "{}", result.ending());
        let changed: BTreeSet<String> = fates
            .iter()
            .enumerate()
            .filter(|(step, (fate, runs))| {
                // What a map changes stays, though one of its items fails.
                let is_map = matches!(plan.does[*step], Does::Maps(..));
                let recovered = plan.does[*step] == Does::Recovers;
                *runs && !recovered && (*fate != Fate::Failed || is_map)
            })
            .map(|(step, _)| name(step))
            .collect();
        prop_assert_eq!(result.state(), &changed);
    }
}
