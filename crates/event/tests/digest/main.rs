//! The digest's format and promises: golden vectors, laws, errors, the documented algorithm and the
//! bodies of the fuzz targets. Says nothing about speed; that is `benches/digest.rs`.

mod bodies;
mod decoding;
mod golden;
mod laws;
mod paths;
mod reference;
mod sets;
mod trees;
mod worked;

/// Bytes as lowercase hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
