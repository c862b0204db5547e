//! How much memory runs take, asked of the kernel about a process of their own.

use std::process::Command;

/// What the program prints as the figure.
fn measured(args: &[&str]) -> f64 {
    let mut flowbench = Command::new(env!("CARGO_BIN_EXE_flowbench"));
    let output = flowbench.args(args).output().expect("the program can be started");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let line: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("it prints one JSON object");
    line["value"].as_f64().expect("a figure is a number")
}

#[test]
fn values_are_dropped_with_their_last_readers() {
    // Of 10 GB there are never more than a few values at a time.
    let mib = measured(&["memory_plain"]);
    assert!(mib < 64.0, "{mib} MiB");
    // Taking digests keeps none of them either; less of it, since digests take their time.
    let mib = measured(&["memory_lineage", "--nodes", "1000"]);
    assert!(mib < 64.0, "{mib} MiB");
}

#[test]
fn a_node_that_waits_is_small() {
    let bytes = measured(&["idle_bytes"]);
    assert!(bytes <= 512.0, "{bytes} bytes");
}

#[test]
fn every_figure_can_be_measured() {
    for figure in ["dag_plain", "chain_lineage", "map_journal", "build", "plan"] {
        assert!(measured(&[figure, "--runs", "1", "--nodes", "100"]) > 0.0, "{figure}");
    }
}
