//! The sections example, run as a program: what two runs do and do not do again, what it prints,
//! and how it refuses what is wrong. Nothing here knows its code.
#![cfg(all(feature = "flow", feature = "workspace"))]

use std::path::{Path, PathBuf};
use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;
use tempfile::TempDir;

/// The example, which `cargo test` builds beside its tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.ancestors().nth(2).expect("a test lies in `deps` of its profile's folder");
    profile.join("examples").join(format!("sections{}", std::env::consts::EXE_SUFFIX))
}

/// Its status and what it printed, with the folder written as `DIR`.
fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(program());
    command.arg("--workspace").arg(folder.join("workspace")).args(args).current_dir(folder);
    let output = command.output().expect("the program can be started");
    let text = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).expect("what is printed is text");
        text.replace(&folder.display().to_string(), "DIR")
    };
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The object that `--json` prints.
fn json(folder: &Path, args: &[&str]) -> Value {
    let (status, stdout, stderr) = run(folder, &[&["--json"], args].concat());
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
    serde_json::from_str(&stdout).expect("--json prints one JSON object")
}

fn steps(run: &Value) -> String {
    let steps = &run["steps"];
    ["computed", "reused", "skipped", "failed"]
        .map(|name| format!("{} {name}", steps[name]))
        .join(", ")
}

#[test]
fn the_second_run_does_what_the_first_could_not() {
    let folder = TempDir::new().unwrap();
    let told = json(folder.path(), &[]);
    // The map of 33 sections is done again for two of them.
    assert_snapshot!(steps(&told["runs"][0]), @"75 computed, 0 reused, 2 skipped, 3 failed");
    assert_snapshot!(steps(&told["runs"][1]), @"7 computed, 38 reused, 2 skipped, 0 failed");
    assert_eq!(told["plan"]["computed"], 4);
    assert_eq!(told["runs"][0]["failures"].as_array().unwrap().len(), 3);
    let rows = told["table"].as_array().unwrap();
    let packages = rows.iter().map(|row| row["statistics"]["packages"].as_u64().unwrap());
    assert_eq!(packages.sum::<u64>(), 892);
    assert!(rows.iter().all(|row| row["installed_kib"].as_u64().is_some()));
    // What the first start computed of the same file is cached, the mirror's answers are not.
    let again = json(folder.path(), &["--withhold", "tex"]);
    assert_snapshot!(steps(&again["runs"][0]), @"39 computed, 4 reused, 2 skipped, 2 failed");
    assert_eq!(again["table"], told["table"]);
}

#[test]
fn the_story_can_be_followed() {
    let folder = TempDir::new().unwrap();
    let (status, stdout, stderr) = run(folder.path(), &["--at-a-time", "1"]);
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    let told = |prefix: &str| {
        let lines = stdout.lines().filter(|line| line.trim_start().starts_with(prefix));
        lines.map(str::trim).collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(told("sections"), @r"
    sections       succeeded
    sections: 4 of 14 nodes would be computed
    sections: taken from the first run
    sections       succeeded, taken from the first run
    ");
    assert_snapshot!(told("installed"), @r"
    installed      failed: can't open `DIR/workspace/mirror/science.jsonl`: No such file or directory (os error 2); check the path
    installed: computed, the first run has not, of the same with the same code
    installed      succeeded
    ");
    assert_snapshot!(told("- "), @r"
    - installed failed: can't open `DIR/workspace/mirror/science.jsonl`: No such file or directory (os error 2); check the path
    - installed[25] failed: can't open `DIR/workspace/mirror/science.jsonl`: No such file or directory (os error 2); check the path
    - installed[31] failed: can't open `DIR/workspace/mirror/web.jsonl`: No such file or directory (os error 2); check the path
    ");
    assert_snapshot!(told("libs"), @"libs                641     2570     1467  libc6, by 734");
}

#[test]
fn what_is_wrong_is_told_in_one_line() {
    let folder = TempDir::new().unwrap();
    let refused = |args: &[&str]| {
        let (status, stdout, stderr) = run(folder.path(), args);
        assert_eq!(stdout, "");
        let first = stderr.lines().next().unwrap_or_default();
        format!("{}: {first}", status.unwrap())
    };
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    assert_snapshot!(refused(&["--wide"]), @"2: error: unexpected argument '--wide' found");
    assert_snapshot!(refused(&["--at-a-time", "0"]), @"2: error: invalid value '0' for '--at-a-time <N>': 0 is not in 1..=1024");
    assert_snapshot!(refused(&["--data", data]), @"1: error: there is no file packages.jsonl in `DIR/data`, nor one ending in .gz or .zst");
    std::fs::create_dir(data).unwrap();
    let put =
        |name: &str, text: &str| std::fs::write(format!("{data}/{name}.jsonl"), text).unwrap();
    let package =
        |section: &str| format!("{{\"package\":\"a\",\"section\":\"{section}\",\"depends\":[]}}\n");
    put("packages", &package("s"));
    put("sizes", "{\"package\":\"a\",\"installed_size_kib\":-1}\n");
    assert_snapshot!(refused(&["--data", data]), @"1: error: DIR/data/sizes.jsonl:1:38: invalid value: integer `-1` (expected u32)");
    put("sizes", "");
    assert_snapshot!(refused(&["--data", data, "--withhold", "t"]), @"1: error: there is no section `t` to withhold, but [s]");
    put("packages", &package("../s"));
    assert_snapshot!(refused(&["--data", data]), @"1: error: package `a` is in section `../s`, which can't name a file");
    put("packages", "");
    assert_snapshot!(refused(&["--data", data]), @"1: error: there is no section `science` to withhold, but []");
}
