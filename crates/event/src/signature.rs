//! Owns `Signature`: which code, and which version of it, works on a value.

mod error;
mod used;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, DigestError};
use crate::text::Text;

pub use error::SignatureError;
pub use used::Used;

/// Identifies code together with the constants it was given. The names under which processors are
/// registered, and their wiring, are not in it: renaming them keeps caches.
///
/// ```
/// use selvedge_event::Signature;
/// let third = Signature::of_version("shop::Till", "3");
/// assert_eq!(third.to_string(), "shop::Till version 3");
/// assert_ne!(third, Signature::of_version("shop::Scale", "3"));
/// assert_ne!(third.clone().with_constants(&2)?, third.with_constants(&3)?);
/// # Ok::<(), selvedge_event::DigestError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signature {
    code: Code,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    constants: Option<Digest>,
}

/// What stands for the code in a [`Signature`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The hash of the code's token stream, blind to whitespace and comments.
    Hash(Digest),
    /// What the author declared, in place of the code's hash.
    Version {
        /// Whose code: `<package>::<Type>` where a macro writes it.
        subject: Text,
        /// Which version of it.
        version: Text,
    },
}

impl Signature {
    /// A signature from the hash that a macro took of the code, the type's name included.
    #[must_use]
    pub const fn of_code(hash: [u8; 32]) -> Signature {
        Signature { code: Code::Hash(Digest::from_bytes(hash)), constants: None }
    }

    /// A declared version of `subject`, which is `<package>::<Type>` where a macro writes it.
    pub fn of_version(subject: impl Into<Text>, version: impl Into<Text>) -> Signature {
        let code = Code::Version { subject: subject.into(), version: version.into() };
        Signature { code, constants: None }
    }

    /// The same code, with the functions that it uses: it differs when one of them does. A declared
    /// version stays as it is, since it stands for all that is used, too.
    ///
    /// # Panics
    ///
    /// Never: hashes have digests.
    #[must_use]
    pub fn using(mut self, uses: &[&Used]) -> Signature {
        if let Code::Hash(own) = self.code {
            let both = Digest::of(&("selvedge uses 1", own, uses));
            self.code = Code::Hash(both.expect("hashes have digests"));
        }
        self
    }

    /// Puts together what [`code`](Self::code) and [`constants`](Self::constants) took apart, for
    /// those who keep signatures in a form of their own.
    #[must_use]
    pub const fn from_parts(code: Code, constants: Option<Digest>) -> Signature {
        Signature { code, constants }
    }

    /// What stands for the code.
    #[must_use]
    pub const fn code(&self) -> &Code {
        &self.code
    }

    /// The digest of the constants, if there are any.
    #[must_use]
    pub const fn constants(&self) -> Option<&Digest> {
        self.constants.as_ref()
    }

    /// Tells apart what the same code does with other constants.
    ///
    /// # Errors
    ///
    /// When the constants have no digest.
    pub fn with_constants<T: Serialize + ?Sized>(
        mut self,
        constants: &T,
    ) -> Result<Signature, DigestError> {
        self.constants = Some(Digest::of(constants)?);
        Ok(self)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Code::Hash(digest) => write!(f, "code {digest}")?,
            Code::Version { subject, version } => write!(f, "{subject} version {version}")?,
        }
        match &self.constants {
            Some(constants) => write!(f, " with {constants}"),
            None => Ok(()),
        }
    }
}
