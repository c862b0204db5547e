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

/// Places by number. What one line of code defines in a loop has one place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Vec<Place>);

/// How many places back one is looked for: as many lines as a loop that defines things may have.
const N_RECENT: usize = 4;

impl Places {
    pub(crate) fn add(&mut self, place: Place) -> u32 {
        let n_older = self.0.len().saturating_sub(N_RECENT);
        let is_same = |recent: &Place| match (&recent.0, &place.0) {
            (Repr::Code(recent), Repr::Code(place)) => std::ptr::eq(*recent, *place),
            _ => false,
        };
        let at = self.0[n_older..].iter().position(is_same).map_or(self.0.len(), |at| n_older + at);
        if at == self.0.len() {
            self.0.push(place);
        }
        u32::try_from(at).expect("memory ends before four billion places")
    }

    pub(crate) fn at(&self, id: u32) -> &Place {
        &self.0[id as usize]
    }

    /// Gives back what growth has taken in advance.
    pub(crate) fn shrink(&mut self) {
        self.0.shrink_to_fit();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_one_place_and_lines_of_files_have_their_own() {
        let mut places = Places::default();
        let mut ids = Vec::new();
        for line in 1..=3 {
            ids.push([
                places.add(Place::here()),
                places.add(Place::here()),
                places.add(Place::in_file("flow.txt", line, 1)),
            ]);
        }
        assert_eq!(ids, [[0, 1, 2], [0, 1, 3], [0, 1, 4]]);
        assert_ne!(places.at(0), places.at(1));
        assert_eq!(places.at(4).to_string(), "flow.txt:3:1");
    }
}
