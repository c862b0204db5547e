//! Ctrl-C and its kin: nothing is replaced, nothing is left behind, and the status says why.
//!
//! The tests feed the atlas through a named pipe, so that it is in the middle of its work for as
//! long as they like.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use insta::assert_snapshot;
use rustix::fs::OFlags;
use rustix::process::Signal;

use crate::program::{Fixture, Ran, await_some, signal};

/// A run that reads its packages from a pipe.
struct Piped {
    fixture: Fixture,
    child: Child,
    pipe: File,
}

impl Piped {
    /// Returns when the atlas has opened all its files.
    fn start(workers: &str) -> Piped {
        let fixture = Fixture::new();
        fixture.put("sizes.jsonl", "");
        fixture.put_earlier_results();
        let path = fixture.data().join("packages.jsonl");
        let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo can be started");
        assert!(made.success());
        let mut child = spawn(&fixture, workers);
        // Opening a pipe would wait for the other end, for ever if the atlas has ended instead.
        let flag = i32::try_from(OFlags::NONBLOCK.bits()).expect("it is one bit");
        let reader = await_some("the atlas at the pipe", || {
            let ended = child.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "the atlas ended instead of reading: {ended:?}");
            File::options().write(true).custom_flags(flag).open(&path).ok()
        });
        let pipe = File::options().write(true).open(path).expect("the atlas reads its packages");
        drop(reader);
        await_some("both temporary files", || (temporary(&fixture).len() == 2).then_some(()));
        Piped { fixture, child, pipe }
    }

    /// Sends packages without end, until the atlas takes no more.
    fn feed(&self) -> std::thread::JoinHandle<()> {
        let mut pipe = self.pipe.try_clone().expect("a pipe can be shared");
        std::thread::spawn(move || {
            for n in 0_u64.. {
                let line = format!(
                    "{{\"package\":\"p{n}\",\"section\":\"s\",\"depends\":[],\"provides\":[]}}\n"
                );
                if pipe.write_all(line.as_bytes()).is_err() {
                    return;
                }
            }
        })
    }

    /// Waits for the end, and checks that all is as it was before.
    fn end(self) -> String {
        let refusal = self.fixture.wait(self.child).refusal();
        drop(self.pipe);
        self.fixture.assert_earlier_results();
        refusal
    }
}

fn spawn(fixture: &Fixture, workers: &str) -> Child {
    let mut command = fixture.command(&["--workers", workers]);
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program can be started")
}

/// What the atlas is writing at the moment.
fn temporary(fixture: &Fixture) -> Vec<PathBuf> {
    let names = fixture.results().into_iter().filter(|name| name.starts_with(".selvedge-"));
    names.map(|name| fixture.out().join(name)).collect()
}

fn interrupt_in_the_middle(with: Signal) -> String {
    let mut refusals = ["1", "2", "8"].map(|workers| {
        let piped = Piped::start(workers);
        let feeder = piped.feed();
        signal(piped.child.id(), with);
        let refusal = piped.end();
        feeder.join().expect("the feeder only writes");
        refusal
    });
    refusals.sort();
    assert_eq!(refusals[0], refusals[2], "the message depends on the number of workers");
    std::mem::take(&mut refusals[0])
}

#[test]
fn one_signal_ends_the_run_early() {
    assert_snapshot!(interrupt_in_the_middle(Signal::INT), @"130: interrupted: nothing was written to `DIR/out`");
    assert_snapshot!(interrupt_in_the_middle(Signal::TERM), @"143: interrupted: nothing was written to `DIR/out`");
}

#[test]
fn a_second_signal_ends_a_run_that_hangs() {
    let hang = |workers: &str| {
        // The pipe stays silent: the source hangs in its read, and a first signal can't end that.
        let Piped { fixture, child, pipe } = Piped::start(workers);
        // Two of a kind might be taken for one, and a third would end the program by itself.
        signal(child.id(), Signal::INT);
        signal(child.id(), Signal::TERM);
        let ran: Ran = fixture.wait(child);
        drop(pipe);
        for name in ["closure.jsonl", "sections.jsonl"] {
            assert!(fixture.result(name).starts_with("earlier "), "{name} was replaced");
        }
        ran.refusal()
    };
    assert_snapshot!(["1", "2", "8"].map(hang).concat(), @r"
    130: error: aborted: turns under way were not waited for
    130: error: aborted: turns under way were not waited for
    130: error: aborted: turns under way were not waited for
    ");
}

#[test]
fn a_signal_while_results_are_written() {
    let fixture = Fixture::with_many(40_000);
    fixture.put_earlier_results();
    let child = spawn(&fixture, "2");
    let size = |path: PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
    await_some("the first results", || {
        temporary(&fixture).into_iter().any(|path| size(path) > 0).then_some(())
    });
    // The program is held while the signal is sent, so that the signal is the next it knows of.
    signal(child.id(), Signal::STOP);
    signal(child.id(), Signal::INT);
    signal(child.id(), Signal::CONT);
    assert_snapshot!(fixture.wait(child).refusal(), @"130: interrupted: nothing was written to `DIR/out`");
    fixture.assert_earlier_results();
}
