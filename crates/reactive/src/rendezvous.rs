//! Owns `Rendezvous`, the machine that joins streams by key, and what becomes of those who wait in
//! vain. Refuses to know where items come from, and how the tuples travel that it makes.
//!
//! Pending keys lie in a table (`pending`), what each stream has brought for them in its side
//! (`slots`), and what is too much for memory in a store (`spill`).

mod error;
mod node;
mod pending;
mod shard;
mod slots;
mod spill;
mod streams;

use std::fmt::{self, Debug};
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use selvedge_store::Store;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::operators::Counter;
use pending::{Ages, Pending};
use slots::are_empty;
use spill::Spill;

pub use error::RendezvousError;
pub use node::{ClearOrphans, ClearedOrphans, Emits, Inner, Joined, Joiner, Outer, rendezvous};
pub use shard::shard_of;
pub use slots::{Line, Row, Side, Slot, Slots, Spilled};
pub use streams::{Keyed, KeyedAlike, Keys, Streams};

/// Keys that may wait unless told otherwise.
const PENDING_MAX: usize = 1 << 20;
/// Items of one key and stream that wait under [`Duplicates::Queue`] unless told otherwise.
const QUEUED_MAX: usize = 1 << 16;

/// What becomes of keys that don't find all their items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphans {
    /// They wait, so many at most: a key more is an error.
    Wait(NonZeroUsize),
    /// They wait, so many at most: for a key more the oldest one is evicted, and counted.
    Evict(NonZeroUsize),
}

impl Default for Orphans {
    /// 1 048 576 wait.
    fn default() -> Orphans {
        Orphans::Wait(NonZeroUsize::new(PENDING_MAX).expect("it is not zero"))
    }
}

/// What becomes of an item whose stream has brought one of the same key already, which still waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    /// It takes the place of the other. That is counted.
    #[default]
    Overwrite,
    /// It is an error.
    Reject,
    /// It waits behind the other: the first of one stream meets the first of the others, the second
    /// the second. More than 65 536 of one key and stream are an error.
    Queue,
}

/// What a join makes: tuples of those that met, or of all keys in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Joining {
    /// Complete tuples.
    #[default]
    Inner,
    /// Complete tuples, and for each key that is evicted, expires, or still waits at the end of the
    /// run what is there, with the missing sides marked. Then no key is lost.
    Outer,
}

/// How a rendezvous is to go about it.
///
/// ```
/// use std::time::Duration;
/// use selvedge_reactive::rendezvous::{Duplicates, Options};
/// let options = Options::new()
///     .evict_above(10_000)?
///     .duplicates(Duplicates::Reject)
///     .time_to_live(Duration::from_secs(60));
/// # Ok::<(), selvedge_reactive::rendezvous::RendezvousError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing by themselves"]
pub struct Options {
    pub(crate) orphans: Orphans,
    pub(crate) duplicates: Duplicates,
    pub(crate) joining: Joining,
    pub(crate) time_to_live: Option<Duration>,
    pub(crate) spill: Option<SpillTo>,
    pub(crate) counts: Counts,
}

/// Where pending keys go that are too many for memory.
#[derive(Clone, Debug)]
pub(crate) struct SpillTo {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) namespace: String,
    pub(crate) in_memory_max: usize,
}

/// What a rendezvous let go. Clones, and the shards of one rendezvous, count together.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Keys evicted because too many waited.
    pub evicted: Counter,
    /// Keys whose time to live was over.
    pub expired: Counter,
    /// Items that took the place of one of the same key and stream.
    pub overwritten: Counter,
    /// Keys that were moved to the store.
    pub spilled: Counter,
    /// Keys that still waited at the end, of an inner join.
    pub left: Counter,
}

impl Options {
    /// All keys wait, an item takes the place of one before it, complete tuples only.
    pub fn new() -> Options {
        Options::default()
    }

    /// How many keys may wait; one more is an error.
    ///
    /// # Errors
    ///
    /// Zero.
    pub fn pending_max(mut self, n: usize) -> Result<Options, RendezvousError> {
        self.orphans = Orphans::Wait(not_zero("pending_max", n)?);
        Ok(self)
    }

