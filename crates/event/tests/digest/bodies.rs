//! What the fuzz targets do with an input, run here over a seed corpus and random inputs.
//!
//! `fuzz/fuzz_targets/` includes this file, so that what was found there is repeated here. A body
//! panics on a broken promise and on nothing else.

use selvedge_event::{Digest, digest};

/// Any bytes: decoding refuses them or gives back the value they are the encoding of.
pub(crate) fn decode_any(bytes: &[u8]) {
    match digest::decode(bytes) {
        Ok(tree) => {
            let again = digest::encode(&tree).expect("a decoded tree has an encoding");
            assert_eq!(again, bytes, "decoding accepted a second encoding of {tree:?}");
            Digest::of(&tree).expect("a decoded tree has a digest");
        }
        Err(error) => assert!(error.offset() <= bytes.len(), "{error} of {} bytes", bytes.len()),
    }
}

/// Any JSON text: its value survives encoding, and printing it doesn't change the digest.
pub(crate) fn json_round_trip(text: &str) {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else { return };
    let bytes = digest::encode(&value).expect("JSON has no NaN, equal keys or too deep nesting");
    let tree = digest::decode(&bytes).expect("an encoding decodes");
    assert_eq!(digest::encode(&tree).as_ref(), Ok(&bytes), "{value}");
    assert_eq!(Digest::of(&tree), Digest::of(&value), "{value}");

    let printed = value.to_string();
    let parsed: serde_json::Value = serde_json::from_str(&printed).expect("printed JSON parses");
    assert_eq!(Digest::of(&parsed), Digest::of(&value), "{printed}");
    let plain = serde_json::to_string(&tree.plain()).expect("JSON can show it");
    let parsed: serde_json::Value = serde_json::from_str(&plain).expect("plain JSON parses");
    assert_eq!(Digest::of(&parsed), Digest::of(&value), "{plain}");
}
