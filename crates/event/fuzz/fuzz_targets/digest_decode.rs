//! Any bytes as a canonical encoding: `cargo +nightly fuzz run digest_decode`.
#![no_main]

#[path = "../../tests/digest/bodies.rs"]
#[expect(dead_code, reason = "each target runs one of the bodies")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::decode_any(bytes));
