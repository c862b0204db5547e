//! Real file systems and files that get full: nothing acknowledged is lost, and nothing hangs.
//!
//! A limit on the size of files is set by every shell, so it is always there. A small file system
//! needs a mount; where none of the ways to one is allowed, that part is left out, and says so.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::failure::in_time;

/// In 512 bytes, as `ulimit -f` counts: a file over it fails as on a full disk, the signal that
/// would end the process being ignored.
const LIMITED: &str = r#"trap '' XFSZ; ulimit -f "$0"; exec "$@""#;
/// A file system of eight MiB, gone when the program has ended.
const MOUNTED: &str = r#"
    dir=$0; mount -t tmpfs -o size=8m tmpfs "$dir" || exit 77
    "$@"; code=$?
    umount -l "$dir"; exit $code
"#;
/// What the script above says if it may not mount.
const NOT_MOUNTED: i32 = 77;
/// A namespace of its own takes the mount along, whatever happens.
const WAYS: [&[&str]; 3] = [&["unshare", "-m", "sh"], &["unshare", "-Urm", "sh"], &["sh"]];

fn shell(way: &[&str], script: &str, first: &str) -> Command {
    let mut command = Command::new(way[0]);
    command.args(&way[1..]).args(["-c", script, first, env!("CARGO_BIN_EXE_fulldisk")]);
    command
}

/// Runs it to its end, in a minute at most.
fn ended(mut command: Command) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    in_time(move || command.output()).expect("it can be started")
}

fn n_acknowledged(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Fills a store whose files may have this many blocks, then opens it without a limit.
fn check_limit(engine: &str, n_blocks: u64, segment: u64) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (segment_is_short, segment) = (segment < 512 * n_blocks, segment.to_string());
    let args = ["--engine", engine, "--segment", &segment];
    let mut fill = shell(&["sh"], LIMITED, &n_blocks.to_string());
    fill.args(args).args(segment_is_short.then_some("--is-engine-full")).arg(dir.path());
    let n_acknowledged = n_acknowledged_more_than_ten(&ended(fill));
    let mut check = Command::new(env!("CARGO_BIN_EXE_fulldisk"));
    check.args(args).args(["--acknowledged", &n_acknowledged]).arg(dir.path());
    assert_eq!(self::n_acknowledged(&ended(check)), n_acknowledged);
}

fn n_acknowledged_more_than_ten(output: &Output) -> String {
    let n = n_acknowledged(output);
    assert!(n.parse::<u64>().is_ok_and(|n| n > 10), "{n}");
    n
}

#[test]
fn a_log_that_may_not_grow_loses_nothing() {
    for engine in ["sled", "redb"] {
        check_limit(engine, 3000, 64 << 20);
    }
}

#[test]
fn an_engine_that_may_not_grow_loses_nothing() {
    // No segment is as long as a file may be.
    for engine in ["sled", "redb"] {
        check_limit(engine, 6000, 200_000);
    }
}

#[test]
fn a_full_file_system_loses_nothing() {
    for engine in ["sled", "redb"] {
        let is_mounted = WAYS.iter().any(|way| fills_a_mount(way, engine));
        if !is_mounted {
            eprintln!("LEFT OUT: nothing can be mounted here; files of a limited size stand in");
        }
    }
}

/// Whether there was a file system to fill.
fn fills_a_mount(way: &[&str], engine: &str) -> bool {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path: &Path = dir.path();
    let path = path.to_str().expect("temporary names are text");
    let mut fill = shell(way, MOUNTED, path);
    fill.args(["--engine", engine, "--segment", "67108864", "--remount", path]);
    fill.args(["--is-engine-full", path]);
    // A program that isn't there is a way that isn't there.
    let found = Command::new(way[0]).arg("--help").output();
    if found.is_err() {
        return false;
    }
    let output = ended(fill);
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(NOT_MOUNTED) || said.starts_with("unshare") {
        return false;
    }
    n_acknowledged_more_than_ten(&output);
    true
}
