//! The command as a user types it: exit codes, messages and the line of JSON.

use std::process::Command;

use insta::assert_snapshot;
use selvedge_peers::peers;

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
    assert!(peers().all(|peer| unknown_peer.contains(peer.name)), "{unknown_peer}");
    assert_snapshot!(refusal("--peer kanal --workload w1"), @r"
    Some(2) error:
    invalid value 'w1' for '--workload <W>':
    unknown workload `w1`; pick one of W1, W1i, W1p, W1l, W2, W2i, W3, W4, W4p, scaling, W5, W6, W6s, W6j, W6k, W6m, W7, W7u, Q8, Q100
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
    selvedge              our own, two threads: the caller helps   W1 W1p W1l W2 W2i W3 W4 scaling W5 W6 W6k W7 Q8 Q100
    selvedge_t3           our own, two threads besides the caller  W1 W1p W1l W2 W2i W3 W4 scaling W5 W6 W6k W7 Q8 Q100
    selvedge_w1           our own, the caller alone                W1 W1p W1l W2 W2i W3 W4 scaling W5 W6 W6k W7 Q8 Q100
    selvedge_obs          selvedge with an idle observer           W1 W1p W1l W2 W2i W3 W4 scaling W5 W6 W6k W7 Q8 Q100
    selvedge_obs_full     the same, told of every turn             W1 W1p W1l W2 W2i W3 W4 scaling W5 W6 W6k W7 Q8 Q100
    limit                 by hand: what the machine allows         W1 W1i W2 W3 W4 W5 W6 W6s W6j W7
    graph                 our graphs: every input is built from    W4 W6 W6m W7 W7u
    graph_dedupe          our graphs, inputs remembered in memory  W4
    graph_persist         our graphs, results kept on the disk     W4p
    store                 the store alone, the same records        W4p
    graph_shards          our graphs, a join in two shards         W6
    graph_least           our graphs, work to whoever has least    W7 W7u
    crossbeam             crossbeam-channel, unbounded             W1 W2 W3 W4 W6 W7
    crossbeam_b1024       crossbeam-channel, bounded to 1024       W1 W2 W3 W4 W6 W7
    kanal                 kanal, unbounded                         W1 W2 W3 W4 W6 W7
    kanal_b1024           kanal, bounded to 1024                   W1 W2 W3 W4 W6 W7
    std_mpsc              std::sync::mpsc, unbounded               W1 W2 W3 W4 W6 W7
    flume                 flume, unbounded                         W1 W2 W3 W4 W6 W7
    mutex_condvar         Mutex<VecDeque> and Condvar, unbounded   W1 W2 W3 W4 W6 W7
    crossbeam_shared_mpmc two threads on one bounded queue         W7
    rayon                 a parallel iterator                      W7 W7u
    actix_1arb            actix actors on one arbiter              W1 W2 W2i W3 W4 W5 W6 W7
    actix_2arb            actix actors dealt to two arbiters       W1 W2 W2i W3 W4 W5 W6 W7
    tokio_mpsc            tokio tasks, two workers                 W1 W2 W2i W3 W4 W5 W6 W7
    tokio_mpsc_ct         tokio tasks, current-thread runtime      W1 W2 W2i W3 W4 W5 W6 W7
    ractor                ractor actors, two workers               W1 W2 W2i W3 W4 W5 W6 W7
    ractor_ct             ractor actors, current-thread runtime    W1 W2 W2i W3 W4 W5 W6 W7
    kameo                 kameo actors, two workers                W1 W2 W2i W3 W4 W5 W6 W7
    kameo_ct              kameo actors, current-thread runtime     W1 W2 W2i W3 W4 W5 W6 W7
    xtra                  xtra actors, two workers                 W1 W2 W2i W3 W4 W5 W6 W7
    xtra_ct               xtra actors, current-thread runtime      W1 W2 W2i W3 W4 W5 W6 W7
    timely_1w             timely, one worker                       W1 W4 W6 W6j
    timely_2w             timely, two workers                      W1 W4 W6 W6j

    W1      hop (one delivery)
    W1i     hop (one delivery)
    W1p     hop (one delivery)
    W1l     hop (one delivery)
    W2      message
    W2i     message
    W3      delivery (events x 16 subscribers)
    W4      event through all 8 stages
    W4p     event through all 8 stages
    scaling event through all 8 stages
    W5      message, creation of the actors included
    W6      input event (two per pair)
    W6s     input event (two per pair)
    W6j     input event (about 20 pairs each)
    W6k     input event (two per pair)
    W6m     input event (two per pair)
    W7      task of about 10 us
    W7u     task of about 20 us on average
    Q8      event queued and handled
    Q100    event queued and handled
    ");
}
