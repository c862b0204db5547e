//! Owns the routing table: which processors hear an event.
//!
//! The interests are indexed when the pipeline is built. Routes are worked out the first time an
//! event of their kind and name turns up, and then found without looking at a string: most events
//! by their way, which is their payload's type and the place of a static name. The number of routes
//! is bounded by the program's types and by the names that interests mention; names read from data
//! add none.

use std::any::TypeId;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use selvedge_event::lifecycle::is_lifecycle;
use selvedge_event::{Event, Interest, Interests, Key, Kind, Name, Text, Way};
use selvedge_sync::Mutex;

use crate::error::{BuildError, KindClash};
use crate::ready::OwnerIdx;

/// Who hears the events of one kind and name.
#[derive(Debug)]
pub(crate) struct Route {
    /// Those who hear events without a key, or with one that nobody asked for.
    plain: Box<[OwnerIdx]>,
    keyed: Keyed,
}

/// Everyone who hears an event with a key that somebody asked for.
///
/// There may be a processor per key: numbers are told from words before they are looked up, and the
/// entries are kept short.
#[derive(Debug, Default)]
struct Keyed {
    /// By number, if they are dense, as those of shards are. Empty where nobody asked.
    dense: Vec<Span>,
    /// By number, if they are not.
    numbers: FxHashMap<i128, Span>,
    words: FxHashMap<Text, Span>,
    /// Numbers until it is known which of the two they are.
    sorted: Vec<(i128, Span)>,
    owners: Vec<OwnerIdx>,
}

/// A part of the owners.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    begin: u32,
    end: u32,
}

impl Keyed {
    /// Those who asked for this key hear it, and the others. Each number comes in once, and after
    /// all that are less.
    fn insert(&mut self, key: Key, asked: impl Iterator<Item = OwnerIdx>, others: &[OwnerIdx]) {
        let place = |n: usize| u32::try_from(n).expect("owners and their keys are counted in u32");
        let begin = self.owners.len();
        self.owners.extend(asked.chain(others.iter().copied()));
        put_in_order(&mut self.owners, begin);
        let span = Span { begin: place(begin), end: place(self.owners.len()) };
        match key {
            Key::Number(number) => self.sorted.push((number, span)),
            Key::Text(word) => drop(self.words.insert(word, span)),
        }
    }

    /// Done inserting: numbers that fill a good part of their range need no hashing.
    fn settle(&mut self) {
        const RANGE_MAX: usize = 4;
        self.owners.shrink_to_fit();
        let sorted = std::mem::take(&mut self.sorted);
        let is_natural = sorted.first().is_some_and(|&(least, _)| least >= 0);
        let largest = sorted.last().filter(|_| is_natural);
        let largest = largest.and_then(|&(largest, _)| usize::try_from(largest).ok());
        match largest {
            Some(largest) if largest / RANGE_MAX < sorted.len() => {
                self.dense = vec![Span::default(); largest + 1];
                for (number, span) in sorted {
                    self.dense[number as usize] = span;
                }
            }
            _ => self.numbers = sorted.into_iter().collect(),
        }
    }

    fn find(&self, key: &Key) -> Option<&[OwnerIdx]> {
        let span = match key {
            Key::Number(number) => match usize::try_from(*number) {
                Ok(place) if place < self.dense.len() => Some(&self.dense[place]),
                _ => self.numbers.get(number),
            },
            Key::Text(word) => self.words.get(word),
        };
        let owners = span.map(|span| &self.owners[span.begin as usize..span.end as usize]);
        owners.filter(|owners| !owners.is_empty())
    }
}

impl Route {
    /// In order of registration.
    #[inline]
    pub(crate) fn recipients(&self, event: &Event) -> &[OwnerIdx] {
        if self.is_keyed() { self.keyed_recipients(event) } else { &self.plain }
    }

    /// The only recipient, if there is just one, whatever the event.
    pub(crate) fn sole(&self) -> Option<OwnerIdx> {
        match *self.plain {
            [only] if !self.is_keyed() => Some(only),
            _ => None,
        }
    }

    /// Whether the recipients depend on the event's key.
    #[inline]
    pub(crate) fn is_keyed(&self) -> bool {
        !self.keyed.owners.is_empty()
    }

    /// The recipients of events without a key: of all, if the route is not keyed.
    pub(crate) fn plain(&self) -> &[OwnerIdx] {
        &self.plain
    }

