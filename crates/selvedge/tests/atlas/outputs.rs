//! What the atlas prints: the report, the JSON object, the comparison, the usage.

use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;

use crate::program::{Fixture, Ran, program};

fn run_sample(args: &[&str]) -> Ran {
    let fixture = Fixture::new();
    fixture.end(Command::new(program()).arg("--out").arg(fixture.out()).args(args))
}

/// Puts a word in the place of every number that is another in every run, after a look at it.
fn redact_json(value: &mut Value) {
    const VARYING: [&str; 5] =
        ["seconds", "busy_seconds", "peak_rss_bytes", "plain_seconds", "ratio"];
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                if VARYING.contains(&key.as_str()) {
                    let number = value.as_f64().expect("it is a number");
                    assert!(number > 0.0 && number.is_finite(), "{key} is {number}");
                    *value = Value::from("varies");
                } else {
                    redact_json(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact_json),
        _ => {}
    }
}

/// Puts `N` in the place of every number that is another in every run.
fn redact_text(text: &str) -> String {
    let (same, varying) = text.split_once("\nstage ").expect("the report tells the stages");
    let mut redacted = format!("{same}\nstage ");
    for (at, line) in varying.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        // A stage has a name and a number of events, the same in every run; the summary has none.
        let n_same = if words.len() == 4 || at == 0 { 2 } else { 0 };
        let redact = |(at, word): (usize, &&str)| {
            let is_same = at < n_same || word.parse::<f64>().is_err();
            if is_same { (*word).to_owned() } else { "N".to_owned() }
        };
        redacted += &words.iter().enumerate().map(redact).collect::<Vec<_>>().join(" ");
        redacted.push('\n');
    }
    redacted
}

#[test]
fn the_report_is_readable() {
    let ran = run_sample(&["--workers", "2"]);
    ran.assert_success();
    assert_snapshot!(redact_text(&ran.stdout), @r"
    892 packages, 3963 dependencies, 0 unresolved
    22094 packages in all closures together

    most depended upon
      gcc-12-base                           817 packages
      libc6                                 816 packages
      libgcc-s1                             816 packages
      zlib1g                                356 packages
      libstdc++6                            287 packages
      libmd0                                274 packages
      liblzma5                              256 packages
      libpcre2-8-0                          239 packages
      libselinux1                           234 packages
      libzstd1                              229 packages

    heaviest closures
      blender                            1038.1 MiB
      ghc                                 994.2 MiB
      chromium                            809.4 MiB
      libopenimageio2.4                   681.0 MiB
      cargo                               673.6 MiB
      rustc                               645.7 MiB
      octave                              641.2 MiB
      libreoffice-calc                    625.7 MiB
      openjdk-17-jdk                      604.0 MiB
      emacs                               579.0 MiB

    stage events busy s events/s
    read 1786 N N
    join 1788 N N
    resolve 896 N N
    walk 14 N N
    tally 11 N N
    write 929 N N

    N s on N workers, N events/s, N MiB at most

    written to DIR/out
    ");
}

#[test]
fn json_is_one_object_with_these_keys() {
    let mut report = run_sample(&["--json", "--workers", "2"]).json();
    redact_json(&mut report);
    let lines = report.as_object().into_iter().flatten().map(|(key, value)| match value {
        Value::Array(items) => {
            let items = items.iter().map(|item| format!("\n  {item}"));
            format!("{key}: [{}]\n", items.collect::<String>())
        }
        value => format!("{key}: {value}\n"),
    });
    assert_snapshot!(lines.collect::<String>(), @r#"
    closure_sum: 22094
    edges: 3963
    events: 3641
    heaviest: [
      ["blender",1063014]
      ["ghc",1018073]
      ["chromium",828783]
      ["libopenimageio2.4",697379]
      ["cargo",689817]
      ["rustc",661225]
      ["octave",656569]
      ["libreoffice-calc",640713]
      ["openjdk-17-jdk",618474]
      ["emacs",592909]]
    most_needed: [
      ["gcc-12-base",817]
      ["libc6",816]
      ["libgcc-s1",816]
      ["zlib1g",356]
      ["libstdc++6",287]
      ["libmd0",274]
      ["liblzma5",256]
      ["libpcre2-8-0",239]
      ["libselinux1",234]
      ["libzstd1",229]]
    orphans: []
    packages: 892
    peak_rss_bytes: "varies"
    seconds: "varies"
    stages: [
      {"busy_seconds":"varies","events":1786,"stage":"read"}
      {"busy_seconds":"varies","events":1788,"stage":"join"}
      {"busy_seconds":"varies","events":896,"stage":"resolve"}
      {"busy_seconds":"varies","events":14,"stage":"walk"}
      {"busy_seconds":"varies","events":11,"stage":"tally"}
      {"busy_seconds":"varies","events":929,"stage":"write"}]
    unresolved: 0
    workers: 2
    "#);
}

#[test]
fn a_comparison_adds_the_plain_time_and_the_ratio() {
    let fixture = Fixture::new();
    // Somebody else's folder: the plain way must not work there.
    let mine = fixture.out().join("plain/mine");
    std::fs::create_dir_all(&mine).expect("there is room for a folder");
    let run = |args: &[&str]| {
        let command = &mut Command::new(program());
        fixture.end(command.arg("--out").arg(fixture.out()).arg("--compare").args(args))
    };
    let mut report = run(&["--json"]).json();
    redact_json(&mut report);
    assert_eq!((&report["plain_seconds"], &report["ratio"]), (&"varies".into(), &"varies".into()));
    let ran = run(&[]);
    ran.assert_success();
    let ratio = ran.stdout.lines().find(|line| line.starts_with("plainly: "));
    assert!(ratio.is_some_and(|line| line.contains(" s; ratio ")), "{}", ran.stdout);
    assert!(mine.exists());
    assert_eq!(fixture.results(), ["closure.jsonl", "plain", "sections.jsonl"]);
}

#[test]
fn a_terminal_sees_progress() {
    let fixture = Fixture::with_many(20_000);
    let mut atlas = Command::new("script");
    let (program, data, out) = (program(), fixture.data(), fixture.out());
    let atlas = atlas.arg("-qefc").arg(format!("{program:?} --data {data:?} --out {out:?}"));
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("*** SKIPPED: there is no `script` here: progress is NOT TESTED ***");
        return;
    }
    let ran = fixture.end(atlas.arg("/dev/null"));
    ran.assert_success();
    assert!(ran.stdout.contains(" lines read, "), "{}", ran.stdout);
    assert!(ran.stdout.contains("20000 packages, 0 dependencies, 0 unresolved"), "{}", ran.stdout);
}

#[test]
fn nothing_is_a_distribution_too() {
    let fixture = Fixture::with("", "");
    let report = fixture.run(&["--json", "--compare"]).json();
    assert_eq!((&report["packages"], &report["closure_sum"]), (&0.into(), &0.into()));
    assert_eq!(fixture.result("closure.jsonl") + &fixture.result("sections.jsonl"), "");
}

#[test]
fn a_folder_for_results_is_made() {
    let fixture = Fixture::new();
    let out = fixture.out().join("a/b");
    fixture.end(Command::new(program()).arg("--out").arg(&out)).assert_success();
    assert!(out.join("closure.jsonl").exists());
}

fn refuse(args: &[&str]) -> String {
    let ran = run_sample(args);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""));
    ran.stderr
}

