//! Owns `Signature`: which code, and which version of it, works on a value.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Identifies a processor's code. Ids, names and wiring are not in it: renaming keeps caches.
///
/// ```
/// use selvedge_event::Signature;
/// assert_eq!(Signature::version("3").to_string(), "version:3");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Signature {
    /// The hash of the code's token stream, blind to whitespace and comments.
    Code(Digest),
    /// What the author declared; stands in place of the code's hash.
    Version(String),
}

impl Signature {
    /// A signature from the hash that a macro took of the code.
    #[must_use]
    pub const fn code(hash: [u8; 32]) -> Signature {
        Signature::Code(Digest::from_bytes(hash))
    }

    /// A declared version.
    pub fn version(version: impl Into<String>) -> Signature {
        Signature::Version(version.into())
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Signature::Code(digest) => write!(f, "code:{digest}"),
            Signature::Version(version) => write!(f, "version:{version}"),
        }
    }
}