    fn keyed_recipients(&self, event: &Event) -> &[OwnerIdx] {
        event.key().and_then(|key| self.keyed.find(&key)).unwrap_or(&self.plain)
    }
}

/// A route's place in the table. A word wide: emissions carry one, and are moved about.
pub(crate) type RouteIdx = usize;

/// The table, shared by all who send. Everyone keeps a [`RouteCache`] of it.
#[derive(Debug, Default)]
pub(crate) struct RouteTable {
    index: InterestIndex,
    types: KindTypes,
    /// Guards the routes worked out so far. Taken once per route and sender.
    resolved: Mutex<Resolved>,
}

#[derive(Debug, Default)]
struct Resolved {
    found: FxHashMap<RouteKey, RouteIdx>,
    routes: Vec<Arc<Route>>,
    /// Routes without a key, by where they lead.
    by_recipients: FxHashMap<Box<[OwnerIdx]>, RouteIdx>,
    /// Routes to one processor, whatever the event.
    addressed: FxHashMap<OwnerIdx, RouteIdx>,
    /// Which Rust type has a kind that no interest tells it of; the first to turn up keeps it.
    kind_types: FxHashMap<Kind, TypeId>,
}

impl Resolved {
    /// Gives a route its number: that of another one, if they lead to the same processors whatever
    /// the key. Events that alternate between the two then travel together.
    fn number(&mut self, route: Route) -> (RouteIdx, Arc<Route>) {
        if !route.is_keyed() {
            if let Some(&known) = self.by_recipients.get(&route.plain) {
                return (known, Arc::clone(&self.routes[known]));
            }
            self.by_recipients.insert(route.plain.clone(), self.routes.len());
        }
        let route = Arc::new(route);
        self.routes.push(Arc::clone(&route));
        (self.routes.len() - 1, route)
    }
}

/// What decides a route: known kinds and names by number, so that data can't make more of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum RouteKey {
    Typed { payload: TypeId, name: NameIdx },
    Dynamic { kind: Option<u32>, name: NameIdx },
}

/// A name that some interest mentions, the kind's own, or any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum NameIdx {
    Default,
    Known(u32),
    Other,
}

impl RouteTable {
    /// What one more processor hears, the last one registered.
    pub(crate) fn add(&mut self, owner: OwnerIdx, interests: &Interests) -> Result<(), BuildError> {
        self.types.add(interests)?;
        self.index.add_all(owner, interests);
        Ok(())
    }

    /// Gives back what memory was reserved for more.
    pub(crate) fn settle(&mut self) {
        self.index.settle();
    }

    /// A table in which one more processor is heard of, and no route is known.
    pub(crate) fn with(
        &self,
        owner: OwnerIdx,
        interests: &Interests,
    ) -> Result<RouteTable, BuildError> {
        let (index, types) = (self.index.clone(), self.types.clone());
        let mut table = RouteTable { index, types, resolved: Mutex::default() };
        table.add(owner, interests)?;
        Ok(table)
    }

    /// The table of processors that hear this.
    #[cfg(test)]
    pub(crate) fn of(listeners: &[Interests]) -> Arc<RouteTable> {
        let mut table = RouteTable::default();
        for (owner, interests) in (0..).zip(listeners) {
            table.add(owner, interests).expect("there are no types to clash");
        }
        table.settle();
        Arc::new(table)
    }

    /// Who hears phases, and the like, apart from events: by the kind alone.
    pub(crate) fn hears_kind(&self, kind: &Kind) -> Vec<OwnerIdx> {
        self.index.route(kind, &[], &Name::from(kind.clone())).plain.into_vec()
    }

    fn key_of(&self, event: &Event) -> RouteKey {
        if let Some(payload) = event.way().and_then(Way::default_of) {
            return RouteKey::Typed { payload, name: NameIdx::Default };
        }
        let name = match self.index.names.get(event.name().as_str()) {
            Some(&known) => NameIdx::Known(known),
            None => NameIdx::Other,
        };
        match event.payload_type() {
            Some(payload) => RouteKey::Typed { payload, name },
            None => {
                let kind = self.index.kinds.get(event.kind().as_str()).copied();
                RouteKey::Dynamic { kind, name }
            }
        }
    }

