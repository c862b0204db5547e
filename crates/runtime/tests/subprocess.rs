//! Programs that do what they should not: each is held to its limits, and nothing of it is left.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{Error, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use selvedge_runtime::subprocess::{Program, Subprocess, SubprocessError, Told};
use selvedge_sync::thread;

const SOON: Duration = Duration::from_millis(50);

/// A shell that does this.
fn sh(script: &str) -> Program {
    Program::new("sh").args(["-c", script]).keep_env("PATH")
}

/// What a program without input comes to, in words.
fn told(program: &Program) -> String {
    match program.run(Vec::new()) {
        Ok(output) => String::from_utf8_lossy(&output).into_owned(),
        Err(error) => error.to_string(),
    }
}

/// A folder with a pipe in it: whoever reads it to its end waits until no writer lives. There is
/// another one, into which nobody ever writes.
struct Pipe {
    folder: tempfile::TempDir,
}

impl Pipe {
    fn new() -> Pipe {
        let folder = tempfile::tempdir().unwrap();
        let pipe = Pipe { folder };
        Program::new("mkfifo").args(["pipe", "never"]).dir(pipe.folder.path()).run(vec![]).unwrap();
        pipe
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("pipe")
    }

    /// A shell in the folder that does this.
    fn sh(&self, script: &str) -> Program {
        sh(script).dir(self.folder.path())
    }

