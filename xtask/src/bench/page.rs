//! The figures as a part of a page of documentation, between two markers.

use std::fmt::Write as _;

use anyhow::{Result, bail};

use super::goals::shown;
use super::runtime::Outcome;

/// What the runtime's figures stand between.
pub(super) const RUNTIME: &str = "bench";
/// What the graphs' do.
pub(super) const REACTIVE: &str = "bench-reactive";

/// The page with new figures between its markers.
pub(super) fn written(page: &str, mark: &str, figures: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {mark}:begin -->"), format!("<!-- {mark}:end -->"));
    let Some((before, rest)) = page.split_once(&begin) else {
        bail!("the page has no line `{begin}`, put it where the figures go");
    };
    let Some((_, after)) = rest.split_once(&end) else {
        bail!("the page has no line `{end}` after `{begin}`, put it where the figures end");
    };
    Ok(format!("{before}{begin}\n{figures}{end}{after}"))
}

/// The figures in Markdown: the goals first, then everything that was measured.
pub(super) fn figures(outcome: &Outcome) -> String {
    let mut out = String::from("| goal | found | limit | | of |\n|---|---:|---|---|---|\n");
    for verdict in &outcome.verdicts {
        let found = verdict.ratio.map_or("–".to_owned(), shown);
        let sign = verdict.sign().replace("<=", "≤").replace(">=", "≥");
        let (goal, limit, word, of) = (verdict.goal, verdict.limit, verdict.word(), verdict.of());
        line(&mut out, format_args!("| {goal} | {found} | {sign} {limit} | {word} | {of} |"));
    }
    out += "\n| workload | runtime | runs | min ns | median ns | max ns | CPU ns | peak MiB \
            | median / best peer's |\n|---|---|---:|---:|---:|---:|---:|---:|---:|\n";
    for row in &outcome.rows {
        let ratio = row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let cpu = row.cpu_ns.map(|ns| format!("{ns:.1}")).unwrap_or_default();
        let peak = row.peak_rss_kb as f64 / 1024.0;
        line(
            &mut out,
            format_args!(
                "| {} | {} | {} | {:.1} | {:.1} | {:.1} | {cpu} | {peak:.1} | {ratio} |",
                row.workload, row.name, row.n, row.ns.min, row.ns.median, row.ns.max
            ),
        );
    }
    out += "\n| workload | runtime | figure | median |\n|---|---|---|---:|\n";
    for (workload, name, figure, median) in &outcome.besides {
        line(&mut out, format_args!("| {workload} | {name} | `{figure}` | {median:.0} |"));
    }
    line(
        &mut out,
        format_args!("\nscale {}, rounds {}; {}", outcome.scale, outcome.rounds, outcome.quiet),
    );
    out
}

fn line(out: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(out, "{line}").expect("a String takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use super::{RUNTIME, written};

    #[test]
    fn figures_go_between_the_markers() {
        let check = |page: &str| match written(page, RUNTIME, "new\n") {
            Ok(page) => page,
            Err(error) => error.to_string(),
        };
        let page = "a\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nb\n";
        insta::assert_snapshot!(check(page), @r"
        a
        <!-- bench:begin -->
        new
        <!-- bench:end -->
        b
        ");
        assert_eq!(check(&check(page)), check(page), "written twice is written once");
        insta::assert_snapshot!(check("a"), @"the page has no line `<!-- bench:begin -->`, put it where the figures go");
        insta::assert_snapshot!(check("<!-- bench:end --> <!-- bench:begin -->"), @"the page has no line `<!-- bench:end -->` after `<!-- bench:begin -->`, put it where the figures end");
    }
}
