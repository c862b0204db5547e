//! A disk that is full and one that can't be written: real ones, in a mount namespace of their own.

use std::process::Command;

use insta::assert_snapshot;

use crate::program::{Fixture, Ran, program, sample};

/// How a namespace in which one may mount is had: as any user, or as root.
const NAMESPACES: [&[&str]; 2] = [&["-rm"], &["-m"]];

/// The way that works here. Skipping is for machines that forbid it, and never silent.
fn namespace() -> Option<&'static [&'static str]> {
    let fixture = Fixture::new();
    let works = |flags: &&&[&str]| {
        let mut probe = Command::new("unshare");
        probe.args(**flags).args(["sh", "-c", "mount -t tmpfs -o size=64k tmpfs \"$1\"", "sh"]);
        probe.arg(fixture.out());
        probe.output().is_ok_and(|output| output.status.success())
    };
    let found = NAMESPACES.iter().find(works);
    if found.is_none() {
        let why = "no file system can be mounted here, with `unshare -rm` or as root";
        assert!(std::env::var_os("CI").is_none(), "{why}: the atlas on a full disk is not tested");
        eprintln!("*** SKIPPED: {why}: the atlas on a full disk is NOT TESTED ***");
    }
    found.copied()
}

/// Runs the atlas on the sample with a file system of its own for the results: mounted with these
/// options, with earlier results on it, then changed by `prepare`. What the atlas prints goes to
/// standard error, and then what is on the file system to standard output.
fn run_on(options: &str, prepare: &str) -> Option<Ran> {
    let script = r#"
        out=$1; options=$2; prepare=$3; shift 3
        mount -t tmpfs -o "$options" tmpfs "$out" && cd "$out" || exit 99
        echo earlier closures >closure.jsonl
        echo earlier sections >sections.jsonl
        eval "$prepare" || exit 99
        "$@" 1>&2
        status=$?
        ls -A; cat closure.jsonl sections.jsonl
        exit $status
    "#;
    let fixture = Fixture::new();
    let mut command = Command::new("unshare");
    command.args(namespace()?).args(["sh", "-c", script, "sh"]).arg(fixture.out());
    command.args([options, prepare]).arg(program()).arg("--data").arg(sample());
    // On one worker the sinks take their turns in order, so that the message is always the same.
    command.arg("--out").arg(fixture.out()).args(["--workers", "1"]);
    Some(fixture.end(&mut command))
}

fn told(ran: &Ran) -> String {
    format!("{}: {}", ran.status.expect("it ends by itself"), ran.stderr)
}

/// What is on the file system if the atlas touched nothing and left nothing behind.
const UNTOUCHED: &str = "closure.jsonl\nsections.jsonl\nearlier closures\nearlier sections\n";

#[test]
fn a_disk_that_is_full() {
    // Room for the earlier results and for some of the new ones: 72 KB in all.
    let mut refusals = String::new();
    for size in ["size=16k", "size=64k", "size=76k"] {
        let Some(ran) = run_on(size, "true") else { return };
        assert_eq!(ran.stdout, UNTOUCHED, "with {size}: {}", ran.stderr);
        refusals += &told(&ran);
    }
    assert_snapshot!(refusals, @r"
    1: error: processor `write closures` failed on selvedge::Poison: can't write `DIR/out/closure.jsonl`: No space left on device (os error 28); free space and run again; nothing was replaced
    1: error: processor `write closures` failed on selvedge::Poison: can't write `DIR/out/closure.jsonl`: No space left on device (os error 28); free space and run again; nothing was replaced
    1: error: processor `write sections` failed on selvedge::Poison: can't write `DIR/out/sections.jsonl`: No space left on device (os error 28); free space and run again; nothing was replaced
    ");
    let Some(ran) = run_on("size=200k", "true") else { return };
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
}

#[test]
fn a_disk_that_is_full_before_the_work() {
    let Some(ran) = run_on("nr_inodes=3", "true") else { return };
    assert_eq!(ran.stdout, UNTOUCHED);
    assert_snapshot!(told(&ran), @"1: error: processor `write closures` failed on selvedge::Init: can't create `DIR/out/closure.jsonl`: No space left on device (os error 28); free space and run again; nothing was replaced");
}

#[test]
fn a_folder_that_cannot_be_written() {
    let Some(ran) = run_on("size=200k", "mount -o remount,ro \"$out\"") else { return };
    assert_eq!(ran.stdout, UNTOUCHED);
    assert_snapshot!(told(&ran), @"1: error: processor `write closures` failed on selvedge::Init: can't create `DIR/out/closure.jsonl`: Read-only file system (os error 30); choose a folder that can be written; nothing was replaced");
}
