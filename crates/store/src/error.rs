//! Owns the ways in which a store can fail, and how records are named in messages.

use std::fmt;

use thiserror::Error;

/// The name of a record: where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// The namespace.
    pub namespace: String,
    /// The key in it.
    pub key: Vec<u8>,
}

impl RecordKey {
    /// Names a record.
    #[must_use]
    pub fn new(namespace: &str, key: &[u8]) -> RecordKey {
        RecordKey { namespace: namespace.to_owned(), key: key.to_owned() }
    }
}

/// As `namespace/key`, with bytes that aren't printable escaped, and long keys cut.
impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 80;
        let shown = &self.key[..self.key.len().min(SHOWN_MAX)];
        write!(f, "{}/{}", self.namespace, shown.escape_ascii())?;
        if shown.len() < self.key.len() {
            write!(f, "… ({} bytes)", self.key.len())?;
        }
        Ok(())
    }
}

/// Why a store refused or failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A namespace's name is empty or longer than 255 bytes.
    #[error("`{namespace}` can't be a namespace, use 1 to 255 bytes")]
    BadNamespace {
        /// The name.
        namespace: String,
    },
    /// A key, a value or a batch is over its limit.
    #[error("{what} of {n_bytes} bytes is over the limit of {n_bytes_max}, split it up")]
    TooLarge {
        /// Which of them.
        what: &'static str,
        /// Its size.
        n_bytes: usize,
        /// The limit.
        n_bytes_max: usize,
    },
    /// A condition of a batch didn't hold; nothing was written.
    #[error("{at} isn't what the batch requires, nothing was written; read it again and retry")]
    Conflict {
        /// The record that is different.
        at: RecordKey,
    },
}
