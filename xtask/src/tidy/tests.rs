//! Each rule shown on a small made-up tree, and all of them held against the real one.

use super::exempt::{Exemption, sift};
use super::tree::{File, Tree};
use super::{Finding, Rule, drawing, findings};
use crate::layers::layer_of;
use crate::workspace::{self, Edge, EdgeKind, Member, Workspace};

/// One file on its own. Its first line is added, for no rule but one is about it.
fn check(path: &str, text: &str) -> String {
    check_tree(&[(path, &format!("//! Made up.\n{text}"))], &Workspace::default())
}

/// A tree with its workspace; the page with the diagram is right unless it is given.
fn check_tree(files: &[(&str, &str)], workspace: &Workspace) -> String {
    let page = drawing::blessed("<!-- layers:begin -->\n<!-- layers:end -->\n", workspace)
        .expect("the page has markers");
    let mut tree = Tree::default();
    for (path, text) in [(drawing::PATH, page.as_str())].iter().chain(files) {
        tree.files.retain(|file| file.path != *path);
        tree.files.push(File { path: (*path).to_owned(), text: (*text).to_owned() });
    }
    lines(&findings(&tree, workspace))
}

/// Banned words and paths, spelt so that this file doesn't hold them.
const MASKS: [(&str, &str); 6] = [
    (concat!("FIX", "ME"), "FIX-ME"),
    (concat!("TO", "DO"), "TO-DO"),
    (concat!("XX", "X"), "XX-X"),
    (concat!("/wo", "rk/"), "/wo-rk/"),
    (concat!("/ho", "me/"), "/ho-me/"),
    (concat!("../sha", "red"), "../sha-red"),
];

fn unmasked(text: &str) -> String {
    MASKS.iter().fold(text.to_owned(), |text, (banned, mask)| text.replace(mask, banned))
}

fn masked(text: &str) -> String {
    MASKS.iter().fold(text.to_owned(), |text, (banned, mask)| text.replace(banned, mask))
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}

/// Members written as `name dir`, then `> dependency`, `>dev dependency` and `@ target root`.
fn workspace(members: &[&str]) -> Workspace {
    let mut workspace = Workspace::default();
    for text in members {
        let mut words = text.split_whitespace();
        let mut next = || words.next().unwrap_or_default().to_owned();
        let mut member = Member { name: next(), dir: next(), default: true, ..Member::default() };
        loop {
            match next().as_str() {
                ">" => member.edges.push(Edge { to: next(), kind: EdgeKind::Build }),
                ">dev" => member.edges.push(Edge { to: next(), kind: EdgeKind::Dev }),
                "@" => member.roots.push(next()),
                "extra" => member.default = false,
                _ => break,
            }
        }
        workspace.members.push(member);
    }
    workspace
}

#[test]
fn tidy_is_clean() {
    let tree = Tree::read(&workspace::root()).expect("the repository can be read");
    let workspace = workspace::load().expect("cargo knows the workspace");
    let found = lines(&sift(findings(&tree, &workspace), &super::exempt::EXEMPT));
    assert!(found.is_empty(), "`cargo xtask tidy` finds:\n{found}");
}