    fn read_to_end(&self) -> String {
        let mut text = String::new();
        std::fs::File::open(self.path()).unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

#[test]
fn what_is_given_comes_back_however_much_it_is() {
    let cat = Program::new("cat");
    for len in [0, 1, 65_536, 65_537, 10_000_000] {
        let bytes: Vec<u8> = (0..len).map(|n: u32| n as u8).collect();
        assert!(cat.run(bytes.clone()).unwrap() == bytes, "{len} bytes");
    }
    assert_eq!(cat.call::<_, BTreeMap<String, u32>>(&BTreeMap::from([("a", 1)])).unwrap()["a"], 1);
}

#[test]
fn a_program_says_how_it_failed() {
    insta::assert_snapshot!(told(&sh("echo 'no such file' >&2; exit 3")), @"program `sh` ended with status 3; it said: no such file");
    insta::assert_snapshot!(told(&sh("exit 1")), @"program `sh` ended with status 1");
    insta::assert_snapshot!(told(&sh("kill -TERM $$")), @"program `sh` was ended by signal 15");
    let long = told(&sh("head -c 1000000 /dev/zero | tr '\\0' x >&2; echo last >&2; exit 9"));
    assert!(long.ends_with("xxxlast") && long.len() < 4_300, "{}", long.len());
    let error = sh("kill -KILL $$").run(Vec::new()).unwrap_err();
    assert!(matches!(error, SubprocessError::Killed { signal: 9, .. }), "{error}");
}

#[test]
fn a_program_that_is_none_is_told_before_anything_begins() {
    let missing = Program::new("no-such-program").env("PATH", "/usr/bin:/bin");
    insta::assert_snapshot!(told(&missing), @"there is no program `no-such-program` in `/usr/bin:/bin`: install it, or name it by its path");
    let error = Program::new("./no/such").run(Vec::new()).unwrap_err();
    assert!(matches!(error, SubprocessError::NotFound { .. }), "{error}");
    // A file that may be run, and can't be.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken");
    std::fs::write(&path, [0x7f, b'E', b'L', b'F', 0, 0]).unwrap();
    assert!(matches!(Program::new(&path).start(vec![]), Err(SubprocessError::NotFound { .. })));
    Program::new("chmod").arg("+x").arg(&path).run(Vec::new()).unwrap();
    let error = Program::new(&path).run(Vec::new()).unwrap_err();
    assert!(matches!(error, SubprocessError::Start { .. }), "{error}");
}

#[test]
fn a_program_that_answers_a_gigabyte_is_killed() {
    let endless = Program::new("head").args(["-c", "1000000000", "/dev/zero"]);
    insta::assert_snapshot!(told(&endless.clone().output_max(1_000_000)), @"program `head` was killed: it wrote more than 1000000 bytes; raise `output_max`, or have it write a file and tell its name");
    // At the limit, and one beyond, also when it is all there at the end.
    let some = Program::new("head").args(["-c", "1000", "/dev/zero"]);
    assert_eq!(some.clone().output_max(1_000).run(Vec::new()).unwrap().len(), 1_000);
    let error = some.output_max(999).run(Vec::new()).unwrap_err();
    assert!(matches!(error, SubprocessError::OutputTooLong { max: 999, .. }), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_that_takes_all_memory_gets_no_more_than_it_may() {
    // Keeps the last line, and there is none.
    let greedy = Program::new("tail").arg("/dev/zero").memory_max(64 << 20);
    insta::assert_snapshot!(told(&greedy), @"program `tail` ended with status 1, limited to 67108864 bytes of memory; it said: /usr/bin/tail: memory exhausted");
    let modest = Program::new("echo").arg("$HOME `id` well").memory_max(1 << 30);
    assert_eq!(told(&modest), "$HOME `id` well\n"); // No shell has read it.
}

#[test]
fn a_program_that_blocks_for_ever_is_killed_when_its_time_is_up() {
    let stuck = Program::new("tail").args(["-f", "/dev/null"]).time_limit(SOON);
    insta::assert_snapshot!(told(&stuck), @"program `tail` was killed: it took longer than 50ms");
    let deaf = sh("trap '' TERM INT HUP; echo begun >&2; while :; do read line < /dev/zero; done");
    let error = deaf.time_limit(2 * SOON).run(vec![b'x'; 1_000_000]).unwrap_err();
    assert!(matches!(error, SubprocessError::TimedOut { .. }), "{error}");
}

#[test]
fn what_a_program_has_started_ends_with_it() {
    let pipe = Pipe::new();
    // What is left behind keeps the pipe and the standard output open.
    let leaves = pipe.sh("exec 3> pipe; cat <> never & echo done");
    let reads = thread::spawn("reads", move || pipe.read_to_end()).unwrap();
    assert_eq!(told(&leaves), "done\n");
    assert_eq!(reads.join().unwrap(), ""); // Nobody lives who could write.
}

/// A program that starts others and waits for them is ended in a way; what is told of it.
fn ended(end: impl FnOnce(Subprocess) -> Option<SubprocessError>) -> Option<SubprocessError> {
    let pipe = Pipe::new();
    let script = "exec 3> pipe; cat <> never & sh -c 'cat <> never; :' & echo begun >&3; wait";
    let running = pipe.sh(script).time_limit(20 * SOON).start(Vec::new()).unwrap();
    let mut file = std::fs::File::open(pipe.path()).unwrap();
    let mut begun = [0; 6];
    file.read_exact(&mut begun).unwrap();
    let error = end(running);
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap(); // Nobody lives who could write.
    error
}

#[test]
fn a_program_that_is_dropped_or_stopped_is_gone_with_all_that_it_has_started() {
    let dropped = ended(|running| {
        drop(running);
        None
    });
    assert!(dropped.is_none());
    let stopped = ended(|running| {
        let stopper = running.stopper();
        let waits = thread::spawn("waits", move || running.wait().unwrap_err()).unwrap();
        stopper.stop();
        let error = waits.join().unwrap();
        stopper.stop(); // Of what is gone: nothing.
        Some(error)
    });
    insta::assert_snapshot!(stopped.unwrap(), @"program `sh` was stopped: what it does is not needed any more");
    let late = ended(|running| running.wait().err());
    assert!(matches!(late, Some(SubprocessError::TimedOut { .. })), "{late:?}");
}

#[test]
fn a_program_whose_descendant_has_escaped_is_not_waited_for() {
    let pipe = Pipe::new();
    let script = "setsid sh -c 'echo there > pipe; exec cat <> never' & read said < pipe; echo $!";
    let escaped = told(&pipe.sh(script).time_limit(Duration::from_secs(60)));
    let escaped: u32 = escaped.trim().parse().unwrap_or_else(|_| panic!("{escaped}"));
    Program::new("kill").args(["-KILL", &escaped.to_string()]).run(Vec::new()).unwrap();
}

#[test]
fn a_program_that_does_not_read_is_found_out_if_it_matters() {
    // What fits into a pipe may be left there: nobody knows whether it was read.
    assert_eq!(Program::new("echo").arg("7").call::<_, u32>(&[1, 2]).unwrap(), 7);
    let closes = sh("exec <&-; echo 7");
    let error = closes.call::<_, u32>(&vec![7; 1_000_000]).unwrap_err();
    let SubprocessError::InputUnread { taken, len, .. } = error else { panic!("{error}") };
    assert!(taken < len && len == 2_000_001, "{taken} of {len}");
    insta::assert_snapshot!(
        SubprocessError::InputUnread { program: "sh".into(), taken: 9, len: 10 }, @"program `sh` ended after 9 of the 10 bytes that it was given: nobody knows what its answer is of"
    );
}

#[test]
fn what_is_no_json_is_shown() {
    let call = |script: &str| sh(script).call::<_, u32>(&1).unwrap_err().to_string();
    insta::assert_snapshot!(call("echo it is 7; echo warning >&2"), @r#"program `sh` answered "it is 7\n", which can't be read: expected value at line 1 column 1; it said: warning"#);
    insta::assert_snapshot!(call("echo '\"seven\"'"), @r#"program `sh` answered "\"seven\"\n", which can't be read: invalid type: string "seven", expected u32 at line 1 column 7"#);
    insta::assert_snapshot!(call("true"), @"program `sh` answered nothing, which can't be read: EOF while parsing a value at line 1 column 0");
    assert!(call("head -c 1000 /dev/urandom").contains("can't be read"));
    let unwritable = BTreeMap::from([(vec![1], 1)]);
    let error = sh("cat").call::<_, u32>(&unwritable).unwrap_err();
    assert!(matches!(error, SubprocessError::Input { .. }), "{error}");
}

#[test]
fn a_program_sees_what_it_is_given_and_nothing_else() {
    assert_eq!(told(&Program::new("env")), "");
    let some = Program::new("env").env("A", "1").env("A", "2").keep_env("NO_SUCH_VARIABLE");
    assert_eq!(told(&some), "A=2\n");
    let there = Program::new("pwd").arg("-P").dir("/");
    assert_eq!(told(&there), "/\n");
    let shown = format!("{:?}", Program::new("env").arg("secret").env("A", "secret"));
    assert!(!shown.contains("secret"), "{shown}");
    assert!(Path::new(Program::new("env").argv().next().unwrap()).is_relative());
}

#[test]
fn many_at_a_time_keep_out_of_each_others_way() {
    let threads: Vec<_> = (0..16_u32)
        .map(|n| {
            let work = move || {
                for round in 0..10_u32 {
                    let sum = sh("read a; echo $((a + 1))").call::<_, u32>(&(n + round)).unwrap();
                    assert_eq!(sum, n + round + 1);
                }
            };
            thread::spawn("calls", work).unwrap()
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn what_the_system_refuses_is_told() {
    let error = SubprocessError::Io { program: "sh".into(), source: Error::other("gone") };
    insta::assert_snapshot!(error, @"nothing more is heard of program `sh`");
    assert_eq!(Told::default().as_str(), "");
}
