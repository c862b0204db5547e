//! Events, topics, interests, digests and the facts an observer can be told.

pub mod digest;

pub use digest::{Digest, DigestError};