#[test]
fn edges_go_strictly_down() {
    let workspace = workspace(&[
        "selvedge-event crates/event > selvedge-macros",
        "selvedge-sync crates/sync > selvedge-event",
        "selvedge-macros crates/macros >dev selvedge-event >dev selvedge-runtime",
        "selvedge-runtime crates/runtime > selvedge-event > selvedge-io",
        "selvedge-tests tests > selvedge-runtime > xtask",
    ]);
    let manifest = "[dependencies]\nselvedge-event.workspace = true\nselvedge-io = { x = 1 }\n";
    let files = [("crates/runtime/Cargo.toml", manifest)];
    insta::assert_snapshot!(check_tree(&files, &workspace), @r"
    crates/macros/Cargo.toml:1: error: selvedge-macros (layer 0) depends on selvedge-event (layer 0), beside it, use a test in tests/, where all crates meet
    crates/macros/Cargo.toml:1: error: selvedge-macros (layer 0) depends on selvedge-runtime (layer 2), above it, use a test in tests/, where all crates meet
    crates/runtime/Cargo.toml:3: error: selvedge-runtime (layer 2) depends on selvedge-io (layer 3), above it, use a type from a lower layer, or have the facade join the two
    crates/sync/Cargo.toml:1: error: selvedge-sync (layer 0) depends on selvedge-event (layer 0), beside it, use a type from a lower layer, or have the facade join the two
    tests/Cargo.toml:1: error: selvedge-tests (layer 6) depends on xtask (layer 6), beside it, use a type from a lower layer, or have the facade join the two
    ");
}

#[test]
fn every_crate_has_a_place_a_name_and_tests() {
    let workspace = workspace(&[
        "selvedge-queue crates/queue",
        "selvedge-io crates/connectors",
        "selvedge-peers crates/peers",
        "selvedge-sync crates/sync extra",
        "selvedge crates/selvedge > selvedge-sync",
        "selvedge-tests tests",
        "xtask xtask",
    ]);
    insta::assert_snapshot!(check_tree(&[], &workspace), @r"
    crates/connectors/Cargo.toml:1: error: the package in crates/connectors is called selvedge-io, use selvedge-connectors
    crates/peers/Cargo.toml:1: error: selvedge-peers is a default member, use `cargo xtask bench` to build it
    crates/queue/Cargo.toml:1: error: selvedge-queue is in no layer, use a place in LAYERS of xtask/src/layers.rs
    crates/sync/Cargo.toml:1: error: selvedge-sync is no default member, so `cargo test` passes it by, use a line in default-members of the root manifest
    ");
    assert_eq!((layer_of("selvedge-event"), layer_of("selvedge-queue")), (Some(0), None));
}

#[test]
fn diagram_is_drawn_from_the_table() {
    let workspace = workspace(&[
        "selvedge-event crates/event > selvedge-macros",
        "selvedge-macros crates/macros",
        "selvedge-sync crates/sync",
        "selvedge-runtime crates/runtime > selvedge-event > selvedge-sync > selvedge-macros",
        "selvedge crates/selvedge > selvedge-runtime > selvedge-event >dev selvedge-sync",
        "selvedge-tests tests > selvedge",
    ]);
    let page = "# Map\n<!-- layers:begin -->\nold\n<!-- layers:end -->\nmore\n";
    insta::assert_snapshot!(drawing::blessed(page, &workspace).expect("it has markers"), @r#"
    # Map
    <!-- layers:begin -->
    ```mermaid
    flowchart TB
        subgraph layer6["6 · never shipped"]
            tests
        end
        subgraph layer4["4 · facade"]
            selvedge
        end
        subgraph layer2["2 · turns and records"]
            runtime
        end
        subgraph layer0["0 · values and the machine"]
            event
            sync
            macros
        end
        selvedge --> runtime
        event --> macros
        runtime --> event
        runtime --> sync
    ```
    <!-- layers:end -->
    more
    "#);
    insta::assert_snapshot!(check_tree(&[("docs/architecture.md", page)], &workspace), @"docs/architecture.md:2: error: the diagram differs from the layers and dependencies, use `cargo xtask tidy --bless`");
    insta::assert_snapshot!(check_tree(&[("docs/architecture.md", "# Map\n")], &workspace), @"docs/architecture.md:1: error: the diagram of layers has no place, use the lines `<!-- layers:begin -->` and `<!-- layers:end -->`");
}

#[test]
fn every_file_says_what_it_is_for() {
    let files = [("a.rs", "// A note.\nfn f() {}\n"), ("b.rs", ""), ("c.rs", "//! Owns c.\n")];
    insta::assert_snapshot!(check_tree(&files, &Workspace::default()), @r"
    a.rs:1: error: the file doesn't say what it is for, use a first line `//! …` that says what it owns and what it refuses
    b.rs:1: error: the file doesn't say what it is for, use a first line `//! …` that says what it owns and what it refuses
    ");
}

#[test]
fn files_stay_short() {
    let short = "\n".repeat(499);
    let long = "\n".repeat(500);
    let tested = format!("{}#[cfg(test)]\nmod tests {{}}\n", "\n".repeat(797));
    assert_eq!(check("crates/a/src/a.rs", &short), "");
    insta::assert_snapshot!(check("crates/a/src/a.rs", &long), @"crates/a/src/a.rs:501: error: 501 lines, of 500 allowed, use `x.rs` and a folder `x` by operation");
    assert_eq!(check("crates/a/src/a.rs", &tested), "");
    insta::assert_snapshot!(check("crates/a/src/a.rs", &format!("\n{tested}")), @"crates/a/src/a.rs:801: error: 801 lines, of 800 allowed, use `x.rs` and a folder `x` by operation");
    assert_eq!(check("crates/a/tests/a.rs", &long), "");
    assert_eq!(check("crates/a/benches/a.rs", &long), "");
}

#[test]
fn lines_stay_narrow() {
    let wide = "é".repeat(98);
    assert_eq!(check("a.rs", &format!("//{wide}\n")), "");
    let snapshot = format!("#[cfg(test)]\nfn f() {{ s!(x, @\"{wide}\") }}\n");
    assert_eq!(check("a.rs", &snapshot), "");
    let bare = snapshot.replace(", @", ", ");
    insta::assert_snapshot!(check("a.rs", &bare), @"a.rs:3: error: 118 columns, of 100 allowed, use two lines");
    insta::assert_snapshot!(check("a.rs", &format!("//{wide}é\n")), @"a.rs:2: error: 101 columns, of 100 allowed, use two lines");
    insta::assert_snapshot!(check("a.rs", &format!("const A: &str = \"\n{wide}éé\n{wide}ééé\";\n")), @"a.rs:4: error: 103 columns, of 100 allowed, use two lines");
}

#[test]
fn file_names_name_something() {
    for path in ["a/mod.rs", "a/utils.rs", "a/common/x.rs", "types.rs", "manager.rs"] {
        assert_eq!(check(path, "").lines().count(), 1, "{path}");
    }
    assert_eq!(check("crates/event/src/kind_types.rs", ""), "");
    insta::assert_snapshot!(check("a/mod.rs", "") + &check("a/utils.rs", ""), @r"
    a/mod.rs:1: error: `mod` names nothing, use `x.rs` beside the folder `x`
    a/utils.rs:1: error: `utils` names nothing, use the name of the concept it owns
    ");
}

#[test]
fn bans_name_the_replacement() {
    let text = unmasked(
        "// FIX-ME later
/* TO-DO */ const X: &str = \"XX-X\";
const XX-XL: u8 = 0;
fn f() { dbg!(1); todo!(); unimplemented!(); my_todo!(); }
#![allow(dead_code)]
#[allow(dead_code)]
#[expect(dead_code, reason = \"no\")]
#[ignore]
#[ignore = \"slow\"]
#[should_panic(expected = \"x\")]
// dbg!( in a comment
const S: &str = \"todo!( in a string\";
",
    );
    insta::assert_snapshot!(masked(&check("crates/a/src/a.rs", &text)), @r#"
    crates/a/src/a.rs:2: error: `FIX-ME` is banned, use an issue, or do it now
    crates/a/src/a.rs:3: error: `TO-DO` is banned, use an issue, or do it now
    crates/a/src/a.rs:3: error: `XX-X` is banned, use an issue, or do it now
    crates/a/src/a.rs:5: error: `dbg!(` is banned, use a fact told to an observer, or nothing
    crates/a/src/a.rs:5: error: `todo!(` is banned, use the code itself, or a typed error
    crates/a/src/a.rs:5: error: `unimplemented!(` is banned, use the code itself, or a typed error
    crates/a/src/a.rs:6: error: `#![allow(` is banned, use `#![expect(lint, reason = "…")]`
    crates/a/src/a.rs:7: error: `#[allow(` is banned, use `#[expect(lint, reason = "…")]`
    crates/a/src/a.rs:9: error: `#[ignore` is banned, use a short form of the test, and an xtask for the long one
    crates/a/src/a.rs:10: error: `#[ignore` is banned, use a short form of the test, and an xtask for the long one
    crates/a/src/a.rs:11: error: `#[should_panic` is banned, use catch_unwind and a snapshot of the message
    "#);
}

#[test]
fn generated_code_may_allow() {
    let text = "fn f() { quote! { #[allow(x)] fn g() { todo!() } }; }\n#[allow(x)]\nfn h() {}\n";
    insta::assert_snapshot!(check("crates/macros/src/a.rs", text), @r#"
    crates/macros/src/a.rs:2: error: `todo!(` is banned, use the code itself, or a typed error
    crates/macros/src/a.rs:3: error: `#[allow(` is banned, use `#[expect(lint, reason = "…")]`
    "#);
}

#[test]
fn tests_never_sleep() {
    let text =
        "fn f() { x::thread::sleep(d); }\n#[cfg(test)]\nmod t { fn g() { thread::sleep(d) } }\n";
    insta::assert_snapshot!(check("crates/sync/src/a.rs", text), @"crates/sync/src/a.rs:4: error: `thread::sleep` is banned, use a signal between the threads, or the virtual clock");
    insta::assert_snapshot!(check("crates/sync/tests/a.rs", text), @r"
    crates/sync/tests/a.rs:2: error: `thread::sleep` is banned, use a signal between the threads, or the virtual clock
    crates/sync/tests/a.rs:4: error: `thread::sleep` is banned, use a signal between the threads, or the virtual clock
    ");
}

#[test]
fn one_door_to_threads() {
    let text = "
use std::sync::{Arc, Mutex as Lock, atomic::{AtomicBool, Ordering}, OnceLock};
use std::{fmt, sync::mpsc, thread};
use core::sync::atomic::AtomicU8;
use std::sync::{self, Weak};
use std::sync::*;
fn f() { std::thread::spawn(|| std::sync::Arc::<u8>::default()); }
fn g(_: std::sync::RwLock<u8>) -> std::time::Duration { my_std::thread::park() }
use selvedge_sync::{Mutex, thread};
// std::sync::Mutex, and \"std::thread\" elsewhere:
const S: &str = \"std::thread\";
";
    insta::assert_snapshot!(check("crates/runtime/src/a.rs", text), @r"
    crates/runtime/src/a.rs:3: error: `std::sync::Mutex` goes round the one door to threads, use selvedge_sync
    crates/runtime/src/a.rs:3: error: `std::sync::atomic::AtomicBool` goes round the one door to threads, use selvedge_sync
    crates/runtime/src/a.rs:3: error: `std::sync::atomic::Ordering` goes round the one door to threads, use selvedge_sync
    crates/runtime/src/a.rs:4: error: `std::sync::mpsc` goes round the one door to threads, use selvedge_sync
    crates/runtime/src/a.rs:4: error: `std::thread` goes round the one door to threads, use selvedge_sync
    crates/runtime/src/a.rs:5: error: `core::sync::atomic::AtomicU8` goes round the one door to threads, use selvedge_sync
    crates/runtime/src/a.rs:6: error: `std::sync::self` goes round the one door to threads, use selvedge_sync
    crates/runtime/src/a.rs:7: error: `std::sync::*` goes round the one door to threads, use selvedge_sync
    crates/runtime/src/a.rs:8: error: `std::thread::spawn` goes round the one door to threads, use selvedge_sync
    crates/runtime/src/a.rs:9: error: `std::sync::RwLock` goes round the one door to threads, use selvedge_sync
    ");
    for path in ["crates/sync/src/a.rs", "crates/peers/src/a.rs", "tests/a.rs", "xtask/src/a.rs"] {
        assert_eq!(check(path, text), "", "{path}");
    }
}

#[test]
fn no_path_of_one_machine() {
    let text = unmasked(
        "see /wo-rk/x
src/wo-rk/x and ./wo-rk/x and https://a.b/ho-me/x
\"/ho-me/me\"
(../sha-red/x)
$HOME/ho-me/x
",
    );
    let files = [("docs/a.md", text.as_str())];
    insta::assert_snapshot!(masked(&check_tree(&files, &Workspace::default())), @r"
    docs/a.md:1: error: `/wo-rk/` exists on one machine only, use a path inside the repository, or a temporary directory
    docs/a.md:3: error: `/ho-me/` exists on one machine only, use a path inside the repository, or a temporary directory
    docs/a.md:4: error: `../sha-red` exists on one machine only, use a path inside the repository, or a temporary directory
    ");
}

#[test]
fn every_file_is_reached() {
    let workspace =
        workspace(&["selvedge-io crates/io @ crates/io/src/lib.rs @ crates/io/tests/it.rs"]);
    let header = "//! Made up.\n";
    let lib = "//! Made up.
mod read;
mod gone;
mod inline { mod deep; }
#[path = \"odd/name.rs\"]
mod odd;
#[cfg(test)]
mod checks;
// mod ghost;
";
    let sleepy = "//! Made up.\nfn f() { x::thread::sleep(d) }\n";
    let files = [
        ("crates/io/src/lib.rs", lib),
        ("crates/io/src/read.rs", "//! Made up.\nmod line;\n"),
        ("crates/io/src/read/line.rs", header),
        ("crates/io/src/inline/deep.rs", header),
        ("crates/io/src/odd/name.rs", header),
        ("crates/io/src/checks.rs", sleepy),
        ("crates/io/src/ghost.rs", header),
        ("crates/io/src/line.rs", header),
        ("crates/io/tests/it.rs", "//! Made up.\nmod cases;\n"),
        ("crates/io/tests/cases.rs", header),
        ("crates/io/tests/lost.rs", header),
        ("crates/io/tests/ui/wrong.rs", header),
    ];
    insta::assert_snapshot!(check_tree(&files, &workspace), @r"
    crates/io/src/checks.rs:2: error: `thread::sleep` is banned, use a signal between the threads, or the virtual clock
    crates/io/src/ghost.rs:1: error: no `mod` reaches this file, use a `mod` line, or delete it
    crates/io/src/line.rs:1: error: no `mod` reaches this file, use a `mod` line, or delete it
    crates/io/tests/lost.rs:1: error: no `mod` reaches this file, use a `mod` line, or delete it
    ");
}

#[test]
fn every_way_to_fail_is_shown() {
    let error = "//! Made up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// Shown by name.
    #[error(\"full\")]
    Full { capacity: usize },
    /// Shown by message, Closed.
    #[error(\"mailbox {name} has been closed\")]
    Closed { name: String },
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(\"no\")]
    Lost,
}
enum PrivateError { A }
pub enum SkipReason { Late = 3, Early }
pub enum Kind { A, B }
#[cfg(test)]
mod tests { const X: &str = \"mailbox db has been closed\"; fn f() { PostError::Full; Late } }
";
    let derived = "//! Made up.
#[derive(Error)] pub enum Trouble { Big }
pub enum OtherError { Unseen }
";
    let tests = "//! Made up, with Lost in a comment.\nuse x::Io;\n";
    let files = [
        ("crates/a/src/error.rs", error),
        ("crates/a/src/b.rs", derived),
        ("crates/a/tests/t.rs", tests),
    ];
    insta::assert_snapshot!(check_tree(&files, &Workspace::default()), @r"
    crates/a/src/b.rs:2: error: no test shows Trouble::Big, use a test that provokes it and snapshots it
    crates/a/src/error.rs:14: error: no test shows PostError::Lost, use a test that provokes it and snapshots it
    crates/a/src/error.rs:17: error: no test shows SkipReason::Early, use a test that provokes it and snapshots it
    ");
}

#[test]
fn marks_come_in_pairs() {
    let text = "
fn f() { cov_mark::hit!(spill); cov_mark::hit!(lonely); }
fn g() { cov_mark::check!(spill); cov_mark::check_count!(never, 2); }
";
    insta::assert_snapshot!(check("crates/a/src/a.rs", text), @r"
    crates/a/src/a.rs:3: error: mark `lonely` is hit and never checked, use `cov_mark::check!` in the test that gets there
    crates/a/src/a.rs:4: error: mark `never` is checked and never hit, use `cov_mark::hit!` in the branch it is about
    ");
}

#[test]
fn every_dependency_says_why() {
    let manifest = "[workspace.dependencies]
selvedge = { path = \"crates/selvedge\" }

# A note.
anyhow = \"1\"
serde = { version = \"1\" }
serde_json.workspace = true

[profile.dev]
debug = 1
";
    let page =
        "| crate | used by | why |\n|---|---|---|\n| `anyhow` | io | x |\n| sled | - | gone |\n";
    let files = [("Cargo.toml", manifest), ("docs/dependencies.md", page)];
    insta::assert_snapshot!(check_tree(&files, &Workspace::default()), @r"
    Cargo.toml:6: error: serde has no line in docs/dependencies.md, use `| crate | who uses it | why, and what it replaces |`
    Cargo.toml:7: error: serde_json has no line in docs/dependencies.md, use `| crate | who uses it | why, and what it replaces |`
    docs/dependencies.md:4: error: sled is no dependency any more, remove the line
    ");
    insta::assert_snapshot!(check_tree(&files[..1], &Workspace::default()), @"docs/dependencies.md:1: error: there is no such file, use a table `| crate | who uses it | why, and what it replaces |`");
}

#[test]
fn exemptions_only_shrink() {
    let found = |path, rule| Finding::new(rule, path, 7, "it is long", "use less");
    let exempt = |path, rule| Exemption { path, rule, reason: "it was" };
    let findings = vec![found("a.rs", Rule::Length), found("b.rs", Rule::Length)];
    let exempt = [exempt("a.rs", Rule::Length), exempt("b.rs", Rule::Header)];
    insta::assert_snapshot!(lines(&sift(findings, &exempt)), @r"
    b.rs:7: error: it is long, use less
    b.rs:1: error: nothing is exempt from Header any more (it was), remove its line in EXEMPT
    ");
}

#[test]
fn code_is_told_from_text() {
    let text = r##"let a = "x\"y"; /* a /* b */ c */ let b = r#"q"r"# ; 'x' '\'' b'"' &'a str // end
r#type b"z" 'é' c"w" 1u8"##;
    let source = super::source::Source::new("a.rs", text);
    insta::assert_snapshot!(source.code.replace(' ', "·"), @r"
    let·a·=·······;···················let·b·=·r········;··········b····&'a·str·······
    r#type·b·········c····1u8
    ");
    insta::assert_snapshot!(source.uncommented.replace(' ', "·"), @r##"
    let·a·=·"x\"y";···················let·b·=·r#"q"r"#·;·'x'·'\''·b'"'·&'a·str·······
    r#type·b"z"·'é'·c"w"·1u8
    "##);
}
