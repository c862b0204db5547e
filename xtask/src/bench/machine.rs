//! How quiet the machine was: what parks and wakes threads measures up to ten times better beside a
//! busy neighbour.

use std::fmt;
use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

/// Time that the processors spent, in ticks since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    total: u64,
    busy: u64,
    /// Ours and that of the children we waited for.
    own: u64,
}

/// What else the machine did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Quiet {
    /// Unknown after a run too short to tell.
    quiet: Option<bool>,
    /// Over the last minute, before anything was built.
    load_before: f64,
    /// The part of all processors' time that went to other processes while we measured.
    others_share: f64,
}

/// Above this, others had a say in the result.
const OTHERS_SHARE_MAX: f64 = 0.03;

/// Below this, a tick charged to the wrong process would decide: half a second on two processors.
const TOTAL_TICKS_MIN: u64 = 100;

impl Sample {
    /// Reads the counters of the kernel.
    pub(super) fn take() -> Result<Self> {
        let read =
            |path| fs::read_to_string(path).with_context(|| format!("failed to read {path}"));
        parse(&read("/proc/stat")?, &read("/proc/self/stat")?)
            .context("/proc/stat or /proc/self/stat isn't laid out as Linux does")
    }
}

impl Quiet {
    /// The verdict on the time between two samples.
    pub(super) fn between(load_before: f64, before: &Sample, after: &Sample) -> Self {
        let part = |of: fn(&Sample) -> u64| of(after).saturating_sub(of(before));
        let others = part(|sample| sample.busy).saturating_sub(part(|sample| sample.own));
        let total = part(|sample| sample.total);
        let others_share = others as f64 / total.max(1) as f64;
        let quiet = (total >= TOTAL_TICKS_MIN).then_some(others_share <= OTHERS_SHARE_MAX);
        Self { quiet, load_before, others_share }
    }
}

impl fmt::Display for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.quiet {
            Some(true) => "quiet",
            Some(false) => "NOT QUIET, don't quote these figures",
            None => "the run was too short to tell whether it was quiet",
        };
        let percent = self.others_share * 100.0;
        write!(f, "machine: {verdict} (others used {percent:.1} % of it")?;
        write!(f, ", load average before {:.2})", self.load_before)
    }
}

/// The load average of the last minute.
pub(super) fn load_average() -> Result<f64> {
    let text = fs::read_to_string("/proc/loadavg").context("failed to read /proc/loadavg")?;
    let first = text.split(' ').next().unwrap_or_default();
    first.parse().with_context(|| format!("no load average in `{}`", text.trim()))
}

/// Reads proc(5): the sum over all processors, and fields 14 to 17 of our own line.
fn parse(machine: &str, own: &str) -> Option<Sample> {
    let all = machine.lines().next()?.strip_prefix("cpu ")?;
    // Guests' time, from the ninth on, is counted in the first two as well.
    let ticks: Vec<u64> = all.split_whitespace().take(8).map_while(|n| n.parse().ok()).collect();
    let total: u64 = ticks.iter().sum();
    let idle = ticks.get(3)? + ticks.get(4)?;
    // The program's name, in parentheses, may hold anything.
    let (_, fields) = own.rsplit_once(") ")?;
    let own =
        fields.split(' ').skip(11).take(4).map(|n| n.parse::<u64>().ok()).sum::<Option<_>>()?;
    Some(Sample { total, busy: total - idle, own })
}

#[cfg(test)]
mod tests {
    use super::{Quiet, Sample, parse};

    fn check(machine: &str, own: &str) -> String {
        format!("{:?}", parse(machine, own))
    }

    #[test]
    fn reads_the_kernel() {
        let own = "7 (a) b) R 1 2 3 4 5 6 7 8 9 10 100 20 3 4 20 0\n";
        insta::assert_snapshot!(check("cpu  10 20 30 400 50 6 7 8 9 9\ncpu0 1\n", own), @"Some(Sample { total: 531, busy: 81, own: 127 })");
        insta::assert_snapshot!(check("cpu0 1\n", own), @"None");
        insta::assert_snapshot!(check("cpu  10 20 30 400 50 6 7 8\n", "7 a R"), @"None");
        Sample::take().expect("this machine can be read");
    }

    #[test]
    fn verdicts() {
        let verdict = |total: u64, others: u64| {
            let before = Sample { total: 1000, busy: 500, own: 400 };
            let after = Sample { total: 1000 + total, busy: 540 + others, own: 440 };
            Quiet::between(0.5, &before, &after).to_string()
        };
        insta::assert_snapshot!(verdict(1000, 30), @"machine: quiet (others used 3.0 % of it, load average before 0.50)");
        insta::assert_snapshot!(verdict(1000, 31), @"machine: NOT QUIET, don't quote these figures (others used 3.1 % of it, load average before 0.50)");
        insta::assert_snapshot!(verdict(99, 0), @"machine: the run was too short to tell whether it was quiet (others used 0.0 % of it, load average before 0.50)");
    }
}