    /// The route of an event that has this key, worked out if it is the first of its kind and name.
    fn resolve(&self, key: RouteKey, event: &Event) -> Result<(RouteIdx, Arc<Route>), KindClash> {
        let mut resolved = self.resolved.lock();
        if let Some(&found) = resolved.found.get(&key) {
            return Ok((found, Arc::clone(&resolved.routes[found])));
        }
        if let RouteKey::Typed { payload, .. } = key {
            let owner = match self.types.0.get(&event.kind()) {
                Some((asked, _)) => *asked,
                None => *resolved.kind_types.entry(event.kind()).or_insert(payload),
            };
            if owner != payload {
                return Err(KindClash { kind: event.kind(), topic: Box::new(event.topic()) });
            }
        }
        let route = self.index.route(&event.kind(), &event.ancestors(), &event.name());
        let (idx, route) = resolved.number(route);
        resolved.found.insert(key, idx);
        Ok((idx, route))
    }

    /// The route to one processor, whatever the event.
    ///
    /// Its number is its own, although others may lead there: it stays what it is when the wiring
    /// changes.
    fn route_to(&self, owner: OwnerIdx) -> RouteIdx {
        let mut resolved = self.resolved.lock();
        if let Some(&known) = resolved.addressed.get(&owner) {
            return known;
        }
        let idx = resolved.routes.len();
        let route = Route { plain: Box::new([owner]), keyed: Keyed::default() };
        resolved.routes.push(Arc::new(route));
        resolved.addressed.insert(owner, idx);
        idx
    }

    /// Whom a route leads to that was asked for by its processor.
    fn addressee(&self, idx: RouteIdx) -> Option<OwnerIdx> {
        let resolved = self.resolved.lock();
        resolved.addressed.iter().find(|(_, known)| **known == idx).map(|(&owner, _)| owner)
    }

    fn route(&self, idx: RouteIdx) -> Arc<Route> {
        Arc::clone(&self.resolved.lock().routes[idx])
    }
}

/// A sender's own copy of the routes it uses: no lock, no string, one probe per event.
#[derive(Debug)]
pub(crate) struct RouteCache {
    table: Arc<RouteTable>,
    /// What was found last by way, at the place that its bits say: nearly all events are routed by
    /// one comparison.
    recent: [Option<(Way, RouteIdx)>; N_RECENT],
    /// Up to [`WAYS_MAX`]: statics of one name have a way each.
    by_way: HashMap<Way, RouteIdx, BuildHasherDefault<WayHasher>>,
    /// All routes, for the first events of their ways, and for those that have none: under a name
    /// that is not static, or dynamic ones.
    by_key: FxHashMap<RouteKey, RouteIdx>,
    routes: Vec<Option<Arc<Route>>>,
    /// The only recipient of each route that has one, whatever the event.
    soles: Vec<Option<OwnerIdx>>,
    /// How many recipients each route has, unless that depends on the event.
    n_recipients: Vec<Option<usize>>,
}

impl RouteCache {
    pub(crate) fn new(table: Arc<RouteTable>) -> RouteCache {
        RouteCache {
            table,
            recent: [None; N_RECENT],
            by_way: HashMap::default(),
            by_key: FxHashMap::default(),
            routes: Vec::new(),
            soles: Vec::new(),
            n_recipients: Vec::new(),
        }
    }

    /// The only one who hears what takes this route, if there is just one.
    #[inline]
    pub(crate) fn sole(&self, idx: RouteIdx) -> Option<OwnerIdx> {
        self.soles.get(idx).copied().flatten()
    }

    /// How many hear what takes this route, if that doesn't depend on the event.
    #[inline]
    pub(crate) fn n_recipients(&self, idx: RouteIdx) -> Option<usize> {
        self.n_recipients.get(idx).copied().flatten()
    }

    /// Finds the event's route.
    #[inline]
    pub(crate) fn find(&mut self, event: &Event) -> Result<RouteIdx, KindClash> {
        let Some(way) = event.way() else { return self.find_by_key(event) };
        if let Some(recent) = self.recent(way) {
            return Ok(recent);
        }
        let found = match self.by_way.get(&way) {
            Some(&found) => found,
            None => self.find_new(way, event)?,
        };
        self.recent[recent_place(way)] = Some((way, found));
        Ok(found)
    }

