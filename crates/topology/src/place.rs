//! Owns `Place`: where a node or an edge was defined, for messages that point at it.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::text::Visible;

/// Where something was defined: in code, or in a file that was read.
///
/// ```
/// use selvedge_topology::Place;
/// assert!(Place::here().to_string().contains(".rs:"));
/// assert_eq!(Place::in_file("flow.yaml", 3, 7).to_string(), "flow.yaml:3:7");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Place(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Code(&'static Location<'static>),
    File { file: Arc<str>, line: u32, column: u32 },
}

impl Place {
    /// The caller's place in the code. A function marked `#[track_caller]` passes on its caller's.
    #[must_use]
    #[track_caller]
    pub fn here() -> Place {
        Place(Repr::Code(Location::caller()))
    }

    /// A place in a file that defines a topology; lines and columns count from 1.
    #[must_use]
    pub fn in_file(file: impl Into<Arc<str>>, line: u32, column: u32) -> Place {
        Place(Repr::File { file: file.into(), line, column })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Code(location) => location.fmt(f),
            Repr::File { file, line, column } => {
                write!(f, "{}:{line}:{column}", Visible::in_message(file))
            }
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
