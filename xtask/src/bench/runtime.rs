//! `cargo xtask bench runtime` and `bench reactive`: every workload, ours and the peers that matter
//! for it in turn, and our goals.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::figures::{Comparison, compare, spread};
use super::goals::{GOALS, Goal, OF_GRAPHS, Verdict, judge};
use super::machine::{self, Quiet, Sample};
use super::page;
use super::plan::plan;
use super::program::{Contents, Measurement, Program};
use super::suite::{CONTESTS, Contest, GRAPHS, Peers};
use super::table;
use crate::workspace;

/// Options of `cargo xtask bench runtime`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Print one JSON object per line: a measurement each, then a goal each.
    #[arg(long)]
    json: bool,
    /// Smaller sizes, fewer rounds and peers: whether it all works, not how fast it is.
    #[arg(long)]
    quick: bool,
    /// How often each pair of ours and a peer is measured [default: 5, quick: 3].
    #[arg(long)]
    rounds: Option<usize>,
    /// The libraries to hold ours against, on every workload that they can express [default: per
    /// workload those that could be the best].
    #[arg(long, value_delimiter = ',')]
    peers: Option<Vec<String>>,
    /// Write the figures between the markers of this page, as in `docs/performance.md`.
    #[arg(long, value_name = "PAGE")]
    write: Option<PathBuf>,
}

const ROUNDS: usize = 5;
const QUICK_ROUNDS: usize = 3;
const QUICK_SCALE: f64 = 0.5;

/// What stands beside the time, for the workloads that have it.
const BESIDES: [&str; 5] =
    ["idle_bytes_per_actor", "bytes_per_event", "p50_ns", "p99_ns", "p999_ns"];

/// All that a run of the suite found.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) scale: f64,
    pub(super) rounds: usize,
    pub(super) quiet: Quiet,
    pub(super) rows: Vec<Comparison>,
    /// Workload, runtime, figure, median.
    pub(super) besides: Vec<(String, String, &'static str, f64)>,
    pub(super) verdicts: Vec<Verdict>,
}

/// What is run, what it is held to, and where its figures stand in a page.
struct Bench {
    contests: &'static [Contest],
    goals: &'static [Goal],
    mark: &'static str,
}

/// Runs the runtime's workloads.
pub(super) fn run(options: &Options) -> Result<()> {
    held(options, &Bench { contests: CONTESTS, goals: GOALS, mark: page::RUNTIME })
}

/// Runs the graphs' workloads.
pub(super) fn run_graphs(options: &Options) -> Result<()> {
    held(options, &Bench { contests: GRAPHS, goals: OF_GRAPHS, mark: page::REACTIVE })
}

/// Builds the binary, measures, judges. A full run fails when a goal that is not a stretch is
/// missed; a quick one proves nothing either way.
fn held(options: &Options, bench: &Bench) -> Result<()> {
    let default = if options.quick { QUICK_ROUNDS } else { ROUNDS };
    let rounds = options.rounds.unwrap_or(default);
    if rounds == 0 {
        bail!("nothing to compare, use at least one round");
    }
    let load_before = machine::load_average()?;
    let program = Program::build(Contents::Libraries)?;
    let before = Sample::take()?;
    let scale = if options.quick { QUICK_SCALE } else { 1.0 };
    let mut all = Vec::new();
    let mut rows = Vec::new();
    for contest in bench.contests {
        let names = Names::of(contest, options);
        let measurements = hold(&program, contest.workload, &names, rounds, scale, options)?;
        rows.extend(compare(&measurements, &names.candidates, &names.peers));
        all.extend(measurements);
    }
    let quiet = Quiet::between(load_before, &before, &Sample::take()?);
    let (besides, verdicts) = (besides(&all), judge(bench.goals, &all));
    report(&Outcome { scale, rounds, quiet, rows, besides, verdicts }, options, bench.mark)
}

/// Who takes part in a contest.
struct Names {
    candidates: Vec<String>,
    peers: Vec<String>,
}

impl Names {
    fn of(contest: &Contest, options: &Options) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let peers = match (&options.peers, contest.peers) {
            (_, Peers::Ours(names)) => owned(names),
            (Some(names), Peers::Libraries { .. }) => names.clone(),
            (None, Peers::Libraries { quick, .. }) if options.quick => owned(quick),
            (None, Peers::Libraries { full, .. }) => owned(full),
        };
        Self { candidates: owned(contest.candidates), peers }
    }
}

/// Holds one contest.
fn hold(
    program: &Program,
    workload: &str,
    names: &Names,
    rounds: usize,
    scale: f64,
    options: &Options,
) -> Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    let mut inexpressible = Vec::new();
    for name in plan(&names.candidates, &names.peers, rounds) {
        if inexpressible.contains(&name) {
            continue;
        }
        let Some(measurement) = program.measure(name, workload, scale)? else {
            eprintln!("{workload} can't be expressed with {name}");
            inexpressible.push(name);
            continue;
        };
        if options.json {
            println!("{}", serde_json::to_string(&measurement)?);
        }
        measurements.push(measurement);
    }
    Ok(measurements)
}

/// The medians of what stands beside the time, in order of measuring.
fn besides(measurements: &[Measurement]) -> Vec<(String, String, &'static str, f64)> {
    let mut cells: Vec<(&str, &str)> = Vec::new();
    for measurement in measurements {
        let cell = (measurement.workload.as_str(), measurement.peer.as_str());
        if !cells.contains(&cell) {
            cells.push(cell);
        }
    }
    let mut lines = Vec::new();
    for (workload, peer) in cells {
        for figure in BESIDES {
            let of = |m: &&Measurement| (m.workload.as_str(), m.peer.as_str()) == (workload, peer);
            let value = |m: &Measurement| m.others.get(figure)?.as_f64();
            let values: Vec<f64> = measurements.iter().filter(of).filter_map(value).collect();
            if let Some(spread) = spread(&values) {
                lines.push((workload.to_owned(), peer.to_owned(), figure, spread.median));
            }
        }
    }
    lines
}

