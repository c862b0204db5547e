//! Owns `Engine`, the small trait that a key-value engine satisfies to be a backend, and the guard
//! around one: its panics become errors, its records carry checksums.

use std::error::Error;
use std::fmt::Debug;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::error::RecordKey;
use crate::scan::{Order, Scan, after_prefix};

/// What went wrong in an engine, in its own words.
pub type EngineError = Box<dyn Error + Send + Sync>;

/// Keys and values as an engine gives them.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A write as an engine gets it: no value deletes.
pub type EngineWrite = (Vec<u8>, Option<Vec<u8>>);

/// Bounds of the keys to read.
pub type KeyRange<'k> = (Bound<&'k [u8]>, Bound<&'k [u8]>);

/// An ordered map from bytes to bytes in a directory of its own.
///
/// Nothing durable is asked of it: the log beside it is what is kept, and an engine is made anew
/// from it when it can't be trusted. One beside which something failed is not even dropped: it may
/// wait for the device. It must order keys by their bytes, and after its process was killed hold a
/// prefix of the batches applied to it.
pub trait Engine: Send + Sync + Debug {
    /// The value under a key.
    ///
    /// # Errors
    ///
    /// The engine's.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// The first records of a range, as many as `n_max`, in that order.
    ///
    /// # Errors
    ///
    /// The engine's.
    fn page(&self, range: KeyRange<'_>, order: Order, n_max: usize) -> Result<Pairs, EngineError>;

    /// Writes all, in one step as far as a killed process can tell.
    ///
    /// # Errors
    ///
    /// The engine's; it is not used any more after one.
    fn apply(&self, writes: Vec<EngineWrite>) -> Result<(), EngineError>;

    /// Hands what was applied to the system, so that a killed process loses none of it.
    ///
    /// # Errors
    ///
    /// The engine's; it is not used any more after one.
    fn hand_over(&self) -> Result<(), EngineError>;

    /// Whether all of it is as it was written. Asked once, when it is opened after its process was
    /// killed: what happened to its files since then nobody else can tell. One that finds out
    /// whenever something is read, and can't miss a record without that, has nothing to look for.
    ///
    /// # Errors
    ///
    /// The engine's; it is made anew then, as if it weren't sound.
    fn is_sound(&mut self) -> Result<bool, EngineError> {
        Ok(true)
    }
}

/// A kind of [`Engine`] with its settings.
pub trait Backend: Send + Sync + Debug {
    /// What it is called; also the name of its directory.
    fn name(&self) -> &'static str;

    /// Opens the engine in a directory, which may not be there yet.
    ///
    /// # Errors
    ///
    /// The engine's. The directory is then emptied, and it is asked again.
    fn open(&self, dir: &Path) -> Result<Box<dyn Engine>, EngineError>;
}

/// Calls an engine; a panic of its is an error.
pub(crate) fn guarded<T>(call: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result,
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("it panicked: {}", said.unwrap_or("without a message")).into())
        }
    }
}

/// Where the engine notes how far the log is applied; no record's key begins so.
pub(crate) const POSITION_KEY: &[u8] = &[0];

const SUM_LEN: usize = 8;
const RECORD_KEY: &[u8; 32] = b"selvedge store: a record, v1    ";

/// The engine's key of a record: the namespace with its length, then the key.
pub(crate) fn encode_key(namespace: &str, key: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(1 + namespace.len() + key.len());
    // At most 255: the name was checked.
    encoded.push(namespace.len() as u8);
    encoded.extend_from_slice(namespace.as_bytes());
    encoded.extend_from_slice(key);
    encoded
}

/// The record of an engine's key; the position's is none.
pub(crate) fn decode_key(encoded: &[u8]) -> Option<RecordKey> {
    let (&n_namespace, rest) = encoded.split_first()?;
    let (namespace, key) = rest.split_at_checked(usize::from(n_namespace))?;
    let namespace = std::str::from_utf8(namespace).ok().filter(|name| !name.is_empty())?;
    Some(RecordKey::new(namespace, key))
}

/// The bounds of a scan in the engine's keys.
pub(crate) fn encode_range(scan: &Scan) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let whole = encode_key(&scan.namespace, b"");
    let encode = |bound: &Bound<Vec<u8>>| match bound {
        Bound::Included(key) => Some(Bound::Included(encode_key(&scan.namespace, key))),
        Bound::Excluded(key) => Some(Bound::Excluded(encode_key(&scan.namespace, key))),
        Bound::Unbounded => None,
    };
    let from = encode(&scan.from).unwrap_or_else(|| Bound::Included(whole.clone()));
    (from, encode(&scan.to).unwrap_or_else(|| after_prefix(&whole)))
}

/// The engine's value of a record: the value, then a checksum of key and value.
pub(crate) fn encode_value(encoded_key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let sum = record_sum(encoded_key, &value);
    value.extend_from_slice(&sum);
    value
}

/// The value, if it is what was written under this key.
pub(crate) fn decode_value(encoded_key: &[u8], mut value: Vec<u8>) -> Option<Vec<u8>> {
    let n_value = value.len().checked_sub(SUM_LEN)?;
    let is_sound = record_sum(encoded_key, &value[..n_value]) == value[n_value..];
    value.truncate(n_value);
    is_sound.then_some(value)
}

fn record_sum(encoded_key: &[u8], value: &[u8]) -> [u8; SUM_LEN] {
    let mut hasher = blake3::Hasher::new_keyed(RECORD_KEY);
    hasher.update(&(encoded_key.len() as u64).to_le_bytes()).update(encoded_key).update(value);
    let hash = hasher.finalize();
    std::array::from_fn(|index| hash.as_bytes()[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_sound_under_its_own_key_only() {
        let (here, there) = (encode_key("n", b"here"), encode_key("n", b"there"));
        let value = encode_value(&here, b"value".to_vec());
        assert_eq!(decode_value(&here, value.clone()), Some(b"value".to_vec()));
        assert_eq!(decode_value(&there, value.clone()), None);
        assert_eq!(decode_value(&here, value[1..].to_vec()), None);
        assert_eq!(decode_value(&here, Vec::new()), None);
    }

    #[test]
    fn a_panic_is_an_error() {
        let error = guarded::<()>(|| panic!("tried to serialize {}", "Uninitialized"));
        let error = error.expect_err("it panics");
        insta::assert_snapshot!(error, @"it panicked: tried to serialize Uninitialized");
    }
}
