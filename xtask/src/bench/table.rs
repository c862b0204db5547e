//! The result as people read it.

use std::fmt::Write as _;

use super::figures::Comparison;
use super::free::Report;

/// A table of the spreads, then what could not be measured, then the word on the machine.
pub(super) fn render(report: &Report) -> String {
    let mut out = spreads(&report.rows);
    for (name, workload) in &report.inexpressible {
        out.push_str(&format!("{workload} can't be expressed with {name}\n"));
    }
    out.push_str(&format!("scale {}, rounds {}\n", report.scale, report.rounds));
    out.push_str(&report.quiet.to_string());
    out
}

/// A line per workload and runtime.
pub(super) fn spreads(rows: &[Comparison]) -> String {
    let mut out = format!(
        "{:<9}{:<20}{:>4}{:>12}{:>12}{:>12}{:>12}{:>10}  {}\n",
        "workload",
        "runtime",
        "n",
        "min ns",
        "median ns",
        "max ns",
        "cpu ns",
        "peak MiB",
        "median / best peer's"
    );
    for row in rows {
        let ratio = row.ratio.map(|ratio| format!("  {ratio:.2}")).unwrap_or_default();
        let cpu = row.cpu_ns.map(|ns| format!("{ns:.1}")).unwrap_or_default();
        writeln!(
            out,
            "{:<9}{:<20}{:>4}{:>12.1}{:>12.1}{:>12.1}{cpu:>12}{:>10.1}{ratio}",
            row.workload,
            row.name,
            row.n,
            row.ns.min,
            row.ns.median,
            row.ns.max,
            row.peak_rss_kb as f64 / 1024.0
        )
        .expect("a String takes all that is written to it");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::bench::figures::compare;
    use crate::bench::free::Report;
    use crate::bench::machine::{Quiet, Sample};
    use crate::bench::program::Measurement;

    #[test]
    fn table_shows_the_ratio_to_the_best_peer() {
        let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let measured = [
            ("W1", "ours", 60.0),
            ("W1", "ours", 50.0),
            ("W1", "slow", 400.0),
            ("W1", "fast", 110.0),
            ("W2", "ours", 20.0),
        ];
        let measurements = measured.map(|(workload, peer, ns_per)| Measurement {
            peer: peer.to_owned(),
            workload: workload.to_owned(),
            n: 1_000,
            ns_per,
            peak_rss_kb: 5 << 10,
            others: serde_json::Map::new(),
        });
        let report = Report {
            scale: 0.1,
            rounds: 1,
            quiet: Quiet::between(0.0, &Sample::default(), &Sample::default()),
            rows: compare(&measurements, &names("ours"), &names("slow fast")),
            inexpressible: vec![("slow".to_owned(), "W2".to_owned())],
        };
        insta::assert_snapshot!(render(&report), @r"
        workload runtime                n      min ns   median ns      max ns      cpu ns  peak MiB  median / best peer's
        W1       ours                   2        50.0        55.0        60.0                   5.0  0.50
        W1       slow                   1       400.0       400.0       400.0                   5.0
        W1       fast                   1       110.0       110.0       110.0                   5.0
        W2       ours                   1        20.0        20.0        20.0                   5.0
        W2 can't be expressed with slow
        scale 0.1, rounds 1
        machine: the run was too short to tell whether it was quiet (others used 0.0 % of it, load average before 0.00)
        ");
    }
}
