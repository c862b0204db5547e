//! Counts the instructions of a run on a simulated processor, which counts the same on any machine.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::program::{Program, arguments, read};
use crate::invocation::Invocation;

/// One run: how many units it did and how many instructions it took, setting up included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Count {
    pub(super) n: u64,
    pub(super) instructions: u64,
}

/// Whether `valgrind` can be started.
pub(super) fn is_installed() -> bool {
    let version = Invocation::new("valgrind").args(["--version"]).capture();
    version.is_ok_and(|output| output.status.success())
}

/// Runs the binary on the simulated processor and leaves the profile in `out`.
pub(super) fn count(
    program: &Program,
    peer: &str,
    workload: &str,
    scale: f64,
    out: &Path,
) -> Result<Count> {
    let valgrind = Invocation::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .args([format!("--callgrind-out-file={}", out.display()), program.path()])
        .args(arguments(peer, workload, scale));
    let measurement = read(&valgrind.capture()?, peer, workload)
        .with_context(|| format!("`{valgrind}` failed"))?;
    let Some(measurement) = measurement else { bail!("{peer} can't express {workload}") };
    let profile = std::fs::read_to_string(out)
        .with_context(|| format!("failed to read {}", out.display()))?;
    let instructions = total(&profile)
        .with_context(|| format!("no total of instructions in {}", out.display()))?;
    Ok(Count { n: measurement.n, instructions })
}

/// The total of a profile as callgrind writes it: the event on the line `events:`, and its sum on
/// `totals:` or, in a profile that was cut short, `summary:`.
fn total(profile: &str) -> Option<u64> {
    let field = |name: &str| profile.lines().find_map(|line| line.strip_prefix(name));
    let column = field("events:")?.split_whitespace().position(|event| event == "Ir")?;
    let sums = field("totals:").or_else(|| field("summary:"))?;
    sums.split_whitespace().nth(column)?.parse().ok()
}

/// Instructions per unit: what a larger run took more, over what it did more, so that whatever
/// both do once falls out.
pub(super) fn slope(small: Count, large: Count) -> Result<f64> {
    ensure!(large.n > small.n, "runs of {} and {} units show no slope", small.n, large.n);
    let more = large.instructions as f64 - small.instructions as f64;
    Ok(more / (large.n - small.n) as f64)
}

#[cfg(test)]
mod tests {
    use super::{Count, slope, total};

    #[test]
    fn totals_of_profiles() {
        let check = |profile: &str| format!("{:?}", total(profile));
        let head = "# callgrind format\nversion: 1\npid: 7\ncmd: x\npart: 1\n";
        let plain =
            format!("{head}positions: line\nevents: Ir\nfn=(1) main\n1 5\ntotals: 123456\n");
        insta::assert_snapshot!(check(&plain), @"Some(123456)");
        let cached = format!("{head}events: Dr Ir\nsummary: 4 99\n");
        insta::assert_snapshot!(check(&cached), @"Some(99)");
        insta::assert_snapshot!(check(&format!("{head}events: Dr\ntotals: 4\n")), @"None");
        insta::assert_snapshot!(check(&format!("{head}events: Ir\n")), @"None");
    }

    #[test]
    fn a_slope_leaves_out_what_is_done_once() {
        let check = |small: (u64, u64), large: (u64, u64)| {
            let count = |(n, instructions)| Count { n, instructions };
            match slope(count(small), count(large)) {
                Ok(slope) => format!("{slope}"),
                Err(error) => error.to_string(),
            }
        };
        insta::assert_snapshot!(check((100, 51_000), (1_100, 71_500)), @"20.5");
        insta::assert_snapshot!(check((100, 5), (100, 6)), @"runs of 100 and 100 units show no slope");
    }
}