    /// How many keys may wait; for one more the oldest is evicted, and counted.
    ///
    /// # Errors
    ///
    /// Zero.
    pub fn evict_above(mut self, n: usize) -> Result<Options, RendezvousError> {
        self.orphans = Orphans::Evict(not_zero("evict_above", n)?);
        Ok(self)
    }

    /// What becomes of a second item of one key and stream.
    pub fn duplicates(mut self, duplicates: Duplicates) -> Options {
        self.duplicates = duplicates;
        self
    }

    /// Whether keys that are not complete are emitted in the end.
    pub fn joining(mut self, joining: Joining) -> Options {
        self.joining = joining;
        self
    }

    /// How long a key waits after its first item. Looked at when something happens: a key that is
    /// over its time meets nobody any more, and is forgotten with the next item or phase.
    pub fn time_to_live(mut self, time: Duration) -> Options {
        self.time_to_live = Some(time);
        self
    }

    /// Moves the oldest keys to a namespace of a store when more than `in_memory_max` wait. What
    /// the namespace holds is removed first: it is of a run that didn't end. A key that comes back
    /// without being complete takes its place behind the others.
    ///
    /// # Errors
    ///
    /// Zero.
    pub fn spill(
        mut self,
        store: Arc<dyn Store>,
        namespace: &str,
        in_memory_max: usize,
    ) -> Result<Options, RendezvousError> {
        let in_memory_max = not_zero("in_memory_max", in_memory_max)?.get();
        self.spill = Some(SpillTo { store, namespace: namespace.to_owned(), in_memory_max });
        Ok(self)
    }

    /// What will be counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts.clone()
    }

    /// Whether anybody will ask for the key that has waited longest.
    fn ages(&self) -> Ages {
        let evicts = matches!(self.orphans, Orphans::Evict(_));
        let is_asked = evicts || self.time_to_live.is_some() || self.spill.is_some();
        if is_asked { Ages::Kept } else { Ages::Ignored }
    }
}

fn not_zero(option: &'static str, n: usize) -> Result<NonZeroUsize, RendezvousError> {
    NonZeroUsize::new(n).ok_or(RendezvousError::Zero { option })
}

/// Joins items of n streams by key: when each stream has brought one, they are a tuple, and the key
/// is forgotten.
///
/// `S` is where items wait: `(Side<A>, Side<B>)` for two streams, see [`Slots`].
///
/// ```
/// use selvedge_reactive::rendezvous::{Options, Rendezvous, Row, Side};
///
/// let mut join = Rendezvous::<u32, (Side<char>, Side<&str>)>::new(2, Options::new())?;
/// let mut rows = Vec::new();
/// let mut out = |row| rows.push(row);
/// join.offer::<0>(1, 'a', std::time::Duration::default, &mut out)?;
/// join.offer::<0>(2, 'b', std::time::Duration::default, &mut out)?;
/// join.offer::<1>(2, "x", std::time::Duration::default, &mut out)?;
/// join.offer::<1>(1, "y", std::time::Duration::default, &mut out)?;
/// assert_eq!(rows, [Row::Complete(('b', "x")), Row::Complete(('a', "y"))]);
/// # Ok::<(), selvedge_reactive::rendezvous::RendezvousError>(())
/// ```
pub struct Rendezvous<K, S: Slots> {
    n_streams: usize,
    options: Options,
    pending: Pending<K, S::Lines>,
    sides: S,
    spill: Option<Spill<K, S>>,
}

