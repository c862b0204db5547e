//! Every bad input ends the run with one clear message and leaves earlier results alone.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use flate2::write::GzEncoder;
use insta::assert_snapshot;

use crate::program::{Fixture, program};

const PACKAGES: &str = r#"{"package":"a","section":"s","depends":[["b"]],"provides":[]}
{"package":"b","section":"s","depends":[],"provides":[]}
"#;
const SIZES: &str = r#"{"package":"b","installed_size_kib":1}
{"package":"a","installed_size_kib":2}
"#;

/// Runs the atlas over earlier results, on one worker and on several, and says how it failed.
fn refuse(fixture: &Fixture) -> String {
    fixture.put_earlier_results();
    let mut refusals = ["1", "2", "8"].map(|workers| {
        let refusal = fixture.run(&["--workers", workers]).refusal();
        fixture.assert_earlier_results();
        refusal
    });
    refusals.sort();
    assert_eq!(refusals[0], refusals[2], "the message depends on the number of workers");
    std::mem::take(&mut refusals[0])
}

/// As the last line of an otherwise good `packages.jsonl`.
fn refuse_package(line: impl AsRef<[u8]>) -> String {
    refuse(&Fixture::with([PACKAGES.as_bytes(), line.as_ref()].concat(), SIZES))
}

/// As the last line of an otherwise good `sizes.jsonl`.
fn refuse_size(line: impl AsRef<[u8]>) -> String {
    refuse(&Fixture::with(PACKAGES, [SIZES.as_bytes(), line.as_ref()].concat()))
}

#[test]
fn what_is_not_there() {
    let fixture = Fixture::new();
    assert_snapshot!(refuse(&fixture), @"1: error: there is no file packages.jsonl in `DIR/data`, nor one ending in .gz or .zst");
    fixture.put("packages.jsonl.zst", b"");
    assert_snapshot!(refuse(&fixture), @"1: error: there is no file sizes.jsonl in `DIR/data`, nor one ending in .gz or .zst");
    fs::remove_dir_all(fixture.data()).expect("the folder was there");
    assert_snapshot!(refuse(&fixture), @"1: error: there is no folder `DIR/data`: name one that holds packages.jsonl and sizes.jsonl");
    fs::write(fixture.data(), "").expect("there is room for a file");
    assert_snapshot!(refuse(&fixture), @"1: error: there is no folder `DIR/data`: name one that holds packages.jsonl and sizes.jsonl");
}

#[test]
fn what_is_a_folder() {
    let fixture = Fixture::with(PACKAGES, SIZES);
    fs::remove_file(fixture.data().join("sizes.jsonl")).expect("the file was there");
    fs::create_dir(fixture.data().join("sizes.jsonl")).expect("there is room for a folder");
    assert_snapshot!(refuse(&fixture), @"1: error: there is no file sizes.jsonl in `DIR/data`, nor one ending in .gz or .zst");
}

#[test]
fn a_compressed_file_that_is_cut_off_or_is_none() {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for n in 0..1000 {
        writeln!(
            encoder,
            "{}",
            PACKAGES.lines().next().unwrap().replace("\"a\"", &format!("\"{n}\""))
        )
        .expect("a vector takes everything");
    }
    let gzip = encoder.finish().expect("a vector takes everything");
    let zstd = zstd::encode_all(PACKAGES.as_bytes(), 1).expect("a vector takes everything");
    let with = |name: &str, bytes: &[u8]| {
        let fixture = Fixture::new();
        fixture.put(name, bytes);
        fixture.put("sizes.jsonl", SIZES);
        refuse(&fixture)
    };
    assert_snapshot!(with("packages.jsonl.gz", &gzip[..gzip.len() / 2]), @"1: error: source `read packages` failed: `DIR/data/packages.jsonl.gz` is cut off after line 498: its gzip stream has no end; get a whole copy of the file");
    assert_snapshot!(with("packages.jsonl.zst", &zstd[..zstd.len() / 2]), @"1: error: source `read packages` failed: `DIR/data/packages.jsonl.zst` is cut off after line 0: its zstd stream has no end; get a whole copy of the file");
    assert_snapshot!(with("packages.jsonl.gz", b""), @"1: error: processor `read packages` failed on selvedge::Init: `DIR/data/packages.jsonl.gz` is cut off after line 0: its gzip stream has no end; get a whole copy of the file");
    assert_snapshot!(with("packages.jsonl.gz", PACKAGES.as_bytes()), @"1: error: source `read packages` failed: can't read `DIR/data/packages.jsonl.gz` after line 0: invalid gzip header; the file is damaged, or is not what its extension says");
    assert_snapshot!(with("packages.jsonl.zst", PACKAGES.as_bytes()), @"1: error: source `read packages` failed: can't read `DIR/data/packages.jsonl.zst` after line 0: Unknown frame descriptor; the file is damaged, or is not what its extension says");
}

