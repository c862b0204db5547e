//! What a handful of measurements says: least, middle, most, and the ratio of middles.

use serde::Serialize;

use super::program::Measurement;

/// The spread of one runtime on one workload, in nanoseconds per unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
}

/// A line of the result.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Comparison {
    pub(super) workload: String,
    pub(super) name: String,
    pub(super) n: usize,
    pub(super) ns: Spread,
    /// The median of the processor time of all threads, which others disturb less than the clock.
    pub(super) cpu_ns: Option<f64>,
    /// The median of the most memory that was resident while the clock ran.
    pub(super) peak_rss_kb: u64,
    /// A candidate's median divided by that of the best peer; below one, the candidate is faster.
    pub(super) ratio: Option<f64>,
}

/// The spread of some figures, if there are any.
pub(super) fn spread(figures: &[f64]) -> Option<Spread> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = match sorted.len() {
        0 => return None,
        n if n % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    };
    Some(Spread { min: sorted[0], median, max: sorted[sorted.len() - 1] })
}

/// One line per workload and name, candidates first, in the order in which they were asked for.
pub(super) fn compare(
    measurements: &[Measurement],
    candidates: &[String],
    peers: &[String],
) -> Vec<Comparison> {
    let mut workloads: Vec<&str> = Vec::new();
    for measurement in measurements {
        if !workloads.contains(&measurement.workload.as_str()) {
            workloads.push(&measurement.workload);
        }
    }
    let mut rows = Vec::new();
    for workload in workloads {
        let of = |name: &str| {
            let of = |m: &&Measurement| m.workload == workload && m.peer == name;
            measurements.iter().filter(of).collect::<Vec<_>>()
        };
        let figures = |name: &String| of(name).iter().map(|m| m.ns_per).collect::<Vec<_>>();
        let medians = peers.iter().filter_map(|peer| spread(&figures(peer)));
        let best = medians.map(|spread| spread.median).min_by(f64::total_cmp);
        for name in candidates.iter().chain(peers) {
            let figures = figures(name);
            let Some(ns) = spread(&figures) else { continue };
            let ratio = best.filter(|_| candidates.contains(name)).map(|best| ns.median / best);
            let (workload, name) = (workload.to_owned(), name.clone());
            let peaks: Vec<f64> = of(&name).iter().map(|m| m.peak_rss_kb as f64).collect();
            let peak_rss_kb = spread(&peaks).map_or(0.0, |peaks| peaks.median) as u64;
            let cpu: Vec<f64> = of(&name).iter().filter_map(|m| m.cpu_ns_per()).collect();
            let cpu_ns = spread(&cpu).map(|cpu| cpu.median);
            let n = figures.len();
            rows.push(Comparison { workload, name, n, ns, cpu_ns, peak_rss_kb, ratio });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::spread;

    fn check(figures: &[f64]) -> String {
        spread(figures).map_or("nothing".to_owned(), |spread| {
            format!("{} <= {} <= {}", spread.min, spread.median, spread.max)
        })
    }

    #[test]
    fn spreads() {
        insta::assert_snapshot!(check(&[]), @"nothing");
        insta::assert_snapshot!(check(&[3.0]), @"3 <= 3 <= 3");
        insta::assert_snapshot!(check(&[9.0, 1.0, 2.0]), @"1 <= 2 <= 9");
        insta::assert_snapshot!(check(&[9.0, 1.0, 2.0, 4.0]), @"1 <= 3 <= 9");
    }
}
