//! Owns what is left of an erased value: a note. And what a history asks of whoever keeps values.

use std::error::Error;
use std::fmt::Debug;

use selvedge_event::{Digest, Text};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What is left of a value that was erased: the records still name its digest, and this says why
/// nobody can show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// The value.
    pub digest: Digest,
    /// When it was erased.
    pub at: Timestamp,
    /// Why, as who asked for it put it.
    pub reason: Text,
}

/// Whoever keeps values by digest, as a history needs it: the content store, or a fake of it.
pub trait Values: Send + Sync + Debug {
    /// Erases a value, whoever else refers to it. Whether it was there.
    ///
    /// # Errors
    ///
    /// What kept it from being erased.
    fn erase(&self, digest: &Digest) -> Result<bool, Box<dyn Error + Send + Sync>>;

    /// Lets go of a value for the history, which refers to it no longer. It goes unless somebody
    /// else does. Whether it went.
    ///
    /// # Errors
    ///
    /// What kept it from being removed.
    fn release(&self, digest: &Digest) -> Result<bool, Box<dyn Error + Send + Sync>>;

    /// Gives room back, so that nothing of what was erased is left in files or free pages.
    ///
    /// # Errors
    ///
    /// What kept it from that.
    fn compact(&self) -> Result<(), Box<dyn Error + Send + Sync>>;
}
