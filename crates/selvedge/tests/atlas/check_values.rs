//! The check values: the same results on any number of workers, from any compression and in any
//! order of lines.

use std::fs;
use std::io::Write as _;

use flate2::write::GzEncoder;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};
use serde_json::Value;

use crate::program::{Fixture, program, sample};

fn sample_text(name: &str) -> String {
    fs::read_to_string(sample().join(name)).expect("the sample is part of the repository")
}

/// What the report of a run comes to: packages, edges, unresolved, sum of closures.
fn figures(report: &Value) -> [u64; 4] {
    ["packages", "edges", "unresolved", "closure_sum"]
        .map(|key| report[key].as_u64().expect("it is a count"))
}

/// Sums sections up from the sample's lines.
fn expected_sections() -> String {
    let lines = |name: &str| -> Vec<Value> {
        let lines = sample_text(name);
        lines.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    };
    let sizes = lines("sizes.jsonl");
    let mut sections = std::collections::BTreeMap::<String, (u64, u64)>::new();
    for package in lines("packages.jsonl") {
        let size = sizes.iter().find(|size| size["package"] == package["package"]);
        let kib = size.and_then(|size| size["installed_size_kib"].as_u64());
        let section = package["section"].as_str().expect("a section is text").to_owned();
        let sum = sections.entry(section).or_default();
        *sum = (sum.0 + 1, sum.1 + kib.expect("every package of the sample has a size"));
    }
    let line = |(section, (packages, kib)): (String, (u64, u64))| {
        format!("{{\"section\":{section:?},\"packages\":{packages},\"installed_kib\":{kib}}}\n")
    };
    sections.into_iter().map(line).collect()
}

#[test]
fn the_sample_comes_to_its_check_values_on_any_number_of_workers() {
    for workers in ["1", "2", "8"] {
        let fixture = Fixture::new();
        let mut command = std::process::Command::new(program());
        command.arg("--out").arg(fixture.out()).args(["--json", "--workers", workers]);
        let report = fixture.end(&mut command).json();
        assert_eq!(figures(&report), [892, 3_963, 0, 22_094], "on {workers} workers");
        assert_eq!(report["workers"].to_string(), workers);
        assert_eq!(report["orphans"], Value::Array(Vec::new()));
        assert!(fixture.result("closure.jsonl") == sample_text("expected.jsonl"));
        assert_eq!(fixture.result("sections.jsonl"), expected_sections());
        assert_eq!(fixture.results(), ["closure.jsonl", "sections.jsonl"]);
    }
}

/// The lines in another order (Fisher and Yates).
fn shuffled(text: &str, seed: u64) -> String {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut lines: Vec<&str> = text.lines().collect();
    for n in (1..lines.len()).rev() {
        let other = generator.next_u64() % (n as u64 + 1);
        lines.swap(n, usize::try_from(other).expect("it is at most n"));
    }
    lines.join("\n")
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    written.expect("a vector takes everything")
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).expect("a vector takes everything")
}

#[test]
fn compression_and_the_order_of_lines_change_nothing() {
    let (packages, sizes) = (sample_text("packages.jsonl"), sample_text("sizes.jsonl"));
    for seed in 0..6 {
        let (packages, sizes) = (shuffled(&packages, seed), shuffled(&sizes, seed + 100));
        let fixture = Fixture::new();
        match seed % 3 {
            0 => {
                fixture.put("packages.jsonl.gz", gzip(&packages));
                fixture.put("sizes.jsonl.zst", zstd(&sizes));
            }
            1 => {
                fixture.put("packages.jsonl.zst", zstd(&packages));
                fixture.put("sizes.jsonl", &sizes);
            }
            _ => {
                fixture.put("packages.jsonl", &packages);
                fixture.put("sizes.jsonl.gz", gzip(&sizes));
            }
        }
        let report =
            fixture.run(&["--json", "--workers", ["1", "2", "8"][seed as usize % 3]]).json();
        assert_eq!(figures(&report), [892, 3_963, 0, 22_094], "seed {seed}");
        assert!(fixture.result("closure.jsonl") == sample_text("expected.jsonl"), "seed {seed}");
        assert_eq!(fixture.result("sections.jsonl"), expected_sections(), "seed {seed}");
    }
}

#[test]
fn all_of_debian_comes_to_its_check_values() {
    let fixture = Fixture::new();
    let mut command = std::process::Command::new(program());
    command.arg("--out").arg(fixture.out()).args(["--full", "--json"]);
    let report = fixture.end(&mut command).json();
    assert_eq!(figures(&report), [63_666, 264_830, 4, 4_055_506]);
    let lines = fixture.result("closure.jsonl");
    assert_eq!(lines.lines().count(), 63_666);
    assert!(lines.lines().is_sorted_by_key(|line| line.split('"').nth(3)), "not in byte order");
}
