//! Owns `Damage`: what isn't as it was written, and where.

use std::fmt;

use crate::error::RecordKey;

/// Something that isn't what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// A record in the engine. The log has it still: opening the store again mends it.
    Record {
        /// Which one.
        at: RecordKey,
    },
    /// Bytes of a file of the log.
    Log {
        /// The file, in the store's directory.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Batches that were durable are gone from the end of the log.
    LostTail {
        /// The position of the first.
        from: u64,
        /// The position of the last.
        to: u64,
    },
    /// The mark that says how far the log was durable can't be read.
    Mark,
    /// The file of a value in the content store is missing or holds something else.
    Value {
        /// The value's digest, as it is written.
        digest: String,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Record { at } => write!(f, "record {at} isn't what was written"),
            Damage::Log { file, offset, what } => write!(f, "{file} at byte {offset}: {what}"),
            Damage::LostTail { from, to } => {
                write!(f, "batches {from} to {to} are gone from the end of the log")
            }
            Damage::Mark => f.write_str("the mark of how far the log was durable can't be read"),
            Damage::Value { digest } => write!(f, "value {digest} isn't what was written"),
        }
    }
}
