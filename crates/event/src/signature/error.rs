//! Owns the reasons for which a processor has no signature.

use thiserror::Error;

use crate::digest::DigestError;

/// Why there is no signature to know a processor's results by.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Nothing was said.
    #[error(
        "it has no signature: put `#[processor]` on its impl block, or write `fn signature` with \
         a version"
    )]
    None,
    /// It has fields, which may change its results, and they have no digest.
    #[error(
        "its fields may change what it emits, and its signature doesn't cover them: derive \
         `Serialize` for it, with `#[serde(skip)]` on those that don't, or write `fn signature`"
    )]
    UnknownConstants,
    /// Its fields were to be digested.
    #[error("its fields have no digest: {0}")]
    Constants(DigestError),
}

impl From<DigestError> for SignatureError {
    fn from(error: DigestError) -> SignatureError {
        SignatureError::Constants(error)
    }
}
