//! What keeps a value from having a digest, and where in the value it stands.
//!
//! Owns paths: an error starts without one and each level of the walk puts its own segment on it
//! on the way out, so that values without errors pay nothing. Refuses to show whole values.

use std::fmt;

use serde::ser;

use crate::topic::Kind;

/// A value that has no digest: what is wrong, and where in the value.
///
/// Written `orders[3].price: NaN has no digest, …`; the path is left out when the value itself is
/// meant. One pointer wide, because every step of the walk returns it.
#[derive(Debug, Clone, PartialEq)]
pub struct DigestError(Box<Failure>);

#[derive(Debug, Clone, PartialEq)]
struct Failure {
    problem: DigestProblem,
    /// Innermost first.
    path: Vec<Segment>,
}

/// Why a value has no digest.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestProblem {
    /// A float that is NaN or infinite.
    #[error("{value} has no digest, give a missing number as an Option")]
    NotFinite {
        /// The float; an `f32` as the `f64` of equal value.
        value: f64,
    },
    /// Two entries of a map, or two fields of a struct, with one key.
    #[error("the key {key} occurs twice, drop or rename one")]
    DuplicateKey {
        /// The key as text, shortened.
        key: String,
    },
    /// Two equal elements of a set.
    #[error("the element {element} occurs twice in a set, drop one or use a sequence")]
    DuplicateElement {
        /// The element as text, shortened.
        element: String,
    },
    /// A `Serialize` implementation announced one length and gave another.
    #[error("{announced} items announced but {found} given, correct the Serialize implementation")]
    Length {
        /// The length it announced.
        announced: usize,
        /// The number of items that came.
        found: usize,
    },
    /// Nesting deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    #[error("nested deeper than {max} levels, flatten the value")]
    TooDeep {
        /// The deepest nesting allowed.
        max: usize,
    },
    /// A `Serialize` implementation gave a map key without a value, or the other way round.
    #[error(
        "a map key without a value or a value without a key, correct the Serialize implementation"
    )]
    Unpaired,
    /// The set marker around something that serde doesn't report as a sequence.
    #[error("marked as a set but not a sequence, mark the collection itself")]
    NotASequence,
    /// A `Serialize` implementation went on after an error instead of returning it.
    #[error("an earlier error was dropped, return it from the Serialize implementation")]
    ErrorDropped,
    /// An event whose payload does not implement `Serialize`.
    #[error("events of kind `{kind}` are not serializable, derive Serialize for the payload")]
    NotSerializable {
        /// The event's kind.
        kind: Kind,
    },
    /// A `Serialize` implementation reported an error of its own.
    #[error("the Serialize implementation failed: {message}")]
    Custom {
        /// Its message.
        message: String,
    },
}

/// One step from a value to a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// A struct field or an enum variant.
    Field(&'static str),
    /// The value under a map key, as `describe` shows it.
    Key(String),
    /// The value of a map entry whose key is gone, in the order of iteration.
    Entry(usize),
    /// The key of a map entry, in the order of iteration.
    KeyItself(usize),
    /// An item of a sequence or, in the order of iteration, of a set.
    Index(usize),
}

impl DigestError {
    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &DigestProblem {
        &self.0.problem
    }

    /// Where it is wrong, as in `orders[3].price`; empty for the value itself.
    ///
    /// Fields, enum variants and map keys that look like names are joined by dots; other keys and
    /// indices stand in brackets; `{key 2}` is the third key of a map, in the order of iteration.
    /// `Some` and newtypes leave no trace, as in JSON.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = String::new();
        for segment in self.0.path.iter().rev() {
            let part = match segment {
                Segment::Field(name) => (*name).to_owned(),
                Segment::Key(key) => match name_in_quotes(key) {
                    Some(name) => name.to_owned(),
                    None => format!("[{key}]"),
                },
                Segment::Index(index) => format!("[{index}]"),
                Segment::Entry(index) => format!("{{entry {index}}}"),
                Segment::KeyItself(index) => format!("{{key {index}}}"),
            };
            if !path.is_empty() && !part.starts_with(['[', '{']) {
                path.push('.');
            }
            path.push_str(&part);
        }
        path
    }

    /// Notes that the error came from within a part of the value.
    pub(super) fn within(mut self, segment: Segment) -> Self {
        self.0.path.push(segment);
        self
    }
}

/// A map key that can stand in a path without its quotes.
fn name_in_quotes(key: &str) -> Option<&str> {
    let name = key.strip_prefix('"')?.strip_suffix('"')?;
    let starts = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let goes_on = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    (starts && goes_on).then_some(name)
}

impl From<DigestProblem> for DigestError {
    fn from(problem: DigestProblem) -> Self {
        Self(Box::new(Failure { problem, path: Vec::new() }))
    }
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.path.is_empty() {
            write!(f, "{}: ", self.path())?;
        }
        self.problem().fmt(f)
    }
}

impl std::error::Error for DigestError {}

impl ser::Error for DigestError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        DigestProblem::Custom { message: message.to_string() }.into()
    }
}

/// Text that isn't a written digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseDigestError {
    /// Another scheme, or none.
    #[error("a digest starts with \"b3:\"")]
    Prefix,
    /// Too few or too many digits.
    #[error("{found} digits after \"b3:\" where a digest has 64")]
    Length {
        /// The number of digits there are.
        found: usize,
    },
    /// A character that isn't a lowercase hex digit.
    #[error("{found:?} at byte {at} is not a lowercase hex digit")]
    Digit {
        /// The character.
        found: char,
        /// Its offset in the text.
        at: usize,
    },
}
