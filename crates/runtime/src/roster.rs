//! Owns `Roster`: what the processors of a pipeline are called, and what becomes of their turns
//! that fail. Kept apart from their slots, since no turn that succeeds looks at it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};
use selvedge_event::Text;

use crate::error::BuildError;
use crate::policy::{FailurePolicy, Kept};
use crate::ready::OwnerIdx;

/// The names and terms of all processors, in order of registration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    entries: Vec<Entry>,
    given: Vec<Text>,
    types: Types,
    /// Shared by all who have the same.
    terms: Vec<Terms>,
    /// The names, made when the first is asked for: most runs ask for none before their end.
    names: OnceLock<Arc<[Text]>>,
}

/// A processor, in three words of 32 bits: there may be a hundred thousand.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The place of the name given or, if there is a number, of the type's.
    source: u32,
    /// Counted from 1 within the type; 0 for those whose name was given.
    number: u32,
    terms: u32,
}

/// Types that lend processors their names.
#[derive(Clone, Debug, Default)]
struct Types {
    names: Vec<&'static str>,
    places: FxHashMap<&'static str, u32>,
}

impl Types {
    fn place(&mut self, name: &'static str) -> u32 {
        let next = in_u32(self.names.len());
        let place = *self.places.entry(name).or_insert(next);
        if place == next {
            self.names.push(name);
        }
        place
    }
}

/// What happens when a processor's turn fails, or takes long.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) on_failure: FailurePolicy,
    /// How long a turn should take at most.
    pub(crate) time_budget: Option<Duration>,
}

impl Terms {
    /// Refuses what can't work for a processor that is kept like this.
    pub(crate) fn check(&self, name: impl Fn() -> Text, kept: Kept) -> Result<(), BuildError> {
        if self.time_budget == Some(Duration::ZERO) {
            let what = "a time budget of zero";
            return Err(BuildError::ZeroInPolicy { name: name(), what });
        }
        self.on_failure.check(name, kept)
    }

    fn are_same(&self, other: &Terms) -> bool {
        self.time_budget == other.time_budget && self.on_failure.is_same(&other.on_failure)
    }
}

impl Roster {
    /// One more processor; without a name it gets its type's, once all are
    /// [numbered](Self::number).
    pub(crate) fn add(&mut self, name: Option<Text>, type_name: &'static str, terms: Terms) {
        let terms = self.share(terms);
        let entry = match name {
            Some(name) => {
                self.given.push(name);
                Entry { source: in_u32(self.given.len() - 1), number: 0, terms }
            }
            None => Entry { source: self.types.place(type_name), number: 1, terms },
        };
        self.entries.push(entry);
        self.names = OnceLock::new();
    }

    /// One processor alone.
    pub(crate) fn of_one(name: Text, terms: Terms) -> Roster {
        let mut roster = Roster::default();
        roster.add(Some(name), "", terms);
        roster
    }

    /// The place of these terms. Registrations of a kind come in a row, so that it is enough to
    /// look at the last ones and at the first.
    fn share(&mut self, terms: Terms) -> u32 {
        let n = self.terms.len();
        let known = [n.wrapping_sub(1), 0]
            .into_iter()
            .find(|&place| self.terms.get(place).is_some_and(|known| known.are_same(&terms)));
        in_u32(known.unwrap_or_else(|| {
            self.terms.push(terms);
            n
        }))
    }

