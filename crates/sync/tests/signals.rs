//! A watched signal reaches its callback; once nobody watches it ends the process again.
#![cfg(unix)]

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use rustix::process::{Signal as Raw, getpid, kill_process};
use selvedge_sync::signal::{Signal, watch};

#[test]
fn both_signals_reach_the_callback_in_order_of_arrival() {
    let (sender, seen) = mpsc::channel();
    let watch = watch(move |signal| sender.send(signal).expect("the test listens"))
        .expect("handlers can be installed");
    for (raw, signal) in [(Raw::INT, Signal::Interrupt), (Raw::TERM, Signal::Terminate)] {
        kill_process(getpid(), raw).expect("a process may signal itself");
        assert_eq!(seen.recv().expect("the callback runs"), signal);
    }
    drop(watch);
    assert!(seen.recv().is_err(), "the callback is gone with the watch");
}

/// Runs again, as a child, the test that would not survive it.
#[test]
fn a_signal_nobody_watches_any_more_ends_the_process() {
    const CHILD: &str = "SELVEDGE_SIGNAL_CHILD";
    if std::env::var_os(CHILD).is_some() {
        drop(watch(|_| ()).expect("handlers can be installed"));
        kill_process(getpid(), Raw::TERM).expect("a process may signal itself");
        unreachable!("the signal should have ended this process");
    }
    let status = Command::new(std::env::current_exe().expect("a test has a path"))
        .args(["--exact", "a_signal_nobody_watches_any_more_ends_the_process"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .status()
        .expect("this test can run itself");
    assert_eq!(status.signal(), Some(Raw::TERM.as_raw()));
}