    /// The route for this way, if it was found recently.
    #[inline]
    pub(crate) fn recent(&self, way: Way) -> Option<RouteIdx> {
        let (known, found) = self.recent[recent_place(way)]?;
        (known == way).then_some(found)
    }

    #[cold]
    fn find_new(&mut self, way: Way, event: &Event) -> Result<RouteIdx, KindClash> {
        let found = self.find_by_key(event)?;
        if self.by_way.len() < WAYS_MAX {
            self.by_way.insert(way, found);
        }
        Ok(found)
    }

    fn find_by_key(&mut self, event: &Event) -> Result<RouteIdx, KindClash> {
        let key = self.table.key_of(event);
        if let Some(&known) = self.by_key.get(&key) {
            return Ok(known);
        }
        let (idx, route) = self.table.resolve(key, event)?;
        self.by_key.insert(key, idx);
        self.remember(idx, route);
        Ok(idx)
    }

    fn remember(&mut self, idx: RouteIdx, route: Arc<Route>) {
        if idx >= self.routes.len() {
            self.routes.resize(idx + 1, None);
            self.soles.resize(idx + 1, None);
            self.n_recipients.resize(idx + 1, None);
        }
        self.soles[idx] = route.sole();
        self.n_recipients[idx] = (!route.is_keyed()).then_some(route.plain.len());
        self.routes[idx] = Some(route);
    }

    /// The route to one processor, whatever the event.
    pub(crate) fn route_to(&mut self, owner: OwnerIdx) -> RouteIdx {
        let idx = self.table.route_to(owner);
        self.learn(idx);
        idx
    }

    /// Whom a route leads to that was asked for by its processor.
    pub(crate) fn addressee(&self, idx: RouteIdx) -> Option<OwnerIdx> {
        self.table.addressee(idx)
    }

    /// Makes a route that another cache found known to this one.
    pub(crate) fn learn(&mut self, idx: RouteIdx) {
        if self.routes.get(idx).is_none_or(Option::is_none) {
            let route = self.table.route(idx);
            self.remember(idx, route);
        }
    }

    /// The route that [`find`](Self::find) found.
    #[inline]
    pub(crate) fn route(&self, idx: RouteIdx) -> &Route {
        self.routes[idx].as_ref().expect("a route is remembered when it is found")
    }
}

/// How many ways are remembered besides the table of all; a power of two, and so many that the
/// few of a busy loop seldom share a place.
const N_RECENT: usize = 64;

/// Ways in the table of all at most: more than a program writes down, as whoever makes statics at
/// run time must not fill the memory with them. Others are looked up by their names.
const WAYS_MAX: usize = 4_096;

#[inline]
fn recent_place(way: Way) -> usize {
    let mut hasher = WayHasher::default();
    way.hash(&mut hasher);
    hasher.finish() as usize % N_RECENT
}

/// A `TypeId` is a hash already: its bits are used as they come. An address is not: those of
/// neighbours differ in few of their bits, which are spread.
#[derive(Debug, Default)]
struct WayHasher(u64);

impl Hasher for WayHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_ne_bytes(word);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }

    fn write_usize(&mut self, address: usize) {
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 ^= (address as u64).wrapping_mul(SPREAD).rotate_left(32);
    }
}

/// The interests of all processors, found by kind and by name.
#[derive(Clone, Debug, Default)]
struct InterestIndex {
    /// Numbers of the kinds and names that interests mention.
    kinds: FxHashMap<Kind, u32>,
    names: FxHashMap<Name, u32>,
    by_kind: FxHashMap<Kind, Hearers>,
    /// Interests in any kind, but in one name.
    by_name: FxHashMap<Name, Hearers>,
    /// Interests in any kind and name, for a key or altogether.
    everywhere: Hearers,
}

/// Who hears what is found by its kind, or by its name if it has none. There may be a processor per
/// key: those are told apart by what they ask for, so that each takes as little as it can.
#[derive(Clone, Debug, Default)]
struct Hearers {
    /// Whatever else.
    plain: Vec<OwnerIdx>,
    /// Under any name, with a number for a key that fits.
    numbered: Vec<(u64, OwnerIdx)>,
    others: Vec<(OwnerIdx, Asked)>,
}

/// What is left of an interest.
#[derive(Clone, Debug)]
struct Asked {
    name: Option<Name>,
    key: Option<Key>,
}