#[test]
fn a_wrong_option_gets_the_usage() {
    assert_snapshot!(refuse(&["--wrokers", "2"]), @r"
    error: unexpected argument '--wrokers' found

    Usage: atlas --out <DIR>

    For more information, try '--help'.
    ");
    assert_snapshot!(refuse(&["--workers", "0"]), @r"
    error: invalid value '0' for '--workers <N>': 0 is not in 1..=256

    For more information, try '--help'.
    ");
    assert_snapshot!(refuse(&["--workers", "many"]), @r"
    error: invalid value 'many' for '--workers <N>': invalid digit found in string

    For more information, try '--help'.
    ");
    assert_snapshot!(refuse(&["--data", ".", "--full"]), @r"
    error: the argument '--data <DIR>' cannot be used with '--full'

    Usage: atlas --out <DIR> --data <DIR>

    For more information, try '--help'.
    ");
    assert_snapshot!(refuse(&["surplus"]), @r"
    error: unexpected argument 'surplus' found

    Usage: atlas [OPTIONS]

    For more information, try '--help'.
    ");
}

#[test]
fn the_options_are_explained() {
    let ran = run_sample(&["--help"]);
    ran.assert_success();
    assert_snapshot!(ran.stdout, @r"
    Finds what every package of a distribution needs, and what needs it

    Usage: atlas [OPTIONS]

    Options:
          --data <DIR>       Folder with `packages.jsonl` and `sizes.jsonl`, plain or `.gz` or `.zst` [default: the bundled sample]
          --full             Use the bundled index of Debian 12 instead of the sample
          --out <DIR>        Folder for `closure.jsonl` and `sections.jsonl`; made if there is none [default: target/atlas]
          --workers <N>      Threads, and processors that walk the graph [default: what the machine can run at once]
          --json             Print one JSON object instead of the report
          --compare          Also do the work plainly, one thing after the other, and print the ratio
          --workspace <DIR>  Keep results and their history in this folder, and take from it what did not change (needs a build with `--features workspace`)
          --why <PACKAGE>    Tell which input lines and which code the latest row of this package in the workspace came from, without running
      -h, --help             Print help
    ");
}

#[cfg(not(feature = "workspace"))]
#[test]
fn a_build_without_workspaces_says_how_to_have_them() {
    let fixture = Fixture::with("", "");
    let refusals = [&["--workspace", "w"][..], &["--workspace", "w", "--why", "libc6"]]
        .map(|args| fixture.run(args).refusal());
    assert_eq!(refusals[0], refusals[1]);
    assert_snapshot!(refusals[0], @"1: error: this atlas was built without workspaces: run `cargo run --release --example atlas --features workspace -- --workspace DIR`");
}
