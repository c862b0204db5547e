//! The program behind `cargo xtask soak`, on too few events to say anything about memory. (Whether
//! it finds nothing amiss with enough of them is a step of `cargo xtask ci`.)

use std::process::Command;

#[test]
fn a_run_says_what_it_found_and_what_is_amiss() {
    let mut soak = Command::new(env!("CARGO_BIN_EXE_soak"));
    let output = soak.args(["--events", "7", "--json"]).output();
    let output = output.expect("the program can be started");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let found: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("it prints one JSON object");
    assert_eq!(found["balances"], true, "{found}");
    assert_eq!(found["ok"], false, "{found}");
    let last = stderr.lines().last().unwrap_or_default();
    // How many depends on how the source was pulled from.
    let (n_readings, rest) = last.strip_prefix("error: only ").unwrap_or(last).split_at(1);
    assert!("1234567".contains(n_readings), "{last}");
    insta::assert_snapshot!(rest, @" readings after the warm-up, use more events");
    assert_eq!(found["amiss"][0], format!("only {n_readings}{rest}"));
}
