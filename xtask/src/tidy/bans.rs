//! Words and calls that don't come in, each with what to use instead.

use super::source::{Source, is_word, matching, words};
use super::tree::File;
use super::{Finding, Rule};

/// Banned anywhere in a Rust file. Put together so that this file doesn't hold them.
const NOTES: [&str; 3] = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X")];

/// Banned in code: what, and what to use instead.
const CODE: [(&str, &str); 7] = [
    ("dbg!(", "use a fact told to an observer, or nothing"),
    ("todo!(", "use the code itself, or a typed error"),
    ("unimplemented!(", "use the code itself, or a typed error"),
    ("#[allow(", "use `#[expect(lint, reason = \"…\")]`"),
    ("#![allow(", "use `#![expect(lint, reason = \"…\")]`"),
    ("#[ignore", "use a short form of the test, and an xtask for the long one"),
    ("#[should_panic", "use catch_unwind and a snapshot of the message"),
];

/// Macros whose body is code for somewhere else, where no lint is known to fire: `expect` would
/// warn there.
const QUOTES: [&str; 4] = ["quote!", "quote_spanned!", "parse_quote!", "parse_quote_spanned!"];

/// Banned in every file: paths that exist on one machine only. Absolute ones count where a path
/// begins.
const ROOTS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
const OUTSIDE: &str = concat!("../sha", "red");

pub(super) fn check(source: &Source, findings: &mut Vec<Finding>) {
    let mut find = |offset, needle: &str, instead| {
        let what = format!("`{needle}` is banned");
        findings.push(Finding::new(Rule::Ban, &source.path, source.line(offset), what, instead));
    };
    for word in NOTES {
        for offset in words(&source.text, word) {
            find(offset, word, "use an issue, or do it now");
        }
    }
    let quotes: Vec<_> = QUOTES
        .iter()
        .flat_map(|quote| source.code.match_indices(quote))
        .map(|(at, quote)| at..matching(&source.code, at + quote.len()))
        .collect();
    for (needle, instead) in CODE {
        for (offset, _) in source.code.match_indices(needle) {
            let longer = source.code[..offset].chars().next_back().is_some_and(is_word);
            let generated = quotes.iter().any(|quote| quote.contains(&offset));
            if !(longer || generated && needle.contains("[allow(")) {
                find(offset, needle, instead);
            }
        }
    }
    for (offset, needle) in source.code.match_indices("thread::sleep") {
        if source.is_test(offset) {
            find(offset, needle, "use a signal between the threads, or the virtual clock");
        }
    }
}

/// Finds the paths of one machine in a file of any kind.
pub(super) fn machine_paths(file: &File, findings: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        let begins = |at: usize| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| is_word(c) || "./-~}>)".contains(c))
        };
        let absolute =
            ROOTS.iter().find(|root| line.match_indices(*root).any(|(at, _)| begins(at)));
        let outside = line.contains(OUTSIDE).then_some(&OUTSIDE);
        if let Some(needle) = absolute.or(outside) {
            let what = format!("`{needle}` exists on one machine only");
            let instead = "use a path inside the repository, or a temporary directory";
            findings.push(Finding::new(Rule::MachinePath, &file.path, index + 1, what, instead));
        }
    }
}