/// Prints and writes what was found, and fails on a missed goal.
fn report(outcome: &Outcome, options: &Options, mark: &str) -> Result<()> {
    if options.json {
        for verdict in &outcome.verdicts {
            println!("{}", serde_json::to_string(verdict)?);
        }
        eprintln!("{}", outcome.quiet);
    } else {
        println!("{}", text(outcome));
    }
    if let Some(path) = &options.write {
        let path = workspace::root().join(path);
        let read = std::fs::read_to_string(&path);
        let old = read.with_context(|| format!("failed to read {}", path.display()))?;
        let new = page::written(&old, mark, &page::figures(outcome))?;
        std::fs::write(&path, new)
            .with_context(|| format!("failed to write {}", path.display()))?;
    }
    let missed: Vec<&str> =
        outcome.verdicts.iter().filter(|v| v.is_miss()).map(|verdict| verdict.goal).collect();
    if missed.is_empty() {
        return Ok(());
    }
    let missed = format!("goals missed: {}", missed.join(", "));
    if options.quick {
        eprintln!("{missed} (which a quick run neither proves nor fails for)");
        return Ok(());
    }
    bail!("{missed}");
}

/// The outcome as people read it.
fn text(outcome: &Outcome) -> String {
    let mut out = table::spreads(&outcome.rows) + "\n";
    for (workload, name, figure, median) in &outcome.besides {
        out += &format!("{workload:<9}{name:<20}{figure:<24}{median:>8.0}\n");
    }
    out += "\n";
    for verdict in &outcome.verdicts {
        out += &format!("{verdict}\n");
    }
    out += &format!("\nscale {}, rounds {}\n{}", outcome.scale, outcome.rounds, outcome.quiet);
    out
}

#[cfg(test)]
mod tests {
    use super::{Outcome, besides, text};
    use crate::bench::figures::compare;
    use crate::bench::goals::{GOALS, judge};
    use crate::bench::machine::{Quiet, Sample};
    use crate::bench::page;
    use crate::bench::program::Measurement;

    /// Two rounds of one contest, and a workload with figures of its own.
    fn outcome() -> Outcome {
        let lines = [
            r#"{"peer":"selvedge","workload":"W1","n":9,"ns_per":30.0,"peak_rss_kb":2048}"#,
            r#"{"peer":"actix_1arb","workload":"W1","n":9,"ns_per":120.0,"peak_rss_kb":4096}"#,
            r#"{"peer":"selvedge","workload":"W1","n":9,"ns_per":34.0,"peak_rss_kb":2048}"#,
            r#"{"peer":"actix_1arb","workload":"W1","n":9,"ns_per":130.0,"peak_rss_kb":4096}"#,
            r#"{"peer":"selvedge","workload":"Q8","n":9,"ns_per":9.0,"peak_rss_kb":2048}"#,
        ];
        let read = |line: &str| serde_json::from_str(line).expect("the line is written here");
        let mut measurements: Vec<Measurement> = lines.into_iter().map(read).collect();
        measurements[4].others.insert("bytes_per_event".to_owned(), 40.into());
        let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        Outcome {
            scale: 1.0,
            rounds: 2,
            quiet: Quiet::between(0.0, &Sample::default(), &Sample::default()),
            rows: compare(&measurements, &names("selvedge"), &names("actix_1arb")),
            besides: besides(&measurements),
            verdicts: judge(GOALS, &measurements).into_iter().take(2).collect(),
        }
    }

    #[test]
    fn an_outcome_as_text() {
        let text = text(&outcome());
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        workload runtime                n      min ns   median ns      max ns      cpu ns  peak MiB  median / best peer's
        W1       selvedge               2        30.0        32.0        34.0                   2.0  0.26
        W1       actix_1arb             2       120.0       125.0       130.0                   4.0
        Q8       selvedge               1         9.0         9.0         9.0                   2.0

        Q8       selvedge            bytes_per_event               40

        W1                     0.256 <= 0.35  met           selvedge / actix_1arb
        W2                         - <= 0.9   not measured  selvedge

        scale 1, rounds 2
        machine: the run was too short to tell whether it was quiet (others used 0.0 % of it, load average before 0.00)
        ");
    }

    #[test]
    fn an_outcome_as_a_page() {
        insta::assert_snapshot!(page::figures(&outcome()), @r"
        | goal | found | limit | | of |
        |---|---:|---|---|---|
        | W1 | 0.256 | ≤ 0.35 | met | selvedge / actix_1arb |
        | W2 | – | ≤ 0.9 | not measured | selvedge |

        | workload | runtime | runs | min ns | median ns | max ns | CPU ns | peak MiB | median / best peer's |
        |---|---|---:|---:|---:|---:|---:|---:|---:|
        | W1 | selvedge | 2 | 30.0 | 32.0 | 34.0 |  | 2.0 | 0.26 |
        | W1 | actix_1arb | 2 | 120.0 | 125.0 | 130.0 |  | 4.0 |  |
        | Q8 | selvedge | 1 | 9.0 | 9.0 | 9.0 |  | 2.0 |  |

        | workload | runtime | figure | median |
        |---|---|---|---:|
        | Q8 | selvedge | `bytes_per_event` | 40 |

        scale 1, rounds 2; machine: the run was too short to tell whether it was quiet (others used 0.0 % of it, load average before 0.00)
        ");
    }
}
