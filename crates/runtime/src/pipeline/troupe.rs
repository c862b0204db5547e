//! Owns `Troupe`: the processors of a pipeline before its run, each part of them in an array of its
//! own. What registrations say that few processors need is kept for those alone, and what nobody
//! needs once all is checked is gone by then.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::SystemTime;

use rustc_hash::FxHashMap;
use selvedge_event::{Interest, Interests, Key, Text};
use selvedge_store::Store;
use selvedge_sync::Clock;

use super::builder::Routing;
use crate::cache::{Archive, Caches};
use crate::core::{Members, Slot, Special, Specials};
use crate::error::BuildError;
use crate::limits::Limits;
use crate::mailbox::ring::BoundedMail;
use crate::overflow::Admission;
use crate::owner::Owner;
use crate::ready::OwnerIdx;
use crate::recorded::Slip;
use crate::registration::Registered;
use crate::roster::Roster;
use crate::routes::RouteTable;

/// Processors, in order of registration.
#[derive(Default)]
pub(super) struct Troupe {
    owners: Vec<Box<dyn Owner>>,
    priorities: Vec<i32>,
    roster: Arc<Roster>,
    admissions: Vec<(OwnerIdx, Admission)>,
    archives: Vec<(OwnerIdx, Arc<Archive>)>,
    slips: Vec<(OwnerIdx, Arc<Slip>)>,
    /// Of those that hear a share of the keyed events; until the pipeline is built.
    keys: Vec<(OwnerIdx, Key)>,
}

impl Troupe {
    pub(super) fn len(&self) -> usize {
        self.owners.len()
    }

    pub(super) fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    pub(super) fn reserve(&mut self, n: usize) {
        self.owners.reserve(n);
        self.priorities.reserve(n);
    }

    pub(super) fn add(&mut self, registered: Registered) {
        let Registered { name, type_name, priority, terms, key, admission, owner, .. } = registered;
        let next = OwnerIdx::try_from(self.owners.len()).expect("processors are counted in u32");
        if admission.is_set() {
            self.admissions.push((next, admission));
        }
        self.archives.extend(registered.archive.map(|archive| (next, archive)));
        self.slips.extend(registered.slip.map(|slip| (next, slip)));
        self.keys.extend(key.map(|key| (next, key)));
        Arc::make_mut(&mut self.roster).add(name, type_name, terms);
        self.owners.push(owner);
        self.priorities.push(priority);
    }

    /// Names the processors, refuses what does not fit, and says who hears what.
    pub(super) fn check(
        &mut self,
        routing: Routing,
        warnings: &mut Vec<String>,
        concurrency: Vec<(Text, usize)>,
    ) -> Result<(RouteTable, Vec<(Text, NonZeroUsize)>), BuildError> {
        Arc::make_mut(&mut self.roster).number()?;
        let mut routes = RouteTable::default();
        // A type that is not what another takes it for is told of when all processors are sound.
        let mut clash = None;
        let mut keys = std::mem::take(&mut self.keys).into_iter().peekable();
        let mut admissions = self.admissions.iter().peekable();
        for (owner_idx, owner) in (0..).zip(&mut self.owners) {
            let name = || self.roster.name_of_one(owner_idx);
            let admission = admissions.next_if(|(whose, _)| *whose == owner_idx);
            if let Some((_, admission)) = admission {
                admission.check(name)?;
            }
            let kept = owner.record().map(|record| record.kept).unwrap_or_default();
            self.roster.terms(owner_idx).check(name, kept)?;
            let key = keys.next_if(|(whose, _)| *whose == owner_idx).map(|(_, key)| key);
            let interests = owner.processor().interests();
            let interests = check_interests(interests, key, routing, warnings, name)?;
            if clash.is_none() {
                clash = routes.add(owner_idx, &interests).err();
            }
        }
        let concurrency = self.check_concurrency(concurrency)?;
        routes.settle();
        clash.map_or(Ok((routes, concurrency)), Err)
    }

    /// Every key is declared once, with a permit at least, and none is made use of that isn't.
    fn check_concurrency(
        &self,
        declared: Vec<(Text, usize)>,
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
        for (owner, admission) in &self.admissions {
            let known = || concurrency.iter().map(|(known, _)| known);
            if let Some(key) = &admission.limited_by
                && !known().any(|known| known == key)
            {
                let (name, key) = (self.roster.name_of_one(*owner), key.clone());
                return Err(BuildError::UnknownConcurrency {
                    name,
                    key,
                    known: known().cloned().collect(),
                });
            }
        }
        Ok(concurrency)
    }

    /// Says whose results are used, and from when on.
    pub(super) fn note_archives(&self, caches: &Caches, at: SystemTime) {
        for (owner, archive) in &self.archives {
            caches.note(archive, self.roster.name_of_one(*owner), at);
        }
    }

