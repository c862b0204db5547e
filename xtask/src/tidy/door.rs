//! The one door to threads and locks: only `crates/sync` and what stands outside the runtime may go
//! round it.

use super::source::{Source, is_word, leading_word};
use super::{Finding, Rule};

/// Folders that may use the standard library's threads and locks.
const OUTSIDE: [&str; 5] =
    ["crates/sync/", "crates/peers/", "tests/", "xtask/", "crates/event/fuzz/"];

/// Code as our users write it, who have the standard library.
const FOR_USERS: [&str; 2] = ["/examples/", "/tests/"];

/// What of `std::sync` blocks or orders threads. Shared ownership and one-time values don't.
const CLOSED: [&str; 8] =
    ["Barrier", "Condvar", "Mutex", "Once", "ReentrantLock", "RwLock", "atomic", "mpsc"];

pub(super) fn check(source: &Source, findings: &mut Vec<Finding>) {
    let is_outside = OUTSIDE.iter().any(|folder| source.path.starts_with(folder));
    if is_outside || FOR_USERS.iter().any(|folder| source.path.contains(folder)) {
        return;
    }
    for library in ["std", "core"] {
        for offset in source.words(library) {
            let mut paths = Vec::new();
            flatten("", &source.code[offset..], &mut paths);
            for path in paths {
                let mut parts = path.split("::").skip(1);
                let banned = match (parts.next(), parts.next()) {
                    (Some("thread"), _) => true,
                    (Some("sync"), None | Some("*" | "self")) => true,
                    (Some("sync"), Some(item)) => CLOSED.contains(&item),
                    _ => false,
                };
                if banned {
                    let line = source.line(offset);
                    let what = format!("`{path}` goes round the one door to threads");
                    let instead = "use selvedge_sync";
                    findings.push(Finding::new(Rule::Door, &source.path, line, what, instead));
                }
            }
        }
    }
}

/// Reads a path or a tree of paths, as in `std::{sync::Mutex, thread}`, and returns what follows
/// it.
fn flatten<'t>(prefix: &str, tree: &'t str, paths: &mut Vec<String>) -> &'t str {
    let tree = tree.trim_start();
    let name = if tree.starts_with('*') { "*" } else { leading_word(tree) };
    let rest = &tree[name.len()..];
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") };
    let Some(mut children) = rest.strip_prefix("::") else {
        paths.push(path);
        return rest;
    };
    if children.starts_with(|c: char| is_word(c) || c == '*') {
        return flatten(&path, children, paths);
    }
    let Some(inner) = children.strip_prefix('{') else {
        // A turbofish: the path ends here.
        paths.push(path);
        return children;
    };
    children = inner;
    loop {
        children = children.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if !children.starts_with(|c: char| is_word(c) || c == '*') {
            return children.strip_prefix('}').unwrap_or(children);
        }
        children = flatten(&path, children, paths);
        children = children.trim_start();
        if let Some(renamed) = children.strip_prefix("as ") {
            let renamed = renamed.trim_start();
            children = &renamed[leading_word(renamed).len()..];
        }
    }
}
