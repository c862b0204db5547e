//! The command as a user types it: exit codes, messages and the line of JSON.

use std::process::Command;

use insta::assert_snapshot;
use selvedge_peers::PEERS;

/// Exit code, standard output and standard error of one call.
fn call(args: &str) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_selvedge-peers"))
        .args(args.split_whitespace())
        .output()
        .expect("the command was built with the test");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the command prints UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Exit code and first line of standard error, broken at its colons.
fn refusal(args: &str) -> String {
    let (code, stdout, stderr) = call(args);
    assert_eq!(stdout, "", "a refusal prints no figure");
    let first = stderr.lines().next().unwrap_or_default();
    format!("{code:?} {}", first.replace(": ", ":\n"))
}

#[test]
fn a_run_prints_one_line_of_json() {
    let (code, stdout, _) = call("--peer kanal --workload W2 --scale 0.001");
    assert_eq!(code, Some(0));
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    let line: serde_json::Value = serde_json::from_str(&stdout).expect("the line is JSON");
    assert_eq!(line["peer"], "kanal");
    assert_eq!(line["workload"], "W2");
    assert_eq!(line["n"], 4000);
}

#[test]
fn a_refusal_says_what_to_ask_for_instead() {
    let unknown_peer = refusal("--peer canal --workload W1");
    assert!(unknown_peer.contains("unknown peer `canal`; pick one of"), "{unknown_peer}");
    assert!(PEERS.iter().all(|peer| unknown_peer.contains(peer.name)), "{unknown_peer}");
    assert_snapshot!(refusal("--peer kanal --workload w1"), @r"
    Some(2) error:
    invalid value 'w1' for '--workload <W>':
    unknown workload `w1`; pick one of W1, W1i, W2, W2i, W3, W4, W5, W6, W6s, W6j, W7
    ");
    assert_snapshot!(refusal("--peer kanal --workload W5"), @r"
    Some(3) error:
    peer `kanal` does not run W5; it runs W1, W2, W3, W4, W6, W7
    ");
    assert_snapshot!(refusal("--peer kanal --workload W1 --scale 0"), @r"
    Some(2) error:
    invalid value '0' for '--scale <FACTOR>':
    scale `0` is out of range; give a number above 0 and at most 1000
    ");
    assert_snapshot!(refusal("--peer kanal"), @r"
    Some(2) error:
    the following required arguments were not provided:
    ");
}

#[test]
fn the_list_is_the_registry() {
    let (code, stdout, _) = call("--list");
    assert_eq!(code, Some(0));
    assert_snapshot!(stdout, @r"
    selvedge              W1 W2 W2i W3 W4 W5 W6 W7         our own, two threads: the caller helps
    selvedge_t3           W1 W2 W2i W3 W4 W5 W6 W7         our own, two threads besides the caller
    crossbeam             W1 W2 W3 W4 W6 W7                crossbeam-channel, unbounded
    crossbeam_b1024       W1 W2 W3 W4 W6 W7                crossbeam-channel, bounded to 1024
    kanal                 W1 W2 W3 W4 W6 W7                kanal, unbounded
    kanal_b1024           W1 W2 W3 W4 W6 W7                kanal, bounded to 1024
    std_mpsc              W1 W2 W3 W4 W6 W7                std::sync::mpsc, unbounded
    flume                 W1 W2 W3 W4 W6 W7                flume, unbounded
    mutex_condvar         W1 W2 W3 W4 W6 W7                Mutex<VecDeque> and Condvar, unbounded
    crossbeam_shared_mpmc W7                               two threads on one bounded queue
    rayon                 W7                               a parallel iterator
    actix_1arb            W1 W2 W2i W3 W4 W5 W6 W7         actix actors on one arbiter
    actix_2arb            W1 W2 W2i W3 W4 W5 W6 W7         actix actors dealt to two arbiters
    tokio_mpsc            W1 W2 W2i W3 W4 W5 W6 W7         tokio tasks, two workers
    tokio_mpsc_ct         W1 W2 W2i W3 W4 W5 W6 W7         tokio tasks, current-thread runtime
    ractor                W1 W2 W2i W3 W4 W5 W6 W7         ractor actors, two workers
    ractor_ct             W1 W2 W2i W3 W4 W5 W6 W7         ractor actors, current-thread runtime
    kameo                 W1 W2 W2i W3 W4 W5 W6 W7         kameo actors, two workers
    kameo_ct              W1 W2 W2i W3 W4 W5 W6 W7         kameo actors, current-thread runtime
    xtra                  W1 W2 W2i W3 W4 W5 W6 W7         xtra actors, two workers
    xtra_ct               W1 W2 W2i W3 W4 W5 W6 W7         xtra actors, current-thread runtime
    timely_1w             W1 W4 W6 W6j                     timely, one worker
    timely_2w             W1 W4 W6 W6j                     timely, two workers
    limit                 W1 W1i W2 W3 W4 W5 W6 W6s W6j W7 by hand: what the machine allows

    W1   hop (one delivery)
    W1i  hop (one delivery)
    W2   message
    W2i  message
    W3   delivery (events x 16 subscribers)
    W4   event through all 8 stages
    W5   message, creation of the actors included
    W6   input event (two per pair)
    W6s  input event (two per pair)
    W6j  input event (about 20 pairs each)
    W7   task of about 10 us
    ");
}
