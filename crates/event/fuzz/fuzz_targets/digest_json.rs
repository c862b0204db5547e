//! Any text as JSON and its digest: `cargo +nightly fuzz run digest_json`.
#![no_main]

#[path = "../../tests/digest/bodies.rs"]
#[expect(dead_code, reason = "each target runs one of the bodies")]
mod bodies;

libfuzzer_sys::fuzz_target!(|text: &str| bodies::json_round_trip(text));