    /// Gives every cached processor a place for its results, and no two of them the same one.
    pub(super) fn open_archives(
        &self,
        store: Option<&Arc<dyn Store>>,
        origin: Option<&Text>,
        is_told: bool,
        limits: &Limits,
    ) -> Result<(), BuildError> {
        let mut taken: FxHashMap<String, OwnerIdx> = FxHashMap::default();
        for (owner, archive) in &self.archives {
            let name = || self.roster.name_of_one(*owner);
            let unsigned = |cause| BuildError::NoSignature { name: name(), cause };
            let namespace = archive.namespace().map_err(unsigned)?;
            // In memory each has its own.
            if store.is_some()
                && archive.is_to_be_stored()
                && let Some(first) = taken.insert(namespace, *owner)
            {
                let first = self.roster.name_of_one(first);
                return Err(BuildError::SharedArchive { first, second: name() });
            }
            archive.open(name(), store, origin, is_told, limits).map_err(unsigned)?;
        }
        Ok(())
    }

    /// Gives those that are recorded the pipeline's clock.
    pub(super) fn open_slips(&self, clock: &Clock) {
        self.slips.iter().for_each(|(_, slip)| slip.open(clock));
    }

    /// One more, when the others are checked. Says who hears what then.
    pub(super) fn add_checked(
        &mut self,
        mut registered: Registered,
        routes: &RouteTable,
    ) -> Result<RouteTable, BuildError> {
        let interests = registered.owner.processor().interests();
        let last = OwnerIdx::try_from(self.owners.len()).expect("processors are counted in u32");
        let routes = routes.with(last, &interests)?;
        self.add(registered);
        Ok(routes)
    }

    /// Puts every owner into another.
    pub(super) fn wrap(&mut self, mut wrap: impl FnMut(&Text, Box<dyn Owner>) -> Box<dyn Owner>) {
        let owners = std::mem::take(&mut self.owners).into_iter().zip(self.roster.names());
        self.owners = owners.map(|(owner, name)| wrap(name, owner)).collect();
    }

    /// The processors as the run has them, and the priorities of the bands.
    pub(super) fn into_members(self, concurrency: &[(Text, NonZeroUsize)]) -> (Members, Vec<i32>) {
        let distinct: BTreeSet<i32> = self.priorities.iter().copied().collect();
        let priorities: Vec<i32> = distinct.into_iter().collect();
        let place = |key: &Text| concurrency.iter().position(|(declared, _)| declared == key);
        let band = |priority: &i32| {
            let band = priorities.partition_point(|before| before < priority);
            u32::try_from(band).expect("processors are counted in u32")
        };
        let bands = if priorities.len() > 1 {
            self.priorities.iter().map(band).collect()
        } else {
            [].into()
        };
        let mut specials = Specials::default();
        let mut admissions = self.admissions.into_iter().peekable();
        let mut archives = self.archives.into_iter().peekable();
        let mut slips = self.slips.into_iter().peekable();
        for owner in (0..).take(self.owners.len()) {
            let admission = admissions.next_if(|(whose, _)| *whose == owner);
            let time_budget = self.roster.terms(owner).time_budget;
            let archive = archives.next_if(|(whose, _)| *whose == owner).map(|(_, it)| it);
            // One that only tells is none where nobody is told: its processor is a plain one.
            let archive = archive.filter(|archive| archive.is_to_be_stored() || archive.is_told());
            let slip = slips.next_if(|(whose, _)| *whose == owner).map(|(_, it)| it);
            let is_plain = admission.is_none() && time_budget.is_none();
            if is_plain && archive.is_none() && slip.is_none() {
                continue;
            }
            let Admission { bounds, limited_by } = admission.map(|(_, it)| it).unwrap_or_default();
            let mail = bounds.are_set().then(|| BoundedMail::new(bounds));
            let gate = limited_by.and_then(|key| place(&key));
            specials.add(owner, Special { mail, gate, time_budget, archive, slip });
        }
        let slots = self.owners.into_iter().map(Slot::new).collect();
        (Members::new(slots, self.roster, bands, specials), priorities)
    }
}

/// What a processor hears, with its key, unless that does not fit the pipeline.
fn check_interests(
    interests: Interests,
    key: Option<Key>,
    routing: Routing,
    warnings: &mut Vec<String>,
    name: impl Fn() -> Text,
) -> Result<Interests, BuildError> {
    let interests = match &key {
        Some(key) => interests.keyed(key),
        None => interests,
    };
    if interests.is_empty() {
        return Err(BuildError::NoInterests { name: name() });
    }
    if let Some(key) = key
        && !interests.as_slice().iter().any(Interest::carries_key)
    {
        return Err(BuildError::KeyWithoutUse { name: name(), key });
    }
    if let Some(catch_all) = interests.catch_all() {
        let refusal = BuildError::CatchAll { name: name(), spot: catch_all.spot };
        match routing {
            Routing::Strict => return Err(refusal),
            Routing::Lenient => warnings.push(refusal.to_string()),
        }
    }
    Ok(interests)
}