#[test]
fn a_line_that_is_not_json() {
    assert_snapshot!(refuse_package("package: c"), @"1: error: source `read packages` failed: DIR/data/packages.jsonl:3:1: unexpected 'p' (expected a JSON value)");
    assert_snapshot!(refuse_package(r#"{"package":"c","section":"s","#), @"1: error: source `read packages` failed: DIR/data/packages.jsonl:3:29: EOF while parsing a value (expected one whole JSON value on the line)");
    assert_snapshot!(refuse_size(r#"{"package":"c","installed_size_kib":3}}"#), @"1: error: source `read sizes` failed: DIR/data/sizes.jsonl:3:39: trailing characters (expected one whole JSON value on the line)");
    assert_snapshot!(refuse_size(r#"{"package":"c","installed_size_kib":NaN}"#), @"1: error: source `read sizes` failed: DIR/data/sizes.jsonl:3:37: unexpected 'N' (expected a JSON value)");
}

#[test]
fn a_line_of_a_wrong_type() {
    assert_snapshot!(refuse_size(r#"{"package":"c","installed_size_kib":"3"}"#), @r#"1: error: source `read sizes` failed: DIR/data/sizes.jsonl:3:39: invalid type: string "3" (expected u32)"#);
    assert_snapshot!(refuse_size(r#"{"package":"c","installed_size_kib":-3}"#), @"1: error: source `read sizes` failed: DIR/data/sizes.jsonl:3:38: invalid value: integer `-3` (expected u32)");
    assert_snapshot!(refuse_size(r#"{"package":"c","installed_size_kib":1.5}"#), @"1: error: source `read sizes` failed: DIR/data/sizes.jsonl:3:39: invalid type: floating point `1.5` (expected u32)");
    assert_snapshot!(refuse_size(r#"{"package":"c","installed_size_kib":18446744073709551615}"#), @"1: error: source `read sizes` failed: DIR/data/sizes.jsonl:3:56: invalid value: integer `18446744073709551615` (expected u32)");
    assert_snapshot!(refuse_size(r#"{"package":"c"}"#), @"1: error: source `read sizes` failed: DIR/data/sizes.jsonl:3:15: missing field `installed_size_kib` (expected atlas::events::Size)");
    assert_snapshot!(refuse_package(r#"{"package":7,"section":"s","depends":[],"provides":[]}"#), @"1: error: source `read packages` failed: DIR/data/packages.jsonl:3:12: invalid type: integer `7` (expected a string)");
    assert_snapshot!(refuse_package(r#"{"package":"c","section":"s","depends":["b"],"provides":[]}"#), @r#"1: error: source `read packages` failed: DIR/data/packages.jsonl:3:43: invalid type: string "b" (expected a sequence)"#);
    assert_snapshot!(refuse_package(r#"{"package":"c","section":"s","depends":[],"provides":null}"#), @"1: error: source `read packages` failed: DIR/data/packages.jsonl:3:57: invalid type: null (expected a sequence)");
    assert_snapshot!(refuse_package("[1, 2]"), @"1: error: source `read packages` failed: DIR/data/packages.jsonl:3:2: invalid type: integer `1` (expected a string)");
}

#[test]
fn a_package_that_appears_twice() {
    let again = r#"{"package":"a","section":"s","depends":[],"provides":[]}"#;
    assert_snapshot!(refuse_package(again), @"1: error: DIR/data/packages.jsonl:3:1: package `a` again (expected once: it is on line 1)");
    assert_snapshot!(refuse_size(r#"{"package":"b","installed_size_kib":1}"#), @"1: error: DIR/data/sizes.jsonl:3:1: package `b` again (expected once: it is on line 1)");
    assert_snapshot!(refuse_size(r#"{"package":"c","package":"d","installed_size_kib":1}"#), @"1: error: source `read sizes` failed: DIR/data/sizes.jsonl:3:24: duplicate field `package` (expected atlas::events::Size)");
    // Also when the other stream never has it.
    let twice = "{\"package\":\"z\",\"installed_size_kib\":1}\n\n";
    assert_snapshot!(refuse_size(twice.repeat(2)), @"1: error: DIR/data/sizes.jsonl:5:1: package `z` again (expected once: it is on line 3)");
}

#[test]
fn a_line_that_is_no_text() {
    assert_snapshot!(refuse_size(b"{\"package\":\"caf\xe9\",\"installed_size_kib\":3}"), @"1: error: source `read sizes` failed: DIR/data/sizes.jsonl:3:16: invalid UTF-8 at byte 0xe9 (expected UTF-8 text)");
    assert_snapshot!(refuse_package(b"{\"package\":\"c\",\"note\":\"\xc3\xa9\xff\"}"), @"1: error: source `read packages` failed: DIR/data/packages.jsonl:3:25: invalid UTF-8 at byte 0xff (expected UTF-8 text)");
    assert_snapshot!(refuse_package(b"{\"package\":\"c\0\"}"), @"1: error: source `read packages` failed: DIR/data/packages.jsonl:3:14: a NUL byte (expected text: was the file written to the end?)");
}

#[test]
fn a_line_of_100_mb() {
    let line = format!(r#"{{"package":"{}","installed_size_kib":3}}"#, "c".repeat(100_000_000));
    assert_snapshot!(refuse_size(&line), @"1: error: source `read sizes` failed: DIR/data/sizes.jsonl:3:16777217: a line of 16777218 bytes or more (expected at most 16777216: raise `line_bytes_max` if such lines are meant)");
    let fixture = Fixture::with(PACKAGES, line);
    let limited = "ulimit -v 1000000; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", limited, "sh"]).arg(program());
    command.arg("--data").arg(fixture.data()).arg("--out").arg(fixture.out());
    assert!(fixture.end(&mut command).refusal().contains("sizes.jsonl:1:16777217: a line of"));
}

#[test]
fn results_that_cannot_be_put_where_they_should() {
    let fixture = Fixture::with(PACKAGES, SIZES);
    fixture.put_earlier_results();
    let into = |out: &str| {
        let mut command = Command::new(program());
        command.arg("--data").arg(fixture.data()).arg("--out").arg(fixture.out().join(out));
        let refusal = fixture.end(&mut command).refusal();
        fixture.assert_earlier_results();
        refusal
    };
    assert_snapshot!(into("closure.jsonl"), @"1: error: `DIR/out/closure.jsonl` is a file: name a folder for the results");
    assert_snapshot!(into("closure.jsonl/folder"), @"1: error: cannot make the folder `DIR/out/closure.jsonl/folder`: Not a directory (os error 20)");
    let fixture = Fixture::with(PACKAGES, SIZES);
    fs::create_dir(fixture.out().join("sections.jsonl")).expect("there is room for a folder");
    assert_snapshot!(fixture.run(&[]).refusal(), @"1: error: processor `write sections` failed on selvedge::Init: can't replace `DIR/out/sections.jsonl`: it is not a regular file; name a file, or use `append` or `truncate`");
    assert_eq!(fixture.results(), ["sections.jsonl"]);
}

#[test]
fn a_report_that_cannot_be_printed() {
    let fixture = Fixture::with(PACKAGES, SIZES);
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" >/dev/full", "sh"]).arg(program());
    command.arg("--data").arg(fixture.data()).arg("--out").arg(fixture.out());
    assert_snapshot!(fixture.end(&mut command).refusal(), @"1: error: cannot print the report: No space left on device (os error 28)");
    assert_eq!(fixture.results(), ["closure.jsonl", "sections.jsonl"]);
}