impl Hearers {
    fn add(&mut self, owner: OwnerIdx, asked: Asked) {
        match asked {
            Asked { name: None, key: None } => self.plain.push(owner),
            Asked { name: None, key: Some(Key::Number(number)) }
                if let Ok(number) = u64::try_from(number) =>
            {
                self.numbered.push((number, owner));
            }
            asked => self.others.push((owner, asked)),
        }
    }

    fn settle(&mut self) {
        self.plain.shrink_to_fit();
        self.numbered.shrink_to_fit();
        self.others.shrink_to_fit();
    }
}

impl InterestIndex {
    fn add_all(&mut self, owner: OwnerIdx, interests: &Interests) {
        for interest in interests.as_slice() {
            self.add(owner, interest);
        }
        if interests.catch_all().is_some() {
            self.add(owner, &Interest::any());
        }
    }

    fn add(&mut self, owner: OwnerIdx, interest: &Interest) {
        if let Some(kind) = interest.asked_kind() {
            number(&mut self.kinds, kind);
        }
        if let Some(name) = interest.asked_name() {
            number(&mut self.names, name);
        }
        let (kind, name) = (interest.asked_kind(), interest.asked_name());
        let key = interest.asked_key().cloned();
        match (kind, name) {
            (Some(kind), name) => {
                let asked = Asked { name: name.cloned(), key };
                self.by_kind.entry(kind.clone()).or_default().add(owner, asked);
            }
            (None, Some(name)) => {
                self.by_name.entry(name.clone()).or_default().add(owner, Asked { name: None, key });
            }
            (None, None) => self.everywhere.add(owner, Asked { name: None, key }),
        }
    }

    fn settle(&mut self) {
        self.by_kind.values_mut().chain(self.by_name.values_mut()).for_each(Hearers::settle);
    }

    /// Works out who hears events of this kind and name.
    fn route(&self, kind: &Kind, ancestors: &[Kind], name: &Name) -> Route {
        let kinds = std::iter::once(kind).chain(ancestors);
        let by_kind = kinds.filter_map(|kind| self.by_kind.get(kind));
        // What hears everything does not hear the lifecycle: forwarding it would never end.
        let everywhere = (!is_lifecycle(kind)).then_some(&self.everywhere);
        let mut heard = Heard::default();
        by_kind
            .chain(self.by_name.get(name))
            .chain(everywhere)
            .for_each(|hearers| heard.add(hearers, name));
        heard.route()
    }
}

/// Who hears the events of a kind and a name, if the key allows.
#[derive(Default)]
struct Heard {
    plain: Vec<OwnerIdx>,
    numbers: Vec<(i128, OwnerIdx)>,
    words: Vec<(Text, OwnerIdx)>,
}

impl Heard {
    fn add(&mut self, hearers: &Hearers, name: &Name) {
        self.plain.extend(&hearers.plain);
        let numbered = hearers.numbered.iter();
        self.numbers.extend(numbered.map(|&(number, owner)| (i128::from(number), owner)));
        for (owner, asked) in &hearers.others {
            if asked.name.as_ref().is_some_and(|asked| asked != name) {
                continue;
            }
            match &asked.key {
                None => self.plain.push(*owner),
                Some(Key::Number(number)) => self.numbers.push((*number, *owner)),
                Some(Key::Text(word)) => self.words.push((word.clone(), *owner)),
            }
        }
    }

    /// Linear but for sorting, which finds most of it done: there may be a processor per key.
    fn route(self) -> Route {
        let Heard { plain, mut numbers, mut words } = self;
        let plain = in_order(plain);
        let mut keyed = Keyed::default();
        numbers.sort_unstable();
        for same in numbers.chunk_by(|(one, _), (other, _)| one == other) {
            keyed.insert(Key::Number(same[0].0), same.iter().map(|(_, owner)| *owner), &plain);
        }
        words.sort_unstable();
        for same in words.chunk_by(|(one, _), (other, _)| one == other) {
            let key = Key::Text(same[0].0.clone());
            keyed.insert(key, same.iter().map(|(_, owner)| *owner), &plain);
        }
        keyed.settle();
        Route { plain, keyed }
    }
}

/// Each owner once, in order of registration.
fn in_order(mut owners: Vec<OwnerIdx>) -> Box<[OwnerIdx]> {
    put_in_order(&mut owners, 0);
    owners.into_boxed_slice()
}

