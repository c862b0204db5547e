//! Marks that tie a rare branch to the test that takes it: a `hit` without a `check`, or the
//! reverse, is a lie.

use std::collections::BTreeMap;

use super::source::{Source, leading_word};
use super::{Finding, Rule};

/// The first place of each mark.
type Marks<'s> = BTreeMap<&'s str, (&'s str, usize)>;

pub(super) fn check(sources: &[Source], findings: &mut Vec<Finding>) {
    let hits = marks(sources, &["cov_mark::hit!("]);
    let checks = marks(sources, &["cov_mark::check!(", "cov_mark::check_count!("]);
    let mut unpaired = |these: &Marks<'_>, those: &Marks<'_>, what: &str, instead: &str| {
        for (mark, (path, line)) in these {
            if !those.contains_key(mark) {
                let what = format!("mark `{mark}` {what}");
                findings.push(Finding::new(Rule::Marks, path, *line, what, instead));
            }
        }
    };
    let instead = "use `cov_mark::check!` in the test that gets there";
    unpaired(&hits, &checks, "is hit and never checked", instead);
    let instead = "use `cov_mark::hit!` in the branch it is about";
    unpaired(&checks, &hits, "is checked and never hit", instead);
}

fn marks<'s>(sources: &'s [Source], calls: &[&str]) -> Marks<'s> {
    let mut marks = Marks::new();
    for source in sources {
        for call in calls {
            for (offset, _) in source.code.match_indices(call) {
                let mark = leading_word(source.code[offset + call.len()..].trim_start());
                marks.entry(mark).or_insert((source.path.as_str(), source.line(offset)));
            }
        }
    }
    marks
}
