//! Owns the ways in which a store can fail, and how records are named in messages.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::damage::Damage;

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
    /// The system refused a file operation.
    #[error("failed to {doing} {name}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        name: String,
        /// The system's words.
        source: io::Error,
    },
    /// The engine failed or panicked.
    #[error("{engine} failed to {doing}: {reason}; open the store again to have it made anew")]
    Engine {
        /// Its name.
        engine: &'static str,
        /// What was tried.
        doing: &'static str,
        /// Its words.
        reason: String,
    },
    /// Nothing is written any more, because a promise could not be kept.
    #[error("the store is read only: {reason}; once that is mended, open it again")]
    ReadOnly {
        /// What happened.
        reason: String,
    },
    /// Another process, or another handle in this one, has the store open.
    #[error("{} is in use by process {pid}, which has to close it first", path.display())]
    Locked {
        /// The store's directory.
        path: PathBuf,
        /// Who has it; 0 if it didn't say.
        pid: u32,
    },
    /// The store was written by a newer version of this library.
    #[error("{name} has format {found}, newer than {known}; use the program that wrote it")]
    Newer {
        /// The file that says so.
        name: String,
        /// The version found.
        found: u64,
        /// The highest version known.
        known: u64,
    },
    /// A directory or stream that isn't a store's.
    #[error("{name} isn't a store's: {reason}")]
    Foreign {
        /// The file that says so.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A record isn't what was written. The others can be read.
    #[error("{at} isn't what was written; `verify` lists what else isn't, opening again mends it")]
    DamagedRecord {
        /// The record.
        at: RecordKey,
    },
    /// A value in the content store isn't what was put, or its file is missing.
    #[error("value {digest} isn't what was put; erase it, and put it again")]
    DamagedValue {
        /// Its digest, as it is written.
        digest: String,
    },
    /// What was durable is missing or isn't what was written, and can't be made from what is left.
    #[error(
        "{}{}; open it with `OnDamage::ReadOnly` to read the rest, or with `OnDamage::Repair` to \
         give the damaged part up",
        damages.first().map(ToString::to_string).unwrap_or_default(),
        if damages.len() > 1 { format!(" (and {} more)", damages.len() - 1) } else { String::new() }
    )]
    Damaged {
        /// All that was found.
        damages: Vec<Damage>,
    },
    /// More was written since a snapshot was taken than it may keep aside.
    #[error(
        "the snapshot is too old: over {n_bytes_max} bytes were replaced since; take a new one"
    )]
    SnapshotTooOld {
        /// The limit.
        n_bytes_max: usize,
    },
}

pub(crate) fn io_error(doing: &'static str, name: &str, source: io::Error) -> StoreError {
    StoreError::Io { doing, name: name.to_owned(), source }
}

/// An error with its causes, on one line.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}
