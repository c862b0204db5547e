//! Owns what is checked over all processors of a pipeline: that names are unique, and that every
//! limit that is made use of is declared, and who hears what.

use std::num::NonZeroUsize;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use selvedge_event::Text;
use selvedge_store::Store;

use super::Wired;
use crate::error::BuildError;
use crate::limits::Limits;
use crate::registration::Registered;
use crate::routes::{KindTypes, RouteTable};

/// Gives every processor a name of its own.
pub(super) struct Names {
    taken: FxHashSet<Text>,
    /// The next number to try for each type, lest many processors of one type try each other's.
    next: FxHashMap<&'static str, usize>,
}

impl Names {
    /// Names that were given go first; what is made up must keep clear of them.
    pub(super) fn of(processors: &[Registered]) -> Result<Names, BuildError> {
        let mut taken = FxHashSet::default();
        for name in processors.iter().filter_map(|processor| processor.name.clone()) {
            if !taken.insert(name.clone()) {
                return Err(BuildError::DuplicateName { name });
            }
        }
        Ok(Names { taken, next: FxHashMap::default() })
    }

    /// The name given, or the type's, numbered from the second on.
    pub(super) fn name(&mut self, registered: &Registered) -> Text {
        if let Some(name) = &registered.name {
            return name.clone();
        }
        let next = self.next.entry(registered.type_name).or_insert(1);
        loop {
            let name = match *next {
                1 => Text::literal(registered.type_name),
                n => Text::from(format!("{}#{n}", registered.type_name)),
            };
            *next += 1;
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// Every key is declared once, with a permit at least, and none is made use of that isn't.
pub(super) fn check_concurrency(
    declared: Vec<(Text, usize)>,
    processors: &[Wired],
) -> Result<Vec<(Text, NonZeroUsize)>, BuildError> {
    let mut concurrency: Vec<(Text, NonZeroUsize)> = Vec::new();
    for (key, turns) in declared {
        if concurrency.iter().any(|(known, _)| *known == key) {
            return Err(BuildError::DuplicateConcurrency { key });
        }
        match NonZeroUsize::new(turns) {
            Some(turns) => concurrency.push((key, turns)),
            None => return Err(BuildError::ZeroConcurrency { key }),
        }
    }
    for Wired { name, registered, .. } in processors {
        let known = || concurrency.iter().map(|(known, _)| known);
        if let Some(key) = &registered.admission.limited_by
            && !known().any(|known| known == key)
        {
            let (name, key, known) = (name.clone(), key.clone(), known().cloned().collect());
            return Err(BuildError::UnknownConcurrency { name, key, known });
        }
    }
    Ok(concurrency)
}

/// Gives every cached processor a place for its results, and no two of them the same one.
pub(super) fn open_archives(
    processors: &[Wired],
    store: Option<&Arc<dyn Store>>,
    limits: &Limits,
) -> Result<(), BuildError> {
    let mut taken: FxHashMap<String, Text> = FxHashMap::default();
    for Wired { name, registered, .. } in processors {
        let Some(archive) = &registered.archive else { continue };
        let unsigned = |cause| BuildError::NoSignature { name: name.clone(), cause };
        let namespace = archive.namespace().map_err(unsigned)?;
        // In memory each has its own.
        if store.is_some()
            && let Some(first) = taken.insert(namespace, name.clone())
        {
            return Err(BuildError::SharedArchive { first, second: name.clone() });
        }
        archive.open(name.clone(), store, limits).map_err(unsigned)?;
    }
    Ok(())
}

/// Who hears what.
pub(super) fn wire(processors: &[Wired]) -> Result<RouteTable, BuildError> {
    let interests = || processors.iter().map(|processor| &processor.interests);
    let types = KindTypes::of(interests())?;
    Ok(RouteTable::new(interests(), &types))
}