    /// Numbers the processors of each type from the second on. Names that were given go first; what
    /// is made up keeps clear of them.
    pub(crate) fn number(&mut self) -> Result<(), BuildError> {
        let mut taken = FxHashSet::default();
        for name in &self.given {
            if !taken.insert(name.as_str()) {
                return Err(BuildError::DuplicateName { name: name.clone() });
            }
        }
        let mut next = vec![1_u32; self.types.names.len()];
        for entry in self.entries.iter_mut().filter(|entry| entry.number > 0) {
            let next = &mut next[entry.source as usize];
            let type_name = self.types.names[entry.source as usize];
            // Names that are made up differ by type or number: none ends in `#` and a number.
            while !taken.is_empty() && taken.contains(made_up(type_name, *next).as_str()) {
                *next += 1;
            }
            entry.number = *next;
            *next += 1;
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The processors' names, in order of registration.
    pub(crate) fn names(&self) -> &[Text] {
        self.names.get_or_init(|| self.entries.iter().map(|entry| self.spell(entry)).collect())
    }

    /// A processor's name.
    pub(crate) fn name(&self, owner: OwnerIdx) -> &Text {
        &self.names()[owner as usize]
    }

    /// The same, for who asks for few and before all are there.
    pub(crate) fn name_of_one(&self, owner: OwnerIdx) -> Text {
        self.spell(&self.entries[owner as usize])
    }

    fn spell(&self, entry: &Entry) -> Text {
        match entry.number {
            0 => self.given[entry.source as usize].clone(),
            number => made_up(self.types.names[entry.source as usize], number),
        }
    }

    /// What becomes of a processor's turns that fail.
    pub(crate) fn terms(&self, owner: OwnerIdx) -> &Terms {
        &self.terms[self.entries[owner as usize].terms as usize]
    }
}

fn made_up(type_name: &'static str, number: u32) -> Text {
    match number {
        1 => Text::literal(type_name),
        n => Text::from(format!("{type_name}#{n}")),
    }
}

fn in_u32(n: usize) -> u32 {
    u32::try_from(n).expect("processors are counted in u32")
}

/// Who takes a turn, called by name only when somebody asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who<'a> {
    Member(&'a Roster, OwnerIdx),
    /// Whoever is on no roster.
    Called(&'a Text),
}

impl<'a> Who<'a> {
    pub(crate) fn name(&self) -> &'a Text {
        match *self {
            Who::Member(roster, owner) => roster.name(owner),
            Who::Called(name) => name,
        }
    }

    /// What becomes of its turns that fail. Who is on no roster has none that could be looked up.
    pub(crate) fn on_failure(&self) -> &'a FailurePolicy {
        match *self {
            Who::Member(roster, owner) => &roster.terms(owner).on_failure,
            Who::Called(_) => &FailurePolicy::Fail,
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::policy::{Restart, Retry};

    /// The names of these processors; a word that begins with a capital is a type's.
    fn names(processors: &[&'static str]) -> String {
        let mut roster = Roster::default();
        for &name in processors {
            let is_type = name.starts_with(char::is_uppercase);
            let given = (!is_type).then(|| Text::from(name.trim_start_matches('=')));
            roster.add(given, name, Terms::default());
        }
        match roster.number() {
            Ok(()) => {
                let one_by_one: Vec<Text> =
                    (0..).take(roster.len()).map(|owner| roster.name_of_one(owner)).collect();
                assert_eq!(roster.names(), one_by_one);
                one_by_one.join(" ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn names_that_are_made_up_keep_clear_of_those_given() {
        assert_snapshot!(names(&["Till", "Till", "printer", "Till", "Safe"]), @"Till Till#2 printer Till#3 Safe");
        assert_snapshot!(names(&["Till", "=Till#2", "Till", "=Till"]), @"Till#3 Till#2 Till#4 Till");
        assert_snapshot!(names(&["till", "Till", "till"]), @"processor `till` is registered twice: give one of them another name with `.named(…)`");
    }

    #[test]
    fn the_same_terms_are_kept_once() {
        let mut roster = Roster::default();
        let mut add = |on_failure: FailurePolicy, time_budget| {
            roster.add(None, "Till", Terms { on_failure, time_budget });
            roster.terms.len()
        };
        let second = Duration::from_secs(1);
        let retry = Retry::times(2).retry_if(|_| true);
        assert_eq!(add(FailurePolicy::Fail, None), 1);
        assert_eq!(add(retry.clone().into(), None), 2);
        assert_eq!(add(retry.clone().into(), None), 2);
        assert_eq!(add(FailurePolicy::Fail, None), 2);
        // Nobody can tell whether two functions are the same.
        assert_eq!(add(retry.retry_if(|_| true).into(), None), 3);
        assert_eq!(add(FailurePolicy::Skip, None), 4);
        assert_eq!(add(FailurePolicy::Skip, Some(second)), 5);
        assert_eq!(add(Restart::at_most(1, second).into(), None), 6);
        assert_eq!(add(Restart::at_most(2, second).into(), None), 7);
        assert_eq!(add(Restart::at_most(2, second).into(), None), 7);
    }
}
