//! The look of a file: how it opens, how long and how wide it is, what it is called.

use super::source::Source;
use super::{Finding, Rule};

const LINES_MAX: usize = 500;
const LINES_MAX_WITH_TESTS: usize = 800;
const COLUMNS_MAX: usize = 100;

/// Names that gather what belongs nowhere.
const VAGUE: [&str; 5] = ["mod", "utils", "common", "types", "manager"];

pub(super) fn check(source: &Source, findings: &mut Vec<Finding>) {
    let path = source.path.as_str();
    let mut find = |rule, line, what: String, instead: &str| {
        findings.push(Finding::new(rule, path, line, what, instead));
    };
    if !source.text.starts_with("//!") {
        let instead = "use a first line `//! …` that says what it owns and what it refuses";
        find(Rule::Header, 1, "the file doesn't say what it is for".to_owned(), instead);
    }
    let parts = path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
    if let Some(name) = parts.into_iter().find(|part| VAGUE.contains(part)) {
        let instead = match name {
            "mod" => "use `x.rs` beside the folder `x`",
            _ => "use the name of the concept it owns",
        };
        find(Rule::Name, 1, format!("`{name}` names nothing"), instead);
    }
    let n_lines = source.text.lines().count();
    let lines_max = if source.holds_tests() { LINES_MAX_WITH_TESTS } else { LINES_MAX };
    if n_lines > lines_max {
        let what = format!("{n_lines} lines, of {lines_max} allowed");
        find(Rule::Length, lines_max + 1, what, "use `x.rs` and a folder `x` by operation");
    }
    let mut start = 0;
    for (index, line) in source.text.split('\n').enumerate() {
        let n_columns = line.chars().count();
        if n_columns > COLUMNS_MAX && !is_data(source, start, line) {
            let what = format!("{n_columns} columns, of {COLUMNS_MAX} allowed");
            find(Rule::Columns, index + 1, what, "use two lines");
        }
        start += line.len() + 1;
    }
}

/// Data can't be broken in two: a line inside a literal, and an inline snapshot, which a tool
/// writes.
fn is_data(source: &Source, start: usize, line: &str) -> bool {
    let snapshot = line.contains(", @\"") || line.contains(", @r\"") || line.contains(", @r#");
    source.in_literal(&(start..start + line.len()))
        || (snapshot && source.is_test(start + line.len() - line.trim_start().len()))
}
