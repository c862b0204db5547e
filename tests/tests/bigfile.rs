//! The program behind `cargo xtask bigfile`, on files that are not big.

use std::process::Command;

#[test]
fn a_file_goes_through_and_comes_out_right() {
    for bytes in [0, 1, 1_000, 3_000_000] {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let mut bigfile = Command::new(env!("CARGO_BIN_EXE_bigfile"));
        bigfile.args(["--bytes", &bytes.to_string(), "--dir"]).arg(folder.path());
        let output = bigfile.output().expect("the program can be started");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let size = folder.path().join("in.jsonl").metadata().map(|metadata| metadata.len());
        assert_eq!(size.expect("the file is kept"), bytes);
        assert!(folder.path().join("out.jsonl").exists());
    }
}

#[test]
fn a_folder_that_is_missing_is_a_failure() {
    let mut bigfile = Command::new(env!("CARGO_BIN_EXE_bigfile"));
    let output = bigfile.args(["--bytes", "10", "--dir", "no/such/folder"]).output();
    let output = output.expect("the program can be started");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    insta::assert_snapshot!(stderr, @"error: failed to generate no/such/folder/in.jsonl: No such file or directory (os error 2)");
}