/// The same for those from a place on.
fn put_in_order(owners: &mut Vec<OwnerIdx>, begin: usize) {
    owners[begin..].sort_unstable();
    let mut n_kept = begin;
    for place in begin..owners.len() {
        if n_kept == begin || owners[n_kept - 1] != owners[place] {
            owners[n_kept] = owners[place];
            n_kept += 1;
        }
    }
    owners.truncate(n_kept);
}

fn number<T: Clone + Eq + Hash>(numbers: &mut FxHashMap<T, u32>, item: &T) {
    let next = u32::try_from(numbers.len()).expect("interests are few");
    numbers.entry(item.clone()).or_insert(next);
}

/// Which Rust type has which kind, as far as interests tell.
#[derive(Clone, Debug, Default)]
struct KindTypes(FxHashMap<Kind, (TypeId, &'static str)>);

impl KindTypes {
    /// Refuses two types under one kind.
    fn add(&mut self, interests: &Interests) -> Result<(), BuildError> {
        for interest in interests.as_slice() {
            let (Some(kind), Some((id, second))) = (interest.asked_kind(), interest.payload_type())
            else {
                continue;
            };
            let (owner, first) = *self.0.entry(kind.clone()).or_insert((id, second));
            if owner != id {
                return Err(BuildError::KindClash { kind: kind.clone(), first, second });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use selvedge_event::{Dynamic, Named, Phase};

    use super::*;

    /// Who hears an event of each of the keys, when each of the others is asked for by a processor
    /// of its own, and the last processor asks for all.
    fn trace<K: Into<Key> + Copy>(asked: &[K], keys: &[K]) -> String {
        let kind = || Interest::kind("k");
        let keyed = asked.iter().map(|&key| Interests::listed([kind().keyed(key)]));
        let listeners: Vec<_> = keyed.chain([Interests::listed([kind()])]).collect();
        let table = RouteTable::of(&listeners);
        let mut routes = RouteCache::new(table);
        let hears = |&key: &K| {
            let key = key.into();
            let event = Event::new(Dynamic::new("k", 0).keyed(key.clone()));
            let route = routes.find(&event).expect("there are no types to clash");
            format!("{key}: {:?}", routes.route(route).recipients(&event))
        };
        keys.iter().map(hears).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn keys_are_found_whether_dense_sparse_or_words() {
        let dense = trace(&[0_u64, 1, 4, 1], &[0, 1, 2, 4, 5, u64::MAX]);
        assert_snapshot!(dense, @"0: [0, 4], 1: [1, 3, 4], 2: [4], 4: [2, 4], 5: [4], 18446744073709551615: [4]");
        let sparse = trace(&[3_u64, u64::MAX], &[0, 3, u64::MAX]);
        assert_snapshot!(sparse, @"0: [2], 3: [0, 2], 18446744073709551615: [1, 2]");
        assert_snapshot!(trace(&["a", "b"], &["b", "c"]), @"b: [1, 2], c: [2]");
    }

    /// Whoever makes statics at run time gets routes for all, from a cache that stays small.
    #[test]
    fn ways_are_remembered_up_to_a_limit() {
        let hears = |name: &str| Interests::listed([Interest::any().named(name)]);
        let listeners = [hears("n0"), hears("n1")];
        let table = RouteTable::of(&listeners);
        let mut routes = RouteCache::new(table);
        let names: Vec<Name> = (0..WAYS_MAX + 100).map(|i| format!("n{}", i % 3).into()).collect();
        let names: &'static [Name] = Vec::leak(names);
        for _ in 0..2 {
            for (i, name) in names.iter().enumerate() {
                let event = Event::new(Named(name, Phase { number: 1 }));
                let found = routes.find(&event).expect("there are no types to clash");
                let expected: &[OwnerIdx] = [&[0][..], &[1], &[]][i % 3];
                assert_eq!(routes.route(found).recipients(&event), expected, "{name}");
            }
        }
        assert_eq!((routes.by_way.len(), routes.by_key.len()), (WAYS_MAX, 3));
        // All within the limit are told apart by more than the place that they share.
        let places: std::collections::HashSet<usize> =
            names[..N_RECENT].iter().map(|name| recent_place(Way::under::<Phase>(name))).collect();
        assert!(places.len() > N_RECENT / 4, "neighbours crowd into {} places", places.len());
    }
}
