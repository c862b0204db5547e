//! Owns the names of targets and builders that events travel under: each kept once, for as long as
//! the program runs, so that artifacts are routed by where their target's name lies. Refuses more
//! of them than a program writes down: names that come from data must not fill the memory.

use std::collections::HashMap;
use std::sync::OnceLock;

use selvedge_event::{Name, Text};
use selvedge_sync::Mutex;

/// Distinct names in a program at most.
pub(crate) const TITLES_MAX: usize = 65_536;

/// The longest one, in bytes; topologies allow no longer ones.
const TITLE_BYTES_MAX: usize = 256;

/// A name that is kept, or one that there was no room for: a graph with one is refused.
#[derive(Clone, Debug)]
pub(crate) enum Title {
    Kept(&'static Name),
    Excess(Text),
}

/// Guards the names. Taken with nothing inside.
static TITLES: OnceLock<Mutex<HashMap<&'static str, &'static Name>>> = OnceLock::new();

impl Title {
    pub(crate) fn new(name: &str) -> Title {
        let mut titles = TITLES.get_or_init(Mutex::default).lock();
        if let Some(kept) = titles.get(name) {
            return Title::Kept(kept);
        }
        if titles.len() >= TITLES_MAX || name.len() > TITLE_BYTES_MAX {
            return Title::Excess(Text::from(name));
        }
        let kept: &'static Name = Box::leak(Box::new(Name::from(name)));
        titles.insert(kept.as_str(), kept);
        Title::Kept(kept)
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Title::Kept(name) => name.as_str(),
            Title::Excess(text) => text,
        }
    }

    /// The name, of a title that a checked graph has.
    pub(crate) fn kept(&self) -> &'static Name {
        match self {
            Title::Kept(name) => name,
            Title::Excess(name) => unreachable!("a graph with `{name}` in it is refused"),
        }
    }

    pub(crate) fn is_kept(&self) -> bool {
        matches!(self, Title::Kept(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        let (one, other) = (Title::new("doubles"), Title::new(&["dou", "bles"].concat()));
        assert!(std::ptr::eq(one.kept(), other.kept()));
        assert!(!std::ptr::eq(one.kept(), Title::new("triples").kept()));
        assert!(!Title::new(&"x".repeat(TITLE_BYTES_MAX + 1)).is_kept());
    }
}