impl<K, S> Rendezvous<K, S>
where
    K: Hash + Eq + Debug,
    S: Slots,
{
    /// A rendezvous of `n_streams`, all of whose pending keys stay in memory.
    ///
    /// # Errors
    ///
    /// No stream, or not as many as `S` has; options that ask for a store: see
    /// [`spilling`](Self::spilling).
    pub fn new(n_streams: usize, options: Options) -> Result<Rendezvous<K, S>, RendezvousError> {
        if options.spill.is_some() {
            return Err(RendezvousError::NotSerializable);
        }
        Rendezvous::made(n_streams, options, None)
    }

    fn made(
        n_streams: usize,
        options: Options,
        spill: Option<Spill<K, S>>,
    ) -> Result<Rendezvous<K, S>, RendezvousError> {
        not_zero("streams", n_streams)?;
        match S::ARITY {
            Some(n_sides) if n_sides != n_streams => {
                Err(RendezvousError::Streams { n_keys: n_sides, n_streams })
            }
            _ => {
                let (pending, sides) = (Pending::new(options.ages()), S::empty(n_streams));
                Ok(Rendezvous { n_streams, options, pending, sides, spill })
            }
        }
    }

    /// Takes an item of the `I`-th stream. `now` is asked for the time if keys have a time to live.
    ///
    /// # Errors
    ///
    /// The key has such an item already and duplicates are rejected; too many keys wait; the store
    /// failed. All is as before then, without the item.
    #[inline]
    pub fn offer<const I: usize>(
        &mut self,
        key: K,
        item: S::Item,
        now: impl FnOnce() -> Duration,
        out: &mut impl FnMut(Row<S>),
    ) -> Result<(), RendezvousError>
    where
        S: Slot<I>,
    {
        self.offer_to(key, I, item, now, S::side, out)
    }

    /// Takes an item for one of a key's sides.
    #[inline]
    pub(crate) fn offer_to<T>(
        &mut self,
        key: K,
        stream: usize,
        item: T,
        now: impl FnOnce() -> Duration,
        side: impl Fn(&mut S) -> &mut Side<T>,
        out: &mut impl FnMut(Row<S>),
    ) -> Result<(), RendezvousError> {
        let born = match self.options.time_to_live {
            None => Duration::ZERO,
            Some(_) => {
                let now = now();
                self.expire(now, out)?;
                now
            }
        };
        if self.n_streams == 1 {
            // One stream waits for nobody.
            let mut lines = S::lines(1);
            side(&mut self.sides).put(&mut lines.as_mut()[0], item);
            self.sides.take_row(&mut lines).into_iter().for_each(|row| out(Row::Complete(row)));
            return Ok(());
        }
        let hash = self.pending.hash(&key);
        let mut waiting = match self.pending.find(hash, &key) {
            Some(waiting) => waiting,
            None => {
                let (born, lines) = self.admit(&key, born, out)?;
                self.pending.insert(hash, key, lines, born)
            }
        };
        let line = &mut waiting.lines().as_mut()[stream];
        if !line.is_empty() {
            match self.options.duplicates {
                Duplicates::Overwrite => {
                    side(&mut self.sides).clear(line);
                    self.options.counts.overwritten.add(1);
                }
                Duplicates::Reject => {
                    let key = format!("{:?}", waiting.key());
                    return Err(RendezvousError::Duplicate { key, stream });
                }
                Duplicates::Queue if line.len() >= QUEUED_MAX => {
                    let key = format!("{:?}", waiting.key());
                    return Err(RendezvousError::Queue { key, stream, limit: QUEUED_MAX });
                }
                Duplicates::Queue => {}
            }
        }
        side(&mut self.sides).put(line, item);
        let lines = waiting.lines();
        if let Some(row) = self.sides.take_row(lines) {
            if are_empty(lines) {
                waiting.remove();
            }
            out(Row::Complete(row));
        }
        Ok(())
    }

    /// Makes room for a key that doesn't wait in memory: since when it waits, and with what.
    fn admit(
        &mut self,
        key: &K,
        born: Duration,
        out: &mut impl FnMut(Row<S>),
    ) -> Result<(Duration, S::Lines), RendezvousError> {
        if let Some(spill) = &mut self.spill {
            let n_moved = spill.make_room(&mut self.pending, &mut self.sides)?;
            self.options.counts.spilled.add(n_moved);
            if let Some(found) = spill.fetch(key, &mut self.sides)? {
                return Ok(found);
            }
        }
        self.make_room(out)?;
        Ok((born, S::lines(self.n_streams)))
    }

    /// Makes room for a key more, or says that there is none.
    fn make_room(&mut self, out: &mut impl FnMut(Row<S>)) -> Result<(), RendezvousError> {
        let n_pending = self.n_pending();
        match self.options.orphans {
            Orphans::Wait(limit) if n_pending >= limit.get() => {
                Err(RendezvousError::Full { limit: limit.get() })
            }
            Orphans::Evict(limit) if n_pending >= limit.get() => {
                let evicted = match &mut self.spill {
                    Some(spill) => spill.take_oldest(&mut self.sides)?,
                    None => None,
                };
                let lines = evicted.or_else(|| self.pending.pop_oldest());
                self.options.counts.evicted.add(1);
                self.let_go(lines, out);
                Ok(())
            }
            Orphans::Wait(_) | Orphans::Evict(_) => Ok(()),
        }
    }

    /// Gives keys up; an outer join says what was there.
    fn let_go(&mut self, keys: impl IntoIterator<Item = S::Lines>, out: &mut impl FnMut(Row<S>)) {
        for mut lines in keys {
            while !are_empty(&lines) {
                let row = self.sides.take_partial(&mut lines);
                if self.options.joining == Joining::Outer {
                    out(Row::Partial(row));
                }
            }
        }
    }

    /// Gives up the keys whose time is over.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub fn expire(
        &mut self,
        now: Duration,
        out: &mut impl FnMut(Row<S>),
    ) -> Result<(), RendezvousError> {
        let Some(time_to_live) = self.options.time_to_live else { return Ok(()) };
        let is_over = |born: Duration| born.saturating_add(time_to_live) <= now;
        if let Some(spill) = &mut self.spill {
            let gone = spill.take_while(&mut self.sides, is_over)?;
            self.options.counts.expired.add(gone.len() as u64);
            self.let_go(gone, out);
        }
        while let Some(born) = self.pending.oldest_born()
            && is_over(born)
        {
            let gone = self.pending.pop_oldest();
            self.options.counts.expired.add(1);
            self.let_go(gone, out);
        }
        Ok(())
    }

    /// Whether keys have a time to live.
    pub(crate) fn expires(&self) -> bool {
        self.options.time_to_live.is_some()
    }

    /// When the oldest key's time will be over.
    #[must_use]
    pub fn expires_at(&self) -> Option<Duration> {
        let born = self.spill.as_ref().and_then(Spill::oldest_born);
        let born = born.or_else(|| self.pending.iter().next().map(|(.., born)| born))?;
        Some(born.saturating_add(self.options.time_to_live?))
    }

    /// How many keys wait, in memory and in the store.
    #[must_use]
    pub fn n_pending(&self) -> usize {
        self.pending.len() + self.spill.as_ref().map_or(0, Spill::len)
    }

    /// Forgets all keys that wait, and says how many these were. An outer join emits nothing of
    /// them.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub fn clear_orphans(&mut self) -> Result<usize, RendezvousError> {
        let n = self.n_pending();
        self.pending.clear();
        self.sides = S::empty(self.n_streams);
        if let Some(spill) = &mut self.spill {
            spill.clear()?;
        }
        Ok(n)
    }

    /// Nothing will come any more: an outer join emits what is there, oldest keys first; an inner
    /// one counts the keys. Then they are forgotten.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub fn finish(&mut self, out: &mut impl FnMut(Row<S>)) -> Result<(), RendezvousError> {
        if self.options.joining == Joining::Inner {
            let n = self.clear_orphans()?;
            self.options.counts.left.add(n as u64);
            return Ok(());
        }
        while let Some(spill) = &mut self.spill
            && let Some(lines) = spill.take_oldest(&mut self.sides)?
        {
            self.let_go([lines], out);
        }
        let keys = self.pending.take_all();
        self.let_go(keys, out);
        Ok(())
    }

    /// What it has let go.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.options.counts.clone()
    }
}

impl<K, S> Rendezvous<K, S>
where
    K: Hash + Eq + Debug + Clone + Serialize + DeserializeOwned,
    S: Spilled,
{
    /// A rendezvous that moves the oldest keys to a store when its options say so.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and of the store.
    pub fn spilling(
        n_streams: usize,
        options: Options,
    ) -> Result<Rendezvous<K, S>, RendezvousError> {
        let spill = options.spill.clone().map(Spill::opened).transpose()?;
        Rendezvous::made(n_streams, options, spill)
    }
}

impl<K, S: Slots> fmt::Debug for Rendezvous<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendezvous")
            .field("n_streams", &self.n_streams)
            .field("n_in_memory", &self.pending.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
